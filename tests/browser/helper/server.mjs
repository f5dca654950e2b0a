/** A static file server as plain as any host would be, with rules by which a test can spoil a single file, and a record of what was asked for. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/**
 * @typedef {object} Spoiled what a rule answers with instead of the file
 * @property {number} [status]
 * @property {Buffer} [body]
 * @property {number} [delay] milliseconds before the answer
 * @property {Promise<unknown>} [until] what the answer waits for
 * @property {Promise<unknown>} [halfUntil] what the second half of the body waits for
 * @property {string} [caching] in place of what the server says about caching
 * @property {number} [breakAfter] promise the whole file, send this many bytes, then drop the connection
 *
 * @typedef {(content: Buffer) => Spoiled} Rule
 */

/**
 * The page's own policy as a response header too: a worker takes its policy from its response, not from the page's meta tag.
 * @param {string} root
 */
async function policyOf(root) {
  const page = await readFile(join(root, 'index.html'), 'utf8');
  const policy = page.match(/content="(default-src[^"]+)"/)?.[1];
  if (!policy) throw new Error('index.html holds no content security policy');
  return policy;
}

/**
 * @param {string} root the built folder
 * @param {{port?: number, artefact?: string, rules?: Record<string, Rule>}} [options] `artefact` replaces root/artefact; rules by path, e.g. `/artefact/manifest.json`, of code without its build's folder, e.g. `/worker.js`
 */
export async function serve(root, { port = 0, artefact, rules = {} } = {}) {
  const policy = await policyOf(root);
  /** Every path that was asked for, in order. @type {string[]} */
  const asked = [];
  /** Paths whose answer the browser did not wait for. @type {string[]} */
  const dropped = [];
  let folder = root;
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    const name = path.endsWith('/') ? `${path}index.html` : path;
    const file = artefact && name.startsWith('/artefact/') ? join(artefact, name.slice('/artefact/'.length)) : join(folder, name);
    asked.push(name);
    response.on('close', () => response.writableFinished || dropped.push(name));
    try {
      const { size } = await stat(file);
      const headers = {
        'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
        'Content-Security-Policy': policy,
        'Cache-Control': 'no-cache',
      };
      const rule = rules[name.replace(/^\/code\/[0-9a-f]+(?=\/)/, '')];
      const encoded = !rule && /\bbr\b/.test(String(request.headers['accept-encoding'])) && (await stat(`${file}.br`).catch(() => null));
      if (encoded) {
        response.writeHead(200, { ...headers, 'Content-Length': encoded.size, 'Content-Encoding': 'br', Vary: 'Accept-Encoding' });
        createReadStream(`${file}.br`).pipe(response);
        return;
      }
      if (!rule) {
        response.writeHead(200, { ...headers, 'Content-Length': size });
        createReadStream(file).pipe(response);
        return;
      }
      const { status = 200, body, breakAfter, delay = 0, until, halfUntil, caching } = rule(await readFile(file));
      await until;
      if (caching) headers['Cache-Control'] = caching;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      if (breakAfter !== undefined) {
        response.writeHead(200, { ...headers, 'Content-Length': size });
        response.write((await readFile(file)).subarray(0, breakAfter), () => response.destroy());
      } else {
        response.writeHead(status, { ...headers, 'Content-Length': body?.length ?? 0 });
        if (body && halfUntil) response.write(body.subarray(0, body.length / 2));
        await halfUntil;
        response.end(halfUntil ? body?.subarray(body.length / 2) : body);
      }
    } catch {
      response.writeHead(404, { 'Content-Type': 'text/plain' });
      response.end('not found');
    }
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/`,
    rules,
    asked,
    dropped,
    /** From now on another folder is served. @param {string} other */
    deploy: (other) => {
      folder = other;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
