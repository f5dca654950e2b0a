/** The page's side of the worker: hold it to its hash, start it, ask it, notice when it is gone. */
import { CODE } from './build.js';
import { asFault, isCrash } from './errors.js';
import { HASHES } from './hashes.js';
import { holdAll, orOutdated } from './integrity.js';

/** @typedef {import('./types.js').Fault} Fault */
/** @typedef {import('./types.js').Answers} Answers */

/** @type {Fault} */
const NOT_RUNNING = { kind: 'gone', message: 'The scorer is not running.' };

/** @type {Fault} */
const STOPPED = { kind: 'superseded', message: 'Nobody waits for this any more.' };

/** @type {Fault} */
const KILLED = { kind: 'gone', message: 'The browser ended the background worker, often to free memory.' };

/** @type {Fault} */
const HUNG = { kind: 'hung', message: 'The background worker answered nothing any more, not even whether it is there, and was ended.' };

/**
 * While an answer is waited for, the worker is asked each so many milliseconds whether it is there, and so many questions in a row without
 * a word of any kind mean that it hangs or is gone. Until its first word, and on a page without https, which has no locks, there is
 * no other news of a worker's end. A worker that computes cannot answer either, so this is far more than anything takes that it does at one go: a list
 * is a second on a slow device, a question about many titles, or to read a model, several; texts are written a token at a time. Questions are counted
 * and not time, which goes on while a device sleeps.
 */
const PULSE = 5000;
const SILENT = { list: 3, other: 8 };
/** After so many the page says so, and offers to start the scorer again. */
const QUIET = 1;

/** What is asked for a list alone. Requests run one after another, so whatever else is waited for may be what takes its time. @type {Set<keyof Answers>} */
const OF_A_LIST = new Set(['viewer', 'recommend', 'nearest', 'scores']);

let serial = 0;

export class ScorerClient {
  /** @type {Worker|null} */
  #worker = null;
  /** @type {AbortController|null} */
  #watch = null;
  /** What is waited for. `warms`: a GPU's scorer may get ready for it, and what a driver compiles takes a minute or more. @type {Map<number, {type: keyof Answers, warms: boolean, resolve: (value: any) => void, reject: (fault: Fault) => void, onDraft: (text: string, attempt: number) => void}>} */
  #waiting = new Map();
  #lastId = 0;
  #alive = false;
  /** Set while the files of a worker are held to their hashes; what is asked meanwhile waits for it. @type {{abort: AbortController, messages: {id: number}[]}|null} */
  #starting = null;
  /** @type {number|undefined} */
  #pulse = undefined;
  /** Questions whether it is there since the worker's last word. */
  #unanswered = 0;
  /** Whether lists come from a GPU, whose driver may hold a worker up for long. */
  #graphics = false;
  /** Why there is no worker. @type {Fault} */
  #end = NOT_RUNNING;
  #onProgress;
  #onBackend;
  #onTeam;
  #onFetched;
  #onDeath;
  #onQuiet;

  /**
   * @param {object} options
   * @param {(progress: import('./types.js').Progress) => void} options.onProgress
   * @param {(backend: import('./types.js').Backend) => void} options.onBackend called when scores come from elsewhere from now on
   * @param {(team: import('./types.js').Team & {memory: import('./types.js').Memory}) => void} options.onTeam called when so many workers score on the CPU from now on, with the memory that is held then
   * @param {(group: string) => void} options.onFetched called when a part is here that not every visit fetches
   * @param {(fault: Fault) => void} options.onDeath called when the worker is gone and no request was waiting to be told
   * @param {(quiet: boolean) => void} options.onQuiet called when the worker has not answered for long, and when that is over
   */
  constructor({ onProgress, onBackend, onTeam, onFetched, onDeath, onQuiet }) {
    this.#onProgress = onProgress;
    this.#onBackend = onBackend;
    this.#onTeam = onTeam;
    this.#onFetched = onFetched;
    this.#onDeath = onDeath;
    this.#onQuiet = onQuiet;
  }

  /**
   * Starts a fresh worker (ending an older one) and loads the artefact.
   * @param {Omit<import('./types.js').LoadRequest, 'type'|'hashes'>} what
   */
  async start(what) {
    this.stop();
    const starting = { abort: new AbortController(), messages: /** @type {{id: number}[]} */ ([]) };
    this.#starting = starting;
    holdAll(CODE, HASHES.worker, what.again, starting.abort.signal).then(
      () => starting === this.#starting && this.#launch(),
      // Whoever asks later is told that none is running, and may start one.
      (thrown) => starting === this.#starting && this.#ended(asFault(thrown), NOT_RUNNING),
    );
    try {
      return await this.ask('load', { ...what, hashes: HASHES.scorers });
    } catch (thrown) {
      const found = asFault(thrown);
      throw found.file || found.kind === 'worker' ? await orOutdated(found) : found;
    }
  }

