/**
 * What no tag can hold to its hash, by what needs it: a worker, what it imports, a service worker, the scorers. `cargo xtask dist`
 * (xtask/src/layout.rs) puts the build's hashes here; index.html holds this file to its own. Where the page is served as it stands in
 * the sources, nothing is held to anything.
 */

/** @typedef {Record<string, string>} Hashes the integrity of files, as `fetch` takes it, by their names below the code's folder */

/** @type {{worker: Hashes, keeper: Hashes, scorers: Hashes}} */
export const HASHES = { worker: {}, keeper: {}, scorers: {} };
