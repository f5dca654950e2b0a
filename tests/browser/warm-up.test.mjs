/** The scorer answers one question before it is called ready, so that the first list waits for nothing that later ones find done. Over the mock scorer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, hostMock, launch, listShown, scorer } from './helper/harness.mjs';
import { appended } from './helper/trouble.mjs';

const browser = await launch();

/** Appended to the scorer: notes in `__asked` what it is asked, and holds a first scoring back until `__go()`. */
const noting = () => {
  const worker = /** @type {any} */ (globalThis);
  worker.__asked = [];
  const held = new Promise((resolve) => (worker.__go = resolve));
  // @ts-expect-error the module's own class
  const { prototype } = Scorer;
  const { measure, recommend } = prototype;
  prototype.measure = async function (/** @type {unknown[]} */ ...request) {
    worker.__asked.push('measure');
    await held;
    return measure.apply(this, request);
  };
  prototype.recommend = function (/** @type {unknown[]} */ ...request) {
    worker.__asked.push('recommend');
    return recommend.apply(this, request);
  };
};

test('a first scoring is done, and told, before the first list is asked for', async () => {
  const { url } = await hostMock(appended('/curec-web.js', `(${noting})();`));
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu#user=viewer-03`);
  await page.locator('.progress-row.is-active', { hasText: 'Warming up' }).waitFor({ timeout: 10_000 });
  const asked = () => scorer(page)?.evaluate(() => /** @type {any} */ (globalThis).__asked);
  await page.waitForTimeout(500);
  assert.deepEqual(await asked(), ['measure'], 'the list waits for it');
  assert.equal(await page.locator('#ranking .recommendation').count(), 0);
  await scorer(page)?.evaluate(() => /** @type {any} */ (globalThis).__go());
  await listShown(page);
  assert.deepEqual((await asked()).slice(0, 2), ['measure', 'recommend']);
  assert.deepEqual(manners.pageErrors, []);
});
