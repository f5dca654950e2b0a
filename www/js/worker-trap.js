/**
 * Traps of the GPU's module that nobody awaits: one that is no panic (no memory is left, say) settles no promise of its own, so
 * whoever waits for that module is told from here. Runs in the worker.
 */

/** The module's name: its glue stands in the stack of its traps. */
export const GPU = 'curec-web-gpu';

/** Ends what waits for the module. @type {(trap: unknown) => void} */
let tellTrap = () => {};

/** @type {unknown} */
let trap = null;

/** What the module trapped with: its memory can no longer be trusted, whether anybody waits for it or not. */
export const gpuTrap = () => trap;

/**
 * To be told of every trap that nobody awaited; true where it was the GPU's, which is dealt with here.
 * @param {unknown} error
 */
export function tookTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError && String(error.stack).includes(`${GPU}.js`))) return false;
  trap = error;
  tellTrap(error);
  return true;
}

/** The same promise, unless the GPU's module traps first. @template T @param {Promise<T>} answer @returns {Promise<T>} */
export function unlessTrapped(answer) {
  const trapped = new Promise((_, reject) => (tellTrap = reject));
  trapped.catch(() => {});
  return Promise.race([answer, /** @type {Promise<never>} */ (trapped)]);
}
