/**
 * Releases for tests: lays out what `cargo xtask dist` does after trunk (xtask/src/layout.rs, build_list.rs), so that the mock has it and
 * a test can put another build or another artefact on its server.
 */
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const ROOT_FILES = ['index.html', 'favicon.svg', 'sw.js', 'build.json'];

/** @param {Buffer|string} content @param {'hex'|'base64'} [as] */
export const sha256 = (content, as = 'hex') => createHash('sha256').update(content).digest(as);

/** Every file below a folder, compressed twins left out. @param {string} folder */
async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return names.filter((name) => !/\.(br|gz)$/.test(name)).sort();
}

/** @param {string} name */
function group(name) {
  const module = /curec-web(?:-(\w+))?(?:\.js|_bg\.wasm)$/.exec(name);
  return module ? (module[1] ?? 'cpu') : 'page';
}

/** @param {string} folder @param {string} name */
async function listed(folder, name) {
  const content = await readFile(join(folder, name));
  return { name, bytes: content.length, sha256: sha256(content), group: group(name) };
}

/** The one build of a page. @param {string} dist */
export async function codeOf(dist) {
  const [code] = await readdir(join(dist, 'code'));
  return String(code);
}

/** Writes build.json of what is there. @param {string} dist */
export async function list(dist) {
  const names = (await filesBelow(dist)).filter((name) => name.startsWith('code/') || ['index.html', 'favicon.svg'].includes(name));
  const files = await Promise.all(names.map((name) => listed(dist, name)));
  const artefact = await listed(dist, 'artefact/manifest.json');
  await writeFile(join(dist, 'build.json'), JSON.stringify({ format: 'curec-build', version: 1, code: await codeOf(dist), files, artefact }));
}

/** A script and what it imports, by their names below the folder. @param {string} dist @param {string[]} first */
async function withImports(dist, ...first) {
  const found = [...first];
  for (const name of found) {
    const text = await readFile(join(dist, name), 'utf8');
    const imports = text.matchAll(/^(?:import|export|}) .*'\.\/([^']+\.js)';$/gm);
    for (const [, other] of imports) {
      const path = join(dirname(name), String(other));
      if (!found.includes(path)) found.push(path);
    }
  }
  return found.sort();
}

/** @param {Buffer} content */
export const integrityOf = (content) => `sha256-${sha256(content, 'base64')}`;

/** The page's list of what no tag holds to its hash. @param {string} dist @returns {Promise<string>} */
async function hashesModule(dist) {
  const scorers = (await readdir(dist)).filter((name) => /^curec-web.*\.(js|wasm)$/.test(name));
  const groups = { worker: await withImports(dist, 'worker.js', 'helper.js'), keeper: await withImports(dist, 'js/keeper.js'), scorers };
  const held = async (/** @type {string} */ name) => [name, integrityOf(await readFile(join(dist, name)))];
  const lists = Object.entries(groups).map(async ([group, names]) => [group, Object.fromEntries(await Promise.all(names.map(held)))]);
  return `export const HASHES = ${JSON.stringify(Object.fromEntries(await Promise.all(lists)), null, 1)};\n`;
}

/** Moves the code of a folder as trunk leaves it into `code/ID/`. @param {string} dist */
export async function arrange(dist) {
  await writeFile(join(dist, 'js/hashes.js'), await hashesModule(dist));
  const names = (await filesBelow(dist)).filter((name) => !ROOT_FILES.includes(name) && !name.startsWith('artefact/') && !name.startsWith('code/'));
  const files = await Promise.all(names.map((name) => listed(dist, name)));
  const id = sha256(files.map(({ name, sha256: hash }) => `${name} ${hash}\n`).join('')).slice(0, 16);
  let page = await readFile(join(dist, 'index.html'), 'utf8');
  for (const { name, sha256: hash } of files) {
    const held = `code/${id}/${name}" integrity="sha256-${Buffer.from(hash, 'hex').toString('base64')}"`;
    page = page.replaceAll(`href="${name}"`, `href="${held}`).replaceAll(`src="${name}"`, `src="${held}`);
    await mkdir(dirname(join(dist, 'code', id, name)), { recursive: true });
    await rename(join(dist, name), join(dist, 'code', id, name));
  }
  await writeFile(join(dist, 'index.html'), page);
  await writeFile(join(dist, 'sw.js'), `import './code/${id}/js/keeper.js';\n`);
  for (const name of ['js', 'css']) await rm(join(dist, name), { recursive: true, force: true });
  await list(dist);
}

/**
 * A copy of a built page with other code: each change is a file of the code's folder with its new text.
 * @param {string} from @param {string} to @param {Record<string, (text: string) => string>} changes
 */
export async function otherCode(from, to, changes) {
  await cp(from, to, { recursive: true });
  const old = await codeOf(to);
  const page = await readFile(join(to, 'index.html'), 'utf8');
  // As trunk left it: without the folder, the hashes and the modules named beforehand.
  const plain = page.replace(/^\s*<link rel="modulepreload".*\n/gm, '').replaceAll(`code/${old}/`, '').replace(/ integrity="[^"]+"/g, '');
  await writeFile(join(to, 'index.html'), plain.replace(/\s*(<script type="module")/, '\n    $1'));
  for (const name of await readdir(join(to, 'code', old))) await rename(join(to, 'code', old, name), join(to, name));
  await rm(join(to, 'code'), { recursive: true });
  for (const name of (await readdir(to, { recursive: true })).filter((file) => /\.(br|gz)$/.test(file))) await rm(join(to, name));
  for (const [name, change] of Object.entries(changes)) {
    const path = join(to, name);
    await writeFile(path, change(await readFile(path, 'utf8')));
  }
  await arrange(to);
}

/**
 * A copy of a built page with another artefact: titles are changed by `rename`, hashes follow.
 * @param {string} from @param {string} to @param {(title: string) => string} retitle
 */
export async function otherArtefact(from, to, retitle) {
  await cp(from, to, { recursive: true });
  for (const name of (await readdir(to, { recursive: true })).filter((file) => /\.(br|gz)$/.test(file))) await rm(join(to, name));
  const path = (/** @type {string} */ name) => join(to, 'artefact', name);
  const items = JSON.parse(await readFile(path('catalogue.json'), 'utf8'));
  for (const item of items) item.title = retitle(item.title);
  await writeFile(path('catalogue.json'), JSON.stringify(items));
  // The scorer holds the preview to the catalogue.
  const preview = JSON.parse(await readFile(path('preview.json'), 'utf8'));
  for (const item of [...preview.history, ...preview.recommendations.map((/** @type {any} */ row) => row.item)]) item.title = retitle(item.title);
  for (const row of preview.recommendations) row.carried_by = row.carried_by.map(retitle);
  await writeFile(path('preview.json'), JSON.stringify(preview));
  const manifest = JSON.parse(await readFile(path('manifest.json'), 'utf8'));
  for (const file of manifest.files) {
    const content = await readFile(path(file.name));
    Object.assign(file, { bytes: (await stat(path(file.name))).size, sha256: sha256(content) });
  }
  await writeFile(path('manifest.json'), JSON.stringify(manifest));
  await list(to);
}
