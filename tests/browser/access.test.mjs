/** For whoever does not see, point, or move as the designers did: keyboard, 400 % zoom, reduced motion, live regions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshPage, host, hostMock, launch, listShown, overflow, rows } from './helper/harness.mjs';
import { journeys, travel } from './helper/states.mjs';

/** @typedef {import('playwright-core').Page} Page */

const browser = await launch();
const { url } = await host();

/** What has the focus, and whether one can see that it has it. @param {Page} page */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!(element instanceof HTMLElement) || element === document.body) return null;
    const style = getComputedStyle(element);
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    const points = [[left + width / 2, top + height / 2], [left + 3, top + 3], [right - 3, bottom - 3]];
    const uncovered = points.some(([x = 0, y = 0]) => {
      const there = document.elementFromPoint(x, y);
      return there !== null && (element.contains(there) || there.contains(element));
    });
    const all = [...document.querySelectorAll('*')];
    return {
      name: `${element.tagName.toLowerCase()}.${element.className}#${element.id} ${(element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)}`,
      place: all.indexOf(element),
      outlined: style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2,
      inSight: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
      uncovered,
      // 2.5.8: 24 by 24, or a link within a sentence.
      large: (width >= 24 && height >= 24) || (element.tagName === 'A' && style.display === 'inline'),
      toggle: element.classList.contains('button-why'),
    };
  });

/** Presses a key until something holds of what has the focus; checks every stop on the way. @param {Page} page @param {string} key @param {(stop: NonNullable<Awaited<ReturnType<typeof focused>>>) => boolean} until */
async function walk(page, key, until) {
  const forward = key === 'Tab';
  /** @type {string[]} */
  const names = [];
  for (let before = forward ? -1 : Infinity; names.length < 200; ) {
    await page.keyboard.press(key);
    const stop = await focused(page);
    assert.ok(stop, `after ${names.at(-1)} the focus is nowhere`);
    assert.ok(stop.outlined, `${stop.name} shows that it has the focus`);
    assert.ok(stop.inSight && stop.uncovered, `${stop.name} can be seen`);
    assert.ok(stop.large, `${stop.name} is 24 pixels wide and high`);
    assert.ok(forward ? stop.place > before : stop.place < before, `${stop.name} follows ${names.at(-1)} in the order of the page`);
    names.push(stop.name);
    before = stop.place;
    if (until(stop)) return names;
  }
  return assert.fail(`walked past ${names.length} stops`);
}

for (const [device, viewport] of /** @type {const} */ ([['desktop', { width: 1280, height: 900 }], ['phone', { width: 360, height: 780 }]])) {
  test(`by keyboard alone from the top into a drawer and back (${device})`, async (t) => {
    const { page } = await freshPage(browser, { viewport });
    await page.goto(`${url}?backend=cpu`);
    await listShown(page);
    const way = await walk(page, 'Tab', ({ toggle }) => toggle);
    t.diagnostic(`${way.length} stops to the first drawer`);
    assert.match(way[0] ?? '', /Skip to the recommendations/);
    // On a phone the list comes before what can be asked about it.
    const asked = device === 'phone' ? [] : [/What would change/, /why-not/, /Take it along/];
    for (const stop of [/curec, start page/, /summary/, /chip/, /viewer-search/, /Surprise me/, /What if/, ...asked, /What carried it/]) assert.ok(way.some((name) => stop.test(name)), `${stop} is on the way`);
    const toggle = rows(page).first().getByRole('button', { name: /What carried it/ });
    await page.keyboard.press('Enter');
    await rows(page).first().locator('.probe-table').first().waitFor();
    const inside = await rows(page).first().locator('.drawer :is(button, a, summary):visible').count();
    for (let at = 0; at < inside; at += 1) {
      await page.keyboard.press('Tab');
      const stop = await focused(page);
      assert.ok(stop?.outlined && stop.inSight && stop.uncovered && stop.large, JSON.stringify(stop));
      assert.equal(await page.evaluate(() => document.activeElement?.closest('.drawer') !== null), true);
    }
    await page.keyboard.press('Escape');
    assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
    assert.equal(await toggle.evaluate((element) => element === document.activeElement), true, 'Escape leads back to what opened it');
    const back = await walk(page, 'Shift+Tab', ({ name }) => /Skip to/.test(name));
    assert.deepEqual(back.reverse().slice(0, 3), way.slice(0, 3));
  });
}

