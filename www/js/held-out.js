/** The test of the list: what this viewer really took next, and where the model had put it. */
import { cover } from './cover.js';
import { el, withProperty } from './dom.js';
import { count } from './format.js';

/**
 * @param {import('./types.js').Ranking} ranking
 * @param {import('./types.js').ArtefactUser} viewer
 * @param {import('./types.js').Taste} taste
 * @param {import('./types.js').CatalogueItem[]} catalogue
 */
export function heldOutCard(ranking, viewer, taste, catalogue) {
  const truth = ranking.held_out;
  const entry = truth && catalogue[truth.item];
  if (viewer.held_out === null || !truth || !entry) {
    return el('p', { class: 'muted truth-none' }, 'Nothing was held out for this viewer, so this list cannot be checked against a real choice.');
  }
  if (taste.history.some(({ item }) => item === truth.item)) {
    return el('p', { class: 'muted truth-none', dir: 'auto' }, `${entry.title}, which this viewer really took next, is in this history now.`);
  }
  const hit = truth.rank <= 10;
  // What was taken before is scored but not suggested again; the held-out choice always takes part.
  const before = new Set(taste.history.map((event) => event.item));
  before.delete(truth.item);
  const field = ranking.scored - before.size;
  return el(
    'div',
    { class: 'truth', 'data-hit': String(hit) },
    cover(entry),
    el(
      'div',
      { class: 'truth-words' },
      el('h3', {}, 'What this viewer really took next'),
      el('p', { class: 'truth-title', dir: 'auto' }, entry.title),
      el('p', { class: 'muted' }, 'Held out: no model has seen this choice.'),
    ),
    el(
      'p',
      { class: 'truth-rank' },
      el('span', { class: 'truth-number' }, 'rank ', el('strong', {}, count(truth.rank))),
      el('span', {}, ` of ${count(field)}`),
      el('span', { class: 'truth-verdict' }, hit ? 'in the first ten' : 'not in the first ten'),
    ),
    rail(truth.rank, field),
  );
}

/**
 * Ranks from first to last on a logarithmic rail: the words beside it say the same, so it is drawn for the eye only.
 * @param {number} rank
 * @param {number} scored how many took part
 */
function rail(rank, scored) {
  const place = (/** @type {number} */ at) => (scored > 1 ? Math.log(at) / Math.log(scored) : 0);
  const ticks = [1, 10, 100, 1000, 10_000].filter((at) => at === 1 || at < scored / 2);
  const hits = Math.min(10, scored);
  return el(
    'div',
    { class: 'rail', 'aria-hidden': 'true' },
    withProperty(el('span', { class: 'rail-hits' }), '--at', place(hits)),
    ...[...ticks, scored].map((at) => withProperty(el('span', { class: 'rail-tick' }, count(at)), '--at', place(at))),
    withProperty(el('span', { class: 'rail-mark' }), '--at', place(rank)),
  );
}
