/** Why a title stands where it stands: the reasons the scorer attended to, and the history it leaned on. */
import { cover } from './cover.js';
import { button, el, withProperty } from './dom.js';
import { asFault, wording } from './errors.js';
import { date, percent, signed, viewerName } from './format.js';
import { newerTag, voice } from './pieces.js';
import { absences, waterfall } from './probe.js';

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

/** What each attention head made of a reason, each bar a share of all its attention; the number above is their mean. @param {number[]} heads */
function headBars(heads) {
  if (heads.length < 2) return null;
  const bar = (/** @type {number} */ weight) => withProperty(el('span', { class: 'head-bar', 'aria-hidden': 'true' }), '--length', Math.min(1, weight));
  const head = (/** @type {number} */ weight) => el('span', { class: 'head' }, `${percent(weight)} `, bar(weight));
  return el('p', { class: 'heads' }, 'By head: ', ...heads.map(head));
}

/**
 * The drawer's three layers: the words (a justification), what the model looked at (evidence), and what would be without it (a test).
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
export function evidence(row, context) {
  const layer = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ what, /** @type {Node[]} */ ...content) =>
    el('section', { class: 'layer', 'data-layer': name }, el('h4', {}, title), el('p', { class: 'layer-what' }, what), ...content);
  return el(
    'div',
    { class: 'evidence' },
    layer('words', 'The words', 'A justification: what the language model wrote. It need not be what moved the score.', reasonsPart(row, context)),
    layer('evidence', 'What the model looked at', 'Evidence: attention on reasons above, and here the history’s share in the interest for this title.', historyPart(row, context)),
    layer('test', 'The test', 'What the score is made of, and what it would be without a part. Each line is the model asked again.', testPart(row, context)),
  );
}

/**
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function testPart(row, { taste, catalogue, reasonText, onProbe }) {
  const part = el('div', { class: 'probe', 'aria-busy': 'true' }, el('p', { class: 'muted' }, 'Asking the model again …'));
  onProbe(row.item).then(
    (probe) => {
      part.removeAttribute('aria-busy');
      part.replaceChildren(waterfall(probe), absences(probe, { taste, catalogue, reasonText: (index) => reasonText(row.item, index) }));
    },
    (thrown) => {
      const fault = asFault(thrown);
      part.removeAttribute('aria-busy');
      const words = fault.kind === 'superseded' ? 'The taste changed before the answer came.' : wording(fault).title;
      part.replaceChildren(el('p', { class: 'muted' }, words));
    },
  );
  return part;
}

/**
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function reasonsPart(row, { dated, uses, viewer, taste, onMute, onReport }) {
  const part = (/** @type {Node[]} */ ...content) => el('div', { class: 'evidence-part', 'data-family': 'reason' }, ...content);
  const muted = taste.muted.filter(({ item }) => item === row.item);
  const silent =
    muted.length > 0
      ? button({ class: 'button button-quiet' }, () => onMute(muted), `Let ${muted.length === 1 ? 'the muted reason' : `${muted.length} muted reasons`} speak again`)
      : null;
  if (!uses.reasons) return part(el('p', { class: 'muted' }, 'This model was trained without reasons.'));
  if (row.reasons.length === 0) {
    const words = silent ? 'All reasons of this title are muted.' : 'No reason has been written for this title yet.';
    return part(el('p', { class: 'muted' }, words), ...(silent ? [silent] : []));
  }
  const scale = scaleOf(row.reasons);
  const items = row.reasons.map((reason) => {
    const source = reason.viewer === null ? null : `written for ${viewerName(reason.viewer)}`;
    const when = dated && reason.time !== null ? date(reason.time) : null;
    const about = [source, when, newerTag(reason, viewer)].filter(Boolean).join(', ');
    return el(
      'li',
      { class: 'evidence-row' },
      weightBar(scale, reason.weight, 'reason'),
      headBars(reason.heads),
      voice('blockquote', reason.text),
      about ? el('p', { class: 'evidence-source' }, about) : null,
      el(
        'div',
        { class: 'reason-tools' },
        button({ class: 'button-link' }, () => onMute([{ item: row.item, reason: reason.index }]), 'Mute', el('span', { class: 'visually-hidden' }, `: ${reason.text}`)),
        reportButton(reason, row.item, onReport),
      ),
    );
  });
  const written = 'Each was written by the language model when another viewer took this title.';
  const moment = 'All are scored at one moment after all training data, so some are newer than this history.';
  const note = row.reasons.some((reason) => newerTag(reason, viewer)) ? `${written} ${moment}` : written;
  return part(el('p', { class: 'evidence-note' }, note), el('ul', { class: 'evidence-list' }, ...items), ...(silent ? [silent] : []));
}

/** @param {import('./types.js').Reason} reason @param {number} item @param {import('./recommendation.js').RowContext['onReport']} onReport */
function reportButton(reason, item, onReport) {
  const report = button(
    { class: 'button-link' },
    () => {
      const kept = onReport(item, reason.index);
      report.disabled = true;
      report.textContent = kept ? 'Noted on this device' : 'This browser keeps nothing for this page';
    },
    'Report as bad',
    el('span', { class: 'visually-hidden' }, `: ${reason.text}`),
  );
  return report;
}

/**
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function historyPart(row, { catalogue, taste }) {
  const carrying = row.history.filter(({ weight }) => weight !== 0);
  const shown = carrying.slice(0, MOST_HISTORY);
  const scale = scaleOf(row.history); // of all events, so that the shown ones keep their true share
  const items = shown.map(({ position, item, weight }) => {
    const entry = catalogue[item];
    if (!entry) return null;
    const ago = taste.history.length - position;
    return el(
      'li',
      { class: 'evidence-row evidence-history' },
      weightBar(scale, weight, 'history'),
      cover(entry),
      el(
        'p',
        {},
        el('span', { dir: 'auto' }, entry.title),
        taste.history[position]?.item === item ? el('span', { class: 'evidence-source' }, ago === 1 ? 'the latest' : `${ago} back`) : null,
      ),
    );
  });
  const rest = row.history.length - shown.length;
  const note = scale.signed ? 'What was taken before, by its share in this score; hatched bars speak against the title.' : 'What was taken before, by its share in this score.';
  return el(
    'div',
    { class: 'evidence-part', 'data-family': 'history' },
    el('p', { class: 'evidence-note' }, note),
    items.length > 0 ? el('ul', { class: 'evidence-list' }, ...items) : el('p', { class: 'muted' }, 'No history entered this score.'),
    rest > 0 ? el('p', { class: 'evidence-source' }, `and ${rest} with ${carrying.length > shown.length ? 'less' : 'no'} weight`) : null,
  );
}
