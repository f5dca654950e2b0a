/** A page of one's own taste in which the language model writes, and writers that take their time or fail when a test wants them to. */
import { catalogue, open as openAsked, spelled, url, users } from './asked.mjs';
import { host, listShown, PATIENCE, rows, scorer } from './harness.mjs';
import { appended } from './trouble.mjs';

export { catalogue, url, users };

/** Three titles that somebody took. */
const picks = users[1].history.slice(0, 3).map((/** @type {{item: number}} */ { item }) => item);
export const ownTaste = `#history=${picks.map(spelled).join('%2C')}`;

/** @param {string} hash @param {string} [address] @param {import('playwright-core').BrowserContextOptions} [options] */
export async function open(hash, address = url, options = {}) {
  const fresh = await openAsked(hash, options, address);
  await listShown(fresh.page);
  return fresh;
}

/** @param {import('playwright-core').Page} page */
export const listed = (page) => rows(page).evaluateAll((found) => found.map((row) => [Number(row.getAttribute('data-item')), (row.querySelector('.facts')?.textContent ?? '').replace(/ \(was .+?\)/, '')]));

/** The pattern that was written, once the list reads it. @param {import('playwright-core').Page} page */
export async function writtenPattern(page) {
  await page.locator('.pattern[data-written]').waitFor({ timeout: PATIENCE });
  await listShown(page);
  return page.locator('.pattern[data-written] .voice').innerText();
}

/** Some of a pattern that is being written stands there. @param {import('playwright-core').Page} page */
export const growing = (page) => page.locator('.pattern[data-writing] .voice', { hasText: /./ }).waitFor({ timeout: PATIENCE });

/** @param {import('playwright-core').Page} page */
export const stop = (page) => page.getByRole('button', { name: 'Stop', exact: true });

/** What listeners were last told of the pattern. @param {import('playwright-core').Page} page */
export const told = (page) => page.locator('.pattern-live [role="status"]').textContent();

/** Presses buttons one after another before the page can answer any. @param {import('playwright-core').Page} page @param {...string} selectors */
export const pressAtOnce = (page, ...selectors) =>
  page.evaluate((wanted) => {
    for (const selector of wanted) /** @type {HTMLButtonElement} */ (document.querySelector(selector)).click();
  }, selectors);

export const reasonsWritten = (/** @type {import('playwright-core').Page} */ page) => page.locator('.own-reasons', { hasText: /^5 reasons written for (you|this viewer)\./ }).waitFor({ timeout: 4 * PATIENCE });

/** Appended to the writer's module: it takes its time, and throws two drafts of each text away first. @param {number} each milliseconds of a word @param {number} words of such a draft */
const slowly = (each, words) => {
  // @ts-expect-error the module's own classes
  const { Draft: drafts, Writer: writers } = { Draft, Writer };
  const { advance } = drafts.prototype;
  const said = new WeakMap();
  drafts.prototype.advance = async function () {
    await new Promise((resolve) => setTimeout(resolve, each));
    const at = said.get(this) ?? 0;
    said.set(this, at + 1);
    if (at < 2 * words) return { text: 'bogus '.repeat((at % words) + 1), attempt: 1 + Math.floor(at / words), written: null };
    return { ...(await advance.call(this)), attempt: 3 };
  };
  // What is asked for.
  const worker = /** @type {any} */ (globalThis);
  worker.__patterns = [];
  worker.__reasons = [];
  const { pattern, reason } = writers.prototype;
  writers.prototype.pattern = function (/** @type {any[]} */ ...question) {
    worker.__patterns.push(question[1]);
    return pattern.apply(this, question);
  };
  writers.prototype.reason = function (/** @type {any[]} */ ...question) {
    worker.__reasons.push(question[1]);
    return reason.apply(this, question);
  };
};

/**
 * A server's rules by which the writer takes its time, and keeps a record of the seeds and titles it was asked for.
 * @param {number} each milliseconds of a word @param {number} [words] of each of two drafts that are thrown away first
 */
export const slow = (each, words = 0) => appended('/curec-web-writer.js', `(${slowly})(${each}, ${words});`);

/** A server whose writer takes its time. @param {number} each milliseconds of a word @param {number} [words] of each of two drafts that are thrown away first */
export const hostSlow = (each, words = 0) => host(slow(each, words));

/** The service worker would not let another module pass. @type {import('playwright-core').BrowserContextOptions} */
export const UNKEPT = { serviceWorkers: 'block' };

/** Appended to the writer's module: its next token traps, in a task that nobody awaits. */
const trap = () => {
  const worker = /** @type {any} */ (globalThis);
  worker.__traps ??= 1;
  // @ts-expect-error the module's own class
  const { prototype } = Draft;
  const { advance } = prototype;
  prototype.advance = function () {
    if (worker.__traps <= 0) return advance.call(this);
    worker.__traps -= 1;
    setTimeout(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
    return new Promise(() => {});
  };
};

/** A server's rules by which the writer's first token traps, unless a test says otherwise. */
export const trapping = appended('/curec-web-writer.js', `(${trap})();`);

/** How many of the tokens to come shall trap. @param {import('playwright-core').Page} page @param {number} tokens */
export const trapNext = (page, tokens) => scorer(page)?.evaluate((count) => void (/** @type {any} */ (globalThis).__traps = count), tokens);

/** Ends the scorer's worker, as a browser does that is short of memory. @param {import('playwright-core').Page} page */
export const kill = (page) => scorer(page)?.evaluate(() => self.close()).catch(() => {});

/** A worker that ends while nobody waits for it: another one has made the list anew. @param {import('playwright-core').Page} page */
export async function replaced(page) {
  await kill(page);
  await page.locator('#ranking[aria-busy="true"]').waitFor();
  await listShown(page);
}

/** Something to wait for, and what ends the wait. */
export function gate() {
  let go = () => {};
  const until = new Promise((resolve) => {
    go = () => resolve(undefined);
  });
  return { until, go };
}
