/** The page as a visitor meets it, in CPU mode: list, explanations, held-out choice, permalinks, keyboard, phone, manners. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { viewerName } from '../../www/js/format.js';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, launch, listShown, overflow, rows } from './helper/harness.mjs';
import { HOSTILE } from './mock/artefact.mjs';

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const reasons = await artefactJson('reasons.json');
const results = await artefactJson('results.json').catch(() => null);
const manifest = await artefactJson('manifest.json');

/** @param {string} hash @param {import('playwright-core').BrowserContextOptions} [options] @param {string} [address] */
async function open(hash = '', options = {}, address = url) {
  const fresh = await freshPage(browser, options);
  await fresh.page.goto(`${address}?backend=cpu${hash}`);
  await listShown(fresh.page);
  return fresh;
}

/** Opens every drawer and returns the rows. @param {import('playwright-core').Page} page */
async function openedRows(page) {
  for (const toggle of await page.getByRole('button', { name: /What carried it/ }).all()) await toggle.click();
  return rows(page).all();
}

/** A server with the artefact changed. @param {Parameters<typeof changedArtefact>} how */
const hostChanged = (...how) => host(changedArtefact(...how));

const hashOf = (/** @type {number} */ user) => `#${new URLSearchParams({ user: users[user].key })}`;

test('loads, shows a list, and minds its manners', async () => {
  const { page, manners } = await open();
  assert.equal(await rows(page).count(), Math.min(10, catalogue.length));
  assert.match(await page.locator('.intro').innerText(), /Computed on your device, nothing leaves it/);
  assert.deepEqual(manners.foreign, [], 'no request leaves the origin');
  assert.deepEqual(manners.consoleErrors, [], 'no error and no policy violation on the console');
  assert.deepEqual(manners.pageErrors, []);
});

test('a list with its reasons stands there before the scorer has arrived, and the live one is the same', async (t) => {
  const preview = await artefactJson('preview.json');
  const { url: address } = await host({ '/curec-web_bg.wasm': (body) => ({ body, delay: 3000 }) });
  const { page, manners } = await freshPage(browser);
  await page.goto(`${address}?backend=cpu`);
  const early = page.locator('#first-view .recommendation');
  await early.first().waitFor();
  t.diagnostic(`first list after ${Math.round(await page.evaluate(() => performance.now()))} ms`);
  assert.equal(await page.locator('.badge').count(), 0, 'no scorer yet');
  const titles = await early.locator('h3').allTextContents();
  assert.deepEqual(titles, preview.recommendations.map((/** @type {any} */ row) => row.item.title));
  assert.equal(await early.locator('blockquote').count(), preview.recommendations.filter((/** @type {any} */ row) => row.reason !== null).length);
  assert.match(await page.locator('#first-view').innerText(), /scored when this demo was made/);
  await listShown(page);
  assert.equal(await page.locator('#first-view').isVisible(), false);
  assert.deepEqual(await rows(page).locator('h3').allTextContents(), titles);
  assert.equal(await page.locator('#viewer-heading').innerText(), viewerName(preview.key));
  assert.deepEqual(manners.consoleErrors, []);
});

test('whoever asks for somebody, or meets a spoiled preview, waits for the scorer', async () => {
  const slow = { '/curec-web_bg.wasm': (/** @type {Buffer} */ body) => ({ body, delay: 1500 }) };
  const { url: address } = await host(slow);
  const { page } = await freshPage(browser);
  await page.goto(`${address}?backend=cpu${hashOf(1)}`);
  await page.locator('.notice-progress').waitFor();
  await page.waitForTimeout(700);
  assert.equal(await page.locator('#first-view .recommendation').count(), 0);
  await listShown(page);
  for (const body of ['{', '[]', '{"key":"x","pattern":null,"history":[],"recommendations":[{"item":null}]}']) {
    const spoiled = await host({ ...slow, '/artefact/preview.json': () => ({ body: Buffer.from(body) }) });
    const { page: other, manners } = await freshPage(browser);
    await other.goto(`${spoiled.url}?backend=cpu`);
    await other.locator('.notice-fault').waitFor();
    assert.equal(await other.locator('#first-view .recommendation').count(), 0);
    assert.match(await other.locator('.notice-fault').innerText(), /preview\.json/);
    assert.deepEqual(manners.pageErrors, []);
  }
});

