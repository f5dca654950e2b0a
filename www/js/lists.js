/**
 * Whose list stands there: visits of stored viewers, tastes of the visitor's own, and the changes to them. Of several questions under way only the newest one's answer is drawn.
 */
import { byId, NARROW } from './dom.js';
import { asFault, needsNewWorker, wording } from './errors.js';
import { milliseconds, plural, viewerName } from './format.js';
import { asideNote, lostNote } from './notice.js';
import { hashOf, putInAddress, rowsInAddress, seedInAddress, tasteInAddress } from './permalink.js';
import { FIRST_COUNT, movedRows, movesNote } from './ranking-list.js';
import { blankTaste, isOutdated, same, Trail, withWritten } from './tastes.js';
import { doWithout, OVERTAKEN, rewrite, writeReasons } from './writing.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./main.js').App} App */
/** @typedef {ReturnType<typeof createLists>} Lists */

/**
 * Whose list stands there, or is on its way.
 * @typedef {object} Visit
 * @property {number|null} user the stored viewer; null for a taste of the visitor's own
 * @property {import('./types.js').ArtefactUser|null} viewer
 * @property {Trail} trail
 * @property {import('./types.js').Nearest|null} nearest
 * @property {number} rows how many are shown
 * @property {Standing|null} standing
 */

/**
 * The list that stands there.
 * @typedef {object} Standing
 * @property {import('./types.js').Ranking} ranking
 * @property {Taste} taste what it is of
 * @property {Taste|null} beside what its rows are compared with; null where with nothing
 * @property {string|null} pattern the words of the pattern it reads
 */

/** What the address and the command line leave unsaid. @param {Visit} of */
export const ownOf = ({ user, trail }) => (user === null ? blankTaste() : trail.base);

/** @param {Visit} of @param {Loaded} loaded */
export const nameOf = ({ user }, { viewers }) => (user === null ? 'Your own taste' : viewerName(viewers[user]?.key ?? ''));

/**
 * @param {object} page
 * @param {import('./scorer-client.js').ScorerClient} page.client
 * @param {() => App|null} page.app what exists once the artefact is loaded
 * @param {() => ReturnType<typeof import('./revival.js').createRevival>} page.revival
 * @param {() => void} page.restart
 * @param {HTMLElement} page.notice
 * @param {HTMLElement} page.announcer
 * @param {ReturnType<typeof import('./backend-badge.js').createBackendBadge>} page.badge
 */
