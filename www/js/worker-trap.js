/**
 * Traps that nobody awaits, of the modules beside the CPU's scorer: one that is no panic (no memory is left, say) settles no promise of
 * its own, so whoever waits for that module is told from here. Runs in the worker.
 */

/** The modules' names: their glue stands in the stack of their traps. */
export const GPU = 'curec-web-gpu';
export const WRITER = 'curec-web-writer';

/** What ends whatever waits for a module, and what it trapped with. @type {Map<string, {tell: (trap: unknown) => void, trap: unknown}>} */
const modules = new Map([GPU, WRITER].map((name) => [name, { tell: () => {}, trap: null }]));

/** What the GPU's module trapped with: its memory can no longer be trusted, whether anybody waits for it or not. */
export const gpuTrap = () => modules.get(GPU)?.trap ?? null;

/**
 * To be told of every trap that nobody awaited; true where it was one of these modules', which is dealt with here.
 * @param {unknown} error
 */
export function tookTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return false;
  for (const [name, module] of modules) {
    if (!String(error.stack).includes(`${name}.js`)) continue;
    module.trap = error;
    module.tell(error);
    return true;
  }
  return false;
}

/** The same promise, unless the module traps first. @template T @param {Promise<T>} answer @param {string} [name] @returns {Promise<T>} */
export function unlessTrapped(answer, name = GPU) {
  const trapped = new Promise((_, reject) => {
    const module = modules.get(name);
    if (module) module.tell = reject;
  });
  trapped.catch(() => {});
  return Promise.race([answer, /** @type {Promise<never>} */ (trapped)]);
}
