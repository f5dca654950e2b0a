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

/** @type {Record<string, string>} */
const STEP_NAMES = {
  identities: 'The title alone',
  pattern: '+ the pattern',
  reasons: '+ the reasons',
  history: '+ the history',
};

/** @param {number} rank */
const rankWords = (rank) => `rank ${count(rank)}`;

/**
 * The steps as contributions: the first stands for itself, each further one for what it adds to the logit.
 * @param {Probe} probe
 */
export const contributions = ({ steps }) =>
  steps.map(({ part, logit, rank }, at) => ({
    part: String(part),
    change: at === 0 ? logit : logit - (steps[at - 1]?.logit ?? 0),
    rank,
    from: at === 0 ? null : (steps[at - 1]?.rank ?? null),
  }));

/** How a score comes about, one part after another. @param {Probe} probe */
export function waterfall(probe) {
  const parts = contributions(probe);
  const largest = Math.max(...parts.map(({ change }) => Math.abs(change)), Number.MIN_VALUE);
  const rows = parts.map(({ part, change, rank, from }) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, STEP_NAMES[part] ?? part),
      el('td', { class: 'fall-cell' }, bar(change, largest)),
      el('td', { class: 'number' }, signed(change)),
      el('td', { class: 'number' }, from === null || from === rank ? rankWords(rank) : [rankWords(from), ' → ', count(rank)].join('')),
    ),
  );
  return el(
    'table',
    { class: 'probe-table' },
    el('caption', {}, 'The score, built up from nothing. A part’s number is what it adds before the final squashing into 0 to 1.'),
    el('thead', { class: 'visually-hidden' }, el('tr', {}, ...['Part', 'Bar', 'Adds', 'Rank'].map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, ...rows),
  );
}

/** A bar to the right of the middle for what speaks for a title, to the left for what speaks against. @param {number} change @param {number} largest */
function bar(change, largest) {
  const element = el('span', { class: 'fall', 'data-sign': change < 0 ? 'minus' : 'plus', 'aria-hidden': 'true' });
  return withProperty(element, '--length', Math.abs(change) / largest);
}

/**
 * What would be without a part, largest change first.
 * @param {Probe} probe
 * @param {{taste: Taste, catalogue: import('./types.js').CatalogueItem[], reasonText: (index: number) => string|null}} context
 */
export function absences(probe, { taste, catalogue, reasonText }) {
  const order = [...probe.without].sort((a, b) => Math.abs(b.logit - probe.logit) - Math.abs(a.logit - probe.logit));
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
  return el(
    'table',
    { class: 'probe-table' },
    el('caption', {}, `Left out one at a time and scored again; the ${shown.length} that matter most of ${probe.without.length}.`),
    el('thead', {}, el('tr', {}, ...heads.map((name, at) => el('th', { scope: 'col', class: at > 0 ? 'number' : null }, name)))),
    el('tbody', {}, ...rows),
  );
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
  const theirs = contributions(first);
  const gaps = contributions(probe).map(({ part, change }, at) => ({ part, gap: change - (theirs[at]?.change ?? 0) }));
  const worst = gaps.reduce((least, one) => (one.gap < least.gap ? one : least));
  const title = catalogue[first.item]?.title ?? 'the first title';
  const words = { identities: 'what the model thinks of the title for anybody', pattern: 'what the pattern gives it', reasons: 'what its reasons give it', history: 'what the history gives it' };
  const what = words[/** @type {keyof typeof words} */ (worst.part)] ?? worst.part;
  return `Beside ${title}, which comes first, it falls behind most in ${what} (${signed(worst.gap)}).`;
}
