/** The artefact's readable part (catalogue, users, reasons, results) and what the page needs from it. Runs in the worker. */
import { featuredViewers, tasteLabels, tasteName } from './taste.js';

/** @typedef {import('./types.js').ArtefactUser} ArtefactUser */
/** @typedef {import('./types.js').ArtefactReason} ArtefactReason */
/** @typedef {import('./types.js').CatalogueItem} CatalogueItem */

/** Calendar times lie between 1980 and 2100; a source that only orders its events has small numbers. */
const CALENDAR = { from: 315_532_800, to: 4_102_444_800 };

/** @param {string} file @param {string} message @returns {import('./types.js').Fault} */
const malformed = (file, message) => ({ kind: 'malformed', message, file });

/**
 * @param {Map<string, Uint8Array>} files
 * @param {string} name
 * @returns {any}
 */
function json(files, name) {
  const bytes = files.get(name);
  if (!bytes) throw malformed('manifest.json', `manifest.json does not list ${name}.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw malformed(name, `${name} is not valid JSON.`);
  }
}

/**
 * @param {string} manifestText
 * @param {Map<string, Uint8Array>} files contents already checked against the manifest
 */
export function readArtefact(manifestText, files) {
  const catalogue = json(files, 'catalogue.json');
  if (!Array.isArray(catalogue) || catalogue.length === 0) throw malformed('catalogue.json', 'catalogue.json holds no items.');
  const users = json(files, 'users.json');
  if (!Array.isArray(users) || users.length === 0) throw malformed('users.json', 'users.json holds no users.');
  const known = (/** @type {any} */ item) => Number.isInteger(item) && item >= 0 && item < catalogue.length;
  users.forEach((user, index) => {
    const sound = Array.isArray(user.history) && user.history.every((/** @type {any} */ event) => known(event.item));
    if (!sound || !(user.held_out === null || known(user.held_out))) {
      throw malformed('users.json', `users.json, user ${index}: an item is not in the catalogue.`);
    }
  });
  const reasons = json(files, 'reasons.json');
  if (!Array.isArray(reasons) || reasons.length !== catalogue.length) {
    throw malformed('reasons.json', 'reasons.json does not hold one list per catalogue item.');
  }
  const results = files.has('results.json') ? json(files, 'results.json') : null;
  const first = json(files, 'preview.json').user;
  if (!Number.isInteger(first) || !users[first]) throw malformed('preview.json', 'preview.json names a viewer who is not there.');
  return new Artefact(JSON.parse(manifestText), catalogue, users, reasons, results, first);
}

/** The artefact after checking: index access is safe for every index that the files themselves name. */
export class Artefact {
  /**
   * @param {import('./types.js').Manifest} manifest
   * @param {CatalogueItem[]} catalogue
   * @param {ArtefactUser[]} users
   * @param {ArtefactReason[][]} reasons per item
   * @param {import('./types.js').Results|null} results
   * @param {number} first the viewer of the preview
   */
  constructor(manifest, catalogue, users, reasons, results, first) {
    this.first = first;
    this.manifest = manifest;
    this.catalogue = catalogue;
    this.users = users;
    this.reasons = reasons;
    this.results = results;
  }

  /** What the page holds for the whole visit. @returns {Omit<import('./types.js').Loaded, 'backend'|'times'|'memory'|'writerBytes'>} */
  overview() {
    const window = this.manifest.model?.reward?.max_history ?? Infinity;
    const labels = tasteLabels(this.catalogue, this.users, window);
    const viewers = this.users.map((user, index) => ({
      key: user.key,
      tastes: (labels[index] ?? []).map((taste) => taste.value),
      name: tasteName(labels[index] ?? []),
      length: user.history.length,
    }));
    const first = this.users.find((user) => user.history.length > 0)?.history[0]?.time ?? 0;
    const dated = first >= CALENDAR.from && first <= CALENDAR.to;
    const { manifest, catalogue, results, first: opening } = this;
    const { use_reasons: reasons = true, use_patterns: patterns = true } = manifest.model?.reward ?? {};
    const lineOf = (/** @type {number} */ user) => (patterns ? (this.users[user]?.pattern ?? null) : null);
    const featured = featuredViewers(this.users, labels, 6, opening).map((user) => ({ user, line: lineOf(user) }));
    const reasonCounts = this.reasons.map((list) => list.length);
    return { manifest, catalogue, viewers, reasonCounts, first: opening, featured, uses: { reasons, patterns }, window, dated, results };
  }

  /** @param {number} index @returns {ArtefactUser} */
  user(index) {
    const user = this.users[index];
    if (!user) throw { kind: 'no-such-viewer', message: `There is no viewer number ${index}.` };
    return user;
  }

  /**
   * Attaches to each weight the words it belongs to, heaviest first.
   * @param {import('./types.js').RawRanking & Pick<import('./types.js').Ranking, 'used'>} raw
   * @returns {import('./types.js').Ranking}
   */
  withWords(raw) {
    const heaviest = (/** @type {{weight: number}} */ a, /** @type {{weight: number}} */ b) =>
      Math.abs(b.weight) - Math.abs(a.weight);
    const { before, ...ranking } = raw;
    const recommendations = raw.recommendations.map((row, at) => ({
      ...row,
      ...(before ? { before: before[at] ?? null } : {}),
      reasons: row.reasons.map((reason) => this.#words(row.item, reason)).filter((reason) => reason !== null).sort(heaviest),
      history: [...row.history].sort(heaviest),
    }));
    return { ...ranking, recommendations };
  }

  /**
   * What the other models would recommend to a viewer, and what the texts about them and some titles said before the correction.
   * @param {import('./types.js').Comparison} comparison @param {number} user @param {number[]} items
   * @returns {import('./types.js').Compared}
   */
  compared({ variants, before }, user, items) {
    this.user(user);
    return {
      variants: variants.map(({ name, what, lists }) => ({ name, what, list: /** @type {import('./types.js').VariantList} */ (lists[user]) })),
      corrected: before !== null,
      patternBefore: before?.patterns[user] ?? null,
      reasonsBefore: Object.fromEntries(items.map((item) => [item, before?.reasons[item] ?? []])),
    };
  }

  /** @param {number} item @param {import('./types.js').RawReason} raw @returns {import('./types.js').Reason|null} */
  #words(item, { index, weight, heads }) {
    const stored = this.reasons[item]?.[index];
    if (!stored) return null;
    const writer = stored.user === null ? undefined : this.users[stored.user];
    return { index, weight, heads, text: stored.text, viewer: writer?.key ?? null, time: stored.time ?? null };
  }
}
