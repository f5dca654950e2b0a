/** What scoring takes here: how long by backend, what getting ready took, what memory holds. Every number was measured in this visit. */
import { button, el } from './dom.js';
import { asFault, wording } from './errors.js';
import { bytes, count, difference, milliseconds } from './format.js';
import { Samples } from './samples.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Ranking} Ranking */
/** @typedef {import('./types.js').Backend} Backend */

/** Scorings of one measurement. */
const TIMES = 20;

const NAMES = { cpu: 'CPU', webgpu: 'WebGPU' };

/**
 * @param {(times: number) => Promise<import('./types.js').Measured>} onMeasure scores the taste that stands there so many times
 */
export function createTimingPanel(onMeasure) {
  const samples = new Samples();
  /** @type {{loaded: Pick<Loaded, 'times'|'memory'>, first: {milliseconds: number, since: number}|null}|null} */
  let shown = null;
  let measuring = false;
  const scoring = el('tbody', {});
  const table = el(
    'table',
    { class: 'panel-table' },
    el('caption', {}, 'Scoring the whole catalogue'),
    el('thead', {}, el('tr', {}, ...['Where', 'Times', 'p50', 'p95'].map((name) => el('th', { scope: 'col' }, name)))),
    scoring,
  );
  const team = el('p', { class: 'panel-note' });
  const ready = el('dl', { class: 'panel-facts' });
  const memory = el('dl', { class: 'panel-facts' });
  const said = el('p', { class: 'panel-note', role: 'status' });
  const again = button({ class: 'button button-tool' }, measure, 'Measure again');

  async function measure() {
    if (measuring) return;
    measuring = true;
    again.setAttribute('aria-disabled', 'true');
    said.textContent = `Scoring this list ${TIMES} times …`;
    try {
      const found = await onMeasure(TIMES);
      samples.measured(found);
      if (shown) shown.loaded = { ...shown.loaded, memory: found.memory };
      said.textContent = `Scored this list ${TIMES} times on ${found.used === 'cpu' ? 'the CPU' : 'WebGPU'}.`;
    } catch (thrown) {
      const fault = asFault(thrown);
      said.textContent = fault.kind === 'superseded' ? 'Stopped, because something else was asked for.' : wording(fault).title;
    }
    measuring = false;
    again.removeAttribute('aria-disabled');
    draw();
  }

  function draw() {
    const rows = samples.summaries().map(({ used, name, count: lists, p50, p95 }) =>
      el(
        'tr',
        { 'data-used': used, 'data-name': name },
        el('th', { scope: 'row' }, NAMES[used], el('span', { class: 'muted' }, name === 'visit' ? ', this visit' : ', measured')),
        el('td', {}, count(lists)),
        el('td', {}, milliseconds(p50)),
        el('td', {}, milliseconds(p95)),
      ),
    );
    scoring.replaceChildren(...rows);
    table.hidden = rows.length === 0;
    if (!shown) return;
    const { times, memory: bytesOf } = shown.loaded;
    facts(ready, [
      ['Download', milliseconds(times.download)],
      ['Compile, after the last byte', milliseconds(times.compile)],
      ['Check every byte and start', milliseconds(times.check)],
      ['Look for a GPU', times.gpu === null ? null : milliseconds(times.gpu)],
      ['Warm-up: the first score', milliseconds(times.warmUp)],
      ['First list scored in', shown.first && milliseconds(shown.first.milliseconds)],
      ['It stood there after', shown.first && milliseconds(shown.first.since)],
    ]);
    const heap = /** @type {{memory?: {usedJSHeapSize: number}}} */ (performance).memory?.usedJSHeapSize;
    facts(memory, [
      ['Scorer on the CPU', bytes(bytesOf.cpu)],
      ['Its helpers', bytesOf.helpers === null ? null : bytes(bytesOf.helpers)],
      ['Scorer on WebGPU', bytesOf.gpu === null ? null : bytes(bytesOf.gpu)],
      ['The page’s JavaScript', heap === undefined ? null : bytes(heap)],
    ]);
  }

  const part = (/** @type {string} */ title, /** @type {HTMLElement} */ list) => el('div', { class: 'panel-part' }, el('p', { class: 'panel-title' }, title), list);
  return {
    element: el(
      'div',
      { class: 'timings' },
      el('div', { class: 'panel-part' }, table, team, el('div', { class: 'panel-again' }, again, said)),
      part('Getting ready', ready),
      part('Memory', memory),
    ),
    draw,
    /** A scorer has started, for the first time or anew. @param {Pick<Loaded, 'times'|'memory'>} loaded */
    started(loaded) {
      team.textContent = '';
      shown = { loaded, first: shown?.first ?? null };
      draw();
    },
    /** So many workers score on the CPU from now on, each with memory of its own. @param {import('./types.js').Team & {memory: import('./types.js').Memory}} standing */
    team(standing) {
      team.textContent = sentence(standing);
      if (shown) shown.loaded = { ...shown.loaded, memory: standing.memory };
      draw();
    },
    /** A list stands there. @param {Ranking & {memory: import('./types.js').Memory}} ranking */
    ranked(ranking) {
      if (!shown) return;
      if (ranking.fresh) samples.add(ranking.used, ranking.milliseconds);
      shown.loaded = { ...shown.loaded, memory: ranking.memory };
      shown.first ??= { milliseconds: ranking.milliseconds, since: performance.now() };
      draw();
    },
  };
}

/** How many workers score on the CPU, and why. @param {import('./types.js').Team} team */
function sentence({ workers, alone, together, why }) {
  const [one, all] = [alone, together].map((took) => milliseconds(took ?? 0));
  switch (why) {
    case 'pays':
      return `On the CPU, ${workers} workers share the catalogue: ${all} measured, where one took ${one}.`;
    case 'does not pay':
      return `On the CPU, one worker scores: sharing was measured and did not pay (${all}, where one took ${one}).`;
    case 'fast alone':
      return 'On the CPU, one worker scores: that is fast enough for sharing to bring nothing.';
    case 'one core':
      return 'On the CPU, one worker scores: this device offers no second one.';
    case 'no helper':
      return 'On the CPU, one worker scores: a second one could not be started.';
    case 'lost':
      return `On the CPU, ${workers === 1 ? 'one worker scores' : `${workers} workers share the catalogue`}: another one stopped answering.`;
    default:
      return '';
  }
}

/**
 * What is known of some things.
 * @param {HTMLElement} list a `dl`
 * @param {[string, string|null][]} pairs null is not known
 */
export function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => (value === null ? [] : [el('div', {}, el('dt', {}, name), el('dd', {}, value))])));
}

/** What is known of the other backend. @param {Backend} backend @returns {[string, string|null][]} */
export const comparison = (backend) => [
  ['Adapter', backend.adapter ?? (backend.hindrance === undefined ? null : 'none')],
  ['Largest score difference, GPU and CPU', backend.difference === undefined ? null : difference(backend.difference)],
];
