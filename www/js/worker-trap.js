/**
 * Traps that nobody awaits, of the modules beside the CPU's scorer: one that is no panic (no memory is left, say) settles no promise of
 * its own, so whoever waits for that module is told from here. Runs in the worker.
 */

/** The modules' names: their glue stands in the stack of their traps. */
export const GPU = 'curec-web-gpu';
export const WRITER = 'curec-web-writer';

/** What ends whatever waits for a module, what it trapped with, and which instance of it is in use. @type {Map<string, {tell: (trap: unknown) => void, trap: unknown, instance: number}>} */
const modules = new Map([GPU, WRITER].map((name) => [name, { tell: () => {}, trap: null, instance: 0 }]));

/** Another instance of a module takes its place: what those before it do is of no account. @param {string} name @param {number} instance */
export function begin(name, instance) {
  const module = modules.get(name);
  if (module) Object.assign(module, { trap: null, instance });
}

/** What the GPU's module trapped with: its memory can no longer be trusted, whether anybody waits for it or not. */
export const gpuTrap = () => modules.get(GPU)?.trap ?? null;

/**
 * To be told of every trap that nobody awaited; true where it was one of these modules', which is dealt with here.
 * @param {unknown} error
 */
export function tookTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return false;
  for (const [name, module] of modules) {
    const found = new RegExp(`${name}\\.js(?:\\?instance=(\\d+))?`).exec(String(error.stack));
    if (!found) continue;
    if (Number(found[1] ?? 0) !== module.instance) return true;
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
