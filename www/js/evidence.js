/** Why a title stands where it stands: the reasons the scorer attended to, and the history it leaned on. */
import { cover } from './cover.js';
import { button, el, withProperty } from './dom.js';
import { asFault, wording } from './errors.js';
import { date, percent, signed, viewerName } from './format.js';
import { newerTag, voice } from './pieces.js';
import { absences, waterfall } from './probe.js';
import { reportButton } from './report-button.js';

const MOST_HISTORY = 6;
/** Reasons shown at first. */
const FIRST_REASONS = 3;

/** @typedef {import('./types.js').Recommendation} Recommendation */
/** @typedef {import('./types.js').CatalogueItem} CatalogueItem */

/**
 * How long the bars of a set of weights are, and how the weights are written.
 * @param {{weight: number}[]} weighted @param {(weight: number) => string} text
 */
function scaleOf(weighted, text) {
  const weights = weighted.map(({ weight }) => weight);
  const largest = Math.max(...weights.map(Math.abs), Number.MIN_VALUE);
  return {
    text,
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
  const layer = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ what, /** @type {(Node|null)[]} */ ...content) =>
    el('section', { class: 'layer', 'data-layer': name }, el('h4', {}, title), el('p', { class: 'layer-what' }, what), ...content);
  return el(
    'div',
    { class: 'evidence' },
    layer('words', 'The words', 'A justification: what the language model wrote. It need not be what moved the score.', reasonsPart(row, context)),
    layer('evidence', 'What the model looked at', 'Evidence: how much it attended to each reason, and which titles of the history carry the score.', attentionPart(row, context), historyPart(row, context)),
    layer('test', 'The test', 'What each part is worth, and what the score would be without it. Each line is the model asked again.', testPart(row, context)),
  );
}

/**
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function testPart(row, { taste, pattern, catalogue, reasonText, onProbe }) {
  const part = el('div', { class: 'probe', 'aria-busy': 'true' }, el('p', { class: 'muted' }, 'Asking the model again …'));
  onProbe(row.item, taste).then(
    (probe) => {
      part.removeAttribute('aria-busy');
      part.replaceChildren(waterfall(probe), absences(probe, { taste, pattern, catalogue, reasonText: (index) => reasonText(row.item, index) }));
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
function reasonsPart(row, { dated, uses, viewer, taste, onMute, reports }) {
  const part = (/** @type {Node[]} */ ...content) => el('div', { class: 'evidence-part', 'data-family': 'reason' }, ...content);
  const muted = taste.muted.filter(({ item }) => item === row.item);
  const silent =
    muted.length > 0
      ? button({ class: 'button button-quiet' }, () => onMute(muted), `Let ${muted.length === 1 ? 'the muted reason' : `${muted.length} muted reasons`} speak again`)
      : null;
  if (!uses.reasons) return part(el('p', { class: 'muted' }, 'This model was trained without reasons.'));
  if (row.reasons.length === 0) {
    const words = silent ? 'All reasons of this title are muted.' : 'No reason of another viewer has been written for this title yet.';
    return part(el('p', { class: 'muted' }, words), ...(silent ? [silent] : []));
  }
  const items = row.reasons.map((reason, at) => {
    const source = reason.viewer === null ? null : `written when ${viewerName(reason.viewer)} took it`;
    const when = dated && reason.time !== null ? date(reason.time) : null;
    const about = [source, when, newerTag(reason, viewer)].filter(Boolean).join(', ');
    return el(
      'li',
      { class: 'evidence-row numbered', hidden: at >= FIRST_REASONS },
      el('span', { class: 'row-number' }, at + 1),
      voice('blockquote', reason.text),
      about ? el('p', { class: 'evidence-source' }, about) : null,
      el(
        'div',
        { class: 'reason-tools' },
        button({ class: 'button-link' }, () => onMute([{ item: row.item, reason: reason.index }]), 'Mute', el('span', { class: 'visually-hidden' }, `: ${reason.text}`)),
        reportButton(row.item, reason.index, reason.text, reports),
      ),
    );
  });
  const written = 'Each was written by the language model when another viewer took this title.';
  const moment = 'All are scored at one moment after all training data, so some are newer than this history.';
  const note = row.reasons.some((reason) => newerTag(reason, viewer)) ? `${written} ${moment}` : written;
  const list = el('ol', { class: 'evidence-list' }, ...items);
  const more = items.length > FIRST_REASONS && button({ class: 'button button-quiet' }, () => unfold(list, more), `${items.length - FIRST_REASONS} more`);
  return part(el('p', { class: 'evidence-note' }, note), list, ...(more ? [more] : []), ...(silent ? [silent] : []));
}

/** Shows what a list holds back, in both lists of reasons of its drawer, and goes on there. @param {HTMLElement} list @param {HTMLButtonElement|false} pressed */
function unfold(list, pressed) {
  const held = list.querySelector('li[hidden]');
  for (const row of list.closest('.evidence')?.querySelectorAll('li[hidden]') ?? []) row.removeAttribute('hidden');
  for (const mark of list.closest('.evidence')?.querySelectorAll('.attention-rest') ?? []) mark.remove();
  if (pressed) pressed.remove();
  const next = held?.querySelector('button');
  if (next) next.focus();
}

