/** Ways to another taste at one press: somebody by chance, a taste begun anew, and back to the nearest viewer’s pattern. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewerName } from '../../www/js/format.js';
import { artefactJson, freshPage, host, launch, listShown, mock, rows, settled } from './helper/harness.mjs';

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');

/** Titles that somebody took. @type {number[]} */
const picks = users[1].history.slice(0, 3).map((/** @type {{item: number}} */ { item }) => item);
const spelled = (/** @type {number} */ item) => catalogue[item].key.replaceAll('%', '%25').replaceAll(',', '%2C').replaceAll('@', '%40');
const OWN = `#history=${encodeURIComponent(picks.map(spelled).join(','))}`;

/** @param {string} [hash] */
async function open(hash = '') {
  const fresh = await freshPage(browser);
  await fresh.page.goto(`${url}?backend=cpu${hash}`);
  await settled(fresh.page);
  return fresh;
}

/** @param {import('playwright-core').Page} page */
const listed = (page) => rows(page).evaluateAll((all) => all.map((row) => [Number(row.getAttribute('data-item')), (row.querySelector('.facts')?.textContent ?? '').replace(/ \(was .+?\)/, '')]));

/** Waits until the address says something. @param {import('playwright-core').Page} page @param {string} name @param {string} value */
async function addressed(page, name, value) {
  await page.waitForFunction(([one = '', wanted]) => new URLSearchParams(location.hash.slice(1)).get(one) === wanted, [name, value]);
  await settled(page);
}

test('“Surprise me” shows anybody: the first, the last and those between', async () => {
  const { page, manners } = await open();
  for (const [chance, user] of [[0.9999999, users.length - 1], [0, 0], [0.5, Math.floor(users.length / 2)]]) {
    await page.evaluate((value) => (Math.random = () => Number(value)), chance);
    await page.getByRole('button', { name: 'Surprise me' }).click();
    const { key } = users[user ?? -1];
    await addressed(page, 'user', key);
    assert.equal(await page.locator('#viewer-heading').innerText(), viewerName(key));
    const { page: other } = await open(`#${new URLSearchParams({ user: key })}`);
    assert.deepEqual(await listed(page), await listed(other), 'their own list');
  }
  await page.goBack();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent === name, viewerName(users[0].key));
  assert.deepEqual(manners.pageErrors, []);
});

test('“Start over” leaves nothing of a taste, and its steps back', async () => {
  const { page, manners } = await open(OWN);
  const startOver = page.getByRole('button', { name: 'Start over' });
  const list = await listed(page);
  assert.equal(await page.locator('.history-row').count(), picks.length);
  await startOver.focus();
  await page.keyboard.press('Enter');
  await page.getByText('Pick a title or two: your list stands here at once.').waitFor();
  assert.equal(await page.locator('.history-row').count(), 0);
  assert.equal(await rows(page).count(), 0);
  assert.match(await page.locator('#viewer').innerText(), /Nothing picked yet\./);
  assert.equal(await page.locator('#viewer .pattern').count(), 0, 'nobody’s pattern is read');
  await addressed(page, 'history', '');
  assert.equal(await startOver.isDisabled(), true);
  assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), 'BODY', 'the focus is not lost');
  await page.getByRole('button', { name: 'Undo' }).click();
  await listShown(page);
  assert.deepEqual(await listed(page), list);
  // Begun anew, the taste finds its own nearest viewer.
  await startOver.click();
  await page.getByText('Pick a title or two: your list stands here at once.').waitFor();
  await page.getByRole('combobox', { name: 'Add a title' }).fill(catalogue[picks[0] ?? -1].title);
  await page.keyboard.press('Enter');
  await listShown(page);
  assert.match(await page.locator('#viewer').innerText(), /the nearest viewer, who took 1 title of yours|has written no pattern for/);
  assert.deepEqual(manners.pageErrors, []);
});

test('“Use the nearest viewer’s pattern” reads it again, and follows whoever is nearest', async () => {
  const { page, manners } = await open(OWN);
  const pattern = () => page.locator('#viewer .pattern blockquote').textContent();
  const use = page.getByRole('button', { name: 'Use the nearest viewer’s pattern' });
  const [list, read] = [await listed(page), await pattern()];
  const key = new URLSearchParams(new URL(page.url()).hash.slice(1)).get('pattern') ?? '';
  const nearest = users.find((/** @type {{key: string}} */ one) => one.key === key);
  assert.equal(read, nearest.pattern.trim());
  const shared = picks.filter((item) => nearest.history.some((/** @type {{item: number}} */ event) => event.item === item)).length;
  assert.equal(await page.locator('#viewer .pattern figcaption').innerText(), `Borrowed: the language model on ${viewerName(key)}, the nearest viewer, who took ${shared} title${shared === 1 ? '' : 's'} of yours`);
  assert.equal(await use.count(), 0, 'it is read already');
  await page.getByRole('button', { name: 'Use no pattern' }).click();
  await addressed(page, 'pattern', 'none');
  assert.equal(await page.locator('#viewer .pattern').count(), 0);
  if (!mock) assert.notDeepEqual(await listed(page), list, 'without a pattern the scores are others');
  await use.focus();
  await page.keyboard.press('Enter');
  await addressed(page, 'pattern', key);
  assert.equal(await pattern(), read);
  assert.deepEqual(await listed(page), list);
  assert.equal(await use.count(), 0);
  assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), 'BODY', 'the focus is not lost');
  // With nothing picked nobody is nearest, and a pattern that did not follow would be read still.
  for (let left = picks.length; left > 0; left -= 1) {
    await page.locator('[data-do="remove"]').first().click();
    await page.waitForFunction((rest) => document.querySelectorAll('.history-row').length === rest, left - 1);
    await settled(page);
  }
  await page.getByText('Pick a title or two: the nearest viewer’s pattern is read then.').waitFor();
  assert.deepEqual(manners.pageErrors, []);
});

test('a taste in which nothing is picked yet, opened again from its address, reads the nearest viewer’s pattern once something is', async () => {
  const { page, manners } = await open('#history=&pattern=none');
  await page.getByRole('combobox', { name: 'Add a title' }).fill(catalogue[picks[0] ?? 0].title);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => (new URLSearchParams(location.hash.slice(1)).get('pattern') ?? 'none') !== 'none', undefined, { timeout: 8000 });
  assert.deepEqual(manners.pageErrors, []);
});
