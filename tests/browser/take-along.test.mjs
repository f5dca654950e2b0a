/** What can be taken along of a list: a link, the command, files and a picture; and reasons reported as bad. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { PNG } from 'pngjs';
import { afterChange, browser, catalogue, listed, open, reasons, spelled, url, users, whatIf } from './helper/asked.mjs';
import { changedArtefact } from './helper/changed.mjs';
import { open as openOwn, ownTaste, reasonsWritten } from './helper/writing.mjs';
import { artefactFolder, artefactJson, freshPage, host, listShown, mock, PATIENCE, rows } from './helper/harness.mjs';

const { run, model } = await artefactJson('manifest.json');

test('a copied link, opened in a fresh page, gives the very same scores', async () => {
  /** @param {import('playwright-core').Page} page */
  const exported = async (page) => {
    await page.getByText('Take it along').click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON', exact: true }).click()]);
    return JSON.parse(String(await readFile(await file.path())));
  };
  /** A link with a pattern to be written leaves that to the visitor. @param {import('playwright-core').Page} page @param {string} hash */
  const asLinked = async (page, hash) => {
    await listShown(page);
    if (!hash.includes('write=')) return;
    await page.getByRole('button', { name: 'Write it' }).click();
    await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
    await listShown(page);
  };
  const [first, second] = users[1].history.map((/** @type {{item: number}} */ { item }) => spelled(item));
  const user = `#user=${encodeURIComponent(users[0].key)}`;
  // What the model read of them, the other way round: an older title, taken out, would change nothing.
  const backwards = users[0].history.map((/** @type {{item: number}} */ { item }, /** @type {number} */ at) => `${spelled(item)}@${at}`).slice(-(model?.reward?.max_history ?? Infinity)).reverse();
  const { page: plain, context: before } = await open(user);
  const reasoned = (await listed(plain)).find(({ item }) => reasons[item].length > 0)?.item ?? -1;
  await before.close();
  for (const hash of [
    user,
    `#history=${first},${second}`,
    `${user}&mute=${spelled(reasoned)}@0`,
    `${user}&pattern=${encodeURIComponent(users[1].key)}`,
    `${user}&pattern=none`,
    `${user}&history=${backwards.join(',')}`,
    `${user}&write=3`,
    `#history=${first},${second}&write=3`,
  ]) {
    const { page, context } = await open(hash);
    await asLinked(page, hash);
    // A list that differs from the viewer's own is open to changes already.
    if (hash.includes('user=') && (await page.locator('#what-if').count()) === 0) await whatIf(page);
    await afterChange(page, () => page.locator('[data-do="remove"]').first().click());
    await afterChange(page, () => page.getByRole('button', { name: /^Show \d+ more/ }).click());
    const here = await exported(page);
    await page.getByRole('button', { name: 'Copy the link' }).click();
    await page.getByText('is copied.').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await context.close();
    const { page: other } = await freshPage(browser);
    await other.goto(link);
    await asLinked(other, hash);
    const there = await exported(other);
    assert.ok(here.recommendations.length > 10);
    const asked = new URLSearchParams(hash.slice(1));
    const { pattern, write, mute } = here.question;
    assert.deepEqual([write, mute], [asked.has('write') ? 3 : null, asked.has('mute') ? [asked.get('mute')] : []], hash);
    if (asked.has('user')) assert.equal(pattern, asked.get('pattern'), hash);
    if (asked.get('history')?.includes('@')) assert.deepEqual(here.question.history, (asked.get('history') ?? '').split(',').slice(0, -1), 'the newest was taken out');
    // To the last bit: JSON writes as many digits as it takes.
    for (const part of ['run', 'question', 'pattern', 'held_out', 'recommendations']) {
      const plain = (/** @type {any} */ list) => (part === 'recommendations' ? list[part].map(({ before: _, ...row }) => row) : list[part]);
      assert.deepEqual(plain(there), plain(here), `${part} of ${link}`);
    }
    await other.context().close();
  }
});

