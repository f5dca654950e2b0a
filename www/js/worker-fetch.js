/**
 * Fetching with byte-true progress: the engine (wasm) and the artefact's files. What is counted is what has arrived after decoding,
 * against sizes that were written down beforehand, so a host may compress as it likes. Runs in the worker.
 */
import { BUILD, codeSizes, fitting, PLAIN_NAME } from './build.js';
import { altered, fault, get, getHeld, orOutdated } from './integrity.js';

/** @typedef {(loaded: number, total: number|null) => void} OnBytes */
/** @typedef {import('./types.js').ArtefactFile} ArtefactFile */

const FORMAT = 'curec-artefact';
const VERSION = 4;
/** More than any sensible artefact, less than what would bring a browser tab down. */
const MOST_BYTES = 1 << 29;
/** Files that are fetched only when somebody asks for what is in them, by what that is. */
const PARTS = { comparison: new Set(['comparison']), writer: new Set(['writer', 'tokenizer', 'writer-model']) };

/** @typedef {{base: URL, hashes: import('./hashes.js').Hashes}} Code where the scorers lie, and what they are held to */

/**
 * @typedef {object} How a module is fetched
 * @property {boolean} [again] past what the browser has cached, because that may be what was wrong
 * @property {number} [instance] another one than those before, which are of no more use
 * @property {AbortSignal} [signal] ends it: what is thrown then is the signal's own reason
 */

/**
 * A wasm-bindgen module, started.
 * @param {Code} code @param {string} module `NAME.js` and `NAME_bg.wasm` without their ends @param {OnBytes} onBytes @param {How} [how]
 * @returns {Promise<import('./types.js').Module>}
 */
export async function fetchEngine(code, module, onBytes, how = {}) {
  try {
    const engine = await fetchScript(code, `${module}.js`, how);
    await startEngine(engine, code, `${module}_bg.wasm`, onBytes, how);
    return engine;
  } catch (thrown) {
    how.signal?.throwIfAborted();
    throw await orOutdated(/** @type {import('./types.js').Fault} */ (thrown));
  }
}

/**
 * The part of a module that is a script. Nothing holds an import to its hash, so the script is fetched with its hash first
 * (integrity.js says what that is good for).
 * @param {Code} code @param {string} script @param {How} how
 * @returns {Promise<import('./types.js').Module>}
 */
async function fetchScript({ base, hashes }, script, { again = false, instance = 0, signal }) {
  const url = new URL(instance === 0 ? script : `${script}?instance=${instance}`, base);
  await (await getHeld(url, script, hashes[script], { cache: again ? 'reload' : 'default', signal })).arrayBuffer().catch(() => {});
  signal?.throwIfAborted();
  try {
    return await import(url.href);
  } catch (error) {
    console.warn(error);
    if (!navigator.onLine) throw fault('network', `${script} could not be fetched: there is no connection.`, script);
    throw fault('engine', `${script} could not be started.`, script);
  }
}

/**
 * Streams a module's wasm through a byte counter into compilation. Its end is only let through once the hash is right: nothing of
 * another file ever runs.
 * @param {import('./types.js').Module} engine @param {Code} code @param {string} name @param {OnBytes} onBytes @param {How} how
 */
async function startEngine(engine, { base, hashes }, name, onBytes, { again = false, signal }) {
  const sizes = codeSizes();
  const integrity = hashes[name];
  // Over plain http nothing is hashed here: there the browser holds the file to its hash, and hands it over whole.
  const hashing = integrity !== undefined && crypto.subtle !== undefined;
  // In the folder of a build an address always means the same bytes.
  const response = await getHeld(new URL(name, base), name, hashing ? undefined : integrity, { cache: again ? 'reload' : BUILD === null ? 'no-cache' : 'default', signal });
  // With a content encoding the declared length counts compressed bytes, while the stream yields plain ones.
  const declared = Number(response.headers.get('content-length'));
  const total = (await sizes).get(name) ?? (declared > 0 && !response.headers.has('content-encoding') ? declared : null);
  let loaded = 0;
  let right = true;
  /** @type {BlobPart[]} */
  const parts = [];
  const counted = response.body?.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        onBytes(loaded, total);
        if (hashing) parts.push(chunk);
        controller.enqueue(chunk);
      },
      async flush(controller) {
        right = !hashing || (await integrityOf(parts)) === integrity;
        if (!right) controller.error(new TypeError(`${name} has another hash`));
      },
    }),
  );
  try {
    const headers = { 'Content-Type': 'application/wasm' };
    await engine.default({ module_or_path: new Response(counted ?? null, { headers }) });
  } catch (error) {
    signal?.throwIfAborted();
    console.warn(error);
    if (total !== null && loaded < total) throw fault('truncated', `${name} ended after ${loaded} of ${total} bytes.`, name);
    if (!right) throw altered(name);
    throw fault('engine', 'The scorer arrived incomplete or cannot run in this browser.', name);
  }
}

