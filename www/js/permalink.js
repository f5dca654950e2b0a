/**
 * What the address says, in the words of `curec explain`, so that a link and a command are two spellings of one question:
 *
 *   ?backend=cpu|webgpu                where scores are computed
 *   ?fresh                             forget first what the service worker keeps on this device, for this one load
 *   #user=KEY                          whose list; absent for a taste of the visitor's own
 *    &history=KEY,KEY@POSITION,…       another history than theirs: titles added, and events of theirs by position
 *    &pattern=KEY|none                 another pattern than theirs; always there for a taste of the visitor's own
 *    &write=SEED                       instead of a stored pattern one that the language model writes of this history, here
 *    &mute=KEY@PLACE,…                 reasons that do not count
 *    &rows=N                           how many rows are shown, where more than the first ones are
 *    &run=DIGITS                       the run whose model made the list: another one may rank otherwise, and the page says so
 *
 * Keys are the data set's own; in lists `%2C`, `%40` and `%25` stand for a comma, an at and a percent sign. An address is a stranger's text: what does not exist is left out, and said.
 */
import { blankTaste, silenced } from './tastes.js';

/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./types.js').Loaded} Loaded */

/** Rows that are shown without being asked for, and as many as are shown at most. */
export const FEWEST_ROWS = 10;
export const MOST_ROWS = 100;

/** Digits of a run's hash that tell it from others. */
const RUN_DIGITS = 12;

/** What tells a run's model from another's, in links and pictures: its configuration's hash. @param {Pick<Loaded, 'manifest'>} loaded */
export const runOf = ({ manifest }) => manifest.run.config_hash.slice(0, RUN_DIGITS);

/** As many as the scorer takes. */
const MOST = 10_000;

/** @returns {import('./types.js').BackendChoice} */
export function backendChoice() {
  const value = new URLSearchParams(location.search).get('backend');
  return value === 'cpu' || value === 'webgpu' ? value : 'auto';
}

/**
 * An address of this same page with another backend and the same question.
 * @param {import('./types.js').BackendChoice} choice
 */
export function backendAddress(choice) {
  const url = new URL(location.href);
  if (choice === 'auto') url.searchParams.delete('backend');
  else url.searchParams.set('backend', choice);
  return url.href;
}

/** Keeps the address in step with the backend that was chosen; a step back leads to no other backend. @param {import('./types.js').BackendChoice} choice */
export const putBackendInAddress = (choice) => history.replaceState(history.state, '', backendAddress(choice));

/** Key of the viewer that the address names, or null. */
export const viewerInAddress = () => asked().get('user');

/** Whether the address asks for a taste of the visitor's own. */
export const ownTasteInAddress = () => !asked().has('user') && asked().has('history');

/** The seed of a pattern that is to be written; null where there is none, or what stands there is none. */
export function seedInAddress() {
  const seed = asked().get('write');
  return seed !== null && /^\d{1,9}$/.test(seed) ? Number(seed) : null;
}

/** Whether the address says that another run made its list. What it says is compared and never shown. @param {Pick<Loaded, 'manifest'>} loaded */
export function isOfAnotherRun(loaded) {
  const run = asked().get('run') ?? '';
  return run !== '' && run !== runOf(loaded);
}

/** Takes out of the address that what is stored is to be forgotten first: the service worker has heard it, and it is for one load. */
export function dropFresh() {
  const url = new URL(location.href);
  if (!url.searchParams.has('fresh')) return;
  url.searchParams.delete('fresh');
  history.replaceState(history.state, '', url);
}

/** How many rows the address asks for, or as many of them as are shown. */
export function rowsInAddress() {
  const rows = Number(/^\d+$/.exec(asked().get('rows') ?? '')?.[0] ?? FEWEST_ROWS);
  return Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, rows));
}

/** Whether the address asks for anybody's list. */
export const asksForAList = () => asked().has('user') || asked().has('history');

/** Whether the address asks something of a list and says neither whose nor of which titles. */
export const asksOfNobody = () => !asksForAList() && ['pattern', 'write', 'mute'].some((name) => asked().has(name));

/** The hash as parameters; a broken escape is a stranger's, not an error. */
function asked() {
  return new URLSearchParams(location.hash.slice(1));
}

/** A key in a list, where commas part entries and an at parts a key from a number. @param {string} text */
const inList = (text) => text.replaceAll('%', '%25').replaceAll(',', '%2C').replaceAll('@', '%40');

/** @param {string} text */
const fromList = (text) => text.replace(/%2C/gi, ',').replaceAll('%40', '@').replaceAll('%25', '%');

/**
 * The parts of a question that differ from the viewer's own, as the address and the command line write them.
 * @param {Taste} taste @param {Taste} own the viewer's, or a blank one @param {Pick<Loaded, 'catalogue'|'viewers'>} loaded
 * @returns {{user: string|null, history: string[]|null, pattern: string|null, write: number|null, mute: string[]}}
 */
