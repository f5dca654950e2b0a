/** Why a title stands where it stands: the reasons the scorer attended to, and the history it leaned on. */
import { cover } from './cover.js';
import { el, withProperty } from './dom.js';
import { date, percent, signed, viewerName } from './format.js';
import { newerTag, voice } from './pieces.js';

const MOST_HISTORY = 6;

/** @typedef {import('./types.js').Recommendation} Recommendation */
/** @typedef {import('./types.js').CatalogueItem} CatalogueItem */

/**
 * How to show a set of weights: as shares where their magnitudes sum to one, as signed numbers where they do not.
 * @param {{weight: number}[]} weighted
 */
function scaleOf(weighted) {
  const weights = weighted.map(({ weight }) => weight);
  const sum = weights.reduce((total, weight) => total + Math.abs(weight), 0);
  const largest = Math.max(...weights.map(Math.abs), Number.MIN_VALUE);
  const shares = Math.abs(sum - 1) < 0.01;
  return {
    text: (/** @type {number} */ weight) => (!shares ? signed(weight) : weight < 0 ? `− ${percent(-weight)}` : percent(weight)),
    length: (/** @type {number} */ weight) => Math.min(1, Math.abs(weight) / largest),
    signed: weights.some((weight) => weight < 0),
  };
}

/** @param {ReturnType<typeof scaleOf>} scale @param {number} weight @param {'reason'|'history'} family */
function weightBar(scale, weight, family) {
  const bar = el('span', { class: 'bar', 'data-family': family, 'data-sign': weight < 0 ? 'minus' : 'plus', 'aria-hidden': 'true' });
  return el(
    'span',
    { class: 'weight' },
    withProperty(bar, '--length', scale.length(weight)),
    el('span', { class: 'weight-number' }, scale.text(weight)),
  );
}

/**
 * @param {Recommendation} row
 * @param {{catalogue: CatalogueItem[], dated: boolean, uses: import('./types.js').Loaded['uses'], viewer: import('./types.js').ArtefactUser}} context
 */
export function evidence(row, context) {
  return el('div', { class: 'evidence' }, reasonsPart(row, context), historyPart(row, context));
}

/**
 * @param {Recommendation} row
 * @param {{dated: boolean, uses: import('./types.js').Loaded['uses'], viewer: import('./types.js').ArtefactUser}} context
 */
function reasonsPart(row, { dated, uses, viewer }) {
  const part = (/** @type {Node[]} */ ...content) =>
    el('section', { class: 'evidence-part', 'data-family': 'reason' }, el('h4', {}, 'Reasons the scorer attended to'), ...content);
  if (!uses.reasons) return part(el('p', { class: 'muted' }, 'This model was trained without reasons.'));
  if (row.reasons.length === 0) return part(el('p', { class: 'muted' }, 'No reason has been written for this title yet.'));
  const scale = scaleOf(row.reasons);
  const items = row.reasons.map((reason) => {
    const source = reason.viewer === null ? null : `written for ${viewerName(reason.viewer)}`;
    const when = dated && reason.time !== null ? date(reason.time) : null;
    const about = [source, when, newerTag(reason, viewer)].filter(Boolean).join(', ');
    return el(
      'li',
      { class: 'evidence-row' },
      weightBar(scale, reason.weight, 'reason'),
      voice('blockquote', reason.text),
      about ? el('p', { class: 'evidence-source' }, about) : null,
    );
  });
  const written = 'Each was written by the language model when another viewer took this title.';
  const moment = 'All are scored at one moment after all training data, so some are newer than this history.';
  const note = row.reasons.some((reason) => newerTag(reason, viewer)) ? `${written} ${moment}` : written;
  return part(el('p', { class: 'evidence-note' }, note), el('ul', { class: 'evidence-list' }, ...items));
}

/**
 * @param {Recommendation} row
 * @param {{catalogue: CatalogueItem[], viewer: import('./types.js').ArtefactUser}} context
 */
function historyPart(row, { catalogue, viewer }) {
  const shown = row.history.slice(0, MOST_HISTORY);
  const scale = scaleOf(row.history); // of all events, so that the shown ones keep their true share
  const items = shown.map(({ position, item, weight }) => {
    const entry = catalogue[item];
    if (!entry) return null;
    const ago = viewer.history.length - position;
    return el(
      'li',
      { class: 'evidence-row evidence-history' },
      weightBar(scale, weight, 'history'),
      cover(entry),
      el(
        'p',
        {},
        el('span', { dir: 'auto' }, entry.title),
        viewer.history[position]?.item === item ? el('span', { class: 'evidence-source' }, ago === 1 ? 'the latest' : `${ago} back`) : null,
      ),
    );
  });
  const rest = row.history.length - shown.length;
  const note = scale.signed ? 'What this viewer took before, by its share in this score; hatched bars speak against the title.' : 'What this viewer took before, by its share in this score.';
  return el(
    'section',
    { class: 'evidence-part', 'data-family': 'history' },
    el('h4', {}, 'History that carried it'),
    el('p', { class: 'evidence-note' }, note),
    items.length > 0 ? el('ul', { class: 'evidence-list' }, ...items) : el('p', { class: 'muted' }, 'No history entered this score.'),
    rest > 0 ? el('p', { class: 'evidence-source' }, `and ${rest} with less weight`) : null,
  );
}
