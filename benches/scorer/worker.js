/** A worker with one engine: loads it, and answers how long each question took it. `message.engine` says which. */

/** @type {{ask: (question: string, viewer: number) => Promise<Float32Array|null>}|null} */
let engine = null;

self.addEventListener('message', async (/** @type {MessageEvent} */ event) => {
  const { id, load, question, viewer } = event.data;
  try {
    if (load) {
      const { open } = await import(load.module);
      const { times, ...opened } = await open(load);
      engine = opened;
      self.postMessage({ id, value: times });
      return;
    }
    const start = performance.now();
    const value = await /** @type {NonNullable<typeof engine>} */ (engine).ask(question, viewer);
    const ms = performance.now() - start;
    self.postMessage({ id, ms, value }, value ? [value.buffer] : []);
  } catch (error) {
    self.postMessage({ id, error: /** @type {{message?: string}|null} */ (error)?.message ?? String(error) });
  }
});
