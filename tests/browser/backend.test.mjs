/** Where scores are computed: a software WebGPU adapter when it is forced, the CPU when there is none, and a reason each time. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, mock, PATIENCE, rows, SWIFTSHADER_FLAGS, scorer } from './helper/harness.mjs';
import { appended, nextRanking, troubled } from './helper/trouble.mjs';

const { url } = await host();

/** Without the service worker: it lets no altered module pass, and asks for files itself. @param {string[]} flags @param {string} query @param {string} [address] */
async function badgeOf(flags, query, address = url) {
  const browser = await launch(flags);
  const { page, manners } = await freshPage(browser, { serviceWorkers: 'block' });
  await hear(page);
  await page.goto(address + query);
  await listShown(page);
  await page.locator('.badge summary').click();
  const badge = page.locator('.badge');
  return {
    page,
    manners,
    used: await badge.getAttribute('data-backend'),
    words: await badge.innerText(),
    reason: await reason(page).innerText(),
  };
}

/** Why scores come from where they come from. @param {import('playwright-core').Page} page */
const reason = (page) => page.locator('.badge-panel p').first();

/** @param {import('playwright-core').Page} page @param {'CPU'|'WebGPU'} name of a side of the switch */
const side = (page, name) => page.locator('.badge').getByRole('button', { name, exact: true });

/** What libraries and drivers say among themselves. */
const RAW = /wgpu|poisoned|Caused by|panicked|undefined|\{|\bat .*\.(js|rs)/i;

/** Every word that the page has said to anybody since it opened. @param {import('playwright-core').Page} page */
const hear = (page) =>
  page.addInitScript(() => {
    const said = (/** @type {any} */ (window).__said = /** @type {string[]} */ ([]));
    new MutationObserver(() => said.push(document.body?.textContent ?? '')).observe(document, { subtree: true, childList: true, characterData: true });
  });

/** Shows another viewer. @param {import('playwright-core').Page} page */
async function another(page) {
  await page.keyboard.press('Escape'); // the badge's panel must not lie over the chips
  await page.locator('.chip[aria-pressed="false"]:not(.chip-own)').first().click();
}

/**
 * After the GPU's device was lost: the CPU has answered, plain words were said, and WebGPU can be turned to again.
 * @param {import('playwright-core').Page} page
 */
async function survives(page) {
  await another(page);
  await page.locator('.badge[data-backend="cpu"]').waitFor();
  await listShown(page);
  assert.match((await reason(page).textContent()) ?? '', /^The CPU is used now because WebGPU (lost its graphics device|failed)\.$/);
  await page.locator('.badge summary').click();
  assert.equal(await side(page, 'WebGPU').getAttribute('aria-disabled'), null);
  await side(page, 'WebGPU').click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await listShown(page);
  await another(page);
  await listShown(page);
  assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'webgpu', 'and it scores there');
  for (const words of await page.evaluate(() => /** @type {any} */ (window).__said)) assert.doesNotMatch(words, RAW);
}

