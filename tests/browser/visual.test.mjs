/**
 * The page as it looks, against the pictures in snapshots/, over the mock scorer: the same words everywhere.
 * A change that is meant is taken over by UPDATE_SNAPSHOTS=1 node --test visual.test.mjs. What differs is written to $CUREC_SCREENSHOTS.
 * Other fonts draw other pictures: nothing is compared then, and where CI is set that fails.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshPage, hostMock, launch, listShown, rows } from './helper/harness.mjs';
import { compared, differsFromBaselines, drawnWith, keep, noteWhatTheyAreMadeWith, picture, suspicion } from './helper/snapshots.mjs';

/** @typedef {import('playwright-core').Page} Page */

const browser = await launch();
const { url } = await hostMock();
const update = process.env.UPDATE_SNAPSHOTS === '1';

/** @param {Page} page */
async function openPanel(page) {
  await page.locator('.badge summary').click();
  await page.locator('.switch-side[aria-disabled="true"]').waitFor(); // it has looked for a GPU, and there is none
}

/** @type {[string, (page: Page) => Promise<unknown>][]} */
const STATES = [
  ['list', async () => {}],
  ['drawer', async (page) => {
    await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
    await rows(page).first().locator('.probe-table').first().waitFor();
    await rows(page).first().evaluate((row) => row.scrollIntoView({ block: 'start', behavior: 'instant' }));
  }],
  ['panel', openPanel],
];

/** @type {[string, import('playwright-core').BrowserContextOptions][]} */
const WAYS = /** @type {const} */ (['light', 'dark']).flatMap((colorScheme) => [
  [`desktop-${colorScheme}`, { colorScheme, viewport: { width: 1280, height: 800 } }],
  [`phone-${colorScheme}`, { colorScheme, viewport: { width: 390, height: 844 } }],
]);

/** @param {import('playwright-core').BrowserContextOptions} options */
async function opened(options) {
  const { page, context } = await freshPage(browser, { ...options, reducedMotion: 'reduce' });
  await page.goto(`${url}?backend=cpu#user=viewer-08`);
  await listShown(page);
  await page.waitForFunction(() => !document.querySelector('.leaning[data-waiting]'));
  return { page, context };
}

const here = await opened({}).then(async ({ page, context }) => {
  const drawn = await drawnWith(page, browser.version());
  await context.close();
  return drawn;
});
if (update) await noteWhatTheyAreMadeWith(here);
const differs = await differsFromBaselines(here);
const skip = differs ?? false;

test('the committed pictures were drawn with the fonts that are here', { skip: process.env.CI === 'true' ? false : skip }, () => {
  const renew = 'UPDATE_SNAPSHOTS=1 node --test tests/browser/visual.test.mjs';
  assert.equal(differs, null, `no picture was compared: ${differs}. Renew them with these fonts by \`${renew}\`, look at each, and commit tests/browser/snapshots`);
});

/** Where pictures go that are not as they should be. */
async function folderForDifferences() {
  const folder = process.env.CUREC_SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'curec-snapshots-')));
  await mkdir(folder, { recursive: true });
  return folder;
}

for (const [way, options] of WAYS) {
  for (const [state, reach] of STATES) {
    const name = `${way}-${state}`;
    test(`looks as before: ${name}`, { skip }, async (t) => {
      const { page, context } = await opened(options);
      await reach(page);
      const shot = await picture(page);
      await context.close();
      if (update) await keep(name, shot);
      const found = await compared(name, shot);
      t.diagnostic(found.words);
      if (found.alike) return;
      const folder = await folderForDifferences();
      await writeFile(join(folder, `${name}-found.png`), shot);
      if (found.diff) await writeFile(join(folder, `${name}-difference.png`), found.diff);
      assert.fail(`${name}: ${found.words}${await suspicion(here)}; see ${folder}`);
    });
  }
}

/** @type {[string, string, string][]} */
const CHANGES = [
  ['another accent', '--accent', '#8a3b66'],
  ['a ground a little darker', '--ground', '#f1ece2'],
  ['a little more space', '--space-4', '1.125rem'],
  ['other letters', '--font-voice', 'sans-serif'],
];

for (const [what, token, value] of CHANGES) {
  test(`a change is seen: ${what}`, { skip }, async (t) => {
    const { page } = await opened(WAYS[0]?.[1] ?? {});
    await openPanel(page);
    await page.evaluate(([name, changed]) => document.documentElement.style.setProperty(name ?? '', changed ?? ''), [token, value]);
    const found = await compared('desktop-light-panel', await picture(page));
    t.diagnostic(found.words);
    assert.equal(found.alike, false, `${token}: ${value} is seen`);
  });
}
