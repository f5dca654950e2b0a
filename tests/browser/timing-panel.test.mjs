/** What the badge's panel tells about time and memory, and that measuring stands in nobody's way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, Samples } from '../../www/js/samples.js';
import { freshPage, host, launch, listShown, mock, rows, scorer } from './helper/harness.mjs';
import { appended, sharing, slowMeasuring } from './helper/trouble.mjs';

const browser = await launch();

/** @param {Record<string, import('./helper/server.mjs').Rule>} [rules] @param {import('playwright-core').BrowserContextOptions} [options] */
async function opened(rules, options) {
  const { url } = await host(rules);
  const fresh = await freshPage(browser, options);
  await fresh.page.goto(`${url}?backend=cpu`);
  await listShown(fresh.page);
  await fresh.page.locator('.badge summary').click();
  return { ...fresh, panel: fresh.page.locator('.badge-panel') };
}

/** What the panel says of a thing. @param {import('playwright-core').Locator} panel @param {string} name */
const fact = (panel, name) => panel.locator('.panel-facts > div', { hasText: name }).locator('dd').innerText();

/** The cells of a row of scorings. @param {import('playwright-core').Locator} panel @param {'visit'|'measured'} name */
const cells = (panel, name) => panel.locator(`tr[data-used="cpu"][data-name="${name}"] td`).allInnerTexts();

/** A duration on the page, in milliseconds. @param {string} text */
function asMilliseconds(text) {
  const [, number, unit] = /^([\d.]+) (ms|s)$/.exec(text) ?? assert.fail(`${text} is no duration`);
  return Number(number) * (unit === 's' ? 1000 : 1);
}

test('quantiles by nearest rank', () => {
  const twenty = Array.from({ length: 20 }, (_, at) => 20 - at); // 20 … 1
  assert.equal(quantile(twenty, 0.5), 10); // ⌈0.5 · 20⌉ = 10th of 1 … 20
  assert.equal(quantile(twenty, 0.95), 19); // ⌈0.95 · 20⌉ = 19th
  assert.equal(quantile([3], 0.5), 3);
  assert.equal(quantile([3], 0.95), 3);
  assert.equal(quantile([1, 2, 4], 0.5), 2); // ⌈1.5⌉ = 2nd
  assert.equal(quantile([1, 2, 4], 0.95), 4);
  assert.equal(quantile([], 0.5), null);
});

test('samples of two backends are kept apart, and a measurement replaces the one before', () => {
  const samples = new Samples();
  for (const value of [5, 1, 3]) samples.add('cpu', value);
  samples.add('webgpu', 9);
  samples.measured({ used: 'cpu', milliseconds: [100], memory: { cpu: 0, gpu: null, helpers: null } });
  samples.measured({ used: 'cpu', milliseconds: [7, 8], memory: { cpu: 0, gpu: null, helpers: null } });
  assert.deepEqual(samples.summaries(), [
    { used: 'cpu', name: 'visit', count: 3, p50: 3, p95: 5 },
    { used: 'cpu', name: 'measured', count: 2, p50: 7, p95: 8 },
    { used: 'webgpu', name: 'visit', count: 1, p50: 9, p95: 9 },
  ]);
});

test('says what getting ready took and what memory is held', async () => {
  const { page, panel, manners } = await opened();
  for (const name of ['Download', 'Compile, after the last byte', 'Check every byte', 'Warm-up', 'First list scored in', 'It stood there after']) asMilliseconds(await fact(panel, name));
  const stood = asMilliseconds(await fact(panel, 'It stood there after'));
  const parts = await Promise.all(['Download', 'Compile', 'Check', 'Warm-up'].map((name) => fact(panel, name).then(asMilliseconds)));
  assert.ok(parts.reduce((sum, part) => sum + part, 0) <= stood * 1.05 + 50, `${parts} are parts of ${stood}`);
  // The page's own number, not one typed by hand: the memory of the module that runs in the worker.
  assert.match(await fact(panel, 'Scorer on the CPU'), /^\d+(\.\d)? MB$/);
  assert.match(await fact(panel, 'The page’s JavaScript'), /^\d+(\.\d)? MB$/);
  assert.equal(await panel.getByText('Scorer on WebGPU').count(), 0, 'there is none');
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
  assert.ok((await page.locator('.badge summary').innerText()).match(/CPU\s+[\d.]+ m?s/));
});

