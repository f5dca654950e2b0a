/**
 * The scorers of one artefact: one on the CPU, always; one on WebGPU, where an adapter is worth it or was asked for. Whole
 * catalogues go to the GPU where there is one, questions about few items to the CPU. A GPU that fails is given up for the CPU,
 * which says so; the question is answered all the same. A visitor may turn from one to the other at any time: what has been
 * started stays. Runs in the worker.
 */
import { findAdapter } from './worker-adapter.js';
import { isTrap } from './worker-fault.js';
import { fetchEngine } from './worker-fetch.js';
import { Team } from './worker-team.js';
import { begin, GPU, gpuTrap, unlessTrapped } from './worker-trap.js';

/** @typedef {import('./types.js').Backend} Backend */
/** @typedef {import('./types.js').BackendChoice} BackendChoice */
/** @typedef {import('./types.js').RawTaste} Taste */
/** @typedef {import('./types.js').CatalogueScorer} CatalogueScorer */
/** @typedef {import('./types.js').Scorer} Scorer */
/** @typedef {import('./types.js').GpuEngine} GpuEngine */

/**
 * @typedef {object} Source what the scorer for WebGPU is started from
 * @property {import('./worker-fetch.js').Code} code
 * @property {string} manifestText
 * @property {Map<string, Uint8Array>} files
 * @property {import('./worker-fetch.js').OnBytes} onBytes
 * @property {() => void} onFetched told once its code is here
 * @property {() => void} onStart told when it starts and scores for the first time, for which the driver compiles
 * @property {boolean} again past what the browser has cached
 */

/** Largest difference between a GPU's score and the CPU's before the GPU is not trusted. */
const TOLERANCE = 1e-3;

/** What is wrong with a question, whoever is asked. */
const USAGE = new Set(['bad-taste', 'bad-call', 'no-such-user']);

/** Instances of the module that are started: one that has lost its device answers nothing any more, and what it holds stays in memory. */
const MOST_INSTANCES = 3;
const LOST = 'the graphics device was lost here several times, and only loading the page again starts it anew';

const CRASHED = 'its scorer crashed here, and only loading the page again starts it anew';

export class Engines {
  /** @type {Scorer} */
  cpu;
  /** The same for whole catalogues, with its helpers. @type {Team} */
  team;
  /** The one on WebGPU, once it has started and was found right. @type {CatalogueScorer|null} */
  #gpu = null;
  /** @type {GpuEngine|null} */
  #engine = null;
  /** Why it could not be fetched for the turn that comes next. @type {unknown} */
  #unfetched = null;
  /** @type {import('./worker-adapter.js').Adapter|null} */
  #adapter = null;
  /** Why WebGPU cannot be used here; null where it can; undefined where nobody has looked. @type {string|null|undefined} */
  #hindrance = undefined;
  /** Largest one between the two scorers, once both have scored. @type {number|undefined} */
  #difference = undefined;
  /** Whether the adapter may be another one by now, or none. */
  #lookAgain = false;
  /** The one that is starting: a turn that was stopped leaves it to that, and the next one waits for the same. @type {Promise<CatalogueScorer>|null} */
  #starting = null;
  /** Ends once the module has arrived, or cannot, for a turn that may have been stopped. */
  #arriving = Promise.resolve();
  /** What a turn that was stopped has asked of it and not been told yet. @type {Promise<unknown>|null} */
  #unheard = null;
  /** Instances of the module that have failed. */
  #spent = 0;
  /** Kept for a later turn to WebGPU; null once that cannot come. @type {Source|null} */
  #source;
  /** @type {{cpu: WebAssembly.Memory, gpu: WebAssembly.Memory|null}} */
  #memory;
  /** @type {Backend} */
  backend = { used: 'cpu', adapter: null, reason: 'The CPU is used because it was asked for.' };
  #onChange;

  /**
   * @param {Scorer} cpu
   * @param {WebAssembly.Memory} memory of its module
   * @param {Source} source
   * @param {(backend: Backend) => void} onChange told when the GPU was given up
   * @param {(team: import('./types.js').Team & {memory: import('./types.js').Memory}) => void} onTeam told how many workers score on the CPU, and what memory is held then
   */
  constructor(cpu, memory, source, onChange, onTeam) {
    this.cpu = cpu;
    this.team = new Team(cpu, source, (standing) => onTeam({ ...standing, memory: this.memory() }));
    this.#memory = { cpu: memory, gpu: null };
    this.#source = source;
    this.#onChange = onChange;
  }