test('a list is taken along as a command, JSON, CSV and a picture', async () => {
  const { page } = await open();
  await whatIf(page);
  await afterChange(page, () => page.locator('[data-do="remove"]').first().click());
  await page.getByText('Take it along').click();
  const shown = await listed(page);
  const download = async (/** @type {string} */ name) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()]);
    return readFile(await file.path());
  };
  const json = JSON.parse(String(await download('JSON')));
  assert.deepEqual(json.recommendations.map((/** @type {any} */ row) => row.key), shown.map(({ item }) => catalogue[item].key));
  const csv = String(await download('CSV')).split('\r\n');
  assert.equal(csv.length, shown.length + 2);
  assert.ok(csv[0]?.startsWith('\ufeffrank,key,title'));
  assert.deepEqual([...(await download('PNG')).subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  await page.getByRole('button', { name: 'Copy the curec command' }).click();
  await page.getByText('is copied. It wants this page’s artefact folder, as “curec export” wrote it, after --artefact.').waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(command, /^curec explain --artefact \S+ --user=\S+ --history=\S+ --count=10$/);
  if (mock || !process.env.CUREC_BIN) return;
  const [, ...parts] = command.replace('--artefact dist/artefact', `--artefact ${artefactFolder}`).split(' ');
  const { stdout } = await promisify(execFile)(process.env.CUREC_BIN, [...parts, '--json'], { maxBuffer: 1 << 26 });
  assert.deepEqual(JSON.parse(stdout).recommendations.map((/** @type {any} */ row) => row.key), shown.map(({ item }) => catalogue[item].key));
});

/** What is written into pictures from now on, and where. @param {import('playwright-core').Page} page */
async function drawn(page) {
  await page.evaluate(() => {
    const all = (/** @type {any} */ (window).__drawn = /** @type {{text: string, right: number, y: number}[]} */ ([]));
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      all.push({ text, right: x + this.measureText(text).width, y });
      fillText.call(this, text, x, y);
    };
  });
  return () => page.evaluate(() => /** @type {{text: string, right: number, y: number}[]} */ (/** @type {any} */ (window).__drawn));
}

for (const [titles, retitled] of /** @type {[string, (title: string) => string][]} */ ([
  ['titles as they are', (title) => title],
  ['titles of many words', (title) => `${title}, or How the Long Way Round Was Found at Last by Those Who Had Stopped Looking for It`],
  ['titles that no line can hold', (title) => `${title}${'x'.repeat(300)}`],
])) {
  test(`a picture holds the whole line of changes (${titles})`, async () => {
    const { url: address } = await host(titles === 'titles as they are' ? {} : changedArtefact(() => {}, await retitledBy(retitled)));
    const taken = users[0].history;
    const kept = taken.map((/** @type {{item: number}} */ { item }, /** @type {number} */ at) => `${spelled(item)}@${at}`).slice(5).reverse();
    const fresh = catalogue.flatMap((/** @type {unknown} */ _, /** @type {number} */ item) => (taken.some((/** @type {{item: number}} */ event) => event.item === item) ? [] : [spelled(item)])).slice(0, 5);
    const { page, manners } = await open(`#user=${encodeURIComponent(users[0].key)}&history=${[...kept, ...fresh].join(',')}&pattern=none`, {}, address);
    const changes = `If things were otherwise: ${await page.locator('.what-if-changes').textContent()}`;
    assert.ok(changes.length > 110, changes);
    const seen = await drawn(page);
    await page.getByText('Take it along').click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'PNG', exact: true }).click()]);
    const { width, height } = PNG.sync.read(await readFile(await file.path()));
    const [name, ...rest] = await seen();
    const lines = rest.slice(0, rest.findIndex(({ text }) => text === '1'));
    assert.equal(lines.map(({ text }) => text).join('').replaceAll(' ', ''), changes.replaceAll(' ', ''), 'nothing of it is missing');
    for (const { text, right } of lines) assert.ok(right <= width - 40, `${text} ends at ${right} of ${width}`);
    // Line below line, and the first row below the last.
    for (const [at, { y }] of rest.slice(0, lines.length + 1).entries()) assert.ok(y - (at === 0 ? (name?.y ?? 0) : (rest[at - 1]?.y ?? 0)) >= 26, `${rest[at]?.text} stands free`);
    assert.ok(rest.every(({ y }) => y < height - 10));
    assert.ok(rest.at(-1)?.text.includes(` · run ${run.config_hash.slice(0, 12)} · data ${run.hash.slice(0, 12)} · `), `${rest.at(-1)?.text}`);
    assert.deepEqual(manners.pageErrors, []);
  });
}

