/**
 * What every browser test needs: the built folder, a server, a Chromium, and a page that keeps a record of its manners.
 *
 * Environment: CUREC_DIST (built folder, ../../dist), CUREC_MOCK=1 (test the page over the mock scorer instead),
 * CUREC_ARTEFACT (another artefact folder to serve, e.g. a tiny one), CHROMIUM (browser), CUREC_SCREENSHOTS (folder to write).
 */
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { buildMock } from '../mock/build.mjs';
import { serve } from './server.mjs';

export const mock = process.env.CUREC_MOCK === '1';
/** A real wasm scorer on a busy machine, or SwiftShader compiling shaders, takes its time. */
export const PATIENCE = mock ? 15_000 : 180_000;

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
export const SWIFTSHADER_FLAGS = ['--enable-unsafe-webgpu'];

const here = fileURLToPath(new URL('.', import.meta.url));

/** @type {Promise<string>|null} */
let mocked = null;

/** The page over the mock scorer, laid out once. */
const mockFolder = () =>
  (mocked ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), 'curec-mock-'));
    await buildMock(folder);
    return folder;
  })());

/** What is open. Closed once all tests are done: what a test itself asks to be done "after" may be counted to another test, which is over. @type {(() => Promise<unknown>)[]} */
const open = [];
after(async () => {
  await Promise.all(open.map((close) => close()));
  if (mocked) await rm(await mocked, { recursive: true, force: true });
});

async function builtFolder() {
  if (mock) return mockFolder();
  const folder = resolve(process.env.CUREC_DIST ?? join(here, '../../../dist'));
  await access(join(folder, 'index.html')).catch(() => {
    throw new Error(`${folder} holds no built page: run "cargo xtask dist" first, or set CUREC_DIST, or CUREC_MOCK=1`);
  });
  return folder;
}

export const dist = await builtFolder();
export const artefactFolder = process.env.CUREC_ARTEFACT ?? join(dist, 'artefact');

/** @param {string} name a JSON file of the mock's artefact */
export const mockJson = async (name) => JSON.parse(await readFile(join(await mockFolder(), 'artefact', name), 'utf8'));

/** @param {string} name a JSON file of the artefact */
export const artefactJson = async (name) => JSON.parse(await readFile(join(artefactFolder, name), 'utf8'));

/** @param {string[]} [flags] */
export async function launch(flags = []) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...FLAGS, ...flags],
  });
  open.push(() => browser.close());
  return browser;
}

/** @param {Record<string, import('./server.mjs').Rule>} [rules] */
export async function host(rules = {}) {
  const server = await serve(dist, { rules, artefact: process.env.CUREC_ARTEFACT });
  open.push(() => server.close());
  return server;
}

/**
 * The page over the mock scorer, whatever else is tested: for what depends on no real score, and must be the same everywhere.
 * @param {Record<string, import('./server.mjs').Rule>} [rules]
 */
export async function hostMock(rules = {}) {
  const server = await serve(await mockFolder(), { rules });
  open.push(() => server.close());
  return server;
}

/**
 * A fresh page in its own context. `manners` collects whatever a well-behaved page would not do.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function freshPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  /** @type {{consoleErrors: string[], pageErrors: string[], foreign: string[], requests: string[]}} */
  const manners = { consoleErrors: [], pageErrors: [], foreign: [], requests: [] };
  // Violations of the content security policy are reported on the console as errors, those of the worker included.
  context.on('console', (message) => {
    if (message.type() === 'error') manners.consoleErrors.push(message.text());
  });
  page.on('pageerror', (error) => manners.pageErrors.push(String(error)));
  context.on('request', (request) => {
    manners.requests.push(request.url());
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'data:' && hostname !== '127.0.0.1') manners.foreign.push(request.url());
  });
  return { page, context, manners };
}

/** @param {import('playwright-core').Page} page resolves when a ranked list stands there */
export const listShown = (page) => page.locator('#ranking[aria-busy="false"] .recommendation').first().waitFor();

/** The same, or that nothing was picked yet. @param {import('playwright-core').Page} page */
export const settled = (page) => page.locator('#ranking[aria-busy="false"] :is(.recommendation, .recommendations > .muted)').first().waitFor();

/** @param {import('playwright-core').Page} page */
export const rows = (page) => page.locator('.recommendation');

/** The workers that score for a page, newest last; their helpers are others. @param {import('playwright-core').Page} page */
export const scorers = (page) => page.workers().filter((worker) => new URL(worker.url()).pathname.endsWith('/worker.js'));

/** @param {import('playwright-core').Page} page */
export const scorer = (page) => scorers(page).at(-1);

/** How far the page is wider than its window, in pixels. @param {import('playwright-core').Page} page */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