test('forced WebGPU runs on the software adapter and says so', async () => {
  const { page, used, words, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu');
  assert.equal(used, 'webgpu');
  assert.match(words, /WebGPU/);
  assert.match(words, /Adapter\s+\S+/);
  assert.equal(await rows(page).count(), 10);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a software adapter alone does not win over the CPU', async () => {
  const { used, reason } = await badgeOf(SWIFTSHADER_FLAGS, '');
  assert.equal(used, 'cpu');
  assert.match(reason, /software|fallback/i);
});

test('without an adapter the CPU computes and the badge says why', async () => {
  const { page, used, words, reason } = await badgeOf([], '');
  assert.equal(used, 'cpu');
  assert.match(words, /CPU/);
  assert.match(reason, /adapter|webgpu/i);
  assert.equal(await rows(page).count(), 10);
});

test('asking for WebGPU where there is none falls back and says why', async () => {
  const { used, reason } = await badgeOf([], '?backend=webgpu');
  assert.equal(used, 'cpu');
  assert.match(reason, /adapter|webgpu/i);
});

test('the switch turns the running scorer: nothing is loaded again, and the viewer stays', async () => {
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '');
  const hash = new URL(page.url()).hash;
  const worker = scorer(page);
  const opened = await page.evaluate(() => performance.timeOrigin);
  const titles = await rows(page).locator('h3').allInnerTexts();
  const artefact = () => manners.requests.filter((address) => address.includes('/artefact/')).length;
  const before = artefact();
  assert.equal(await side(page, 'CPU').getAttribute('aria-pressed'), 'true');
  for (const [name, used] of /** @type {const} */ ([['WebGPU', 'webgpu'], ['CPU', 'cpu'], ['WebGPU', 'webgpu']])) {
    await side(page, name).click();
    await page.locator(`.badge[data-backend="${used}"]`).waitFor();
    await page.locator('.ranking-summary', { hasText: `on ${name === 'CPU' ? 'the CPU' : name}, here.` }).waitFor();
    await listShown(page);
    assert.equal(await side(page, name).getAttribute('aria-pressed'), 'true');
    assert.equal(new URL(page.url()).search, `?backend=${used}`);
    assert.deepEqual(await rows(page).locator('h3').allInnerTexts(), titles, 'both score alike');
    assert.ok(await page.locator('.badge').getAttribute('open') !== null, 'the panel stays open');
  }
  assert.match(await page.locator('.badge-panel').innerText(), /Largest score difference[^\n]*\s+(none|\d\.\de−\d)/);
  assert.equal(new URL(page.url()).hash, hash);
  assert.equal(scorer(page), worker);
  assert.equal(await page.evaluate(() => performance.timeOrigin), opened);
  assert.equal(artefact(), before, 'the artefact is not fetched again');
  assert.equal(manners.requests.filter((address) => address.includes('curec-web-gpu_bg.wasm')).length, 1);
  await page.getByRole('button', { name: 'Let the page choose' }).click();
  await page.locator('.badge[data-backend="cpu"]').waitFor();
  assert.equal(new URL(page.url()).search, '');
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

/** Appended to the GPU's module: a list waits until it may come. */
const heldBack = () => {
  // @ts-expect-error the module's own class
  const { prototype } = GpuScorer;
  const { recommend } = prototype;
  prototype.recommend = async function (/** @type {unknown[]} */ ...request) {
    while (!(/** @type {any} */ (globalThis).__go)) await new Promise((resolve) => setTimeout(resolve, 50));
    return recommend.apply(this, request);
  };
};

test('a list that stands while its successor is scored elsewhere says what it was computed on itself', async () => {
  const server = await host(appended('/curec-web-gpu.js', `(${heldBack})();`));
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '', server.url);
  await page.getByText('Take it along').evaluate((summary) => /** @type {HTMLElement} */ (summary).click());
  const computed = async () => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON', exact: true }).press('Enter')]);
    return JSON.parse(String(await readFile(await file.path()))).computed.on;
  };
  assert.equal(await computed(), 'cpu');
  await page.locator('.badge summary').click(); // whoever presses elsewhere closes it
  await side(page, 'WebGPU').click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  assert.equal(await page.locator('#ranking').getAttribute('aria-busy'), 'true');
  assert.equal(await computed(), 'cpu');
  assert.equal(await page.locator('.badge-time').innerText(), '', 'nor does the badge say of WebGPU what the CPU took');
  assert.match(await page.locator('.ranking-summary').innerText(), /on the CPU, here\.$/);
  await scorer(page)?.evaluate(() => void Object.assign(globalThis, { __go: true }));
  await listShown(page);
  assert.equal(await computed(), 'webgpu');
  assert.match(await page.locator('.ranking-summary').innerText(), /on WebGPU, here\.$/);
  assert.match(await page.locator('.badge-time').innerText(), /^[\d.]+ m?s$/);
  assert.deepEqual(manners.pageErrors, []);
});

test('a step back leads to another viewer and to no other backend', async () => {
  const { page } = await badgeOf(SWIFTSHADER_FLAGS, '');
  const first = await page.locator('#viewer-heading').innerText();
  await page.keyboard.press('Escape');
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent !== name, first);
  await listShown(page);
  await page.locator('.badge summary').click();
  await side(page, 'WebGPU').click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await page.goBack();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent === name, first);
  assert.equal(new URL(page.url()).search, '?backend=webgpu');
});

