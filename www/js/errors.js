/** From a fault's kind to words that help: what happened, and what the visitor can do about it. */

/**
 * @typedef {object} Wording
 * @property {string} title
 * @property {string} advice
 * @property {string} action label of the retry button; empty where trying again cannot help
 */

const RELOAD = 'Try again';

/** @type {Record<string, Wording>} */
const WORDINGS = {
  unsupported: {
    title: 'This browser cannot run the scorer',
    advice: 'A current Firefox, Chrome, Edge or Safari can. Nothing is wrong with your device.',
    action: '',
  },
  missing: {
    title: 'A part of this demo is not here',
    advice: 'The page is up, but a file it needs is not beside it. If you run it yourself, build it anew with “cargo xtask demo”.',
    action: RELOAD,
  },
  network: {
    title: 'The connection failed',
    advice: 'Check that you are online, then try again.',
    action: RELOAD,
  },
  truncated: {
    title: 'A file arrived incomplete',
    advice: 'The download ended early, so nothing from it is used. Trying again usually helps.',
    action: RELOAD,
  },
  tampered: {
    title: 'A file is not the one that was published',
    advice: 'Its contents do not match the manifest, so nothing from it is used. Try again; if it stays, the copy on the server is damaged or was changed.',
    action: RELOAD,
  },
  malformed: {
    title: 'The demo’s data cannot be read',
    advice: 'The files are complete but do not fit together. They need to be exported again.',
    action: RELOAD,
  },
  version: {
    title: 'Page and data belong to different versions',
    advice: 'Reload the page; if that does not help, the data needs to be exported again with the version of this page.',
    action: RELOAD,
  },
  outdated: {
    title: 'A newer version of this page is there',
    advice: 'It was published while this one was open, and a file that this one needs has gone with it. Reload the page to get the newer one.',
    action: 'Reload the page',
  },
  engine: {
    title: 'The scorer could not be started',
    advice: 'It arrived incomplete, or this browser refuses it. Trying again may help.',
    action: RELOAD,
  },
  device: {
    title: 'The graphics device was lost',
    advice: 'It happens when a driver restarts. The scorer can start again from here.',
    action: 'Start again',
  },
  gone: {
    title: 'The scorer was stopped',
    advice: 'It can start again from here; your viewer stays chosen.',
    action: 'Start the scorer again',
  },
  hung: {
    title: 'The scorer does not answer',
    advice: 'It was ended, since nothing came from it for too long. It can start again from here; your viewer stays chosen.',
    action: 'Start the scorer again',
  },
  worker: {
    title: 'The scorer’s background worker did not start',
    advice: 'A setting or an extension may block workers, or the connection broke off.',
    action: 'Start the scorer again',
  },
  crashed: {
    title: 'The scorer stopped in the middle of its work',
    advice: 'That is a fault of this program, not of anything you did. It can start again from here.',
    action: 'Start the scorer again',
  },
  writer: {
    title: 'The language model stopped in the middle of a text',
    advice: 'The list is not touched by that. Ask again.',
    action: 'Ask again',
  },
  scoring: {
    title: 'This list could not be computed',
    advice: 'Nothing is lost; try again or pick another viewer.',
    action: RELOAD,
  },
  unexpected: {
    title: 'Something went wrong',
    advice: 'It was not foreseen. The browser’s console has the details.',
    action: RELOAD,
  },
};

/**
 * The scorer names its faults more finely than a visitor needs. What is not listed and concerns a file is a file whose
 * contents do not fit: `malformed`.
 * @type {Record<string, string>}
 */
const FAMILIES = {
  'missing-file': 'missing',
  'wrong-size': 'truncated',
  'wrong-hash': 'tampered',
  'wrong-format': 'version',
  'unsupported-version': 'version',
  'no-such-user': 'scoring',
  'no-such-viewer': 'scoring',
  'score-not-finite': 'scoring',
  'bad-taste': 'scoring',
  'bad-call': 'scoring',
};

/** Kinds after which only a new worker helps. */
const FATAL = new Set(['gone', 'hung', 'worker', 'crashed', 'device', 'not-loaded']);

/**
 * @param {import('./types.js').Fault} fault
 * @returns {Wording}
 */
export function wording(fault) {
  const family = FAMILIES[fault.kind] ?? fault.kind;
  return WORDINGS[family] ?? /** @type {Wording} */ (WORDINGS[fault.file ? 'malformed' : 'unexpected']);
}

/** Whether the wasm instance is dead, by a panic or another trap. @param {import('./types.js').Fault} fault */
export const isCrash = (fault) => fault.kind === 'crashed';

/** Whether WebGPU, where it is in use, may be what failed. @param {import('./types.js').Fault} fault */
export const mayBeGraphics = (fault) => isCrash(fault) || fault.kind === 'device';

/** What the retry of a fault does: `retry`, unless only another page helps. @param {import('./types.js').Fault} fault @param {() => void} retry */
export const wayOut = (fault, retry) => (fault.kind === 'outdated' ? () => location.reload() : retry);

/** @param {import('./types.js').Fault} fault */
export const needsNewWorker = (fault) => FATAL.has(fault.kind);

/**
 * Anything that was thrown, as a fault; what is no fault is a bug and goes to the console.
 * @param {unknown} thrown
 * @returns {import('./types.js').Fault}
 */
export function asFault(thrown) {
  const fault = /** @type {Partial<import('./types.js').Fault>} */ (thrown ?? {});
  if (typeof fault.kind === 'string' && typeof fault.message === 'string') {
    return /** @type {import('./types.js').Fault} */ (fault);
  }
  console.error(thrown);
  return { kind: 'unexpected', message: 'The page met something it has no name for.' };
}
