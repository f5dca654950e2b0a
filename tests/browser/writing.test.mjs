/** What the language model writes in the browser, and what other models of the run say: fetched when asked for, and the same natively. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { artefactFolder, artefactJson, host, listShown, mock, PATIENCE, rows, scorer, scorers } from './helper/harness.mjs';
import { appended } from './helper/trouble.mjs';
import { catalogue, gate, hostSlow, kill, listed, open, ownTaste, pressAtOnce, reasonsWritten, stop, told, trapping, UNKEPT, url, users, writtenPattern } from './helper/writing.mjs';

const comparison = await artefactJson('comparison.json');

// The service worker brings comparison.json for visits without a connection, once the first list stands.
const LATER = /writer\.json|tokenizer\.json|writer\.safetensors|curec-web-writer/;

test('a visitor’s own pattern is written here, read by the list, and undone', async () => {
  const { page, manners } = await open(ownTaste);
  assert.deepEqual(manners.requests.filter((address) => LATER.test(address)), [], 'nothing of it is fetched before it is asked for');
  const before = await listed(page);
  assert.match(await page.locator('.pattern-offer').innerText(), /fetched once, [\d.]+ [kM]?B/);
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const text = await writtenPattern(page);
  assert.ok(text.length > 0);
  assert.match(await page.locator('.pattern[data-written] figcaption').innerText(), /Written here and now by the language model in your browser/);
  await page.waitForFunction(() => /[#&]write=1(&|$)/.test(location.hash));
  if (!mock) assert.notDeepEqual(await listed(page), before, 'the list reads it');
  // Reasons of one's own for the first titles.
  await page.waitForFunction(() => document.querySelectorAll('.own-reason figcaption').length === 5, undefined, { timeout: PATIENCE });
  await page.waitForFunction(() => [...document.querySelectorAll('.own-reason figcaption')].every((words) => /written for you, here and now/.test(words.textContent ?? '')), undefined, { timeout: PATIENCE });
  const another = page.getByRole('button', { name: 'Write another' });
  await another.click();
  await page.waitForFunction(() => /write=2/.test(location.hash), undefined, { timeout: PATIENCE });
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => /write=1/.test(location.hash), undefined, { timeout: PATIENCE });
  assert.equal(await writtenPattern(page), text);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => !/write=/.test(location.hash), undefined, { timeout: PATIENCE });
  await listShown(page);
  assert.deepEqual(await listed(page), before);
  assert.deepEqual(manners.consoleErrors, []);
  assert.deepEqual(manners.pageErrors, []);
});

test('writing that is asked for while a list is on its way waits for it, and is not lost', async () => {
  const { page, manners } = await open(ownTaste);
  await pressAtOnce(page, '[data-do="remove"]', '#write-pattern');
  assert.ok((await writtenPattern(page)).length > 0);
  await page.waitForFunction(() => /[#&]write=1(&|$)/.test(location.hash) && (location.hash.match(/%2C/g) ?? []).length === 1);
  assert.deepEqual(manners.consoleErrors, []);
  assert.deepEqual(manners.pageErrors, []);
});

test('writing whose list was left before it began is not said to be done, and fetches nothing', async () => {
  const { page, manners } = await open(ownTaste);
  await pressAtOnce(page, '[data-do="remove"]', '#write-pattern', '.chip:not(.chip-own)');
  await page.waitForFunction(() => location.hash.includes('viewer=') || location.hash.includes('user='));
  await listShown(page);
  assert.doesNotMatch(await page.locator('body').innerText(), /The pattern is written/);
  assert.deepEqual(manners.requests.filter((address) => LATER.test(address)), []);
  assert.deepEqual(manners.pageErrors, []);
});

test('a link writes the same pattern again when the visitor wants it, and the command prints the same list', async () => {
  const { page } = await open(ownTaste);
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const text = await writtenPattern(page);
  const list = await listed(page);
  // On a phone: what is written is in sight there too, and so is that it is being written.
  const { page: other, manners } = await open(new URL(page.url()).hash, url, { viewport: { width: 390, height: 844 } });
  assert.match(await other.locator('.notice-aside').innerText(), /reads a pattern that the language model writes/);
  assert.deepEqual(manners.requests.filter((address) => LATER.test(address)), [], 'a link alone fetches nothing');
  await other.getByRole('button', { name: 'Write it' }).click();
  assert.equal(await writtenPattern(other), text);
  assert.deepEqual(await listed(other), list);

  await page.getByText('Take it along').click();
  await page.getByRole('button', { name: 'Copy the curec command' }).click();
  await page.getByText('is copied.').waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(command, /^curec explain --artefact \S+ --history=\S+ --write-pattern=1 --count=10$/);
  if (mock || !process.env.CUREC_BIN) return;
  const [, ...parts] = command.replace('--artefact dist/artefact', `--artefact ${artefactFolder}`).split(' ');
  const { stdout } = await promisify(execFile)(process.env.CUREC_BIN, [...parts, '--json'], { maxBuffer: 1 << 26 });
  const native = JSON.parse(stdout);
  assert.equal(native.pattern, text, 'the same words natively');
  assert.deepEqual(native.recommendations.map((/** @type {any} */ row) => row.key), list.map(([item]) => catalogue[/** @type {number} */ (item)].key));
});

