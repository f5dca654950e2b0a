/** What can stand in place of content: progress while it is prepared, that it was stopped, and a fault with its way out. */
import { button, el } from './dom.js';
import { mayBeGraphics, wording } from './errors.js';
import { bytes } from './format.js';
import { backendAddress } from './permalink.js';

/** @typedef {import('./types.js').Phase} Phase */

/** @type {[Phase, string][]} */
const PHASES = [
  ['engine', 'The scorer'],
  ['artefact', 'Model, catalogue and reasons'],
  ['check', 'Checking every byte and starting'],
  ['gpu', 'The scorer for this GPU'],
  ['warm-up', 'Warming up: a first score'],
];

/**
 * A panel that shows how far loading is.
 * @param {() => void} onCancel
 * @returns {{element: HTMLElement, update: (progress: import('./types.js').Progress) => void}}
 */
export function progressPanel(onCancel) {
  const rows = PHASES.map(([phase, label]) => {
    const amount = el('span', { class: 'progress-amount' });
    const bar = el('progress', { 'aria-label': label, max: 1, value: 0 });
    const row = el('li', { class: 'progress-row' }, el('span', {}, label), amount, bar);
    return { phase, row, amount, bar };
  });
  const list = el('ol', { class: 'progress-list' }, ...rows.map(({ row }) => row));
  for (const { phase, row } of rows) row.hidden = phase === 'gpu'; // few visitors need it
  const element = el('div', { class: 'notice notice-progress' }, el('h2', {}, 'Getting ready'), list, button({ class: 'button' }, onCancel, 'Cancel'));

  return {
    element,
    update({ phase, loaded, total }) {
      const at = rows.findIndex((row) => row.phase === phase);
      rows.forEach(({ row, bar }, index) => {
        row.classList.toggle('is-active', index === at);
        if (index === at) row.hidden = false;
        if (index < at) bar.value = 1;
      });
      const current = rows[at];
      if (!current) return;
      if (total) current.bar.value = Math.min(1, loaded / total);
      else current.bar.removeAttribute('value');
      if (loaded > 0) current.amount.textContent = total ? `${bytes(loaded)} of ${bytes(total)}` : bytes(loaded);
    },
  };
}

/**
 * What stands there after the visitor has stopped the download.
 * @param {() => void} onStart
 */
export function stoppedPanel(onStart) {
  return el('div', { class: 'notice notice-stopped' }, el('h2', {}, 'Stopped'), el('p', {}, 'Nothing is fetched any more.'), button({ class: 'button button-strong' }, onStart, 'Start again'));
}

/**
 * A panel that says what went wrong, in words for a visitor, with a button where trying again can help.
 * @param {import('./types.js').Fault} fault
 * @param {() => void} onRetry
 * @param {import('./types.js').Backend} [backend] the one in use when it happened
 */
export function faultPanel(fault, onRetry, backend) {
  const { title, advice, action } = wording(fault);
  return el(
    'div',
    { class: 'notice notice-fault', role: 'alert', 'data-kind': fault.kind },
    el('h2', {}, title),
    el('p', {}, advice),
    el('p', { class: 'notice-detail' }, fault.message),
    backend?.used === 'webgpu' && mayBeGraphics(fault) ? el('p', {}, 'It was computing on WebGPU. Should that go wrong again, ', el('a', { href: backendAddress('cpu') }, 'use the CPU'), '.') : null,
    action ? button({ class: 'button button-strong' }, onRetry, action) : null,
  );
}

export const QUIET = 'The scorer has not answered for a while.';

/**
 * That the scorer has not answered for long, and what can be done about it.
 * @param {() => void} onRestart
 */
export const quietNote = (onRestart) =>
  el('p', { class: 'notice notice-aside notice-sticky' }, `${QUIET} It computes for long, or it hangs. `, button({ class: 'button' }, onRestart, 'Start it again'));

/** Something to know that stops nobody. @param {...(Node|string)} words */
export const asideNote = (...words) => el('p', { class: 'notice notice-aside', role: 'status' }, ...words);

/** What an address names and this demo has not. @param {string[]} lost */
export const lostNote = (lost) =>
  asideNote(`The address names what this demo has not (“${lost.slice(0, 3).join('”, “').slice(0, 120)}”${lost.length > 3 ? ', …' : ''}); the rest of it is shown.`);