/** Whether all of an element is in the window, or the first line of its words. @param {import('playwright-core').Locator} locator @param {boolean} [begins] */
const inWindow = (locator, begins = false) =>
  locator.first().evaluate((element, first) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const [line] = range.getClientRects();
    const { top, bottom, right } = (first && line) || element.getBoundingClientRect();
    return { top, bottom, right, inside: element.checkVisibility() && top >= 0 && bottom <= innerHeight && right <= innerWidth + 1 };
  }, begins);

for (const [width, height] of /** @type {const} */ ([[390, 844], [360, 740]])) {
  test(`the first window of a phone (${width} by ${height}) says what this is and shows where the list begins, before the scorer is here and after`, async () => {
    const { url: address } = await host({ '/curec-web_bg.wasm': (body) => ({ body, delay: 3000 }) });
    const { page } = await freshPage(browser, { viewport: { width, height }, hasTouch: true, isMobile: true });
    await page.goto(`${address}?backend=cpu`);
    const states = /** @type {[string, () => Promise<unknown>][]} */ ([
      ['#first-view', () => page.locator('#first-view .recommendation').first().waitFor()],
      ['#stage', async () => {
        await listShown(page);
        await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting]'));
      }],
    ]);
    for (const [list, shown] of states) {
      await shown();
      assert.equal(await page.evaluate(() => scrollY), 0);
      for (const part of ['h1', '.lead', '.privacy', `${list} .recommendation h3`]) {
        const found = await inWindow(page.locator(part));
        assert.ok(found.inside, `${part} with ${list}: ${JSON.stringify(found)}`);
      }
      assert.match(await page.locator('.intro').innerText(), /language model wrote why.*Computed on your device, nothing leaves it/s);
      const reason = await inWindow(page.locator(`${list} .recommendation .leading-reason :is(blockquote, p), ${list} .recommendation p.leading-reason`), true);
      assert.ok(reason.inside, `the first reason with ${list}: ${JSON.stringify(reason)}`);
      assert.ok((await overflow(page)) <= 0);
    }
    // Whoever is to be picked from stands in one row, each large enough for a finger.
    const chips = await page.locator('.chip').evaluateAll((all) => all.map((chip) => chip.getBoundingClientRect()).map(({ top, height: tall, width: wide }) => ({ top, tall, wide })));
    assert.ok(chips.length > 1 && chips.every(({ top, tall, wide }) => top === chips[0]?.top && tall >= 24 && tall <= 48 && wide >= 24), JSON.stringify(chips));
  });
}

test('on a phone a viewer’s pattern and history are one press away, and in sight where something was changed', async () => {
  const { page } = await open(hashOf(0), { viewport: { width: 390, height: 844 } });
  const pattern = page.locator('#viewer .pattern, #viewer-about > .muted').first();
  const toggle = page.getByRole('button', { name: 'Pattern and history' });
  assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
  assert.equal(await pattern.isVisible(), false);
  assert.equal(await page.locator('.history-part').isVisible(), false);
  const size = await toggle.boundingBox();
  assert.ok((size?.height ?? 0) >= 24 && (size?.width ?? 0) >= 24);
  await toggle.focus();
  await page.keyboard.press('Enter');
  assert.equal(await toggle.getAttribute('aria-expanded'), 'true');
  assert.ok(await pattern.isVisible());
  assert.ok(await page.locator('.history-part h3').isVisible());
  assert.equal(await toggle.evaluate((element) => element === document.activeElement), true, 'the focus stays');
  await page.keyboard.press('Enter');
  assert.equal(await pattern.isVisible(), false);
  // With something to change, all of it is there, and there is nothing to unfold.
  await page.getByRole('button', { name: 'What if …?' }).click();
  assert.ok(await page.locator('.history-row').first().isVisible());
  assert.equal(await toggle.count(), 0);
  await page.locator('[data-do="remove"]').first().click();
  await page.locator('.moves-note:not([hidden])').waitFor();
  await page.getByRole('button', { name: 'What if …?' }).click();
  assert.ok(await pattern.isVisible(), 'a changed taste is seen');
  // Another viewer is folded again.
  await page.locator('.chip[aria-pressed="false"]:not(.chip-own)').first().click();
  await listShown(page);
  assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
  // A wide window folds nothing.
  await page.setViewportSize({ width: 1280, height: 844 });
  assert.equal(await toggle.isVisible(), false);
  assert.ok(await pattern.isVisible());
});