/** The SHA-256 of these bytes as an integrity says it. @param {BlobPart[]} parts */
async function integrityOf(parts) {
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}

/**
 * The manifest's file list, checked only as far as fetching needs; the scorer checks the rest.
 * @param {string} text
 * @returns {ArtefactFile[]}
 */
function filesOf(text) {
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw fault('malformed', 'manifest.json is not valid JSON.', 'manifest.json');
  }
  if (manifest?.format !== FORMAT || manifest.version !== VERSION) {
    throw fault('version', `manifest.json is not a ${FORMAT} of version ${VERSION}.`, 'manifest.json');
  }
  const files = Array.isArray(manifest.files) ? manifest.files : [];
  for (const file of files) {
    const sound = PLAIN_NAME.test(String(file?.name)) && Number.isSafeInteger(file.bytes) && file.bytes >= 0 && file.bytes <= MOST_BYTES;
    if (!sound) throw fault('malformed', 'manifest.json lists a file without a plain name and size.', 'manifest.json');
  }
  if (files.length === 0) throw fault('malformed', 'manifest.json lists no files.', 'manifest.json');
  return files;
}

/**
 * The manifest and all files that lists need.
 * @param {URL} base folder, ending in a slash @param {OnBytes} onBytes
 * @param {boolean} [again] past what the browser has cached, because that may be what was wrong
 * @returns {Promise<{manifestText: string, files: Map<string, Uint8Array>}>}
 */
export async function fetchArtefact(base, onBytes, again = false) {
  const manifestText = await (await get(fitting('manifest.json', base), 'manifest.json', { cache: again ? 'reload' : 'no-cache' })).text().catch(() => {
    throw fault('truncated', 'manifest.json broke off.', 'manifest.json');
  });
  const later = new Set(Object.values(PARTS).flatMap((roles) => [...roles]));
  const core = filesOf(manifestText).filter(({ role }) => !later.has(role));
  return { manifestText, files: await fetchAll(base, core, onBytes, again) };
}

/** Bytes of all files of a part. @param {string} manifestText @param {keyof typeof PARTS} part */
export const partBytes = (manifestText, part) => filesOf(manifestText).reduce((sum, { role, bytes }) => sum + (PARTS[part].has(role) ? bytes : 0), 0);

/**
 * The files of a part that few visits need.
 * @param {URL} base @param {string} manifestText @param {keyof typeof PARTS} part @param {OnBytes} onBytes
 * @param {boolean} [again] past what the browser has cached @param {AbortSignal} [signal] ends it
 */
export async function fetchPart(base, manifestText, part, onBytes, again = false, signal) {
  const files = filesOf(manifestText).filter(({ role }) => PARTS[part].has(role));
  if (files.length === 0) throw fault('not-exported', `This artefact was exported without its ${part}.`);
  return fetchAll(base, files, onBytes, again, signal);
}

/**
 * Files at once, with one progress over all of them.
 * @param {URL} base @param {ArtefactFile[]} list @param {OnBytes} onBytes @param {boolean} again @param {AbortSignal} [signal]
 */
async function fetchAll(base, list, onBytes, again, signal) {
  const total = list.reduce((sum, file) => sum + file.bytes, 0);
  let loaded = 0;
  const stop = new AbortController();
  signal?.addEventListener('abort', () => stop.abort());
  const count = (/** @type {number} */ bytes) => onBytes((loaded += bytes), total);
  try {
    const contents = await Promise.all(list.map((file) => fetchFile(base, file, { signal: stop.signal, cache: again ? 'reload' : 'default' }, count)));
    return new Map(list.map((file, i) => [file.name, contents[i] ?? new Uint8Array()]));
  } finally {
    stop.abort(); // after a failure, spare the visitor the rest; after success this does nothing
  }
}

/**
 * @param {URL} base @param {ArtefactFile} file @param {RequestInit} options @param {(bytes: number) => void} count
 * @returns {Promise<Uint8Array>}
 */
async function fetchFile(base, file, options, count) {
  const url = new URL(file.name, base);
  // The hash in the address keeps a cached file of an older artefact from meeting a newer manifest.
  url.searchParams.set('v', String(file.sha256));
  const response = await get(url, file.name, options);
  const content = new Uint8Array(file.bytes);
  const reader = response.body?.getReader();
  let filled = 0;
  while (reader) {
    const part = await reader.read().catch(() => {
      throw fault('truncated', `${file.name} broke off after ${filled} of ${file.bytes} bytes.`, file.name);
    });
    if (part.done) break;
    if (filled + part.value.byteLength > file.bytes) {
      throw fault('tampered', `${file.name} is longer than the ${file.bytes} bytes it should have.`, file.name);
    }
    content.set(part.value, filled);
    filled += part.value.byteLength;
    count(part.value.byteLength);
  }
  if (filled < file.bytes) {
    throw fault('truncated', `${file.name} ended after ${filled} of ${file.bytes} bytes.`, file.name);
  }
  return content;
}
