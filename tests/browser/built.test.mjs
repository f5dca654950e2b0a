/** What stands in the built page before anything of it runs: its policy, and nothing of the machine that built it. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { dist, mock } from './helper/harness.mjs';

/** Files below the built folder. @param {RegExp} which */
const built = async (which) => (await readdir(dist, { recursive: true })).filter((name) => which.test(name)).sort();

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

test('the page’s own code makes no element of a text', async () => {
  const names = (await built(/^code\/.*\.js$/)).filter((name) => !/\/curec-web[^/]*\.js$/.test(name));
  for (const known of ['worker.js', 'js/main.js', 'js/dom.js', 'js/recommendation.js']) assert.ok(names.some((name) => name.endsWith(`/${known}`)), known);
  for (const name of names) {
    const found = /\b(innerHTML|outerHTML|insertAdjacentHTML|DOMParser|document\.write(ln)?|createContextualFragment|setHTML(Unsafe)?|parseHTMLUnsafe|srcdoc)\b/.exec(await readFile(join(dist, name), 'utf8'));
    assert.equal(found?.[0], undefined, name);
  }
});

test('the scorers name no folder of the machine that built them', { skip: mock && 'the mock is no wasm' }, async () => {
  const names = await built(/\.wasm$/);
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

test('the scorers and the writer carry no names of their functions', { skip: mock && 'the mock is no wasm' }, async () => {
  const names = await built(/\.wasm$/);
  assert.equal(names.length, 3);
  for (const name of names) {
    const module = new WebAssembly.Module(await readFile(join(dist, name)));
    for (const section of ['name', 'producers', '.debug_info', '.debug_line', '.debug_str']) assert.equal(WebAssembly.Module.customSections(module, section).length, 0, `${name}: ${section}`);
  }
});

test('beside each file that is fetched lie its compressed twins, with the same content', { skip: mock && 'the mock is not compressed' }, async () => {
  const files = await built(/\.(wasm|js|css|html|json|safetensors)$/);
  const twins = new Set(await built(/\.(br|gz)$/));
  for (const name of await built(/\.wasm$|^index\.html$|\/js\/main\.js$|^artefact\/(catalogue|users|reasons)\.json$/)) {
    for (const end of ['br', 'gz']) assert.ok(twins.has(`${name}.${end}`), `${name}.${end}`);
  }
  const unpack = { br: brotliDecompressSync, gz: gunzipSync };
  for (const name of files) {
    const content = await readFile(join(dist, name));
    for (const end of /** @type {const} */ (['br', 'gz'])) {
      if (!twins.has(`${name}.${end}`)) continue; // it would hardly be smaller
      const packed = await readFile(join(dist, `${name}.${end}`));
      assert.ok(packed.length < content.length, `${name}.${end} is smaller`);
      assert.ok(unpack[end](packed).equals(content), `${name}.${end} is ${name}`);
      twins.delete(`${name}.${end}`);
    }
  }
  assert.deepEqual([...twins].filter((name) => !/\.svg\.(br|gz)$/.test(name)), [], 'a twin of nothing');
});
