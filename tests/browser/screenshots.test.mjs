/**
 * Pictures of the page at two widths and in both themes, written to $CUREC_SCREENSHOTS where that is set (`cargo xtask test` does); and
 * README's among them, as page.png in few colours, which `cargo xtask screenshots` takes over.
 */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PNG } from 'pngjs';
import { freshPage, host, launch, listShown, rows } from './helper/harness.mjs';
import { palettePng } from './helper/palette-png.mjs';

const folder = process.env.CUREC_SCREENSHOTS ?? '';

/** The page's beginning, down to the first suggestions and their reasons. */
const README_HEIGHT = 1480;
/** What a clone of the repository can well carry. */
const README_BYTES = 250_000;

test('screenshots', { skip: !folder && 'CUREC_SCREENSHOTS is not set' }, async (t) => {
  await mkdir(folder, { recursive: true });
  const browser = await launch();
  const { url } = await host();
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [device, width, height] of /** @type {const} */ ([['desktop', 1280, 900], ['phone', 360, 780]])) {
      const { page, context } = await freshPage(browser, { viewport: { width, height }, colorScheme, deviceScaleFactor: device === 'phone' ? 2 : 1 });
      await page.goto(url);
      await listShown(page);
      const save = (/** @type {string} */ name, fullPage = false) => page.screenshot({ path: join(folder, `${device}-${colorScheme}-${name}.png`), fullPage });
      await save('first');
      if (device === 'desktop' && colorScheme === 'light') {
        await page.setViewportSize({ width, height: README_HEIGHT });
        const picture = palettePng(PNG.sync.read(await page.screenshot()));
        t.diagnostic(`page.png: ${picture.length} bytes`);
        assert.ok(picture.length < README_BYTES, `page.png has ${picture.length} bytes`);
        await writeFile(join(folder, 'page.png'), picture);
        await page.setViewportSize({ width, height });
      }
      await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
      await save('whole', true);
      await page.getByRole('combobox', { name: 'Find a viewer' }).click();
      await save('search');
      await context.close();
    }
  }
  const made = await readdir(folder);
  for (const device of ['desktop', 'phone'])
    for (const scheme of ['light', 'dark'])
      for (const name of ['first', 'whole', 'search']) assert.ok(made.includes(`${device}-${scheme}-${name}.png`));
});
