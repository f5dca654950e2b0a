/**
 * What of the page is kept on this device: has the service worker keep it once the first list stands, says so in one quiet place, and
 * shows when a newer version is ready. Where nothing can be kept, the page works as before and says that instead.
 */
import { BUILD, CODE, KEPT, ROOT } from './build.js';
import { button, el } from './dom.js';
import { asFault } from './errors.js';
import { bytes } from './format.js';
import { HASHES } from './hashes.js';
import { get, holdAll } from './integrity.js';
import { forgetReports } from './reports.js';

/**
 * @typedef {import('./keeper-bring.js').Hitch} Hitch
 * @typedef {{bytes: number, releases: {code: string, data: string[]}[], hitch: Hitch|null}} Standing `releases`: the newest first
 * @typedef {{kept?: Standing, hitch?: Hitch, forgotten?: boolean}} FromKeeper
 */

/** Why nothing is kept. @type {Record<string, (file: string) => string>} */
const WHY = {
  unsupported: () => 'this browser keeps no pages here, as many do in private windows or over http',
  full: () => 'there is no room for it on this device',
  network: (file) => `${file || 'a file'} could not be fetched`,
  changed: (file) => `${file} on the server is not the one that its list names`,
  newer: () => 'a newer version of this page is on the server',
};

/** How long the service worker may take to forget before the page does it. */
const PATIENCE = 3000;

