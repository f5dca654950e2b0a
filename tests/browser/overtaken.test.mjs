/** What is asked for while something else is on its way: the newest wish is what stands there in the end, and what is fetched holds nobody up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterChange, browser, catalogue, listed, open, spelled, url, users, whatIf } from './helper/asked.mjs';
import { freshPage, host, launch, listShown, mock, PATIENCE, rows, scorer, settled, SWIFTSHADER_FLAGS } from './helper/harness.mjs';
import { gate } from './helper/writing.mjs';

/** The service worker would ask for files itself. @type {import('playwright-core').BrowserContextOptions} */
const UNKEPT = { serviceWorkers: 'block' };

/** @param {import('playwright-core').Page} page */
const chip = (page) => page.locator('.chip[aria-pressed="false"]:not(.chip-own)').first();

/** The viewer whose list the address names. @param {import('playwright-core').Page} page */
const named = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('user');

/**
 * The list that stands there is of whom the page shows, and the address says so.
 * @param {import('playwright-core').Page} page @param {string} [hash] of the address, if it is known
 */
async function standsAsNamed(page, hash) {
  await settled(page);
  if (hash !== undefined) assert.equal(new URL(page.url()).hash, hash);
  const now = await listed(page);
  const other = await browser.newPage();
  await other.goto(page.url());
  await settled(other);
  assert.deepEqual((await listed(other)).map(({ item }) => item), now.map(({ item }) => item), 'the address opens the same list');
  await other.close();
}

