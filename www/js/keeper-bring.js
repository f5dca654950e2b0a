/** Brings what is on the server into the store: file by file, each held to its hash, and noted as a release only once it is whole. */
import { KEPT, ROOT } from './build.js';
import { expect, filesOf, forgetOthers, known, neededOf, note } from './keeper-releases.js';
import { bytesKept, isFile, keepOnly, missing, put } from './keeper-store.js';
import { hashOf } from './sha256.js';

/**
 * @typedef {import('./keeper-store.js').KeptFile} KeptFile
 * @typedef {import('./keeper-releases.js').Release} Release
 * @typedef {{why: 'network'|'changed'|'full'|'forgotten', file: string}} Hitch
 */

const FORMAT = 'curec-build';
const VERSION = 1;
/** Files that are fetched at the same time. */
const AT_ONCE = 4;

/** Set while what is under way is to bring nothing more. */
let forgotten = false;

/** One at a time, whichever version of the service worker: the other one then finds what this one has brought. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
const alone = (work) => /** @type {Promise<T>} */ (navigator.locks.request(`${KEPT}bring`, work));

/** @param {Hitch['why']} why @param {string} file @returns {Hitch} */
const hitch = (why, file) => ({ why, file });

/** @param {unknown} thrown @returns {Hitch} */
export function asHitch(thrown) {
  const { why, file, name } = /** @type {Partial<Hitch> & {name?: string}} */ (thrown ?? {});
  if (why && file !== undefined) return { why, file };
  console.warn(thrown);
  return hitch(name === 'QuotaExceededError' ? 'full' : 'network', '');
}

/** @param {KeptFile} file */
function addressOf({ name, sha256, kind }) {
  if (name === 'index.html') return ROOT;
  const url = new URL(name, ROOT);
  // The same address by which the worker fetches it, so that the browser's own cache has it already.
  if (kind === 'data' && name !== 'artefact/manifest.json') url.searchParams.set('v', sha256);
  return url;
}

/**
 * Fetches with the hash as the judge: what the browser's own cache has is good enough if it is right, and asked for anew if it is not.
 * @param {KeptFile} file
 */
async function fetched(file) {
  const url = addressOf(file);
  const named = file.name.startsWith('code/') || url.search !== '';
  for (const cache of /** @type {RequestCache[]} */ ([named ? 'force-cache' : 'no-cache', 'reload'])) {
    let response, bytes;
    try {
      response = await fetch(url, { cache });
      bytes = await response.arrayBuffer();
    } catch {
      continue; // a connection that broke off is tried once more
    }
    if (response.ok && (await isFile(bytes, file))) return { bytes, headers: response.headers };
    if (cache === 'reload') throw hitch(response.ok ? 'changed' : 'network', file.name);
  }
  throw hitch('network', file.name);
}

/** What the browser's own cache has of a file; null where it has nothing, or not the right thing. @param {KeptFile} file */
async function cached(file) {
  try {
    const response = await fetch(addressOf(file), { cache: 'only-if-cached', mode: 'same-origin' });
    const bytes = await response.arrayBuffer();
    return response.ok && (await isFile(bytes, file)) ? { bytes, headers: response.headers } : null;
  } catch {
    return null;
  }
}

/** @param {KeptFile[]} files @param {(file: KeptFile) => Promise<{bytes: ArrayBuffer, headers: Headers}|null>} [from] */
async function keep(files, from = fetched) {
  const queue = await missing(files);
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      if (forgotten) throw hitch('forgotten', file.name);
      const found = await from(file);
      if (forgotten) throw hitch('forgotten', file.name);
      if (found) await put(file, found.bytes, found.headers);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
}

