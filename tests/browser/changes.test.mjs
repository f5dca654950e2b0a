/** What the correction changed in the words: what is struck out and what is underlined give the text before and the one now. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, launch, listShown, PATIENCE, rows } from './helper/harness.mjs';

// What changes.js draws with asks for the window's width as it is read.
Object.assign(globalThis, { matchMedia: () => ({}) });
const { wordsOf } = await import('../../www/js/changes.js');

const browser = await launch();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const reasons = await artefactJson('reasons.json');
const comparison = await artefactJson('comparison.json');

/** @typedef {{kind: 'same'|'del'|'ins', text: string}[]} Parts */

/** @param {string} text */
const words = (text) => text.split(/\s+/).filter(Boolean);

/** The words of some kinds, in order. @param {Parts} parts @param {...string} kinds */
const said = (parts, ...kinds) => parts.filter(({ kind }) => kinds.includes(kind)).flatMap(({ text }) => words(text));

/** @type {[string, string, string, [string, string][]][]} */
const BY_HAND = [
  ['words between are exchanged', 'Likes slow noir in Lisbon', 'Likes tense noir in Oslo', [['same', 'Likes'], ['del', 'slow'], ['ins', 'tense'], ['same', 'noir in'], ['del', 'Lisbon'], ['ins', 'Oslo']]],
  ['only the room between words differs', ' a  quiet\nheist ', 'a quiet heist', [['same', 'a quiet heist']]],
  ['there was nothing', '', 'new words', [['ins', 'new words']]],
  ['nothing is left', 'old words', ' ', [['del', 'old words']]],
  ['there is nothing at all', '', '', []],
  ['a word has another place', 'b a', 'a b', [['del', 'b'], ['same', 'a'], ['ins', 'b']]],
  ['words that come twice', 'to be or not to be', 'to be', [['same', 'to be'], ['del', 'or not to be']]],
  ['neighbours are one part', 'a b c d', 'a x y d', [['same', 'a'], ['del', 'b c'], ['ins', 'x y'], ['same', 'd']]],
  ['too long to be read through each other', 'a '.repeat(201), 'a b', [['del', 'a '.repeat(201)], ['ins', 'a b']]],
];

for (const [what, before, now, expected] of BY_HAND) {
  test(`word by word: ${what}`, () => assert.deepEqual(wordsOf(before, now).map(({ kind, text }) => [kind, text]), expected));
}

/** All that is left of some words when any of them are taken out. @param {string[]} some */
const subsequences = (some) => new Set(Array.from({ length: 1 << some.length }, (_, chosen) => some.filter((_word, at) => chosen & (1 << at)).join(' ')));

test('word by word: as many words as can be stay, and both texts are there', () => {
  let state = 11;
  const below = (/** @type {number} */ most) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % most;
  for (let round = 0; round < 500; round += 1) {
    const [before, now] = [below(7), below(7)].map((length) => Array.from({ length }, () => 'abc'[below(977) % 3] ?? '').join(' '));
    const parts = wordsOf(before ?? '', now ?? '');
    assert.deepEqual([said(parts, 'same', 'del').join(' '), said(parts, 'same', 'ins').join(' ')], [before, now]);
    const old = subsequences(words(before ?? ''));
    const most = Math.max(...[...subsequences(words(now ?? ''))].filter((some) => old.has(some)).map((some) => words(some).length));
    assert.equal(said(parts, 'same').length, most, `${before} | ${now}`);
    assert.ok(parts.every(({ kind }, at) => at === 0 || kind !== parts[at - 1]?.kind), JSON.stringify(parts));
  }
});

const USER = users.findIndex((/** @type {{pattern: string|null}} */ { pattern }) => words(pattern ?? '').length > 2);

/** @param {string} url */
async function opened(url) {
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu#${new URLSearchParams({ user: users[USER].key })}`);
  await listShown(page);
  return { page, manners };
}

/** A word for the first one. @param {string} text */
const begunOtherwise = (text) => ['Formerly', ...words(text).slice(1)].join(' ');
const NOTHING_IN_COMMON = 'Zxq vuq tsq rpq onq';