test('a step back pressed while another viewer is on their way does not keep them away', async () => {
  const { page, manners } = await open();
  await whatIf(page);
  await afterChange(page, () => page.locator('[data-do="remove"]').first().click());
  const before = named(page);
  await page.evaluate(() => {
    const undo = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Undo');
    /** @type {HTMLElement} */ (document.querySelector('.chip[aria-pressed="false"]:not(.chip-own)')).click();
    undo?.click();
  });
  await page.waitForFunction((old) => new URLSearchParams(location.hash.slice(1)).get('user') !== old, before);
  await standsAsNamed(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a list that is scored anew for another backend keeps away neither a viewer on their way nor the address of a change', { timeout: 4 * PATIENCE }, async () => {
  const gpu = await launch(SWIFTSHADER_FLAGS);
  const { page, manners } = await freshPage(gpu, UNKEPT);
  await page.goto(`${url}#user=${encodeURIComponent(users[0].key)}`);
  await listShown(page);
  await page.locator('.badge summary').click();
  const turn = (/** @type {string} */ name) => page.locator('.badge').getByRole('button', { name, exact: true });
  const before = named(page);
  await turn('WebGPU').click();
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.chip[aria-pressed="false"]:not(.chip-own)')).click());
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await page.waitForFunction((old) => new URLSearchParams(location.hash.slice(1)).get('user') !== old, before);
  await settled(page);
  // A change while it turns back.
  await whatIf(page);
  const hash = new URL(page.url()).hash;
  await page.locator('.badge summary').click();
  await page.evaluate(() => {
    const cpu = [...document.querySelectorAll('.badge button')].find(({ textContent }) => textContent === 'CPU');
    /** @type {HTMLElement} */ (cpu).click();
    /** @type {HTMLElement} */ (document.querySelector('[data-do="remove"]')).click();
  });
  await page.locator('.badge[data-backend="cpu"]').waitFor();
  await page.waitForFunction((old) => location.hash !== old, hash);
  await standsAsNamed(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('two quick steps back lead to what the address names', async () => {
  const { page, manners } = await open();
  const first = new URL(page.url()).hash;
  await page.goto(`${url}?backend=cpu#history=${spelled(users[1].history[0].item)}&pattern=${encodeURIComponent(users[1].key)}`);
  await settled(page);
  await chip(page).click();
  await page.waitForFunction(() => location.hash.includes('user='));
  await settled(page);
  // A scorer that is busy answers both in one go.
  const busy = scorer(page)?.evaluate(() => {
    for (const end = performance.now() + 2000; performance.now() < end; );
  });
  await page.waitForTimeout(300);
  await page.evaluate(async () => {
    const back = () => new Promise((resolve) => (addEventListener('popstate', resolve, { once: true }), history.back()));
    await back();
    await back();
  });
  await busy;
  await page.waitForTimeout(300);
  await standsAsNamed(page, first);
  assert.notEqual(await page.locator('#viewer-heading').innerText(), 'Your own taste');
  assert.deepEqual(manners.pageErrors, []);
});

test('while the language model is fetched, lists, drawers and questions are answered', { timeout: 4 * PATIENCE }, async () => {
  const { until, go } = gate();
  const server = await host({ '/artefact/writer.safetensors': (body) => ({ body, until }) });
  const { page, manners } = await open(`#user=${encodeURIComponent(users[0].key)}`, UNKEPT, server.url);
  await whatIf(page);
  await page.locator('#write-pattern').click();
  await page.locator('.pattern-live figcaption', { hasText: 'The language model is fetched' }).waitFor();
  await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
  await rows(page).first().locator('.probe-table').first().waitFor();
  await page.getByRole('button', { name: /^Show \d+ more/ }).click();
  await page.waitForFunction(() => document.querySelectorAll('#ranking .recommendation').length > 10);
  assert.ok(await page.locator('.pattern-live figcaption', { hasText: 'The language model is fetched' }).isVisible(), 'and it still is');
  // Another viewer: nobody waits for that pattern any more, and it is no longer fetched.
  await chip(page).click();
  await page.waitForFunction((old) => new URLSearchParams(location.hash.slice(1)).get('user') !== old, users[0].key);
  await listShown(page);
  for (const start = Date.now(); !server.dropped.includes('/artefact/writer.safetensors'); await page.waitForTimeout(50)) assert.ok(Date.now() - start < PATIENCE, 'nothing is fetched any more');
  go();
  await whatIf(page);
  await page.locator('#write-pattern').click();
  await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
  assert.deepEqual(manners.pageErrors, []);
});

test('while the scorer for the GPU is fetched, the CPU answers', { timeout: 4 * PATIENCE }, async () => {
  const { until, go } = gate();
  const file = mock ? '/curec-web-gpu.js' : '/curec-web-gpu_bg.wasm';
  const server = await host({ [file]: (body) => ({ body, until }) });
  const { page, manners } = await freshPage(await launch(SWIFTSHADER_FLAGS), UNKEPT);
  await page.goto(server.url);
  await listShown(page);
  const before = named(page);
  await page.locator('.badge summary').click();
  await page.locator('.badge').getByRole('button', { name: 'WebGPU', exact: true }).click();
  for (const start = Date.now(); !server.asked.some((path) => path.endsWith(file)); await page.waitForTimeout(50)) assert.ok(Date.now() - start < PATIENCE, 'it is fetched');
  await page.keyboard.press('Escape');
  await chip(page).click();
  await page.waitForFunction((old) => new URLSearchParams(location.hash.slice(1)).get('user') !== old, before);
  await listShown(page);
  assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'cpu');
  go();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await listShown(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a skip link leaves the address alone: the list stands there after a reload too', async () => {
  const { page } = await open(`#history=${spelled(users[1].history[0].item)}`);
  const hash = new URL(page.url()).hash;
  const before = await listed(page);
  await page.locator('.skip-link').focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  assert.equal(new URL(page.url()).hash, hash);
  await page.reload();
  await listShown(page);
  assert.deepEqual((await listed(page)).map(({ item }) => catalogue[item].title), before.map(({ item }) => catalogue[item].title));
});

test('whoever presses what starts the scorer again is led to what comes in its place', async () => {
  const { page } = await open();
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '');
  // Twice in a row it does not come back by itself.
  for (let end = 0; end < 2; end += 1) await scorer(page)?.evaluate(() => self.close()).catch(() => {}).then(() => page.waitForTimeout(mock ? 1500 : 4000));
  const again = page.locator('.notice-fault').getByRole('button', { name: 'Start the scorer again' });
  await again.waitFor();
  await again.focus();
  await page.keyboard.press('Enter');
  assert.match(await focused(), /^Getting ready/, 'on what is said of it');
  assert.equal(await page.locator('#page-nav').isVisible(), false, 'no way leads to what is not there');
  await listShown(page);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  assert.equal(await page.locator('#page-nav').isVisible(), true);
});