for (const query of ['', '?backend=cpu']) {
  test(`without an adapter the switch is there and says why it cannot be used (“${query}”)`, async () => {
    const { page } = await badgeOf([], query);
    const gpu = side(page, 'WebGPU');
    await gpu.and(page.locator('[aria-disabled="true"]')).waitFor();
    const described = await gpu.getAttribute('aria-describedby');
    assert.match((await page.locator(`#${described}`).textContent()) ?? '', /^WebGPU cannot be used because .*(adapter|WebGPU|GPU)/);
    await gpu.focus();
    await page.keyboard.press('Enter');
    await page.waitForTimeout(300);
    assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'cpu');
    assert.equal(await gpu.getAttribute('aria-pressed'), 'false');
  });
}

test('a GPU whose scorer crashes when it is turned to leaves the CPU, and cannot be turned to again', async () => {
  const server = await host(troubled('gpu', { panicsAtStart: true }));
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=cpu', server.url);
  await side(page, 'WebGPU').click();
  await page.locator('.switch [role="status"]', { hasText: 'WebGPU crashed' }).waitFor();
  assert.equal(await side(page, 'WebGPU').getAttribute('aria-disabled'), 'true');
  assert.equal(new URL(page.url()).search, '?backend=cpu');
  await page.keyboard.press('Escape');
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await listShown(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a panic while WebGPU starts leaves the CPU, which says so', async () => {
  const server = await host(troubled('gpu', { panicsAtStart: true }));
  const { page, used, reason: why, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu', server.url);
  assert.equal(used, 'cpu');
  assert.match(why, /WebGPU crashed/);
  assert.equal(await page.locator('.notice-fault').count(), 0);
  assert.equal(await rows(page).count(), 10);
  assert.deepEqual(manners.pageErrors, []);
});

for (const trouble of /** @type {const} */ (['fail', 'trap', 'late trap', 'panic', 'panic, then trap'])) {
  test(`a GPU that fails in the middle (${trouble}) is given up for the CPU, which answers and says so`, async () => {
    const server = await host(troubled('gpu'));
    const { page, used, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu', server.url);
    assert.equal(used, 'webgpu');
    await page.keyboard.press('Escape'); // the badge's panel must not lie over the chips
    const worker = scorer(page);
    await nextRanking(page, trouble);
    await page.locator('.chip').nth(1).click();
    await page.locator('.badge[data-backend="cpu"]').waitFor();
    await listShown(page);
    assert.match((await reason(page).textContent()) ?? '', /CPU is used now because WebGPU/);
    assert.equal(await page.locator('.notice-fault').count(), 0);
    await page.locator('.chip').nth(2).click();
    await listShown(page);
    assert.equal(scorer(page), worker, 'the scorer on the CPU is the one that was there');
    assert.deepEqual(manners.pageErrors, []);
  });
}

/** Appended to the GPU's module: its first list never comes. */
const endless = appended('/curec-web-gpu.js', 'GpuScorer.prototype.scores = () => new Promise(() => {});');

/** What is said beside the switch. @param {import('playwright-core').Page} page @param {RegExp} words */
const said = (page, words) => page.locator('.switch [role="status"]', { hasText: words }).waitFor();

/** Leaves a turn to WebGPU: the CPU is in use, and answers. @param {import('playwright-core').Page} page */
async function cancelled(page) {
  const cancel = page.locator('.switch').getByRole('button', { name: 'Cancel' });
  await cancel.focus();
  const began = Date.now();
  await page.keyboard.press('Enter');
  await said(page, /^Stopped: the CPU computes as before\.$/);
  assert.ok(Date.now() - began < 5000);
  assert.equal(await cancel.isVisible(), false);
  assert.equal(await side(page, 'CPU').evaluate((element) => element === document.activeElement), true, 'whoever stopped it is on the side in use');
  assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'cpu');
  assert.equal(await side(page, 'WebGPU').getAttribute('aria-disabled'), null);
  await another(page);
  await listShown(page);
  await page.locator('.badge summary').click();
}

test('a turn to WebGPU says that it warms up, and can be left for the CPU at once, again and again', async () => {
  const server = await host(endless);
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '', server.url);
  const worker = scorer(page);
  for (const time of [1, 2]) {
    await side(page, 'WebGPU').click();
    if (time === 1) await said(page, /^Warming up: .* may take a minute/);
    else await page.waitForTimeout(500);
    await cancelled(page);
  }
  assert.equal(scorer(page), worker, 'the scorer is the one that was there');
  assert.equal(new URL(page.url()).search, '');
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a turn to WebGPU can be left while its scorer is fetched, and begun again', async () => {
  let go = () => {};
  const until = new Promise((resolve) => (go = () => resolve(undefined)));
  const server = await host({ '/curec-web-gpu_bg.wasm': (body) => ({ body, until }) });
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '', server.url);
  await side(page, 'WebGPU').click();
  for (const began = Date.now(); !server.asked.some((name) => name.endsWith('curec-web-gpu_bg.wasm')); await page.waitForTimeout(50)) assert.ok(Date.now() - began < PATIENCE);
  await cancelled(page);
  go();
  await side(page, 'WebGPU').click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await listShown(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a driver that holds the worker up is left too: another one takes its place, on the CPU', async () => {
  const server = await host(appended('/curec-web-gpu.js', 'GpuScorer.load = () => { for (;;); };'));
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '', server.url);
  const worker = scorer(page);
  await side(page, 'WebGPU').click();
  await said(page, /^Warming up: /);
  await cancelled(page);
  assert.notEqual(scorer(page), worker);
  assert.equal(new URL(page.url()).search, '?backend=cpu', 'nor is WebGPU tried by itself');
  assert.equal(await page.locator('.notice-fault').count(), 0);
  assert.deepEqual(manners.pageErrors, []);
});

