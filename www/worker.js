/**
 * The scorer's worker: fetches the artefact, hands it to the wasm module, answers the page.
 *
 * Everything heavy or large lives here: the page asks for one viewer or one ranking at a time and gets exactly what it
 * draws. Requests run one after another (the wasm object is not re-entrant); of several waiting rankings only the newest is
 * computed. To add a request type: name it in js/types.js, add a line to `handlers`.
 */
import { readArtefact } from './js/worker-artefact.js';
import { Engines, tookTrap } from './js/worker-engines.js';
import { toFault } from './js/worker-fault.js';
import { fetchArtefact, fetchEngine } from './js/worker-fetch.js';

/** @typedef {import('./js/types.js').Request} Request */

/** @type {{engines: Engines, artefact: import('./js/worker-artefact.js').Artefact} | null} */
let loaded = null;
/** Set once the wasm instance has trapped: its memory can no longer be trusted, only a new worker helps. */
let crashed = false;
let newestRanking = 0;

/** @param {import('./js/types.js').FromWorker} message @param {Transferable[]} [transfer] */
const post = (message, transfer = []) => self.postMessage(message, transfer);

/** @param {import('./js/types.js').Phase} phase @returns {(loaded: number, total: number|null) => void} */
const progress = (phase) => (bytes, total) => post({ event: 'progress', phase, loaded: bytes, total });

function ready() {
  if (!loaded) throw { kind: 'not-loaded', message: 'The scorer was asked before the artefact was loaded.' };
  return loaded;
}

/** @type {{[T in Request['type']]: (request: Extract<Request, {type: T}>, id: number) => Promise<unknown>}} */
const handlers = {
  async load({ artefact: url, backend, again }) {
    const base = new URL('./', import.meta.url);
    const engine = /** @type {import('./js/types.js').Engine} */ (await fetchEngine(base, 'curec-web', progress('engine'), again));
    const { manifestText, files } = await fetchArtefact(new URL(url, import.meta.url), progress('artefact'), again);
    progress('check')(0, null);
    const scorer = await engine.Scorer.load(manifestText, files);
    // Only now, with sizes and hashes checked by the scorer, are the other files read.
    const artefact = readArtefact(manifestText, files);
    const engines = new Engines(scorer, (changed) => post({ event: 'backend', backend: changed }));
    await engines.choose(backend, { base, manifestText, files, onBytes: progress('gpu'), again });
    loaded = { engines, artefact };
    return { backend: engines.backend, ...artefact.overview() };
  },

  async viewer({ user }) {
    const { engines, artefact } = ready();
    return { ...artefact.user(user), taste: await engines.cpu.taste(user) };
  },

  async recommend({ taste, count, before }, id) {
    if (id !== newestRanking) throw { kind: 'superseded', message: 'A newer ranking was asked for.' };
    const { engines, artefact } = ready();
    return artefact.withWords(await engines.recommend(taste, count, before));
  },

  async scores({ taste }) {
    return ready().engines.scores(taste);
  },

  async probe({ taste, item }) {
    return ready().engines.cpu.probe(taste, item);
  },

  async counterfactual({ taste, limit }) {
    return ready().engines.cpu.counterfactual(taste, limit);
  },

  async nearest({ items }) {
    return ready().engines.cpu.nearest(Uint32Array.from(items));
  },
};

/** @param {Request & {id: number}} request */
async function answer(request) {
  const { id } = request;
  try {
    if (crashed) throw { kind: 'crashed', message: 'The scorer has stopped and must be started again.' };
    const handler = /** @type {(request: Request, id: number) => Promise<unknown>} */ (handlers[request.type]);
    post({ id, ok: true, value: await handler(request, id) });
  } catch (thrown) {
    const error = toFault(thrown);
    crashed ||= error.kind === 'crashed';
    post({ id, ok: false, error });
  }
}

/** @type {Promise<void>} */
let queue = Promise.resolve();

self.addEventListener('message', (/** @type {MessageEvent<Request & {id: number}>} */ event) => {
  if (event.data.type === 'recommend') newestRanking = event.data.id;
  queue = queue.then(() => answer(event.data));
});

// A worker that is killed sends no farewell. It holds a lock named after itself instead: the page waits for that same
// lock, and getting it means that this worker is gone.
if (self.name && navigator.locks) {
  navigator.locks.request(self.name, () => {
    post({ event: 'alive', locked: true });
    return new Promise(() => {});
  });
} else {
  post({ event: 'alive', locked: false }); // a page without https has no locks
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
