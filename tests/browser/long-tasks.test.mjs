/** The main thread is never held up: no task over 50 ms while loading, scoring, drawing, typing, comparing, writing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedArtefact } from './helper/changed.mjs';
import { artefactJson, freshPage, host, hostMock, launch, listShown, mockJson, PATIENCE, rows, settled } from './helper/harness.mjs';
import { LONG, longestTasks, median } from './helper/long-tasks.mjs';

const users = await artefactJson('users.json');
const catalogue = await artefactJson('catalogue.json');
const browser = await launch();
const { url } = await host();

/** What the browser itself calls a long task, by the clock on the wall. @param {import('playwright-core').Page} page */
async function observed(page) {
  await page.addInitScript(() => {
    const durations = (/** @type {any} */ (window).__long = /** @type {number[]} */ ([]));
    new PerformanceObserver((list) => durations.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
  });
  return () => page.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (window).__long));
}

/** Letter by letter, as a visitor does. @param {import('playwright-core').Page} page @param {string} name @param {string} text */
const typed = (page, name, text) => async () => {
  await page.getByRole('combobox', { name }).click();
  await page.keyboard.type(text, { delay: 20 });
  await page.locator('.search-option:visible').first().waitFor();
  for (const _ of text) await page.keyboard.press('Backspace');
  await page.keyboard.press('Escape');
};

/** A visit as a list of steps, each under a name. @param {import('playwright-core').Page} page @returns {[string, () => Promise<unknown>][]} */
function visit(page) {
  const chip = (/** @type {number} */ at) => async () => {
    await page.locator('.chip').nth(at).click();
    await page.locator('.chip').nth(at).and(page.locator('[aria-pressed="true"]')).waitFor();
    await listShown(page);
  };
  return [
    ['loading, first list', async () => {
      await page.goto(`${url}?backend=cpu`);
      await listShown(page);
    }],
    ['another viewer', chip(1)],
    ['the viewer with the longest history', async () => {
      const longest = users.reduce((/** @type {number} */ best, /** @type {any} */ user, /** @type {number} */ at) => (user.history.length > users[best].history.length ? at : best), 0);
      await page.evaluate((key) => (location.hash = `#${new URLSearchParams({ user: key })}`), users[longest].key);
      await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'false');
      await listShown(page);
    }],
    ['show more', async () => {
      await page.getByRole('button', { name: /^Show \d+ more$/ }).click();
      await rows(page).nth(10).waitFor();
    }],
    ['a drawer', async () => {
      await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
      await rows(page).first().locator('.probe-table').first().waitFor();
    }],
    ['find a viewer', typed(page, 'Find a viewer', '1')],
    ['what if', () => page.getByRole('button', { name: 'What if …?' }).click()],
    ['all of the history', async () => {
      const all = page.getByRole('button', { name: /^Show all/ });
      if ((await all.count()) > 0) await all.click();
    }],
    ['a title taken out', async () => {
      await page.locator('[data-do="remove"]').first().click();
      await page.locator('.moves-note:not([hidden])').waitFor();
      await listShown(page);
    }],
    ['why not', typed(page, 'Why not this one?', 'the')],
    ['counterfactual', async () => {
      await page.getByRole('button', { name: 'What would change the first place?' }).click();
      await page.locator('.answer:not([aria-busy]) p').first().waitFor();
    }],
    ['models compared', async () => {
      await page.getByRole('button', { name: 'Compare the models' }).click();
      await page.locator('.compare-column').first().waitFor();
    }],
    ['compared, another viewer', async () => {
      const lists = await page.locator('.compare-columns').textContent();
      await chip(2)();
      await page.waitForFunction((before) => (document.querySelector('.compare-columns')?.textContent ?? before) !== before, lists);
    }],
    ['own taste', async () => {
      await page.locator('.chip-own').click();
      await page.locator('#viewer-heading', { hasText: 'Your own taste' }).waitFor();
      await settled(page);
    }],
    ['own taste, typing', typed(page, 'Add a title', 'the')],
    ['own taste, a title', async () => {
      await page.getByRole('combobox', { name: 'Add a title' }).fill(catalogue[0].title);
      await page.keyboard.press('Enter');
      await page.locator('.history-row').first().waitFor();
      await listShown(page);
    }],
    ['a pattern and reasons written', async () => {
      await page.locator('#write-pattern').click();
      await page.locator('.own-reasons', { hasText: /^\d+ reasons? written for you\./ }).waitFor({ timeout: 4 * PATIENCE });
    }],
    ['a pattern and reasons written anew', async () => {
      const { hash } = new URL(page.url());
      await page.getByRole('combobox', { name: 'Add a title' }).fill(catalogue[1].title);
      await page.keyboard.press('Enter');
      await page.waitForFunction((before) => location.hash !== before, hash, { timeout: PATIENCE });
      await listShown(page);
      await page.locator('.own-reasons', { hasText: /^\d+ reasons? written for you\./ }).waitFor({ timeout: 4 * PATIENCE });
    }],
    ['timing panel, measuring', async () => {
      await page.locator('.badge summary').click();
      await page.getByRole('button', { name: 'Measure again' }).click();
      await page.getByText('Scored this list').waitFor();
    }],
  ];
}
/** Visits of which the one in the middle counts, step by step, where the first has a long task: by chance one meets a large garbage collection. */
const VISITS = 3;

/**
 * Goes a visit, and twice more where it has a long task; fails where a step has one in most of them.
 * @param {import('node:test').TestContext} t
 * @param {(page: import('playwright-core').Page) => [string, () => Promise<unknown>][]} visit
 */
