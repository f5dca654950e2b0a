// Compares the WebAssembly scorer with native scores (issue: within 1e-3, and the same top 10).
//
//   node tests/browser/parity.mjs DIST_DIR ARTEFACT_DIR NATIVE_SCORES.json
//
// DIST_DIR is any folder that holds the built module (`NAME.js` and `NAME_bg.wasm`, hashed names too). NATIVE_SCORES.json is what
// `dump_scores` of the trainer writes: {device, users: [{user, scores, top}]}. This is the CPU's scorer.
// Prints one JSON line; exits with 1 when a score differs by more than 1e-3 or a top 10 is another one.

import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const TOLERANCE = 1e-3;

/** Finds the module's two files anywhere below `folder`. */
async function findModule(folder) {
  const names = await readdir(folder, { recursive: true });
  const wasm = names.find((name) => /curec-web(-[0-9a-f]+)?_bg\.wasm$/.test(name));
  const script = wasm && wasm.replace(/_bg\.wasm$/, '.js');
  if (!wasm || !names.includes(script)) {
    throw new Error(`${folder} holds no NAME.js beside a NAME_bg.wasm; build the page first`);
  }
  return { wasm: path.resolve(folder, wasm), script: path.resolve(folder, script) };
}

async function readArtefact(folder) {
  const files = new Map();
  for (const name of await readdir(folder)) {
    files.set(name, new Uint8Array(await readFile(path.join(folder, name))));
  }
  return { manifest: await readFile(path.join(folder, 'manifest.json'), 'utf8'), files };
}

export async function loadScorer(dist, artefact) {
  const { wasm, script } = await findModule(dist);
  const module = await import(pathToFileURL(script).href);
  const bytes = await readFile(wasm);
  const started = performance.now();
  module.initSync({ module: bytes });
  const initialised = performance.now();
  const { manifest, files } = await readArtefact(artefact);
  const scorer = await module.Scorer.load(manifest, files);
  const loaded = performance.now();
  return { scorer, timings: { init_ms: initialised - started, load_ms: loaded - initialised } };
}

async function main([dist, artefact, nativeScores]) {
  if (!nativeScores) {
    throw new Error('usage: node tests/browser/parity.mjs DIST_DIR ARTEFACT_DIR NATIVE_SCORES.json');
  }
  const native = JSON.parse(await readFile(nativeScores, 'utf8'));
  const { scorer, timings } = await loadScorer(dist, artefact);
  let largest = { difference: 0, user: null, item: null };
  const otherTop = [];
  const milliseconds = [];
  for (const { user, scores, top } of native.users) {
    const taste = await scorer.taste(user);
    const found = await scorer.scores(taste);
    if (found.length !== scores.length) {
      throw new Error(`user ${user}: ${found.length} scores in WebAssembly, ${scores.length} native`);
    }
    scores.forEach((score, item) => {
      const difference = Math.abs(score - found[item]);
      // NaN compares false with everything: it must not pass.
      if (!(difference <= largest.difference)) largest = { difference, user, item };
    });
    const shown = await scorer.recommend(taste, 10);
    milliseconds.push(shown.milliseconds);
    const items = shown.recommendations.map((one) => one.item);
    if (items.join() !== top.join()) otherTop.push({ user, native: top, wasm: items });
  }
  milliseconds.sort((a, b) => a - b);
  const agrees = largest.difference <= TOLERANCE && otherTop.length === 0;
  console.log(
    JSON.stringify({
      agrees,
      users: native.users.length,
      largest_difference: largest,
      other_top_10: otherTop,
      native_device: native.device,
      ...timings,
      recommend_ms_median: milliseconds[Math.floor(milliseconds.length / 2)],
    }),
  );
  return agrees ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2));
}
