/**
 * The page of a human study, from `curec study` to `curec check study`: rated by keyboard, left and taken up again, exported.
 *
 * Environment: CUREC_BIN and CUREC_RUN (a finished run); CHROMIUM and CUREC_SCREENSHOTS as in helper/harness.mjs.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { freshPage, launch, overflow } from './helper/harness.mjs';

const { CUREC_BIN: curec, CUREC_RUN: run, CUREC_SCREENSHOTS: pictures } = process.env;
const skip = (!curec || !run) && 'CUREC_BIN and CUREC_RUN are not set';
const PAIRS = 12;

const folder = await mkdtemp(join(tmpdir(), 'curec-study-'));
after(() => rm(folder, { recursive: true, force: true }));
const PAGE = join(folder, 'study.html');
const KEY = join(folder, 'study.key.json');

/** @param {string[]} args */
const call = (...args) => execFileSync(/** @type {string} */ (curec), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Begins as this rater, by keyboard. @param {import('playwright-core').Page} page @param {string} rater */
async function begin(page, rater) {
  await page.goto(pathToFileURL(PAGE).href);
  await page.getByLabel(/A name for you/).focus();
  await page.keyboard.type(rater);
  await page.keyboard.press('Enter');
}

/** The element with the keyboard. @param {import('playwright-core').Page} page */
const focused = (page) =>
  page.evaluate(() => {
    const element = /** @type {HTMLInputElement} */ (document.activeElement);
    return { name: element.name, value: element.value, tag: element.tagName };
  });

/**
 * Rates the screen by keyboard alone: every scale gets the grade that `grade` says, the preference its id.
 * @param {import('playwright-core').Page} page
 * @param {(explanation: string, scale: string) => number} grade
 * @param {(ids: string[]) => string} prefer
 */
async function rate(page, grade, prefer) {
  const title = await page.getByRole('heading', { name: 'Was recommended' }).locator('..').locator('.title').innerText();
  assert.equal((await focused(page)).tag, 'H1', 'the keyboard begins at the heading');
  const ids = await page.locator('input[name=preferred]').evaluateAll((all) => all.map((one) => /** @type {HTMLInputElement} */ (one).value));
  for (let group = 0; group < 5; group++) {
    await page.keyboard.press('Tab');
    const { name } = await focused(page);
    await page.keyboard.press('Space');
    const [scale = '', id = ''] = name.split('-');
    const steps = name === 'preferred' ? ids.indexOf(prefer(ids)) : grade(id, scale) - 1;
    for (let step = 0; step < steps; step++) await page.keyboard.press('ArrowRight');
  }
  await page.keyboard.press('Enter');
  return title;
}

/** @param {import('playwright-core').Page} page @param {string} rater */
async function exportRatings(page, rater) {
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export ratings' }).focus();
  await page.keyboard.press('Enter');
  const file = join(folder, `${rater}.json`);
  await (await waiting).saveAs(file);
  return file;
}

test('rated by keyboard, exported, analysed', { skip }, async () => {
  call('study', '--run', /** @type {string} */ (run), '--out', PAGE, '--pairs', String(PAIRS));
  const key = JSON.parse(await readFile(KEY, 'utf8'));
  /** @type {Record<string, string>} */
  const conditions = Object.assign({}, ...key.pairs.map((/** @type {any} */ pair) => pair.conditions));
  const isReason = (/** @type {string} */ id) => conditions[id] === 'reason';
  const browser = await launch();
  const { page, manners } = await freshPage(browser);
  const files = [];
  const orders = [];
  for (const rater of ['anna', 'ben', 'chi & <co>']) {
    await begin(page, rater);
    const order = [];
    for (let place = 0; place < PAIRS; place++) {
      if (rater === 'ben' && place === 5) {
        // Left and taken up again: at the first open one, in the same order.
        await begin(page, rater);
        assert.equal(await page.locator('h1').innerText(), 'Recommendation 6 of 12');
        assert.match(await page.locator('header').innerText(), /5 of 12 answered/);
      }
      order.push(await rate(page, (id, scale) => (isReason(id) ? 5 : scale === 'relevance' ? 2 : 1), (ids) => ids.find(isReason) ?? ''));
    }
    assert.equal(await page.locator('h1').innerText(), 'All recommendations are rated. Thank you!');
    files.push(await exportRatings(page, rater.slice(0, 3)));
    orders.push(order.join('|'));
  }
  assert.equal(new Set(orders).size, 3, 'every rater has an order of their own');
  const sheet = JSON.parse(await readFile(/** @type {string} */ (files[2]), 'utf8'));
  assert.equal(sheet.rater, 'chi & <co>');
  assert.equal(sheet.ratings.length, PAIRS);
  const first = sheet.ratings.filter((/** @type {any} */ one) => isReason(one.left)).length;
  assert.ok(first > 0 && first < PAIRS, 'the reason stands on either side');
  assert.deepEqual(manners.consoleErrors, []);
  assert.deepEqual(manners.pageErrors, []);
  assert.ok(manners.requests.every((url) => /^(file|blob|data):/.test(url)), 'nothing is fetched');

  const verdict = JSON.parse(call('check', 'study', ...files, '--key', KEY, '--json'));
  // Of one mind, but about twelve recommendations only.
  assert.equal(verdict.outcome, 'not_decidable', verdict.sentence);
  /** @param {string} name */
  const number = (name) => [...verdict.conditions, ...verdict.numbers].find((one) => one.name === name).value.mean;
  assert.equal(number('share that prefers the reason'), 1);
  assert.equal(number('relevance, reason − baseline'), 3);
  assert.equal(number('coherence, reason − baseline'), 4);
  assert.equal(number('relevance (interval)'), 1, 'all raters gave the same grades');
  const twice = [/** @type {string} */ (files[0]), ...files];
  assert.throws(() => call('check', 'study', ...twice, '--key', KEY), /has rated pair .* already/);
});

test('narrow, dark, and for everybody', { skip }, async () => {
  const browser = await launch();
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  if (pictures) await mkdir(pictures, { recursive: true });
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [device, width, height] of /** @type {const} */ ([['desktop', 1280, 900], ['phone', 360, 780]])) {
      const { page, context } = await freshPage(browser, { viewport: { width, height }, colorScheme, deviceScaleFactor: device === 'phone' ? 2 : 1 });
      const look = async (/** @type {string} */ name) => {
        assert.ok((await overflow(page)) <= 0, `${device} ${name} is wider than its window`);
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          const { violations } = await /** @type {any} */ (window).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] });
          return violations.map((/** @type {any} */ v) => `${v.id}: ${v.nodes.map((/** @type {any} */ n) => n.target + ' ' + n.failureSummary).join(' | ')}`);
        });
        assert.deepEqual(found, []);
        if (pictures) await page.screenshot({ path: join(pictures, `study-${device}-${colorScheme}-${name}.png`), fullPage: true });
      };
      await page.goto(pathToFileURL(PAGE).href);
      await look('start');
      await begin(page, 'dora');
      await page.locator('.options input').first().press('Space');
      await look('pair');
      await context.close();
    }
  }
});
