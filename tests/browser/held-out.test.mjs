/** The title that a viewer really took next is revealed, hits and misses alike, at the rank that the list itself gives it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { artefactFolder, artefactJson, freshPage, host, hostMock, launch, listShown, mock, mockJson, rows } from './helper/harness.mjs';

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const comparison = await artefactJson('comparison.json');

/** Where a sister of the model has each viewer's title: the model itself will hardly have it elsewhere. @type {{user: number, rank: number}[]} */
const guesses = comparison.variants
  .find((/** @type {{name: string}} */ { name }) => name === 'before-correction')
  .lists.map((/** @type {{held_out_rank: number|null}} */ { held_out_rank: rank }, /** @type {number} */ user) => ({ user, rank }))
  .filter((/** @type {{rank: number|null}} */ { rank }) => rank !== null)
  .sort((/** @type {{rank: number}} */ a, /** @type {{rank: number}} */ b) => a.rank - b.rank);

/** @param {string} hash @param {string} [address] */
async function open(hash, address = url) {
  const { page, context, manners } = await freshPage(browser);
  await page.goto(`${address}?backend=cpu${hash}`);
  await listShown(page);
  return { page, context, manners };
}

/** The page of the first of some viewers whose title is, or is not, among the first ten. @param {boolean} hit @param {typeof guesses} among */
async function viewerWith(hit, among) {
  for (const { user } of among.slice(0, 8)) {
    const fresh = await open(`#${new URLSearchParams({ user: users[user].key })}`);
    const rank = Number((await fresh.page.locator('.truth-rank strong').innerText()).replaceAll(',', ''));
    if (rank <= 10 === hit) return { user, ...fresh };
    await fresh.context.close();
  }
  return assert.fail(`nobody of ${JSON.stringify(among.slice(0, 8))} is a ${hit ? 'hit' : 'miss'}`);
}

/** What the card says, held against the viewer's title and, where there is one, the native program. @param {import('playwright-core').Page} page @param {number} user */
async function card(page, user) {
  const { title } = catalogue[users[user].held_out];
  assert.equal(await page.locator('.truth h3').innerText(), 'What this viewer really took next');
  assert.equal(await page.locator('.truth-title').textContent(), title);
  assert.equal(await page.locator('.truth .muted').innerText(), 'Held out: no model has seen this choice.');
  const [, rank, of] = /^rank ([\d,]+) of ([\d,]+)/.exec((await page.locator('.truth-rank').innerText()).replace(/\s+/g, ' ')) ?? [];
  const found = { rank: Number(rank?.replaceAll(',', '')), of: Number(of?.replaceAll(',', '')) };
  if (!mock && process.env.CUREC_BIN) {
    const native = JSON.parse(execFileSync(process.env.CUREC_BIN, ['explain', '--artefact', artefactFolder, `--user=${users[user].key}`, '--json'], { encoding: 'utf8', maxBuffer: 1 << 26 }));
    assert.deepEqual({ title, ...found }, { title: native.held_out.title, rank: native.held_out.rank, of: native.held_out.of });
  }
  return found;
}

/** The rows that are marked as really taken: the rank that stands there, the place among the rows, and the title. @param {import('playwright-core').Page} page */
const marked = (page) =>
  rows(page).evaluateAll((all) =>
    all.flatMap((row, at) =>
      row.querySelector('.truth-pill') || row.hasAttribute('data-truth') ? [{ rank: Number((row.querySelector('.rank')?.textContent ?? '').replace(/\D/g, '')), place: at + 1, item: Number(row.getAttribute('data-item')), pill: row.querySelector('.truth-pill')?.textContent }] : [],
    ),
  );

test('a hit is told as one, and its row is marked', async () => {
  const { page, user, manners } = await viewerWith(true, guesses.filter(({ rank }) => rank <= 10).reverse());
  const { rank } = await card(page, user);
  assert.equal(await page.locator('.truth').getAttribute('data-hit'), 'true');
  assert.equal(await page.locator('.truth-verdict').innerText(), 'in the first ten');
  assert.deepEqual(await marked(page), [{ rank, place: rank, item: users[user].held_out, pill: 'really taken next' }]);
  assert.deepEqual(manners.pageErrors, []);
});

test('a miss is told as one, and stands where it says further down', async () => {
  const { page, user, context } = await viewerWith(false, guesses.filter(({ rank }) => rank > 10));
  const { rank } = await card(page, user);
  assert.equal(await page.locator('.truth').getAttribute('data-hit'), 'false');
  assert.equal(await page.locator('.truth-verdict').innerText(), 'not in the first ten');
  assert.equal(await rows(page).count(), 10);
  assert.deepEqual(await marked(page), []);
  await context.close();
  assert.ok(rank <= 100, 'as far as a list goes');
  const { page: longer } = await open(`#${new URLSearchParams({ user: users[user].key, rows: '100' })}`);
  assert.deepEqual(await marked(longer), [{ rank, place: rank, item: users[user].held_out, pill: 'really taken next' }]);
  assert.equal(await longer.locator('.truth-verdict').innerText(), 'not in the first ten', 'more rows make no hit of it');
});

test('where nothing was held out, or the visitor put it into the history, that is said instead', async () => {
  const people = await mockJson('users.json');
  const none = people.findIndex((/** @type {{held_out: number|null}} */ { held_out: held }) => held === null);
  const { page } = await open(`#user=${people[none].key}`, (await hostMock()).url);
  assert.equal(await page.locator('.truth-none').innerText(), 'Nothing was held out for this viewer, so this list cannot be checked against a real choice.');
  const { user } = guesses[0] ?? assert.fail('nobody has a held-out title');
  const { key, title } = catalogue[users[user].held_out];
  const { page: other } = await open(`#${new URLSearchParams({ user: users[user].key, history: key.replaceAll('%', '%25').replaceAll(',', '%2C').replaceAll('@', '%40') })}`);
  assert.equal(await other.locator('.truth-none').textContent(), `${title}, which this viewer really took next, is in this history now.`);
  for (const one of [page, other]) {
    assert.equal(await one.locator('.truth').count(), 0);
    assert.deepEqual(await marked(one), []);
  }
});
