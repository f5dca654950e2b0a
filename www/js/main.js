/** The page: wires the components to the worker. Every score it shows was computed by the scorer, none by the page. */
import { createBackendBadge } from './backend-badge.js';
import { ARTEFACT } from './build.js';
import { byId, el } from './dom.js';
import { asFault, needsNewWorker } from './errors.js';
import { showFirstView } from './first-view.js';
import { milliseconds, viewerName } from './format.js';
import { createKept } from './kept.js';
import { faultPanel, progressPanel, stoppedPanel } from './notice.js';
import { asksForAList, backendChoice, hashOf, ownTasteInAddress, putInAddress, tasteInAddress, viewerInAddress } from './permalink.js';
import { createQuestions } from './questions.js';
import { createRankingList, FIRST_COUNT, movesNote } from './ranking-list.js';
import { showResults } from './results-table.js';
import { ScorerClient } from './scorer-client.js';
import { missingSupport } from './support.js';
import { createTakeAlong } from './take-along.js';
import { blankTaste, toggled, Trail } from './tastes.js';
import { createViewerCard } from './viewer-card.js';
import { createViewerPicker } from './viewer-picker.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {'starting'|'loading'|'ready'|'stopped'|'failed'} PageState */

const notice = byId('notice');
const picker = byId('picker');
const stage = byId('stage');
const results = byId('results');
const firstView = byId('first-view');
const announcer = byId('announcer');
const badge = createBackendBadge(byId('backend-badge'));
const kept = createKept(byId('kept'), byId('update'));

let progress = progressPanel(cancel);
const client = new ScorerClient({
  onProgress: (report) => progress.update(report),
  onBackend: (backend) => {
    if (!app) return;
    Object.assign(app.loaded.backend, { difference: undefined }, backend);
    badge.show(backend);
    announcer.textContent = backend.reason;
  },
  onDeath: (fault) => {
    if (!app) return;
    if (mayRevive()) revive(() => showVisit('keep'));
    else app.ranking.warn(fault, restart);
  },
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
 */
/** @type {App|null} */
let app = null;

/**
 * Whose list stands there, or is on its way.
 * @typedef {object} Visit
 * @property {number|null} user the stored viewer; null for a taste of the visitor's own
 * @property {import('./types.js').ArtefactUser|null} viewer
 * @property {Trail} trail
 * @property {import('./types.js').Nearest|null} nearest
 * @property {{ranking: import('./types.js').Ranking, taste: Taste}|null} standing the list that stands there, and what it is of
 */
/** @type {Visit|null} */
let visit = null;

/** @param {PageState} state */
const setState = (state) => (document.documentElement.dataset.state = state);

/**
 * Loads everything, first or again; the taste chosen before stays chosen, because the address has it.
 * @param {boolean} [again] after a fault: past the browser's own cache
 */
async function start(again = false) {
  setState('loading');
  app = null;
  badge.clear();
  for (const part of [picker, stage, results]) part.hidden = true;
  try {
    const loaded = await load(again);
    clearFirstView();
    notice.replaceChildren();
    app = build(loaded);
    setState('ready');
    await openAddress('replace');
    kept.begin(loaded);
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind === 'superseded') return;
    setState('failed');
    clearFirstView();
    notice.replaceChildren(faultPanel(fault, restart));
  }
}

const restart = () => start(true);

/** The visitor stops the download. */
function cancel() {
  client.stop();
  setState('stopped');
  const panel = stoppedPanel(() => start());
  notice.replaceChildren(panel);
  panel.querySelector('button')?.focus();
  announcer.textContent = 'Stopped.';
}

function clearFirstView() {
  firstView.hidden = true;
  firstView.replaceChildren();
}

/** Loads on the backend that the address asks for. @param {boolean} again */
function load(again) {
  progress = progressPanel(cancel);
  notice.replaceChildren(progress.element);
  announcer.textContent = 'Getting ready.';
  return client.start({ artefact: ARTEFACT.href, backend: backendChoice(), again });
}

/** When the scorer was last started anew by itself. */
let revived = -Infinity;
/** Started anew once it is help; twice within this many milliseconds it is a fault to be told. */
const REVIVAL = 30_000;

function mayRevive() {
  const now = performance.now();
  if (now - revived < REVIVAL) return false;
  revived = now;
  return true;
}

/**
 * Starts a new scorer behind the list that stands there, and asks again what was asked.
 * @param {() => void} again
 */
async function revive(again) {
  if (!app) return;
  app.ranking.waiting();
  announcer.textContent = 'The scorer stopped. It starts again.';
  const token = pending;
  try {
    const { backend, manifest } = await client.start({ artefact: ARTEFACT.href, backend: backendChoice(), again: false });
    if (!app) return;
    // Another artefact has taken the place of the one that stands here: nothing of it is mixed in, all is shown anew.
    if (JSON.stringify(manifest) !== JSON.stringify(app.loaded.manifest)) return await start();
    Object.assign(app.loaded.backend, backend);
    badge.show(backend);
    // Whatever was asked for meanwhile waits for nobody else.
    if (pending === token) again();
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind !== 'superseded') app?.ranking.fail(fault, restart);
  }
}

