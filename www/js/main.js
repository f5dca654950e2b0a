/** The page: wires the components to the worker. Every score it shows was computed by the scorer, none by the page. */
import { createArrival } from './arrival.js';
import { createBackendBadge } from './backend-badge.js';
import { ARTEFACT } from './build.js';
import { createChangeBar } from './change-bar.js';
import { createCompare } from './compare.js';
import { byId, el, nextTask } from './dom.js';
import { asFault, wayOut } from './errors.js';
import { notComputed, showFirstView } from './first-view.js';
import { createKept } from './kept.js';
import { createLists, nameOf, ownOf } from './lists.js';
import { faultPanel, progressPanel, QUIET, quietNote, stoppedPanel } from './notice.js';
import { showPageNav } from './page-nav.js';
import { asksForAList, backendChoice, dropFresh, putBackendInAddress } from './permalink.js';
import { createQuestions } from './questions.js';
import { createRankingList, FIRST_COUNT } from './ranking-list.js';
import { showResults } from './results-table.js';
import { createRevival } from './revival.js';
import { ScorerClient } from './scorer-client.js';
import { missingSupport } from './support.js';
import { createTakeAlong } from './take-along.js';
import { isMuted, same, silenced, speaking } from './tastes.js';
import { createViewerCard } from './viewer-card.js';
import { createViewerPicker } from './viewer-picker.js';
import { createWritten } from './written.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {'starting'|'loading'|'ready'|'stopped'|'failed'} PageState */

/** Milliseconds in which a turn that is stopped ends by itself. Where a driver holds the worker up for longer another one takes its place, on the CPU. */
const STOPPING = 1500;

const notice = byId('notice');
const picker = byId('picker');
const stage = byId('stage');
const results = byId('results');
const comparison = byId('compare');
const firstView = byId('first-view');
const announcer = byId('announcer');
const badge = createBackendBadge(byId('backend-badge'), {
  onTurn: (prefer, signal) => turnTo(prefer, signal),
  onLook: () => lookForGpu(),
  // What a list that is asked for anew asks in its turn would end the measurement.
  onMeasure: (times) => revival.persistently(() => nextTask().then(() => client.ask('measure', { taste: lists.taste(), times }))),
});
const kept = createKept(byId('kept'), byId('update'));

const written = createWritten();

/** Where scores shall be computed: what the address asks for, until the switch is used. */
let preferred = backendChoice();
let progress = progressPanel(cancel);
const client = new ScorerClient({
  onProgress: (report) => {
    progress.update(report);
    badge.progress(report);
    app?.card.progress(report);
  },
  onBackend: (backend) => {
    if (!app) return;
    showBackend(backend, app.loaded);
    announcer.textContent = backend.reason;
  },
  onTeam: (team) => badge.team(team),
  onFetched: (group) => kept.fetched(group),
  onDeath: (fault) => {
    if (!app) return;
    if (revival.mayRevive(fault)) revival.revive(() => lists.again());
    else app.ranking.warn(fault, restart);
  },
  onQuiet: (quiet) => {
    if (!quiet || !app) return silence.remove();
    if (silence.isConnected) return;
    byId('ranking').prepend(silence); // where whoever waits is looking
    announcer.textContent = QUIET; // what is busy, as the list is, says nothing by itself
  },
});
const silence = quietNote(() => {
  byId('ranking-heading').focus({ preventScroll: true });
  client.giveUp();
});

/**
 * What exists once the artefact is loaded.
 * @typedef {object} App
 * @property {Loaded} loaded
 * @property {ReturnType<typeof createViewerPicker>} picker
 * @property {ReturnType<typeof createViewerCard>} card
 * @property {ReturnType<typeof createRankingList>} ranking
 * @property {ReturnType<typeof createQuestions>} questions
 * @property {ReturnType<typeof createTakeAlong>} along
 * @property {ReturnType<typeof createCompare>} compare
 * @property {ReturnType<typeof createChangeBar>} bar
 * @property {ReturnType<typeof createWritten>} written
 */
/** @type {App|null} */
let app = null;

