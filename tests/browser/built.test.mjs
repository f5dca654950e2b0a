/** What stands in the built page before anything of it runs: its policy, and nothing of the machine that built it. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dist, mock } from './helper/harness.mjs';

test('the page’s policy: nothing inline, nothing evaluated but wasm, nothing from elsewhere', async () => {
  const page = await readFile(join(dist, 'index.html'), 'utf8');
  const policies = [...page.matchAll(/<meta\s+http-equiv="Content-Security-Policy"\s+content="([^"]*)"\s*\/>/g)];
  assert.deepEqual(policies.map(([, policy]) => policy), [
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; form-action 'none'",
  ]);
  // It holds for what comes after it.
  assert.doesNotMatch(page.slice(0, policies[0]?.index), /<(link|script|style|img|base)\b/);
  // What it would refuse is not there either.
  assert.doesNotMatch(page, /\son\w+=|\sstyle=|<style\b|<script(?![^>]*\ssrc=)/);
});

test('the scorers name no folder of the machine that built them', { skip: mock && 'the mock is no wasm' }, async () => {
  const names = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.wasm'));
  assert.equal(names.length, 3);
  const places = [homedir(), fileURLToPath(new URL('../..', import.meta.url)), '/.cargo/', '/target/release/'].filter((place) => place.length > 1);
  for (const name of names) {
    const module = await readFile(join(dist, name), 'latin1');
    for (const place of places) {
      const at = module.indexOf(place);
      assert.equal(at, -1, `${name}: … ${module.slice(at - 20, at + 100)} …`);
    }
  }
});