/**
 * Asks; where the scorer is gone or has crashed over it, asks the one that takes its place once more.
 * @template T
 * @param {() => Promise<T>} question
 * @returns {Promise<T>}
 */
async function persistently(question) {
  try {
    return await question();
  } catch (thrown) {
    if (!needsNewWorker(asFault(thrown)) || !mayRevive()) throw thrown;
    await new Promise((resolve) => revive(() => resolve(showVisit('keep'))).then(resolve));
    return question();
  }
}

/** @param {Loaded} loaded @returns {App} */
function build(loaded) {
  badge.show(loaded.backend);
  showResults(results, loaded);
  byId('colophon').replaceChildren(colophon(loaded));
  stage.hidden = false;
  const taste = () => visit?.trail.current ?? blankTaste();
  const probe = (/** @type {number} */ item) => persistently(() => client.ask('probe', { taste: taste(), item }));
  const counterfactual = (/** @type {number} */ limit) => persistently(() => client.ask('counterfactual', { taste: taste(), limit }));
  const questions = createQuestions(loaded, { taste, counterfactual, probe, edit });
  const along = createTakeAlong(loaded, () => (visit?.standing ? { ...visit.standing, own: ownOf(visit), name: nameOf(visit, loaded) } : null));
  return {
    loaded,
    picker: createViewerPicker(picker, loaded, { onChoose: (user) => openViewer(user, 'push'), onOwn: () => openOwn(new Trail(blankTaste(), blankTaste(), true), 'push') }),
    card: createViewerCard(byId('viewer'), loaded, { edit, undo: () => step('undo'), redo: () => step('redo'), reset }),
    ranking: createRankingList(
      byId('ranking'),
      loaded,
      {
        onMore: showMore,
        onProbe: probe,
        onMute: (reasons) => edit(reasons.reduce(toggled, taste())),
        onReport: (item, reason) => along.report(item, reason, reasonText(item, reason)),
      },
      [questions.element, along.element],
    ),
    questions,
    along,
  };
}

/** @param {number} item @param {number} index */
const reasonText = (item, index) => visit?.standing?.ranking.recommendations.find((row) => row.item === item)?.reasons.find((reason) => reason.index === index)?.text ?? null;

/** What the address and the command line leave unsaid. @param {Visit} of */
const ownOf = ({ user, trail }) => (user === null ? blankTaste() : trail.base);

/** @param {Visit} of @param {Loaded} loaded */
const nameOf = ({ user }, { viewers }) => (user === null ? 'Your own taste' : viewerName(viewers[user]?.key ?? ''));

/** @param {Loaded} loaded */
function colophon({ manifest }) {
  return el('p', {}, `curec ranks with a model trained on “${manifest.dataset.name}”. The page sends nothing anywhere: it only fetched its own files.`);
}

/** @param {...(Node|string)} words */
function aside(...words) {
  notice.replaceChildren(el('p', { class: 'notice notice-aside', role: 'status' }, ...words));
}

/**
 * Shows what the address asks for; the first viewer worth meeting where it asks for nobody.
 * @param {'replace'|'keep'} how
 */