test('counts the lists of this visit, each once', async () => {
  const { page, panel } = await opened();
  assert.equal((await cells(panel, 'visit'))[0], '1');
  await page.keyboard.press('Escape');
  for (const at of [1, 2]) {
    await page.locator('.chip').nth(at).click();
    await page.locator('.chip').nth(at).and(page.locator('[aria-pressed="true"]')).waitFor();
    await listShown(page);
  }
  await page.locator('.badge summary').click();
  const [lists, p50, p95] = await cells(panel, 'visit');
  assert.equal(lists, '3');
  assert.ok(asMilliseconds(p50 ?? '') <= asMilliseconds(p95 ?? ''));
});

test('“Measure again” scores the list that stands there 20 times', async () => {
  const { panel } = await opened();
  await panel.getByRole('button', { name: 'Measure again' }).click();
  await panel.getByText('Scored this list 20 times on the CPU.').waitFor();
  const [lists, p50, p95] = await cells(panel, 'measured');
  assert.equal(lists, '20');
  assert.ok(asMilliseconds(p50 ?? '') <= asMilliseconds(p95 ?? ''));
});

test('a list that is asked for ends a measurement after the scoring that is under way', async () => {
  const each = 300;
  const { page, panel } = await opened(slowMeasuring(each));
  await panel.getByRole('button', { name: 'Measure again' }).click();
  await panel.getByText('Scoring this list 20 times …').waitFor();
  const began = Date.now();
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelectorAll('.chip')[1]).click());
  await page.locator('.chip').nth(1).and(page.locator('[aria-pressed="true"]')).waitFor();
  await listShown(page);
  await page.waitForFunction(() => /Stopped, because something else/.test(document.querySelector('.badge-panel')?.textContent ?? ''));
  assert.ok(Date.now() - began < 20 * each, 'nobody waited for all of them');
  const measured = (await scorer(page)?.evaluate(() => /** @type {any} */ (globalThis).__measured)) ?? 0;
  assert.ok(measured > 0 && measured < 20, `${measured} scorings`);
  assert.equal(await panel.locator('tr[data-name="measured"]').count(), 0);
  assert.equal(await rows(page).count(), 10);
});

test('the memory of helpers is told as soon as they are', { skip: mock ? 'the mock scores alone' : false }, async (t) => {
  // Without the service worker, which lets no altered script pass.
  const breaks = appended('/helper.js', "self.addEventListener('message', ({ data }) => { if (data.type === 'score' && self.__broken) throw new Error('broken'); });");
  const { page, panel, manners } = await opened({ ...sharing(), ...breaks }, { serviceWorkers: 'block' });
  if ((await page.evaluate(() => navigator.hardwareConcurrency)) < 2) return t.skip('one core');
  await panel.locator('.panel-note', { hasText: /workers share the catalogue/ }).waitFor();
  assert.match(await fact(panel, 'Its helpers'), /^\d+(\.\d)? MB$/);
  // They crash over the next list, which lets them go.
  const helpers = page.workers().filter((worker) => worker.url().endsWith('/helper.js'));
  assert.ok(helpers.length > 0);
  for (const helper of helpers) await helper.evaluate(() => void Object.assign(globalThis, { __broken: true }));
  await page.keyboard.press('Escape');
  await page.locator('.chip:not(.chip-own)').nth(1).click();
  await listShown(page);
  await panel.locator('.panel-note', { hasText: /one worker scores: another one stopped answering/ }).waitFor({ state: 'attached' });
  assert.equal(await panel.locator('dt', { hasText: 'Its helpers' }).count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});
