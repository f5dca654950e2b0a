/**
 * A helper of the scorer's worker: another worker with a scorer of its own, which scores parts of the catalogue beside it. It answers
 * nobody else. js/worker-team.js is the other side.
 */
import { isTrap } from './js/worker-fault.js';
import { fetchEngine } from './js/worker-fetch.js';
import { nextTurn } from './js/worker-turn.js';

/** @typedef {import('./js/types.js').ToHelper} ToHelper */
/** @typedef {import('./js/types.js').FromHelper} FromHelper */

/** @param {FromHelper} message @param {Transferable[]} [transfer] */
const post = (message, transfer = []) => self.postMessage(message, transfer);

/** @type {{scorer: import('./js/types.js').Scorer, memory: WebAssembly.Memory}|null} */
let loaded = null;
/** The scoring that is under way, and 0 once all of it was found. */
let wanted = 0;

/** @param {Extract<ToHelper, {type: 'load'}>} message */
async function load({ hashes, manifestText, files, again }) {
  const code = { base: new URL('./', import.meta.url), hashes };
  const engine = /** @type {import('./js/types.js').Engine} */ (await fetchEngine(code, 'curec-web', () => {}, { again }));
  const scorer = await engine.Scorer.load(manifestText, files);
  loaded = { scorer, memory: (await engine.default()).memory };
  post({ type: 'ready', memory: loaded.memory.buffer.byteLength });
}

/** @param {Extract<ToHelper, {type: 'score'}>} message */
async function score({ scoring, taste, parts }) {
  wanted = scoring;
  if (!loaded) return;
  const { scorer, memory } = loaded;
  for (const [at, { place, first, end }] of parts.entries()) {
    const part = await scorer.part(taste, first, end, at === 0);
    post({ type: 'part', scoring, place, part, memory: memory.buffer.byteLength }, [part.buffer]);
    await nextTurn(); // word may have come that the rest is found
    if (wanted !== scoring) return;
  }
}

self.addEventListener('message', async (/** @type {MessageEvent<ToHelper>} */ { data }) => {
  try {
    if (data.type === 'load') await load(data);
    else if (data.type === 'score') await score(data);
    else if (wanted === data.scoring) wanted = 0;
  } catch (thrown) {
    // A question that cannot be answered is answered so by the worker's own scorer; a module that is dead helps nobody.
    if (data.type === 'load' || isTrap(thrown)) {
      console.warn(thrown);
      post({ type: 'gone' });
    }
  }
});
