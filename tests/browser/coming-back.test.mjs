/** Coming back to a list loses nothing of it: the steps that led there, and what the language model wrote for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterChange, add, catalogue, listed as rowsOf, open as openAsked, users, whatIf } from './helper/asked.mjs';
import { listShown, PATIENCE, rows, scorer } from './helper/harness.mjs';
import { listed, open, ownTaste, reasonsWritten, writtenPattern } from './helper/writing.mjs';

/** @param {import('playwright-core').Page} page */
const own = (page) => page.locator('.chip-own');

/** @param {import('playwright-core').Page} page */
const hashOf = (page) => new URL(page.url()).hash;

/** @param {import('playwright-core').Page} page */
const titles = (page) => page.locator('.history-title').allTextContents();

/** Another viewer is looked at. @param {import('playwright-core').Page} page */
async function glance(page) {
  await page.locator('.chip[aria-pressed="false"]:not(.chip-own)').first().click();
  await page.locator('#what-if-toggle').waitFor();
  await listShown(page);
}

test('one’s own taste stays when its chip is pressed again, and comes back with its steps after a glance at a viewer', async () => {
  const { page, manners } = await openAsked('#history=');
  for (const event of users[1].history.slice(0, 2)) await afterChange(page, () => add(page, catalogue[event.item].title));
  const before = { hash: hashOf(page), list: await rowsOf(page), titles: await titles(page) };
  await own(page).click();
  await page.waitForTimeout(300);
  assert.deepEqual({ hash: hashOf(page), list: await rowsOf(page), titles: await titles(page) }, before);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'add-title');
  await glance(page);
  await own(page).click();
  await page.locator('#viewer-heading', { hasText: 'Your own taste' }).waitFor();
  await listShown(page);
  assert.deepEqual([hashOf(page), await titles(page)], [before.hash, before.titles]);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction((count) => document.querySelectorAll('.history-title').length === count, 1);
  // A step back in the browser leads there too, with the steps.
  await listShown(page);
  await glance(page);
  await page.goBack();
  await page.locator('#viewer-heading', { hasText: 'Your own taste' }).waitFor();
  await listShown(page);
  assert.equal((await titles(page)).length, 1);
  await page.getByRole('button', { name: 'Redo' }).click();
  await page.waitForFunction((count) => document.querySelectorAll('.history-title').length === count, 2);
  assert.deepEqual(manners.pageErrors, []);
});

test('the chip of the viewer who is shown leaves what was changed as it is', async () => {
  const { page } = await openAsked('');
  await whatIf(page);
  const changed = await afterChange(page, () => page.locator('[data-do="remove"]').first().click());
  const hash = hashOf(page);
  await page.locator('.chip[aria-pressed="true"]').click();
  await page.waitForTimeout(300);
  await listShown(page);
  assert.deepEqual([hashOf(page), await rowsOf(page)], [hash, changed]);
  assert.equal(await page.getByRole('button', { name: 'Undo' }).isDisabled(), false);
});

for (const [whose, hash] of [
  ['one’s own taste', ownTaste],
  ['a viewer', `#user=${encodeURIComponent(users[0].key)}`],
]) {
  test(`a step back to a list with a written pattern has the pattern and its reasons at once (${whose})`, async () => {
    const { page, manners } = await open(hash);
    if (hash !== ownTaste) await whatIf(page);
    await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
    const pattern = await writtenPattern(page);
    await reasonsWritten(page);
    const before = await listed(page);
    const reasons = await page.locator('.own-reason .voice').allTextContents();
    assert.equal(reasons.length, 5);
    await glance(page);
    await page.evaluate(() => {
      const asked = (/** @type {any} */ (window).__asked = /** @type {string[]} */ ([]));
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (/** @type {any} */ ...message) {
        asked.push(message[0].type);
        return postMessage.apply(this, message);
      };
    });
    await page.goBack();
    assert.equal(await writtenPattern(page), pattern);
    await reasonsWritten(page);
    assert.deepEqual(await listed(page), before);
    assert.deepEqual(await page.locator('.own-reason .voice').allTextContents(), reasons);
    assert.equal(await page.getByRole('button', { name: 'Write it' }).count(), 0);
    const asked = await page.evaluate(() => /** @type {string[]} */ (/** @type {any} */ (window).__asked));
    assert.deepEqual(asked.filter((type) => String(type).startsWith('write-')), [], 'nothing is written a second time');
    assert.deepEqual(manners.pageErrors, []);
  });
}

test('a link with another seed is written without asking where the language model is here already', async () => {
  const { page } = await open(ownTaste);
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await writtenPattern(page);
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `${ownTaste}&write=7`);
  await page.waitForFunction(() => document.querySelector('.pattern[data-written]') === null || location.hash.includes('write=7&run='));
  await page.waitForFunction(() => location.hash.includes('write=7&run='), null, { timeout: PATIENCE });
  await writtenPattern(page);
  assert.equal(await page.getByRole('button', { name: 'Write it' }).count(), 0);
});

test('a list of one’s own taste is the same again after its scorer was killed: what moved, and as many rows as were asked for', async () => {
  const { page, manners } = await openAsked('#history=');
  for (const event of users[1].history.slice(0, 2)) await afterChange(page, () => add(page, catalogue[event.item].title));
  const before = { hash: hashOf(page), list: await rowsOf(page), note: await page.locator('.moves-note').innerText() };
  assert.ok(before.list.some(({ move }) => move !== ''));
  await page.getByRole('button', { name: 'Show 10 more' }).focus();
  await scorer(page)?.evaluate(() => self.close()).catch(() => {});
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('#ranking .recommendation').length === 20);
  const after = await rowsOf(page);
  assert.deepEqual(after.slice(0, 10), before.list);
  assert.ok(after.slice(10).some(({ move }) => move !== ''), 'and the others say where they stood too');
  assert.equal(hashOf(page), before.hash.replace('&run=', '&rows=20&run='));
  assert.equal(await rows(page).nth(10).locator('h3').evaluate((heading) => heading === document.activeElement), true);
  await page.getByRole('button', { name: 'Undo' }).first().click();
  await page.waitForFunction(() => document.querySelectorAll('.history-title').length === 1);
  await listShown(page);
  assert.equal((await rowsOf(page)).length, 20);
  assert.deepEqual(manners.pageErrors, []);
});