for (const [device, viewport] of /** @type {const} */ ([['phone', { width: 360, height: 740 }], ['400 %', { width: 320, height: 256 }]])) {
  test(`what has the focus is not below the bar of changes (${device})`, async (t) => {
    const { page } = await freshPage(browser, { viewport });
    await page.goto(`${url}?backend=cpu`);
    await listShown(page);
    await page.getByRole('button', { name: 'What if …?' }).click();
    for (let at = 0; at < 5; at += 1) {
      const hash = new URL(page.url()).hash;
      await page.locator('[data-do="remove"]').first().click();
      await page.waitForFunction((before) => location.hash !== before, hash);
      await listShown(page);
    }
    await page.locator('#ranking-heading').evaluate((heading) => heading.scrollIntoView({ block: 'start', behavior: 'instant' })); // out of sight of the tools that do the same
    await page.locator('.change-bar').waitFor();
    t.diagnostic(`the bar is ${(await page.locator('.change-bar').boundingBox())?.height} pixels high`);
    await page.evaluate(() => (scrollTo({ top: 0, behavior: 'instant' }), document.querySelector('a')?.focus()));
    const way = await walk(page, 'Tab', ({ name }) => /^button.*Show \d+ more/.test(name));
    t.diagnostic(`${way.length} stops`);
    assert.ok(way.some((name) => /remove|Take/i.test(name)), 'through the history');
    await walk(page, 'Shift+Tab', ({ name }) => /Skip to/.test(name));
  });
}

