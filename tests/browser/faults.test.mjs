/** What the page says when something is missing, spoiled, unsupported or killed, and that it finds back where it can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, PATIENCE, rows, scorer, scorers } from './helper/harness.mjs';
import { appended, nextRanking, slowAsking, slowMeasuring, troubled } from './helper/trouble.mjs';

const browser = await launch();
const MODEL = '/artefact/model.safetensors';

/** @param {Buffer} content @param {number} at */
function withFlippedBit(content, at) {
  const body = Buffer.from(content);
  body[at] = (body[at] ?? 0) ^ 1;
  return { body };
}

/**
 * Opens the page over a server with these rules and waits for the fault panel.
 * @param {Record<string, import('./helper/server.mjs').Rule>} rules
 */
async function faultWith(rules) {
  const server = await host(rules);
  const { page, manners } = await freshPage(browser);
  await page.goto(`${server.url}?backend=cpu`);
  const panel = page.locator('.notice-fault');
  await panel.waitFor();
  const text = await panel.innerText();
  assert.doesNotMatch(text, /\bat .*\.js:\d|RuntimeError|TypeError|undefined|\[object/, 'no stack trace, no leftovers');
  assert.equal(await rows(page).count(), 0, 'nothing of a spoiled artefact is shown');
  return { page, server, text, manners };
}

/** The spoiled file is mended, then the retry button must bring the list. @param {Awaited<ReturnType<typeof faultWith>>} fault */
async function mendAndRetry({ page, server }) {
  for (const path of Object.keys(server.rules)) delete server.rules[path];
  await page.locator('.notice-fault').getByRole('button').click();
  await listShown(page);
  assert.equal(await page.locator('.notice-fault').count(), 0);
}

test('a flipped bit in the model is refused, and named', async () => {
  const fault = await faultWith({ [MODEL]: (content) => withFlippedBit(content, content.length >> 1) });
  assert.match(fault.text, /not the one that was published/i);
  assert.match(fault.text, /model\.safetensors/);
  await mendAndRetry(fault);
});

test('a flipped bit in a text file is refused as well', async () => {
  const fault = await faultWith({ '/artefact/reasons.json': (content) => withFlippedBit(content, content.length >> 1) });
  assert.match(fault.text, /reasons\.json/);
});

test('a file that is shorter than promised', async () => {
  const fault = await faultWith({ [MODEL]: (content) => ({ body: content.subarray(0, content.length >> 1) }) });
  assert.match(fault.text, /incomplete/i);
  assert.match(fault.text, /model\.safetensors/);
  await mendAndRetry(fault);
});

test('a connection that breaks off', async () => {
  const fault = await faultWith({ [MODEL]: (content) => ({ breakAfter: content.length >> 1 }) });
  assert.match(fault.text, /incomplete|connection/i);
  await mendAndRetry(fault);
});

test('a file that is longer than promised', async () => {
  const fault = await faultWith({ [MODEL]: (content) => ({ body: Buffer.concat([content, Buffer.from('x')]) }) });
  assert.match(fault.text, /not the one that was published/i);
});

test('a missing manifest', async () => {
  const fault = await faultWith({ '/artefact/manifest.json': () => ({ status: 404 }) });
  assert.match(fault.text, /not here/i);
  assert.match(fault.text, /manifest\.json/);
  await mendAndRetry(fault);
});

test('a manifest of another version', async () => {
  const fault = await faultWith({
    '/artefact/manifest.json': (content) => ({ body: Buffer.from(JSON.stringify({ ...JSON.parse(String(content)), version: 999 })) }),
  });
  assert.match(fault.text, /version/i);
});

test('a manifest that points outside its folder', async () => {
  const fault = await faultWith({
    '/artefact/manifest.json': (content) => {
      const manifest = JSON.parse(String(content));
      manifest.files[0].name = '../../secret';
      return { body: Buffer.from(JSON.stringify(manifest)) };
    },
  });
  assert.match(fault.text, /cannot be read/i);
  assert.ok(!fault.manners.requests.some((address) => address.includes('secret')));
});

test('a missing scorer', async () => {
  const fault = await faultWith({ '/curec-web_bg.wasm': () => ({ status: 404 }) });
  assert.match(fault.text, /curec-web_bg\.wasm/);
  await mendAndRetry(fault);
});

test('a truncated scorer', async () => {
  const fault = await faultWith({ '/curec-web_bg.wasm': (content) => ({ body: content.subarray(0, content.length - 3) }) });
  assert.match(fault.text, /incomplete/i);
  assert.match(fault.text, /curec-web_bg\.wasm/);
  await mendAndRetry(fault);
});

test('a missing worker file', async () => {
  const fault = await faultWith({ '/worker.js': () => ({ status: 404 }) });
  assert.match(fault.text, /worker/i);
  await mendAndRetry(fault);
});

/** The browser ends the newest worker. @param {import('playwright-core').Page} page */
const kill = (page) => scorer(page)?.evaluate(() => self.close()).catch(() => {});

/** Fails where the scorer's end was told of. @param {import('playwright-core').Page} page */
const nothingTold = async (page) => assert.equal(await page.locator('.notice-fault').count(), 0);

/** @param {Record<string, import('./helper/server.mjs').Rule>} [rules] */
async function standing(rules) {
  const { url } = await host(rules);
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  return { page, manners };
}

test('a killed worker is replaced within five seconds, by itself, and the list is asked for again', async () => {
  const { page } = await standing();
  await page.locator('.chip').nth(1).click();
  await listShown(page);
  const hash = new URL(page.url()).hash;
  const old = scorers(page)[0];
  await kill(page);
  const killed = Date.now();
  await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
  await listShown(page);
  assert.ok(Date.now() - killed < 5000, `${Date.now() - killed} ms`);
  assert.notEqual(scorer(page), old);
  assert.equal(new URL(page.url()).hash, hash);
  assert.equal(await page.locator('.notice-fault').count(), 0);
  await page.locator('.chip').nth(2).click();
  await listShown(page);
});

test('a worker that is ended before its first word is missed within a minute, and replaced', async () => {
  let started = 0;
  const { url } = await host({ ...appended('/worker.js', ''), '/worker.js': (content) => ({ body: (started += 1) === 1 ? Buffer.from('self.close();') : content }) });
  const { page, manners } = await freshPage(browser, { serviceWorkers: 'block' });
  await page.clock.install();
  await page.goto(`${url}?backend=cpu`);
  for (const began = Date.now(); started === 0; await page.waitForTimeout(50)) assert.ok(Date.now() - began < PATIENCE);
  await page.waitForTimeout(300);
  await page.clock.runFor(60_000);
  await listShown(page);
  await page.locator('.badge[data-backend="cpu"]').waitFor();
  assert.equal(started, 2);
  await nothingTold(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('a worker that is killed again at once is told of, and starts again on request', async () => {
  const { page } = await standing();
  for (const time of [1, 2]) {
    await kill(page);
    if (time === 1) {
      await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
      await listShown(page);
    }
  }
  const panel = page.locator('.notice-fault');
  await panel.waitFor({ timeout: 10_000 });
  assert.match(await panel.innerText(), /stopped/i);
  await panel.getByRole('button', { name: 'Start the scorer again' }).click();
  await listShown(page);
});

test('a worker that is killed while it loads is started once more by itself; the second time it is told', async () => {
  /** @type {((value?: unknown) => void)[]} */
  const release = [];
  const { url } = await host({ [MODEL]: (body) => ({ body, until: new Promise((resolve) => release.push(resolve)) }) });
  for (const killings of [1, 2]) {
    release.length = 0;
    const { page } = await freshPage(browser);
    await page.goto(`${url}?backend=cpu`);
    for (let killed = 0; killed < killings; killed += 1) {
      for (; release.length <= killed; ) await page.waitForTimeout(50);
      await kill(page);
    }
    if (killings === 1) {
      for (; release.length < 2; ) await page.waitForTimeout(50);
      release.forEach((go) => go());
      await listShown(page);
      await nothingTold(page);
    } else {
      const panel = page.locator('.notice-fault');
      await panel.waitFor();
      assert.match(await panel.innerText(), /The scorer was stopped/);
      await panel.getByRole('button', { name: 'Start the scorer again' }).click();
      for (; release.length < 3; ) await page.waitForTimeout(50);
      release.forEach((go) => go());
      await listShown(page);
    }
  }
});

test('a worker that is killed while it measures is replaced, and measures', async () => {
  const { page } = await standing(slowMeasuring(100));
  await page.locator('.badge summary').click();
  await page.getByRole('button', { name: 'Measure again' }).click();
  await page.waitForTimeout(300);
  await kill(page);
  await page.getByText('Scored this list 20 times on the CPU.').waitFor();
  assert.equal(scorers(page).length, 1);
  await nothingTold(page);
});

/** What is said once a question about the list is answered. @param {import('playwright-core').Page} page */
async function answer(page) {
  await page.locator('.answer:not([aria-busy]) p').first().waitFor();
  return page.locator('.answer').innerText();
}

/**
 * What is asked about a list that stands there. `ready`: all but the last key; `told`: what comes of it.
 * @type {Record<string, {ready: (page: import('playwright-core').Page) => Promise<void>, told: (page: import('playwright-core').Page) => Promise<unknown>}>}
 */
const QUESTIONS = {
  'what would change the first place': { ready: (page) => page.getByRole('button', { name: 'What would change the first place?' }).focus(), told: answer },
  'why not this one': {
    async ready(page) {
      await page.getByRole('combobox', { name: 'Why not this one?' }).fill('the');
      await page.keyboard.press('ArrowDown');
    },
    told: answer,
  },
  'more rows': {
    ready: (page) => page.getByRole('button', { name: 'Show 10 more' }).focus(),
    async told(page) {
      await page.waitForFunction(() => document.querySelectorAll('#ranking .recommendation').length === 20);
      assert.equal(await rows(page).nth(10).locator('h3').evaluate((heading) => heading === document.activeElement), true, 'whoever asked for them reads on there');
      assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('rows'), '20');
      return rows(page).locator('h3').allInnerTexts();
    },
  },
  'how long scoring takes': {
    async ready(page) {
      await page.locator('.badge summary').click();
      await page.getByRole('button', { name: 'Measure again' }).focus();
    },
    told: (page) => page.locator('.panel-again [role="status"]', { hasText: /^(?!Scoring)./ }).innerText(),
  },
};

for (const [what, { ready, told }] of Object.entries(QUESTIONS)) {
  test(`a worker that is killed over a question, before it or while another one starts is replaced, which answers: ${what}`, async () => {
    const before = await standing();
    await ready(before.page);
    await before.page.keyboard.press('Enter');
    const expected = await told(before.page);
    for (const moment of ['over it', 'before it', 'while another one starts']) {
      const { page, manners } = await standing(slowAsking(1000));
      await page.waitForFunction(() => !document.querySelector('#ranking .leaning[data-waiting]'));
      await ready(page);
      if (moment === 'over it') {
        await page.keyboard.press('Enter');
        await page.waitForTimeout(200);
      }
      await kill(page);
      if (moment === 'while another one starts') await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
      if (moment !== 'over it') await page.keyboard.press('Enter');
      assert.deepEqual(await told(page), expected, moment);
      await listShown(page);
      assert.deepEqual(await told(page), expected, `${moment}, and it stays`);
      await nothingTold(page);
      assert.deepEqual(manners.pageErrors, []);
      await page.context().close();
    }
  });
}

test('an answer of a worker that took another one’s place is not shown where another list was asked for meanwhile', async () => {
  const { page } = await standing(slowAsking(1000));
  await page.getByRole('button', { name: 'What would change the first place?' }).click();
  await page.waitForTimeout(200);
  await kill(page);
  await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
  await page.locator('.chip').nth(1).click();
  await page.locator('.chip').nth(1).and(page.locator('[aria-pressed="true"]')).waitFor();
  await listShown(page);
  await page.waitForTimeout(2500);
  assert.equal(await page.locator('.answer').innerHTML(), '');
  await nothingTold(page);
});

test('a worker that is killed while it writes reasons is replaced, and writes them', async () => {
  const { page } = await standing();
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.getByRole('button', { name: 'Let the language model write one for this history' }).click();
  const written = (/** @type {number} */ count) =>
    page.waitForFunction((wanted) => [...document.querySelectorAll('.own-reason figcaption')].filter((words) => words.textContent?.includes('here and now')).length >= wanted, count);
  await written(1);
  await kill(page);
  await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
  await listShown(page);
  await written(5);
  assert.equal(scorers(page).length, 1);
  await nothingTold(page);
});

/** The newest worker goes round in a circle, and hears nothing any more. @param {import('playwright-core').Page} page */
const hang = (page) =>
  void scorer(page)
    ?.evaluate(() => {
      for (;;);
    })
    .catch(() => {});

/** Shows another viewer, which a worker that hangs does not answer. @param {import('playwright-core').Page} page @param {number} chip */
async function askInVain(page, chip) {
  hang(page);
  await page.locator('.chip:not(.chip-own)').nth(chip).click();
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#ranking').getAttribute('aria-busy'), 'true');
}

/** With the page's timers in the test's hand. */
async function timed() {
  const { url } = await host();
  const { page, manners } = await freshPage(browser);
  await page.clock.install();
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  await page.waitForTimeout(500); // what else is asked once a list stands
  return { page, manners };
}

test('a worker that hangs is ended after twenty seconds and replaced, which is asked again; a second time it is told, with a way out', async () => {
  const { page, manners } = await timed();
  const old = scorer(page);
  await askInVain(page, 1);
  await page.clock.runFor(21_000);
  const known = Date.now();
  await listShown(page);
  assert.ok(Date.now() - known < 5000, `${Date.now() - known} ms`);
  assert.notEqual(scorer(page), old);
  assert.equal(await page.locator('.chip:not(.chip-own)').nth(1).getAttribute('aria-pressed'), 'true');
  await nothingTold(page);
  await page.waitForTimeout(500);
  await askInVain(page, 2);
  await page.clock.runFor(21_000);
  const panel = page.locator('.notice-fault[data-kind="hung"]');
  await panel.waitFor();
  assert.match(await panel.innerText(), /The scorer does not answer/);
  await panel.getByRole('button', { name: 'Start the scorer again' }).click();
  await listShown(page);
  assert.deepEqual(manners.pageErrors, []);
});

test('whoever does not want to wait for a scorer that is silent starts it again', async () => {
  const { page } = await timed();
  await askInVain(page, 1);
  assert.equal(await page.locator('#ranking .notice-sticky', { hasText: 'The scorer has not answered for a while' }).count(), 0);
  await page.clock.runFor(11_000);
  await page.getByRole('button', { name: 'Start it again' }).click();
  await listShown(page);
  assert.equal(await page.locator('#ranking .notice-sticky', { hasText: 'The scorer has not answered for a while' }).count(), 0);
  await nothingTold(page);
});

test('a worker that computes for some seconds is left to it', async () => {
  const { page } = await timed();
  const worker = scorer(page);
  const busy = worker?.evaluate(() => {
    for (const began = performance.now(); performance.now() - began < 2000; );
  });
  await page.locator('.chip:not(.chip-own)').nth(1).click();
  await page.clock.runFor(12_000);
  await page.locator('#ranking .notice-sticky', { hasText: 'The scorer has not answered for a while' }).waitFor();
  await busy;
  await listShown(page);
  assert.equal(await page.locator('#ranking .notice-sticky', { hasText: 'The scorer has not answered for a while' }).count(), 0, 'it is back');
  await page.clock.runFor(300_000);
  assert.equal(scorer(page), worker);
  await nothingTold(page);
});

test('a scoring that fails can be tried again', async () => {
  const { page } = await standing(troubled());
  const before = scorer(page);
  await nextRanking(page, 'fail');
  await page.locator('.chip').nth(1).click();
  const panel = page.locator('.notice-fault');
  await panel.waitFor();
  assert.match(await panel.innerText(), /could not be computed/);
  await panel.getByRole('button').click();
  await listShown(page);
  assert.equal(scorer(page), before, 'the scorer is the one that was there');
});

for (const trouble of /** @type {const} */ (['trap', 'late trap', 'panic', 'panic, then trap'])) {
  test(`a scorer that stops in its work is replaced and asked again; a second time it is told (${trouble})`, async () => {
    const { page } = await standing(troubled());
    const before = scorer(page);
    await nextRanking(page, trouble);
    await page.locator('.chip').nth(1).click();
    await page.locator('.chip').nth(1).and(page.locator('[aria-pressed="true"]')).waitFor();
    await listShown(page);
    assert.equal(await page.locator('.notice-fault').count(), 0);
    assert.notEqual(scorer(page), before, 'a dead instance is not asked again');

    await nextRanking(page, trouble);
    await page.locator('.chip').nth(2).click();
    const panel = page.locator('.notice-fault');
    await panel.first().waitFor();
    await page.waitForTimeout(500);
    assert.equal(await panel.count(), 1, 'a panic and its trap are told once');
    const text = await panel.innerText();
    assert.match(text, /middle of its work/);
    assert.doesNotMatch(text, /panicked|RuntimeError|unreachable/);
    assert.equal(await panel.getByRole('link').count(), 0, 'the CPU is in use, so it is no way out');
    await page.locator('.chip').first().click();
    await panel.filter({ hasText: 'middle of its work' }).waitFor();
    await panel.getByRole('button', { name: 'Start the scorer again' }).click();
    await listShown(page);
  });
}

for (const [what, script] of [
  ['workers', 'delete globalThis.Worker'],
  ['WebAssembly', 'delete globalThis.WebAssembly'],
]) {
  test(`a browser without ${what}`, async () => {
    const { url } = await host();
    const { page } = await freshPage(browser);
    await page.addInitScript(/** @type {string} */ (script));
    await page.goto(url);
    const panel = page.locator('.notice-fault');
    await panel.waitFor();
    assert.match(await panel.innerText(), /This browser cannot run the scorer/);
    assert.equal(await panel.getByRole('button').count(), 0);
  });
}
