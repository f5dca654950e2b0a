/** What is kept on the device: the second visit, no connection, newer versions, damaged entries, no room, a stopped download, forgetting. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, test } from 'node:test';
import { dist, freshPage, host, launch, listShown, overflow, PATIENCE, rows, SWIFTSHADER_FLAGS, scorer, scorers } from './helper/harness.mjs';
import { codeOf, otherArtefact, otherCode, sha256 } from './helper/release.mjs';

const browser = await launch();
const folders = await mkdtemp(join(tmpdir(), 'curec-releases-'));
after(() => rm(folders, { recursive: true, force: true }));

const newCode = join(folders, 'code');
const newArtefact = join(folders, 'artefact');
const newBoth = join(folders, 'both');
const MARK = 'Newer: ';
await otherCode(dist, newCode, { 'js/ranking-list.js': (text) => `${text}\ndocument.documentElement.dataset.version = 'newer';\n` });
await otherArtefact(dist, newArtefact, (title) => MARK + title);
await otherArtefact(newCode, newBoth, (title) => MARK + title);
assert.equal(await codeOf(newArtefact), await codeOf(dist), 'an artefact is no part of the code');
assert.notEqual(await codeOf(newCode), await codeOf(dist));

/** @typedef {import('playwright-core').Page} Page */

const kept = (/** @type {Page} */ page) => page.locator('#kept', { hasText: /Kept on this device for visits without a connection: [\d.]+ [kM]B/ }).waitFor();
const titles = (/** @type {Page} */ page) => rows(page).locator('h3').allTextContents();
const version = (/** @type {Page} */ page) => page.evaluate(() => document.documentElement.dataset.version ?? 'older');
const newer = (/** @type {Page} */ page) => page.locator('#update', { hasText: 'A newer version is ready.' });
/** What a visit asks for, without the service worker's own scripts, which the browser looks after. */
const forPage = (/** @type {string[]} */ asked) => asked.filter((path) => !/\/(sw|keeper[\w-]*|build|sha256)\.js$/.test(path));
const ofArtefact = (/** @type {string[]} */ asked) => asked.filter((path) => path.startsWith('/artefact/'));

/** A first visit, to its end: what it needed is kept. @param {Record<string, import('./helper/server.mjs').Rule>} [rules] */
async function visited(rules) {
  const server = await host(rules);
  const { page, context, manners } = await freshPage(browser);
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  await kept(page);
  return { page, context, manners, server };
}

/** Loads the page again until its list stands. @param {Page} page */
async function reload(page) {
  await page.reload();
  await listShown(page);
}

/** Ends the scorer's worker, and waits for the list of the one that takes its place. @param {Page} page */
async function newScorer(page) {
  const old = scorer(page);
  const next = page.waitForEvent('worker');
  await old?.evaluate(() => self.close()).catch(() => {});
  await next;
  await listShown(page);
}

/** Changes kept files from outside, as a failing disk would. @param {Page} page @param {string} end of their names @returns {Promise<number>} how many */
const damage = (page, end) =>
  page.evaluate(async (ending) => {
    let damaged = 0;
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        if (!request.url.endsWith(ending)) continue;
        const stored = await cache.match(request);
        if (!stored) continue;
        const bytes = new Uint8Array(await stored.arrayBuffer());
        bytes[bytes.length >> 1] ^= 1;
        await cache.put(request, new Response(bytes, { headers: stored.headers }));
        damaged += 1;
      }
    }
    return damaged;
  }, end);

test('the first visit fetches nothing twice, the second nothing but the list of the build', async () => {
  const { page, server, manners } = await visited();
  const first = [...server.asked];
  const heavy = first.filter((path) => /\.(wasm|safetensors)$|users\.json|reasons\.json|catalogue\.json/.test(path));
  assert.deepEqual(heavy, [...new Set(heavy)], 'what the page fetched was not downloaded again to be kept');
  assert.ok(heavy.length >= 5, heavy.join());
  assert.ok(!first.some((path) => path.includes('curec-web-gpu')), 'nobody asked for the scorer on WebGPU');
  const list = await titles(page);
  server.asked.length = 0;
  await reload(page);
  await kept(page);
  assert.deepEqual(await titles(page), list);
  assert.deepEqual(ofArtefact(server.asked), []);
  assert.deepEqual(forPage(server.asked), ['/build.json'], 'one question whether there is something newer');
  assert.deepEqual(manners.consoleErrors, []);
  assert.deepEqual(manners.pageErrors, []);
});

