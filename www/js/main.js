/** The page: wires the components to the worker. Every score it shows was computed by the scorer, none by the page. */
import { createBackendBadge } from './backend-badge.js';
import { byId, el } from './dom.js';
import { asFault, isCrash, needsNewWorker } from './errors.js';
import { milliseconds, viewerName } from './format.js';
import { faultPanel, progressPanel } from './notice.js';
import { backendChoice, putViewerInAddress, viewerInAddress } from './permalink.js';
import { createRankingList, FIRST_COUNT } from './ranking-list.js';
import { showResults } from './results-table.js';
import { ScorerClient } from './scorer-client.js';
import { missingSupport } from './support.js';
import { createViewerCard } from './viewer-card.js';
import { createViewerPicker } from './viewer-picker.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {'starting'|'loading'|'ready'|'failed'} PageState */

const notice = byId('notice');
const picker = byId('picker');
const stage = byId('stage');
const results = byId('results');
const announcer = byId('announcer');
const badge = createBackendBadge(byId('backend-badge'));

let progress = progressPanel();
const client = new ScorerClient({
  onProgress: (report) => progress.update(report),
  onDeath: (fault) => app?.ranking.warn(fault, start),
});

/**
 * What exists once the artefact is loaded.
 * @typedef {object} App
 * @property {Loaded} loaded
 * @property {ReturnType<typeof createViewerPicker>} picker
 * @property {ReturnType<typeof createViewerCard>} card
 * @property {ReturnType<typeof createRankingList>} ranking
 */
/** @type {App|null} */
let app = null;
/** @type {number|null} */
let chosen = null;

/** @param {PageState} state */
const setState = (state) => (document.documentElement.dataset.state = state);

/** Loads everything, first or again; a viewer chosen before stays chosen. */
async function start() {
  setState('loading');
  app = null;
  badge.clear();
  for (const part of [picker, stage, results]) part.hidden = true;
  try {
    const loaded = await load();
    notice.replaceChildren();
    app = build(loaded);
    setState('ready');
    await select(chosen ?? viewerFromAddress(loaded), 'replace');
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind === 'superseded') return;
    setState('failed');
    notice.replaceChildren(faultPanel(fault, start));
  }
}

/**
 * Loads on the backend that the address asks for. A panic ends the wasm instance, so the scorer itself can no longer turn to
 * the CPU where loading on WebGPU makes it panic: a new worker does that.
 * @returns {Promise<Loaded>}
 */
async function load() {
  const backend = backendChoice();
  try {
    return await loadOn(backend, 'Getting ready.');
  } catch (thrown) {
    const fault = asFault(thrown);
    if (backend === 'cpu' || !isCrash(fault)) throw fault;
  }
  const loaded = await loadOn('cpu', 'The scorer stopped while it was starting. It starts again on the CPU.');
  const reason = 'The CPU is used because the scorer crashed when it was started with WebGPU allowed.';
  return { ...loaded, backend: { ...loaded.backend, reason } };
}

/** @param {import('./types.js').BackendChoice} backend @param {string} announcement */
function loadOn(backend, announcement) {
  progress = progressPanel();
  notice.replaceChildren(progress.element);
  announcer.textContent = announcement;
  return client.start({ artefact: './artefact/', backend });
}

/** @param {Loaded} loaded @returns {App} */
function build(loaded) {
  badge.show(loaded.backend);
  showResults(results, loaded);
  byId('colophon').replaceChildren(colophon(loaded));
  stage.hidden = false;
  return {
    loaded,
    picker: createViewerPicker(picker, loaded, (user) => select(user, 'push')),
    card: createViewerCard(byId('viewer'), loaded),
    ranking: createRankingList(byId('ranking'), loaded, showMore),
  };
}

/** @param {Loaded} loaded */
function colophon({ manifest }) {
  return el('p', {}, `curec ranks with a model trained on “${manifest.dataset.name}”. The page sends nothing anywhere: it only fetched its own files.`);
}

/** Index of the viewer that the address names; the first one worth meeting where it names none. @param {Loaded} loaded */
function viewerFromAddress({ viewers, featured }) {
  const first = featured[0] ?? 0;
  const key = viewerInAddress();
  if (key === null) return first;
  const user = viewers.findIndex((viewer) => viewer.key === key);
  if (user >= 0) return user;
  notice.replaceChildren(
    el('p', { class: 'notice notice-aside', role: 'status' }, `The address names a viewer who is not in this demo (“${key.slice(0, 60)}”). Here is another one.`),
  );
  return first;
}

/**
 * Shows one viewer: first who they are, then their list.
 * @param {number} user
 * @param {'push'|'replace'|'keep'} address
 */
async function select(user, address) {
  const entry = app?.loaded.viewers[user];
  if (!app || !entry) return;
  chosen = user;
  if (address === 'push') notice.replaceChildren();
  if (address !== 'keep') putViewerInAddress(entry.key, address);
  document.title = `${viewerName(entry.key)} · curec`;
  app.picker.show(user);
  app.ranking.busy();
  await answered(user, async (current) => {
    const viewer = await client.ask('viewer', { user });
    if (chosen !== user) return;
    current.card.show(viewer, entry.tastes);
    const ranking = await client.ask('recommend', { user, count: FIRST_COUNT });
    if (chosen !== user) return;
    current.ranking.show(ranking, viewer);
    badge.time(ranking.milliseconds);
    const first = ranking.recommendations[0];
    const title = first && current.loaded.catalogue[first.item]?.title;
    announcer.textContent = `${viewerName(entry.key)}: ${ranking.recommendations.length} suggestions in ${milliseconds(ranking.milliseconds)}${title ? `, first is ${title}` : ''}.`;
  });
}

/** @param {number} count */
async function showMore(count) {
  const user = chosen;
  if (user === null) return;
  await answered(user, async (current) => {
    const [viewer, ranking] = await Promise.all([client.ask('viewer', { user }), client.ask('recommend', { user, count })]);
    if (chosen !== user) return;
    const heading = current.ranking.append(ranking, viewer);
    heading?.setAttribute('tabindex', '-1');
    heading?.focus();
  });
}

/**
 * Runs one exchange with the worker; a fault takes the place of the list, with the retry that fits it.
 * @param {number} user
 * @param {(current: App) => Promise<void>} exchange
 */
async function answered(user, exchange) {
  if (!app) return;
  try {
    await exchange(app);
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind === 'superseded' || chosen !== user) return;
    app.ranking.fail(fault, needsNewWorker(fault) ? start : () => select(user, 'keep'));
  }
}

window.addEventListener('popstate', () => {
  if (!app) return;
  const user = viewerFromAddress(app.loaded);
  if (user !== chosen) select(user, 'keep');
});

const lacking = missingSupport();
if (lacking) {
  setState('failed');
  notice.replaceChildren(faultPanel(lacking, start));
} else {
  start();
}