/** What is taken along of the list that stands there. @param {import('playwright-core').Page} page @param {string} name of the button */
async function taken(page, name) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()]);
  return readFile(await file.path());
}

test('of one’s own taste every file says what was picked, where the pattern is from, and what was written for it', async () => {
  const { page, manners } = await openOwn(ownTaste);
  await page.getByText('Take it along').click();
  const followed = JSON.parse(String(await taken(page, 'JSON')));
  const picked = await page.locator('.history-title').allTextContents();
  assert.deepEqual(followed.picks.map((/** @type {any} */ one) => one.title), [...picked].reverse());
  for (const { key, title } of followed.picks) assert.equal(catalogue.find((/** @type {any} */ item) => item.key === key)?.title, title);
  const nearest = users.find((/** @type {any} */ one) => one.key === followed.pattern.viewer);
  assert.deepEqual(followed.pattern, { from: 'stored', viewer: nearest.key, text: nearest.pattern });
  assert.deepEqual([followed.reasons_written_here, followed.reports], [[], []]);
  const lead = async () => {
    const seen = await drawn(page);
    await taken(page, 'PNG');
    const all = await seen();
    return { head: all.slice(1, all.findIndex(({ text }) => text === '1')).map(({ text }) => text).join(' '), all };
  };
  const names = [...picked].reverse().join(', ');
  assert.match((await lead()).head, new RegExp(`^Picked: .*; with the pattern of Viewer \\d+\\.$`));
  assert.ok((await lead()).head.startsWith(`Picked: ${names};`));

  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
  await reasonsWritten(page);
  const texts = await page.locator('.own-reason .voice').allTextContents();
  const json = JSON.parse(String(await taken(page, 'JSON')));
  assert.deepEqual([json.pattern.from, json.pattern.seed, json.pattern.text.trim()], ['written here', 1, await page.locator('.pattern[data-written] .voice').innerText()]);
  assert.deepEqual(json.reasons_written_here.map((/** @type {any} */ one) => [one.key, one.text.trim()]), texts.map((text, at) => [json.recommendations[at].key, text]));
  const [header, ...lines] = String(await taken(page, 'CSV')).split('\r\n');
  assert.ok(header?.endsWith(',leading reason,reason written here'));
  lines.slice(0, 5).forEach((line, at) => assert.ok(line.includes(`${texts[at]?.replaceAll('"', '""')}`), line));
  assert.ok(lines[5]?.endsWith(','), 'the sixth title has none');
  const { head, all } = await lead();
  assert.equal(head, `Picked: ${names}; with a pattern written here.`);
  assert.equal(all.filter(({ text }) => text.startsWith('Written here: ')).length, 5);
  assert.deepEqual(manners.pageErrors, []);
});

test('signs that turn the direction of a text do not reach a picture', async () => {
  const turned = (/** @type {string} */ title) => `\u202e\u2067${title}\u2069`;
  const { url: address } = await host(changedArtefact(() => {}, await retitledBy(turned)));
  const { page } = await open(`#user=${encodeURIComponent(users[0].key)}&pattern=none&history=${spelled(0)}`, {}, address);
  const seen = await drawn(page);
  await page.getByText('Take it along').click();
  await taken(page, 'PNG');
  const all = await seen();
  assert.ok(all.some(({ text }) => text.includes(catalogue[0].title)), 'the title is there');
  for (const { text } of all) assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069]/);
});

/** The files of an artefact in which titles are others. @param {(title: string) => string} retitled */
async function retitledBy(retitled) {
  const preview = await artefactJson('preview.json');
  const again = (/** @type {any} */ item) => ({ ...item, title: retitled(item.title) });
  return {
    'catalogue.json': catalogue.map(again),
    'preview.json': { ...preview, history: preview.history.map(again), recommendations: preview.recommendations.map((/** @type {any} */ row) => ({ ...row, item: again(row.item), carried_by: row.carried_by.map(retitled) })) },
  };
}

