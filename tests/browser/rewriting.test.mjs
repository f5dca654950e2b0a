/** A pattern that was written here is written anew of a changed history: as of that history alone, seen growing, stopped, overtaken, failing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spelled } from './helper/asked.mjs';
import { changedArtefact } from './helper/changed.mjs';
import { host, hostMock, listShown, mock, mockJson, PATIENCE, rows, scorer } from './helper/harness.mjs';
import { gate, growing, hostSlow, kill, listed, open, ownTaste, pressAtOnce, reasonsWritten, replaced, slow, stop, told, trapNext, trapping, UNKEPT, url, users, writtenPattern } from './helper/writing.mjs';

/** Three titles that somebody took, without the one that is taken out first. */
const twoOfThem = ownTaste.split('%2C').slice(0, 2).join('%2C');

const STOPPED = 'Stopped. The list goes on without it.';

/** What mutes a reason. */
const MUTE = '[data-layer="words"] .reason-tools .button-link';

/** @param {import('playwright-core').Page} page */
const parameters = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));

/** A page of these titles that reads a pattern written here. @param {string} address @param {string} [hash] */
async function withPattern(address, hash = ownTaste) {
  const fresh = await open(hash, address, UNKEPT);
  if (hash.includes('user=')) await fresh.page.getByRole('button', { name: 'What if …?' }).click();
  await fresh.page.locator('#write-pattern').click();
  return { ...fresh, text: await writtenPattern(fresh.page) };
}

/** @param {import('playwright-core').Page} page */
const takeOut = (page) => page.locator('[data-do="remove"]').first().click();

/** Some reason can be muted: a change that leaves the history alone. @param {import('playwright-core').Page} page */
async function mutable(page) {
  for (let at = 0; (await page.locator(MUTE).count()) === 0; at += 1) await rows(page).nth(at).getByRole('button', { name: /What carried it/ }).click();
}

/** Seeds of the patterns that the writer was asked for. @param {import('playwright-core').Page} page */
const askedFor = (page) => scorer(page)?.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (globalThis).__patterns));

/** Nothing is being written, and nobody is told that something is. @param {import('playwright-core').Page} page */
async function nothingUnderWay(page) {
  assert.equal(await page.locator('.pattern-live figure').count(), 0);
  assert.equal(await stop(page).isVisible(), false);
  assert.doesNotMatch((await told(page)) ?? '', /writing, here|reads it anew|reads the history|is fetched/);
}

test('a change of the history has the pattern written anew, and a newer wish overtakes an older one', async () => {
  const { page, manners } = await open(ownTaste);
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const text = await writtenPattern(page);
  // Two in a row: the first is not waited for.
  await takeOut(page);
  await takeOut(page);
  await page.waitForFunction(() => document.querySelectorAll('.history-row').length === 1, undefined, { timeout: PATIENCE });
  await listShown(page);
  assert.match(new URL(page.url()).hash, /write=1/);
  const now = await writtenPattern(page);
  if (mock) assert.match(now, /of 1 titles/);
  const { page: fresh } = await open(ownTaste.split('%2C')[0] ?? '');
  await fresh.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  assert.equal(await writtenPattern(fresh), now, `as for that history alone, and not ${text}`);
  assert.deepEqual(manners.pageErrors, []);
});