/** @param {HTMLElement} root the quiet place @param {HTMLElement} slot where a newer version is told of */
export function createKept(root, slot) {
  /** @type {import('./types.js').Loaded|null} */
  let loaded = null;
  let begun = false;
  let stands = false;
  /** Whom to ask. @type {ServiceWorker|null} */
  let keeper = null;
  /** What was fetched in this visit that not everybody needs: it is kept too. @type {Set<string>} */
  const groups = new Set();
  const container = navigator.serviceWorker;
  /** The other open pages of this folder: what one forgets or has kept is forgotten or kept for all. Older browsers have no such channel. */
  const others = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(KEPT);
  others?.addEventListener('message', ({ data }) => (data === 'forgotten' ? stands && gone(false) : !stands && look()));

  /** @param {...(Node|string)} words */
  function say(...words) {
    const line = el('p', {}, ...words);
    // Said again it would be read out again, and a button under the keyboard would be another one.
    if (line.textContent !== root.textContent) root.replaceChildren(line);
  }
  /** @param {string} why @param {string} [file] */
  const notKept = (why, file = '') => say(`Not kept for visits without a connection: ${(WHY[why] ?? WHY.unsupported)?.(file)}.`);
  /** Whether this page is of a release that is kept, and not of the newest one. @param {Standing} standing */
  function isOlder({ releases }) {
    const data = loaded?.manifest.files.map(({ sha256 }) => sha256).join();
    return releases.findIndex((release) => release.code === BUILD && release.data.join() === data) > 0;
  }

  function offerNewer() {
    if (slot.childElementCount > 0) return;
    slot.replaceChildren(el('p', { class: 'notice notice-aside update' }, 'A newer version is ready.', button({ class: 'button' }, () => location.reload(), 'Reload')));
  }

  /** @param {FromKeeper} message */
  function hear({ kept, hitch, forgotten }) {
    if (forgotten) gone();
    else if (hitch && !stands) notKept(hitch.why, hitch.file);
    else if (kept && kept.releases.length > 0) {
      if (!stands) others?.postMessage('kept');
      stands = true;
      if (isOlder(kept)) offerNewer();
      if (kept.hitch?.why === 'full') {
        say('A newer version is on the server, but this device has no room to keep both.', button({ class: 'button-link' }, forgetAndReload, 'Forget the stored one and reload'));
      } else {
        say(`Kept on this device for visits without a connection: ${bytes(kept.bytes)}.`, button({ class: 'button-link' }, forgetAll, 'Forget what is stored on this device'), ' Reasons reported as bad are forgotten with it.');
      }
    }
  }

  /** @type {() => void} */
  let onGone = () => {};
  /** @param {boolean} [here] whether it was forgotten from this page: another one leads nobody away from where they are */
  function gone(here = true) {
    stands = false;
    keeper = null;
    const lead = here || root.contains(document.activeElement);
    say('Nothing of this page is stored on this device any more. The next visit stores it again.');
    slot.replaceChildren();
    if (lead) {
      root.tabIndex = -1; // where the button was
      root.focus();
    }
    onGone();
  }

  async function forget() {
    const told = new Promise((resolve) => (onGone = () => resolve(true)));
    const registration = await container?.getRegistration(ROOT.href);
    registration?.active?.postMessage({ ask: 'forget' });
    const done = registration?.active && (await Promise.race([told, new Promise((resolve) => setTimeout(resolve, PATIENCE, false))]));
    if (!done) {
      await registration?.unregister();
      await Promise.all((await caches.keys()).filter((name) => name.startsWith(KEPT)).map((name) => caches.delete(name)));
      gone();
    }
    others?.postMessage('forgotten');
  }

  /** With what the visitor noted: it stands elsewhere, and the service worker knows nothing of it. */
  function forgetAll() {
    forgetReports();
    return forget();
  }

  /** The release alone. */
  async function forgetAndReload() {
    await forget();
    location.reload();
  }

  async function register() {
    if (!container) return notKept('unsupported');
    container.addEventListener('message', ({ data }) => hear(data));
    // The first service worker takes over the pages that are open.
    container.addEventListener('controllerchange', () => container.controller && ask(container.controller));
    container.startMessages();
    let registration;
    try {
      // A newer one is the browser's to fetch, at times of its own; the first one is held to its hash like all other code.
      const fault = (await container.getRegistration(ROOT.href)) ? null : await hold().then(() => null, asFault);
      if (fault?.kind === 'outdated') offerNewer();
      if (fault) return notKept(fault.kind === 'outdated' ? 'newer' : fault.kind === 'tampered' ? 'changed' : 'network', fault.file);
      registration = await container.register(new URL('sw.js', ROOT), { type: 'module', updateViaCache: 'imports' });
    } catch (error) {
      console.info('curec: no service worker', error);
      return notKept('unsupported');
    }
    if (!registration) return notKept('unsupported'); // an extension may stand in its way
    if (registration.active) ask(registration.active);
  }

  /** Throws a fault unless the server has this build's service worker, unaltered. */
  async function hold() {
    const text = await (await get(new URL('sw.js', ROOT), 'sw.js', { cache: 'no-store' })).text();
    const code = /^import '\.\/code\/([0-9a-f]{16})\/js\/keeper\.js';\n$/.exec(text)?.[1];
    if (code !== BUILD) throw { kind: code === undefined ? 'tampered' : 'outdated', message: 'sw.js is not of this build.', file: 'sw.js' };
    // Nobody has to press anything for this: what the browser has cached may be wrong, and is fetched anew then.
    await holdAll(CODE, HASHES.keeper, false).catch(() => holdAll(CODE, HASHES.keeper, true));
  }

  /** Another page has had it kept. */
  async function look() {
    const active = (await container?.getRegistration(ROOT.href))?.active;
    if (active && begun) ask(active);
  }

  /** @param {ServiceWorker} active */
  function ask(active) {
    keeper = active;
    keeper.postMessage({ ask: 'standing', code: BUILD, groups: [...groups] });
  }

  return {
    /** A part of this page was fetched that not every visit needs. @param {string} group */
    fetched(group) {
      groups.add(group);
      if (keeper) ask(keeper);
    },

    /** To be called once a list stands: nothing here is worth waiting for. @param {import('./types.js').Loaded} now */
    begin(now) {
      loaded = now;
      if (begun || BUILD === null) return;
      begun = true;
      register();
    },
  };
}
