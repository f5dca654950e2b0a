/**
 * The service worker: keeps the page and its artefact on the device, so that the next visit needs no download and no connection.
 * It is registered once the first list stands. What it does with a request stands in keeper-answer.js, what it keeps in
 * keeper-bring.js, and how in keeper-releases.js and keeper-store.js.
 *
 * Messages from a page: {ask: 'standing', code, groups} once its list stands and whenever it has fetched another group, {ask:
 * 'forget'}. Messages to pages: {kept} with what `standing` says, {hitch} where nothing could be kept, {forgotten: true}.
 */
import { ROOT } from './build.js';
import { answer } from './keeper-answer.js';
import { asHitch, bring, bringGroups, forget, standing, tidy } from './keeper-bring.js';
import { known } from './keeper-releases.js';

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** The pages of this folder that are open. */
const pages = async () => (await worker.clients.matchAll({ type: 'window', includeUncontrolled: true })).filter(({ url }) => url.startsWith(ROOT.href));

/** @param {object} message */
const tellAll = async (message) => (await pages()).forEach((page) => page.postMessage(message));

worker.addEventListener('install', (event) => {
  const arrive = async () => {
    try {
      await bring();
    } catch (thrown) {
      await tellAll({ hitch: asHitch(thrown) });
      throw thrown; // without files a service worker is of no use: the browser drops this one
    }
  };
  // A newer service worker brings nothing and takes over nothing: the one at work serves any release, until its pages are closed.
  if (worker.registration.active === null) event.waitUntil(arrive());
});

worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (event) => answer(event, async () => tellAll({ kept: await standing() })));

worker.addEventListener('message', (event) => {
  const { ask, code, groups } = event.data ?? {};
  const page = /** @type {Client|null} */ (event.source);
  if (ask === 'standing') event.waitUntil(stand(page, String(code), groups));
  if (ask === 'forget') {
    const leave = async () => {
      await forget();
      await worker.registration.unregister();
      page?.postMessage({ forgotten: true });
    };
    event.waitUntil(leave());
  }
});

/** @param {Client|null} page @param {string} code @param {string[]} groups */
async function stand(page, code, groups) {
  page?.postMessage({ kept: await standing() });
  try {
    // A page that asks, and of which nothing is kept, came after all was forgotten.
    if ((await known()).current === null) await bring();
    if ((await pages()).length === 1) await tidy(code);
    await bringGroups(code, Array.isArray(groups) ? groups : []);
  } catch (thrown) {
    console.info('curec: not all of it was kept', asHitch(thrown));
  }
  page?.postMessage({ kept: await standing() });
}