test('a language model that cannot be fetched leaves the list alone, says so, and can be asked again', async () => {
  let broken = true;
  const server = await host({ '/artefact/writer.safetensors': (content) => (broken ? { body: content.subarray(0, 100) } : { body: content }) });
  const { page, manners } = await open(ownTaste, server.url);
  const before = await listed(page);
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.getByRole('button', { name: 'Ask again' }).waitFor({ timeout: PATIENCE });
  assert.match(await page.locator('.pattern-live').innerText(), /incomplete|connection/i);
  assert.deepEqual(await listed(page), before);
  broken = false;
  await page.getByRole('button', { name: 'Ask again' }).click();
  assert.ok(await writtenPattern(page));
  assert.equal(await page.locator('.pattern-live figure').count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});

test('the run’s other models stand beside the full one, with what they share and what was really taken', async () => {
  const user = users.findIndex((/** @type {{held_out: number|null}} */ { held_out }) => held_out !== null);
  const { page, manners } = await open(`#user=${encodeURIComponent(users[user].key)}`);
  assert.deepEqual(manners.requests.filter((address) => LATER.test(address)), []);
  const full = (await listed(page)).map(([item]) => Number(item));
  const truth = /rank (\d+)/.exec(await page.locator('.truth-rank').innerText())?.[1];
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-column').first().waitFor({ timeout: PATIENCE });
  const columns = await page.locator('.compare-column').evaluateAll((all) =>
    all.map((column) => ({
      titles: [...column.querySelectorAll('li')].map((row) => row.querySelector('span')?.textContent ?? ''),
      overlap: column.querySelector('.compare-overlap')?.textContent ?? '',
      rank: column.querySelector('.compare-truth strong')?.textContent ?? '',
    })),
  );
  assert.equal(columns.length, 1 + comparison.variants.length);
  assert.deepEqual(columns[0]?.titles, full.map((item) => catalogue[item].title));
  assert.equal(columns[0]?.rank.replaceAll(',', ''), truth);
  comparison.variants.forEach((/** @type {any} */ { lists }, /** @type {number} */ at) => {
    const { items, held_out_rank: rank } = lists[user];
    const shown = items.slice(0, 10);
    const column = columns[at + 1];
    assert.deepEqual(column?.titles, shown.map((/** @type {number} */ item) => catalogue[item].title));
    const shared = shown.filter((/** @type {number} */ item) => full.includes(item)).length;
    assert.equal(column?.overlap, `shares ${shared} of ${shown.length}`);
    assert.equal(column?.rank.replaceAll(',', ''), String(rank));
  });
  // It follows to another viewer.
  const firstOf = (/** @type {number} */ of) => comparison.variants[0].lists[of].items.slice(0, 10).map((/** @type {number} */ item) => catalogue[item].title);
  await page.goto(`${url}?backend=cpu#user=${encodeURIComponent(users[user + 1].key)}`);
  await page.waitForFunction(
    (titles) => [...document.querySelectorAll('.compare-column')].some((column) => [...column.querySelectorAll('li > [dir="auto"]')].map((title) => title.textContent).join() === titles),
    firstOf(user + 1).join(),
  );
  assert.notDeepEqual(firstOf(user + 1), firstOf(user));
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a language model that is being fetched can be stopped, and asked again', async () => {
  /** @type {() => void} */
  let go = () => {};
  const until = new Promise((resolve) => {
    go = () => resolve(undefined);
  });
  const server = await host({ '/artefact/writer.safetensors': (body) => ({ body, until }) });
  const { page, manners } = await open(ownTaste, server.url, { serviceWorkers: 'block' });
  const before = await listed(page);
  const write = page.locator('#write-pattern');
  await write.click();
  await page.locator('.pattern-live figcaption', { hasText: 'The language model is fetched' }).waitFor();
  assert.equal(await write.getAttribute('aria-disabled'), 'true');
  const stop = page.getByRole('button', { name: 'Stop', exact: true });
  await stop.focus();
  await page.keyboard.press('Enter');
  await page.locator('.pattern-live .pattern').waitFor({ state: 'detached' });
  assert.equal(await stop.isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'write-pattern', 'the focus is not lost');
  for (const start = Date.now(); !server.dropped.includes('/artefact/writer.safetensors'); await page.waitForTimeout(50)) assert.ok(Date.now() - start < PATIENCE, 'nothing is fetched any more');
  assert.deepEqual(await listed(page), before);
  go();
  await write.click();
  assert.ok(await writtenPattern(page));
  assert.deepEqual(manners.pageErrors, []);
});

for (const [file, part] of /** @type {const} */ ([
  ['/curec-web-writer.js', 'until'],
  ['/curec-web-writer_bg.wasm', 'until'],
  ['/curec-web-writer_bg.wasm', 'halfUntil'],
])) {
  test(`Stop ends what is fetched of the language model’s code too (${file}, ${part === 'until' ? 'before its first byte' : 'halfway'})`, async () => {
    /** @type {() => void} */
    let go = () => {};
    const wait = new Promise((resolve) => {
      go = () => resolve(undefined);
    });
    const server = await host({ [file]: (body) => ({ body, [part]: wait }) });
    const { page, manners } = await open(ownTaste, server.url, { serviceWorkers: 'block' });
    const before = await listed(page);
    const asked = (/** @type {string} */ name) => server.asked.filter((path) => path.endsWith(name)).length;
    await page.locator('#write-pattern').click();
    for (const start = Date.now(); asked(file) === 0; await page.waitForTimeout(20)) assert.ok(Date.now() - start < PATIENCE, 'it is fetched');
    await page.waitForTimeout(300); // the model is here by then, and the first half
    const looked = asked('/build.json');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByText('Stopped. The list reads what it read before.').waitFor({ state: 'attached' });
    for (const start = Date.now(); !server.dropped.some((path) => path.endsWith(file)); await page.waitForTimeout(50)) assert.ok(Date.now() - start < 5000, 'it is not fetched any more');
    assert.equal(asked('/build.json'), looked, 'a stop is no fault to be looked into');
    assert.equal(await page.locator('.pattern-live figure').count(), 0);
    assert.deepEqual(await listed(page), before);
    go();
    await page.locator('#write-pattern').click();
    assert.ok(await writtenPattern(page), 'asked again it writes');
    assert.deepEqual(manners.consoleErrors, []);
    assert.deepEqual(manners.pageErrors, []);
  });
}

test('a text that is being written can be stopped: the list reads what it read before', async () => {
  const server = await hostSlow(100);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  const before = await listed(page);
  await page.locator('#write-pattern').click();
  await page.locator('.pattern[data-writing] .voice', { hasText: /./ }).waitFor({ timeout: PATIENCE });
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.locator('.pattern-live .pattern').waitFor({ state: 'detached' });
  await page.getByText('Stopped. The list reads what it read before.').waitFor({ state: 'attached' });
  assert.deepEqual(await listed(page), before);
  assert.ok(!/write=/.test(await page.evaluate(() => location.hash)));
  assert.deepEqual(manners.pageErrors, []);
});

/**
 * Notes from now on, picture by picture, what is shown of texts that are being written, where what stands below them is, and what listeners hear.
 * @param {import('playwright-core').Page} page
 */
async function watched(page) {
  await page.evaluate(() => {
    const seen = (/** @type {any} */ (window).__seen = { texts: /** @type {{of: number, text: string, at: number}[]} */ ([]), offers: /** @type {number[]} */ ([]), rows: /** @type {number[]} */ ([]), heard: /** @type {string[]} */ ([]) });
    const put = (/** @type {number[]} */ places, /** @type {number|undefined} */ place) => place !== undefined && places.at(-1) !== place && places.push(place);
    const top = (/** @type {string} */ selector) => {
      const element = document.querySelector(selector);
      return element ? Math.round(element.getBoundingClientRect().top + scrollY) : undefined;
    };
    /** @type {Map<Element, number>} */
    const drafts = new Map();
    const look = () => {
      for (const draft of document.querySelectorAll('[aria-busy="true"] > .draft, .pattern[data-writing] .draft')) {
        const of = drafts.get(draft) ?? drafts.set(draft, drafts.size).size - 1;
        const text = draft.textContent ?? '';
        if (text !== '' && seen.texts.findLast((one) => one.of === of)?.text !== text) seen.texts.push({ of, text, at: performance.now() });
      }
      if (document.querySelector('.pattern[data-writing]')) put(seen.offers, top('#borrow-pattern'));
      if (document.querySelector('.own-reasons:not([hidden])') && document.querySelector('#ranking[aria-busy="false"]')) put(seen.rows, top('.recommendation:nth-child(6)'));
      requestAnimationFrame(look);
    };
    look();
    const live = '[role="status"], [role="alert"], [aria-live]';
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const region = (target instanceof Element ? target : target.parentElement)?.closest(live);
        if (region) seen.heard.push(region.textContent ?? '');
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  return () => page.evaluate(() => /** @type {{texts: {of: number, text: string, at: number}[], offers: number[], rows: number[], heard: string[]}} */ (/** @type {any} */ (window).__seen));
}

/** Places of what stands below: it moves down where a text has more lines than were kept free for it, and never up. @param {number[]} places */
const onlyDown = (places) => places.every((place, at) => at === 0 || place > (places[at - 1] ?? 0));

test('a text that is being written grows calmly in a place of its own, and no draft is announced', async () => {
  const server = await hostSlow(50, 12);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  const seen = await watched(page);
  await page.locator('#write-pattern').click();
  await page.getByText('Drafts that do not fit these titles are thrown away: 2 so far.').waitFor({ timeout: PATIENCE });
  const text = await writtenPattern(page);
  await reasonsWritten(page);
  const { texts, offers, rows: places, heard } = await seen();
  const pattern = texts.filter(({ of }) => of === 0);
  assert.ok(pattern.length >= 3, `it is seen growing: ${JSON.stringify(texts)}`);
  for (const [at, { of, at: when }] of texts.entries()) {
    const before = texts.slice(0, at).findLast((one) => one.of === of);
    if (before) assert.ok(when - before.at > 400, `${when - before.at} ms apart`);
  }
  assert.ok(onlyDown(offers) && (!mock || offers.length === 1), `what stands below the pattern stays where it is: ${offers}`);
  assert.ok(onlyDown(places) && (!mock || places.length === 1), `the list stays where it is: ${places}`);
  assert.deepEqual(heard.filter((words) => /bogus|thrown away/.test(words) || words.includes(text)), []);
  assert.deepEqual(heard.filter((words) => words.includes('is writing, here')), ['The language model is writing, here in your browser …']);
  assert.ok(new Set(heard).size <= 6, `few words: ${JSON.stringify(heard)}`);
  assert.deepEqual(manners.pageErrors, []);
});

test('drafts that are longer than their place make room for themselves once', async () => {
  const server = await hostSlow(30, 40);
  const { page } = await open(ownTaste, server.url, UNKEPT);
  const seen = await watched(page);
  await page.locator('#write-pattern').click();
  await writtenPattern(page);
  await reasonsWritten(page);
  const { offers, rows: places } = await seen();
  assert.ok(offers.length > 1 && onlyDown(offers), `${offers}`);
  assert.ok(onlyDown(places), `${places}`);
});

test('whoever wants no motion sees texts once they are written', async () => {
  const server = await hostSlow(50, 12);
  const { page } = await open(ownTaste, server.url, { ...UNKEPT, reducedMotion: 'reduce' });
  const seen = await watched(page);
  await page.locator('#write-pattern').click();
  assert.ok(await writtenPattern(page));
  await reasonsWritten(page);
  assert.deepEqual((await seen()).texts, []);
  assert.equal(await page.locator('.own-reason blockquote', { hasText: /./ }).count(), 5);
});

/** The reasons that stand there, by title. @param {import('playwright-core').Page} page */
const ownReasons = (page) =>
  page.locator('.recommendation:has(.own-reason blockquote)').evaluateAll((all) =>
    all.map((row) => [Number(row.getAttribute('data-item')), row.querySelector('.own-reason figure[aria-busy]') ? null : (row.querySelector('.own-reason blockquote')?.textContent ?? '')]).filter(([, text]) => text !== null),
  );

/** Titles whose reason was asked of the writer so far. @param {import('playwright-core').Page} page */
const askedFor = (page) => scorer(page)?.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (globalThis).__reasons));

test('reasons that are being written can be stopped, and gone on with: only those that are missing are written', async () => {
  const server = await hostSlow(30);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  const titles = async () => (await listed(page)).slice(0, 5).map(([item]) => item);
  await page.locator('#write-pattern').click();
  await writtenPattern(page);
  const line = page.locator('.own-reasons');
  await line.filter({ hasText: '2 of 5' }).waitFor({ timeout: PATIENCE });
  const list = await listed(page);
  await line.getByRole('button', { name: 'Stop writing' }).focus();
  await page.keyboard.press('Enter');
  const rest = line.getByRole('button', { name: 'Write the rest' });
  await rest.waitFor();
  assert.match(await line.innerText(), /^2 of 5 reasons written for you\./);
  assert.equal(await page.locator('#announcer').textContent(), '2 of 5 reasons written for you.');
  assert.equal(await rest.evaluate((button) => button === document.activeElement), true, 'the focus is not lost');
  const begun = await ownReasons(page);
  assert.deepEqual(begun.map(([item]) => item), (await titles()).slice(0, 2));
  assert.equal(await page.locator('.own-reason figure').count(), 2, 'nothing is left of the one that was being written');
  await page.waitForTimeout(500);
  assert.equal((await askedFor(page))?.length, 3, 'nothing more is written');
  await page.keyboard.press('Enter');
  await reasonsWritten(page);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'ranking-heading', 'the focus is not lost');
  const all = await ownReasons(page);
  assert.deepEqual(all.slice(0, 2), begun, 'what was written stands there as before');
  assert.deepEqual(all.map(([item]) => item), await titles());
  assert.deepEqual(await askedFor(page), [...(await titles()).slice(0, 3), ...(await titles()).slice(2)], 'each was asked for once, and the one that was stopped twice');
  assert.deepEqual(await listed(page), list);
  assert.deepEqual(manners.consoleErrors, []);
  assert.deepEqual(manners.pageErrors, []);
  // As they are written without a stop.
  const { page: other } = await open(ownTaste);
  await other.locator('#write-pattern').click();
  await reasonsWritten(other);
  assert.deepEqual(await ownReasons(other), all);
});