/** @type {ReturnType<typeof createLists>} */
const lists = createLists({ client, app: () => app, revival: () => revival, restart: () => restart(), notice, announcer, badge });
const arrival = createArrival({ client, app: () => app, notice }, lists);
const revival = createRevival(
  {
    app: () => app,
    load: () => client.start({ artefact: ARTEFACT.href, backend: preferred, again: false }),
    started: (started, { loaded }) => {
      showBackend(started.backend, loaded);
      badge.started(started);
    },
    start: () => start(),
    restart: () => restart(),
    say: (words) => (announcer.textContent = words),
  },
  () => lists,
);

/** @param {PageState} state */
const setState = (state) => (document.documentElement.dataset.state = state);

/**
 * Loads everything, first or again; the taste chosen before stays chosen, because the address has it.
 * @param {boolean} [again] after a fault: past the browser's own cache
 */
async function start(again = false) {
  // Whoever pressed what goes away here follows what comes in its place.
  const inside = [notice, stage].some((part) => part.contains(document.activeElement));
  setState('loading');
  app = null;
  badge.clear();
  for (const part of [picker, stage, comparison, results, byId('page-nav')]) part.hidden = true;
  try {
    const loading = revival.loadTwice(() => load(again));
    if (inside) focusNotice();
    const loaded = await loading;
    const reading = placeInList();
    await nextTask(); // to unpack a large catalogue and to draw from it are two tasks, and a press may come between
    clearFirstView();
    const waited = notice.contains(document.activeElement);
    notice.replaceChildren();
    if (waited) byId('main').focus({ preventScroll: true });
    app = build(loaded);
    showPageNav(byId('page-nav'));
    setState('ready');
    await arrival.openAddress('replace');
    reading();
    kept.begin(loaded);
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind === 'superseded') return;
    setState('failed');
    clearFirstView();
    const waited = notice.contains(document.activeElement);
    notice.replaceChildren(faultPanel(fault, wayOut(fault, restart)));
    if (waited) focusNotice();
  }
}

/** On what is said there, not on what can be pressed: a press that was meant for something else must not do that. */
function focusNotice() {
  const heading = notice.querySelector('h2');
  heading?.setAttribute('tabindex', '-1');
  heading?.focus();
}

const restart = () => start(true);

/** The visitor stops the download. */
function cancel() {
  client.stop();
  setState('stopped');
  notComputed(firstView);
  const panel = stoppedPanel(() => start());
  notice.replaceChildren(panel);
  panel.querySelector('button')?.focus();
  announcer.textContent = 'Stopped.';
}

/** Where somebody reads in the first view; what is answered puts the same row of the live list in the same place. */
function placeInList() {
  const top = (/** @type {Element} */ row) => row.getBoundingClientRect().top;
  const rows = [...firstView.querySelectorAll('.recommendation')];
  const place = scrollY > 0 ? rows.findIndex((row) => row.getBoundingClientRect().bottom > 0) : -1;
  const row = rows[place];
  if (!row) return () => {};
  const before = top(row);
  return () => {
    const live = byId('ranking').querySelectorAll('.recommendation')[place];
    if (live) scrollBy({ top: top(live) - before, behavior: 'instant' });
  };
}

function clearFirstView() {
  firstView.hidden = true;
  firstView.replaceChildren();
}

/** Loads on the backend that was asked for. @param {boolean} again */
function load(again) {
  progress = progressPanel(cancel);
  notice.replaceChildren(progress.element);
  announcer.textContent = 'Getting ready.';
  return client.start({ artefact: ARTEFACT.href, backend: preferred, again });
}

/** @param {import('./types.js').Backend} backend @param {Loaded} loaded */
function showBackend(backend, loaded) {
  Object.assign(loaded.backend, { difference: undefined, hindrance: undefined }, backend);
  badge.show(loaded.backend);
}

/** Turns the running scorer to another backend and has the list that stands there scored by it. @param {import('./types.js').BackendChoice} prefer @param {AbortSignal} signal ends it */
async function turnTo(prefer, signal) {
  let over = false;
  const end = () => {
    if (over) return;
    putBackendInAddress((preferred = 'cpu'));
    client.giveUp();
  };
  signal.addEventListener('abort', () => setTimeout(end, STOPPING));
  const backend = await revival.persistently(() => client.ask('backend', { prefer }, undefined, signal), false, signal).finally(() => (over = true));
  if (!app) return;
  const other = backend.used !== app.loaded.backend.used;
  if (prefer === 'auto' || prefer === backend.used) putBackendInAddress((preferred = prefer));
  showBackend(backend, app.loaded);
  if (!other) return;
  app.ranking.waiting();
  await lists.again();
}

