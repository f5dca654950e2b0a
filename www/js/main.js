/** The page: wires the components to the worker. Every score it shows was computed by the scorer, none by the page. */
import { createBackendBadge } from './backend-badge.js';
import { ARTEFACT } from './build.js';
import { createCompare } from './compare.js';
import { button, byId, el, nextTask } from './dom.js';
import { asFault, needsNewWorker } from './errors.js';
import { showFirstView } from './first-view.js';
import { milliseconds, viewerName } from './format.js';
import { createKept } from './kept.js';
import { faultPanel, progressPanel, stoppedPanel } from './notice.js';
import { asksForAList, backendChoice, hashOf, ownTasteInAddress, putBackendInAddress, putInAddress, seedInAddress, tasteInAddress, viewerInAddress } from './permalink.js';
import { createQuestions } from './questions.js';
import { createRankingList, FIRST_COUNT, movesNote } from './ranking-list.js';
import { showResults } from './results-table.js';
import { ScorerClient } from './scorer-client.js';
import { missingSupport } from './support.js';
import { createTakeAlong } from './take-along.js';
import { blankTaste, isOutdated, toggled, Trail, withWritten } from './tastes.js';
import { createViewerCard } from './viewer-card.js';
import { createViewerPicker } from './viewer-picker.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {'starting'|'loading'|'ready'|'stopped'|'failed'} PageState */

const notice = byId('notice');
const picker = byId('picker');
const stage = byId('stage');
const results = byId('results');
const comparison = byId('compare');
const firstView = byId('first-view');
const announcer = byId('announcer');
const badge = createBackendBadge(byId('backend-badge'), {
  onTurn: (prefer) => turnTo(prefer),
  onLook: () => lookForGpu(),
  onMeasure: (times) => client.ask('measure', { taste: visit?.trail.current ?? blankTaste(), times }),
});
const kept = createKept(byId('kept'), byId('update'));

/** Where scores shall be computed: what the address asks for, until the switch is used. */
let preferred = backendChoice();
let progress = progressPanel(cancel);
const client = new ScorerClient({
  onProgress: (report) => {
    progress.update(report);
    badge.progress(report);
  },
  onBackend: (backend) => {
    if (!app) return;
    showBackend(backend, app.loaded);
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
 * @property {ReturnType<typeof createCompare>} compare
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
  for (const part of [picker, stage, comparison, results]) part.hidden = true;
  try {
    const loaded = await load(again);
    await nextTask(); // to unpack a large catalogue and to draw from it are two tasks, and a press may come between
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

/** Loads on the backend that was asked for. @param {boolean} again */
function load(again) {
  progress = progressPanel(cancel);
  notice.replaceChildren(progress.element);
  announcer.textContent = 'Getting ready.';
  return client.start({ artefact: ARTEFACT.href, backend: preferred, again });
}

/** Titles that get a reason of one's own. */
const OWN_REASONS = 5;

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
    const started = await client.start({ artefact: ARTEFACT.href, backend: preferred, again: false });
    if (!app) return;
    // Another artefact has taken the place of the one that stands here: nothing of it is mixed in, all is shown anew.
    if (JSON.stringify(started.manifest) !== JSON.stringify(app.loaded.manifest)) return await start();
    showBackend(started.backend, app.loaded);
    badge.started(started);
    // Whatever was asked for meanwhile waits for nobody else.
    if (pending === token) again();
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind !== 'superseded') app?.ranking.fail(fault, restart);
  }
}

/** @param {import('./types.js').Backend} backend @param {Loaded} loaded */
function showBackend(backend, loaded) {
  Object.assign(loaded.backend, { difference: undefined, hindrance: undefined }, backend);
  badge.show(loaded.backend);
}

/** Turns the running scorer to another backend and has the list that stands there scored by it. @param {import('./types.js').BackendChoice} prefer */
async function turnTo(prefer) {
  const backend = await persistently(() => client.ask('backend', { prefer }));
  if (!app) return;
  const other = backend.used !== app.loaded.backend.used;
  if (prefer === 'auto' || prefer === backend.used) putBackendInAddress((preferred = prefer));
  showBackend(backend, app.loaded);
  if (!other) return;
  app.ranking.waiting();
  await showVisit('keep');
}

/** Whether WebGPU could be used, for the switch; nothing turns. */
async function lookForGpu() {
  const backend = await client.ask('backend', { prefer: 'cpu' });
  if (app) showBackend(backend, app.loaded);
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
  badge.started(loaded);
  showResults(results, loaded);
  byId('colophon').replaceChildren(colophon(loaded));
  stage.hidden = false;
  const taste = () => visit?.trail.current ?? blankTaste();
  const probe = (/** @type {number} */ item) => persistently(() => client.ask('probe', { taste: taste(), item }));
  const counterfactual = (/** @type {number} */ limit) => persistently(() => client.ask('counterfactual', { taste: taste(), limit }));
  const questions = createQuestions(loaded, { taste, counterfactual, probe, edit });
  const along = createTakeAlong(loaded, () => (visit?.standing ? { ...visit.standing, own: ownOf(visit), name: nameOf(visit, loaded) } : null));
  const compare = createCompare(comparison, loaded, {
    ranking: async (user) => {
      const { taste: own } = await client.ask('viewer', { user });
      return client.ask('recommend', { taste: own, count: FIRST_COUNT, before: null });
    },
    compare: (user, items) => client.ask('compare', { user, items }),
  });
  return {
    loaded,
    compare,
    picker: createViewerPicker(picker, loaded, { onChoose: (user) => openViewer(user, 'push'), onOwn: () => openOwn(new Trail(blankTaste(), blankTaste(), true), 'push') }),
    card: createViewerCard(byId('viewer'), loaded, { edit, undo: () => step('undo'), redo: () => step('redo'), reset, write }),
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
  const seed = seedInAddress(); // before the list that stands meanwhile takes its place in the address
  if (ownTasteInAddress()) {
    const { taste, lost, follows } = tasteInAddress(null, loaded, (item) => loaded.reasonCounts[item] ?? 0);
    if (lost.length > 0) aside(lostWords(lost));
    const nearest = follows ? null : await client.ask('nearest', { items: taste.history.map(({ item }) => item) }).catch(() => null);
    await openOwn(new Trail(blankTaste(), taste, follows || (nearest !== null && nearest.viewer === taste.pattern)), how);
    offerWriting(seed);
    return;
  }
  const key = viewerInAddress();
  const named = key === null ? -1 : loaded.viewers.findIndex((viewer) => viewer.key === key);
  if (key !== null && named < 0) aside(`The address names a viewer who is not in this demo (“${key.slice(0, 60)}”). Here is another one.`);
  await openViewer(named >= 0 ? named : loaded.first, how, named >= 0);
  if (named >= 0) offerWriting(seed);
}

/** The pattern of a link was written where the link comes from; the same seed writes the same one here, if the visitor wants that. @param {number|null} seed */
function offerWriting(seed) {
  if (seed === null || !app) return;
  const { card } = app;
  const act = button(
    { class: 'button' },
    () => {
      notice.replaceChildren();
      card.write(seed);
    },
    'Write it',
  );
  aside('This link reads a pattern that the language model writes in your browser. Until then the list reads a stored one. ', act);
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
      await rewrite(now);
      if (pending !== token) return;
      if (now.user === null && !now.trail.current.written) await follow(now);
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
      current.compare.renew(now.user, now.viewer?.pattern ?? null);
      badge.ranked(ranking, current.loaded.backend.used);
      announce(now, ranking, compared ? movesNote(ranking, view) : '', current.loaded);
      writeReasons(now, token);
    },
    () => showVisit(how, moves),
    token,
  );
}

