/** The run’s results on the page: numbers, intervals, protocol and hashes are those of its files, differences say which way they go, and there is a way there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, launch, listShown } from './helper/harness.mjs';

const browser = await launch();
const manifest = await artefactJson('manifest.json');

/** @param {Record<string, import('./helper/server.mjs').Rule>} [rules] */
async function open(rules) {
  const { url } = await host(rules);
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  return { page, manners };
}

/** The rows of a table: each cell's text, with what stands below its number apart. @param {import('playwright-core').Locator} table */
const cells = (table) =>
  table.locator('tr').evaluateAll((all) =>
    all.map((row) =>
      [...row.children].map((cell) => {
        const below = cell.querySelector('.interval, .model-note')?.textContent ?? '';
        const text = (cell.textContent ?? '').slice(0, (cell.textContent ?? '').length - below.length);
        return below ? [text, below] : [text];
      }),
    ),
  );

/** What is said under a name. @param {import('playwright-core').Page} page */
const facts = (page) => page.locator('.facts-list').evaluate((list) => Object.fromEntries([...list.querySelectorAll('dt')].map((name) => [name.textContent, name.nextElementSibling?.textContent])));

const MADE_UP = {
  protocol: { data: 'world', target: 'test', candidates: 'full catalogue', seen_items: 'filtered', list_length: 10, bootstrap_samples: 1000, with_ties: true, seed: 99 },
  models: [
    { name: 'popularity', metrics: { 'recall@5': { value: 0.175, low: 0.05, high: 0.3004 }, 'ndcg@10': { value: 0.17229645, low: 0.0706, high: 0.29266 }, coverage: 0.29411 } },
    { name: 'full', metrics: { 'recall@5': { value: 0.1, low: 0.025, high: 0.2 }, 'ndcg@10': { value: 0.2, low: 0.1, high: 0.3 }, coverage: 0.51 } },
  ],
  differences: [
    { metric: 'ndcg@10', left: 'full', right: 'popularity', difference: { value: -0.10236, low: -0.1939, high: -0.0247 } },
    { metric: 'ndcg@10', left: 'full', right: 'ids only', difference: { value: 0.0085, low: -0.0284, high: 0.0528 } },
    { metric: 'ndcg@10', left: 'full', right: 'random texts', difference: { value: 0.04, low: 0.001, high: 0.08 } },
  ],
  notes: ['`full` is not better than `popularity`'],
};

test('numbers and intervals, what is best, protocol and hashes', async () => {
  const { page, manners } = await open(changedArtefact(() => {}, { 'results.json': MADE_UP }));
  const table = page.getByRole('region', { name: 'Result table' });
  assert.deepEqual(await cells(table), [
    [['Model'], ['recall@5'], ['ndcg@10'], ['coverage']],
    [['popularity'], ['0.1750', '0.050–0.300'], ['0.1723', '0.071–0.293'], ['0.2941']],
    [['full'], ['0.1000', '0.025–0.200'], ['0.2000', '0.100–0.300'], ['0.5100']],
  ]);
  assert.deepEqual(await table.locator('td.is-best').evaluateAll((all) => all.map((cell) => cell.firstChild?.textContent)), ['0.1750', '0.2000'], 'coverage is no race');
  assert.match(await page.locator('.table-note').innerText(), /95 % interval over viewers/);
  const told = await facts(page);
  assert.deepEqual(
    { target: told['Target'], candidates: told['Candidates'], seen: told['Seen items'], length: told['List length'], samples: told['Bootstrap samples'], ties: told['With ties'] },
    { target: 'test', candidates: 'full catalogue', seen: 'filtered', length: '10', samples: '1,000', ties: 'yes' },
  );
  assert.deepEqual({ seed: told['Seed'], data: told['Data hash'], config: told['Configuration'], by: told['Made by'] }, { seed: String(manifest.run.seed), data: manifest.run.hash, config: manifest.run.config_hash, by: manifest.created_by }, 'as the manifest has them');
  const first = page.locator('.limits li').first();
  assert.deepEqual([await first.textContent(), await first.locator('em').allTextContents()], ['full is not better than popularity', ['full', 'popularity']]);
  assert.deepEqual(manners.consoleErrors, []);
});

test('differences between the models open by keyboard, and say which way each goes', async () => {
  const { page } = await open(changedArtefact(() => {}, { 'results.json': MADE_UP }));
  const summary = page.locator('.differences summary');
  const table = page.getByRole('region', { name: 'Differences between models' });
  assert.equal(await summary.innerText(), 'Models against each other, viewer by viewer (ndcg@10)');
  assert.equal(await table.isVisible(), false);
  await summary.focus();
  await page.keyboard.press('Enter');
  await table.waitFor();
  assert.deepEqual((await cells(table)).map((row) => row.flat()), [
    ['Models', 'Difference', '95 % interval', 'The first is'],
    ['full − popularity', '−0.1024', '−0.1939 to −0.0247', 'worse'],
    ['full − ids only', '+0.0085', '−0.0284 to +0.0528', 'may be chance'],
    ['full − random texts', '+0.0400', '+0.0010 to +0.0800', 'better'],
  ]);
});

test('a run’s own table is its results.json, digit for digit', async () => {
  const results = await artefactJson('results.json');
  const { page } = await open();
  const [head = [], ...body] = await cells(page.getByRole('region', { name: 'Result table' }));
  const names = head.slice(1).map(([name = '']) => name);
  assert.deepEqual([...names].sort(), [...new Set(results.models.flatMap((/** @type {any} */ { metrics }) => Object.keys(metrics)))].sort());
  results.models.forEach((/** @type {any} */ { name, metrics }, /** @type {number} */ at) => {
    assert.equal(body[at]?.[0]?.[0], name);
    names.forEach((metric, column) => {
      const found = metrics[metric];
      const expected = found === undefined ? ['–'] : typeof found === 'number' ? [found.toFixed(4)] : [found.value.toFixed(4), `${found.low.toFixed(3)}–${found.high.toFixed(3)}`];
      assert.deepEqual(body[at]?.[column + 1], expected, `${metric} of ${name}`);
    });
  });
  assert.equal(await page.locator('.differences tbody tr').count(), results.differences?.length ?? 0);
  const told = await facts(page);
  assert.equal(told['Configuration'], manifest.run.config_hash);
  assert.equal(told['Data hash'], manifest.run.hash);
  const texts = Object.entries(results.protocol).filter(([name, value]) => typeof value === 'string' && name !== 'data');
  assert.ok(texts.length > 0);
  for (const [name, value] of texts) assert.equal(told[name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ')], value, name);
});

test('the ways at the top lead to the comparison and to the results, by keyboard, and leave the list’s address alone', async () => {
  const { page } = await open();
  const { hash } = new URL(page.url());
  for (const [way, id] of /** @type {const} */ ([['Models compared', 'compare-heading'], ['Results and limits', 'results-heading']])) {
    await page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('button', { name: way }).focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction((wanted) => {
      const { top = -1, bottom = -1 } = document.getElementById(wanted)?.getBoundingClientRect() ?? {};
      return document.activeElement?.id === wanted && top >= 0 && bottom <= innerHeight;
    }, id);
    assert.equal(new URL(page.url()).hash, hash);
  }
});
