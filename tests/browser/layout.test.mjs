/** Where things stand: the list stays in its place when it comes to life, what is wanted most is in sight, words are explained where they are used. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytes } from '../../www/js/format.js';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, dist, freshPage, host, launch, listShown, overflow, PATIENCE } from './helper/harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
/** Pixels that nobody sees move. */
const A_FEW = 4;

/** @param {string} hash @param {import('playwright-core').BrowserContextOptions} [options] @param {string} [address] */
async function open(hash = '', options = {}, address = url) {
  const fresh = await freshPage(browser, options);
  await fresh.page.goto(`${address}?backend=cpu${hash}`);
  await listShown(fresh.page);
  return fresh;
}

/** @param {Page} page @param {string} selector */
const box = (page, selector) => page.locator(selector).first().evaluate((element) => element.getBoundingClientRect().toJSON());
/** @param {Page} page */
const scrolled = (page) => page.evaluate(() => scrollY);

for (const [width, height] of /** @type {const} */ ([[1280, 900], [768, 900], [390, 844], [360, 740]])) {
  test(`the first row stays where it is when the live list takes the first view’s place (${width} by ${height})`, async (t) => {
    const { url: address } = await host({ '/curec-web_bg.wasm': (body) => ({ body, delay: 1500 }) });
    const { page } = await freshPage(browser, { viewport: { width, height }, ...(width < 500 ? { hasTouch: true, isMobile: true } : {}) });
    await page.goto(`${address}?backend=cpu`);
    await page.locator('#first-view .recommendation').first().waitFor();
    await page.waitForTimeout(300);
    const before = await box(page, '#first-view .recommendation');
    assert.equal(await page.locator('#picker').isVisible(), false, 'the scorer is not here yet');
    await listShown(page);
    await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting]'));
    const after = await box(page, '#ranking .recommendation');
    assert.equal(await scrolled(page), 0);
    t.diagnostic(`the first row’s top: ${before.top} before, ${after.top} after`);
    assert.ok(Math.abs(after.top - before.top) <= A_FEW, `${before.top} before, ${after.top} after`);
    assert.ok((await box(page, '#ranking .recommendation h3')).bottom <= height, 'its title is in the first window');
  });
}

for (const [width, height] of /** @type {const} */ ([[1280, 900], [390, 844], [360, 740]])) {
  test(`hardly anything that stands there moves while the page comes to life (${width} by ${height})`, async (t) => {
    const { page } = await freshPage(browser, { viewport: { width, height }, ...(width < 500 ? { hasTouch: true, isMobile: true } : {}) });
    await page.addInitScript(() => {
      const seen = /** @type {any} */ (globalThis);
      seen.__shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of /** @type {any[]} */ (list.getEntries())) if (!entry.hadRecentInput) seen.__shifted += entry.value;
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(`${url}?backend=cpu`);
    await listShown(page);
    await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting]'));
    await page.waitForTimeout(300);
    const shifted = await page.evaluate(() => /** @type {any} */ (globalThis).__shifted);
    t.diagnostic(`cumulative layout shift ${shifted.toFixed(4)}`);
    // 0.1 is called good (web.dev/articles/cls).
    assert.ok(shifted <= 0.05, String(shifted));
  });
}

test('on a phone a taste of one’s own is first to be picked, for eyes and keyboard; in a wide window it is last', async () => {
  const { page } = await open('', PHONE);
  const names = () => page.locator('.chip-label').allTextContents();
  assert.equal((await names())[0], 'Build your own taste');
  const own = await box(page, '.chip-own');
  assert.ok(own.left >= 0 && own.right <= 390, JSON.stringify(own));
  const places = await page.locator('.chip').evaluateAll((all) => all.map((chip) => chip.getBoundingClientRect().left));
  assert.deepEqual(places, places.toSorted((a, b) => a - b), 'seen in the order in which the keyboard comes to them');
  await page.locator('.chip-own').focus();
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.waitForFunction(() => document.querySelector('.chips > :last-child')?.classList.contains('chips-own'));
  assert.equal((await names()).at(-1), 'Build your own taste');
  assert.equal(await page.evaluate(() => document.activeElement?.classList.contains('chip-own')), true, 'the focus stays on it');
  assert.ok((await overflow(page)) <= 0);
});

