/**
 * What a visitor may change about a taste, and the way back. A taste is what the scorer is asked for (types.js); nothing here
 * touches a score. All functions return a new taste and leave the old one alone.
 */

/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./types.js').Muted} Muted */

/** A taste of nobody's. @returns {Taste} */
export const blankTaste = () => ({ viewer: null, history: [], pattern: null, muted: [] });

/** @param {Taste} taste @param {number} place */
export const without = (taste, place) => ({ ...taste, history: taste.history.filter((_, at) => at !== place) });

/**
 * Places in the history that the model does not read; they only count as taken. It reads the newest `window` events, and of a stored viewer's none
 * that are older than the newest `window` of theirs: what was known at those is not stored.
 * @param {Taste} taste @param {number} stored how many events the stored viewer has @param {number} window
 */
export function unread({ history }, stored, window) {
  const places = history.map((_, place) => place);
  const known = places.filter((place) => (history[place]?.position ?? stored) >= stored - window);
  const read = new Set(known.slice(-window));
  return new Set(places.filter((place) => !read.has(place)));
}

/** A title on top of the history. @param {Taste} taste @param {number} item */
export const withTitle = (taste, item) => ({ ...taste, history: [...taste.history, { item, position: null }] });

/** @param {Taste} taste @param {number} place @param {number} to */
export function moved(taste, place, to) {
  const history = [...taste.history];
  const [event] = history.splice(place, 1);
  if (event) history.splice(Math.max(0, Math.min(history.length, to)), 0, event);
  return { ...taste, history };
}

/** @param {Taste} taste @param {number|null} pattern */
export const withPattern = (taste, pattern) => ({ ...taste, pattern, written: null });

/** @param {Taste} taste @param {import('./types.js').WrittenPattern} written */
export const withWritten = (taste, written) => ({ ...taste, pattern: null, written });

/** Whether its pattern was written of another history than it has now. @param {Taste} taste */
export const isOutdated = ({ written, history }) => Boolean(written) && written?.of !== history.map(({ item }) => item).join();

/** @param {Taste} taste @param {Muted} one */
export const isMuted = (taste, { item, reason }) => taste.muted.some((muted) => muted.item === item && muted.reason === reason);

/** Reasons silenced: each once, however often it is named. @param {Taste} taste @param {Muted[]} reasons */
export const silenced = (taste, reasons) => reasons.reduce((quiet, one) => (isMuted(quiet, one) ? quiet : { ...quiet, muted: [...quiet.muted, one] }), taste);

/** Reasons that speak again. @param {Taste} taste @param {Muted[]} reasons */
export const speaking = (taste, reasons) => ({ ...taste, muted: taste.muted.filter((one) => !reasons.some(({ item, reason }) => item === one.item && reason === one.reason)) });

/** @param {Taste} a @param {Taste} b */
export const same = (a, b) => JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));

/** @param {Taste} taste */
const ordered = ({ viewer, history, pattern, written, muted }) => [
  viewer,
  history.map(({ item, position }) => [item, position]),
  pattern,
  written?.text ?? null,
  [...muted].sort((a, b) => a.item - b.item || a.reason - b.reason).map(({ item, reason }) => [item, reason]),
];

/**
 * One taste after another, with undo and redo. `base` is where this viewer, or this visitor, began. `follows`: whether the pattern
 * is the nearest viewer's, whoever that becomes.
 */
export class Trail {
  /** @type {Step[]} */
  #past = [];
  /** @type {Step[]} */
  #future = [];
  /** @type {Step} */
  #now;

  /** @typedef {{taste: Taste, follows: boolean}} Step */

  /** @param {Taste} base @param {Taste} [current] @param {boolean} [follows] */
  constructor(base, current = base, follows = false) {
    this.base = base;
    this.#now = { taste: current, follows };
  }

  get current() {
    return this.#now.taste;
  }

  get follows() {
    return this.#now.follows;
  }

  get changed() {
    return !same(this.base, this.current);
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** @param {Taste} taste @param {boolean} [follows] */
  go(taste, follows = this.follows) {
    this.#past.push(this.#now);
    this.#future = [];
    this.#now = { taste, follows };
  }

  /** The same step with another pattern: the nearest viewer has become another one. @param {number|null} pattern */
  settle(pattern) {
    if (this.follows && this.current.pattern === pattern && !this.current.written) return;
    this.#now = { taste: withPattern(this.current, pattern), follows: true };
  }

  /** The same step with a pattern that was written anew of its history. @param {import('./types.js').WrittenPattern} written */
  rewrite(written) {
    this.#now = { taste: withWritten(this.current, written), follows: false };
  }

  undo() {
    const last = this.#past.pop();
    if (!last) return;
    this.#future.push(this.#now);
    this.#now = last;
  }

  redo() {
    const next = this.#future.pop();
    if (!next) return;
    this.#past.push(this.#now);
    this.#now = next;
  }
}
