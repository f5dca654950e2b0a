// The WebAssembly scorer against native `curec`: every score within 1e-3 and the same top 10, for up to 200 users.

import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { CUREC_BIN, CUREC_RUN, CUREC_DIST } = process.env;
const missing = !CUREC_BIN || !CUREC_RUN || !CUREC_DIST;

test('native and WebAssembly scores agree', { skip: missing && 'needs CUREC_BIN, CUREC_RUN and CUREC_DIST' }, async () => {
  const artefact = path.join(CUREC_RUN, 'export', 'artefact');
  const { stdout } = await run(CUREC_BIN, ['explain', '--artefact', artefact, '--scores', '200'], {
    maxBuffer: 1 << 28,
  });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'curec-parity-'));
  const scores = path.join(folder, 'native.json');
  await writeFile(scores, stdout);
  // parity.mjs exits with 1 on any difference, and execFile rejects then.
  await run(process.execPath, [path.join(import.meta.dirname, 'parity.mjs'), CUREC_DIST, artefact, scores]);
});
