/**
 * The scorer's worker: fetches the artefact, hands it to the wasm module, answers the page.
 *
 * Everything heavy or large lives here: the page asks for one viewer or one ranking at a time and gets exactly what it
 * draws. Requests run one after another (the wasm object is not re-entrant); of several waiting rankings only the newest is
 * computed. What one of them has to fetch first holds up no other. To add a request type: name it in js/types.js, add a line to `handlers`.
 */
import { orOutdated } from './js/integrity.js';
import { readArtefact } from './js/worker-artefact.js';
import { startClock } from './js/worker-clock.js';
import { Engines } from './js/worker-engines.js';
import { isTrap, toFault } from './js/worker-fault.js';
import { fetchArtefact, fetchEngine, fetchPart } from './js/worker-fetch.js';
import { measured } from './js/worker-measure.js';
import { tookTrap } from './js/worker-trap.js';
import { Desk, writerBytes } from './js/worker-writer.js';

/** @typedef {import('./js/types.js').Request} Request */

/**
 * @type {{engines: Engines, artefact: import('./js/worker-artefact.js').Artefact, desk: Desk, comparison: () => Promise<import('./js/types.js').Comparison>} | null}
 */
let loaded = null;
/** Set once the wasm instance has trapped: its memory can no longer be trusted, only a new worker helps. */
let crashed = false;
let newestRanking = 0;
/** Of what is written only as long as nothing newer is wished for. */
let newestWish = 0;
/** Texts that nobody waits for any more. @type {Set<number>} */
const stopped = new Set();
/** What ends turns to another backend, by their requests. @type {Map<number, AbortController>} */
const turns = new Map();
/** @type {import('./js/types.js').Fault} */
const STOPPED = { kind: 'superseded', message: 'Nobody waits for this turn any more.' };
/** Of whatever kind. */
let newestRequest = 0;

/** @param {import('./js/types.js').FromWorker} message @param {Transferable[]} [transfer] */
const post = (message, transfer = []) => self.postMessage(message, transfer);

/** @param {import('./js/types.js').Phase} phase @returns {(loaded: number, total: number|null) => void} */
const progress = (phase) => (bytes, total) => post({ event: 'progress', phase, loaded: bytes, total });

/** As the wasm modules take it. @param {import('./js/types.js').Taste} taste @returns {import('./js/types.js').RawTaste} */
const raw = ({ written, ...taste }) => (written ? { ...taste, written: written.vector } : taste);

/**
 * @template T @param {(again: boolean) => Promise<T>} make told whether it has failed before
 * @returns {() => Promise<T>} made once; again after a failure
 */
function once(make) {
  /** @type {Promise<T>|null} */
  let made = null;
  let failed = false;
  return () => {
    made ??= make(failed);
    made.catch(() => {
      failed = true;
      made = null;
    });
    return made;
  };
}

/** Requests after which nobody waits any more for a text that is being written: another list is on its way. */
const WISHES = new Set(['recommend', 'write-pattern', 'viewer', 'nearest']);

function ready() {
  if (!loaded) throw { kind: 'not-loaded', message: 'The scorer was asked before the artefact was loaded.' };
  return loaded;
}

