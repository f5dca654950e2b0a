/** Texts that the language model writes for the list that stands there. */
import { asFault, wayOut, wording } from './errors.js';
import { plural } from './format.js';
import { isOutdated } from './tastes.js';

/** @typedef {import('./lists.js').Visit} Visit */
/** @typedef {import('./scorer-client.js').ScorerClient} ScorerClient */
/** @typedef {ReturnType<typeof import('./written.js').createWritten>} Written what was written in this visit */

/** @type {import('./types.js').Fault} */
export const OVERTAKEN = { kind: 'superseded', message: 'Something newer was asked for.' };

/** Titles that get a reason of one's own. */
const OWN_REASONS = 5;

/** Without the pattern that was written: a stored viewer's own is read, for a taste of the visitor's own the nearest viewer's. @param {Visit} now */
export const doWithout = ({ user, trail }) => trail.settle(user === null ? null : trail.base.pattern);

/**
 * A pattern that was written of another history is written anew of this one, with the same seed; it stands there at once where this visit has written it before.
 * @param {ScorerClient} client @param {Visit} now @param {Pick<ReturnType<typeof import('./viewer-card.js').createViewerCard>, 'writeAnew'>} card
 * @param {Written} kept @returns {Promise<boolean>} false where the visitor stopped it
 */
export async function rewrite(client, now, card, kept) {
  const { trail } = now;
  const { current } = trail;
  if (!isOutdated(current) || !current.written) return true;
  const { seed } = current.written;
  if (current.history.length === 0) {
    doWithout(now);
    return true;
  }
  const before = kept.pattern(current, seed);
  if (before) {
    trail.rewrite(before);
    return true;
  }
  return card.writeAnew(async (onDraft, signal) => {
    const written = await client.ask('write-pattern', { taste: current, seed }, onDraft, signal);
    if (signal.aborted || trail.current !== current) throw OVERTAKEN;
    kept.keepPattern(written);
    trail.rewrite(written);
  });
}

/**
 * Reasons of one's own for the first titles, one after another, while the list stands; those that were written before stand there at once. Where that ends early, because it was stopped, something
 * else was asked for or went wrong, the visitor may have the missing ones written.
 * @param {object} page
 * @param {ScorerClient} page.client
 * @param {ReturnType<typeof import('./revival.js').createRevival>} page.revival
 * @param {(words: string) => void} page.say
 * @param {Written} page.kept
 * @param {Visit} now @param {() => boolean} wanted whether that list stands still
 * @param {Pick<ReturnType<typeof import('./ranking-list.js').createRankingList>, 'ownReason'|'writing'>} list
 */
export async function writeReasons({ client, revival, say, kept }, now, wanted, list) {
  const { written } = now.trail.current;
  const items = now.standing?.ranking.recommendations.slice(0, OWN_REASONS).map(({ item }) => item) ?? [];
  if (!written || items.length === 0) return;
  const of = written;
  const { text: pattern, seed } = of;
  const missing = new Set(items);
  const whom = now.user === null ? 'you' : 'this viewer';
  const soFar = () => `${items.length - missing.size} of ${items.length}`;

  async function write() {
    const stop = new AbortController();
    let anew = false;
    const places = new Map([...missing].map((item) => [item, list.ownReason(item, whom)]));
    try {
      for (const [item, place] of places) {
        const before = kept.reason(of, item);
        if (before) {
          missing.delete(item);
          place.end(before.text, before.unheld);
          continue;
        }
        anew = true;
        list.writing(`Reasons for ${whom}: ${soFar()} written …`, { words: 'Stop writing', go: () => stop.abort() });
        place.begin();
        const { text, unheld } = await revival.persistently(() => {
          // The list of a scorer that took the place of this one has its reasons written by itself.
          if (!wanted()) throw OVERTAKEN;
          return client.ask('write-reason', { pattern, item, seed }, place.grow, stop.signal);
        }, true);
        kept.keepReason(of, item, { text, unheld });
        if (!wanted()) return;
        missing.delete(item);
        place.end(text, unheld);
      }
      const words = `${plural(items.length, 'reason')} written for ${whom}.`;
      list.writing(words, null);
      if (anew) say(words);
    } catch (thrown) {
      const fault = asFault(thrown);
      if (!wanted()) return;
      for (const item of missing) places.get(item)?.end('', 0);
      const hitch = fault.kind === 'superseded' ? '' : `${wording(fault).title}. `;
      const words = `${hitch}${soFar()} reasons written for ${whom}.`;
      list.writing(words, { words: fault.kind === 'outdated' ? wording(fault).action : 'Write the rest', go: wayOut(fault, write) });
      // Whatever else was asked for speaks for itself.
      if (hitch || stop.signal.aborted) say(words);
    }
  }
  await write();
}
