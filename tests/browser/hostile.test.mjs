/** Words of others that look like markup are shown letter by letter in every place that shows words: the list's own places are tested in page.test.mjs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, launch, listShown, PATIENCE } from './helper/harness.mjs';
import { HOSTILE } from './mock/artefact.mjs';

const browser = await launch();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const reasons = await artefactJson('reasons.json');
const preview = await artefactJson('preview.json');
const comparison = await artefactJson('comparison.json');

/** Its first words, which no place cuts off. */
const BEGUN = HOSTILE.slice(0, '<img src=x'.length);

/** Nothing of it became an element, and none of its script ran. @param {import('playwright-core').Page} page @param {{pageErrors: string[], consoleErrors: string[]}} manners */
async function stayedText(page, manners) {
  assert.equal(await page.locator(':is(main, footer) :is(img, b, script, iframe)').count(), 0);
  assert.notEqual(await page.title(), 'owned');
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, [], 'the policy had nothing to refuse');
}

test('in the first view, before the scorer has arrived', async () => {
  const item = (/** @type {any} */ one) => ({ ...one, title: HOSTILE, attributes: [{ kind: HOSTILE, value: HOSTILE }] });
  const rules = changedArtefact(() => {}, {
    'preview.json': {
      ...preview,
      key: HOSTILE,
      pattern: HOSTILE,
      history: preview.history.map(item),
      recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, item: item(row.item), reason: HOSTILE, carried_by: [HOSTILE, HOSTILE] })),
    },
  });
  const { url } = await host({ ...rules, '/curec-web_bg.wasm': (body) => ({ body, until: new Promise(() => {}) }) });
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  const view = page.locator('#first-view');
  await view.locator('.recommendation').first().waitFor();
  const shown = preview.recommendations.length;
  for (const [place, times] of /** @type {[string, number][]} */ ([
    ['h2#first-viewer', 1],
    ['.pattern blockquote', 1],
    ['.history-title', preview.history.length],
    ['.recommendation h3', shown],
    ['.recommendation .attributes li', shown],
    ['.leading-reason blockquote', shown],
    ['.leaning em', 2 * shown],
  ])) {
    assert.deepEqual(await view.locator(place).allTextContents(), Array(times).fill(HOSTILE), place);
  }
  await stayedText(page, manners);
});

test('in what the correction changed, and in the names of other models', async () => {
  const user = users.findIndex((/** @type {{pattern: string|null}} */ { pattern }) => pattern !== null);
  const now = `${HOSTILE} now`;
  const spoil = (/** @type {any[]} */ all) => all.map((one) => one && { ...one, text: now });
  const spoiled = users.map((/** @type {any} */ one) => ({ ...one, pattern: one.pattern && now }));
  const { url } = await host(
    changedArtefact(() => {}, {
      'reasons.json': reasons.map(spoil),
      'users.json': spoiled,
      'preview.json': { ...preview, pattern: spoiled[preview.user].pattern, recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, reason: row.reason && now })) },
      'comparison.json': {
        variants: comparison.variants.map((/** @type {any} */ one, /** @type {number} */ at) => ({ ...one, name: `${HOSTILE} ${at}`, what: HOSTILE })),
        before: { reasons: reasons.map((/** @type {any[]} */ all) => all.map(() => HOSTILE)), patterns: users.map(() => HOSTILE) },
      },
    }),
  );
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu#${new URLSearchParams({ user: users[user].key })}`);
  await listShown(page);
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-texts').waitFor({ timeout: PATIENCE });
  const texts = await page.locator('.compare-texts .changes').allTextContents();
  assert.ok(texts.length > 1, 'the pattern, and a reason');
  assert.deepEqual(new Set(texts), new Set([`${HOSTILE} added: now`]));
  assert.deepEqual(await page.locator('.compare-column h3').allTextContents().then((names) => names.slice(1)), comparison.variants.map((/** @type {unknown} */ _, /** @type {number} */ at) => `${HOSTILE} ${at}`));
  await stayedText(page, manners);
});

test('in the chips of viewers to start with, in the searches and in whose list it is', async () => {
  const item = (/** @type {any} */ one) => ({ ...one, title: `${HOSTILE} ${one.title}`, attributes: one.attributes.map((/** @type {any} */ { kind, value }) => ({ kind, value: `${HOSTILE} ${value}` })) });
  const people = users.map((/** @type {any} */ one) => ({ ...one, key: `${HOSTILE} ${one.key}`, pattern: one.pattern && HOSTILE }));
  const { url } = await host(
    changedArtefact(() => {}, {
      'catalogue.json': catalogue.map(item),
      'users.json': people,
      'preview.json': {
        ...preview,
        key: people[preview.user].key,
        pattern: people[preview.user].pattern,
        history: preview.history.map(item),
        recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, item: item(row.item), carried_by: row.carried_by.map((/** @type {string} */ title) => `${HOSTILE} ${title}`) })),
      },
    }),
  );
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  const chips = page.locator('.chip:not(.chip-own)');
  const all = await chips.evaluateAll((found) => found.map((chip) => ['.chip-label', '.chip-note', '.chip-line'].map((part) => chip.querySelector(part)?.textContent ?? '')));
  assert.ok(all.length > 1);
  assert.ok(all.every(([label = '', note = '']) => (label + note).includes(BEGUN)), JSON.stringify(all));
  assert.ok(all.some(([label = '']) => label.includes(BEGUN)), 'a name made of attributes');
  assert.ok(all.every(([, , line = '']) => line === '' || line.startsWith(BEGUN)) && all.some(([, , line]) => line !== ''), 'the language model on them');
  assert.equal(await page.locator('#viewer-heading').textContent(), people[preview.user].key);
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await listShown(page);
  assert.ok((await page.title()).startsWith(BEGUN), 'the window is named after whom the list is for');
  for (const name of ['Find a viewer', 'Why not this one?']) {
    await page.getByRole('combobox', { name }).fill('img src');
    await page.locator('.search-option:visible').first().waitFor();
    assert.ok((await page.locator('.search-option:visible').allTextContents()).every((text) => text.includes(BEGUN)), name);
    await stayedText(page, manners);
    await page.keyboard.press('Escape');
  }
  assert.ok((await page.locator('#announcer').textContent())?.includes(BEGUN));
  await stayedText(page, manners);
});
