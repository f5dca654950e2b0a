/** `cargo xtask serve` itself, on a port of its own. $CUREC_XTASK names the program. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const xtask = process.env.CUREC_XTASK;

/** Serves a built page until the tests are done. @param {string} folder @returns {Promise<string>} the page's address */
export async function xtaskServe(folder) {
  // Which workspace it is of, as `cargo run` says it.
  const env = { ...process.env, CARGO_MANIFEST_DIR: fileURLToPath(new URL('../../../xtask', import.meta.url)) };
  const server = spawn(String(xtask), ['serve', folder, '--port', '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => server.kill('SIGKILL'));
  for await (const line of createInterface({ input: server.stdout })) {
    const address = /The page is at (\S+)/.exec(line)?.[1];
    if (address) return address;
  }
  throw new Error(`${xtask} serve ended before it served`);
}