async function openAddress(how) {
  if (!app) return;
  const { loaded } = app;
  if (ownTasteInAddress()) {
    const { taste, lost, follows } = tasteInAddress(null, loaded, (item) => loaded.reasonCounts[item] ?? 0);
    if (lost.length > 0) aside(lostWords(lost));
    const nearest = follows ? null : await client.ask('nearest', { items: taste.history.map(({ item }) => item) }).catch(() => null);
    await openOwn(new Trail(blankTaste(), taste, follows || (nearest !== null && nearest.viewer === taste.pattern)), how);
    return;
  }
  const key = viewerInAddress();
  const named = key === null ? -1 : loaded.viewers.findIndex((viewer) => viewer.key === key);
  if (key !== null && named < 0) aside(`The address names a viewer who is not in this demo (“${key.slice(0, 60)}”). Here is another one.`);
  await openViewer(named >= 0 ? named : loaded.first, how, named >= 0);
}

/** @param {string[]} lost */
const lostWords = (lost) => `The address names what this demo has not (“${lost.slice(0, 3).join('”, “').slice(0, 120)}”${lost.length > 3 ? ', …' : ''}); the rest of it is shown.`;

/**
 * Shows a stored viewer: first who they are, then their list.
 * @param {number} user
 * @param {'push'|'replace'|'keep'} how
 * @param {boolean} [asAddressed] with the changes that the address asks for
 */
async function openViewer(user, how, asAddressed = false) {
  const entry = app?.loaded.viewers[user];
  if (!app || !entry) return;
  if (how === 'push') notice.replaceChildren();
  document.title = `${viewerName(entry.key)} · curec`;
  // Nobody's until they are here: what stands there must not be changed any more.
  visit = null;
  app.picker.show(user);
  app.questions.renew(null);
  app.ranking.busy();
  const token = {};
  pending = token;
  await answered(
    async ({ loaded }) => {
      const viewer = await client.ask('viewer', { user });
      if (pending !== token) return;
      const asked = asAddressed ? tasteInAddress(viewer.taste, loaded, (item) => loaded.reasonCounts[item] ?? 0) : { taste: viewer.taste, lost: [] };
      if (asked.lost.length > 0) aside(lostWords(asked.lost));
      visit = { user, viewer, trail: new Trail(viewer.taste, asked.taste), nearest: null, standing: null };
      await showVisit(how);
    },
    () => openViewer(user, 'keep', asAddressed),
    token,
  );
}

/**
 * Shows a taste of the visitor's own.
 * @param {Trail} trail
 * @param {'push'|'replace'|'keep'} how
 */
async function openOwn(trail, how) {
  if (!app) return;
  if (how === 'push') notice.replaceChildren();
  document.title = 'Your own taste · curec';
  app.picker.show(null);
  app.questions.renew(null);
  app.ranking.busy();
  visit = { user: null, viewer: null, trail, nearest: null, standing: null };
  const mine = visit;
  await showVisit(how);
  if (how === 'push' && visit === mine) byId('viewer').querySelector('input')?.focus();
}

/** What is being waited for; an answer to anything else is dropped. @type {object} */
let pending = {};

/**
 * Draws the visit's card and asks for its list.
 * @param {'push'|'replace'|'keep'} how
 * @param {boolean} [moves] whether rows say where they stood before
 */
async function showVisit(how, moves = false) {
  const now = visit;
  const token = {};
  pending = token;
  if (!now || !app) return;
  await answered(
    async (current) => {
      if (now.user === null) await follow(now);
      if (pending !== token) return;
      const { trail } = now;
      if (how !== 'keep') putInAddress(hashOf(trail.current, ownOf(now), current.loaded), how);
      current.card.show(await person(now, current.loaded));
      const compared = trail.changed && (now.user !== null || moves);
      const before = !compared ? null : now.user !== null ? trail.base : (now.standing?.taste ?? trail.base);
      const ranking = await client.ask('recommend', { taste: trail.current, count: FIRST_COUNT, before });
      if (pending !== token) return;
      now.standing = { ranking, taste: trail.current };
      const view = { viewer: now.viewer, taste: trail.current, compared };
      current.ranking.show(ranking, view);
      current.questions.renew(ranking.recommendations[0]?.item ?? null);
      badge.time(ranking.milliseconds);
      announce(now, ranking, compared ? movesNote(ranking, view) : '', current.loaded);
    },
    () => showVisit(how, moves),
    token,
  );
}

