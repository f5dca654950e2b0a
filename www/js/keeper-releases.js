/**
 * Releases: one build of the page with one artefact. A page load is answered from exactly one of them. The current one opens new
 * pages; a newer one waits until it is whole, and becomes the current one at the next page load; older ones stay for as long as a
 * page of theirs may be open.
 */
import { KEPT, PLAIN_NAME, ROOT } from './build.js';

/**
 * @typedef {import('./build.js').BuildList} BuildList
 * @typedef {import('./keeper-store.js').KeptFile} KeptFile
 * @typedef {{id: string, build: BuildList, data: import('./build.js').Listed[], at: number}} Release `data`: the files that the artefact's manifest lists; `at`: when it was whole
 * @typedef {{current: Release|null, next: Release|null, arriving: Release|null, all: Release[]}} Releases `arriving`: not whole yet; `all`: the whole ones, newest first
 */

const STATE = `${KEPT}releases`;
/** What every visitor needs, or may ask for and is small; other groups are kept once they were fetched. */
const ALWAYS = new Set(['page', 'cpu', 'comparison']);

/** Parts of the artefact that a list does not need, by the roles of their files. @type {Record<string, string>} */
const LATER = { comparison: 'comparison', writer: 'writer', tokenizer: 'writer', 'writer-model': 'writer' };

/** @param {string} name */
const keyOf = (name) => new URL(`kept/${name}`, ROOT).href;

/** @type {Promise<Releases>|null} */
let remembered = null;

/** What is known of releases; read anew where it may have changed since. @param {boolean} [anew] @returns {Promise<Releases>} */
export function known(anew = false) {
  if (anew || remembered === null) remembered = load();
  return remembered;
}

/** @returns {Promise<Releases>} */
async function load() {
  if (!(await caches.has(STATE))) return { current: null, next: null, arriving: null, all: [] };
  const cache = await caches.open(STATE);
  const text = async (/** @type {string} */ name) => (await cache.match(keyOf(name)))?.text();
  const ids = (await cache.keys()).map(({ url }) => /\/kept\/release-([0-9a-f]+)$/.exec(url)?.[1]).filter((id) => id !== undefined);
  /** @type {Release[]} */
  const all = await Promise.all(ids.map(async (id) => JSON.parse((await text(`release-${id}`)) ?? 'null')));
  all.sort((a, b) => b.at - a.at);
  const named = async (/** @type {string} */ name) => {
    const id = await text(name);
    return all.find((release) => release.id === id) ?? null;
  };
  const arriving = await text('arriving');
  return { current: await named('current'), next: await named('next'), arriving: arriving === undefined ? null : JSON.parse(arriving), all };
}

/** @param {'current'|'next'} name @param {string|null} id */
async function point(name, id) {
  const cache = await caches.open(STATE);
  if (id === null) await cache.delete(keyOf(name));
  else await cache.put(keyOf(name), new Response(id));
  remembered = null;
}

/** Notes what is being brought, so that its files are known for what they are if that is interrupted. @param {Release} release */
export async function expect(release) {
  const cache = await caches.open(STATE);
  await cache.put(keyOf('arriving'), Response.json(release));
  remembered = null;
}

/** Notes a release that is whole: as the current one where there is none, else as the next. @param {Release} release */
export async function note(release) {
  const cache = await caches.open(STATE);
  await cache.delete(keyOf('arriving'));
  await cache.put(keyOf(`release-${release.id}`), Response.json(release));
  const { current } = await known(true);
  const isCurrent = current === null || current.id === release.id;
  if (current === null) await point('current', release.id);
  await point('next', isCurrent ? null : release.id);
}

/** The release that a page load gets now: a newer one that is whole takes its place first. */
export async function promoted() {
  const { current, next } = await known(true);
  if (next === null) return current;
  await point('current', next.id);
  await point('next', null);
  return next;
}

/** The next page load asks the server: a file of the current release is gone, here and there. */
export async function distrust() {
  if (await caches.has(STATE)) await point('current', null);
}

/** Forgets all releases but these, and what is arriving. @param {Release[]} wanted */
export async function forgetOthers(wanted) {
  const cache = await caches.open(STATE);
  await cache.delete(keyOf('arriving'));
  const { all } = await known(true);
  await Promise.all(all.filter((release) => !wanted.some(({ id }) => id === release.id)).map(({ id }) => cache.delete(keyOf(`release-${id}`))));
  remembered = null;
}

/** Every file of a release. @param {Pick<Release, 'build'|'data'>} release @returns {(KeptFile & {group?: string})[]} */
export const filesOf = ({ build, data }) => [
  ...build.files.map((file) => ({ ...file, kind: /** @type {const} */ ('code') })),
  { ...build.artefact, kind: 'data' },
  ...data.filter(({ name }) => PLAIN_NAME.test(name)).map(({ name, bytes, sha256, role = '' }) => ({ name: `artefact/${name}`, bytes, sha256, kind: /** @type {const} */ ('data'), group: LATER[role] })),
];

/** The files without which a release does not open, and those of further groups. @param {Pick<Release, 'build'|'data'>} release @param {string[]} [groups] */
export const neededOf = (release, groups = []) => filesOf(release).filter(({ group }) => group === undefined || ALWAYS.has(group) || groups.includes(group));

/**
 * Which kept file an address means.
 * @param {Releases} releases @param {string} name below the page's folder @param {URLSearchParams} query
 * @returns {KeptFile | BuildList | null}
 */
export function find({ current, all }, name, query) {
  const among = (/** @type {Release|null|undefined} */ release, /** @type {(file: KeptFile) => boolean} */ is) => (release ? (filesOf(release).find(is) ?? null) : null);
  const anywhere = (/** @type {(file: KeptFile) => boolean} */ is) => all.map((release) => among(release, is)).find((file) => file !== null) ?? null;
  const code = query.get('code');
  const fits = (/** @type {Release|null} */ release) => release !== null && release.build.code === code;
  const beside = code === null ? current : fits(current) ? current : all.find(fits);
  if (name === 'build.json') return code === null ? null : (beside?.build ?? null);
  if (name.startsWith('code/')) return anywhere((file) => file.name === name);
  const hash = query.get('v');
  if (hash !== null) return anywhere((file) => file.name === name && file.sha256 === hash);
  return among(beside, (file) => file.name === name);
}
