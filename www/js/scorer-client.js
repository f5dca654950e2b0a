/** The page's side of the worker: start it, ask it, notice when it is gone. */
import { isCrash } from './errors.js';

/** @typedef {import('./types.js').Fault} Fault */
/** @typedef {import('./types.js').Answers} Answers */

/** @type {Fault} */
const NOT_RUNNING = { kind: 'gone', message: 'The scorer is not running.' };

let serial = 0;

export class ScorerClient {
  /** @type {Worker|null} */
  #worker = null;
  /** @type {AbortController|null} */
  #watch = null;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (fault: Fault) => void, onDraft: (text: string, attempt: number) => void}>} */
  #waiting = new Map();
  #lastId = 0;
  #alive = false;
  /** Why there is no worker. @type {Fault} */
  #end = NOT_RUNNING;
  #onProgress;
  #onBackend;
  #onDeath;

  /**
   * @param {object} options
   * @param {(progress: import('./types.js').Progress) => void} options.onProgress
   * @param {(backend: import('./types.js').Backend) => void} options.onBackend called when scores come from elsewhere from now on
   * @param {(fault: Fault) => void} options.onDeath called when the worker is gone and no request was waiting to be told
   */
  constructor({ onProgress, onBackend, onDeath }) {
    this.#onProgress = onProgress;
    this.#onBackend = onBackend;
    this.#onDeath = onDeath;
  }

  /**
   * Starts a fresh worker (ending an older one) and loads the artefact.
   * @param {Omit<import('./types.js').LoadRequest, 'type'>} what
   */
  start(what) {
    this.stop();
    const name = `curec-scorer-${Date.now()}-${(serial += 1)}`;
    const worker = new Worker(new URL('../worker.js', import.meta.url), { type: 'module', name });
    this.#worker = worker;
    this.#alive = false;
    worker.addEventListener('message', ({ data }) => this.#receive(worker, name, data));
    worker.addEventListener('error', (event) => {
      // Before the worker's first word it never came up; after it, the wasm inside has trapped.
      if (!this.#alive) return this.#died(worker, { kind: 'worker', message: 'The background worker could not be started.' });
      this.#died(worker, { kind: 'crashed', message: 'The scorer ended with an error that it could not handle.' });
    });
    return this.ask('load', what);
  }

  /**
   * Sends one request; rejects with a fault.
   * @template {keyof Answers} T
   * @param {T} type
   * @param {Omit<Extract<import('./types.js').Request, {type: T}>, 'type'>} payload
   * @param {(text: string, attempt: number) => void} [onDraft] told how far a text is that is being written
   * @returns {Promise<Answers[T]>}
   */
  ask(type, payload, onDraft = () => {}) {
    const worker = this.#worker;
    if (!worker) return Promise.reject(this.#end);
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onDraft });
      worker.postMessage({ id, type, ...payload });
    });
  }

  /** Ends the worker on purpose; waiting requests are told so. */
  stop() {
    this.#watch?.abort();
    this.#watch = null;
    this.#worker?.terminate();
    this.#worker = null;
    this.#end = NOT_RUNNING;
    this.#rejectAll({ kind: 'superseded', message: 'The scorer was started again.' });
  }

  /** @param {Worker} worker @param {string} name @param {import('./types.js').FromWorker} message */
  #receive(worker, name, message) {
    if (worker !== this.#worker) return;
    if ('event' in message) {
      if (message.event === 'progress') this.#onProgress(message);
      else if (message.event === 'backend') this.#onBackend(message.backend);
      else if (message.event === 'draft') this.#waiting.get(message.id)?.onDraft(message.text, message.attempt);
      else {
        this.#alive = true;
        if (message.locked) this.#waitForDeath(worker, name);
      }
      return;
    }
    // With the wasm instance the worker is of no more use. Ended now, it cannot report the same trap a second time, as an error.
    if (!message.ok && isCrash(message.error)) return this.#died(worker, message.error);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.ok) waiting?.resolve(message.value);
    else waiting?.reject(message.error);
  }

  /**
   * The worker holds a lock named after it for as long as it lives: getting that lock is the news of its death.
   * @param {Worker} worker
   * @param {string} name
   */
  #waitForDeath(worker, name) {
    const watch = new AbortController();
    this.#watch = watch;
    navigator.locks
      .request(name, { signal: watch.signal }, () => {
        this.#died(worker, { kind: 'gone', message: 'The browser ended the background worker, often to free memory.' });
      })
      .catch(() => {}); // aborted: ended on purpose
  }

  /** @param {Worker} worker @param {Fault} fault */
  #died(worker, fault) {
    if (worker !== this.#worker) return;
    worker.terminate();
    this.#worker = null;
    this.#end = fault;
    const told = this.#waiting.size > 0;
    this.#rejectAll(fault);
    if (!told) this.#onDeath(fault);
  }

  /** @param {Fault} fault */
  #rejectAll(fault) {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(fault);
  }
}
