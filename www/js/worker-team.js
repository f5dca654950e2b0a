/**
 * The CPU's scorer and its helpers: workers that score parts of the catalogue beside it, each with a scorer of its own. A score depends on
 * no other title, so the list is the same to the last bit. Helpers are started once a list stands there, where the device has the
 * cores and one scoring takes long enough, and stay only if they were measured to be worth it. A helper that is slow, or dead, costs
 * no answer: whatever it has not sent when the scorer is through with its own parts, the scorer computes itself. Runs in the worker.
 */
import { nextTurn } from './worker-turn.js';

/** @typedef {import('./types.js').RawTaste} Taste */
/** @typedef {import('./types.js').Scorer} Scorer */
/** @typedef {import('./types.js').Team} Standing */
/** @typedef {import('./types.js').Slice} Slice */

/**
 * @typedef {Pick<import('./worker-engines.js').Source, 'code'|'manifestText'|'files'|'again'>} Source what a helper is started from
 * @typedef {{worker: Worker, memory: number, idle: number, asked: number, gone: boolean}} Helper `idle`: scorings in a row of which it sent nothing; `asked`: when the first of them was
 */

/** Each holds the whole artefact once more, so there is one where a device has less than so many gigabytes of memory. */
const MOST_HELPERS = 3;
const LITTLE_MEMORY = 4;
/** Milliseconds of one scoring below which nobody would notice a faster one. */
const WORTH = 8;
/** Of what the scorer takes alone, what it may take with helpers for them to stay. */
const GAIN = 0.85;
/** Scorings of each kind that this is measured by, after some that let the browser compile what a helper has just begun to run. */
const TRIALS = 7;
const WARM_UP = 4;
/** Parts of the catalogue that each worker gets: the smaller, the less is lost by waiting for the last one. */
const PARTS_EACH = 8;
/** Titles that the scorer computes side by side: a part is a number of them. */
const SIDE_BY_SIDE = 12;
/** After so many scorings, and so many milliseconds, without a word a helper is gone. */
const MOST_IDLE = 3;
const SILENCE = 1000;
/** Milliseconds without a request before something is measured, and that a helper may take to start. */
const CALM = 400;
const PATIENCE = 20_000;

export class Team {
  #own;
  /** @type {Source|null} */
  #source;
  #onChange;
  /** @type {Helper[]} */
  #helpers = [];
  /** Parts by the worker that begins with them, the scorer's own first. @type {Slice[][]} */
  #shares = [];
  #scoring = 0;
  /** What helpers have sent of the scoring under way. @type {(Float32Array|undefined)[]} */
  #found = [];
  /** @type {Standing} */
  standing = { workers: 1, alone: null, together: null, why: 'unmeasured' };

  /**
   * @param {Scorer} own
   * @param {Source} source
   * @param {(standing: Standing) => void} onChange
   */
  constructor(own, source, onChange) {
    this.#own = own;
    this.#source = source;
    this.#onChange = onChange;
  }

  /** Bytes that the helpers' modules have taken of the memory; null without helpers. */
  memory() {
    return this.#helpers.length > 0 ? this.#helpers.reduce((sum, { memory }) => sum + memory, 0) : null;
  }

  /**
   * Starts helpers if that pays here. Once.
   * @param {Taste} taste one to measure with
   * @param {number} alone milliseconds that scoring it took
   * @param {(job: () => Promise<void>) => Promise<void>} inTurn does something when no request is being answered
   * @param {() => number} newest number of the last request: another one ends a measurement, which is then done again
   */
  async begin(taste, alone, inTurn, newest) {
    if (!this.#source) return;
    if (alone < WORTH) return this.#stand({ why: 'fast alone', alone });
    const source = this.#source;
    this.#source = null;
    const most = mostHelpers();
    if (most < 1) return this.#stand({ why: 'one core', alone });
    if (typeof Worker === 'undefined') return this.#stand({ why: 'no helper', alone }); // older browsers let no worker start another
    const started = await Promise.all(Array.from({ length: most }, () => this.#start(source)));
    const helpers = started.filter((helper) => helper !== null);
    if (helpers.length === 0) return this.#stand({ why: 'no helper', alone });
    const without = () => this.#own.measure(taste);
    const withThem = async () => {
      this.#use(helpers);
      try {
        return await this.#score(taste, false);
      } finally {
        this.#use([]); // what is asked between is answered as before
      }
    };
    const [before = 0, after = 0] = await calmly([without, withThem], inTurn, newest).catch((thrown) => {
      for (const helper of helpers) this.#drop(helper);
      throw thrown;
    });
    const pays = after < GAIN * before;
    const alive = helpers.filter(({ gone }) => !gone);
    this.#use(pays ? alive : []);
    if (!pays) for (const { worker } of alive) worker.terminate();
    this.#stand({ why: alive.length === 0 ? 'lost' : pays ? 'pays' : 'does not pay', alone: before, together: after });
  }

  /** @param {Partial<Standing>} standing */
  #stand(standing) {
    this.standing = { ...this.standing, ...standing, workers: 1 + this.#helpers.length };
    this.#onChange(this.standing);
  }

  /** @param {Source} source @returns {Promise<Helper|null>} */
  #start({ code, manifestText, files, again }) {
    return new Promise((resolve) => {
      const worker = new Worker(new URL('../helper.js', import.meta.url), { type: 'module' });
      /** @type {Helper} */
      const helper = { worker, memory: 0, idle: 0, asked: 0, gone: false };
      const gone = () => {
        this.#drop(helper);
        resolve(null);
      };
      const patience = setTimeout(gone, PATIENCE);
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        gone();
      });
      worker.addEventListener('message', (/** @type {MessageEvent<import('./types.js').FromHelper>} */ { data }) => {
        if (data.type === 'gone') return gone();
        helper.memory = data.memory;
        if (data.type === 'ready') {
          clearTimeout(patience);
          return resolve(helper);
        }
        helper.idle = 0; // late or not
        if (data.scoring !== this.#scoring) return;
        this.#found[data.place] ??= data.part;
      });
      /** @type {import('./types.js').ToHelper} */
      const load = { type: 'load', hashes: code.hashes, manifestText, files, again };
      worker.postMessage(load);
    });
  }

  /** Divides the catalogue among these and the scorer itself. @param {Helper[]} helpers */
  #use(helpers) {
    this.#helpers = helpers;
    this.#shares = shares(this.#own.items(), 1 + helpers.length);
  }

