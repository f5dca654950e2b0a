/**
 * Pictures of the page held against committed ones. They can only agree where the same fonts are drawn, so these are written down
 * beside the pictures. So is the browser's version: others draw alike until one does not, and then it is the first to be suspected.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { palettePng } from './palette-png.mjs';

/** @typedef {import('playwright-core').Page} Page */

export const FOLDER = fileURLToPath(new URL('../snapshots/', import.meta.url));
const MADE_WITH = join(FOLDER, 'made-with.json');

/** Two colours that differ by less look the same: 1 is black against white. */
const THRESHOLD = 0.03;
/** Of the whole picture: letters hinted otherwise on another machine. */
const MOST_PIXELS = 0.01;
/** Of any square of this side: something small has another colour or another place. */
const SQUARE = 32;
const MOST_OF_SQUARE = 0.3;

/** The browser and its fonts: what a text's look and width depend on. @param {Page} page @param {string} version of the browser */
export async function drawnWith(page, version) {
  const session = await page.context().newCDPSession(page);
  await session.send('DOM.enable');
  await session.send('CSS.enable');
  const { root } = await session.send('DOM.getDocument');
  const names = await Promise.all(
    ['.lead', 'h1'].map(async (selector) => {
      const { nodeId } = await session.send('DOM.querySelector', { nodeId: root.nodeId, selector });
      const { fonts } = await session.send('CSS.getPlatformFontsForNode', { nodeId });
      return fonts.map(({ familyName }) => familyName).join(', ');
    }),
  );
  await session.detach();
  const widths = await page.evaluate(() => {
    const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));
    const style = getComputedStyle(document.documentElement);
    return ['--font-page', '--font-voice'].flatMap((token) =>
      [400, 700].map((weight) => {
        pen.font = `${weight} 100px ${style.getPropertyValue(token)}`;
        return Math.round(pen.measureText('Hamburgefonstiv 0123456789 ▲▼✕').width);
      }),
    );
  });
  return { chromium: version.split('.')[0] ?? '', platform: process.platform, fonts: names, widths };
}

const madeWith = () => readFile(MADE_WITH, 'utf8').then(JSON.parse, () => null);

/** What to know of a picture that is not as it should be. @param {{chromium: string}} here */
export async function suspicion({ chromium }) {
  const then = (await madeWith())?.chromium;
  return then === chromium ? '' : ` (drawn by Chromium ${chromium}, the committed one by ${then})`;
}

/** Why the committed pictures cannot be compared with; null where they can. @param {Awaited<ReturnType<typeof drawnWith>>} here @returns {Promise<string|null>} */
export async function differsFromBaselines(here) {
  const then = await madeWith();
  if (!then) return 'there are no pictures yet: make them with UPDATE_SNAPSHOTS=1';
  const other = Object.keys(here).filter((name) => name !== 'chromium' && JSON.stringify(then[name]) !== JSON.stringify(/** @type {any} */ (here)[name]));
  return other.length === 0 ? null : `the pictures were made with ${JSON.stringify(then)}, here it is ${JSON.stringify(here)}`;
}

/** @param {Awaited<ReturnType<typeof drawnWith>>} here */
export async function noteWhatTheyAreMadeWith(here) {
  await mkdir(FOLDER, { recursive: true });
  await writeFile(MADE_WITH, `${JSON.stringify(here, null, 2)}\n`);
}

/**
 * A picture of what stands in the window, with nothing in it that differs from run to run: no measured number, no caret, no motion,
 * nothing under the pointer.
 * @param {Page} page
 */
export async function picture(page) {
  await page.mouse.move(0, 0);
  await page.evaluate(async () => {
    await document.fonts.ready;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = /** @type {Text} */ (texts.currentNode);
      const fixed = node.data.replace(/\b[\d.]+ (ms|s|kB|MB)\b/g, (_, unit) => `12 ${unit === 's' ? 'ms' : unit === 'kB' ? 'MB' : unit}`);
      if (fixed !== node.data) node.data = fixed;
    }
    // Two frames: one that lays out what was changed, one that has drawn it.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  });
  return page.screenshot({ animations: 'disabled', caret: 'hide', scale: 'css' });
}

/** @param {string} name @param {Buffer} shot */
export async function keep(name, shot) {
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, `${name}.png`), palettePng(PNG.sync.read(shot)));
}

/**
 * How a picture differs from the committed one.
 * @param {string} name @param {Buffer} shot
 * @returns {Promise<{alike: boolean, words: string, diff: Buffer|null}>}
 */
export async function compared(name, shot) {
  const file = await readFile(join(FOLDER, `${name}.png`)).catch(() => null);
  if (!file) return { alike: false, words: `${name}.png is not there`, diff: null };
  const [expected, found] = [PNG.sync.read(file), PNG.sync.read(shot)];
  const { width, height } = expected;
  if (width !== found.width || height !== found.height) return { alike: false, words: `${found.width} × ${found.height} pixels instead of ${width} × ${height}`, diff: null };
  const diff = new PNG({ width, height });
  const differing = (/** @type {object} */ options) => pixelmatch(expected.data, found.data, diff.data, width, height, { threshold: THRESHOLD, ...options });
  const square = differing({ windowSize: SQUARE }) / SQUARE ** 2;
  const whole = differing({}) / (width * height);
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(2)} %`;
  const words = `${percent(whole)} of the pixels differ, and ${percent(square)} of a square of ${SQUARE}`;
  return { alike: whole <= MOST_PIXELS && square <= MOST_OF_SQUARE, words, diff: PNG.sync.write(diff) };
}