test('without a connection the page loads, ranks and answers as before', async () => {
  const { page, context, server } = await visited();
  const list = await titles(page);
  await context.setOffline(true);
  await server.close();
  await reload(page);
  assert.deepEqual(await titles(page), list);
  await kept(page);
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await listShown(page);
  assert.equal(await page.locator('.notice-fault').count(), 0);
  // The scorer can start anew, too.
  await newScorer(page);
});

/** Bytes as the page says that they are kept. @param {Page} page */
const bytesKept = (page) =>
  page.locator('#kept').innerText().then((words) => {
    const [, number, unit] = /: ([\d.]+) ([kM])B/.exec(words) ?? assert.fail(words);
    return Number(number) * (unit === 'M' ? 1e6 : 1e3);
  });

/** Has a pattern written of the viewer's history. @param {Page} page */
async function write(page) {
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.locator('.pattern[data-written]').waitFor();
}

const WRITER = /curec-web-writer|\/(writer|tokenizer)\.|writer\.safetensors/;

test('what the first visit used is kept, and said: without a connection the language model writes and the models are compared', async () => {
  const { page, context, server } = await visited();
  const before = await bytesKept(page);
  await write(page);
  const { files } = JSON.parse(await readFile(join(dist, 'artefact/manifest.json'), 'utf8'));
  const size = files.filter((/** @type {{name: string}} */ { name }) => WRITER.test(`/${name}`)).reduce((/** @type {number} */ sum, /** @type {{bytes: number}} */ file) => sum + file.bytes, 0);
  for (const start = Date.now(); (await bytesKept(page)) < before + size * 0.95; await page.waitForTimeout(100)) assert.ok(Date.now() - start < PATIENCE, `${await bytesKept(page)} are said to be kept, ${before} and ${size} are`);
  assert.equal(server.asked.filter((path) => path === '/artefact/writer.safetensors').length, 1, 'nothing was downloaded again for it');
  server.asked.length = 0;
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  await write(page);
  assert.deepEqual(server.asked.filter((path) => WRITER.test(path)), [], 'the second visit fetches none of it');
  await context.setOffline(true);
  await server.close();
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  await write(page);
  await page.getByRole('button', { name: 'Compare the models' }).click();
  await page.locator('.compare-column').first().waitFor();
});

test('without a connection, what was never fetched is said to lack the connection, and nothing to be missing', async () => {
  const { page, context, server } = await visited();
  await context.setOffline(true);
  await server.close();
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  await page.getByRole('button', { name: 'Ask again' }).waitFor();
  const words = await page.locator('.pattern-live').innerText();
  assert.match(words, /connection failed/i);
  assert.doesNotMatch(words, /not here/);
});

for (const [what, folder, code, marked] of /** @type {[string, string, string, boolean][]} */ ([
  ['code', newCode, 'newer', false],
  ['artefact', newArtefact, 'older', true],
  ['code and artefact', newBoth, 'newer', true],
])) {
  test(`a newer ${what}: the open page goes on with its own, is told, and has all of the new one after a reload`, async () => {
    const { page, server, manners } = await visited();
    server.deploy(folder);
    await reload(page);
    const isOld = async () => {
      assert.equal(await version(page), 'older');
      assert.ok((await titles(page)).every((title) => !title.startsWith(MARK)), 'titles of the old artefact');
    };
    await isOld();
    await newer(page).waitFor();
    // Whatever it still fetches is of its own release: a scorer that starts anew reads code and artefact again.
    await newScorer(page);
    await isOld();
    await newer(page).getByRole('button', { name: 'Reload' }).click();
    await page.waitForFunction(([wanted, mark]) => (document.documentElement.dataset.version ?? 'older') === wanted && document.querySelector('.recommendation h3')?.textContent?.startsWith('Newer: ') === mark, /** @type {const} */ ([code, marked]));
    await listShown(page);
    assert.equal(await version(page), code);
    assert.ok((await titles(page)).every((title) => title.startsWith(MARK) === marked));
    await kept(page);
    assert.equal(await newer(page).count(), 0);
    assert.deepEqual(manners.consoleErrors, []);
  });
}

