/** The switch between CPU and WebGPU: it turns the running scorer, and nothing is loaded again. */
import { button, el } from './dom.js';
import { asFault, wording } from './errors.js';
import { bytes } from './format.js';

/** @typedef {import('./types.js').Backend} Backend */
/** @typedef {import('./types.js').BackendChoice} BackendChoice */

/** @type {[Backend['used'], string][]} */
const SIDES = [
  ['cpu', 'CPU'],
  ['webgpu', 'WebGPU'],
];

/**
 * @param {object} told
 * @param {(prefer: BackendChoice, signal: AbortSignal) => Promise<void>} told.onTurn turns the scorer, unless it is stopped; resolves once it has turned, and the backend has been shown
 * @param {() => BackendChoice} told.choice what the address asks for
 */
export function createBackendSwitch({ onTurn, choice }) {
  /** @type {Backend|null} */
  let backend = null;
  let turning = false;
  let stop = new AbortController();
  const hindrance = el('p', { id: 'switch-hindrance', class: 'panel-note', hidden: true });
  const said = el('p', { class: 'panel-note', role: 'status' });
  const sides = SIDES.map(([used, name]) => ({ used, side: button({ class: 'switch-side', 'aria-pressed': 'false', 'data-side': used }, () => turn(used), name) }));
  const cancel = button({ class: 'button button-tool', hidden: true }, () => stop.abort(), 'Cancel');
  const auto = button({ class: 'button-link', hidden: true }, () => turn('auto'), 'Let the page choose');

  /** @param {BackendChoice} prefer */
  async function turn(prefer) {
    if (turning || prefer === backend?.used || (prefer === 'webgpu' && backend?.hindrance)) return;
    turning = true;
    stop = new AbortController();
    said.textContent = prefer === 'cpu' ? 'Turning to the CPU …' : 'Starting the scorer for this GPU …';
    cancel.hidden = prefer === 'cpu';
    draw();
    let words = '';
    try {
      await onTurn(prefer, stop.signal);
      if (prefer === 'webgpu' && backend?.used === 'cpu') words = backend.reason;
    } catch (thrown) {
      const fault = asFault(thrown);
      words = stop.signal.aborted ? `Stopped: ${backend?.used === 'webgpu' ? 'WebGPU' : 'the CPU'} computes as before.` : fault.kind === 'superseded' ? '' : wording(fault).title;
    }
    turning = false;
    if (cancel === document.activeElement) sides.find(({ used }) => used === backend?.used)?.side.focus();
    cancel.hidden = true;
    said.textContent = words;
    draw();
  }

  function draw() {
    const why = backend?.hindrance;
    for (const { used, side } of sides) {
      side.setAttribute('aria-pressed', String(used === backend?.used));
      const barred = turning || (used === 'webgpu' && Boolean(why));
      // Not `disabled`: it stays in the order of focus, so that its reason can be heard.
      if (barred) side.setAttribute('aria-disabled', 'true');
      else side.removeAttribute('aria-disabled');
      if (used === 'webgpu' && why) side.setAttribute('aria-describedby', hindrance.id);
      else side.removeAttribute('aria-describedby');
    }
    hindrance.hidden = !why;
    hindrance.textContent = why ? `WebGPU cannot be used because ${why}.` : '';
    // Where the sentence above says so already it is only for those who hear the switch.
    hindrance.classList.toggle('visually-hidden', Boolean(why && backend?.reason.includes(why)));
    if (choice() === 'auto' && auto === document.activeElement) sides.find(({ used }) => used === backend?.used)?.side.focus();
    auto.hidden = choice() === 'auto';
  }

  return {
    element: el('div', { class: 'switch' }, el('div', { class: 'switch-sides', role: 'group', 'aria-label': 'Compute on' }, ...sides.map(({ side }) => side)), auto, hindrance, said, cancel),
    isTurning: () => turning,
    /** @param {Backend} now */
    show(now) {
      backend = now;
      draw();
    },
    /** How far the scorer for the GPU has arrived. @param {import('./types.js').Progress} report */
    progress({ phase, loaded, total }) {
      if (turning && phase === 'warm-up') said.textContent = 'Warming up: the driver compiles for this GPU, and a first list is scored. That may take a minute …';
      if (turning && phase === 'gpu' && loaded > 0) said.textContent = `Fetching the scorer for this GPU: ${bytes(loaded)}${total ? ` of ${bytes(total)}` : ''}`;
    },
  };
}