test('a text’s words before and after the correction are those of the artefact', async () => {
  const { page: plain } = await opened((await host()).url);
  const list = await rows(plain).evaluateAll((all) => all.map((row) => Number(row.getAttribute('data-item'))));
  /** What a text said before, by its place in the list: begun otherwise, another sentence, or nothing has changed. @param {number} item @param {string} text */
  const before = (item, text) => (text.length % 5 === 0 ? null : list.indexOf(item) % 2 === 0 ? begunOtherwise(text) : NOTHING_IN_COMMON);
  const { pattern } = users[USER];
  const { url } = await host(
    changedArtefact(() => {}, {
      'comparison.json': {
        ...comparison,
        before: {
          reasons: reasons.map((/** @type {{text: string}[]} */ all, /** @type {number} */ item) => all.map(({ text }) => before(item, text))),
          patterns: users.map((/** @type {unknown} */ _, /** @type {number} */ user) => (user === USER ? begunOtherwise(pattern) : null)),
        },
      },
    }),
  );
  const { page, manners } = await opened(url);
  // The reasons of each row, those first that the model looked at most.
  for (const toggle of await page.getByRole('button', { name: /What carried it/ }).all()) await toggle.click();
  const told = await rows(page).evaluateAll((all) => all.map((row) => [...row.querySelectorAll('[data-layer="words"] blockquote')].map((one) => one.textContent ?? '')));
  const stored = (/** @type {number} */ item, /** @type {string} */ shown) => reasons[item].find((/** @type {{text: string}} */ { text }) => text.trim() === shown)?.text;
  const expected = list.flatMap((item, at) => {
    const changed = (told[at] ?? []).map((shown) => stored(item, shown)).find((text) => text !== undefined && before(item, text) !== null);
    return changed === undefined ? [] : [{ title: catalogue[item].title, before: words(before(item, changed) ?? ''), now: words(changed), whole: list.indexOf(item) % 2 === 1 }];
  });
  assert.ok(expected.some(({ whole }) => whole) && expected.some(({ whole }) => !whole), 'texts of both kinds');

  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-texts').waitFor({ timeout: PATIENCE });
  /** @param {import('playwright-core').Locator} place */
  const shown = (place) =>
    place.evaluate((element) => {
      const copy = /** @type {Element} */ (element.cloneNode(true));
      copy.querySelectorAll('h4, .compare-share, .visually-hidden').forEach((part) => part.remove());
      const texts = (/** @type {string} */ selector) => [...copy.querySelectorAll(selector)].flatMap((part) => (part.textContent ?? '').split(/\s+/).filter(Boolean));
      const without = (/** @type {string} */ gone) => {
        const rest = /** @type {Element} */ (copy.cloneNode(true));
        rest.querySelectorAll(gone).forEach((part) => part.remove());
        return (rest.textContent ?? '').split(/\s+/).filter(Boolean);
      };
      return { before: without('ins'), now: without('del'), del: texts('del'), ins: texts('ins'), lines: copy.querySelectorAll('.changes').length };
    });
  const items = await page.locator('.compare-texts li').all();
  assert.deepEqual(await page.locator('.compare-texts li h4').allTextContents(), expected.map(({ title }) => title));
  for (const [at, { before: old, now, whole }] of expected.entries()) {
    const found = await shown(/** @type {import('playwright-core').Locator} */ (items[at]));
    assert.deepEqual(found.before, old);
    assert.deepEqual(found.now, now);
    if (whole) assert.deepEqual({ del: found.del, ins: found.ins, lines: found.lines }, { del: old, ins: now, lines: 2 }, 'one after the other');
    else assert.deepEqual({ del: found.del, ins: found.ins }, { del: ['Formerly'], ins: now.slice(0, 1) });
  }
  // How much the model looks at each of them, as the list's own file has it.
  await page.getByText('Take it along').click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON', exact: true }).click()]);
  const { recommendations } = JSON.parse(String(await readFile(await file.path())));
  const shares = expected.map(({ title, now }) => {
    const all = recommendations.find((/** @type {any} */ row) => row.title === title).reasons;
    const { weight } = all.find((/** @type {any} */ reason) => words(reason.text).join() === now.join());
    const share = weight < 0.01 ? '<1 %' : `${Math.round(100 * weight)} %`;
    return all.length === 1 ? `${share} of the attention to the one reason of this title; of those that were changed it gets most.` : `${share} of the attention to the ${all.length} reasons of this title; of those that were changed it gets most.`;
  });
  assert.deepEqual(await page.locator('.compare-share').allTextContents(), shares);
  const ofPattern = await shown(page.locator('.compare-texts > .changes'));
  assert.deepEqual(ofPattern, { before: words(begunOtherwise(pattern)), now: words(pattern), del: ['Formerly'], ins: words(pattern).slice(0, 1), lines: 0 });
  // Who only listens hears which is which.
  assert.deepEqual(await page.locator('.compare-texts > .changes .visually-hidden').allTextContents(), ['removed: ', 'added: ']);
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('where the correction changed none of these words, or there was none, the comparison says so or nothing', async () => {
  const unchanged = { reasons: reasons.map((/** @type {unknown[]} */ all) => all.map(() => null)), patterns: users.map(() => null) };
  for (const [before, told] of /** @type {const} */ ([[unchanged, 1], [null, 0]])) {
    const { url } = await host(changedArtefact(() => {}, { 'comparison.json': { ...comparison, before } }));
    const { page, manners } = await opened(url);
    await page.getByRole('button', { name: 'Compare the models' }).click();
    await page.locator('.compare-column').first().waitFor({ timeout: PATIENCE });
    assert.equal(await page.locator('.compare-texts').count(), told);
    assert.equal(await page.getByText('The correction left the words behind these titles as they were').count(), told);
    assert.equal(await page.locator('.compare-texts :is(ins, del)').count(), 0);
    assert.deepEqual(manners.pageErrors, []);
  }
});
