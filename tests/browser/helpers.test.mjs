/** Helpers of the scorer's worker: the same list to the last digit, kept only where they pay, and missed by nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, mock } from './helper/harness.mjs';
import { appended } from './helper/trouble.mjs';

// Chromium tells a page of one core the truth: there no helper is ever started.
const browser = await launch();
const { page: probe } = await freshPage(browser);
const cores = await probe.evaluate(() => navigator.hardwareConcurrency);
const skip = mock ? 'the mock scores alone' : cores < 2 ? 'skipped: one core' : false;

/**
 * A server's rules by which helpers are tried on however small a catalogue, and found to pay or not, whatever they take.
 * @param {boolean} pay @param {Record<string, import('./helper/server.mjs').Rule>} [others]
 * @returns {Record<string, import('./helper/server.mjs').Rule>}
 */
const judged = (pay, others = {}) => ({
  ...appended('/helper.js', ''),
  ...others,
  '/js/worker-team.js': (content) => {
    let text = String(content);
    for (const [old, other] of [
      ['const WORTH = 8;', 'const WORTH = 0;'],
      ['const GAIN = 0.85;', `const GAIN = ${pay ? 'Infinity' : 0};`],
    ]) {
      assert.ok(text.includes(String(old)), `${old} in ${text}`);
      text = text.replace(String(old), String(other));
    }
    return { body: Buffer.from(text) };
  },
});

/** The page, once it is settled whether helpers stay. @param {Record<string, import('./helper/server.mjs').Rule>} rules */
async function settledPage(rules) {
  const { url } = await host(rules);
  // Without the service worker, which lets no altered script pass.
  const { page, manners } = await freshPage(browser, { serviceWorkers: 'block' });
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  return { page, manners };
}

/** What the panel says of the workers. @param {import('playwright-core').Page} page @param {RegExp} words */
const said = (page, words) => page.locator('.timings .panel-note', { hasText: words }).waitFor({ state: 'attached' });

/** Shows a viewer and answers with all that their first row says, the numbers of its evidence too. @param {import('playwright-core').Page} page @param {number} at */
async function shown(page, at) {
  const chip = page.locator('.chip:not(.chip-own)').nth(at);
  await chip.click();
  await chip.and(page.locator('[aria-pressed="true"]')).waitFor();
  await listShown(page);
  await page.locator('.recommendation .button-why').first().click();
  await page.locator('.recommendation .drawer').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting], .drawer [aria-busy="true"]'));
  return (await page.locator('.recommendation').allTextContents()).join('\n');
}

/** One of the helpers. @param {import('playwright-core').Page} page */
const helper = (page) => page.workers().find((worker) => new URL(worker.url()).pathname.endsWith('/helper.js'));

test('share the catalogue where that pays, and give the same list', { skip }, async () => {
  const together = await settledPage(judged(true));
  await said(together.page, /^On the CPU, \d+ workers share the catalogue: .+ measured, where one took/);
  const alone = await settledPage(judged(false));
  await said(alone.page, /^On the CPU, one worker scores: sharing was measured and did not pay/);
  for (const at of [1, 2, 3]) assert.equal(await shown(together.page, at), await shown(alone.page, at));
  // Memory is told of helpers that are there, and of no others.
  const memory = (/** @type {import('playwright-core').Page} */ page) => page.locator('.timings dl > div', { hasText: 'Its helpers' }).count();
  assert.deepEqual([await memory(together.page), await memory(alone.page)], [1, 0]);
  for (const { manners } of [together, alone]) assert.deepEqual([manners.pageErrors, manners.consoleErrors, manners.foreign], [[], [], []]);
});

test('bring the artefact’s bytes from the worker, not from the network', { skip }, async () => {
  const { page, manners } = await settledPage(judged(true));
  await said(page, /workers share/);
  assert.equal(manners.requests.filter((url) => url.includes('model.safetensors')).length, 1);
});

test('one that stops answering costs no list, and is told', { skip }, async () => {
  const dies = appended('/helper.js', '');
  const expected = await settledPage(judged(false));
  const { page, manners } = await settledPage(judged(true, dies));
  await said(page, /workers share/);
  await helper(page)?.evaluate(() => self.close()).catch(() => {});
  for (const at of [1, 2, 3, 4, 5]) assert.equal(await shown(page, at), await shown(expected.page, at));
  await said(page, /: another one stopped answering\.$/);
  assert.deepEqual(manners.pageErrors, []);
});

test('one that crashes is told at once', { skip }, async () => {
  const traps = appended('/helper.js', "self.addEventListener('message', ({ data }) => { if (data.type === 'score' && self.__broken) throw new Error('broken'); });");
  const { page } = await settledPage(judged(true, traps));
  await said(page, /workers share/);
  await helper(page)?.evaluate(() => void Object.assign(globalThis, { __broken: true }));
  await shown(page, 1);
  await said(page, /: another one stopped answering\.$/);
});

test('none is there that cannot start', { skip }, async () => {
  const { page, manners } = await settledPage(judged(true, appended('/helper.js', "throw new Error('broken');")));
  await said(page, /^On the CPU, one worker scores: a second one could not be started\./);
  await shown(page, 1);
  assert.deepEqual(manners.pageErrors, []);
});

test('are gone where they do not pay', { skip }, async () => {
  const { page } = await settledPage(judged(false));
  await said(page, /did not pay/);
  for (const began = Date.now(); page.workers().length > 1; await page.waitForTimeout(50)) assert.ok(Date.now() - began < 15_000, 'only the scorer stays');
});
