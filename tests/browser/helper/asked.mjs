/** A page of one viewer's list or of one's own taste, the lists it shows, and ways to change them. */
import assert from 'node:assert/strict';
import { artefactJson, freshPage, host, launch, PATIENCE, rows, settled } from './harness.mjs';

export const browser = await launch();
export const { url } = await host();
export const users = await artefactJson('users.json');
export const catalogue = await artefactJson('catalogue.json');
export const reasons = await artefactJson('reasons.json');

/** A title's key as an address writes it. @param {number} item */
export const spelled = (item) => encodeURIComponent(catalogue[item].key.replaceAll('%', '%25').replaceAll(',', '%2C').replaceAll('@', '%40'));

/** @param {string} [hash] @param {import('playwright-core').BrowserContextOptions} [options] @param {string} [address] */
export async function open(hash = `#user=${encodeURIComponent(users[0].key)}`, options = {}, address = url) {
  const fresh = await freshPage(browser, { permissions: ['clipboard-read', 'clipboard-write'], ...options });
  await fresh.page.goto(`${address}?backend=cpu${hash}`);
  // A taste in which nothing was picked has no list yet.
  await settled(fresh.page);
  return fresh;
}

/** @param {import('playwright-core').Page} page @returns {Promise<{item: number, facts: string, move: string}[]>} */
export const listed = (page) =>
  rows(page).evaluateAll((found) =>
    found.map((row) => ({
      item: Number(row.getAttribute('data-item')),
      // Without what the score was before, which a link does not know.
      facts: (row.querySelector('.facts')?.textContent ?? '').replace(/ \(was [\d.]+\)/, ''),
      move: row.querySelector('.move')?.textContent ?? '',
    })),
  );

/** The list after an act that changes it; fails where it stays. @param {import('playwright-core').Page} page @param {() => Promise<void>} act */
export async function afterChange(page, act) {
  const before = JSON.stringify(await listed(page));
  await act();
  for (const end = Date.now() + PATIENCE; Date.now() < end; await page.waitForTimeout(50)) {
    const settled = (await page.locator('#ranking').getAttribute('aria-busy')) === 'false';
    const now = await listed(page);
    if (settled && JSON.stringify(now) !== before) return now;
  }
  return assert.fail('the list stayed as it was');
}

/** @param {import('playwright-core').Page} page */
export const whatIf = (page) => page.getByRole('button', { name: 'What if …?' }).click();

/** Adds a title by the keyboard. @param {import('playwright-core').Page} page @param {string} title */
export async function add(page, title) {
  const input = page.getByRole('combobox', { name: 'Add a title' });
  await input.click();
  await input.fill(title);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
}