/** @type {{[T in Request['type']]: (request: Extract<Request, {type: T}>, id: number) => Promise<unknown>}} */
const handlers = {
  async load({ artefact: url, backend, again, hashes }) {
    const code = { base: new URL('./', import.meta.url), hashes };
    const clock = startClock();
    const engine = /** @type {import('./js/types.js').Engine} */ (await fetchEngine(code, 'curec-web', clock.noting(progress('engine')), { again }));
    const started = clock.lap();
    const folder = new URL(url, import.meta.url);
    const { manifestText, files } = await fetchArtefact(folder, progress('artefact'), again);
    const fetched = clock.lap();
    progress('check')(0, null);
    const scorer = await engine.Scorer.load(manifestText, files);
    // Only now, with sizes and hashes checked by the scorer, are the other files read.
    const artefact = readArtefact(manifestText, files);
    const checked = clock.lap();
    const source = { code, manifestText, files, onBytes: progress('gpu'), onFetched: () => post({ event: 'fetched', group: 'gpu' }), onStart: () => progress('warm-up')(0, null), again };
    const engines = new Engines(
      scorer,
      (await engine.default()).memory,
      source,
      (changed) => post({ event: 'backend', backend: changed }),
      (team) => post({ event: 'team', team }),
    );
    if (backend !== 'cpu') await engines.choose(backend);
    const chosen = clock.lap();
    progress('warm-up')(0, null);
    await warmUp(engines, artefact.first);
    const times = {
      download: started.whole - started.afterBytes + fetched.whole,
      compile: started.afterBytes,
      check: checked.whole,
      gpu: backend === 'cpu' ? null : chosen.whole,
      warmUp: clock.lap().whole,
    };
    // What the parts that come later are checked against; the big rest is the scorers' now, and kept for helpers until it is settled whether they pay.
    const texts = new Map([...files].filter(([name]) => ['catalogue.json', 'users.json', 'reasons.json'].includes(name)));
    const comparison = once(async (anew) => {
      const part = await fetchPart(folder, manifestText, 'comparison', () => {}, anew).catch(async (thrown) => {
        throw await orOutdated(thrown, manifestText);
      });
      return engine.comparison(manifestText, new Map([...texts, ...part]));
    });
    const desk = new Desk({ code, artefact: folder, manifestText, files: texts, onBytes: progress('writer'), onFetched: () => post({ event: 'fetched', group: 'writer' }) });
    loaded = { engines, artefact, desk, comparison };
    return { backend: engines.backend, times, memory: engines.memory(), writerBytes: await writerBytes(manifestText), ...artefact.overview() };
  },

  async backend({ prefer }, id) {
    const { engines } = ready();
    await engines.choose(prefer, turns.get(id)?.signal);
    return engines.backend;
  },

  async viewer({ user }) {
    const { engines, artefact } = ready();
    return { ...artefact.user(user), taste: await engines.cpu.taste(user) };
  },

  async recommend({ taste, count, before, aside = false }, id) {
    if (!aside && id !== newestRanking) throw { kind: 'superseded', message: 'A newer ranking was asked for.' };
    const { engines, artefact } = ready();
    const ranking = artefact.withWords(await engines.recommend(raw(taste), count, before && raw(before)));
    if (ranking.fresh && engines.backend.used === 'cpu') callHelpers(engines, raw(taste), ranking.milliseconds);
    return { ...ranking, memory: engines.memory() };
  },

  async measure({ taste, times }, id) {
    return measured(ready().engines, raw(taste), times, () => newestRequest !== id);
  },

  async scores({ taste }) {
    return ready().engines.scores(raw(taste));
  },

  async probe({ taste, item }) {
    return ready().engines.cpu.probe(raw(taste), item);
  },

  async carriers({ taste, items }) {
    return ready().engines.cpu.carriers(raw(taste), Uint32Array.from(items));
  },

  async counterfactual({ taste, limit }) {
    return ready().engines.cpu.counterfactual(raw(taste), limit);
  },

  async nearest({ items }) {
    return ready().engines.cpu.nearest(Uint32Array.from(items));
  },

  async compare({ user, items }) {
    const { artefact, comparison } = ready();
    return artefact.compared(await comparison(), user, items);
  },

  async 'write-pattern'({ taste, seed }, id) {
    const items = taste.history.map(({ item }) => item);
    const { text, unheld, vector = [] } = await ready().desk.write(
      (writer) => writer.pattern(Uint32Array.from(items), seed),
      ({ text: words, attempt }) => post({ event: 'draft', id, text: words, attempt }),
      staleness(id),
    );
    return { text, unheld, vector, seed, of: items.join() };
  },

  async 'write-reason'({ pattern, item, seed }, id) {
    const { artefact, desk } = ready();
    const others = (artefact.reasons[item] ?? []).map(({ text }) => text);
    return desk.write(
      (writer) => writer.reason(pattern, item, others, seed),
      ({ text, attempt }) => post({ event: 'draft', id, text, attempt }),
      staleness(id),
    );
  },
};

/** Whether nobody waits any more for the text that was asked for so. @param {number} id */
const staleness = (id) => () => id < newestWish || stopped.has(id);

/**
 * What requests fetch before their turn comes, so that lists and answers go on meanwhile.
 * @type {{[T in Request['type']]?: (request: Extract<Request, {type: T}>, id: number) => Promise<unknown>}}
 */
const fetching = {
  backend: ({ prefer }, id) => ready().engines.fetch(prefer, turns.get(id)?.signal),
  compare: () => ready().comparison(),
  'write-pattern': (_, id) => ready().desk.ready(staleness(id)),
  'write-reason': (_, id) => ready().desk.ready(staleness(id)),
};

