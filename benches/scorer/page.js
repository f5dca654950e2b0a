/** Asks one or several workers and takes the time until the last of them has answered, as a page would wait. */

/** Asks a worker, one question at a time. @param {Worker} worker */
function client(worker) {
  let next = 0;
  /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
  const waiting = new Map();
  worker.addEventListener('message', ({ data: { id, error, ...answer } }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(answer);
    else asked?.reject(new Error(error));
  });
  worker.addEventListener('error', ({ message }) => {
    for (const { reject } of waiting.values()) reject(new Error(message));
  });
  return (/** @type {object} */ message) =>
    new Promise((resolve, reject) => {
      waiting.set(++next, { resolve, reject });
      worker.postMessage({ id: next, ...message });
    });
}

/** The smallest measured value that at least so many in a hundred do not exceed. @param {number[]} values */
const percentiles = (values) => {
  const ordered = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ percent) => ordered[Math.max(Math.ceil((ordered.length * percent) / 100) - 1, 0)];
  return { p50: at(50), p95: at(95) };
};

/**
 * @param {object} wanted
 * @param {object[]} wanted.engines what each worker loads: `{module, …}` of an engine
 * @param {string[]} wanted.questions
 * @param {number} wanted.viewers @param {number} wanted.warmUp @param {number} wanted.calls
 * @param {number[]} wanted.checked viewers whose scores are handed over
 */
async function measure({ engines, questions, viewers, warmUp, calls, checked }) {
  const asks = engines.map(() => client(new Worker('worker.js', { type: 'module' })));
  const loaded = await Promise.all(asks.map((ask, at) => ask({ load: engines[at] })));
  /** @type {Record<string, unknown>} */
  const found = { isolated: crossOriginIsolated, times: loaded.map(({ value }) => value) };
  for (const question of questions) {
    const [inside, outside] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (let call = 0; call < warmUp + calls; call += 1) {
      const start = performance.now();
      const answers = await Promise.all(asks.map((ask) => ask({ question, viewer: call % viewers })));
      const end = performance.now();
      if (call < warmUp) continue;
      outside.push(end - start);
      inside.push(Math.max(...answers.map(({ ms }) => ms)));
    }
    found[question] = { in_worker: percentiles(inside), for_page: percentiles(outside) };
  }
  const scores = [];
  for (const viewer of checked) scores.push({ viewer, scores: [...(await asks[0]?.({ question: 'scores', viewer })).value] });
  return { found, scores };
}

Object.assign(globalThis, { measure });