test('reasons that another pattern interrupted are gone on with after that one was stopped', async () => {
  const server = await hostSlow(30);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  await page.locator('#write-pattern').click();
  const text = await writtenPattern(page);
  const line = page.locator('.own-reasons');
  await line.filter({ hasText: '1 of 5' }).waitFor({ timeout: PATIENCE });
  await page.getByRole('button', { name: 'Write another' }).click();
  await line.getByRole('button', { name: 'Write the rest' }).waitFor();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByText('Stopped. The list reads what it read before.').waitFor({ state: 'attached' });
  assert.equal(await writtenPattern(page), text);
  assert.match(await line.innerText(), /^1 of 5 reasons written for you\./);
  await line.getByRole('button', { name: 'Write the rest' }).click();
  await reasonsWritten(page);
  assert.equal((await ownReasons(page)).length, 5);
  // Another list has its own.
  await page.locator('.chip:not(.chip-own)').first().click();
  await listShown(page);
  assert.equal(await line.isVisible(), false);
  assert.deepEqual(manners.pageErrors, []);
});

test('a language model that stops in the middle of a reason says so, and the missing ones are written when asked for', async () => {
  const failing = () => {
    // @ts-expect-error the module's own class
    const { prototype } = Writer;
    const { reason } = prototype;
    const worker = /** @type {any} */ (globalThis);
    worker.__calls = 0;
    prototype.reason = function (/** @type {any[]} */ ...question) {
      worker.__calls += 1;
      return worker.__calls === 3 ? Promise.reject(new WebAssembly.RuntimeError('unreachable')) : reason.apply(this, question);
    };
  };
  const server = await host(appended('/curec-web-writer.js', `if (!globalThis.__calls) (${failing})();`));
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  await page.locator('#write-pattern').click();
  const line = page.locator('.own-reasons');
  await line.getByRole('button', { name: 'Write the rest' }).waitFor({ timeout: PATIENCE });
  assert.match(await line.innerText(), /^The language model stopped in the middle of a text\. 2 of 5 reasons written for you\./);
  await line.getByRole('button', { name: 'Write the rest' }).click();
  await reasonsWritten(page);
  assert.equal((await ownReasons(page)).length, 5);
  assert.deepEqual(manners.pageErrors, []);
});

