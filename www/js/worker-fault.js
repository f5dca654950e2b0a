/** Turns whatever was thrown inside the worker into one fault: a kind to branch on, a sentence, the file if there is one. */

/** After this only a new worker helps: the memory of the wasm instance can no longer be trusted. @type {import('./types.js').Fault} */
const CRASHED = { kind: 'crashed', message: 'The scorer stopped in the middle of its work.' };

/**
 * Whether a wasm module is dead of it: by a trap, or by a panic, which is the scorer's own word for a trap, said just before it
 * (web/bridge/src/promise.rs).
 * @param {unknown} thrown
 */
export const isTrap = (thrown) => thrown instanceof WebAssembly.RuntimeError || /** @type {{kind?: unknown}} */ (thrown ?? {}).kind === 'panic';

/**
 * @param {unknown} thrown
 * @returns {import('./types.js').Fault}
 */
export function toFault(thrown) {
  if (isTrap(thrown)) {
    // Details are for the console, not for the visitor; a panic's stand there already.
    if (thrown instanceof Error) console.error(thrown);
    return CRASHED;
  }
  if (typeof thrown === 'object' && thrown !== null) {
    const { kind, message, file } = /** @type {Record<string, unknown>} */ (thrown);
    if (typeof kind === 'string' && typeof message === 'string') {
      return typeof file === 'string' ? { kind, message, file } : { kind, message };
    }
  }
  console.error(thrown);
  return { kind: 'unexpected', message: 'Something happened here that the page has no name for.' };
}
