/** How long scorings took, kept apart by where they were computed, and what the usual and the slow ones were. */

/** @typedef {import('./types.js').Backend['used']} Used */

/**
 * A quantile by nearest rank: the smallest of the values that `share` of them do not exceed. It is always one of them.
 * @param {number[]} values
 * @param {number} share above 0, at most 1
 * @returns {number|null} null of nothing
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? null;
}

/** @typedef {{used: Used, name: 'visit'|'measured', count: number, p50: number, p95: number}} Summary */

export class Samples {
  /** The lists of this visit. @type {Record<Used, number[]>} */
  #visit = { cpu: [], webgpu: [] };
  /** The last measurement. @type {Record<Used, number[]>} */
  #measured = { cpu: [], webgpu: [] };

  /** One list more. @param {Used} used @param {number} milliseconds */
  add(used, milliseconds) {
    this.#visit[used].push(milliseconds);
  }

  /** A measurement takes the place of the one before. @param {import('./types.js').Measured} measured */
  measured({ used, milliseconds }) {
    this.#measured[used] = milliseconds;
  }

  /** What there is to tell. @returns {Summary[]} */
  summaries() {
    return /** @type {const} */ (['cpu', 'webgpu']).flatMap((used) =>
      /** @type {const} */ ([
        ['visit', this.#visit[used]],
        ['measured', this.#measured[used]],
      ]).flatMap(([name, values]) => {
        const [p50, p95] = [quantile(values, 0.5), quantile(values, 0.95)];
        return p50 === null || p95 === null ? [] : [{ used, name, count: values.length, p50, p95 }];
      }),
    );
  }
}