test('a pattern that this visit has written of the same history stands there at once: the writer is not asked again', async () => {
  const server = await hostSlow(0);
  const { page, manners } = await withPattern(server.url);
  await takeOut(page);
  await page.waitForFunction(() => document.querySelectorAll('.history-row').length === 2);
  const anew = await writtenPattern(page);
  await reasonsWritten(page);
  assert.deepEqual(await askedFor(page), [1, 1]);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.history-row').length === 3);
  await listShown(page);
  await takeOut(page);
  await page.waitForFunction(() => document.querySelectorAll('.history-row').length === 2 && document.querySelector('#ranking')?.getAttribute('aria-busy') === 'false');
  assert.equal(await writtenPattern(page), anew);
  assert.equal(parameters(page).get('write'), '1');
  await reasonsWritten(page);
  assert.deepEqual(await askedFor(page), [1, 1]);
  await nothingUnderWay(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a pattern that is written anew of a changed history is seen growing and can be stopped: the list goes on without it', async () => {
  const server = await hostSlow(100);
  const { page, manners } = await withPattern(server.url);
  await takeOut(page);
  await growing(page);
  await stop(page).focus();
  await page.keyboard.press('Enter');
  await page.locator('.pattern-live .pattern').waitFor({ state: 'detached' });
  await page.getByText(STOPPED).waitFor({ state: 'attached' });
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(await page.locator('.history-row').count(), 2, 'the change of the history stands');
  assert.equal(await page.locator('.pattern[data-written]').count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'write-pattern', 'the focus is not lost');
  const { page: plain } = await open(twoOfThem);
  assert.deepEqual(await listed(page), await listed(plain), 'as for that history and the nearest viewer’s pattern');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => /[#&]write=1(&|$)/.test(location.hash));
  assert.deepEqual(manners.pageErrors, []);
});

test('a wish that waits for a list is ended by the change that overtakes it: the writer is not asked for it unseen', async () => {
  const server = await hostSlow(20);
  const { page, manners } = await withPattern(server.url);
  await mutable(page);
  await pressAtOnce(page, MUTE, '#write-pattern', '[data-do="remove"]');
  await page.waitForFunction(() => /write=/.test(location.hash) && document.querySelectorAll('.history-row').length === 2 && document.querySelector('#ranking')?.getAttribute('aria-busy') === 'false');
  await reasonsWritten(page);
  assert.deepEqual(await askedFor(page), [1, 1], 'the pattern was written, and anew of the changed history, and no other one');
  assert.equal(parameters(page).get('write'), '1');
  await nothingUnderWay(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a wish that waits for a list can be stopped: the writer is never asked for it', async () => {
  const server = await hostSlow(20);
  const { page, text } = await withPattern(server.url);
  await mutable(page);
  await pressAtOnce(page, MUTE, '#write-pattern', '#write-stop');
  await page.getByText('Stopped. The list reads what it read before.').waitFor({ state: 'attached' });
  await reasonsWritten(page);
  assert.deepEqual(await askedFor(page), [1]);
  assert.equal(await writtenPattern(page), text);
});

test('Stop is heeded where the pattern is written already and the page has not heard of it', async () => {
  const server = await hostSlow(20);
  const { page } = await withPattern(server.url);
  await takeOut(page);
  await stop(page).waitFor();
  await page.evaluate(() => {
    for (const end = performance.now() + 2500; performance.now() < end; ); // the answer waits meanwhile
    /** @type {HTMLElement} */ (document.querySelector('#write-stop')).click();
  });
  await page.getByText(STOPPED).waitFor({ state: 'attached' });
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(await page.locator('.pattern[data-written]').count(), 0);
});

test('Stop is heeded while a worker is being started: it is not asked for the text', async () => {
  const server = await host();
  const { page, manners } = await withPattern(server.url);
  await reasonsWritten(page);
  const { until, go } = gate();
  server.rules['/worker.js'] = (body) => ({ body, until });
  const fetched = () => server.asked.filter((path) => path.endsWith('/writer.safetensors')).length;
  const before = fetched();
  await kill(page);
  await page.locator('#ranking[aria-busy="true"]').waitFor();
  await takeOut(page);
  await page.locator('.pattern-live figcaption', { hasText: 'reads it anew' }).waitFor();
  await stop(page).click();
  await page.getByText(STOPPED).waitFor({ state: 'attached' });
  await nothingUnderWay(page);
  go();
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(await page.locator('.history-row').count(), 2);
  assert.equal(fetched(), before, 'nor is the language model fetched');
  assert.deepEqual(manners.pageErrors, []);
});

test('a language model that stops while it writes anew leaves the list without it, and that is said', async () => {
  const server = await host(trapping);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  await trapNext(page, 0);
  await page.locator('#write-pattern').click();
  const text = await writtenPattern(page);
  await reasonsWritten(page);
  await trapNext(page, 1);
  await takeOut(page);
  await page.locator('.notice-aside', { hasText: 'The pattern could not be written anew (the language model stopped in the middle of a text). The list goes on without it.' }).waitFor();
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(await page.locator('.history-row').count(), 2, 'the change of the history stands');
  await nothingUnderWay(page);
  assert.match(await page.locator('.pattern-offer').innerText(), /fetched once/, 'what is lost is fetched anew');
  const { page: plain } = await open(twoOfThem);
  assert.deepEqual(await listed(page), await listed(plain));
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => /[#&]write=1(&|$)/.test(location.hash));
  assert.equal(await writtenPattern(page), text);
  assert.deepEqual(manners.pageErrors, []);
});

test('a worker that dies while a pattern is written anew is replaced, and the other one writes it', async () => {
  const server = await hostSlow(60);
  const { page, manners, text } = await withPattern(server.url);
  await takeOut(page);
  await growing(page);
  await kill(page);
  await page.waitForFunction((before) => (document.querySelector('.pattern[data-written] .voice')?.textContent ?? before) !== before, text, { timeout: PATIENCE });
  await listShown(page);
  assert.deepEqual(await askedFor(page), [1]);
  assert.equal(parameters(page).get('write'), '1');
  await nothingUnderWay(page);
  const { page: fresh } = await open(twoOfThem);
  await fresh.locator('#write-pattern').click();
  assert.equal(await writtenPattern(page), await writtenPattern(fresh));
  assert.deepEqual(manners.pageErrors, []);
});

test('a step back while a pattern is written anew leads to the one before, and nothing says that something is written', async () => {
  const server = await hostSlow(60);
  const { page, manners, text } = await withPattern(server.url);
  const before = await listed(page);
  await takeOut(page);
  await growing(page);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.history-row').length === 3 && document.querySelector('#ranking')?.getAttribute('aria-busy') === 'false');
  assert.equal(await writtenPattern(page), text);
  assert.deepEqual(await listed(page), before);
  await nothingUnderWay(page);
  assert.equal(await told(page), '', 'nor that anything is done');
  assert.deepEqual(manners.pageErrors, []);
});

for (const way of /** @type {const} */ (['anew', 'for the first time'])) {
  test(`another viewer chosen while a pattern is written ${way} has a card that says nothing of it`, async () => {
    const server = await hostSlow(60);
    const { page, manners } = way === 'anew' ? await withPattern(server.url) : await open(ownTaste, server.url, UNKEPT);
    await (way === 'anew' ? takeOut(page) : page.locator('#write-pattern').click());
    await growing(page);
    await page.locator('.chip:not(.chip-own)').first().click();
    await page.waitForFunction(() => /[#&]user=/.test(location.hash));
    await listShown(page);
    await page.getByRole('button', { name: 'What if …?' }).click();
    await nothingUnderWay(page);
    assert.equal(await told(page), '');
    assert.equal(await page.locator('#write-pattern').getAttribute('aria-disabled'), null);
    assert.equal(parameters(page).has('write'), false);
    assert.deepEqual(manners.pageErrors, []);
  });
}

test('a pattern that was written anew is said to be written, and the next viewer’s card says nothing of it', async () => {
  const { page } = await withPattern(url);
  await reasonsWritten(page);
  await takeOut(page);
  await page.getByText('The pattern is written anew. The list reads it.').waitFor({ state: 'attached' });
  await listShown(page);
  await nothingUnderWay(page);
  await page.locator('.chip:not(.chip-own)').first().click();
  await page.waitForFunction(() => /[#&]user=/.test(location.hash));
  await listShown(page);
  assert.equal(await told(page), '');
});

test('a stored viewer’s list reads their own pattern where the one written here is stopped', async () => {
  const server = await hostSlow(60);
  const viewer = users.find((/** @type {{pattern: string|null, history: unknown[]}} */ { pattern, history }) => pattern && history.length > 1);
  const { page, manners } = await withPattern(server.url, `#user=${encodeURIComponent(viewer.key)}`);
  await takeOut(page);
  await growing(page);
  await stop(page).click();
  await page.getByText(STOPPED).waitFor({ state: 'attached' });
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(parameters(page).get('user'), viewer.key);
  assert.equal(parameters(page).has('pattern'), false, 'it is their own');
  assert.equal((await page.locator('#viewer .pattern .voice:visible').innerText()).trim(), viewer.pattern.trim());
  assert.deepEqual(manners.pageErrors, []);
});

test('where nothing is left of a stored viewer’s history, the list reads their own pattern as well', async () => {
  const viewer = users.find((/** @type {{pattern: string|null, history: unknown[]}} */ { pattern, history }) => pattern && history.length > 1);
  const { page, manners } = await open(`#user=${encodeURIComponent(viewer.key)}&history=${spelled(viewer.history[0].item)}@0`);
  await page.locator('#write-pattern').click();
  await writtenPattern(page);
  await takeOut(page);
  await page.waitForFunction(() => !/write=/.test(location.hash));
  await listShown(page);
  assert.equal(parameters(page).has('pattern'), false, 'it is their own');
  assert.equal((await page.locator('#viewer .pattern .voice:visible').innerText()).trim(), viewer.pattern.trim());
  assert.deepEqual(manners.pageErrors, []);
});

test('a list that reads no pattern is not said to read one', async () => {
  const people = await mockJson('users.json');
  const server = await hostMock({ ...slow(60), ...changedArtefact(() => {}, { 'users.json': people.map((/** @type {object} */ one) => ({ ...one, pattern: null })) }) });
  const { page } = await withPattern(server.url, `#user=${people[0].key}`);
  await takeOut(page);
  await growing(page);
  await stop(page).click();
  await page.getByText('The language model has written no pattern for this viewer.').waitFor();
  assert.equal(await told(page), STOPPED);
});

for (const [lost, rules] of /** @type {const} */ ([
  ['its module', trapping],
  ['its worker', {}],
])) {
  test(`a language model that is fetched again because ${lost} died says how much of it is here`, async () => {
    const server = await host({ ...rules });
    const { page } = await open(ownTaste, server.url, UNKEPT);
    await trapNext(page, 0);
    await page.locator('#write-pattern').click();
    await writtenPattern(page);
    await reasonsWritten(page);
    const { until: halfUntil, go } = gate();
    const hold = () => (server.rules['/artefact/writer.safetensors'] = (body) => ({ body, halfUntil }));
    const another = page.getByRole('button', { name: 'Write another' });
    if (lost === 'its module') {
      await trapNext(page, 1);
      await another.click();
      await page.getByRole('button', { name: 'Ask again' }).waitFor();
      hold();
      await page.getByRole('button', { name: 'Ask again' }).click();
    } else {
      hold();
      await replaced(page);
      await another.click();
    }
    await page.locator('.pattern-live figcaption', { hasText: /^The language model is fetched/ }).waitFor();
    await page.locator('.pattern-live progress').waitFor();
    go();
    await page.waitForFunction(() => /write=2/.test(location.hash), undefined, { timeout: PATIENCE });
    assert.ok(await writtenPattern(page));
  });
}