  /** @param {Helper} helper */
  #drop(helper) {
    helper.worker.terminate();
    helper.gone = true;
    if (!this.#helpers.includes(helper)) return;
    this.#use(this.#helpers.filter((other) => other !== helper));
    this.#stand({ why: 'lost' });
  }

  /**
   * Scores the catalogue with all helpers.
   * @param {Taste} taste @param {boolean} keep for the next list
   * @returns {Promise<number>} milliseconds
   */
  async #score(taste, keep) {
    const since = performance.now();
    const scoring = (this.#scoring += 1);
    const [own = [], ...others] = this.#shares;
    /** @type {(Float32Array|undefined)[]} */
    const found = Array.from({ length: this.#shares.flat().length });
    this.#found = found;
    const helpers = this.#helpers;
    for (const [at, helper] of helpers.entries()) {
      const parts = others[at] ?? [];
      if (parts.length === 0) continue;
      if (helper.idle === 0) helper.asked = since;
      helper.idle += 1;
      helper.worker.postMessage({ type: 'score', scoring, taste, parts });
    }
    for (const [at, part] of own.entries()) found[part.place] = await this.#own.part(taste, part.first, part.end, at === 0);
    for (;;) {
      await nextTurn();
      const missing = others.map((parts) => parts.filter(({ place }) => !found[place]));
      const most = missing.reduce((a, b) => (b.length > a.length ? b : a), []);
      const last = most.at(-1);
      if (!last) break;
      found[last.place] = await this.#own.part(taste, last.first, last.end, false);
    }
    for (const { worker } of helpers) worker.postMessage({ type: 'enough', scoring });
    for (const helper of helpers) if (helper.idle >= MOST_IDLE && performance.now() - helper.asked > SILENCE) this.#drop(helper);
    return this.#own.join(taste, /** @type {Float32Array[]} */ (found), since, keep);
  }

  /** Has scores ready for a list. @param {Taste} taste */
  async #prepare(taste) {
    if (this.#helpers.length > 0 && !(await this.#own.knows(taste))) await this.#score(taste, true);
  }

  /** @param {Taste} taste @param {number} count @param {Taste|null} before */
  async recommend(taste, count, before) {
    await this.#prepare(taste);
    if (before) await this.#prepare(before);
    return this.#own.recommend(taste, count, before);
  }

  /** @param {Taste} taste */
  async scores(taste) {
    await this.#prepare(taste);
    return this.#own.scores(taste);
  }

  /** @param {Taste} taste */
  measure(taste) {
    return this.#helpers.length > 0 ? this.#score(taste, false) : this.#own.measure(taste);
  }
}

/** How many helpers this device has room for. */
function mostHelpers() {
  const { deviceMemory = Infinity } = /** @type {{deviceMemory?: number}} */ (navigator);
  return Math.min(deviceMemory < LITTLE_MEMORY ? 1 : MOST_HELPERS, (navigator.hardwareConcurrency || 1) - 1);
}

/**
 * The catalogue in parts, an equal share for each worker.
 * @param {number} items @param {number} workers @returns {Slice[][]}
 */
function shares(items, workers) {
  const size = Math.ceil(items / (workers * PARTS_EACH * SIDE_BY_SIDE)) * SIDE_BY_SIDE;
  const parts = Array.from({ length: Math.ceil(items / size) }, (_, place) => ({ place, first: place * size, end: Math.min((place + 1) * size, items) }));
  const each = Math.ceil(parts.length / workers);
  return Array.from({ length: workers }, (_, worker) => parts.slice(worker * each, (worker + 1) * each));
}

/**
 * The median of what each of these measures, taken by turns, while nobody asks anything.
 * @param {(() => Promise<number>)[]} measures @param {(job: () => Promise<void>) => Promise<void>} inTurn @param {() => number} newest
 * @returns {Promise<number[]>}
 */
async function calmly(measures, inTurn, newest) {
  for (;;) {
    const begun = newest();
    await new Promise((resolve) => setTimeout(resolve, CALM));
    /** @type {number[][]} */
    const found = measures.map(() => []);
    await inTurn(async () => {
      for (let trial = -WARM_UP; trial < TRIALS && newest() === begun; trial += 1) {
        for (const [at, measure] of measures.entries()) {
          const took = await measure();
          if (trial >= 0) found[at]?.push(took);
          if (newest() !== begun) return;
        }
        await nextTurn();
      }
    });
    if (newest() === begun) return found.map((values) => values.sort((a, b) => a - b)[TRIALS >> 1] ?? 0);
  }
}
