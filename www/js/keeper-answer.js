/** How the service worker answers a page: from one release, or from the server where none is kept. */
import { ROOT } from './build.js';
import { bring, forget } from './keeper-bring.js';
import { distrust, filesOf, find, known, neededOf, promoted } from './keeper-releases.js';
import { isFile, lasting, missing, put, read } from './keeper-store.js';

/** @typedef {import('./keeper-store.js').KeptFile} KeptFile */

/**
 * Takes the requests that are this page's own files; leaves all others to the browser.
 * @param {FetchEvent} event @param {() => Promise<void>} onBrought told once the server was asked for a newer release, whatever came of it
 */
export function answer(event, onBrought) {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== ROOT.origin || !url.pathname.startsWith(ROOT.pathname)) return;
  const name = url.pathname.slice(ROOT.pathname.length);
  if (request.mode !== 'navigate') event.respondWith(file(request, name, url.searchParams));
  else if (name === '' || name === 'index.html') event.respondWith(page(event, url.searchParams.has('fresh'), onBrought));
}

/**
 * The page itself. While it loads from here, the server is asked whether there is a newer release.
 * @param {FetchEvent} event @param {boolean} fresh forget everything, once the server has answered @param {() => Promise<void>} onBrought
 */
async function page(event, fresh, onBrought) {
  if (fresh) {
    // Without a connection what is stored is all there is.
    const answered = await fetch(event.request).catch(() => null);
    if (answered?.ok) {
      await forget();
      await /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self)).registration.unregister();
      return answered;
    }
  }
  event.waitUntil(
    bring()
      .catch((hitch) => console.info('curec: no newer release was kept', hitch))
      .then(onBrought),
  );
  const release = await promoted().catch(() => null);
  const index = release && filesOf(release).find(({ name }) => name === 'index.html');
  const kept = async () => (index && (await read(index).catch(() => null))) || null;
  // All files of a release or none.
  const whole = release !== null && (await missing(neededOf(release))).length === 0;
  const standing = whole ? await kept() : null;
  if (standing) return standing;
  try {
    return await fetch(event.request);
  } catch (error) {
    const rest = await kept();
    if (rest) return rest;
    throw error;
  }
}

/** @param {Request} request @param {string} name @param {URLSearchParams} query */
async function file(request, name, query) {
  const found = await known().then((releases) => find(releases, name, query)).catch(() => null);
  if (!found) return fetch(request);
  if ('files' in found) return Response.json(found);
  const kept = await read(found).catch(() => null);
  return kept ?? fetchAgain(request, found);
}

/**
 * A file that is not kept, or was damaged. Of what is found by its hash the page checks the contents itself and says what is wrong
 * with them; anything else that is not the right file is refused here, before it can run or be read.
 * @param {Request} request @param {KeptFile} file
 */
async function fetchAgain(request, file) {
  const judged = new URL(request.url).searchParams.has('v');
  const response = await fetch(judged ? request : new Request(request.url, { cache: 'reload' }));
  if (!response.ok || !response.body) {
    if (!judged) await distrust();
    return response;
  }
  /** @type {BlobPart[]} */
  const parts = [];
  const body = response.body.pipeThrough(
    new TransformStream({
      transform(part, controller) {
        parts.push(part);
        controller.enqueue(part);
      },
      async flush(controller) {
        const bytes = await new Blob(parts).arrayBuffer();
        if (await isFile(bytes, file)) {
          const { all } = await known();
          // Nothing is kept again that was forgotten meanwhile; a full device keeps the rest.
          if (all.length > 0) await put(file, bytes, response.headers).catch((error) => console.info(`curec: ${file.name} was not kept`, error));
        } else if (!judged) {
          await distrust();
          controller.error(new TypeError(`${file.name} is not the file that was published`));
        }
      },
    }),
  );
  return new Response(body, { headers: lasting(response.headers, file.bytes) });
}
