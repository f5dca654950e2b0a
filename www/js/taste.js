/**
 * Names for viewers, for display only: the attributes that the part of their history which the model reads holds more often than everyone's.
 * Plain counting over the stored history; nothing here enters a score.
 */

/** @typedef {import('./types.js').Attribute & {strength: number}} Taste */

/** Kinds that say little as a name. */
const DULL_KINDS = new Set(['year', 'decade', 'title']);
const FEWEST = 3;

/**
 * For each user the two attributes that stand out most, those first that the language model names in their pattern; fewer where none does.
 * Strength of an attribute: n · ln(share in this history / share in all histories).
 * @param {import('./types.js').CatalogueItem[]} catalogue
 * @param {import('./types.js').ArtefactUser[]} users
 * @param {number} window events that the model reads, the newest ones
 * @returns {Taste[][]}
 */
export function tasteLabels(catalogue, users, window) {
  const tags = catalogue.map((item) => item.attributes.filter((attribute) => !DULL_KINDS.has(attribute.kind)));
  const read = users.map((user) => user.history.slice(-window));
  const perUser = read.map((history) => countTags(history, tags));
  /** @type {Map<string, number>} */
  const overall = new Map();
  let events = 0;
  read.forEach((history, index) => {
    events += history.length;
    for (const [name, { n }] of perUser[index] ?? []) overall.set(name, (overall.get(name) ?? 0) + n);
  });
  return read.map((history, index) => {
    const named = namedIn(users[index]?.pattern);
    const tastes = [...(perUser[index] ?? [])]
      .filter(([, { n }]) => n >= FEWEST)
      .map(([name, { n, attribute }]) => {
        const lift = n / history.length / ((overall.get(name) ?? n) / events);
        return { ...attribute, strength: n * Math.log(lift) };
      })
      .filter(({ strength }) => strength > 0)
      .sort((a, b) => Number(named(b)) - Number(named(a)) || b.strength - a.strength || a.value.localeCompare(b.value));
    return tastes.slice(0, 2);
  });
}

/** Whether a pattern names an attribute. @param {string|null|undefined} pattern @returns {(taste: {value: string}) => boolean} */
function namedIn(pattern) {
  const text = pattern?.toLowerCase() ?? '';
  return ({ value }) => text.includes(value.toLowerCase());
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
 * Two tastes as one name: “tense noir”, “comedy in Cairo”, “drama and romance”.
 * @param {import('./types.js').Attribute[]} tastes strongest first
 */
export function tasteName(tastes) {
  const [first, second] = tastes;
  if (!first || !second) return first?.value ?? '';
  const of = (/** @type {string} */ kind) => tastes.find((taste) => taste.kind === kind);
  const mood = of('mood');
  const other = mood === first ? second : first;
  if (mood && other.kind === 'genre') return `${mood.value} ${other.value}`;
  const place = of('place');
  const rest = place === first ? second : first;
  if (place && rest.kind !== 'place') return `${rest.value}${rest.kind === 'mood' ? ' mood' : ''} in ${place.value}`;
  return `${first.value} and ${second.value}`;
}

/**
 * A few viewers worth meeting first: clear tastes that the language model names too, no two named after the same thing, with a pattern and a held-out item.
 * @param {import('./types.js').ArtefactUser[]} users
 * @param {Taste[][]} labels
 * @param {number} limit
 * @param {number} first the viewer whose list the page opens with
 * @returns {number[]} user indices
 */
export function featuredViewers(users, labels, limit, first) {
  const named = (/** @type {import('./types.js').ArtefactUser} */ user, /** @type {Taste[]} */ tastes) => tastes.filter(namedIn(user.pattern)).length;
  const whole = (/** @type {import('./types.js').ArtefactUser} */ user, /** @type {Taste[]} */ tastes) => (user.pattern ? 4 + named(user, tastes) : 0) + (user.held_out !== null ? 0.5 : 0);
  const order = users
    .map((user, index) => ({ index, whole: whole(user, labels[index] ?? []), strength: labels[index]?.[0]?.strength ?? 0 }))
    .sort((a, b) => b.whole - a.whole || b.strength - a.strength || a.index - b.index);
  const used = new Set((labels[first] ?? []).map((taste) => taste.value));
  const chosen = [first];
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