/**
 * One question before anybody asks: the first scoring pays for what later ones find done. What is wrong with its viewer alone is
 * told to whoever asks for them.
 * @param {Engines} engines @param {number} viewer
 */
async function warmUp(engines, viewer) {
  try {
    await engines.measure(await engines.cpu.taste(viewer));
  } catch (thrown) {
    if (isTrap(thrown)) throw thrown;
    console.warn(thrown);
  }
}

/**
 * Finds out whether helpers make lists faster here, beside whatever is asked.
 * @param {Engines} engines @param {import('./js/types.js').RawTaste} taste @param {number} alone milliseconds
 */
function callHelpers(engines, taste, alone) {
  const inTurn = (/** @type {() => Promise<void>} */ job) => {
    const done = queue.then(job);
    queue = done.catch(() => {});
    return done;
  };
  engines.team
    .begin(taste, alone, inTurn, () => newestRequest)
    .catch((thrown) => {
      console.warn(thrown);
      crashed ||= isTrap(thrown);
    });
}

/** What waits for something that is fetched, by what that is: one after another, so that all are answered as they were asked. @type {Record<string, Promise<void>>} */
const lines = {};

/** @param {number} id @param {unknown} thrown */
function failed(id, thrown) {
  turns.delete(id);
  const error = toFault(thrown);
  crashed ||= error.kind === 'crashed';
  post({ id, ok: false, error });
}

/** @param {Request & {id: number}} request */
async function answer(request) {
  const { id } = request;
  try {
    if (crashed) throw { kind: 'crashed', message: 'The scorer has stopped and must be started again.' };
    const handler = /** @type {(request: Request, id: number) => Promise<unknown>} */ (handlers[request.type]);
    post({ id, ok: true, value: await handler(request, id) });
  } catch (thrown) {
    failed(id, thrown);
  } finally {
    turns.delete(id);
  }
}

/** @type {Promise<void>} */
let queue = Promise.resolve();

/** Whether the page learns of this worker's end by a lock. */
let locked = false;

self.addEventListener('message', (/** @type {MessageEvent<Request & {id: number} | import('./js/types.js').Aside>} */ event) => {
  if (event.data === 'ping') return post({ event: 'alive', locked });
  if ('stop' in event.data) {
    stopped.add(event.data.stop);
    turns.get(event.data.stop)?.abort(STOPPED);
    return loaded?.desk.heed();
  }
  answerInTurn(event.data);
});

/** @param {Request & {id: number}} request */
function answerInTurn(request) {
  newestRequest = request.id;
  const { type, id } = request;
  const aside = 'aside' in request && request.aside;
  if (type === 'backend') turns.set(id, new AbortController());
  // A pattern is written for a ranking that follows: whichever came last is what is wanted now.
  if (!aside && (type === 'recommend' || type === 'write-pattern')) newestRanking = id;
  if (!aside && WISHES.has(type)) {
    newestWish = id;
    loaded?.desk.heed();
  }
  const fetched = /** @type {((request: Request, id: number) => Promise<unknown>)|undefined} */ (fetching[type]);
  const inTurn = () => void (queue = queue.then(() => answer(request)));
  if (!fetched || !loaded || crashed) return inTurn();
  const line = type.startsWith('write-') ? 'write' : type;
  lines[line] = (lines[line] ?? Promise.resolve()).then(() => fetched(request, id)).then(inTurn, (thrown) => failed(id, thrown));
}

// A worker that is killed sends no farewell. It holds a lock named after itself instead: the page waits for that same
// lock, and getting it means that this worker is gone.
if (self.name && navigator.locks) {
  navigator.locks.request(self.name, () => {
    locked = true;
    post({ event: 'alive', locked });
    return new Promise(() => {});
  });
} else {
  post({ event: 'alive', locked }); // a page without https has no locks
}

// A trap inside an asynchronous wasm function rejects nothing that anybody waits for: make it an error the page hears of. One of
// the GPU's module ends what waits for that module, and the CPU takes over.
self.addEventListener('unhandledrejection', (event) => {
  if (tookTrap(event.reason)) event.preventDefault();
  else self.reportError(event.reason);
});
self.addEventListener('error', (event) => {
  if (tookTrap(event.error)) event.preventDefault();
});