  /**
   * Turns to WebGPU where that is allowed and worth it, or to the CPU; the backend says why.
   * @param {BackendChoice} prefer
   * @param {AbortSignal} [signal] ends a turn to WebGPU: what is thrown then is the signal's own reason, and everything is as before
   */
  async choose(prefer, signal) {
    const adapter = await this.#look();
    if (gpuTrap()) this.#drop(gpuTrap());
    if (prefer === 'cpu') return this.#use('cpu', 'The CPU is used because it was asked for.');
    if (!adapter || this.#hindrance) return this.#use('cpu', `The CPU is used because ${this.#hindrance}.`);
    if (adapter.emulated && prefer === 'auto') {
      return this.#use('cpu', 'The CPU is used because this browser’s WebGPU adapter is emulated in software, which is slower.');
    }
    try {
      if (!this.#gpu) {
        this.#starting ??= this.#start();
        this.#gpu = await unlessStopped(this.#starting, signal);
        this.#starting = null;
      }
      this.#difference = await this.#compare(this.#gpu, signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.#drop(error);
      return this.#use('cpu', `The CPU is used because WebGPU ${whatFailed(error, 'did not start')}.`);
    }
    if (!(this.#difference <= TOLERANCE)) {
      this.#hindrance = `this GPU computes other scores than the CPU (by ${this.#difference})`;
      this.#drop(null);
      return this.#use('cpu', `The CPU is used because ${this.#hindrance}.`);
    }
    const reason =
      prefer === 'auto'
        ? 'WebGPU is used because this browser has a real adapter, and it scores the first user as the CPU does.'
        : `WebGPU is used because it was asked for${adapter.emulated ? ', although its adapter is emulated in software, which is slow' : ''}.`;
    this.#use('webgpu', reason);
  }

  /** Looks for an adapter, once, and again after its device was lost. */
  async #look() {
    if (this.#hindrance === undefined || this.#lookAgain) {
      this.#lookAgain = false;
      const found = await findAdapter();
      this.#adapter = typeof found === 'string' ? null : found;
      this.#hindrance = typeof found === 'string' ? found : null;
      if (!this.#adapter) this.#source = null;
    }
    return this.#adapter;
  }

  /**
   * Fetches what a turn to this backend takes, if that is not here. Lists may be asked for meanwhile; what goes wrong is told by the turn.
   * @param {BackendChoice} prefer
   * @param {AbortSignal} [signal] ends it: what is thrown then is the signal's own reason
   */
  async fetch(prefer, signal) {
    if (prefer === 'cpu') return;
    const adapter = await this.#look();
    if (!adapter || this.#hindrance || gpuTrap() || this.#engine || (adapter.emulated && prefer === 'auto')) return;
    await unlessStopped(this.#arriving, signal);
    if (this.#engine) return;
    try {
      const fetched = this.#fetch(signal);
      this.#arriving = fetched.then(
        () => {},
        () => {},
      );
      await unlessStopped(fetched, signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.#unfetched = error;
    }
  }

  /** Fetches the module of the scorer for WebGPU. @param {AbortSignal} [signal] */
  async #fetch(signal) {
    if (!this.#source) throw { kind: 'engine', message: 'The artefact is not kept.' };
    const { code, onBytes, onFetched, again } = this.#source;
    begin(GPU, this.#spent);
    this.#engine = /** @type {GpuEngine} */ (await fetchEngine(code, GPU, onBytes, { again, instance: this.#spent, signal }));
    onFetched();
    return this.#engine;
  }

  /** Starts the scorer for WebGPU. */
  async #start() {
    const unfetched = this.#unfetched;
    this.#unfetched = null;
    if (unfetched) throw unfetched;
    const engine = this.#engine ?? (await this.#fetch());
    if (!this.#source) throw { kind: 'engine', message: 'The artefact is not kept.' };
    const { manifestText, files, onStart } = this.#source;
    onStart();
    this.#memory.gpu = (await engine.default()).memory;
    return unlessTrapped(engine.GpuScorer.load(manifestText, files));
  }

  /** Largest difference between the two scorers for the first stored viewer. @param {CatalogueScorer} gpu @param {AbortSignal} [signal] */
  async #compare(gpu, signal) {
    await unlessStopped(this.#unheard ?? Promise.resolve(), signal).catch(() => signal?.throwIfAborted());
    const taste = await this.cpu.taste(0);
    const expected = await this.cpu.scores(taste);
    this.#unheard = unlessTrapped(gpu.scores(taste));
    const found = await unlessStopped(/** @type {Promise<Float32Array>} */ (this.#unheard), signal);
    this.#unheard = null;
    return expected.reduce((most, score, item) => Math.max(most, Math.abs(score - (found[item] ?? NaN))), 0);
  }

  /** @param {Backend['used']} used @param {string} reason */
  #use(used, reason) {
    this.backend = { used, adapter: this.#adapter?.name ?? null, reason };
    if (this.#difference !== undefined) this.backend.difference = this.#difference;
    if (this.#hindrance !== undefined) this.backend.hindrance = this.#hindrance;
  }

  /**
   * Lets the scorer on WebGPU go; where its module is dead, for good. A module whose device was lost never gets another one, so the
   * next turn to WebGPU starts another instance of it.
   * @param {unknown} error
   */
  #drop(error) {
    this.#gpu = null;
    this.#starting = null;
    this.#unheard = null;
    const started = this.#engine !== null;
    this.#engine = null;
    this.#memory.gpu = null;
    if (started) this.#spent += 1;
    this.#lookAgain = started && this.#hindrance === null;
    if (!isTrap(error) && this.#spent < MOST_INSTANCES) {
      // What the browser has cached may be what was wrong.
      if (!started && this.#source) this.#source = { ...this.#source, again: true };
      return;
    }
    this.#hindrance = isTrap(error) ? CRASHED : (this.#hindrance ?? LOST);
    this.#lookAgain = false;
    this.#source = null;
  }

  /**
   * Asks the scorer in use, or the CPU's where the GPU's has just failed.
   * @template T
   * @param {(scorer: CatalogueScorer) => Promise<T>} question
   * @returns {Promise<T>}
   */
  async #ask(question) {
    if (this.#gpu && gpuTrap()) this.#giveUp(gpuTrap());
    if (this.#gpu && this.backend.used === 'webgpu') {
      try {
        return await unlessTrapped(question(this.#gpu));
      } catch (error) {
        if (USAGE.has(/** @type {{kind?: string}} */ (error)?.kind ?? '')) throw error;
        this.#giveUp(error);
      }
    }
    return question(this.team);
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.#drop(error);
    if (this.backend.used === 'cpu') return;
    this.#use('cpu', `The CPU is used now because WebGPU ${whatFailed(error, 'failed')}.`);
    this.#onChange(this.backend);
  }

  /** With what scored it: a turn to the other backend may come before the list is looked at. @param {Taste} taste @param {number} count @param {Taste|null} before */
  async recommend(taste, count, before) {
    const ranking = await this.#ask((scorer) => scorer.recommend(taste, count, before));
    return { ...ranking, used: this.backend.used };
  }

  /** @param {Taste} taste */
  scores(taste) {
    return this.#ask((scorer) => scorer.scores(taste));
  }

  /** How many milliseconds scoring this taste takes. @param {Taste} taste */
  measure(taste) {
    return this.#ask((scorer) => scorer.measure(taste));
  }

  /** What the modules have taken of the memory. @returns {import('./types.js').Memory} */
  memory() {
    const { cpu, gpu } = this.#memory;
    return { cpu: cpu.buffer.byteLength, gpu: gpu?.buffer.byteLength ?? null, helpers: this.team.memory() };
  }
}

/**
 * The same promise, unless nobody waits for it any more; what it ends with then is nobody's.
 * @template T @param {Promise<T>} answer @param {AbortSignal} [signal] @returns {Promise<T>}
 */
function unlessStopped(answer, signal) {
  if (!signal) return answer;
  answer.catch(() => {});
  const stopped = new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  stopped.catch(() => {});
  return Promise.race([/** @type {Promise<never>} */ (stopped), answer]);
}

/** What went wrong with WebGPU, as the end of a sentence. @type {Record<string, string>} */
const WORDS = {
  missing: 'could not be fetched: a file of it is not here',
  network: 'could not be fetched: the connection failed',
  truncated: 'could not be fetched: a file of it arrived incomplete',
  tampered: 'could not be started: a file of it is not the one that was published',
  outdated: 'could not be fetched: a newer version of this page is there, so reload it',
  engine: 'could not be started here',
};

/** What a driver or a library says of it is for the console. @param {unknown} error @param {'failed'|'did not start'} otherwise */
function whatFailed(error, otherwise) {
  console.warn(error);
  if (isTrap(error)) return 'crashed';
  const { kind = '' } = /** @type {{kind?: string}} */ (error ?? {});
  if (kind === 'device') return otherwise === 'failed' ? 'lost its graphics device' : 'was given no graphics device';
  return WORDS[kind] ?? otherwise;
}
