/**
 * Which build this code is of. `cargo xtask dist` puts all code into `code/ID/`, named after its content, so an address always means
 * the same bytes; `build.json` beside index.html lists them. Read by the page, its worker and the service worker.
 */

/**
 * @typedef {{name: string, bytes: number, sha256: string, role?: string}} Listed `role`: what a file of the artefact is for
 * @typedef {Listed & {group: string}} CodeFile `group`: `page`, `cpu` (the scorer everybody gets), or a module that is fetched where it is wanted
 * @typedef {{format: string, version: number, code: string, files: CodeFile[], artefact: Listed}} BuildList
 */

const HERE = new URL('./', import.meta.url);

/** The name of this code's folder; null where the page is served as it stands in the sources. */
export const BUILD = /\/code\/([0-9a-f]{16})\/js\/$/.exec(HERE.pathname)?.[1] ?? null;

/** The folder of this code. */
export const CODE = new URL('../', HERE);

/** The folder of index.html. */
export const ROOT = new URL(BUILD === null ? '../' : '../../../', HERE);

/** The artefact's folder. */
export const ARTEFACT = new URL('artefact/', ROOT);

/** File names come from manifests, so they are checked before they become addresses. */
export const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Where this page's files are kept on the device: each cache is named after the page's folder, since others may share its host. */
export const KEPT = `curec:${ROOT.pathname}:`;

/**
 * The address at which a list or manifest fits this code: the service worker answers it with the one that it keeps beside it.
 * @param {string} name @param {URL} [folder]
 */
export function fitting(name, folder = ROOT) {
  const url = new URL(name, folder);
  if (BUILD !== null) url.searchParams.set('code', BUILD);
  return url;
}

/** A build's sizes stay what they are. @type {Map<string, number>|null} */
let known = null;

/**
 * Bytes of this build's files by their names below the code's folder. A content encoding hides them from the responses themselves.
 * @returns {Promise<Map<string, number>>} empty where they are not written down
 */
export async function codeSizes() {
  if (known) return known;
  if (BUILD === null) return new Map();
  try {
    /** @type {BuildList} */
    const list = await (await fetch(fitting('build.json'), { cache: 'no-cache' })).json();
    const folder = `code/${BUILD}/`;
    known = new Map(list.files.filter(({ name }) => name.startsWith(folder)).map(({ name, bytes }) => [name.slice(folder.length), bytes]));
    return known;
  } catch {
    return new Map();
  }
}