test('a GPU whose device is lost is given up for the CPU, and can be turned to again', async () => {
  const server = await host(troubled('gpu'));
  const { page, used, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu', server.url);
  assert.equal(used, 'webgpu');
  await nextRanking(page, 'lost');
  await survives(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a GPU that is lost again and again is barred, and the page says why', async () => {
  const server = await host(troubled('gpu'));
  const { page } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu', server.url);
  for (const last of [false, false, true]) {
    await nextRanking(page, 'lost');
    await another(page);
    await page.locator('.badge[data-backend="cpu"]').waitFor();
    await listShown(page);
    await page.locator('.badge summary').click();
    if (last) break;
    await side(page, 'WebGPU').click();
    await page.locator('.badge[data-backend="webgpu"]').waitFor();
    await listShown(page);
  }
  assert.equal(await side(page, 'WebGPU').getAttribute('aria-disabled'), 'true');
  assert.match((await page.locator('#switch-hindrance').textContent()) ?? '', /^WebGPU cannot be used because the graphics device was lost here several times/);
});

/** From now on the worker knows its graphics devices. @param {import('playwright-core').Page} page */
const noteDevices = (page) =>
  scorer(page)?.evaluate(() => {
    const worker = /** @type {any} */ (globalThis);
    worker.__devices = [];
    const { requestDevice } = worker.GPUAdapter.prototype;
    worker.GPUAdapter.prototype.requestDevice = async function (/** @type {unknown[]} */ ...request) {
      const device = await requestDevice.apply(this, request);
      worker.__devices.push(device);
      return device;
    };
  });

test('a real device that is destroyed is another one after the next turn', { skip: mock && 'the mock has no device' }, async () => {
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '');
  await noteDevices(page);
  await side(page, 'WebGPU').click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await listShown(page);
  const destroyed = await scorer(page)?.evaluate(() => /** @type {any} */ (globalThis).__devices.map((/** @type {any} */ device) => device.destroy()).length);
  assert.equal(destroyed, 1);
  await survives(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a visitor whom the CPU serves does not fetch the scorer for WebGPU', async () => {
  const { manners } = await badgeOf(SWIFTSHADER_FLAGS, '');
  assert.ok(manners.requests.some((address) => address.includes('curec-web_bg.wasm')));
  assert.ok(!manners.requests.some((address) => address.includes('curec-web-gpu')));
});
