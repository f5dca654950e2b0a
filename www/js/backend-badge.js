/** Where scores are computed and why: a small badge that opens into the switch and what it takes. */
import { createBackendSwitch } from './backend-switch.js';
import { el } from './dom.js';
import { milliseconds } from './format.js';
import { backendChoice } from './permalink.js';
import { comparison, createTimingPanel, facts } from './timing-panel.js';

/** @typedef {import('./types.js').Backend} Backend */

/** @param {Backend} backend */
export const backendName = (backend) => (backend.used === 'webgpu' ? 'WebGPU' : 'CPU');

/**
 * @param {HTMLElement} root
 * @param {object} told
 * @param {(prefer: import('./types.js').BackendChoice, signal: AbortSignal) => Promise<void>} told.onTurn turns the scorer to another backend, unless it is stopped
 * @param {() => Promise<void>} told.onLook finds out whether there is a GPU
 * @param {(times: number) => Promise<import('./types.js').Measured>} told.onMeasure
 */
export function createBackendBadge(root, { onTurn, onLook, onMeasure }) {
  const label = el('span', { class: 'badge-name' });
  const time = el('span', { class: 'badge-time' });
  const reason = el('p', {});
  const about = el('dl', { class: 'panel-facts' });
  const turn = createBackendSwitch({ onTurn, choice: backendChoice });
  const timings = createTimingPanel(onMeasure);
  const badge = el(
    'details',
    { class: 'badge' },
    el('summary', {}, el('span', { class: 'badge-lamp', 'aria-hidden': 'true' }), el('span', { class: 'visually-hidden' }, 'Computed on: '), label, time),
    el('div', { class: 'badge-panel' }, reason, turn.element, about, timings.element),
  );
  /** @type {Backend|null} */
  let shown = null;

  // Where the CPU was asked for nobody has looked for a GPU: that is done when somebody looks at the switch.
  badge.addEventListener('toggle', () => {
    if (!badge.open) return;
    timings.draw();
    if (shown?.hindrance === undefined && !turn.isTurning()) onLook().catch(() => {});
  });
  // Open, it would lie over whatever has the focus next.
  badge.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !badge.contains(relatedTarget)) badge.open = false;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && badge.open) {
      badge.open = false;
      badge.querySelector('summary')?.focus();
    }
  });
  document.addEventListener('click', (event) => {
    if (badge.open && event.target instanceof Node && !badge.contains(event.target)) badge.open = false;
  });

  return {
    /** @param {Backend} backend */
    show(backend) {
      shown = backend;
      if (badge.dataset.backend !== backend.used) time.textContent = ''; // what the other one took
      badge.dataset.backend = backend.used;
      label.textContent = backendName(backend);
      reason.textContent = backend.reason;
      facts(about, comparison(backend));
      turn.show(backend);
      if (!badge.isConnected) root.replaceChildren(badge);
    },
    started: timings.started,
    team: timings.team,
    /** @param {Parameters<typeof timings.ranked>[0]} ranking */
    ranked(ranking) {
      time.textContent = milliseconds(ranking.milliseconds);
      timings.ranked(ranking);
    },
    progress: turn.progress,
    clear() {
      badge.open = false;
      root.replaceChildren();
    },
  };
}