test('a reason reported as bad stays on this device and can be taken along or forgotten', async () => {
  // Requests are counted, and the service worker makes its own.
  const { page, manners } = await open(undefined, { serviceWorkers: 'block' });
  const at = (await listed(page)).findIndex(({ item }) => reasons[item].length > 0);
  const row = rows(page).nth(at);
  await row.getByRole('button', { name: /What carried it/ }).click();
  const requests = manners.requests.length;
  await row.getByRole('button', { name: /^Report as bad/ }).first().click();
  await page.getByText('Take it along').click();
  await page.getByText('1 reason reported as bad, kept on this device only.').waitFor();
  const noted = await row.getByRole('button', { name: /^Noted on this device/ }).innerText();
  const { reports } = JSON.parse(String(await taken(page, 'JSON')));
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download them' }).click()]);
  const [report] = JSON.parse(String(await readFile(await file.path())));
  const item = (await listed(page))[at]?.item ?? -1;
  assert.equal(noted, 'Noted on this device, and part of this list’s JSON');
  assert.deepEqual(reports, [report], 'and so it is');
  assert.equal(report.item, catalogue[item].key);
  assert.equal(report.text, reasons[item][report.reason].text);
  assert.deepEqual([report.run, report.data, report.written], [run.config_hash, run.hash, null]);
  await page.getByRole('button', { name: 'Forget them' }).click();
  assert.equal(await page.getByText('reported as bad, kept').count(), 0);
  assert.equal(manners.requests.filter((address) => address.startsWith('http')).length, manners.requests.slice(0, requests).filter((address) => address.startsWith('http')).length);
});

test('a reason that was written here may be reported too, with what it was written of', async () => {
  const { page, manners } = await open(`#history=${spelled(users[1].history[0].item)}`, { serviceWorkers: 'block' });
  await page.getByRole('button', { name: /^Let the language model write/ }).click();
  await page.locator('.own-reasons', { hasText: /^\d+ reasons? written for you\./ }).waitFor({ timeout: 4 * PATIENCE });
  const pattern = await page.locator('.pattern[data-written] .voice').innerText();
  const row = rows(page).filter({ has: page.locator('.own-reason blockquote') }).first();
  const text = await row.locator('.own-reason blockquote').innerText();
  const way = row.locator('.own-reason').getByRole('button', { name: /^Report as bad/ });
  assert.ok((await way.textContent())?.endsWith(`: ${text}`), 'it says which');
  await way.click();
  assert.equal(await row.locator('.own-reason').getByRole('button', { name: /^Noted on this device/ }).count(), 1);
  const [report] = await page.evaluate(() => JSON.parse(localStorage.getItem('curec-reports') ?? '[]'));
  assert.equal(report.item, catalogue[Number(await row.getAttribute('data-item'))].key);
  assert.deepEqual([report.text, report.reason, report.list], [text, null, 'Your own taste']);
  assert.deepEqual([report.written.pattern.trim(), report.written.seed], [pattern, 1]);
  assert.deepEqual(manners.pageErrors, []);
});

/** Opens the drawer of the first title that has reasons, unless it is open. @param {import('playwright-core').Page} page */
async function reportable(page) {
  const row = rows(page).nth((await listed(page)).findIndex(({ item }) => reasons[item].length > 0));
  const toggle = row.getByRole('button', { name: /What carried it/ });
  if ((await toggle.getAttribute('aria-expanded')) === 'false') await toggle.click();
  return { noted: row.getByRole('button', { name: /^Noted on this device/ }), report: () => row.getByRole('button', { name: /^Report as bad/ }).first().click() };
}

test('another reason in the place of one that was reported is not said to be reported', async () => {
  const { page } = await open(undefined, { serviceWorkers: 'block' });
  await (await reportable(page)).report();
  for (const [change, noted] of /** @type {const} */ ([['', 1], [' in other words', 0]])) {
    await page.evaluate((more) => {
      const [one] = JSON.parse(localStorage.getItem('curec-reports') ?? '[]');
      localStorage.setItem('curec-reports', JSON.stringify([{ ...one, text: one.text + more }]));
    }, change);
    await page.reload();
    await listShown(page);
    assert.equal(await (await reportable(page)).noted.count(), noted, `the reason${change}`);
  }
});

