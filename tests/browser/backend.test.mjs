/** Where scores are computed: a software WebGPU adapter when it is forced, the CPU when there is none, and a reason each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, rows, SWIFTSHADER_FLAGS } from './helper/harness.mjs';
import { nextRanking, troubled } from './helper/trouble.mjs';

const { url } = await host();

/** @param {string[]} flags @param {string} query @param {string} [address] */
async function badgeOf(flags, query, address = url) {
  const browser = await launch(flags);
  const { page, manners } = await freshPage(browser);
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
  assert.match(words, /Adapter: \S+/);
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

test('the badge links switch the backend and keep the viewer', async () => {
  const { page } = await badgeOf([], '');
  const key = new URL(page.url()).hash;
  await page.getByRole('link', { name: 'Use the CPU' }).click();
  await listShown(page);
  assert.equal(new URL(page.url()).search, '?backend=cpu');
  assert.equal(new URL(page.url()).hash, key);
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