async function without(t, visit) {
  /** Milliseconds of each visit's longest task, by step. @type {Map<string, number[]>} */
  const longest = new Map();
  const long = () => [...longest].filter(([, visits]) => median(visits) > LONG).map(([name, visits]) => `${name}: ${told(visits)}`);
  const told = (/** @type {number[]} */ visits) => `${visits.map((most) => most.toFixed(1)).join(', ')} ms`;
  for (let times = 0; times < VISITS && (times === 0 || long().length > 0); times += 1) {
    const { page, context, manners } = await freshPage(browser);
    const observer = await observed(page);
    for (const [name, most] of await longestTasks(browser, page, visit(page))) longest.set(name, [...(longest.get(name) ?? []), most]);
    assert.deepEqual(manners.pageErrors, []);
    t.diagnostic(`by the clock, waits for the processor and the test’s own work included, the browser saw ${(await observer()).length} long tasks`);
    await context.close();
  }
  for (const [name, visits] of longest) t.diagnostic(`${name}: ${told(visits)}`);
  assert.deepEqual(long(), []);
}

test('no task of the main thread takes over 50 ms', (t) => without(t, visit));

/** As many as wanted, the same ones over and over. @param {any[]} some @param {number} count @param {(one: any, at: number) => any} [each] */
const many = (some, count, each = (one) => one) => Array.from({ length: count }, (_, at) => each(some[at % some.length], at));

test('nor with 10,000 titles and 2,000 viewers', async (t) => {
  const [titles, people, texts] = await Promise.all(['catalogue.json', 'users.json', 'reasons.json'].map(mockJson));
  const large = await hostMock(
    changedArtefact(() => {}, {
      'catalogue.json': many(titles, 10_000, (one, at) => ({ ...one, key: `k${at}`, title: `${one.title} ${at}` })),
      'reasons.json': many(texts, 10_000),
      'users.json': many(people, 2000, (one, at) => ({ ...one, key: `viewer-${at}` })),
    }),
  );
  await without(t, (page) => [
    ['loading, first list', async () => {
      await page.goto(`${large.url}?backend=cpu#user=viewer-1`);
      await listShown(page);
    }],
    ['why not', typed(page, 'Why not this one?', 'qu')],
    ['find a viewer', typed(page, 'Find a viewer', '1')],
  ]);
});

test('nor with 500 titles in a history', async (t) => {
  const people = await mockJson('users.json');
  const long = many(people[0].history, 500, ({ item }, at) => ({ item, time: 1_500_000_000 + at * 86_400 }));
  const large = await hostMock(changedArtefact(() => {}, { 'users.json': [{ ...people[0], history: long }, ...people.slice(1)] }));
  await without(t, (page) => [
    ['loading, first list', async () => {
      await page.goto(`${large.url}?backend=cpu#user=${people[0].key}`);
      await listShown(page);
    }],
    ['what if', () => page.getByRole('button', { name: 'What if …?' }).click()],
    ['all of the history', async () => {
      await page.getByRole('button', { name: /^Show all/ }).click();
      await page.locator('.history-row').nth(long.length - 1).waitFor({ state: 'attached' });
    }],
    ['a title taken out', async () => {
      await page.locator('[data-do="remove"]').first().click();
      await page.locator('.moves-note:not([hidden])').waitFor();
      await listShown(page);
    }],
  ]);
});

test('a step counts by the visit in the middle: one long task of three is let pass, and two are not', () => {
  assert.equal(median([60]), 60);
  assert.equal(median([60, 20]), 60, 'nothing is known after two');
  assert.equal(median([60, 20, 30]), 30);
  assert.equal(median([60, 20, 70]), 60);
});

test('a task of 60 ms is caught, and one of 25 ms is not', async (t) => {
  const { page } = await freshPage(browser);
  const observer = await observed(page);
  /** Work of so many milliseconds of an undisturbed processor. @param {number} milliseconds */
  const busy = (milliseconds) => () =>
    page.evaluate((wanted) => {
      const work = (/** @type {number} */ rounds) => {
        let state = 1;
        for (let round = 0; round < rounds; round += 1) state = (Math.imul(state, 1664525) + 1013904223) | 0;
        return state;
      };
      const took = (/** @type {number} */ rounds) => {
        const began = performance.now();
        work(rounds);
        return performance.now() - began;
      };
      // Short stretches, of which the fastest was not interrupted, tell how many rounds a millisecond has.
      const stretch = 1 << 20;
      /** @type {Promise<number>} */
      const fastest = new Promise((resolve) => {
        let best = Infinity;
        const again = (/** @type {number} */ left) => {
          best = Math.min(best, took(stretch));
          if (left > 0) setTimeout(again, 0, left - 1);
          else resolve(best);
        };
        again(60);
      });
      return fastest.then((best) => new Promise((resolve) => setTimeout(() => resolve(work(Math.round((stretch * wanted) / best))), 0)));
    }, milliseconds);
  const longest = await longestTasks(browser, page, [
    ['opening', () => page.goto(url).then(() => listShown(page))],
    ['short', busy(25)],
    ['long', busy(60)],
  ]);
  for (const [name, most] of longest) t.diagnostic(`${name}: ${most.toFixed(1)} ms`);
  assert.ok((await observer()).some((duration) => duration >= 60), 'the browser saw it too');
  assert.ok((longest.get('long') ?? 0) > LONG, `${longest.get('long')} ms`);
  assert.ok((longest.get('short') ?? Infinity) < LONG, `${longest.get('short')} ms`);
});
