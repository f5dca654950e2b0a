/**
 * The test of an explanation: what the score is made of, and what it would be without a part. Every number is the model's own,
 * asked again by the scorer; nothing is derived from the weights beside it.
 */
import { el, withProperty } from './dom.js';
import { count, score, signed } from './format.js';
import { voice } from './pieces.js';

/** @typedef {import('./types.js').Probe} Probe */
/** @typedef {import('./types.js').Part} Part */
/** @typedef {import('./types.js').Taste} Taste */

/** Absences shown: those that change the score most. */
const MOST_ABSENCES = 5;
/** Titles from which on a median of what they change says something. */
const FEW_EVENTS = 5;

/** @type {Record<string, string>} */
const PART_NAMES = {
  identities: 'The title alone',
  pattern: '+ the pattern',
  reasons: '+ the reasons',
  history: '+ the history',
};

/** What each part is worth to a score. @param {Probe} probe */
export function waterfall({ shares, logit, rank }) {
  // Each part begins where the one before it ended.
  const sums = shares.reduce((/** @type {number[]} */ all, { adds }) => [...all, (all.at(-1) ?? 0) + adds], [0]);
  const range = { low: Math.min(...sums, logit), high: Math.max(...sums, logit) };
  const rows = shares.map(({ part, adds, rank_without: without }, at) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, PART_NAMES[String(part)] ?? String(part)),
      el('td', { class: 'fall-cell' }, bar(sums[at] ?? 0, sums[at + 1] ?? 0, range)),
      el('td', { class: 'number' }, signed(adds)),
      el('td', { class: 'number' }, without === null ? '–' : `rank ${count(without)}`),
    ),
  );
  const together = el('tr', { class: 'probe-sum' }, el('th', { scope: 'row' }, 'Together'), el('td', { class: 'fall-cell' }, bar(0, logit, range)), el('td', { class: 'number' }, signed(logit)), el('td', { class: 'number' }, `rank ${count(rank)}`));
  const head = (/** @type {string} */ name, /** @type {boolean} */ number) => el('th', { scope: 'col', class: number ? 'number' : null }, name);
  return el(
    'table',
    { class: 'probe-table' },
    el('caption', {}, 'What the score is made of, before the final squashing into 0 to 1: each part’s worth, as the mean over all orders in which the parts could come (Shapley). The pattern and the reasons are taken from the titles that are ranked; what each title of the history was read with stays.'),
    el('thead', {}, el('tr', {}, head('Part', false), el('th', { scope: 'col', class: 'fall-cell' }, el('span', { class: 'visually-hidden' }, 'Bar')), head('adds', true), head('without it', true))),
    el('tbody', {}, ...rows, together),
  );
}

/**
 * A step of the waterfall: to the right where it speaks for a title, to the left where it speaks against.
 * @param {number} from @param {number} to @param {{low: number, high: number}} range of the whole
 */
function bar(from, to, { low, high }) {
  const whole = Math.max(high - low, Number.MIN_VALUE);
  const element = el('span', { class: 'fall', 'data-sign': to < from ? 'minus' : 'plus', 'aria-hidden': 'true' });
  withProperty(element, '--zero', -low / whole);
  withProperty(element, '--from', (Math.min(from, to) - low) / whole);
  return withProperty(element, '--length', Math.abs(to - from) / whole);
}

/**
 * What would be without a part: first what changes most, titles beside what any one of them changes.
 * @param {Probe} probe
 * @param {{taste: Taste, pattern: string|null, catalogue: import('./types.js').CatalogueItem[], reasonText: (index: number) => string|null}} context `pattern`: its words, where one is read
 */
export function absences(probe, { taste, pattern, catalogue, reasonText }) {
  const { common, events } = oneFewer(probe);
  const own = (/** @type {import('./types.js').Probe['without'][number]} */ { part, logit }) => Math.abs(logit - probe.logit - (isEvent(part) ? common : 0));
  const order = [...probe.without].sort((a, b) => own(b) - own(a));
  const shown = order.filter(({ logit }) => logit !== probe.logit).slice(0, MOST_ABSENCES);
  if (shown.length === 0) return el('p', { class: 'muted' }, 'Nothing that could be left out changes this score.');
  const rows = shown.map((absence) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row', dir: 'auto' }, partName(absence.part, taste, catalogue, reasonText)),
      el('td', { class: 'number' }, signed(absence.logit - probe.logit)),
      el('td', { class: 'number' }, score(absence.score)),
      el('td', { class: 'number' }, absence.rank === null ? '–' : `${count(probe.rank)} → ${count(absence.rank)}`),
    ),
  );
  const heads = ['Without', 'change', 'score', 'rank'];
  // Where a title taken out would have another pattern read, or this one written anew.
  const mayChange = pattern !== null && (taste.viewer === null || taste.written);
  const table = el(
    'table',
    { class: 'probe-table' },
    el('caption', {}, `Left out one at a time${mayChange ? ', with the pattern as it stands,' : ''} and scored again; the ${shown.length} that matter most of ${probe.without.length}.`),
    el('thead', {}, el('tr', {}, ...heads.map((name, at) => el('th', { scope: 'col', class: at > 0 ? 'number' : null }, name)))),
    el('tbody', {}, ...rows),
  );
  if (events < FEW_EVENTS) return table;
  const note = `Without any one of the ${events} titles the history is shorter and the later ones move up a place: that alone changes this score by about ${signed(common)} (the median). Titles are listed by what they change beside that.`;
  return el('div', {}, table, el('p', { class: 'evidence-note' }, note));
}

/** @param {Part} part */
const isEvent = (part) => typeof part === 'object' && 'event' in part;

/** What one title fewer changes, whichever it is: the median over the titles; nothing where they are too few to tell. @param {Probe} probe */
function oneFewer({ logit, without }) {
  const changes = without.filter(({ part }) => isEvent(part)).map((absence) => absence.logit - logit).sort((a, b) => a - b);
  const common = changes.length < FEW_EVENTS ? 0 : (changes[Math.floor((changes.length - 1) / 2)] ?? 0);
  return { common, events: changes.length };
}

/**
 * @param {Part} part @param {Taste} taste @param {import('./types.js').CatalogueItem[]} catalogue @param {(index: number) => string|null} reasonText
 * @returns {Node|string}
 */
function partName(part, taste, catalogue, reasonText) {
  if (typeof part === 'string') return part === 'pattern' ? 'the pattern' : part;
  if ('reason' in part) return voice('span', `“${reasonText(part.reason) ?? ''}”`);
  const event = taste.history[part.event];
  return (event && catalogue[event.item]?.title) ?? '';
}

/**
 * Why a title is not further up: what it lacks most beside the first one.
 * @param {Probe} probe @param {Probe} first
 * @param {import('./types.js').CatalogueItem[]} catalogue
 */
export function shortfall(probe, first, catalogue) {
  const gaps = probe.shares.map(({ part, adds }, at) => ({ part: String(part), gap: adds - (first.shares[at]?.adds ?? 0) }));
  const worst = gaps.reduce((least, one) => (one.gap < least.gap ? one : least));
  const title = catalogue[first.item]?.title ?? 'the first title';
  const words = { identities: 'what the model thinks of the title for anybody', pattern: 'what the pattern gives it', reasons: 'what its reasons give it', history: 'what the history gives it' };
  const what = words[/** @type {keyof typeof words} */ (worst.part)] ?? worst.part;
  return `Beside ${title}, which comes first, it falls behind most in ${what} (${signed(worst.gap)}).`;
}