test('the panel of the badge by keyboard: in, through, closed by Escape, and by moving on', async () => {
  const { page } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  await page.locator('.badge summary').focus();
  await page.keyboard.press('Enter');
  const through = await walk(page, 'Tab', ({ name }) => /Measure again/.test(name));
  assert.deepEqual(through.map((name) => name.replace(/^.*# /, '')), ['CPU', 'WebGPU', 'Let the page choose', 'Measure again']);
  await page.keyboard.press('Escape');
  const summary = page.locator('.badge summary');
  assert.equal(await page.locator('.badge-panel').isVisible(), false);
  assert.equal(await summary.evaluate((element) => element === document.activeElement), true);
  await page.keyboard.press('Enter');
  await walk(page, 'Tab', ({ name }) => /Measure again/.test(name));
  await page.keyboard.press('Tab');
  await page.locator('.badge-panel').waitFor({ state: 'hidden' });
  assert.equal((await focused(page))?.uncovered, true, 'it does not lie over what has the focus now');
});

test('a change is announced with what moved', async () => {
  const { page } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  const announcer = page.locator('#announcer');
  assert.equal(await announcer.getAttribute('aria-live'), 'polite');
  await page.getByRole('button', { name: 'What if …?' }).click();
  await page.locator('[data-do="remove"]').first().click();
  await page.locator('.moves-note:not([hidden])').waitFor();
  await listShown(page);
  const note = await page.locator('.moves-note').innerText();
  assert.match(note, /moved/);
  assert.ok((await announcer.textContent())?.endsWith(note), `${await announcer.textContent()}`);
  assert.match((await announcer.textContent()) ?? '', /\d+ suggestions in .*, first is /);
});

test('what a search finds is announced, and nothing of it before somebody types', async () => {
  const { page } = await freshPage(browser);
  await page.goto(`${url}?backend=cpu`);
  await listShown(page);
  const said = page.locator('.search [role="status"]');
  const all = async () => (await said.allTextContents()).filter((words) => words !== '');
  assert.ok((await said.count()) > 1);
  assert.deepEqual(await all(), [], 'silent while the page loads');
  const input = page.getByRole('combobox', { name: 'Why not this one?' });
  await input.focus();
  assert.deepEqual(await all(), [], 'and when the field is only reached');
  await input.pressSequentially('zzzz');
  await page.getByRole('status').filter({ hasText: 'No title like that.' }).waitFor({ state: 'attached' });
  await input.fill('a');
  await page.getByRole('status').filter({ hasText: /^\d+ match|^[\d,]+ matches, the first/ }).waitFor({ state: 'attached' });
  assert.deepEqual(await all(), [await page.locator('#why-not-hint').textContent()]);
  await page.keyboard.press('Escape');
  assert.deepEqual(await all(), []);
});

/** Words that nobody can read: cut by their own box, or beyond the window's edge. @param {Page} page */
const cutOff = (page) =>
  page.evaluate(() => {
    const found = [];
    for (const element of document.body.querySelectorAll('*')) {
      if (!(element instanceof HTMLElement) || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      // For ears only, or a box with a scrollbar of its own.
      if (element.closest('.visually-hidden, .skip-link, [aria-hidden="true"], .table-scroll, svg')) continue;
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim());
      const { left, right } = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      const clips = style.overflowX === 'hidden' || style.overflowX === 'clip';
      if (own && (right > innerWidth + 1 || left < -1)) found.push(`${element.className} “${element.textContent?.slice(0, 40)}” ends at ${Math.round(right)} of ${innerWidth}`);
      if (clips && element.textContent?.trim() && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) found.push(`${element.className} “${element.textContent.slice(0, 40)}” is cut`);
    }
    return found;
  });

test('at 400 % zoom (320 pixels wide) every state fits, and nothing is cut off', async (t) => {
  /** @type {string[]} */
  const found = [];
  let states = 0;
  for (const journey of journeys().filter(({ gpu }) => !gpu)) {
    await travel(browser, journey, { viewport: { width: 320, height: 256 } }, async (state, page) => {
      states += 1;
      const wide = await overflow(page);
      if (wide > 0) found.push(`${state}: ${wide} pixels too wide`);
      found.push(...(await cutOff(page)).map((words) => `${state}: ${words}`));
    });
  }
  t.diagnostic(`${states} states`);
  assert.deepEqual(found, []);
});

test('what is cut off is found', async () => {
  const { page } = await freshPage(browser, { viewport: { width: 320, height: 256 } });
  await page.goto(`${(await hostMock()).url}?backend=cpu`);
  await listShown(page);
  await page.evaluate(() => {
    const lead = /** @type {HTMLElement} */ (document.querySelector('.lead'));
    lead.style.cssText = 'height: 1em; overflow: hidden';
  });
  assert.match((await cutOff(page)).join(), /lead “.*” is cut/s);
});

/** Whatever moves by itself or could move: animations that take time, and transitions. @param {Page} page */
const moving = (page) =>
  page.evaluate(() => [
    ...document.getAnimations().filter((animation) => Number(animation.effect?.getTiming().duration) > 0).map((animation) => `${/** @type {any} */ (animation).animationName ?? 'transition'} runs`),
    ...[...document.querySelectorAll('*')].filter((element) => getComputedStyle(element).transitionDuration.split(', ').some((duration) => Number.parseFloat(duration) > 0)).map((element) => `${element.className} has a transition`),
    ...(getComputedStyle(document.documentElement).scrollBehavior === 'smooth' ? ['scrolling is smooth'] : []),
  ]);

for (const reducedMotion of /** @type {const} */ (['reduce', 'no-preference'])) {
  test(`motion (${reducedMotion})`, async () => {
    /** @type {string[]} */
    const found = [];
    for (const journey of journeys().filter(({ name }) => ['loading', 'loading for somebody', 'without a GPU'].includes(name))) {
      await travel(browser, journey, { reducedMotion }, async (state, page) => void found.push(...(await moving(page)).map((words) => `${state}: ${words}`)));
    }
    if (reducedMotion === 'reduce') assert.deepEqual(found, []);
    else assert.ok(found.some((words) => words.includes('transition')), 'otherwise there is some');
  });
}
