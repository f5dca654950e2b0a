/** What the browser must be able to do before anything is fetched. */

/** The smallest module that uses a 128-bit vector: the scorer is compiled with SIMD. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/**
 * The first thing this browser lacks, as a fault; null where all is there.
 * @returns {import('./types.js').Fault | null}
 */
export function missingSupport() {
  if (typeof WebAssembly !== 'object' || typeof WebAssembly.validate !== 'function') {
    return { kind: 'unsupported', message: 'WebAssembly is missing or switched off.' };
  }
  if (typeof Worker !== 'function') {
    return { kind: 'unsupported', message: 'Background workers are missing or switched off.' };
  }
  if (!WebAssembly.validate(SIMD_PROBE)) {
    return { kind: 'unsupported', message: 'WebAssembly SIMD is missing: the browser is too old for the scorer.' };
  }
  return null;
}
