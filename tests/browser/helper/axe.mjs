/**
 * What axe finds on a page as it stands: the rules of WCAG 2.2 A and AA, and axe's own best practice. A name or a description by an
 * element that is not there is among it: axe leaves that for people to judge, and here it is always wrong.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * @param {import('playwright-core').Page} page
 * @param {{contrast?: boolean}} [options] `contrast: false` where the system chooses the colours: axe reads those that the page would have
 * @returns {Promise<string[]>} each with the elements and what is wrong with them
 */
export async function violations(page, { contrast = true } = {}) {
  await page.evaluate(`window.axe || (() => { ${axe} })()`);
  return page.evaluate(async (enabled) => {
    // From the top: what is pinned to the window covers a part of some button or other wherever one has scrolled to.
    const { scrollX, scrollY } = window;
    scrollTo({ top: 0, behavior: 'instant' });
    const found = await /** @type {any} */ (window).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], rules: { 'color-contrast': { enabled } } });
    scrollTo({ left: scrollX, top: scrollY, behavior: 'instant' });
    const dangling = found.incomplete.filter((/** @type {any} */ { id }) => id === 'aria-valid-attr-value');
    return [...found.violations, ...dangling].map((/** @type {any} */ v) => `${v.id}: ${v.nodes.map((/** @type {any} */ n) => n.target + ' ' + n.failureSummary).join(' | ')}`);
  }, contrast);
}
