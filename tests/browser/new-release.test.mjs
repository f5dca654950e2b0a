/** A release that takes the place of the one a visitor is just reading, before anything of it was kept: the way out is the newer page. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { dist, freshPage, host, launch, listShown, scorer } from './helper/harness.mjs';
import { otherArtefact, otherCode } from './helper/release.mjs';

const browser = await launch();
const folder = await mkdtemp(join(tmpdir(), 'curec-release-'));
after(() => rm(folder, { recursive: true, force: true }));
const newer = join(folder, 'newer');

await otherCode(dist, newer, { 'js/ranking-list.js': (text) => `${text}\ndocument.documentElement.dataset.version = 'newer';\n` });

const retitled = join(folder, 'retitled');
await otherArtefact(dist, retitled, (title) => `${title} (newer)`);

/** @typedef {import('playwright-core').Page} Page */

const version = (/** @type {Page} */ page) => page.evaluate(() => document.documentElement.dataset.version ?? 'older');

/**
 * Opens the older page on a server that has the newer one from the moment a file is asked for.
 * @param {string} file @param {boolean} here whether that file is still answered
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
async function overtaken(file, here, options) {
  const server = await host({
    [file]: (body) => {
      server.deploy(newer);
      return here ? { body } : { status: 404 };
    },
  });
  const { page, manners } = await freshPage(browser, options);
  await page.goto(`${server.url}?backend=cpu`);
  return { page, server, manners };
}

/** @param {Page} page */
async function reloadsInto(page) {
  const panel = page.locator('.notice-fault');
  await panel.waitFor();
  assert.match(await panel.innerText(), /A newer version of this page is there/);
  assert.doesNotMatch(await panel.innerText(), /extension|not here/);
  await panel.getByRole('button', { name: 'Reload the page' }).click();
  await page.waitForFunction(() => document.documentElement.dataset.version === 'newer');
  await listShown(page);
}

for (const file of ['/worker.js', '/js/worker-writer.js', '/curec-web.js', '/curec-web_bg.wasm']) {
  test(`while it loads, at ${file}: the page says so and reloads into the newer one`, async () => {
    const { page, server } = await overtaken(file, false);
    const panel = page.locator('.notice-fault');
    await panel.waitFor();
    delete server.rules[file];
    await reloadsInto(page);
  });
}

test('after it has loaded: nothing of another build is kept under its name, and the newer one is offered', async () => {
  const { page, manners } = await overtaken('/artefact/users.json', true);
  await listShown(page);
  assert.equal(await version(page), 'older');
  await page.locator('#kept', { hasText: 'Not kept for visits without a connection: a newer version of this page is on the server.' }).waitFor();
  await page.locator('#update').getByRole('button', { name: 'Reload' }).click();
  await page.waitForFunction(() => document.documentElement.dataset.version === 'newer');
  await listShown(page);
  await page.locator('#kept', { hasText: /Kept on this device/ }).waitFor();
  assert.deepEqual(manners.pageErrors, []);
});

test('after it has loaded: a scorer that has to start anew says so, and a text that is asked for', async () => {
  const { page } = await overtaken('/artefact/users.json', true, { serviceWorkers: 'block' });
  await listShown(page);
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.locator('.pattern-live').getByRole('button', { name: 'Reload the page' }).waitFor();
  assert.match(await page.locator('.pattern-live').innerText(), /A newer version of this page is there/);
  await scorer(page)?.evaluate(() => self.close()).catch(() => {});
  await reloadsInto(page);
});

test('after a newer artefact of the same code has taken its place: the writer and the other models’ lists are told of as gone, not as altered', async () => {
  const server = await host();
  const { page } = await freshPage(browser, { serviceWorkers: 'block' });
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  server.deploy(retitled);
  for (const file of ['writer.json', 'comparison.json']) server.rules[`/artefact/${file}`] = (body) => ({ body: Buffer.concat([body, Buffer.from(' ')]) });
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-body').getByRole('button', { name: 'Reload the page' }).waitFor();
  assert.match(await page.locator('.compare-body').innerText(), /A newer version of this page is there/);
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const reload = page.locator('.pattern-live').getByRole('button', { name: 'Reload the page' });
  await reload.waitFor();
  assert.match(await page.locator('.pattern-live').innerText(), /A newer version of this page is there/);
  for (const name of Object.keys(server.rules)) delete server.rules[name];
  await reload.click();
  await page.locator('.recommendation h3', { hasText: '(newer)' }).first().waitFor();
});
