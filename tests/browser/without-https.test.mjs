/** A page without https has no locks, no hashes of its own and no service worker: it scores all the same, and notices when its worker is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, scorer } from './helper/harness.mjs';

const browser = await launch(['--host-resolver-rules=MAP curec.test 127.0.0.1']);
const { url } = await host();

/** With the page's timers in the test's hand. */
async function opened() {
  const { page, manners } = await freshPage(browser);
  await page.clock.install();
  await page.goto(`${url.replace('127.0.0.1', 'curec.test')}?backend=cpu`);
  await listShown(page);
  assert.deepEqual(await page.evaluate(() => [isSecureContext, 'locks' in navigator]), [false, false]);
  return { page, manners };
}

test('a list stands, and the page says why nothing is kept', async () => {
  const { page, manners } = await opened();
  await page.locator('#kept', { hasText: /^Not kept for visits without a connection: this browser keeps no pages here/ }).waitFor();
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a worker that is gone is missed within a minute, and replaced', async () => {
  const { page } = await opened();
  const old = scorer(page);
  await old?.evaluate(() => self.close()).catch(() => {});
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#ranking').getAttribute('aria-busy'), 'true');
  await page.clock.runFor(60_000);
  await listShown(page);
  assert.notEqual(scorer(page), old);
  assert.equal(await page.locator('.notice-fault').count(), 0);
});

test('a worker that computes for long is not taken for one that is gone', async () => {
  const { page } = await opened();
  const worker = scorer(page);
  // Half a minute by the page's clock; for the worker, the time in which it answers nothing.
  const busy = worker?.evaluate(() => {
    for (const began = performance.now(); performance.now() - began < 3000; );
  });
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.clock.runFor(30_000);
  await busy;
  await listShown(page);
  assert.equal(scorer(page), worker);
  // And one that waits for the network answers whatever else it does.
  await page.clock.runFor(300_000);
  assert.equal(scorer(page), worker);
  assert.equal(await page.locator('.notice-fault').count(), 0);
});