/** A pattern that was written of another history is written anew of this one, with the same seed. @param {Visit} now */
async function rewrite({ trail }) {
  const { current } = trail;
  if (!isOutdated(current) || !current.written) return;
  const { seed } = current.written;
  if (current.history.length === 0) return trail.settle(null);
  const written = await client.ask('write-pattern', { taste: current, seed });
  if (trail.current === current) trail.rewrite(written);
}

/**
 * Has a pattern of the present history written, and reads it.
 * @param {number} seed @param {(text: string, attempt: number) => void} onDraft
 */
async function write(seed, onDraft) {
  const now = visit;
  if (!now) return;
  const { current } = now.trail;
  const written = await persistently(() => client.ask('write-pattern', { taste: current, seed }, onDraft));
  if (visit === now && now.trail.current === current) edit(withWritten(current, written));
}

/** Reasons of one's own for the first titles, one after another, while the list stands. @param {Visit} now @param {object} token */
async function writeReasons(now, token) {
  const { written } = now.trail.current;
  const { ranking } = now.standing ?? {};
  if (!written || !ranking || !app) return;
  for (const { item } of ranking.recommendations.slice(0, OWN_REASONS)) {
    const current = app;
    const draw = (/** @type {string} */ text, done = false, flaws = 0) => pending === token && current.ranking.ownReason(item, text, done, flaws);
    try {
      const { text, flaws } = await client.ask('write-reason', { pattern: written.text, item, seed: written.seed }, (words) => draw(words));
      draw(text, true, flaws);
    } catch (thrown) {
      // Something newer was asked for, or the writer stopped: the list stands without them.
      if (asFault(thrown).kind !== 'superseded') draw('', true);
      return;
    }
    if (pending !== token) return;
  }
}

/** A taste of the visitor's own reads the pattern of the nearest viewer, until they choose another. @param {Visit} now */
async function follow(now) {
  const { trail } = now;
  now.nearest = await client.ask('nearest', { items: trail.current.history.map(({ item }) => item) });
  if (trail.follows) trail.settle(now.nearest?.viewer ?? null);
}

/** @param {Visit} now @param {Loaded} loaded @returns {Promise<import('./viewer-card.js').Person>} */
async function person({ user, viewer, trail, nearest }, loaded) {
  const of = trail.current.written ? null : trail.current.pattern;
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
  const chosen = taste.pattern !== trail.current.pattern || taste.written !== trail.current.written;
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
window.addEventListener('popstate', () => {
  putBackendInAddress(preferred);
  if (location.hash === '' || asksForAList()) openAddress('keep');
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