/** The name that a build has by its files (xtask/src/layout.rs): a list that was altered names other ones. @param {import('./build.js').BuildList} build */
async function idOf({ code, files }) {
  const folder = `code/${code}/`;
  const own = files.filter(({ name }) => name.startsWith(folder)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = own.map(({ name, sha256 }) => `${name.slice(folder.length)} ${sha256}\n`);
  return (await hashOf(new TextEncoder().encode(lines.join('')))).slice(0, code.length);
}

/** What the server has now. @returns {Promise<{id: string, build: import('./build.js').BuildList}>} */
async function published() {
  let text;
  try {
    const response = await fetch(new URL('build.json', ROOT), { cache: 'no-cache' });
    if (!response.ok) throw hitch('network', 'build.json');
    text = await response.text();
  } catch {
    throw hitch('network', 'build.json');
  }
  try {
    const build = JSON.parse(text);
    if (build.format !== FORMAT || build.version !== VERSION || (await idOf(build)) !== build.code) throw hitch('changed', 'build.json');
    return { id: await hashOf(new TextEncoder().encode(text)), build };
  } catch {
    throw hitch('changed', 'build.json');
  }
}

/** Why the newest attempt has failed. @type {Hitch|null} */
let lastHitch = null;

/** Keeps the release that is on the server, or what is missing of it. Throws a hitch; then nothing has changed for any page. */
export const bring = () =>
  alone(async () => {
    try {
      const { id, build } = await published();
      const manifest = { ...build.artefact, kind: /** @type {const} */ ('data') };
      const { current } = await known(true);
      const same = current?.id === id ? current : null;
      const { data, manifestAs } = same ? { data: same.data, manifestAs: null } : await listOf(manifest);
      const release = { id, build, data, at: same?.at ?? Date.now() };
      if (forgotten) throw hitch('forgotten', '');
      if (!same) await expect(release);
      if (manifestAs) await put(manifest, manifestAs.bytes, manifestAs.headers);
      await keep(neededOf(release));
      await note(release);
      lastHitch = null;
    } catch (thrown) {
      lastHitch = asHitch(thrown);
      // What has arrived shortens the next attempt, unless there is no room for it or nobody will come for it.
      if (lastHitch.why !== 'network' || (await known(true)).current === null) await forgetUnlisted().catch(() => {});
      throw lastHitch;
    }
  });

/** The files that the artefact's manifest lists. @param {KeptFile} manifest */
async function listOf(manifest) {
  const manifestAs = await fetched(manifest);
  const { files } = JSON.parse(new TextDecoder().decode(manifestAs.bytes));
  return { data: /** @type {import('./build.js').Listed[]} */ (files), manifestAs };
}

/** Keeps further groups of an open page that it has just fetched; what the browser's cache has no room for is kept when it is fetched again. @param {string} code @param {string[]} groups */
export const bringGroups = (code, groups) =>
  alone(async () => {
    const release = (await known(true)).all.find(({ build }) => build.code === code);
    if (release) await keep(neededOf(release, groups), cached);
  });

/** Forgets files that belong to no whole release: what a failed download has left. */
async function forgetUnlisted() {
  const { all } = await known(true);
  if (all.length === 0) return wipe();
  await forgetOthers(all);
  await keepOnly(all.flatMap(filesOf));
}

/** Forgets the releases that no page can be of, where one page alone is open. @param {string} code that page's build */
export const tidy = (code) =>
  alone(async () => {
    const { current, next, arriving, all } = await known(true);
    if (all.length === 0) return;
    const stay = all.filter((release) => release.id === current?.id || release.id === next?.id || release.build.code === code);
    if (arriving === null) await forgetOthers(stay);
    await keepOnly([...stay, ...(arriving ? [arriving] : [])].flatMap(filesOf));
  });

async function wipe() {
  await Promise.all((await caches.keys()).filter((name) => name.startsWith(KEPT)).map((name) => caches.delete(name)));
  await known(true);
}

/** Forgets everything; what is under way brings nothing more, and what is begun after that keeps again. */
export function forget() {
  forgotten = true;
  const wiped = wipe();
  alone(wipe).then(
    () => (forgotten = false),
    () => {},
  );
  return wiped;
}

/** What a page needs to know: how much is kept, of which releases (the newest first), and why no newer one could be kept. */
export async function standing() {
  const { current, next, all } = await known(true);
  const first = next ?? current;
  const ordered = first === null ? [] : [first, ...all.filter(({ id }) => id !== first.id)];
  return { bytes: await bytesKept(), releases: ordered.map(({ build, data }) => ({ code: build.code, data: data.map(({ sha256 }) => sha256) })), hitch: lastHitch };
}
