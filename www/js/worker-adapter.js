/** Whether this browser has a WebGPU adapter worth computing on: an emulated one is far slower than WebAssembly on the CPU. Runs in the worker. */

/**
 * @typedef {object} Adapter
 * @property {string} name
 * @property {boolean} emulated
 */

/** Software drivers that do not say that they are. */
const EMULATORS = ['swiftshader', 'llvmpipe', 'lavapipe'];

/**
 * The adapter, or the end of a sentence "… because".
 * @returns {Promise<Adapter | string>}
 */
export async function findAdapter() {
  const gpu = /** @type {any} */ (navigator).gpu;
  if (!gpu) {
    return self.isSecureContext === false
      ? 'browsers offer WebGPU only to pages served over https or from this computer'
      : 'this browser does not offer WebGPU';
  }
  let adapter;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    console.warn(error);
    return 'asking for a WebGPU adapter failed';
  }
  if (!adapter) return 'this browser found no GPU it would use for WebGPU';
  const info = adapter.info ?? {};
  const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ') || 'unnamed adapter';
  const known = EMULATORS.some((driver) => name.toLowerCase().includes(driver));
  return { name, emulated: known || adapter.isFallbackAdapter === true || info.isFallbackAdapter === true };
}