test('whoever forgets what is stored forgets their reports with it, and no address can do that', async () => {
  const { page, manners } = await open();
  const stored = () => page.evaluate(() => Object.keys(localStorage));
  const forget = page.getByRole('button', { name: 'Forget what is stored on this device' });
  await forget.waitFor();
  assert.match(await page.locator('#kept').innerText(), /Reasons reported as bad are forgotten with it/);
  const { report, noted } = await reportable(page);
  await report();
  assert.equal(await noted.count(), 1);
  assert.deepEqual(await stored(), ['curec-reports']);
  await forget.click();
  await page.locator('#kept', { hasText: 'Nothing of this page is stored on this device any more' }).waitFor();
  assert.deepEqual(await stored(), []);
  assert.equal(await noted.count(), 0, 'nor does the reason say so');
  await page.getByText('Take it along').click();
  assert.equal(await page.getByText('reported as bad, kept').count(), 0);
  await report();
  assert.deepEqual(await stored(), ['curec-reports'], 'it may be reported again');
  await page.goto(`${url}?backend=cpu&fresh`);
  await listShown(page);
  assert.deepEqual(await stored(), ['curec-reports'], 'anybody can make such a link');
  assert.deepEqual(manners.pageErrors, []);
});

/** A second tab of the same browser. @param {import('playwright-core').BrowserContext} context @param {string} address */
async function tab(context, address) {
  const page = await context.newPage();
  await page.goto(address);
  await listShown(page);
  return page;
}

test('what is reported or forgotten in one tab is known in the other', async () => {
  const { page, context, manners } = await open(undefined, { serviceWorkers: 'block' });
  const other = await tab(context, page.url());
  const pages = [page, other];
  const ways = await Promise.all(pages.map(reportable));
  for (const one of pages) await one.getByText('Take it along').click();
  /** What each tab says of reports: above the buttons, in its JSON, and in their own file. @param {import('playwright-core').Page} one */
  const known = async (one) => {
    const { reports } = JSON.parse(String(await taken(one, 'JSON')));
    return { reports, all: JSON.parse(String(await taken(one, 'Download them'))) };
  };
  for (const [at, count] of [1, 2].entries()) {
    await ways[at]?.report();
    for (const one of pages) {
      await one.getByText(`${count} reason${count > 1 ? 's' : ''} reported as bad, kept on this device only.`).waitFor();
      const { reports, all } = await known(one);
      assert.deepEqual([reports.length, all], [count, reports]);
    }
    for (const { noted } of ways) assert.equal(await noted.count(), count, 'and by the reason itself');
  }
  await page.getByRole('button', { name: 'Download them' }).focus();
  await other.getByRole('button', { name: 'Forget them' }).click();
  for (const one of pages) {
    await one.getByText('reported as bad, kept').waitFor({ state: 'detached' });
    assert.equal(await one.getByRole('button', { name: 'Download them' }).count(), 0);
    assert.equal(await one.evaluate(() => document.activeElement?.textContent), 'Take it along', 'whoever was there is not lost');
    assert.deepEqual(JSON.parse(String(await taken(one, 'JSON'))).reports, []);
  }
  for (const { noted } of ways) assert.equal(await noted.count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});

test('what is forgotten or stored again in one tab is told in the other', async () => {
  const { page, context, manners } = await open();
  const kept = (/** @type {import('playwright-core').Page} */ one) => one.locator('#kept', { hasText: 'Kept on this device for visits without a connection' }).waitFor();
  await kept(page);
  const other = await tab(context, page.url());
  await kept(other);
  const { report, noted } = await reportable(other);
  await report();
  await other.locator('.chip').first().focus();
  await page.getByRole('button', { name: 'Forget what is stored on this device' }).click();
  for (const one of [page, other]) await one.locator('#kept', { hasText: 'Nothing of this page is stored on this device any more' }).waitFor();
  assert.equal(await noted.count(), 0);
  assert.equal(await other.evaluate(() => document.activeElement?.classList.contains('chip')), true, 'nobody is led away from where they are');
  await page.reload();
  await listShown(page);
  for (const one of [page, other]) await kept(one);
  // A second time, from the other one.
  await other.getByRole('button', { name: 'Forget what is stored on this device' }).click();
  for (const one of [page, other]) await one.locator('#kept', { hasText: 'Nothing of this page is stored on this device any more' }).waitFor();
  assert.deepEqual(await other.evaluate(() => caches.keys()), []);
  assert.deepEqual(manners.pageErrors, []);
});