export function spelled(taste, own, { catalogue, viewers }) {
  const key = (/** @type {number} */ item) => inList(catalogue[item]?.key ?? '');
  const viewer = (/** @type {number|null} */ user) => (user === null ? null : (viewers[user]?.key ?? null));
  const unchanged = taste.viewer !== null && taste.history.length === own.history.length && taste.history.every(({ position }, at) => position === own.history[at]?.position && position !== null);
  return {
    user: viewer(taste.viewer),
    history: unchanged ? null : taste.history.map(({ item, position }) => (position === null ? key(item) : `${key(item)}@${position}`)),
    write: taste.written?.seed ?? null,
    pattern: taste.written || (taste.viewer !== null && taste.pattern === own.pattern) ? null : (viewer(taste.pattern) ?? 'none'),
    mute: taste.muted.map(({ item, reason }) => `${key(item)}@${reason}`),
  };
}

/** @param {Taste} taste @param {Taste} own @param {Pick<Loaded, 'catalogue'|'viewers'|'manifest'>} loaded @param {number} rows shown */
export function hashOf(taste, own, loaded, rows) {
  const { user, history, pattern, write, mute } = spelled(taste, own, loaded);
  const parameters = new URLSearchParams();
  if (user !== null) parameters.set('user', user);
  if (history !== null) parameters.set('history', history.join(','));
  if (pattern !== null) parameters.set('pattern', pattern);
  if (write !== null) parameters.set('write', String(write));
  if (mute.length > 0) parameters.set('mute', mute.join(','));
  if (rows > FEWEST_ROWS) parameters.set('rows', String(rows));
  parameters.set('run', runOf(loaded));
  return `#${parameters}`;
}

/**
 * The question that the address asks, as far as it can be asked.
 * @param {Taste|null} own the taste of the viewer it names; null where it names none
 * @param {Pick<Loaded, 'catalogue'|'viewers'>} loaded
 * @param {(item: number) => number} reasonsOf how many reasons an item has
 * @returns {{taste: Taste, lost: string[], follows: boolean}} `lost`: what the address names and this demo has not; `follows`: it names no pattern
 */
export function tasteInAddress(own, { catalogue, viewers }, reasonsOf) {
  const parameters = asked();
  const base = own ?? blankTaste();
  /** @type {Taste} */
  const taste = { ...base, history: [...base.history], muted: [] };
  /** @type {string[]} */
  const lost = [];
  const items = new Map(catalogue.map(({ key }, item) => [key, item]));
  const list = (/** @type {string} */ name) => {
    const all = (parameters.get(name) ?? '').split(',').filter(Boolean);
    if (all.length > MOST) lost.push(`${all.length - MOST} more in ${name}`);
    return all.slice(0, MOST);
  };
  /** @param {string} entry @returns {{item: number, number: number|null} | null} */
  const placed = (entry) => {
    const at = entry.lastIndexOf('@');
    const digits = entry.slice(at + 1);
    const numbered = at > 0 && /^\d{1,9}$/.test(digits) ? items.get(fromList(entry.slice(0, at))) : undefined;
    if (numbered !== undefined) return { item: numbered, number: Number(digits) };
    const whole = items.get(fromList(entry));
    return whole === undefined ? null : { item: whole, number: null };
  };
  if (parameters.has('history')) {
    const used = new Set();
    taste.history = [];
    for (const entry of list('history')) {
      const found = placed(entry);
      if (!found) {
        lost.push(entry);
        continue;
      }
      const { item, number } = found;
      const known = number !== null && base.history[number]?.item === item && !used.has(number);
      if (number !== null && !known) lost.push(entry);
      if (known) used.add(number);
      if (number === null || known) taste.history.push({ item, position: known ? number : null });
    }
  }
  const pattern = parameters.get('pattern');
  if (pattern === 'none') taste.pattern = null;
  else if (pattern !== null) {
    const user = viewers.findIndex((viewer) => viewer.key === pattern);
    if (user >= 0) taste.pattern = user;
    else lost.push(pattern);
  }
  for (const entry of list('mute')) {
    const found = placed(entry);
    if (found && found.number !== null && found.number < reasonsOf(found.item)) taste.muted = silenced(taste, [{ item: found.item, reason: found.number }]).muted;
    else lost.push(entry);
  }
  const rows = parameters.get('rows');
  if (rows !== null && String(rowsInAddress()) !== rows) lost.push(`rows=${rows}`);
  const seed = parameters.get('write');
  if (seed !== null && seedInAddress() === null) lost.push(`write=${seed}`);
  return { taste, lost, follows: pattern === null };
}

/**
 * @param {string} hash
 * @param {'push'|'replace'} how a visitor's choice is a step back can undo, the first view is not
 */
export function putInAddress(hash, how) {
  if (location.hash === hash) return;
  if (how === 'push') history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
}
