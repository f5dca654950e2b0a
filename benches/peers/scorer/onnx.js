/** The same model in onnxruntime-web: its WebAssembly backend with SIMD, one session, inputs that lie ready. Runs in the worker. */

const RUNTIME = '/ort/ort.wasm.min.mjs';

/** @param {{threads: number}} options */
export async function open({ threads }) {
  const start = performance.now();
  const ort = await import(RUNTIME);
  Object.assign(ort.env.wasm, { wasmPaths: '/ort/', numThreads: threads, proxy: false });
  const [model, { events, width, viewers }] = await Promise.all([
    fetch('/onnx/scorer.onnx').then((response) => response.arrayBuffer()),
    fetch('/onnx/viewers.json').then((response) => response.json()),
  ]);
  const fetched = performance.now();
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
  const loaded = performance.now();
  if (ort.env.wasm.numThreads !== threads) throw new Error(`onnxruntime-web takes ${ort.env.wasm.numThreads} threads instead of ${threads}`);
  const inputs = viewers.map((/** @type {{history: number[], matched: number[], pattern: number[]}} */ { history, matched, pattern }) => ({
    history: new ort.Tensor('int32', Int32Array.from(history), [events]),
    matched: new ort.Tensor('float32', Float32Array.from(matched), [events, width]),
    pattern: new ort.Tensor('float32', Float32Array.from(pattern), [1, width]),
  }));
  return {
    times: { load_ms: loaded - fetched, ready_ms: loaded - start },
    /** @param {string} _ @param {number} viewer */
    async ask(_, viewer) {
      const { scores } = await session.run(inputs[viewer]);
      return scores.data;
    },
  };
}