export function createLists(page) {
  /** @type {Visit|null} */
  let visit = null;

  /** The visitor's own taste as they left it, and the data that its titles are of. @type {{trail: Trail, rows: () => number, of: string}|null} */
  let left = null;

  /** Whether what was asked for last has ended with a fault, which says how to go on. */
  let failed = false;

  /** What titles and viewers are numbered by: another artefact has others. @param {Loaded} loaded */
  const dataOf = ({ manifest }) => JSON.stringify(manifest);

  /** @param {Loaded} loaded */
  const leftOf = (loaded) => (left?.of === dataOf(loaded) ? left : null);

  /**
   * Shows whom the visitor has picked. Who is shown already stays as they are, with all that was changed.
   * @param {number} user
   */
  function pickViewer(user) {
    if (visit?.user !== user) return void openViewer(user, 'push');
    bringUp();
    if (failed) showVisit('keep');
  }

  /** Shows the visitor's own taste, as they left it where they have one. */
  function pickOwn() {
    const loaded = page.app()?.loaded;
    if (!loaded) return;
    if (visit?.user !== null) {
      const mine = leftOf(loaded);
      return void openOwn(mine?.trail ?? new Trail(blankTaste(), blankTaste(), true), 'push', mine?.rows());
    }
    toSearch();
    if (failed) showVisit('keep');
  }

  /** Where a taste of one's own is built. */
  function toSearch() {
    bringUp();
    byId('viewer').querySelector('input')?.focus({ preventScroll: NARROW.matches });
  }

  /**
   * The steps that led to a taste of the visitor's own, where it is the one they left.
   * @param {Taste} taste
   */
  function steps(taste) {
    const loaded = page.app()?.loaded;
    const mine = loaded ? leftOf(loaded) : null;
    return mine && same(mine.trail.current, taste) ? mine.trail : null;
  }

  /**
   * Shows a stored viewer: first who they are, then their list.
   * @param {number} user
   * @param {'push'|'replace'|'keep'} how
   * @param {boolean} [asAddressed] with the changes that the address asks for
   */
  async function openViewer(user, how, asAddressed = false) {
    const app = page.app();
    const entry = app?.loaded.viewers[user];
    if (!app || !entry) return;
    if (how === 'push') page.notice.replaceChildren();
    document.title = `${viewerName(entry.key)} · curec`;
    const token = leave();
    app.picker.show(user);
    await answered(
      async ({ loaded }) => {
        const viewer = await page.client.ask('viewer', { user });
        if (pending !== token) return;
        const asked = asAddressed ? tasteInAddress(viewer.taste, loaded, (item) => loaded.reasonCounts[item] ?? 0) : { taste: viewer.taste, lost: [] };
        if (asAddressed) asked.taste = app.written.recalled(asked.taste, seedInAddress());
        if (asked.lost.length > 0) page.notice.replaceChildren(lostNote(asked.lost));
        if (how === 'push') bringUp();
        visit = { user, viewer, trail: new Trail(viewer.taste, asked.taste), nearest: null, rows: asAddressed ? rowsInAddress() : FIRST_COUNT, standing: null };
        await showVisit(how);
      },
      () => openViewer(user, how, asAddressed),
      () => pending === token,
    );
  }

  /**
   * Shows a taste of the visitor's own.
   * @param {Trail} trail
   * @param {'push'|'replace'|'keep'} how
   * @param {number} [rows] how many are shown
   */
  async function openOwn(trail, how, rows = FIRST_COUNT) {
    const app = page.app();
    if (!app) return;
    if (how === 'push') page.notice.replaceChildren();
    document.title = 'Your own taste · curec';
    app.picker.show(null);
    leave();
    const mine = /** @type {Visit} */ ({ user: null, viewer: null, trail, nearest: null, rows, standing: null });
    visit = mine;
    left = { trail, rows: () => mine.rows, of: dataOf(app.loaded) };
    await showVisit(how);
    if (how === 'push' && visit === mine) toSearch();
  }

  /** What stands there must not be changed any more, for something else is on its way. What is being waited for from now on. */
  function leave() {
    const app = page.app();
    visit = null;
    app?.bar.show(null);
    app?.questions.renew(null, null);
    app?.ranking.busy();
    return (pending = {});
  }

  /** Where who is shown stands below everything else, choosing them leads there. */
  function bringUp() {
    if (NARROW.matches) byId('viewer').scrollIntoView({ block: 'start' });
  }

  /** What is being waited for; an answer to anything else is dropped. @type {object} */
  let pending = {};

  /** What a list that does not stand yet is to do once it does: asked for once more, it does that still. @type {{of: Visit, how: 'push'|'replace'|'keep', moves: boolean}|null} */
  let unfinished = null;

  /** Ends once the list that was last asked for when this was set stands there, or cannot, or is overtaken. */
  let arriving = Promise.resolve();

  /**
   * Draws the visit's card and asks for its list.
   * @param {'push'|'replace'|'keep'} how
   * @param {boolean} [moves] whether rows say where they stood before
   */
  async function showVisit(how, moves = false) {
    const now = visit;
    // Whoever is on their way comes by themselves.
    if (!now || !page.app()) return;
    const token = {};
    pending = token;
    failed = false;
    const before = unfinished?.of === now ? unfinished : null;
    const own = { of: now, how: before && (how === 'keep' || before.how === 'push') ? before.how : how, moves: moves || (before?.moves ?? false) };
    unfinished = own;
    arriving = answered(
      async (current) => {
        // What was changed is seen at once; to write takes a moment.
        if (isOutdated(now.trail.current)) current.card.show(await person(now, current.loaded));
        if (!(await rewritten(now, current))) return;
        if (pending !== token) return;
        if (now.user === null && !now.trail.current.written) await follow(now);
        if (pending !== token) return;
        const { trail } = now;
        if (own.how !== 'keep') putInAddress(hashOf(trail.current, ownOf(now), current.loaded, now.rows), own.how);
        own.how = 'keep';
        const whose = await person(now, current.loaded);
        current.card.show(whose);
        if (now.user === null && trail.current.history.length === 0) return nothingYet(now, current);
        const beside = besideOf(now, own.moves);
        const ranking = await page.client.ask('recommend', { taste: trail.current, count: now.rows, before: beside });
        if (pending !== token) return;
        unfinished = null;
        now.standing = { ranking, taste: trail.current, beside, pattern: wordsRead(whose, current.loaded) };
        const view = viewOf(now, now.standing);
        current.ranking.show(ranking, view);
        showBar(now, now.standing, current);
        current.questions.renew(trail.current, ranking.recommendations[0]?.item ?? null);
        current.compare.renew(now.user, now.viewer?.pattern ?? null);
        page.badge.ranked(ranking);
        announce(now, ranking, beside ? movesNote(ranking, view) : '', current.loaded);
        writeReasons({ client: page.client, revival: page.revival(), say: (words) => (page.announcer.textContent = words), kept: current.written }, now, () => pending === token, current.ranking);
      },
      () => showVisit(how, moves),
      () => pending === token,
    );
    await arriving;
  }

  /** What the rows of a visit's next list are compared with. @param {Visit} of @param {boolean} moves whether they say where they stood before */
  function besideOf({ user, trail, standing }, moves) {
    if (user !== null) return trail.changed ? trail.base : null;
    if (moves) return trail.changed && standing ? standing.taste : null;
    // Asked for once more, a list says of its rows what it said before.
    return standing?.taste === trail.current ? standing.beside : null;
  }

  /** @param {Visit} now @param {Standing} standing @returns {import('./ranking-list.js').View} */
  const viewOf = ({ viewer }, { taste, pattern, beside }) => ({ viewer, taste, pattern, compared: beside !== null });

  /** What was changed, and how many of the rows that are shown moved. @param {Visit} now @param {Standing} standing @param {App} current */
  function showBar(now, { taste, ranking, beside }, { bar }) {
    const moved = beside === null ? '' : `${plural(movedRows(ranking), 'title')} of ${ranking.recommendations.length} moved.`;
    bar.show({ taste, own: ownOf(now), moved, canUndo: now.trail.canUndo });
  }

  /** A taste of the visitor's own in which nothing was picked. @param {Visit} now @param {App} current */
  function nothingYet(now, current) {
    unfinished = null;
    now.standing = null;
    current.ranking.empty();
    current.bar.show(null);
    current.questions.renew(null, null);
    current.compare.renew(null, null);
    page.announcer.textContent = 'Your own taste: pick a title or two.';
  }

  /**
   * Whether the list may go on: with the pattern written anew, or without it where that cannot be written or was stopped.
   * @param {Visit} now @param {App} app
   */
  async function rewritten(now, { card, written }) {
    const { trail } = now;
    const { current } = trail;
    try {
      const done = await rewrite(page.client, now, card, written);
      if (!done && trail.current === current) doWithout(now);
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.kind === 'superseded' || needsNewWorker(fault)) throw thrown;
      if (trail.current !== current) return false;
      doWithout(now);
      page.notice.replaceChildren(asideNote(`The pattern could not be written anew (${wording(fault).title.toLowerCase()}). The list goes on without it.`));
    }
    return true;
  }

  /**
   * Has a pattern of the present history written, and reads it.
   * @param {number} seed @param {(text: string, attempt: number) => void} onDraft @param {AbortSignal} signal ends it
   */
  async function write(seed, onDraft, signal) {
    const now = visit;
    // A list that is on its way goes first: asked for after this, it would interrupt the writing.
    const stopped = new Promise((_, reject) => signal.addEventListener('abort', () => reject(OVERTAKEN)));
    stopped.catch(() => {});
    for (let awaited = null; awaited !== arriving; ) {
      await Promise.race([page.revival().stands(), stopped]);
      awaited = arriving;
      await Promise.race([awaited, stopped]);
    }
    if (signal.aborted || !now || visit !== now || now.trail.current.history.length === 0) throw OVERTAKEN;
    const { current } = now.trail;
    const written = await page.revival().persistently(() => page.client.ask('write-pattern', { taste: current, seed }, onDraft, signal), false, signal);
    page.app()?.written.keepPattern(written);
    if (signal.aborted || visit !== now || now.trail.current !== current) throw OVERTAKEN;
    edit(withWritten(current, written));
  }

  /** A taste of the visitor's own reads the pattern of the nearest viewer, until they choose another. @param {Visit} now */
  async function follow(now) {
    const { trail } = now;
    now.nearest = await page.client.ask('nearest', { items: trail.current.history.map(({ item }) => item) });
    if (trail.follows) trail.settle(now.nearest?.viewer ?? null);
  }

  /** @param {Visit} now @param {Loaded} loaded @returns {Promise<import('./viewer-card.js').Person>} */
  async function person({ user, viewer, trail, nearest }, loaded) {
    const of = trail.current.written ? null : trail.current.pattern;
    const key = of === null ? '' : (loaded.viewers[of]?.key ?? '');
    const text = of === null ? null : of === user ? (viewer?.pattern ?? null) : (await page.client.ask('viewer', { user: of })).pattern;
    const taste = user === null ? '' : (loaded.viewers[user]?.name ?? '');
    return { viewer, taste, trail, nearest, pattern: of === null ? null : { viewer: of, key, text } };
  }

  /** The words of the pattern that the model reads; null where it reads none. @param {import('./viewer-card.js').Person} person @param {Loaded} loaded */
  const wordsRead = ({ trail, pattern }, { uses }) => (uses.patterns && (trail.current.written?.text ?? pattern?.text)) || null;

  /** @param {Visit} now @param {import('./types.js').Ranking} ranking @param {string} moved @param {Loaded} loaded */
  function announce(now, ranking, moved, loaded) {
    const first = ranking.recommendations[0];
    const title = first && loaded.catalogue[first.item]?.title;
    const words = `${nameOf(now, loaded)}: ${ranking.recommendations.length} suggestions in ${milliseconds(ranking.milliseconds)}${title ? `, first is ${title}` : ''}.`;
    page.announcer.textContent = moved ? `${words} ${moved}` : words;
  }

  /**
   * Another step of the trail.
   * @param {Taste} taste
   * @param {boolean} [held] whether it reads the pattern it names, even where another viewer is nearest to it
   */
  function edit(taste, held = false) {
    if (!visit) return;
    const { trail, nearest, user } = visit;
    const chosen = taste.pattern !== trail.current.pattern || taste.written !== trail.current.written;
    trail.go(taste, held ? false : chosen ? user === null && taste.pattern !== null && taste.pattern === nearest?.viewer : trail.follows);
    changed();
  }

  /** @param {'undo'|'redo'} which */
  function step(which) {
    if (!visit) return;
    visit.trail[which]();
    changed();
  }

  function reset() {
    if (!visit) return;
    visit.trail.go(visit.trail.base, visit.user === null);
    changed();
  }

  function changed() {
    page.app()?.ranking.waiting();
    page.app()?.questions.renew(null, null);
    showVisit('replace', true);
  }

  /** @param {number} count */
  async function showMore(count) {
    const now = visit;
    // A list that is about to be replaced gets no more rows.
    if (!now || now.standing?.taste !== now.trail.current) return;
    const { standing } = now;
    const { taste, beside } = standing;
    const stands = () => visit === now && now.trail.current === taste && now.standing?.taste === taste;
    await answered(
      async (current) => {
        const ranking = await page.revival().persistently(() => page.client.ask('recommend', { taste, count, before: beside, aside: true }));
        // The same list may be on its way once more, with the rows that it had: it comes first.
        for (let awaited = null; awaited !== arriving; ) await (awaited = arriving);
        if (failed || !stands()) return;
        now.standing = { ...standing, ranking };
        now.rows = count;
        putInAddress(hashOf(taste, ownOf(now), current.loaded, count), 'replace');
        const heading = current.ranking.append(ranking, viewOf(now, now.standing));
        showBar(now, now.standing, current);
        heading?.setAttribute('tabindex', '-1');
        heading?.focus();
      },
      () => showVisit('keep'),
      stands,
    );
  }

  /**
   * Runs one exchange with the worker; a fault takes the place of the list, with the retry that fits it.
   * @param {(current: App) => Promise<void>} exchange
   * @param {() => Promise<void>} retry
   * @param {() => boolean} wanted whether anybody waits for it still
   */
  async function answered(exchange, retry, wanted) {
    const app = page.app();
    if (!app) return;
    try {
      await exchange(app);
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.kind === 'superseded' || !wanted()) return;
      if (needsNewWorker(fault) && page.revival().mayRevive(fault)) await page.revival().revive(retry);
      else {
        failed = true;
        app.ranking.fail(fault, needsNewWorker(fault) ? page.restart : retry);
      }
    }
  }

  return {
    /** What is being waited for; another one once something newer is asked. */
    get token() {
      return pending;
    },
    get visit() {
      return visit;
    },
    taste: () => visit?.trail.current ?? blankTaste(),
    /** Asks for the same list again. */
    again: () => showVisit('keep'),
    leave,
    pickViewer,
    pickOwn,
    openViewer,
    openOwn,
    steps,
    showMore,
    edit,
    step,
    reset,
    write,
  };
}
