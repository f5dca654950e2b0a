/** Where scores are computed: a software WebGPU adapter when it is forced, the CPU when there is none, and a reason each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, rows, SWIFTSHADER_FLAGS } from './helper/harness.mjs';
import { nextRanking, troubled } from './helper/trouble.mjs';

const { url } = await host();

/** Without the service worker: it lets no altered module pass, and asks for files itself. @param {string[]} flags @param {string} query @param {string} [address] */
async function badgeOf(flags, query, address = url) {
  const browser = await launch(flags);
  const { page, manners } = await freshPage(browser, { serviceWorkers: 'block' });
  await page.goto(address + query);
  await listShown(page);
  await page.locator('.badge summary').click();
  const badge = page.locator('.badge');
  return {
    page,
    manners,
    used: await badge.getAttribute('data-backend'),
    words: await badge.innerText(),
    reason: await page.locator('.badge-panel p').first().innerText(),
  };
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
  const worker = page.workers().at(-1);
  const opened = await page.evaluate(() => performance.timeOrigin);
  const titles = await rows(page).locator('h3').allInnerTexts();
  const artefact = () => manners.requests.filter((address) => address.includes('/artefact/')).length;
  const before = artefact();
  const side = (/** @type {string} */ name) => page.locator('.badge').getByRole('button', { name, exact: true });
  assert.equal(await side('CPU').getAttribute('aria-pressed'), 'true');
  for (const [name, used] of /** @type {const} */ ([['WebGPU', 'webgpu'], ['CPU', 'cpu'], ['WebGPU', 'webgpu']])) {
    await side(name).click();
    await page.locator(`.badge[data-backend="${used}"]`).waitFor();
    await page.locator('.ranking-summary', { hasText: `on ${name === 'CPU' ? 'the CPU' : name}.` }).waitFor();
    await listShown(page);
    assert.equal(await side(name).getAttribute('aria-pressed'), 'true');
    assert.equal(new URL(page.url()).search, `?backend=${used}`);
    assert.deepEqual(await rows(page).locator('h3').allInnerTexts(), titles, 'both score alike');
    assert.ok(await page.locator('.badge').getAttribute('open') !== null, 'the panel stays open');
  }
  assert.match(await page.locator('.badge-panel').innerText(), /Largest score difference[^\n]*\s+(none|\d\.\de−\d)/);
  assert.equal(new URL(page.url()).hash, hash);
  assert.equal(page.workers().at(-1), worker);
  assert.equal(await page.evaluate(() => performance.timeOrigin), opened);
  assert.equal(artefact(), before, 'the artefact is not fetched again');
  assert.equal(manners.requests.filter((address) => address.includes('curec-web-gpu_bg.wasm')).length, 1);
  await page.getByRole('button', { name: 'Let the page choose' }).click();
  await page.locator('.badge[data-backend="cpu"]').waitFor();
  assert.equal(new URL(page.url()).search, '');
  assert.deepEqual(manners.pageErrors, []);
  assert.deepEqual(manners.consoleErrors, []);
});

test('a step back leads to another viewer and to no other backend', async () => {
  const { page } = await badgeOf(SWIFTSHADER_FLAGS, '');
  const first = await page.locator('#viewer-heading').innerText();
  await page.keyboard.press('Escape');
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent !== name, first);
  await listShown(page);
  await page.locator('.badge summary').click();
  await page.locator('.badge').getByRole('button', { name: 'WebGPU', exact: true }).click();
  await page.locator('.badge[data-backend="webgpu"]').waitFor();
  await page.goBack();
  await page.waitForFunction((name) => document.querySelector('#viewer-heading')?.textContent === name, first);
  assert.equal(new URL(page.url()).search, '?backend=webgpu');
});

for (const query of ['', '?backend=cpu']) {
  test(`without an adapter the switch is there and says why it cannot be used (“${query}”)`, async () => {
    const { page } = await badgeOf([], query);
    const side = page.locator('.badge').getByRole('button', { name: 'WebGPU', exact: true });
    await side.and(page.locator('[aria-disabled="true"]')).waitFor();
    const described = await side.getAttribute('aria-describedby');
    assert.match((await page.locator(`#${described}`).textContent()) ?? '', /^WebGPU cannot be used because .*(adapter|WebGPU|GPU)/);
    await side.focus();
    await page.keyboard.press('Enter');
    await page.waitForTimeout(300);
    assert.equal(await page.locator('.badge').getAttribute('data-backend'), 'cpu');
    assert.equal(await side.getAttribute('aria-pressed'), 'false');
  });
}

test('a GPU whose scorer crashes when it is turned to leaves the CPU, and cannot be turned to again', async () => {
  const server = await host(troubled('gpu', { panicsAtStart: true }));
  const { page, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=cpu', server.url);
  const side = page.locator('.badge').getByRole('button', { name: 'WebGPU', exact: true });
  await side.click();
  await page.locator('.switch [role="status"]', { hasText: 'WebGPU crashed' }).waitFor();
  assert.equal(await side.getAttribute('aria-disabled'), 'true');
  assert.equal(new URL(page.url()).search, '?backend=cpu');
  await page.keyboard.press('Escape');
  await page.locator('.chip[aria-pressed="false"]').first().click();
  await listShown(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a panic while WebGPU starts leaves the CPU, which says so', async () => {
  const server = await host(troubled('gpu', { panicsAtStart: true }));
  const { page, used, reason, manners } = await badgeOf(SWIFTSHADER_FLAGS, '?backend=webgpu', server.url);
  assert.equal(used, 'cpu');
  assert.match(reason, /WebGPU crashed/);
  assert.ok((await page.locator('.ranking-summary').innerText()).includes(reason));
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
    const worker = page.workers().at(-1);
    await nextRanking(page, trouble);
    await page.locator('.chip').nth(1).click();
    await page.locator('.badge[data-backend="cpu"]').waitFor();
    await listShown(page);
    assert.match(await page.locator('.ranking-summary').innerText(), /CPU is used now because WebGPU/);
    assert.equal(await page.locator('.notice-fault').count(), 0);
    await page.locator('.chip').nth(2).click();
    await listShown(page);
    assert.equal(page.workers().at(-1), worker, 'the scorer on the CPU is the one that was there');
    assert.deepEqual(manners.pageErrors, []);
  });
}

test('a visitor whom the CPU serves does not fetch the scorer for WebGPU', async () => {
  const { manners } = await badgeOf(SWIFTSHADER_FLAGS, '');
  assert.ok(manners.requests.some((address) => address.includes('curec-web_bg.wasm')));
  assert.ok(!manners.requests.some((address) => address.includes('curec-web-gpu')));
});
