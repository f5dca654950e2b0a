/**
 * Code that no tag holds to its hash is held to it here, before it runs. The hashes come with the page (hashes.js).
 *
 * The platform checks a script of the page, and whatever is fetched, but neither a worker's script nor a service worker's nor what
 * they import. So each of these files is fetched here first, with its hash, and only then started by the same address. What that is
 * good for: a file that was damaged or altered on the server, on the way or in the browser's cache, and one of another build, are
 * refused before a line of them runs. What it is not good for: the start is a request of its own. It gets the bytes that were checked
 * where the browser may use its copy again (a build's addresses mean the same bytes for ever; hosts that say so, or send an ETag or a
 * date, all do); where a host forbids that, a file that is whole the first time and altered the second is not noticed. And a server
 * that lies on purpose serves an index.html of its own. A scorer's WebAssembly is checked as the very bytes that run.
 */
import { BUILD, ROOT } from './build.js';
import { hashOf } from './sha256.js';

/** @typedef {import('./types.js').Fault} Fault */

/** Milliseconds that the question for a newer version may take. */
const PATIENCE = 5000;

/** @param {string} kind @param {string} message @param {string} [file] @returns {Fault} */
export const fault = (kind, message, file) => ({ kind, message, ...(file ? { file } : {}) });

/**
 * Fetches, or throws a fault that tells "not there" from "no connection".
 * @param {URL} url @param {string} file @param {RequestInit} options
 */
export async function get(url, file, options) {
  let response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...options });
  } catch {
    throw fault('network', `${file} could not be fetched: the connection failed.`, file);
  }
  if (!response.ok) {
    const kind = response.status === 404 || response.status === 410 ? 'missing' : 'network';
    throw fault(kind, `${file} could not be fetched: the server answered ${response.status}.`, file);
  }
  return response;
}

/** What a file is that has another hash. @param {string} file */
export const altered = (file) => fault('tampered', `${file} is not the file that this page was published with.`, file);

/**
 * A file of this page's code whose hash is right; throws a fault that says what is wrong.
 * @param {URL} url @param {string} file @param {string|undefined} integrity unknown where the page is served as it stands in the sources
 * @param {RequestInit} options
 */
export async function getHeld(url, file, integrity, options) {
  if (!integrity) return get(url, file, options);
  let response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...options, integrity });
  } catch {
    options.signal?.throwIfAborted();
    // A wrong hash and no connection look alike, and an answer of 404 has a wrong hash: asked without it, they do not.
    await (await get(url, file, options)).arrayBuffer().catch(() => {
      throw fault('truncated', `${file} broke off.`, file);
    });
    throw altered(file);
  }
  return response.ok ? response : get(url, file, options);
}

/**
 * Fetches files that something is about to start by the same addresses, and throws a fault where one is not what it should be.
 * @param {URL} base the code's folder @param {import('./hashes.js').Hashes} hashes
 * @param {boolean} again past what the browser has cached, because that may be what was wrong
 * @param {AbortSignal} [signal]
 */
export async function holdAll(base, hashes, again, signal) {
  const hold = async (/** @type {[string, string]} */ [file, integrity]) => {
    const response = await getHeld(new URL(file, base), file, integrity, { cache: again ? 'reload' : 'default', signal });
    await response.arrayBuffer(); // to its end, or it is not in the browser's cache
  };
  await Promise.all(Object.entries(hashes).map(hold));
}

/**
 * The same fault, unless the server has another release by now, of other code or of another artefact: then a file of this one is missing
 * or changed because of that, and only the other page helps.
 * @param {Fault} found @param {string|null} [manifestText] of the artefact that is loaded @returns {Promise<Fault>}
 */
export async function orOutdated(found, manifestText = null) {
  if (BUILD === null || found.kind === 'outdated') return found;
  try {
    const response = await fetch(new URL('build.json', ROOT), { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    const { code, artefact } = await response.json();
    // Over plain http nothing is hashed.
    const loaded = manifestText === null || crypto.subtle === undefined ? null : await hashOf(new TextEncoder().encode(manifestText));
    const isOther = (typeof code === 'string' && code !== BUILD) || (loaded !== null && typeof artefact?.sha256 === 'string' && artefact.sha256 !== loaded);
    if (isOther) return fault('outdated', `${found.message} A newer version of this page is on the server.`, found.file);
  } catch {
    // no connection, or no list: what was found stands
  }
  return found;
}