/** A taste of the visitor's own reads the pattern of the nearest viewer, until they choose another. @param {Visit} now */
async function follow(now) {
  const { trail } = now;
  now.nearest = await client.ask('nearest', { items: trail.current.history.map(({ item }) => item) });
  if (trail.follows) trail.settle(now.nearest?.viewer ?? null);
}

/** @param {Visit} now @param {Loaded} loaded @returns {Promise<import('./viewer-card.js').Person>} */
async function person({ user, viewer, trail, nearest }, loaded) {
  const of = trail.current.pattern;
  const key = of === null ? '' : (loaded.viewers[of]?.key ?? '');
  const text = of === null ? null : of === user ? (viewer?.pattern ?? null) : (await client.ask('viewer', { user: of })).pattern;
  const tastes = user === null ? [] : (loaded.viewers[user]?.tastes ?? []);
  return { viewer, tastes, trail, nearest, pattern: of === null ? null : { viewer: of, key, text } };
}

/** @param {Visit} now @param {import('./types.js').Ranking} ranking @param {string} moved @param {Loaded} loaded */
function announce(now, ranking, moved, loaded) {
  const first = ranking.recommendations[0];
  const title = first && loaded.catalogue[first.item]?.title;
  const words = `${nameOf(now, loaded)}: ${ranking.recommendations.length} suggestions in ${milliseconds(ranking.milliseconds)}${title ? `, first is ${title}` : ''}.`;
  announcer.textContent = moved ? `${words} ${moved}` : words;
}

/** Another step of the trail. @param {Taste} taste */
function edit(taste) {
  if (!visit) return;
  const { trail, nearest, user } = visit;
  const chosen = taste.pattern !== trail.current.pattern;
  trail.go(taste, chosen ? user === null && taste.pattern !== null && taste.pattern === nearest?.viewer : trail.follows);
  changed();
}

/** @param {'undo'|'redo'} which */
function step(which) {
  visit?.trail[which]();
  changed();
}

function reset() {
  if (!visit) return;
  visit.trail.go(visit.trail.base, visit.user === null);
  changed();
}

function changed() {
  app?.ranking.waiting();
  app?.questions.renew(null);
  showVisit('replace', true);
}

/** @param {number} count */
async function showMore(count) {
  const now = visit;
  const token = pending;
  if (!now) return;
  await answered(
    async (current) => {
      const { trail } = now;
      const compared = trail.changed && now.user !== null;
      const ranking = await client.ask('recommend', { taste: trail.current, count, before: compared ? trail.base : null });
      if (pending !== token) return;
      now.standing = { ranking, taste: trail.current };
      const heading = current.ranking.append(ranking, { viewer: now.viewer, taste: trail.current, compared });
      heading?.setAttribute('tabindex', '-1');
      heading?.focus();
    },
    () => showVisit('keep'),
    token,
  );
}

/**
 * Runs one exchange with the worker; a fault takes the place of the list, with the retry that fits it.
 * @param {(current: App) => Promise<void>} exchange
 * @param {() => void} retry
 * @param {object} token what it is for
 */
async function answered(exchange, retry, token) {
  if (!app) return;
  try {
    await exchange(app);
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind === 'superseded' || pending !== token) return;
    if (needsNewWorker(fault) && mayRevive()) await revive(retry);
    else app.ranking.fail(fault, needsNewWorker(fault) ? restart : retry);
  }
}

// A skip link or a heading's own address asks for no list.
window.addEventListener('popstate', () => (location.hash === '' || asksForAList()) && openAddress('keep'));

const lacking = missingSupport();
if (lacking) {
  setState('failed');
  notice.replaceChildren(faultPanel(lacking, restart));
} else {
  // Whoever asks for somebody gets their list, not another one first.
  if (location.hash === '') showFirstView(firstView, () => document.documentElement.dataset.state === 'loading');
  start();
}
