/** The page's own scorer, as its worker uses it: the built module, the checked artefact. Runs in the worker. */

/** Where the built page keeps it. @type {string} */
const TEAM = '/page/js/worker-team.js';

/** @param {string} name @param {string} url */
async function bytes(name, url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${name}: the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What stands behind WebGPU here: a GPU, or an emulation. */
async function adapterName() {
  const { gpu } = /** @type {any} */ (navigator);
  const { vendor, architecture, description } = (await gpu.requestAdapter())?.info ?? {};
  return [vendor, architecture, description].filter(Boolean).join(' ');
}

/**
 * The scorer with the helpers that the page's worker would give it here, once it is settled whether they pay.
 * @param {any} scorer @param {string} manifestText @param {Map<string, Uint8Array>} files @param {object} taste
 */
async function withHelpers(scorer, manifestText, files, taste) {
  const { Team } = await import(TEAM);
  const source = { code: { base: new URL('/page/', location.href), hashes: {} }, manifestText, files, again: false };
  const team = new Team(scorer, source, () => {});
  await team.begin(taste, await scorer.measure(taste), (/** @type {() => Promise<void>} */ job) => job(), () => 0);
  return team;
}

/** @param {{artefact: string, gpu?: boolean, team?: boolean, count: number}} options */
export async function open({ artefact, gpu = false, team = false, count }) {
  const start = performance.now();
  const manifest = new TextDecoder().decode(await bytes('manifest.json', `${artefact}manifest.json`));
  const names = JSON.parse(manifest).files.map((/** @type {{name: string}} */ file) => file.name);
  const files = new Map(await Promise.all(names.map(async (/** @type {string} */ name) => [name, await bytes(name, `${artefact}${name}`)])));
  const name = gpu ? 'curec-web-gpu' : 'curec-web';
  const fetched = performance.now();
  const module = await import(`/page/${name}.js`);
  await module.default({ module_or_path: fetch(`/page/${name}_bg.wasm`) });
  const started = performance.now();
  const own = await module[gpu ? 'GpuScorer' : 'Scorer'].load(manifest, files);
  const loaded = performance.now();
  const adapter = gpu ? await adapterName() : undefined;
  const users = JSON.parse(new TextDecoder().decode(files.get('users.json')));
  const taste = (/** @type {number} */ viewer) => ({
    viewer,
    history: users[viewer].history.map((/** @type {{item: number}} */ { item }, /** @type {number} */ position) => ({ item, position })),
    pattern: viewer,
    muted: [],
  });
  const scorer = team ? await withHelpers(own, manifest, files, taste(0)) : own;
  const workers = team ? scorer.standing.workers : 1;
  return {
    times: { workers, compile_ms: started - fetched, load_ms: loaded - started, ready_ms: loaded - start, adapter },
    /** @param {string} question @param {number} viewer */
    async ask(question, viewer) {
      if (question === 'scores') return scorer.scores(taste(viewer));
      await scorer.recommend(taste(viewer), count, null);
      return null;
    },
  };
}
