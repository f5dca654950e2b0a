/**
 * Names for viewers, for display only: the attributes that their history holds more often than everyone's does.
 * Plain counting over the stored history; nothing here enters a score.
 */

/** @typedef {import('./types.js').Attribute & {strength: number}} Taste */

/** Kinds that say little as a name. */
const DULL_KINDS = new Set(['year', 'decade', 'title']);
const FEWEST = 3;

/**
 * For each user the two attributes that stand out most; fewer where none does.
 * Strength of an attribute: n · ln(share in this history / share in all histories).
 * @param {import('./types.js').CatalogueItem[]} catalogue
 * @param {import('./types.js').ArtefactUser[]} users
 * @returns {Taste[][]}
 */
export function tasteLabels(catalogue, users) {
  const tags = catalogue.map((item) => item.attributes.filter((attribute) => !DULL_KINDS.has(attribute.kind)));
  const perUser = users.map((user) => countTags(user.history, tags));
  /** @type {Map<string, number>} */
  const overall = new Map();
  let events = 0;
  users.forEach((user, index) => {
    events += user.history.length;
    for (const [name, { n }] of perUser[index] ?? []) overall.set(name, (overall.get(name) ?? 0) + n);
  });
  return users.map((user, index) => {
    const tastes = [...(perUser[index] ?? [])]
      .filter(([, { n }]) => n >= FEWEST)
      .map(([name, { n, attribute }]) => {
        const lift = n / user.history.length / ((overall.get(name) ?? n) / events);
        return { ...attribute, strength: n * Math.log(lift) };
      })
      .filter(({ strength }) => strength > 0)
      .sort((a, b) => b.strength - a.strength || a.value.localeCompare(b.value));
    return tastes.slice(0, 2);
  });
}

/**
 * @param {{item: number}[]} history
 * @param {import('./types.js').Attribute[][]} tags
 */
function countTags(history, tags) {
  /** @type {Map<string, {n: number, attribute: import('./types.js').Attribute}>} */
  const counts = new Map();
  for (const { item } of history) {
    for (const attribute of tags[item] ?? []) {
      const name = `${attribute.kind}\u0000${attribute.value}`;
      const entry = counts.get(name);
      if (entry) entry.n += 1;
      else counts.set(name, { n: 1, attribute });
    }
  }
  return counts;
}

/**
 * A few viewers worth meeting first: clear tastes, no two named after the same thing, with a pattern and a held-out item.
 * @param {import('./types.js').ArtefactUser[]} users
 * @param {Taste[][]} labels
 * @param {number} limit
 * @returns {number[]} user indices
 */
export function featuredViewers(users, labels, limit) {
  const whole = (/** @type {import('./types.js').ArtefactUser} */ user) => (user.pattern ? 2 : 0) + (user.held_out !== null ? 1 : 0);
  const order = users
    .map((user, index) => ({ index, whole: whole(user), strength: labels[index]?.[0]?.strength ?? 0 }))
    .sort((a, b) => b.whole - a.whole || b.strength - a.strength || a.index - b.index);
  const used = new Set();
  const chosen = [];
  for (const { index } of order) {
    if (chosen.length === limit) return chosen;
    const values = (labels[index] ?? []).map((taste) => taste.value);
    if (values.length === 0 || values.some((value) => used.has(value))) continue;
    values.forEach((value) => used.add(value));
    chosen.push(index);
  }
  // A log without telling attributes still gets its first viewers.
  for (const { index } of order) if (chosen.length < limit && !chosen.includes(index)) chosen.push(index);
  return chosen;
}
