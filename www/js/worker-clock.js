/** How long the phases of loading take, by the worker's own clock. Runs in the worker. */

/** @typedef {import('./worker-fetch.js').OnBytes} OnBytes */

/** Starts measuring. Laps follow one another without a gap. */
export function startClock() {
  let lapBegan = performance.now();
  let lastByte = lapBegan;
  return {
    /** Passes progress on and notes when bytes came. @param {OnBytes} onBytes @returns {OnBytes} */
    noting: (onBytes) => (loaded, total) => {
      lastByte = performance.now();
      onBytes(loaded, total);
    },
    /** Ends a lap. @returns {{whole: number, afterBytes: number}} milliseconds, and how many of them came after its last byte */
    lap() {
      const now = performance.now();
      const ended = { whole: now - lapBegan, afterBytes: now - Math.max(lastByte, lapBegan) };
      lapBegan = now;
      return ended;
    },
  };
}