test('an update that breaks off changes nothing, and comes with a later visit', async () => {
  const { page, server } = await visited();
  server.deploy(newBoth);
  server.rules['/artefact/catalogue.json'] = (content) => ({ breakAfter: content.length >> 1 });
  await reload(page);
  await kept(page);
  for (let asked = 0; asked < 2; asked = server.asked.filter((path) => path === '/artefact/catalogue.json').length - 1) await page.waitForTimeout(100);
  await reload(page);
  assert.equal(await version(page), 'older');
  assert.ok((await titles(page)).every((title) => !title.startsWith(MARK)));
  assert.equal(await newer(page).count(), 0);
  delete server.rules['/artefact/catalogue.json'];
  await reload(page);
  await newer(page).waitFor();
  await reload(page);
  assert.equal(await version(page), 'newer');
  assert.ok((await titles(page)).every((title) => title.startsWith(MARK)));
});

test('an update whose files are not those of its list is never shown', async () => {
  const { page, server } = await visited();
  server.deploy(newCode);
  server.rules['/js/ranking-list.js'] = (content) => ({ body: Buffer.concat([content, Buffer.from('\n// changed on the way')]) });
  await reload(page);
  for (let asked = 0; asked < 2; asked = server.asked.filter((path) => path.endsWith('/js/ranking-list.js')).length - 1) await page.waitForTimeout(100);
  await reload(page);
  assert.equal(await version(page), 'older');
  assert.equal(await newer(page).count(), 0);
});

test('a page of the old release beside one of the new: each keeps to its own', async () => {
  const { page, context, server } = await visited();
  server.deploy(newBoth);
  await reload(page);
  await newer(page).waitFor();
  const other = await context.newPage();
  await other.goto(`${server.url}?backend=cpu`);
  await listShown(other);
  assert.equal(await version(other), 'newer');
  assert.ok((await titles(other)).every((title) => title.startsWith(MARK)));
  await newScorer(page);
  assert.equal(await version(page), 'older');
  assert.ok((await titles(page)).every((title) => !title.startsWith(MARK)), 'the old page’s scorer started anew from the old artefact');
});

for (const end of ['.wasm', '.safetensors', '.js', '.html']) {
  test(`a damaged ${end} among what is kept is fetched again, and right the next time`, async () => {
    const { page, server } = await visited();
    const list = await titles(page);
    assert.ok((await damage(page, end)) > 0);
    server.asked.length = 0;
    await reload(page);
    assert.deepEqual(await titles(page), list);
    assert.ok(forPage(server.asked).some((path) => path.endsWith(end)), 'fetched again');
    await kept(page);
    server.asked.length = 0;
    await reload(page);
    assert.deepEqual(forPage(server.asked), ['/build.json']);
  });
}

