/** Asks a worker and takes the time until it has answered, as a page would wait. */

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

/** @type {(message: object) => Promise<any>} */
let ask = () => Promise.reject(new Error('nothing is open'));

/**
 * Loads an engine into a worker: `{module, …}`.
 * @param {object} engine
 */
async function open(engine) {
  ask = client(new Worker('worker.js', { type: 'module' }));
  const { value } = await ask({ load: engine });
  return { isolated: crossOriginIsolated, times: [value] };
}

/**
 * Asks the same, `calls` times, for one viewer after another.
 * @param {{question: string, first: number, calls: number, viewers: number}} wanted
 */
async function time({ question, first, calls, viewers }) {
  const [inside, outside] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  for (let call = first; call < first + calls; call += 1) {
    const start = performance.now();
    const { ms } = await ask({ question, viewer: call % viewers });
    outside.push(performance.now() - start);
    inside.push(ms);
  }
  return { in_worker: percentiles(inside), for_page: percentiles(outside) };
}

/** Scores for a viewer. @param {number} viewer @returns {Promise<number[]>} */
const scores = async (viewer) => [...(await ask({ question: 'scores', viewer })).value];

Object.assign(globalThis, { bench: { open, time, scores } });