test('says where it computed and why', async () => {
  const { page } = await open();
  await page.locator('.badge summary').click();
  const badge = page.locator('.badge');
  assert.equal(await badge.getAttribute('data-backend'), 'cpu');
  assert.match(await badge.innerText(), /CPU/);
  assert.match(await badge.innerText(), /\d (ms|s)/);
  const reason = await page.locator('.badge-panel p').first().innerText();
  assert.ok(reason.length > 10, 'the reason is a sentence');
  assert.match(await page.locator('.ranking-summary').innerText(), /titles scored in .* on the CPU, here/);
});

test('the titles that a row says it leans on stand in its drawer, as what speaks for it', async () => {
  const { page } = await open(hashOf(0));
  for (const toggle of await page.getByRole('button', { name: /What carried it/ }).all()) await toggle.click();
  await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting], .drawer [aria-busy="true"]'));
  const found = await rows(page).evaluateAll((all) =>
    all.map((row) => ({
      named: [...row.querySelectorAll('.leaning em')].map((title) => title.textContent),
      speaking: [...row.querySelectorAll('.evidence-history')].filter((one) => one.querySelector('[data-sign="plus"]')).map((one) => one.querySelector('span[dir]')?.textContent),
    })),
  );
  assert.ok(found.some(({ named }) => named.length > 0));
  for (const { named, speaking } of found) for (const title of named) assert.ok(speaking.includes(title), `${title} in ${speaking}`);
});

for (const width of [1280, 1100, 768, 360]) {
  test(`a search at ${width} pixels stays in the window, and says when nothing is found`, async () => {
    const { page } = await open(hashOf(0), { viewport: { width, height: 900 } });
    for (const name of ['Find a viewer', 'Why not this one?']) {
      const input = page.getByRole('combobox', { name });
      await input.fill('a');
      await page.getByRole('option').first().waitFor();
      assert.equal(await overflow(page), 0, name);
      for (const side of await page.getByRole('option').evaluateAll((all) => all.flatMap((one) => [one.getBoundingClientRect().left, innerWidth - one.getBoundingClientRect().right]))) assert.ok(side >= 0, `${name}: ${side}`);
      await input.fill('zzzz');
      const hint = page.locator('.search-hint[data-nothing]');
      await hint.waitFor();
      assert.ok((await hint.innerText()).length > 5);
      assert.equal(await hint.evaluate((one) => getComputedStyle(one).clipPath), 'none', 'it can be seen');
      assert.equal(await overflow(page), 0, `${name}, nothing found`);
      await input.fill('');
      await page.keyboard.press('Escape');
    }
  });
}

