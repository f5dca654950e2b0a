/** An artefact with other contents, as if it had been exported so: sizes and hashes follow. */
import { createHash } from 'node:crypto';

/**
 * Rules for a server that change the manifest, and the contents of some of the files it lists.
 * @param {(manifest: any) => void} change
 * @param {Record<string, unknown>} [contents] by name, as JSON
 * @returns {Record<string, import('./server.mjs').Rule>}
 */
export function changedArtefact(change, contents = {}) {
  const bodies = Object.entries(contents).map(([name, content]) => ({ name, body: Buffer.from(JSON.stringify(content)) }));
  return {
    ...Object.fromEntries(bodies.map(({ name, body }) => [`/artefact/${name}`, () => ({ body })])),
    '/artefact/manifest.json': (original) => {
      const manifest = JSON.parse(String(original));
      change(manifest);
      for (const { name, body } of bodies) {
        const file = manifest.files.find((/** @type {{name: string}} */ entry) => entry.name === name);
        Object.assign(file, { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
      }
      return { body: Buffer.from(JSON.stringify(manifest)) };
    },
  };
}
