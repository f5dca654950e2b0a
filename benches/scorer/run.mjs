/**
 * Times one engine in a real browser, for `cargo xtask bench scorer`. Prints one JSON object.
 *
 *   node benches/scorer/run.mjs --engine curec --page DIST --artefact ARTEFACT --native SCORES.json
 *   node benches/scorer/run.mjs --engine onnx --onnx FOLDER --native SCORES.json --threads 1
 *
 * Engines: `curec` (the page's scorer), `curec-team` (with the helpers that the page would give it here), `curec-gpu`
 * (on WebGPU, emulated in software where there is no other adapter), `onnx` (onnxruntime-web, from benches/peers/scorer). SCORES.json is what
 * `curec explain --scores N` prints: scores further than TOLERANCE from it are an error.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serve } from './serve.mjs';

const TOLERANCE = 1e-3;
/** At 0 and 1 scores agree whatever the model computed: so many of the native ones must lie clearly between. */
const TELLING = 0.5;

const root = fileURLToPath(new URL('../..', import.meta.url));
// Playwright's driver is installed for the tests of the page.
const { chromium } = createRequire(join(root, 'tests/browser/package.json'))('playwright-core');

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'curec' },
    page: { type: 'string', default: 'dist' },
    artefact: { type: 'string', default: '' },
    onnx: { type: 'string', default: '' },
    native: { type: 'string' },
    threads: { type: 'string', default: '1' },
    viewers: { type: 'string', default: '64' },
    calls: { type: 'string', default: '64' },
    'warm-up': { type: 'string', default: '8' },
    count: { type: 'string', default: '10' },
  },
});

const gpu = values.engine === 'curec-gpu';
// Emulated in software a scoring takes seconds: one viewer says enough.
const native = values.native ? JSON.parse(await readFile(values.native, 'utf8')).users.slice(0, gpu ? 1 : Infinity) : [];
const telling = native.flatMap((/** @type {{scores: number[]}} */ { scores }) => scores.map((score) => score > 0.01 && score < 0.99));
if (telling.filter(Boolean).length < TELLING * telling.length) throw new Error(`${values.native}: most scores are next to 0 or 1, so that they agree means little`);
/** Where a built page has its modules: in the folder of its build. @param {string} page */
async function modulesOf(page) {
  const { code } = JSON.parse(await readFile(join(page, 'build.json'), 'utf8'));
  return join(page, 'code', code);
}

const peer = join(root, 'benches/peers/scorer');
const folders = {
  bench: join(root, 'benches/scorer'),
  page: values.engine === 'onnx' ? resolve('.') : await modulesOf(resolve(values.page)),
  peer,
  ort: join(peer, 'node_modules/onnxruntime-web/dist'),
  onnx: resolve(values.onnx),
  artefact: resolve(values.artefact),
};
const own = { module: '/bench/curec.js', artefact: '/artefact/', gpu, team: values.engine === 'curec-team', count: Number(values.count) };
const engine = values.engine === 'onnx' ? { module: '/peer/onnx.js', threads: Number(values.threads) } : own;
if (values.engine !== 'onnx' && !values.artefact) throw new Error('--artefact is missing');

const server = await serve(folders);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', ...(gpu ? ['--enable-unsafe-webgpu'] : [])],
});
try {
  const page = await browser.newPage();
  await page.goto(`${server.url}bench/index.html`);
  await page.waitForFunction(() => 'bench' in globalThis);
  /** Of all processes that draw pages and run their workers, in seconds: what a busy machine changes least. */
  const system = await browser.newBrowserCDPSession();
  const cpu = async () => {
    const { processInfo } = await system.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  };
  /** @param {string} name @param {unknown} argument */
  const ask = (name, argument) => page.evaluate(([name, argument]) => /** @type {any} */ (globalThis).bench[name](argument), [name, argument]);
  /** @type {Record<string, unknown>} */
  const found = await ask('open', engine);
  const [viewers, warmUp, calls] = [Number(values.viewers), Number(values['warm-up']), Number(values.calls)];
  for (const question of ['curec', 'curec-team'].includes(values.engine) ? ['scores', 'recommend'] : ['scores']) {
    await ask('time', { question, first: 0, calls: warmUp, viewers });
    const before = await cpu();
    const times = await ask('time', { question, first: warmUp, calls, viewers });
    found[question] = { ...times, cpu_ms: (1000 * ((await cpu()) - before)) / calls };
  }
  const scores = [];
  for (const { user } of native) scores.push({ scores: await ask('scores', user) });
  const difference = largestDifference(scores);
  // NaN compares false with everything: it must not pass.
  if (native.length > 0 && !(difference <= TOLERANCE)) {
    throw new Error(`${values.engine} is ${difference} away from the native scores, and ${TOLERANCE} is allowed`);
  }
  const what = { engine: values.engine, threads: Number(values.threads), browser: browser.version() };
  console.log(JSON.stringify({ ...what, difference: native.length > 0 ? difference : null, ...found }));
} finally {
  await browser.close();
  await server.close();
}

/** @param {{scores: number[]}[]} found of the viewers of `native`, in their order */
function largestDifference(found) {
  return native.reduce((/** @type {number} */ most, /** @type {{scores: number[]}} */ { scores }, /** @type {number} */ at) => {
    const theirs = found[at]?.scores ?? [];
    if (theirs.length !== scores.length) return NaN;
    return scores.reduce((far, score, item) => Math.max(far, Math.abs(score - (theirs[item] ?? NaN))), most);
  }, 0);
}