test('a row opens into the reasons and the history that carried it', async () => {
  const { page } = await open(hashOf(0));
  const row = rows(page).first();
  const toggle = row.getByRole('button', { name: /What carried it/ });
  assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
  await toggle.click();
  assert.equal(await toggle.getAttribute('aria-expanded'), 'true');
  const item = Number(await row.getAttribute('data-item'));
  assert.equal(await row.locator('h3').first().innerText(), catalogue[item].title);
  const shown = await row.locator('[data-layer="words"] .evidence-row').count();
  assert.equal(shown > 0, reasons[item].length > 0, 'reasons are shown if and only if the artefact has some');
  for (const text of await row.locator('.evidence-part[data-family="reason"] blockquote').allTextContents()) {
    assert.ok(reasons[item].some((/** @type {{text: string}} */ reason) => reason.text.trim() === text), `a stored reason: ${text}`);
  }
  const attention = await row.locator('[data-layer="evidence"] [data-family="reason"] .evidence-row').evaluateAll((/** @type {Element[]} */ shown) =>
    shown.map((reason) => ({
      mean: Number((reason.querySelector('.weight-number')?.textContent ?? '').match(/[\d.]+/)?.[0]),
      heads: [...(reason.querySelector('.heads')?.textContent ?? '').matchAll(/([\d.]+)\s*%/g)].map(([, share]) => Number(share)),
      bars: reason.querySelectorAll('.head-bar').length,
    })),
  );
  for (const { mean, heads, bars } of attention) {
    assert.ok(heads.length > 1, 'what each head made of it');
    assert.equal(bars, heads.length);
    assert.ok(Math.abs(heads.reduce((sum, share) => sum + share, 0) / heads.length - mean) <= 1.5, `heads ${heads} have the mean ${mean}`);
  }
  assert.equal(attention.length, shown, 'each reason has its attention');
  const taken = new Set(users[0].history.map((/** @type {{item: number}} */ event) => catalogue[event.item].title));
  await row.locator('.evidence-history').first().waitFor();
  const history = await row.locator('.evidence-history span[dir]').allTextContents();
  assert.ok(history.length > 0);
  for (const title of history) assert.ok(taken.has(title), `${title} is in the history`);
  await toggle.click();
  assert.equal(await row.locator('.drawer').isVisible(), false);
});

test('each explanation says that it is the pattern that attends to reasons, and which pattern', async () => {
  const user = users.findIndex((/** @type {{pattern: string|null}} */ { pattern }) => pattern);
  const key = encodeURIComponent(users[user].key);
  const without = await hostChanged(({ model }) => Object.assign((model.reward ??= {}), { use_patterns: false }));
  for (const [address, hash, note, caption] of /** @type {[string, string, RegExp, RegExp][]} */ ([
    [url, `#user=${key}`, /^How much this pattern attends to each reason, by its number: “/, /^the reason this pattern attends to most, written when .+ took it/],
    [url, `#user=${key}&pattern=none`, /^No pattern is read: how much the model attends to each reason without one/, /^the leading reason, written when .+ took it/],
    [without.url, `#user=${key}`, /^How much the model attends to each reason, by its number\.$/, /^the leading reason, written when .+ took it/],
  ])) {
    const { page, context } = await open(hash, {}, address);
    let told = 0;
    for (const row of await openedRows(page)) {
      if (reasons[Number(await row.getAttribute('data-item'))].length === 0) continue;
      const part = row.locator('[data-layer="evidence"] [data-family="reason"]');
      const words = await part.locator('.evidence-note').innerText();
      assert.match(words, note);
      assert.equal(words.includes(users[user].pattern.trim()), note.source.includes('this pattern'));
      assert.match(await row.locator('figure.leading-reason figcaption').first().innerText(), caption);
      assert.equal(await row.locator('figure.leading-reason blockquote').first().innerText(), await row.locator('[data-layer="words"] blockquote').first().innerText());
      const shares = (await part.locator('.weight-number').allTextContents()).map((text) => Number(/[\d.]+/.exec(text)?.[0]));
      assert.equal(shares[0], Math.max(...shares), 'it is the first one that gets most');
      told += 1;
    }
    assert.ok(told > 0);
    await context.close();
  }
});

test('reasons newer than the history are marked as such', async () => {
  const latest = (/** @type {any} */ user) => user.history.at(-1)?.time ?? Infinity;
  const early = users.reduce((/** @type {number} */ best, /** @type {any} */ user, /** @type {number} */ at) => (latest(user) < latest(users[best]) ? at : best), 0);
  const { page } = await open(hashOf(early));
  let marks = 0;
  for (const row of await openedRows(page)) {
    const own = reasons[Number(await row.getAttribute('data-item'))];
    const newer = own.filter((/** @type {{time: number}} */ reason) => reason.time > latest(users[early])).length;
    const part = row.locator('[data-layer="words"] .evidence-part');
    assert.equal(await part.locator('.evidence-row').count(), own.length);
    assert.equal(await part.locator('.evidence-source', { hasText: 'newer than this history' }).count(), newer);
    if (own.length === 0) continue;
    const note = await part.locator('.evidence-note').innerText();
    assert.match(note, /when another viewer took this title/);
    assert.equal(/scored at one moment after all training data/.test(note), newer > 0);
    const first = (await part.locator('.evidence-row').first().innerText()).includes('newer than this history');
    assert.equal((await row.locator('figure.leading-reason').innerText()).includes('newer than this history'), first);
    marks += newer;
  }
  assert.ok(marks > 0, 'the viewer whose history ends first meets newer reasons');
});

