/** Where scores are computed and why: a small badge that opens into the whole sentence. */
import { el } from './dom.js';
import { milliseconds } from './format.js';
import { backendAddress, backendChoice } from './permalink.js';

/** @param {import('./types.js').Backend} backend */
export const backendName = (backend) => (backend.used === 'webgpu' ? 'WebGPU' : 'CPU');

/** @type {[import('./types.js').BackendChoice, string][]} */
const CHOICES = [
  ['auto', 'Choose for me'],
  ['cpu', 'Use the CPU'],
  ['webgpu', 'Use WebGPU'],
];

/** @param {HTMLElement} root */
export function createBackendBadge(root) {
  const label = el('span', { class: 'badge-name' });
  const time = el('span', { class: 'badge-time' });
  const reason = el('p', {});
  const adapter = el('p', { class: 'badge-adapter' });
  const links = el('ul', { class: 'badge-links', 'aria-label': 'Where to compute' });
  const badge = el(
    'details',
    { class: 'badge' },
    el('summary', {}, el('span', { class: 'badge-lamp', 'aria-hidden': 'true' }), label, time),
    el('div', { class: 'badge-panel' }, reason, adapter, links),
  );

  // The links keep the viewer that is chosen at the moment they are looked at.
  badge.addEventListener('toggle', () => {
    const now = backendChoice();
    links.replaceChildren(
      ...CHOICES.map(([choice, text]) =>
        el('li', {}, el('a', { href: backendAddress(choice), 'aria-current': choice === now ? 'true' : null }, text)),
      ),
    );
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
    /** @param {import('./types.js').Backend} backend */
    show(backend) {
      badge.dataset.backend = backend.used;
      label.textContent = backendName(backend);
      reason.textContent = backend.reason;
      adapter.textContent = backend.adapter ? `Adapter: ${backend.adapter}` : '';
      adapter.hidden = !backend.adapter;
      root.replaceChildren(badge);
    },
    /** @param {number} value */
    time(value) {
      time.textContent = milliseconds(value);
    },
    clear() {
      root.replaceChildren();
    },
  };
}
