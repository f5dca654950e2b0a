/**
 * What the language model has written in this visit. A seed writes the same text of the same titles again, so whoever comes back to a list gets
 * its texts at once; and a list that is taken along has them with it.
 */
import { withWritten } from './tastes.js';

/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./types.js').WrittenPattern} WrittenPattern */
/** @typedef {{text: string, unheld: number}} WrittenReason */

export function createWritten() {
  /** @type {Map<string, WrittenPattern>} */
  const patterns = new Map();
  /** @type {Map<string, WrittenReason>} */
  const reasons = new Map();
  const patternKey = (/** @type {string} */ of, /** @type {number} */ seed) => JSON.stringify([of, seed]);
  const patternOf = (/** @type {Taste} */ { history }, /** @type {number} */ seed) => patterns.get(patternKey(history.map(({ item }) => item).join(), seed)) ?? null;
  const reasonKey = (/** @type {WrittenPattern} */ { text, seed }, /** @type {number} */ item) => JSON.stringify([text, seed, item]);

  /** What the titles and their reasons are numbered by. */
  let data = '';

  return {
    /** Texts of another artefact are forgotten. @param {Pick<import('./types.js').Loaded, 'manifest'>} loaded */
    begin({ manifest }) {
      const now = JSON.stringify(manifest);
      if (now === data) return;
      data = now;
      patterns.clear();
      reasons.clear();
    },

    /** @param {WrittenPattern} written */
    keepPattern: (written) => void patterns.set(patternKey(written.of, written.seed), written),

    /** What this seed wrote of the taste's history; null where nothing was written in this visit. @param {Taste} taste @param {number} seed */
    pattern: patternOf,

    /** @param {WrittenPattern} pattern from whose side it was written @param {number} item @param {WrittenReason} reason */
    keepReason: (pattern, item, reason) => void reasons.set(reasonKey(pattern, item), reason),

    /** A title's reason from that pattern's side; null where none was written in this visit. @param {WrittenPattern|null|undefined} pattern @param {number} item */
    reason: (pattern, item) => (pattern ? (reasons.get(reasonKey(pattern, item)) ?? null) : null),

    /** The same taste with the pattern that this seed wrote of its history; as it is where none was written in this visit. @param {Taste} taste @param {number|null} seed */
    recalled(taste, seed) {
      const found = seed === null ? null : patternOf(taste, seed);
      return found ? withWritten(taste, found) : taste;
    },
  };
}
