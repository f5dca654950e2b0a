/** axe in every state of the page, in both themes, on a phone, and in forced colours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from './helper/axe.mjs';
import { freshPage, host, launch, listShown, rows, SWIFTSHADER_FLAGS } from './helper/harness.mjs';
import { journeys, travel } from './helper/states.mjs';

const plain = await launch();
const withGpu = await launch(SWIFTSHADER_FLAGS);

/** The faults differ in their words only, so one of them stands for all where no theme is new. @type {[string, boolean, import('playwright-core').BrowserContextOptions][]} */
const WAYS = [
  ['light', true, { colorScheme: 'light' }],
  ['dark', true, { colorScheme: 'dark' }],
  ['dark, 360 pixels wide', false, { colorScheme: 'dark', viewport: { width: 360, height: 780 } }],
  ['forced colours', false, { colorScheme: 'light', forcedColors: 'active' }],
];

for (const [way, all, options] of WAYS) {
  test(`axe finds nothing in any state (${way})`, async (t) => {
    /** @type {string[]} */
    const found = [];
    let states = 0;
    for (const journey of journeys().filter(({ alike }) => all || !alike)) {
      await travel(journey.gpu ? withGpu : plain, journey, options, async (state, page) => {
        states += 1;
        for (const violation of await violations(page, { contrast: options.forcedColors !== 'active' })) found.push(`${state}: ${violation}`);
      });
    }
    t.diagnostic(`${states} states`);
    assert.deepEqual(found, []);
  });
}

test('axe finds what is wrong', async () => {
  const { url } = await host();
  const { page } = await freshPage(plain);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
  assert.deepEqual(await violations(page), [], 'with the scorer that is tested');
  await page.evaluate(() => {
    document.querySelector('.lead')?.setAttribute('style', 'color: #bbb'); // refused by the policy …
    /** @type {HTMLElement} */ (document.querySelector('.lead')).style.color = '#bbb'; // … unlike this
    document.querySelector('.search-input')?.setAttribute('aria-labelledby', 'nobody');
  });
  const found = (await violations(page)).join('\n');
  assert.match(found, /color-contrast: \.lead/);
  assert.match(found, /aria-valid-attr-value: #viewer-search .*aria-labelledby="nobody"/s);
});
