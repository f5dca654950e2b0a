/** A static file server as plain as any host would be, with rules by which a test can spoil a single file. */
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
 * @param {{port?: number, artefact?: string, rules?: Record<string, Rule>}} [options] `artefact` replaces root/artefact; rules by path, e.g. `/artefact/manifest.json`
 */
export async function serve(root, { port = 0, artefact, rules = {} } = {}) {
  const policy = await policyOf(root);
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    const name = path.endsWith('/') ? `${path}index.html` : path;
    const file = artefact && name.startsWith('/artefact/') ? join(artefact, name.slice('/artefact/'.length)) : join(root, name);
    try {
      const { size } = await stat(file);
      const headers = {
        'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
        'Content-Security-Policy': policy,
        'Cache-Control': 'no-cache',
      };
      const rule = rules[name];
      if (!rule) {
        response.writeHead(200, { ...headers, 'Content-Length': size });
        createReadStream(file).pipe(response);
        return;
      }
      const { status = 200, body, breakAfter, delay = 0, until } = rule(await readFile(file));
      await until;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      if (breakAfter !== undefined) {
        response.writeHead(200, { ...headers, 'Content-Length': size });
        response.write((await readFile(file)).subarray(0, breakAfter), () => response.destroy());
      } else {
        response.writeHead(status, { ...headers, 'Content-Length': body?.length ?? 0 });
        response.end(body);
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
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
