/** The command that the page copies, run by a shell as it stands, prints the list that stands there: a muted reason and another pattern too. Environment: CUREC_BIN. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { artefactFolder, artefactJson, freshPage, host, launch, listShown, mock, rows } from './helper/harness.mjs';

const skip = mock ? 'the mock’s scores are no model’s' : !process.env.CUREC_BIN && 'CUREC_BIN is not set';

const browser = await launch();
const { url } = await host();
const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const reasons = await artefactJson('reasons.json');

/** A score is shown with three digits. */
const SHOWN = 0.00051;

/** @param {string} hash */
async function open(hash) {
  const { page, manners } = await freshPage(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(`${url}?backend=cpu${hash}`);
  await listShown(page);
  return { page, manners };
}

/** @param {import('playwright-core').Page} page @returns {Promise<{key: string, score: number}[]>} */
const listed = async (page) =>
  (await rows(page).evaluateAll((all) => all.map((row) => ({ item: Number(row.getAttribute('data-item')), score: Number(/score ([\d.]+)/.exec(row.querySelector('.facts')?.textContent ?? '')?.[1]) })))).map(({ item, score }) => ({ key: catalogue[item].key, score }));

/** @param {import('playwright-core').Page} page */
async function copied(page) {
  await page.getByText('Take it along').click();
  await page.getByRole('button', { name: 'Copy the curec command' }).click();
  await page.getByText('is copied.').waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** What a copied command prints, with the program and the artefact that are tested. @param {string} command @param {string} [without] a flag that is left out */
function printed(command, without) {
  const line = command.split(' ').filter((part) => !without || !part.startsWith(without)).join(' ');
  const [name, place] = ['curec', 'dist/artefact'];
  assert.ok(line.startsWith(`${name} explain --artefact ${place} `), line);
  const shell = line.replace(name, '"$CUREC_BIN"').replace(place, '"$ARTEFACT"');
  return JSON.parse(execFileSync('/bin/sh', ['-c', `${shell} --json`], { encoding: 'utf8', env: { ...process.env, ARTEFACT: artefactFolder }, maxBuffer: 1 << 26 }));
}

/** @param {import('playwright-core').Page} page @param {any} native */
async function isTheList(page, native) {
  const list = await listed(page);
  assert.equal(list.length, 10);
  assert.deepEqual(native.recommendations.map((/** @type {{key: string}} */ { key }) => key), list.map(({ key }) => key));
  for (const [at, { key, score }] of list.entries()) {
    const there = native.recommendations[at].score;
    assert.ok(Math.abs(there - score) < SHOWN, `${key}: ${score} here, ${there} natively`);
  }
}

/** Its score, or none where the list does not hold it. @param {any} native @param {string} key */
const scoreOf = (native, key) => native.recommendations.find((/** @type {{key: string}} */ row) => row.key === key)?.score;
/** All scores. @param {any} native */
const scores = (native) => native.recommendations.map((/** @type {{key: string, score: number}} */ { key, score }) => [key, score]);

test('a drawer shows those titles of the history that count most by the program’s own numbers, and both sides', { skip }, async () => {
  const { page } = await open(`#${new URLSearchParams({ user: users[0].key })}`);
  const native = printed(await copied(page));
  const row = rows(page).first();
  await row.getByRole('button', { name: /What carried it/ }).click();
  await row.locator('.evidence-history').first().waitFor();
  const shown = (await row.locator('.evidence-history .weight-number').allTextContents()).map((text) => Number(text.replace('−', '-')));
  const all = native.recommendations[0].history.map((/** @type {{adds: number}} */ { adds }) => adds);
  assert.ok(all.length > shown.length, 'some are hidden');
  for (const sign of [1, -1]) {
    const [some, every] = [shown, all].map((side) => side.filter((/** @type {number} */ adds) => adds * sign > 0).map(Math.abs).sort((/** @type {number} */ a, /** @type {number} */ b) => b - a));
    for (const [at, size] of some.entries()) assert.ok(Math.abs(size - every[at]) < 0.006, `of one side the first are shown: ${some} of ${every}`);
    assert.ok(some.length > 0 || every.length === 0, 'neither side is left out');
  }
  // What stands for a side may be small: the two that speak for it most, and the one that speaks against it most.
  const beyond = [...shown.filter((adds) => adds > 0).slice(2), ...shown.filter((adds) => adds < 0).slice(1)].map(Math.abs);
  const hidden = all.map(Math.abs).sort((/** @type {number} */ a, /** @type {number} */ b) => b - a)[shown.length];
  assert.ok(Math.min(...beyond) >= hidden - 0.006, `${hidden} is hidden, ${Math.min(...beyond)} is shown`);
});

test('with a muted reason and a borrowed pattern', { skip }, async () => {
  const borrowed = users.findLast((/** @type {{pattern: string|null}} */ { pattern }) => pattern !== null);
  const { page, manners } = await open(`#${new URLSearchParams({ user: users[0].key, pattern: borrowed.key })}`);
  const at = (await listed(page)).findIndex(({ key }) => reasons[catalogue.findIndex((/** @type {{key: string}} */ one) => one.key === key)].length > 1);
  const row = rows(page).nth(at);
  const item = Number(await row.getAttribute('data-item'));
  await row.getByRole('button', { name: /What carried it/ }).click();
  const muted = await row.locator('[data-layer="words"] blockquote').first().textContent();
  await row.getByRole('button', { name: /^Mute/ }).first().click();
  await page.waitForFunction(() => location.hash.includes('mute='));
  await listShown(page);
  await page.waitForFunction(() => document.querySelector('.moves-note:not([hidden])') !== null);
  const command = await copied(page);
  assert.match(command, /^curec explain --artefact \S+ --user=\S+ --pattern-of=\S+ --mute=\S+@\d+ --count=10$/);
  const native = printed(command);
  await isTheList(page, native);
  assert.equal(native.pattern_of, borrowed.key);
  assert.equal(native.pattern, borrowed.pattern);
  const told = native.recommendations.find((/** @type {{key: string}} */ { key }) => key === catalogue[item].key);
  assert.ok(!told || told.reasons.every((/** @type {{text: string}} */ { text }) => text.trim() !== muted), 'the muted reason is not told');
  // Both flags count.
  assert.notEqual(scoreOf(printed(command, '--mute'), catalogue[item].key), scoreOf(native, catalogue[item].key));
  assert.notDeepEqual(scores(printed(command, '--pattern-of')), scores(native));
  assert.deepEqual(manners.pageErrors, []);
});

test('with no pattern, several muted reasons, and a history of stored and added titles in another order', { skip }, async () => {
  const spelled = (/** @type {number} */ item) => catalogue[item].key.replaceAll('%', '%25').replaceAll(',', '%2C').replaceAll('@', '%40');
  const taken = users[0].history;
  const fresh = catalogue.findIndex((/** @type {unknown} */ _, /** @type {number} */ item) => taken.every((/** @type {{item: number}} */ event) => event.item !== item));
  const history = [...taken.map((/** @type {{item: number}} */ { item }, /** @type {number} */ at) => `${spelled(item)}@${at}`).slice(-8).reverse(), spelled(fresh)];
  const loud = `#${new URLSearchParams({ user: users[0].key, history: history.join(','), pattern: 'none' })}`;
  const { page: before } = await open(loud);
  // All reasons of the two first titles that have some.
  const titles = (await listed(before)).map(({ key }) => catalogue.findIndex((/** @type {{key: string}} */ one) => one.key === key)).filter((item) => reasons[item].length > 0).slice(0, 2);
  const mute = titles.flatMap((item) => reasons[item].map((/** @type {unknown} */ _, /** @type {number} */ place) => `${spelled(item)}@${place}`));
  const { page, manners } = await open(`${loud}&${new URLSearchParams({ mute: mute.join(',') })}`);
  const command = await copied(page);
  assert.match(command, /^curec explain --artefact \S+ --user=\S+ --history=\S+ --pattern-of=none --mute=\S+ --count=10$/);
  assert.ok(command.includes(`--mute=${mute.join(',')}`) || command.includes(`'--mute=${mute.join(',')}'`), command);
  const native = printed(command);
  await isTheList(page, native);
  assert.equal(native.pattern, null);
  for (const flag of ['--history', '--pattern-of', '--mute']) assert.notDeepEqual(scores(printed(command, flag)), scores(native), `${flag} counts`);
  assert.deepEqual(manners.pageErrors, []);
});
