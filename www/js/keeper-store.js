/**
 * What the service worker keeps of files: each under its SHA-256, code and data apart. A file is hashed when it is put in and again
 * when it is read, so whatever comes out of here is what was published.
 */
import { KEPT, ROOT } from './build.js';
import { hashOf } from './sha256.js';

/** @typedef {import('./build.js').Listed & {kind: 'code'|'data'}} KeptFile */

/** Headers that speak of one transfer, not of the file. */
const OF_TRANSFER = ['content-encoding', 'content-length', 'transfer-encoding', 'vary', 'etag', 'last-modified', 'date', 'age', 'expires', 'cache-control', 'connection', 'keep-alive'];

/** @param {KeptFile} file */
const cacheOf = ({ kind }) => `${KEPT}${kind}`;

/** Equal contents under two kinds of name have two media types. @param {KeptFile} file */
const keyOf = ({ name, sha256 }) => new URL(`kept/${sha256}${/\.[a-z]+$/.exec(name)?.[0] ?? ''}`, ROOT).href;

/** @param {ArrayBuffer} bytes @param {KeptFile} file */
export const isFile = async (bytes, { bytes: length, sha256 }) => bytes.byteLength === length && (await hashOf(bytes)) === sha256;

/** What of a response's headers stays true of the file: its type and the policies it was sent with. @param {Headers} headers @param {number} [length] */
export function lasting(headers, length) {
  const kept = new Headers(headers);
  for (const name of OF_TRANSFER) kept.delete(name);
  if (length !== undefined) kept.set('content-length', String(length));
  return kept;
}

/**
 * A kept file; null where it is not kept, or is damaged, and then it is no longer kept.
 * @param {KeptFile} file
 */
export async function read(file) {
  const name = cacheOf(file);
  if (!(await caches.has(name))) return null;
  const cache = await caches.open(name);
  const stored = await cache.match(keyOf(file));
  if (!stored) return null;
  const bytes = await stored.arrayBuffer().catch(() => new ArrayBuffer(0));
  if (await isFile(bytes, file)) return new Response(bytes, { headers: stored.headers });
  console.warn(`curec: the kept ${file.name} was damaged and is fetched again`);
  await cache.delete(keyOf(file));
  return null;
}

/**
 * Keeps a file whose hash was checked.
 * @param {KeptFile} file @param {ArrayBuffer} bytes @param {Headers} headers as it was sent
 */
export async function put(file, bytes, headers) {
  const cache = await caches.open(cacheOf(file));
  await cache.put(keyOf(file), new Response(bytes, { headers: lasting(headers, bytes.byteLength) }));
}

/** The files of a list that are not kept. @template {KeptFile} F @param {F[]} files @returns {Promise<F[]>} */
export async function missing(files) {
  const there = new Set((await entries()).map(({ key }) => key));
  return files.filter((file) => !there.has(keyOf(file)));
}

/** Everything that is kept. */
async function entries() {
  const names = (await caches.keys()).filter((name) => name === `${KEPT}code` || name === `${KEPT}data`);
  const lists = await Promise.all(
    names.map(async (name) => {
      const cache = await caches.open(name);
      return (await cache.keys()).map(({ url }) => ({ cache, key: url }));
    }),
  );
  return lists.flat();
}

/** Bytes of everything that is kept. */
export async function bytesKept() {
  const lengths = (await entries()).map(async ({ cache, key }) => Number((await cache.match(key))?.headers.get('content-length') ?? 0));
  return (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0);
}

/** Forgets every file but these. @param {KeptFile[]} wanted */
export async function keepOnly(wanted) {
  const keys = new Set(wanted.map(keyOf));
  await Promise.all((await entries()).filter(({ key }) => !keys.has(key)).map(({ cache, key }) => cache.delete(key)));
}