test('a model that was trained without reasons and patterns says so', async () => {
  const { url: address } = await hostChanged(({ model }) => Object.assign((model.reward ??= {}), { use_reasons: false, use_patterns: false }));
  const { page } = await open(hashOf(0), {}, address);
  const [row] = await openedRows(page);
  assert.match(await page.locator('#viewer').innerText(), /This model was trained without patterns/);
  assert.equal(await page.locator('.pattern').count(), 0);
  assert.match((await row?.locator('p.leading-reason').innerText()) ?? '', /This model was trained without reasons/);
  assert.match((await row?.locator('.evidence-part[data-family="reason"]').innerText()) ?? '', /This model was trained without reasons/);
  assert.equal(await page.getByText(/^No reason .* has been written/).count(), 0);
  assert.ok(((await row?.locator('.evidence-history').count()) ?? 0) > 0, 'the history still carries the score');
});

test('history is shown newest first and opens to all of it', async () => {
  const { page } = await open(hashOf(0));
  const { history } = users[0];
  const titles = page.locator('.history-title');
  assert.equal(await titles.first().innerText(), catalogue[history.at(-1).item].title);
  const all = page.getByRole('button', { name: /Show all/ });
  if ((await all.count()) > 0) await all.click();
  assert.equal(await titles.count(), history.length);
});

test('the held-out choice is shown with its rank, and marked where the list holds it', async () => {
  const user = users.findIndex((/** @type {{held_out: number|null}} */ candidate) => candidate.held_out !== null);
  const { page } = await open(hashOf(user));
  const card = await page.locator('.truth').innerText();
  assert.ok(card.includes(catalogue[users[user].held_out].title));
  const [, rank, of] = card.replaceAll(',', '').match(/rank (\d+)\s+of (\d+)/) ?? [];
  const taken = new Set(users[user].history.map((/** @type {{item: number}} */ event) => event.item));
  taken.delete(users[user].held_out);
  assert.equal(Number(of), catalogue.length - taken.size, 'ranked among what was not taken before');
  assert.ok(Number(rank) >= 1 && Number(rank) <= Number(of), card);
  const marked = page.locator('.recommendation[data-truth] .rank');
  assert.equal(await marked.count(), Number(rank) <= 10 ? 1 : 0);
  if (Number(rank) <= 10) assert.match(await marked.innerText(), new RegExp(`\\b${rank}$`));
});

test('more of the list on request, and open drawers stay open', async (t) => {
  const { page } = await open(hashOf(0));
  const more = page.getByRole('button', { name: /^Show \d+ more$/ });
  if ((await more.count()) === 0) return t.skip('the catalogue has no more');
  await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
  await more.click();
  await rows(page).nth(10).waitFor();
  assert.ok(await rows(page).first().locator('.drawer').isVisible());
  const ranks = await page.locator('.recommendation .rank').allInnerTexts();
  assert.deepEqual(ranks.map((text) => Number(text.replace(/\D/g, ''))), ranks.map((_, at) => at + 1));
});

test('each viewer to start with has a line: what the language model wrote of them', async () => {
  const { page } = await open();
  const lines = await page.locator('.chip:not(.chip-own)').evaluateAll((chips) => chips.map((chip) => [chip.querySelector('.chip-note')?.textContent ?? '', chip.querySelector('.chip-line')?.textContent ?? '']));
  assert.ok(lines.length > 1);
  for (const [note = '', line] of lines) {
    const user = users.find((/** @type {{key: string}} */ { key }) => note === viewerName(key));
    assert.ok(user, note);
    const begun = line.replace(/ …$/, '');
    assert.ok(line.length <= 74 && begun.length > 20 && user.pattern.trim().startsWith(begun), `${line} begins ${user.pattern}`);
    assert.equal(line === begun, user.pattern.trim() === begun);
  }
});

