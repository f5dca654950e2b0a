/** Lays out what `cargo xtask dist` would, with the mock in the scorer's place: www/ + mock engine + mock artefact. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { arrange } from '../helper/release.mjs';
import { writeArtefact } from './artefact.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

/** @param {string} dist */
export async function buildMock(dist) {
  await mkdir(dist, { recursive: true });
  await cp(join(here, '../../../www'), dist, { recursive: true });
  const page = await readFile(join(dist, 'index.html'), 'utf8');
  await writeFile(join(dist, 'index.html'), page.replace(/^\s*<link data-trunk .*\n/gm, ''));
  await cp(join(here, 'curec-web.js'), join(dist, 'curec-web.js'));
  // The GPU's stand-in is the same, under the name that the worker asks for.
  const gpu = "import { Scorer } from './curec-web.js';\nexport { default } from './curec-web.js';\nexport class GpuScorer extends Scorer {}\n";
  await writeFile(join(dist, 'curec-web-gpu.js'), gpu);
  await cp(join(here, 'curec-web-writer.js'), join(dist, 'curec-web-writer.js'));
  for (const module of ['curec-web', 'curec-web-gpu', 'curec-web-writer']) {
    await writeFile(join(dist, `${module}_bg.wasm`), Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));
  }
  await writeArtefact(join(dist, 'artefact'));
  await arrange(dist);
}