/**
 * Attention on the reasons, mean and head by head. What asks is the pattern: each reason gets as much as it fits what was written of
 * this viewer.
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function attentionPart(row, { uses, pattern }) {
  if (!uses.reasons || row.reasons.length === 0) return null;
  const scale = scaleOf(row.reasons, percent);
  const rest = row.reasons.slice(FIRST_REASONS).reduce((sum, { weight }) => sum + weight, 0);
  const items = row.reasons.map((reason, at) =>
    el(
      'li',
      { class: 'evidence-row numbered', hidden: at >= FIRST_REASONS },
      el('span', { class: 'row-number' }, el('span', { class: 'visually-hidden' }, 'Reason '), at + 1),
      el('div', {}, weightBar(scale, reason.weight, 'reason'), headBars(reason.heads)),
    ),
  );
  return el(
    'div',
    { class: 'evidence-part', 'data-family': 'reason' },
    el('p', { class: 'evidence-note' }, ...attending(uses, pattern)),
    el('ol', { class: 'evidence-list' }, ...items),
    rest > 0 ? el('p', { class: 'evidence-source attention-rest' }, `${percent(rest)} on the others`) : null,
  );
}

/** What attends to the reasons, in words. @param {import('./types.js').Loaded['uses']} uses @param {string|null} pattern @returns {(Node|string)[]} */
function attending(uses, pattern) {
  if (pattern) return ['How much this pattern attends to each reason, by its number: ', voice('span', `“${pattern.trim()}”`)];
  return [uses.patterns ? 'No pattern is read: how much the model attends to each reason without one, by its number.' : 'How much the model attends to each reason, by its number.'];
}

/**
 * The titles of the history in whose place an average title would change the score most, and where the interest unit itself looked.
 * @param {Recommendation} row
 * @param {import('./recommendation.js').RowContext} context
 */
function historyPart(row, { catalogue, taste, carriers }) {
  const part = el('div', { class: 'evidence-part', 'data-family': 'history', 'aria-busy': 'true' }, el('p', { class: 'muted' }, 'Asking the model with another title in the place of each …'));
  carriers.then(
    (all) => {
      const carrying = all.filter(({ adds }) => adds !== 0);
      const shown = bothSides(carrying, MOST_HISTORY);
      const scale = scaleOf(carrying.map(({ adds }) => ({ weight: adds })), signed);
      const items = shown.map(({ event, item, adds }) => {
        const entry = catalogue[item];
        if (!entry) return null;
        const ago = taste.history.length - event;
        return el(
          'li',
          { class: 'evidence-row evidence-history' },
          weightBar(scale, adds, 'history'),
          cover(entry),
          el('p', {}, el('span', { dir: 'auto' }, entry.title), el('span', { class: 'evidence-source' }, ago === 1 ? 'the latest' : `${ago} back`)),
        );
      });
      const rest = all.length - shown.length;
      part.removeAttribute('aria-busy');
      part.replaceChildren(
        el('p', { class: 'evidence-note' }, `What the score, before the final squashing, loses where an average title stands in the place of one${scale.signed ? '; hatched bars speak against this one' : ''}.`),
        items.length > 0 ? el('ul', { class: 'evidence-list' }, ...items) : el('p', { class: 'muted' }, 'No history entered this score.'),
        ...(rest > 0 ? [el('p', { class: 'evidence-source' }, carrying.length > shown.length ? `and ${rest} others` : `and ${rest} that change it not at all`)] : []),
        ...interestNote(row, catalogue),
      );
    },
    (thrown) => {
      part.removeAttribute('aria-busy');
      part.replaceChildren(el('p', { class: 'muted' }, asFault(thrown).kind === 'superseded' ? 'The taste changed before the answer came.' : wording(asFault(thrown)).title));
    },
  );
  return part;
}

/**
 * What counts most, among it at least what the row names as speaking for its title, and something that speaks against it; first what speaks for it.
 * @param {import('./types.js').Carrier[]} carrying those first that count most @param {number} most
 */
function bothSides(carrying, most) {
  const [speaking, against] = [carrying.filter(({ adds }) => adds > 0), carrying.filter(({ adds }) => adds < 0)];
  const shown = new Set([...speaking.slice(0, 2), ...against.slice(0, 1)]);
  for (const one of carrying) if (shown.size < most) shown.add(one);
  return [...speaking, ...against].filter((one) => shown.has(one));
}

/** Where the interest unit looked. Its weights lie on states, not on titles. @param {Recommendation} row @param {CatalogueItem[]} catalogue */
function interestNote({ history }, catalogue) {
  const [most] = history;
  const title = most && catalogue[most.item]?.title;
  if (!most || !title || most.weight === 0) return [];
  return [
    el('p', { class: 'evidence-note', dir: 'auto' }, `Its interest unit looks at states, each of which sums up all before it: ${percent(Math.abs(most.weight))} of it lies on the one after ${title}.`),
  ];
}