test('the address restores a viewer, follows a choice, and steps back', async () => {
  const last = users.length - 1;
  const { page } = await open(hashOf(last));
  const heading = page.locator('#viewer-heading');
  assert.equal(await heading.innerText(), viewerName(users[last].key));
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.waitForFunction((key) => document.querySelector('#viewer-heading')?.textContent !== key, viewerName(users[last].key));
  assert.notEqual(new URL(page.url()).hash, hashOf(last));
  await page.goBack();
  await page.waitForFunction((key) => document.querySelector('#viewer-heading')?.textContent === key, viewerName(users[last].key));
});

test('an unknown viewer in the address is named as such, as text', async () => {
  const { page, manners } = await open(`#user=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
  assert.match(await page.locator('.notice-aside').innerText(), /<img src=x/);
  assert.equal(await page.locator('.notice-aside img').count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});

test('a link says which run made it; one of another run is told as such, whatever it says, and shows its list', async () => {
  const own = manifest.run.config_hash.slice(0, 12);
  const runOf = (/** @type {import('playwright-core').Page} */ page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).getAll('run');
  const history = `#history=${encodeURIComponent(catalogue[0].key)}`;
  const fits = ['', `&run=${own}`, '&run='];
  const others = ['&run=000000000000', `&run=${own}0`, '&run=%3Cimg%20src=x%20onerror=alert(1)%3E', `&run=${'a'.repeat(50_000)}`, '&run=%FF%&run=b'];
  for (const hash of [hashOf(0), history]) {
    for (const run of [...fits, ...others]) {
      const { page, manners, context } = await open(`${hash}${run}`);
      const told = await page.locator('.notice-aside').allInnerTexts();
      assert.deepEqual(told, fits.includes(run) ? [] : ['This link was made with another run of the model; the list may differ.'], `${hash}${run.slice(0, 40)}`);
      assert.equal(await page.locator('.notice-fault').count(), 0);
      assert.deepEqual(runOf(page), [own], 'the list that stands is of this run');
      assert.deepEqual([manners.pageErrors, manners.consoleErrors], [[], []]);
      await context.close();
    }
  }
  const { page } = await open(`${hashOf(0)}${others[0]}`);
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.locator('.notice-aside').waitFor({ state: 'detached' });
  // The step back leads out of the page as long as whoever was chosen is on their way.
  await page.waitForFunction((hash) => !location.hash.startsWith(hash), hashOf(0));
  await page.goBack();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent === name, viewerName(users[0].key));
  await listShown(page);
  assert.equal(await page.locator('.notice-aside').count(), 0, 'the address is of this run by now');
});

test('a connection that failed is told without a promise that nothing keeps', async () => {
  const server = await host({ '/artefact/model.safetensors': () => ({ status: 503 }) });
  const { page } = await freshPage(browser, { serviceWorkers: 'block' });
  await page.goto(`${server.url}?backend=cpu`);
  const panel = page.locator('.notice-fault');
  await panel.waitFor();
  assert.match(await panel.innerText(), /The connection failed.*Check that you are online, then try again\./s);
  assert.doesNotMatch(await panel.innerText(), /kept|arrived already/);
  delete server.rules['/artefact/model.safetensors'];
  server.asked.length = 0;
  await panel.getByRole('button', { name: 'Try again' }).click();
  await listShown(page);
  assert.ok(server.asked.includes('/artefact/users.json'), 'all of it is fetched anew');
});

