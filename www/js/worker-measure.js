/** Measures how long scoring takes here, without standing in anybody's way. Runs in the worker. */

/**
 * Scores the same taste some times. Between two scorings the worker reads its messages, and whatever was asked meanwhile ends the
 * measurement: nobody waits for more than one scoring.
 * @param {import('./worker-engines.js').Engines} engines
 * @param {import('./types.js').RawTaste} taste
 * @param {number} times
 * @param {() => boolean} ended whether something newer was asked
 * @returns {Promise<import('./types.js').Measured>}
 */
export async function measured(engines, taste, times, ended) {
  let { used } = engines.backend;
  /** @type {number[]} */
  let milliseconds = [];
  while (milliseconds.length < times) {
    if (ended()) throw { kind: 'superseded', message: 'Something newer was asked for.' };
    const took = await engines.measure(taste);
    // A GPU that was given up meanwhile is no part of what the CPU takes.
    if (engines.backend.used !== used) [used, milliseconds] = [engines.backend.used, []];
    milliseconds.push(took);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { used, milliseconds, memory: engines.memory() };
}
