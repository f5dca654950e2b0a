/**
 * The scorers of one artefact: one on the CPU, always; one on WebGPU, where an adapter is worth it or was asked for. Whole
 * catalogues go to the GPU where there is one, questions about few items to the CPU. A GPU that fails is given up for the CPU,
 * which says so; the question is answered all the same. Runs in the worker.
 */
import { findAdapter } from './worker-adapter.js';
import { fetchEngine } from './worker-fetch.js';

/** @typedef {import('./types.js').Backend} Backend */
/** @typedef {import('./types.js').BackendChoice} BackendChoice */
/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./types.js').CatalogueScorer} CatalogueScorer */
/** @typedef {import('./types.js').Scorer} Scorer */

/** Largest difference between a GPU's score and the CPU's before the GPU is not trusted. */
const TOLERANCE = 1e-3;

const GPU = 'curec-web-gpu';

/** What is wrong with a question, whoever is asked. */
const USAGE = new Set(['bad-taste', 'bad-call', 'no-such-user']);

/** @param {string} reason @param {string|null} [adapter] @param {number} [difference] @returns {Backend} */
const onCpu = (reason, adapter = null, difference) => ({ used: 'cpu', adapter, reason, ...(difference === undefined ? {} : { difference }) });

/** Whether a trap that nobody awaited came out of the GPU's module: its glue stands in the stack. @param {unknown} error */
const fromGpu = (error) => error instanceof WebAssembly.RuntimeError && String(error.stack).includes(`${GPU}.js`);

/**
 * Ends what waits for the GPU's module once that has trapped: a trap that is no panic (no memory is left, say) settles no promise
 * of its own.
 * @type {(trap: unknown) => void}
 */
let tellTrap = () => {};

/** What the GPU's module trapped with: its memory can no longer be trusted, whether anybody waits for it or not. @type {unknown} */
let trap = null;

/**
 * To be told of every trap that nobody awaited; true where it was the GPU's, which is dealt with here.
 * @param {unknown} error
 */
export function tookTrap(error) {
  if (!fromGpu(error)) return false;
  trap = error;
  tellTrap(error);
  return true;
}

/** The same promise, unless the GPU's module traps first. @template T @param {Promise<T>} answer @returns {Promise<T>} */
function unlessTrapped(answer) {
  const trapped = new Promise((_, reject) => (tellTrap = reject));
  trapped.catch(() => {});
  return Promise.race([answer, /** @type {Promise<never>} */ (trapped)]);
}

export class Engines {
  /** @type {Scorer} */
  cpu;
  /** @type {CatalogueScorer|null} */
  #gpu = null;
  /** @type {Backend} */
  backend = onCpu('The CPU is used because it was asked for.');
  #onChange;

  /** @param {Scorer} cpu @param {(backend: Backend) => void} onChange told when the GPU was given up */
  constructor(cpu, onChange) {
    this.cpu = cpu;
    this.#onChange = onChange;
  }

  /**
   * Turns to WebGPU where that is allowed and worth it; the backend says why or why not.
   * @param {BackendChoice} prefer
   * @param {{base: URL, manifestText: string, files: Map<string, Uint8Array>, onBytes: import('./worker-fetch.js').OnBytes, again: boolean}} source
   */
  async choose(prefer, { base, manifestText, files, onBytes, again }) {
    if (prefer === 'cpu') return;
    const adapter = await findAdapter();
    if (typeof adapter === 'string') {
      this.backend = onCpu(`The CPU is used because ${adapter}.`);
      return;
    }
    if (adapter.emulated && prefer === 'auto') {
      this.backend = onCpu('The CPU is used because this browser’s WebGPU adapter is emulated in software, which is slower.', adapter.name);
      return;
    }
    let difference;
    try {
      const engine = /** @type {import('./types.js').GpuEngine} */ (await fetchEngine(base, GPU, onBytes, again));
      const gpu = await unlessTrapped(engine.GpuScorer.load(manifestText, files));
      difference = await this.#difference(gpu);
      if (!(difference <= TOLERANCE)) {
        this.backend = onCpu(`The CPU is used because this GPU computes other scores than the CPU (by ${difference}).`, adapter.name, difference);
        return;
      }
      this.#gpu = gpu;
    } catch (error) {
      this.backend = onCpu(`The CPU is used because WebGPU ${whatFailed(error, 'did not start')}.`, adapter.name);
      return;
    }
    const reason =
      prefer === 'auto'
        ? 'WebGPU is used because this browser has a real adapter, and it scores the first user as the CPU does.'
        : `WebGPU is used because it was asked for${adapter.emulated ? ', although its adapter is emulated in software, which is slow' : ''}.`;
    this.backend = { used: 'webgpu', adapter: adapter.name, reason, difference };
  }

  /** Largest difference between the two scorers for the first stored viewer. @param {CatalogueScorer} gpu */
  async #difference(gpu) {
    const taste = await this.cpu.taste(0);
    const [expected, found] = [await this.cpu.scores(taste), await unlessTrapped(gpu.scores(taste))];
    return expected.reduce((most, score, item) => Math.max(most, Math.abs(score - (found[item] ?? NaN))), 0);
  }

  /**
   * Asks the GPU, or the CPU where there is none, or where it has just failed.
   * @template T
   * @param {(scorer: CatalogueScorer) => Promise<T>} question
   * @returns {Promise<T>}
   */
  async #ask(question) {
    if (this.#gpu && trap) this.#giveUp(trap);
    if (this.#gpu) {
      try {
        return await unlessTrapped(question(this.#gpu));
      } catch (error) {
        if (USAGE.has(/** @type {{kind?: string}} */ (error)?.kind ?? '')) throw error;
        this.#giveUp(error);
      }
    }
    return question(this.cpu);
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.#gpu = null;
    this.backend = onCpu(`The CPU is used now because WebGPU ${whatFailed(error, 'failed')}.`, this.backend.adapter);
    this.#onChange(this.backend);
  }

  /** @param {Taste} taste @param {number} count @param {Taste|null} before */
  recommend(taste, count, before) {
    return this.#ask((scorer) => scorer.recommend(taste, count, before));
  }

  /** @param {Taste} taste */
  scores(taste) {
    return this.#ask((scorer) => scorer.scores(taste));
  }
}

/** @param {unknown} error @param {string} otherwise */
function whatFailed(error, otherwise) {
  console.warn(error);
  const { kind, message } = /** @type {{kind?: string, message?: string}} */ (error ?? {});
  if (kind === 'panic' || error instanceof WebAssembly.RuntimeError) return 'crashed';
  if (kind === 'missing' || kind === 'network' || kind === 'engine') return `could not be fetched or started here`;
  return typeof kind === 'string' ? `${otherwise} (${message})` : otherwise;
}