test('the scorer on WebGPU is kept once it was fetched, and not fetched for it again', async () => {
  const server = await host();
  const { page, context } = await freshPage(await launch(SWIFTSHADER_FLAGS));
  await page.goto(`${server.url}?backend=webgpu`);
  await listShown(page);
  const module = ['curec-web-gpu.js', 'curec-web-gpu_bg.wasm'].map(async (name) => `${sha256(await readFile(join(dist, 'code', await codeOf(dist), name)))}${extname(name)}`);
  const wanted = await Promise.all(module);
  const there = () => page.evaluate(async (names) => (await Promise.all(names.map((name) => caches.match(new URL(`kept/${name}`, location.href).href)))).every((stored) => stored !== undefined), wanted);
  await kept(page);
  await page.waitForTimeout(1000);
  assert.equal(server.asked.filter((path) => path.endsWith('curec-web-gpu_bg.wasm')).length, 1);
  // This browser's cache lies in memory and is too small for the module: it may have to come once more, and is kept then.
  await reload(page);
  for (const start = Date.now(); !(await there()); await page.waitForTimeout(100)) assert.ok(Date.now() - start < PATIENCE, 'both files of the module are kept');
  await context.setOffline(true);
  await server.close();
  await reload(page);
  assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'webgpu');
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`what is said of keeping fits a phone and everybody (${colorScheme})`, async () => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const server = await host();
    const { page } = await freshPage(browser, { colorScheme, viewport: { width: 360, height: 780 } });
    await page.goto(`${server.url}?backend=cpu`);
    await listShown(page);
    await kept(page);
    server.deploy(newCode);
    await reload(page);
    await newer(page).waitFor();
    await kept(page);
    assert.ok((await overflow(page)) <= 0, `${await overflow(page)} px too wide`);
    for (const name of ['Reload', 'Forget what is stored on this device']) {
      const box = await page.getByRole('button', { name }).boundingBox();
      assert.ok(box && box.height >= 24 && box.width >= 24, `${name}: ${JSON.stringify(box)}`);
    }
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await /** @type {any} */ (window).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => node.target).join(', ')}`));
    assert.deepEqual(found, []);
    if (process.env.CUREC_SCREENSHOTS) await page.screenshot({ path: join(process.env.CUREC_SCREENSHOTS, `kept-${colorScheme}.png`), fullPage: true });
  });
}

test('a damaged entry without a connection is refused, not read', async () => {
  const { page, context, server } = await visited();
  await damage(page, '.safetensors');
  await context.setOffline(true);
  await server.close();
  await page.reload();
  await page.locator('.notice-fault').waitFor();
  assert.match(await page.locator('.notice-fault').innerText(), /model\.safetensors/);
  assert.equal(await rows(page).and(page.locator('#ranking .recommendation')).count(), 0);
});

test('a spoiled first download is not what the retry gets, however long it may be cached', async () => {
  const server = await host({ '/artefact/users.json': (content) => ({ body: Buffer.from(content.map((byte, at) => (at === content.length >> 1 ? byte ^ 1 : byte))), caching: 'public, max-age=31536000, immutable' }) });
  const { page } = await freshPage(browser);
  await page.goto(`${server.url}?backend=cpu`);
  const panel = page.locator('.notice-fault');
  await panel.waitFor();
  assert.match(await panel.innerText(), /users\.json/);
  delete server.rules['/artefact/users.json'];
  await panel.getByRole('button').click();
  await listShown(page);
  await kept(page);
});

test('a device without room: the page works and says that nothing is kept', async () => {
  const server = await host();
  const { page, context, manners } = await freshPage(browser);
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 60_000 });
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  await page.locator('#kept', { hasText: 'Not kept for visits without a connection: there is no room for it on this device.' }).waitFor();
  assert.deepEqual(await page.evaluate(() => caches.keys()), [], 'nothing is left of the attempt');
  await reload(page);
  assert.equal(await page.locator('.notice-fault').count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});

for (const [what, folder] of /** @type {const} */ ([['code and artefact', newBoth], ['artefact', newArtefact]])) test(`a newer ${what} without room for both: it is said, and can take the place of what is stored`, async () => {
  const { page, context, server } = await visited();
  const session = await context.newCDPSession(page);
  const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: usage + 1000 });
  server.deploy(folder);
  await reload(page);
  const way = page.getByRole('button', { name: 'Forget the stored one and reload' });
  await way.waitFor();
  assert.equal(await version(page), 'older');
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin });
  await way.click();
  await page.waitForFunction(() => document.querySelector('#ranking .recommendation h3')?.textContent?.startsWith('Newer: '));
  await kept(page);
});

test('a browser without service workers: the page works and says that nothing is kept', async () => {
  const { url } = await host();
  const { page, manners } = await freshPage(browser);
  await page.addInitScript('delete Navigator.prototype.serviceWorker');
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  await page.locator('#kept', { hasText: /^Not kept for visits without a connection: this browser/ }).waitFor();
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a download can be stopped and started again', async () => {
  const slow = { delay: 30_000 };
  const server = await host({ '/artefact/model.safetensors': (body) => ({ body, ...slow }) });
  const { page } = await freshPage(browser);
  await page.goto(`${server.url}?backend=cpu`);
  await page.waitForFunction(() => /\d/.test(document.querySelector('.progress-row:nth-child(2) .progress-amount')?.textContent ?? ''));
  await page.getByRole('button', { name: 'Cancel' }).click();
  for (const start = Date.now(); !server.dropped.includes('/artefact/model.safetensors'); await page.waitForTimeout(50)) assert.ok(Date.now() - start < PATIENCE, 'the connection is closed');
  const panel = page.locator('.notice-stopped');
  assert.match(await panel.innerText(), /Stopped/);
  assert.equal(scorers(page).length, 0);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.state), 'stopped');
  const again = panel.getByRole('button', { name: 'Start again' });
  assert.ok(await again.evaluate((element) => element === document.activeElement), 'the keyboard is where it goes on');
  delete server.rules['/artefact/model.safetensors'];
  await page.keyboard.press('Enter');
  await listShown(page);
  assert.equal(await panel.count(), 0);
});

test('progress counts every byte against a total that was known beforehand', async () => {
  const { url } = await host();
  const { page } = await freshPage(browser);
  await page.addInitScript(() => {
    /** @type {string[]} */
    const seen = [];
    Object.assign(window, { seen });
    new MutationObserver(() => document.querySelectorAll('.progress-amount').forEach((amount) => amount.textContent && seen.push(amount.textContent))).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  const seen = await page.evaluate(() => /** @type {any} */ (window).seen);
  const whole = new Set(seen.map((/** @type {string} */ text) => /^(.+) of (.+)$/.exec(text)).filter((/** @type {RegExpExecArray|null} */ parts) => parts && parts[1] === parts[2]).map((/** @type {RegExpExecArray} */ parts) => parts[2]));
  assert.ok(seen.every((/** @type {string} */ text) => text.includes(' of ')), `a total each time: ${[...new Set(seen)].join(', ')}`);
  assert.equal(whole.size, 2, 'scorer and artefact arrived whole');
});

test('what is stored can be forgotten, with the button or through the address', async () => {
  const { page, context, server } = await visited();
  const left = async () => ({
    caches: await page.evaluate(() => caches.keys()),
    workers: await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length),
  });
  assert.equal((await left()).caches.length, 3);
  await page.getByRole('button', { name: 'Forget what is stored on this device' }).click();
  await page.locator('#kept', { hasText: 'Nothing of this page is stored' }).waitFor();
  assert.deepEqual((await left()).caches, []);
  await context.setOffline(true);
  await page.reload().catch(() => {});
  assert.equal(await page.locator('h1', { hasText: 'Recommendations' }).count(), 0, 'without a connection nothing is there');
  await context.setOffline(false);
  await page.goto(`${server.url}?backend=cpu`);
  await listShown(page);
  await kept(page);
  server.asked.length = 0;
  await page.goto(`${server.url}?backend=cpu&fresh`);
  await listShown(page);
  assert.ok(server.asked.includes('/index.html') && server.asked.includes('/artefact/users.json'), 'from the server');
  assert.equal(new URL(page.url()).search, '?backend=cpu', 'for this one load: nobody is handed it with a link');
  await kept(page);
  await context.setOffline(true);
  await page.goto(`${server.url}?backend=cpu&fresh`);
  await listShown(page);
  assert.equal((await left()).caches.length, 3, 'what is stored is not given up for a server that does not answer');
});