  #launch() {
    const messages = this.#starting?.messages ?? [];
    this.#starting = null;
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
    for (const message of messages) worker.postMessage(message);
    this.#listen();
  }

  /**
   * Sends one request; rejects with a fault.
   * @template {keyof Answers} T
   * @param {T} type
   * @param {Omit<Extract<import('./types.js').Request, {type: T}>, 'type'>} payload
   * @param {(text: string, attempt: number) => void} [onDraft] told how far a text is that is being written
   * @param {AbortSignal} [signal] ends that text, or a turn to another backend, and what is fetched for it: the request is superseded then
   * @returns {Promise<Answers[T]>}
   */
  ask(type, payload, onDraft = () => {}, signal) {
    if (signal?.aborted) return Promise.reject(STOPPED);
    if (!this.#worker && !this.#starting) return Promise.reject(this.#end);
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const { backend, prefer = backend } = /** @type {{backend?: string, prefer?: string}} */ (payload);
      this.#waiting.set(id, { type, warms: prefer !== undefined && prefer !== 'cpu', resolve, reject, onDraft });
      const message = { id, type, ...payload };
      if (this.#worker) this.#worker.postMessage(message);
      else this.#starting?.messages.push(message);
      this.#listen();
      signal?.addEventListener('abort', () => this.#endWork(id));
    });
  }

  /** Ends a text that is being written, or a turn; one that no worker has been asked for yet is never asked for. @param {number} id */
  #endWork(id) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (this.#worker) return this.#worker.postMessage({ stop: id });
    if (this.#starting) this.#starting.messages = this.#starting.messages.filter((message) => message.id !== id);
    this.#waiting.delete(id);
    waiting.reject(STOPPED);
  }

  /** Ends the worker on purpose; waiting requests are told so. */
  stop() {
    this.#clear();
    this.#end = NOT_RUNNING;
    this.#rejectAll({ kind: 'superseded', message: 'The scorer was started again.' });
  }

  /** Leaves no worker, and none on its way. */
  #clear() {
    this.#starting?.abort.abort();
    this.#starting = null;
    this.#watch?.abort();
    this.#watch = null;
    this.#stopListening();
    this.#worker?.terminate();
    this.#worker = null;
  }

  /** Ends a worker that does not answer; whoever waits is told that it hung. */
  giveUp() {
    if (this.#worker) this.#ended(HUNG);
  }

  /** @param {Worker} worker @param {string} name @param {import('./types.js').FromWorker} message */
  #receive(worker, name, message) {
    if (worker !== this.#worker) return;
    this.#heard();
    if ('event' in message) {
      if (message.event === 'progress') this.#onProgress(message);
      else if (message.event === 'backend') {
        this.#graphics = message.backend.used === 'webgpu';
        this.#onBackend(message.backend);
      }
      else if (message.event === 'team') this.#onTeam(message.team);
      else if (message.event === 'fetched') this.#onFetched(message.group);
      else if (message.event === 'draft') this.#waiting.get(message.id)?.onDraft(message.text, message.attempt);
      else {
        this.#alive = true;
        if (!message.locked) this.#listen();
        else if (!this.#watch) this.#waitForDeath(worker, name);
      }
      return;
    }
    // With the wasm instance the worker is of no more use. Ended now, it cannot report the same trap a second time, as an error.
    if (!message.ok && isCrash(message.error)) return this.#died(worker, message.error);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.ok && waiting?.type === 'load') this.#graphics = /** @type {Answers['load']} */ (message.value).backend.used === 'webgpu';
    if (message.ok && waiting?.type === 'backend') this.#graphics = /** @type {Answers['backend']} */ (message.value).used === 'webgpu';
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
        this.#died(worker, KILLED);
      })
      .catch(() => {}); // aborted: ended on purpose
  }

  /** Asks now and then whether the worker is there, as long as an answer is waited for. */
  #listen() {
    const worker = this.#worker;
    if (!worker || this.#pulse !== undefined) return;
    this.#unanswered = 0;
    this.#pulse = setInterval(() => {
      if (this.#waiting.size === 0) return this.#stopListening();
      if (this.#unanswered >= this.#patience()) return this.#died(worker, this.#watch ? HUNG : KILLED);
      if (this.#unanswered >= QUIET) this.#onQuiet(true);
      this.#unanswered += 1;
      worker.postMessage('ping');
    }, PULSE);
  }

  #stopListening() {
    clearInterval(this.#pulse);
    this.#pulse = undefined;
    this.#heard();
  }

  /** The worker is there, or nobody asks any more. */
  #heard() {
    if (this.#unanswered > QUIET) this.#onQuiet(false);
    this.#unanswered = 0;
  }

  /** How many questions in a row may go unanswered. While a GPU's scorer gets ready any number: whether that takes too long is the visitor's to say. */
  #patience() {
    const all = [...this.#waiting.values()];
    if (this.#watch && all.some(({ warms }) => warms)) return Infinity;
    const listAlone = !this.#graphics && all.every(({ type }) => OF_A_LIST.has(type));
    return this.#watch && listAlone ? SILENT.list : SILENT.other;
  }

  /** @param {Worker} worker @param {Fault} fault */
  #died(worker, fault) {
    if (worker === this.#worker) this.#ended(fault);
  }

  /** @param {Fault} fault for whoever is waiting @param {Fault} [end] for whoever asks later */
  #ended(fault, end = fault) {
    this.#clear();
    this.#end = end;
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