test('on a phone the chip that is pressed is in sight in its row, and the page does not scroll for it', async () => {
  const { page } = await open('', PHONE);
  const inSight = async (/** @type {string} */ what) => {
    const { left, right } = await box(page, '.chip[aria-pressed="true"]');
    assert.ok(left >= 0 && right <= 390, `${what}: from ${left} to ${right}`);
  };
  await inSight('at first');
  assert.equal(await scrolled(page), 0);
  // Pressed while it is out of sight, as by a voice.
  const last = page.locator('.chip').last();
  assert.ok((await box(page, '.chips > :last-child .chip')).left >= 390);
  await last.evaluate((/** @type {HTMLElement} */ chip) => chip.click());
  await last.and(page.locator('[aria-pressed="true"]')).waitFor();
  await listShown(page);
  await inSight('the last one');
  // Whoever picks is taken to the list, and nothing of that is the row's doing.
  await page.evaluate(() => scrollTo(0, 0));
  await page.goBack();
  await page.locator('.chip').nth(1).and(page.locator('[aria-pressed="true"]')).waitFor();
  await listShown(page);
  await inSight('the first one again');
});

test('on a phone two ways lead from the head of the list to the test and to the questions below it', async () => {
  const user = users.find((/** @type {{held_out: number|null}} */ { held_out }) => held_out !== null);
  const { page } = await open(`#user=${encodeURIComponent(user.key)}`, PHONE);
  for (const [words, target, next] of /** @type {const} */ ([
    ['Test it against a real choice', '.truth', null],
    ['Ask the model', '.questions', 'What would change the first place?'],
  ])) {
    const way = page.getByRole('button', { name: words });
    const { height } = await way.evaluate((element) => element.getBoundingClientRect().toJSON());
    assert.ok(height >= 24);
    await way.focus();
    await page.keyboard.press('Enter');
    const { top, bottom } = await box(page, target);
    assert.ok(top >= 0 && bottom <= 844, `${target} from ${top} to ${bottom}`);
    assert.equal(await page.evaluate((selector) => document.activeElement?.querySelector(selector) !== null && document.activeElement !== document.body, target), true, 'the focus has gone there');
    if (!next) continue;
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), next, 'and the keyboard goes on from there');
  }
  // Nobody's list has nothing that was held out; an empty one has nothing to ask.
  await page.locator('.chip-own').click();
  await page.locator('#ranking[data-empty]').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Ask the model' }).isVisible(), false);
  // Where both stand above the list, there is nowhere to go.
  const { page: wide } = await open();
  assert.equal(await wide.getByRole('button', { name: 'Ask the model' }).isVisible(), false);
});

test('the way to the models opens their comparison and leads to a heading of the same name', async () => {
  const { page, manners } = await open(`#user=${encodeURIComponent(users[0].key)}`);
  const way = page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('button', { name: 'Models compared' });
  await way.focus();
  await page.keyboard.press('Enter');
  await page.locator('.compare-column').first().waitFor();
  assert.deepEqual(await page.evaluate(() => [document.activeElement?.id, document.activeElement?.textContent]), ['compare-heading', 'Models compared']);
  const { top } = await box(page, '#compare-heading');
  assert.ok(top >= 0 && top < 900, `the heading is in sight, at ${top}`);
  assert.equal(await page.locator('#compare-toggle').getAttribute('aria-expanded'), 'true');
  // Pressed again it stays open.
  await way.click();
  assert.equal(await page.locator('#compare-toggle').getAttribute('aria-expanded'), 'true');
  assert.match(await page.locator('#compare').innerText(), /scored when this demo was made; only the full model’s are scored now, on your device/);
  assert.deepEqual(manners.pageErrors, []);
});

test('every model and number of the result table is explained in words that are seen, and models have the same names in the comparison', async () => {
  const names = ['popularity', 'ids only', 'before correction', 'full', 'random texts', 'a model of one’s own'];
  const metrics = Object.fromEntries(['recall@10', 'ndcg@10', 'hr@50', 'mrr', 'coverage', 'gini'].map((name) => [name, { value: 0.1, low: 0, high: 0.2 }]));
  const own = await artefactJson('results.json');
  const results = { ...own, protocol: { ...own.protocol, list_length: 10 }, models: names.map((name) => ({ name, metrics })) };
  const { url: address } = await host(changedArtefact(() => {}, { 'results.json': results }));
  const { page } = await open(`#user=${encodeURIComponent(users[0].key)}`, {}, address);
  const words = page.locator('.table-words');
  assert.ok(await words.isVisible());
  const explained = await words.locator('dl > div').evaluateAll((all) => all.map((one) => [one.querySelector('dt')?.textContent, one.querySelector('dd')?.textContent?.length ?? 0]));
  assert.deepEqual(explained.map(([name]) => name), [...names.slice(0, -1), 'recall', 'ndcg', 'hr', 'mrr', 'coverage', 'gini']);
  assert.ok(explained.every(([, length]) => Number(length) > 20), JSON.stringify(explained));
  assert.match(await words.innerText(), /Lists for coverage and gini have 10 titles/);
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-column').first().waitFor();
  const compared = (await page.locator('.compare-column h3').allTextContents()).map((name) => name.toLowerCase());
  assert.equal(compared[0], 'full');
  for (const name of names) if (compared.some((other) => other.startsWith(name.slice(0, 4)))) assert.ok(compared.some((other) => other === name || other.startsWith(`${name}:`)), `${name} among ${compared}`);
  assert.match(await page.locator('.compare-column').first().innerText(), /Scored now, on your device/);
});

