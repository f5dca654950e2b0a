/** The page as `cargo xtask serve` hands it out: the program itself, where $CUREC_XTASK names it. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { dist, freshPage, launch, listShown, PATIENCE } from './helper/harness.mjs';
import { codeOf } from './helper/release.mjs';
import { xtask, xtaskServe } from './helper/xtask-serve.mjs';

const skip = !xtask && 'CUREC_XTASK is not set';
const url = xtask ? await xtaskServe(dist) : '';

/** The answer as it comes, nothing decoded and no path tidied up. @param {string} path @param {import('node:http').RequestOptions} [options] */
const ask = (path, options = {}) =>
  /** @type {Promise<{status: number|undefined, headers: import('node:http').IncomingHttpHeaders, body: Buffer}>} */ (
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      request({ hostname, port, path, ...options }, async (response) => {
        const parts = await response.toArray();
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) });
      })
        .on('error', reject)
        .end();
    })
  );

test('the page comes up at every first visit', { skip }, async (t) => {
  const browser = await launch();
  for (let visit = 1; visit <= 6; visit += 1) {
    const { page, context, manners } = await freshPage(browser);
    const began = performance.now();
    // A file whose answer never comes holds up this event; what a busy machine computes does not.
    await page.goto(`${url}?backend=cpu`, { waitUntil: 'load', timeout: 30_000 });
    t.diagnostic(`visit ${visit}: loaded after ${Math.round(performance.now() - began)} ms`);
    await listShown(page);
    assert.deepEqual(manners, { ...manners, consoleErrors: [], pageErrors: [], foreign: [] });
    await context.close();
  }
});

test('every answer carries the policy: nothing inline, nothing evaluated but wasm, nothing from elsewhere, no frame around it', { skip }, async () => {
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  // A worker takes its policy from its own file's answer.
  for (const path of ['/', '/sw.js', `/code/${await codeOf(dist)}/worker.js`, '/artefact/manifest.json', '/nothing-here']) {
    const { headers } = await ask(path);
    assert.equal(headers['content-security-policy'], policy, path);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path);
    assert.equal(headers['cross-origin-embedder-policy'], 'require-corp', path);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
  }
});

test('files are sent as they were asked for', { skip }, async () => {
  const whole = await ask('/');
  assert.equal(whole.status, 200);
  assert.equal(whole.body.length, Number(whole.headers['content-length']));
  const head = await ask('/', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, whole.headers['content-length']]);
  const unchanged = await ask('/', { headers: { 'If-None-Match': String(whole.headers.etag) } });
  assert.deepEqual([unchanged.status, unchanged.body.length], [304, 0]);
  for (const path of ['/../Cargo.toml', '/%2e%2e/Cargo.toml', '/.git/config', '/artefact/', '/nothing-here']) assert.equal((await ask(path)).status, 404, path);
  assert.equal((await ask('/', { method: 'POST' })).status, 405);
});