test('a language model that has gone with a newer release offers the newer page', async () => {
  const gone = { '/curec-web-writer.js': () => ({ status: 404 }), '/build.json': (/** @type {Buffer} */ content) => ({ body: Buffer.from(JSON.stringify({ ...JSON.parse(String(content)), code: '0123456789abcdef' })) }) };
  /** @type {Record<string, import('./helper/server.mjs').Rule>} */
  const later = {};
  const server = await host(later);
  const { page } = await open(ownTaste, server.url, { serviceWorkers: 'block' });
  Object.assign(later, gone);
  await page.locator('#write-pattern').click();
  const reload = page.locator('.pattern-live').getByRole('button', { name: 'Reload the page' });
  await reload.waitFor();
  for (const name of Object.keys(gone)) delete later[name];
  await Promise.all([page.waitForEvent('load'), reload.click()]);
  await listShown(page);
});

test('a language model that traps leaves the list and its scorer alone, and another instance writes', async () => {
  const server = await host(trapping);
  // The service worker would not let another module pass.
  const { page, manners } = await open(ownTaste, server.url, { serviceWorkers: 'block' });
  const before = await listed(page);
  const workers = scorers(page).length;
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const again = page.getByRole('button', { name: 'Ask again' });
  await again.waitFor({ timeout: PATIENCE });
  assert.match(await page.locator('.pattern-live').innerText(), /stopped in the middle/);
  assert.deepEqual(await listed(page), before);
  await again.click();
  assert.equal(await page.evaluate(() => document.activeElement?.className), 'pattern-live', 'the focus is not lost');
  assert.ok(await writtenPattern(page));
  assert.equal(scorers(page).length, workers);
  assert.deepEqual(manners.pageErrors, []);
});