/** The pattern's part of one's own taste. @param {import('playwright-core').BrowserContextOptions} [options] @param {string} [address] */
async function ownTaste(options, address) {
  const catalogue = await artefactJson('catalogue.json');
  const key = (/** @type {number} */ at) => encodeURIComponent(catalogue[at].key);
  return open(`#history=${key(0)}%2C${key(1)}`, options, address);
}

test('what a taste of one’s own is for stands above what may be borrowed for it, in the first window', async () => {
  const { page } = await ownTaste();
  await page.locator('#write-pattern').waitFor();
  const { bottom } = await box(page, '#write-pattern');
  const pane = await box(page, '#viewer');
  assert.equal(await page.locator('#viewer').evaluate((element) => element.scrollTop), 0);
  assert.ok(bottom <= Math.min(900, pane.bottom), `its end is at ${bottom}, of the pane ${pane.bottom}`);
  assert.ok(bottom <= (await box(page, '#borrow-pattern')).top);
  // Ways to another pattern: words at the left, beside each other where there is room.
  const ways = await page.locator('.what-if-ways button').evaluateAll((all) => all.map((way) => ({ ...way.getBoundingClientRect().toJSON(), words: way.textContent })));
  assert.ok(ways.length > 0);
  const field = await box(page, '.what-if:has(#borrow-pattern) .search');
  assert.ok(Math.abs(ways[0].left - field.left) <= 1, `${ways[0].left} is at the left, ${field.left}`);
});

for (const held of /** @type {const} */ (['/curec-web-writer_bg.wasm', '/artefact/writer.safetensors'])) {
  test(`the language model’s progress counts its module and its model, and is not at its end while something arrives (${held})`, async (t) => {
    /** @type {() => void} */
    let go = () => {};
    const halfUntil = new Promise((resolve) => {
      go = () => resolve(undefined);
    });
    const server = await host({ [held]: (body) => ({ body, halfUntil }) });
    const { page, manners } = await ownTaste({ serviceWorkers: 'block' }, server.url);
    const build = JSON.parse(await readFile(join(dist, 'build.json'), 'utf8'));
    const manifest = await artefactJson('manifest.json');
    const module = build.files.find((/** @type {{name: string}} */ { name }) => name.endsWith('/curec-web-writer_bg.wasm')).bytes;
    const model = manifest.files.filter((/** @type {{role: string}} */ { role }) => ['writer', 'tokenizer', 'writer-model'].includes(role)).reduce((/** @type {number} */ sum, /** @type {{bytes: number}} */ { bytes }) => sum + bytes, 0);
    assert.ok((await page.locator('.pattern-offer').innerText()).includes(`fetched once, ${bytes(module + model)},`), await page.locator('.pattern-offer').innerText());
    /** @type {number[]} */
    const seen = [];
    await page.exposeFunction('__seen', (/** @type {number} */ value) => seen.push(value));
    await page.evaluate(() => {
      const look = () => {
        const bar = /** @type {HTMLProgressElement|null} */ (document.querySelector('.pattern-live progress:not([hidden])'));
        if (bar) /** @type {any} */ (window).__seen(bar.hasAttribute('value') ? bar.value : -1);
        requestAnimationFrame(look);
      };
      look();
    });
    await page.locator('#write-pattern').click();
    const size = held.endsWith('.wasm') ? module : (manifest.files.find((/** @type {{name: string}} */ { name }) => held.endsWith(name))?.bytes ?? 0);
    const missing = size - Math.floor(size / 2);
    const expected = (module + model - missing) / (module + model);
    await page.waitForFunction((wanted) => Math.abs((/** @type {HTMLProgressElement|null} */ (document.querySelector('.pattern-live progress'))?.value ?? 0) - wanted) < 1e-3, expected);
    assert.ok(seen.every((value) => value >= 0 && value < 1), `never at its end: ${Math.max(...seen)}`);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b), 'never back');
    const words = await page.locator('.pattern-live figcaption').textContent();
    t.diagnostic(`${words} ${expected.toFixed(4)}`);
    assert.ok(words?.includes(` of ${bytes(module + model)} `), `${words}`);
    go();
    await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
    assert.deepEqual(manners.pageErrors, []);
  });
}
