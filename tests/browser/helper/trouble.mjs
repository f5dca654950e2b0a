/** A scorer that fails when a test wants it to: the built engine, real or mock, with a few lines appended that act as it does in trouble. */
import { scorer } from './harness.mjs';
import { integrityOf } from './release.mjs';

const NO_HASHES = Buffer.from('export const HASHES = { worker: {}, keeper: {}, scorers: {} };\n');

/**
 * A server's rules by which the page knows no hashes and so runs altered workers and scorers, as it does where it is served as it
 * stands in the sources: the page itself would not let one pass.
 * @type {Record<string, import('./server.mjs').Rule>}
 */
const UNHELD = {
  '/js/hashes.js': () => ({ body: NO_HASHES }),
  '/index.html': (page) => ({ body: Buffer.from(String(page).replace(/(js\/hashes\.js" integrity=")[^"]+/, `$1${integrityOf(NO_HASHES)}`)) }),
};

/**
 * A server's rules by which a script of the worker's has lines appended, and runs.
 * @param {string} file @param {string} lines @returns {Record<string, import('./server.mjs').Rule>}
 */
export const appended = (file, lines) => ({ ...UNHELD, [file]: (content) => ({ body: Buffer.concat([content, Buffer.from(`;\n${lines}\n`)]) }) });

/**
 * Appended to the engine, so it is written for the worker and sees nothing of this file. There `__trouble` names what the next
 * ranking does, once.
 * @param {any} Scorer the engine's class
 * @param {boolean} panicsAtStart loading panics
 */
function makeTrouble(Scorer, panicsAtStart) {
  const { load } = Scorer;
  const { recommend } = Scorer.prototype;
  const trap = () => new WebAssembly.RuntimeError('unreachable');
  const later = () =>
    setTimeout(() => {
      throw trap();
    });
  // As web/bridge/src/promise.rs does it: the hook rejects what is under way, then the trap comes out of a task that nobody awaits.
  // The page hears of the two in either order.
  const panic = (/** @type {boolean} */ trapsLater) =>
    new Promise((_, reject) =>
      queueMicrotask(() => {
        reject({ kind: 'panic', message: 'the scorer crashed: panicked at web/cpu/src/lib.rs:1:1' });
        if (!trapsLater) throw trap();
        later();
      }),
    );
  /** @type {Record<string, () => Promise<unknown>>} */
  const kinds = {
    fail: () => Promise.reject({ kind: 'score-not-finite', message: 'The scores are not finite.' }),
    trap: () => Promise.reject(trap()),
    'late trap': () => {
      later();
      return new Promise(() => {});
    },
    panic: () => panic(false),
    'panic, then trap': () => panic(true),
    never: () => new Promise(() => {}),
    // As burn says it of a device that is no more; this instance of the module has no other one.
    lost: () => {
      isLost = true;
      return Promise.reject({ kind: 'device', message: 'the device failed: The device is poisoned\n\nCaused by: WgpuDevice { … }' });
    },
  };
  let isLost = false;
  const { scores } = Scorer.prototype;
  Scorer.prototype.scores = function (/** @type {unknown[]} */ ...request) {
    return isLost ? kinds.lost?.() : scores.apply(this, request);
  };
  Scorer.load = (/** @type {unknown[]} */ ...request) => (panicsAtStart ? panic(false) : load.apply(Scorer, request));
  Scorer.prototype.recommend = function (/** @type {unknown[]} */ ...request) {
    const worker = /** @type {any} */ (globalThis);
    const trouble = isLost ? kinds.lost : kinds[worker.__trouble];
    delete worker.__trouble;
    return trouble ? trouble() : recommend.apply(this, request);
  };
}

/**
 * A server's rules by which it hands out such an engine.
 * @param {'cpu'|'gpu'} [engine]
 * @param {{panicsAtStart?: boolean}} [troubles]
 * @returns {Record<string, import('./server.mjs').Rule>}
 */
export const troubled = (engine = 'cpu', { panicsAtStart = false } = {}) => {
  const [file, name] = engine === 'cpu' ? ['/curec-web.js', 'Scorer'] : ['/curec-web-gpu.js', 'GpuScorer'];
  return appended(file, `(${makeTrouble})(${name}, ${panicsAtStart});`);
};

/** What the next ranking shall do. @param {import('playwright-core').Page} page @param {'fail'|'trap'|'late trap'|'panic'|'panic, then trap'|'never'|'lost'} trouble */
export const nextRanking = (page, trouble) =>
  scorer(page)?.evaluate((value) => {
    /** @type {any} */ (globalThis).__trouble = value;
  }, trouble);

/**
 * A server's rules by which each scoring of a measurement takes so long, the one before loading ends excepted; `__measured` counts them.
 * @param {number} milliseconds
 * @returns {Record<string, import('./server.mjs').Rule>}
 */
export const slowMeasuring = (milliseconds) => {
  const slow = (/** @type {any} */ Scorer, /** @type {number} */ each) => {
    const worker = /** @type {any} */ (globalThis);
    worker.__measured = -1;
    // No helpers: whether they pay is measured too.
    Object.defineProperty(worker.navigator, 'hardwareConcurrency', { value: 1 });
    Scorer.prototype.measure = () => {
      worker.__measured += 1;
      return new Promise((resolve) => setTimeout(() => resolve(each), worker.__measured > 0 ? each : 0));
    };
  };
  return appended('/curec-web.js', `(${slow})(Scorer, ${milliseconds});`);
};

/**
 * A server's rules by which questions about a list take so long, and so do rows beyond the first ten.
 * @param {number} milliseconds
 * @returns {Record<string, import('./server.mjs').Rule>}
 */
export const slowAsking = (milliseconds) => {
  const slow = (/** @type {any} */ Scorer, /** @type {number} */ each) => {
    // No helpers: what they measure comes between.
    Object.defineProperty(globalThis.navigator, 'hardwareConcurrency', { value: 1 });
    for (const name of ['probe', 'counterfactual', 'recommend']) {
      const ask = Scorer.prototype[name];
      Scorer.prototype[name] = async function (/** @type {any[]} */ ...request) {
        if (name !== 'recommend' || request[1] > 10) await new Promise((resolve) => setTimeout(resolve, each));
        return ask.apply(this, request);
      };
    }
  };
  return appended('/curec-web.js', `(${slow})(Scorer, ${milliseconds});`);
};

/**
 * A server's rules by which helpers are started on however small a catalogue, and stay whatever they take.
 * @returns {Record<string, import('./server.mjs').Rule>}
 */
export const sharing = () => ({
  ...UNHELD,
  '/js/worker-team.js': (content) => ({ body: Buffer.from(String(content).replace('const WORTH = 8;', 'const WORTH = 0;').replace('const GAIN = 0.85;', 'const GAIN = Infinity;')) }),
});