test('the search finds a viewer by keyboard alone', async () => {
  const { page } = await open(hashOf(0));
  const { key } = users[users.length - 1];
  await page.getByRole('combobox', { name: 'Find a viewer' }).fill(key);
  const options = page.getByRole('option');
  await options.first().waitFor();
  const names = await options.locator('.option-name').allInnerTexts();
  const at = names.findIndex((name) => name === viewerName(key));
  for (let step = 0; step <= at; step += 1) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction((wanted) => document.querySelector('#viewer-heading')?.textContent === wanted, viewerName(key));
  await page.waitForFunction(() => /suggestions/.test(document.querySelector('#announcer')?.textContent ?? ''));
});

test('the result table and the limits of the run are there', async (t) => {
  if (!results) return t.skip('the artefact has no results.json');
  const { page } = await open();
  const body = page.getByRole('region', { name: 'Result table' }).locator('tbody tr');
  assert.equal(await body.count(), results.models.length);
  assert.equal(await body.first().locator('th').innerText().then((text) => text.split('\n')[0]), results.models[0].name);
  assert.match(await page.locator('#results').innerText(), /can be wrong/);
});

test('the result table fits its box at 1280 pixels; where it does not, it is seen to scroll in it, and does by keyboard', async () => {
  const names = ['recall@5', 'recall@10', 'recall@20', 'ndcg@5', 'ndcg@10', 'ndcg@20', 'hr@50', 'mrr', 'coverage', 'gini'];
  const metrics = Object.fromEntries(names.map((name) => [name, { value: 0.1234, low: 0.1, high: 0.2 }]));
  const models = ['popularity', 'ids only', 'before correction', 'full', 'random texts'].map((name) => ({ name, metrics }));
  const { url: address } = await hostChanged(() => {}, { 'results.json': { ...results, models } });
  for (const width of [1280, 1440, 1100, 390]) {
    const { page } = await open('', { viewport: { width, height: 800 } }, address);
    const box = page.getByRole('region', { name: 'Result table' });
    const size = () => box.evaluate(({ scrollWidth, clientWidth, scrollLeft, tabIndex }) => ({ wider: scrollWidth - clientWidth, scrollLeft, tabIndex }));
    const { wider, tabIndex } = await size();
    assert.ok((await overflow(page)) <= 0);
    assert.equal(tabIndex, 0);
    if (width >= 1280) {
      assert.ok(wider <= 0, `${width}: ${wider} pixels wider than its box`);
      continue;
    }
    if (wider <= 0) continue;
    // A shade on its edge, which its own ground covers once it is scrolled to the end.
    assert.match(await box.evaluate((element) => getComputedStyle(element).backgroundAttachment), /local, scroll/);
    await box.focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => (document.querySelector('.table-scroll')?.scrollLeft ?? 0) > 0);
  }
});

test('words of the language model render literally', async () => {
  const preview = await artefactJson('preview.json');
  const { url: address } = await hostChanged(() => {}, {
    'preview.json': { ...preview, pattern: HOSTILE, recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, reason: row.reason && HOSTILE })) },
    'reasons.json': reasons.map((/** @type {object[]} */ list) => list.map((reason) => ({ ...reason, text: HOSTILE }))),
    'users.json': users.map((/** @type {object} */ user) => ({ ...user, pattern: HOSTILE })),
  });
  const { page, manners } = await open(hashOf(0), {}, address);
  await openedRows(page);
  assert.equal(await page.locator('.pattern blockquote').textContent(), HOSTILE);
  assert.equal(await page.locator('.evidence-note .voice').first().textContent(), `“${HOSTILE}”`);
  const texts = await page.locator('.evidence blockquote').allTextContents();
  assert.ok(texts.length > 0, 'the list shows reasons');
  assert.deepEqual(new Set(texts), new Set([HOSTILE]));
  assert.equal(await page.locator('#stage img, #stage b').count(), 0);
  assert.notEqual(await page.title(), 'owned');
  assert.deepEqual(manners.pageErrors, []);
});

describe('no horizontal overflow', () => {
  for (const width of [320, 360, 768, 1280]) {
    test(`at ${width} pixels, drawers open`, async () => {
      const { page } = await open(hashOf(0), { viewport: { width, height: 780 } });
      await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
      assert.ok((await overflow(page)) <= 0, `${await overflow(page)} px too wide`);
    });
  }
});