test('more rows, and a comparison, do not end the reasons that are being written', async () => {
  const { page } = await open(`#user=${encodeURIComponent(users[0].key)}`);
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.locator('.own-reason figcaption').first().waitFor({ timeout: PATIENCE });
  await page.getByRole('button', { name: /^Show \d+ more/ }).click();
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('.own-reason figcaption')].filter((words) => words.textContent?.includes('here and now')).length === 5, undefined, { timeout: PATIENCE });
  await page.locator('.compare-column').first().waitFor({ timeout: PATIENCE });
  assert.equal(await rows(page).count(), 20);
});

test('a link that asks for a pattern where nothing can be written, and for what is not there, says both', async () => {
  const without = (/** @type {Buffer} */ content) => {
    const manifest = JSON.parse(String(content));
    manifest.files = manifest.files.filter((/** @type {{role: string}} */ { role }) => !['writer', 'tokenizer', 'writer-model'].includes(role));
    return { body: Buffer.from(JSON.stringify(manifest)) };
  };
  const server = await host({ '/artefact/manifest.json': without });
  const { page, manners } = await open(`${ownTaste}%2Cnowhere&write=3`, server.url);
  const told = (await page.locator('.notice-aside').allInnerTexts()).join(' ');
  assert.match(told, /nowhere/);
  assert.match(told, /carries no language model/);
  assert.equal(await page.locator('#write-pattern').count(), 0);
  assert.doesNotMatch(new URL(page.url()).hash, /write=/, 'the address is of the list that stands');
  assert.deepEqual(manners.pageErrors, []);
});

