/**
 * The first view: a real list with its leading reasons, from a small file that the trainer scored at export, drawn while the
 * scorer is still on its way. Read-only, and it says what it is. It makes way for the live list, which is the same one.
 */
import { ARTEFACT, fitting } from './build.js';
import { cover } from './cover.js';
import { el } from './dom.js';
import { score, viewerName } from './format.js';
import { attributeLine, voice } from './pieces.js';

/**
 * Draws the preview, if it can be had; where it cannot, the progress panel stands alone, and loading tells what is wrong.
 * @param {HTMLElement} root
 * @param {() => boolean} wanted whether it is still needed when it arrives
 */
export async function showFirstView(root, wanted) {
  let preview;
  try {
    const response = await fetch(fitting('preview.json', ARTEFACT), { cache: 'no-cache' });
    if (!response.ok) return;
    preview = read(await response.json());
  } catch {
    return;
  }
  if (!preview || !wanted()) return;
  const { key, pattern, history, recommendations } = preview;
  const name = viewerName(key);
  root.replaceChildren(
    el(
      'div',
      { class: 'stage' },
      el(
        'section',
        { class: 'viewer', 'aria-labelledby': 'first-viewer' },
        el('h2', { id: 'first-viewer', dir: 'auto' }, name),
        pattern ? el('figure', { class: 'pattern' }, voice('blockquote', pattern), el('figcaption', {}, 'The language model on this viewer')) : null,
        el('div', { class: 'history-part' }, el('h3', {}, 'History', el('span', { class: 'muted' }, ' newest first')), el('ol', { class: 'history history-first' }, ...history.map(past))),
      ),
      el(
        'section',
        { class: 'ranking', 'aria-labelledby': 'first-list' },
        el('div', { class: 'ranking-head' }, el('h2', { id: 'first-list' }, 'What the model would suggest next')),
        // As tall as what stands there later: the test against the held-out title, and the questions.
        el('p', { class: 'ranking-summary first-note' }, 'This list was scored when this demo was made. Your device is about to compute it anew.'),
        el('ol', { class: 'recommendations' }, ...recommendations.map(row)),
      ),
    ),
  );
  root.hidden = false;
}

/** It stays what it was made with: nothing is computed any more. @param {HTMLElement} root */
export function notComputed(root) {
  const note = root.querySelector('.first-note');
  if (note) note.textContent = 'This list was scored when this demo was made. Your device computes nothing until you start again.';
}

/**
 * Only what has the right shape is drawn; the scorer checks the file itself later.
 * @param {any} value
 * @returns {import('./types.js').Preview|null}
 */
function read(value) {
  const text = (/** @type {unknown} */ one) => typeof one === 'string';
  const item = (/** @type {any} */ one) => text(one?.title) && text(one.key) && Array.isArray(one.attributes) && one.attributes.every((/** @type {any} */ a) => text(a?.kind) && text(a.value));
  const rows = Array.isArray(value?.recommendations) ? value.recommendations : [];
  const sound =
    text(value?.key) &&
    (value.pattern === null || text(value.pattern)) &&
    Array.isArray(value.history) &&
    value.history.every(item) &&
    rows.length > 0 &&
    rows.every((/** @type {any} */ one) => item(one?.item) && typeof one.score === 'number' && (one.reason === null || text(one.reason)) && Array.isArray(one.carried_by) && one.carried_by.every(text));
  return sound ? value : null;
}

/** @param {import('./types.js').PreviewItem} item */
const drawn = (item) => ({ ...item, count: 0 });

/** @param {import('./types.js').PreviewItem} item */
function past(item) {
  return el('li', { class: 'history-row' }, cover(drawn(item)), el('div', {}, el('p', { class: 'history-title', dir: 'auto' }, item.title), attributeLine(drawn(item), 2)));
}

/** @param {import('./types.js').PreviewRow} row @param {number} at */
function row({ item, score: value, reason, carried_by: carried }, at) {
  const [first, second] = carried.map((title) => el('em', { dir: 'auto' }, title));
  return el(
    'li',
    { class: 'recommendation' },
    el('span', { class: 'rank' }, el('span', { class: 'visually-hidden' }, 'Rank '), at + 1),
    cover(drawn(item)),
    el('div', { class: 'recommendation-head' }, el('h3', { dir: 'auto' }, item.title), attributeLine(drawn(item), 5)),
    el(
      'div',
      { class: 'recommendation-body' },
      reason === null ? null : el('figure', { class: 'leading-reason' }, voice('blockquote', reason)),
      first ? el('p', { class: 'leaning' }, 'Leans most on ', first, ...(second ? [' and ', second] : []), ' in this history.') : null,
      el('p', { class: 'facts' }, `score ${score(value)}`),
    ),
  );
}
