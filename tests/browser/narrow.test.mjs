/** A narrow window shows all that a wide one does, is no wider than its window, and what is pinned to it covers nothing that is pressed from the top. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from './helper/axe.mjs';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, launch, listShown, overflow, PATIENCE, rows } from './helper/harness.mjs';

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const viewport = { width: 360, height: 740 };

/** @param {string} hash @param {string} [address] */
async function open(hash, address = url) {
  const { page } = await freshPage(browser, { viewport });
  await page.goto(`${address}?backend=cpu${hash}`);
  await listShown(page);
  return page;
}

test('the steps of the waterfall are drawn, each below its part and as wide as the drawer', async () => {
  const page = await open(`#user=${encodeURIComponent(users[0].key)}`);
  await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
  const table = page.locator('.probe-table').first();
  await table.waitFor();
  const parts = await table.locator('tbody tr').evaluateAll((all) =>
    all.map((row) => {
      const box = (/** @type {string} */ selector) => /** @type {Element} */ (row.querySelector(selector)).getBoundingClientRect();
      const step = /** @type {Element} */ (row.querySelector('.fall'));
      return { words: box('th').bottom, top: box('.fall').top, width: box('.fall').width, row: row.getBoundingClientRect().width, length: Number.parseFloat(getComputedStyle(step, '::before').width), numbers: [...row.querySelectorAll('.number')].map((cell) => cell.getBoundingClientRect().right) };
    }),
  );
  assert.equal(parts.length, 5);
  for (const { words, top, width, row, length, numbers } of parts) {
    assert.ok(top >= words - 1 && width >= row - 1 && length >= 1, JSON.stringify({ words, top, width, row, length }));
    assert.deepEqual(numbers, parts[0]?.numbers, 'the numbers stand below each other');
  }
  assert.ok(parts.some(({ length, row }) => length > row / 3));
  assert.ok((await overflow(page)) <= 0);
  const cdp = await page.context().newCDPSession(page);
  const { nodes } = await cdp.send('Accessibility.getFullAXTree');
  assert.ok(nodes.some(({ role, name }) => role?.value === 'rowheader' && name?.value === 'Together'), 'it is a table still');
});

test('a title that is one long word makes the page no wider, and the bar of changes no taller', async () => {
  const long = (/** @type {any} */ item) => ({ ...item, title: `${item.title}${'x'.repeat(200)}` });
  const preview = await artefactJson('preview.json');
  const { url: address } = await host(
    changedArtefact(() => {}, {
      'catalogue.json': catalogue.map(long),
      'preview.json': { ...preview, history: preview.history.map(long), recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, item: long(row.item), carried_by: row.carried_by.map((/** @type {string} */ title) => `${title}${'x'.repeat(200)}`) })) },
    }),
  );
  const page = await open(`#user=${encodeURIComponent(users[0].key)}`, address);
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.locator('[data-do="remove"]').first().click();
  await page.locator('.what-if-changes').waitFor();
  await listShown(page);
  assert.ok((await overflow(page)) <= 0, `${await overflow(page)} pixels too wide`);
  const { height = Infinity } = (await page.locator('.change-bar').boundingBox()) ?? {};
  assert.ok(height <= viewport.height / 4, `the bar is ${height} pixels high`);
  assert.match(await page.locator('.what-if-changes').innerText(), /x{200}/, 'all of it stands with the viewer');
});

test('the bar of changes does not lie over what writes a pattern, and the way to the list stands among the tools', async () => {
  const page = await open(`#history=${encodeURIComponent(catalogue[0].key)}`);
  await page.locator('#write-pattern').click();
  await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
  await listShown(page);
  // Wherever it comes to lie, window by window.
  for (const height of [700, 740, 780, 820]) {
    await page.setViewportSize({ width: 360, height });
    await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
    await page.locator('.change-bar[data-beside]').waitFor({ state: 'attached' });
    assert.equal(await page.locator('.change-bar').isVisible(), false);
    assert.deepEqual(await violations(page), []);
  }
  await page.locator('.what-if-tools').getByRole('button', { name: 'See the list' }).click();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'ranking-heading');
  await page.locator('.change-bar').waitFor();
  assert.ok(await page.locator('.change-bar').getByRole('button', { name: 'Take it back' }).isVisible(), 'out of the tools’ sight it is there');
});
