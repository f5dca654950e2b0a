/** Answers that there is nothing to find: in the mock there are viewers whose first place no title holds up alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, hostMock, launch, listShown, mockJson, rows } from './helper/harness.mjs';

const browser = await launch();
const { url } = await hostMock();
const users = await mockJson('users.json');

/** What is answered to what would change the first place. @param {string} hash */
async function answered(hash) {
  const { page, manners } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu${hash}`);
  await listShown(page);
  await page.getByRole('button', { name: 'What would change the first place?' }).click();
  await page.locator('.answer:not([aria-busy]) p').first().waitFor();
  const words = await page.locator('.answer > *').allInnerTexts();
  const first = await rows(page).first().locator('h3').innerText();
  assert.equal(await page.locator('.answer').getAttribute('role'), 'status', 'whoever listens hears it');
  assert.deepEqual(manners.pageErrors, []);
  return { words, first };
}

for (const key of ['viewer-06', 'viewer-10']) {
  test(`a first place that nothing changes within three titles: ${key}`, async () => {
    const { words, first } = await answered(`#user=${key}`);
    const { length } = users.find((/** @type {{key: string}} */ user) => user.key === key).history;
    assert.deepEqual(words, [`None found: without any 3 titles or fewer that were tried, ${first} stays first.`, `${length} combinations were tried, each scored again.`], 'and no list to show');
  });
}

test('a first place that no title of a history holds up: there is none', async () => {
  const { words } = await answered('#user=viewer-06&history=');
  assert.deepEqual(words, ['There is no history to take anything from.']);
});