test('a pattern that is asked for while another scorer takes the place of one that is gone waits for that one, and is written', async () => {
  const server = await hostSlow(20);
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  await page.locator('#write-pattern').click();
  const text = await writtenPattern(page);
  await reasonsWritten(page);
  const { until, go } = gate();
  server.rules['/worker.js'] = (body) => ({ body, until });
  await kill(page);
  await page.locator('#ranking[aria-busy="true"]').waitFor();
  const another = page.getByRole('button', { name: 'Write another' });
  await another.click();
  await stop(page).click();
  await page.getByText('Stopped. The list reads what it read before.').waitFor({ state: 'attached' });
  await another.click();
  await page.waitForTimeout(200);
  go();
  await page.waitForFunction(() => /write=2/.test(location.hash), undefined, { timeout: PATIENCE });
  assert.notEqual(await writtenPattern(page), text);
  assert.deepEqual(manners.pageErrors, []);
});

test('a pattern without a word is not said to be written', async () => {
  const wordless = () => {
    // @ts-expect-error the module's own class
    const { prototype } = Draft;
    const { advance } = prototype;
    prototype.advance = async function () {
      const standing = await advance.call(this);
      return standing.written ? { ...standing, written: { ...standing.written, text: '' } } : standing;
    };
  };
  const server = await host(appended('/curec-web-writer.js', `(${wordless})();`));
  const { page, manners } = await open(ownTaste, server.url, UNKEPT);
  await page.locator('#write-pattern').click();
  await page.waitForFunction(() => /write=1/.test(location.hash), undefined, { timeout: PATIENCE });
  await listShown(page);
  assert.equal(await told(page), 'The language model wrote nothing for this history.');
  assert.deepEqual(manners.pageErrors, []);
});
