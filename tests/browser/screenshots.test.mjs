/** Pictures of the page at two widths and in both themes, written to $CUREC_SCREENSHOTS where that is set. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshPage, host, launch, listShown, rows } from './helper/harness.mjs';

const folder = process.env.CUREC_SCREENSHOTS;

test('screenshots', { skip: !folder && 'CUREC_SCREENSHOTS is not set' }, async () => {
  await mkdir(/** @type {string} */ (folder), { recursive: true });
  const browser = await launch();
  const { url } = await host();
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [device, width, height] of /** @type {const} */ ([['desktop', 1280, 900], ['phone', 360, 780]])) {
      const { page, context } = await freshPage(browser, { viewport: { width, height }, colorScheme, deviceScaleFactor: device === 'phone' ? 2 : 1 });
      await page.goto(url);
      await listShown(page);
      const save = (/** @type {string} */ name, fullPage = false) =>
        page.screenshot({ path: join(/** @type {string} */ (folder), `${device}-${colorScheme}-${name}.png`), fullPage });
      await save('first');
      if (device === 'desktop') {
        // docs/page.png is desktop-light-readme.png of the built-in world's page.
        await page.setViewportSize({ width, height: 1480 });
        await save('readme');
        await page.setViewportSize({ width, height });
      }
      await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
      await save('whole', true);
      await page.getByRole('combobox', { name: 'Find a viewer' }).click();
      await save('search');
      await context.close();
    }
  }
});