/** Whether WebGPU could be used, for the switch; nothing turns. */
async function lookForGpu() {
  const backend = await revival.persistently(() => client.ask('backend', { prefer: 'cpu' }), true);
  if (app) showBackend(backend, app.loaded);
}

/** @param {Loaded} loaded @returns {App} */
function build(loaded) {
  written.begin(loaded);
  badge.show(loaded.backend);
  badge.started(loaded);
  showResults(results, loaded);
  byId('colophon').replaceChildren(colophon(loaded));
  stage.hidden = false;
  const { taste, edit, write, reset, step, showMore, pickViewer, pickOwn } = lists;
  const probe = (/** @type {number} */ item, of = taste()) => revival.persistently(() => client.ask('probe', { taste: of, item }));
  const carriers = (/** @type {number[]} */ items, /** @type {Taste} */ of) => revival.persistently(() => client.ask('carriers', { taste: of, items }));
  const counterfactual = (/** @type {number} */ limit, /** @type {Taste} */ of) => revival.persistently(() => client.ask('counterfactual', { taste: of, limit }));
  const questions = createQuestions(loaded, { taste, counterfactual, probe, edit });
  /** @param {import('./lists.js').Visit} visit @param {import('./lists.js').Standing} standing */
  const standingOf = (visit, standing) => ({ ...standing, own: ownOf(visit), name: nameOf(visit, loaded), reasonWritten: (/** @type {number} */ item) => written.reason(standing.taste.written, item) });
  const along = createTakeAlong(loaded, () => (lists.visit?.standing ? standingOf(lists.visit, lists.visit.standing) : null));
  /** What is muted in the list that was pressed speaks again; pressed twice it does that still. @param {import('./types.js').Muted[]} reasons */
  const mute = (reasons) => {
    const stands = lists.visit?.standing?.taste ?? taste();
    const change = reasons.every((one) => isMuted(stands, one)) ? speaking : silenced;
    const changed = change(taste(), reasons);
    if (!same(changed, taste())) edit(changed);
  };
  const compare = createCompare(comparison, loaded, {
    ranking: (user) =>
      revival.persistently(async () => {
        const { taste: own } = await client.ask('viewer', { user, aside: true });
        return client.ask('recommend', { taste: own, count: FIRST_COUNT, before: null, aside: true });
      }),
    compare: (user, items) => revival.persistently(() => client.ask('compare', { user, items })),
  });
  return {
    loaded,
    compare,
    picker: createViewerPicker(picker, loaded, { onChoose: pickViewer, onOwn: pickOwn }),
    card: createViewerCard(byId('viewer'), loaded, { edit, undo: () => step('undo'), redo: () => step('redo'), reset, write }),
    ranking: createRankingList(
      byId('ranking'),
      loaded,
      {
        onMore: showMore,
        onProbe: probe,
        onCarriers: carriers,
        onMute: mute,
        reports: along,
      },
      [questions.element, along.element],
    ),
    questions,
    along,
    bar: createChangeBar(byId('change-bar'), loaded, () => step('undo')),
    written,
  };
}

/** @param {Loaded} loaded */
function colophon({ manifest }) {
  return el('p', {}, `curec ranks with a model trained on “${manifest.dataset.name}”. The page sends nothing anywhere: it only fetched its own files.`);
}

dropFresh();

// The address is a list's, and stays it.
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').scrollIntoView({ block: 'start' });
  byId('main').focus({ preventScroll: true });
});

// A skip link or a heading's own address asks for no list.
window.addEventListener('popstate', () => {
  putBackendInAddress(preferred);
  if (location.hash === '' || asksForAList()) arrival.openAddress('keep');
});

const lacking = missingSupport();
if (lacking) {
  setState('failed');
  notice.replaceChildren(faultPanel(lacking, restart));
} else {
  // Whoever asks for somebody gets their list, not another one first.
  if (location.hash === '') showFirstView(firstView, () => document.documentElement.dataset.state === 'loading');
  start();
}
