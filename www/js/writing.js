/** Texts that the language model writes for the list that stands there. */
import { asFault } from './errors.js';
import { isOutdated } from './tastes.js';

/** @typedef {import('./lists.js').Visit} Visit */
/** @typedef {import('./scorer-client.js').ScorerClient} ScorerClient */

/** @type {import('./types.js').Fault} */
const OVERTAKEN = { kind: 'superseded', message: 'Something newer was asked for.' };

/** Titles that get a reason of one's own. */
const OWN_REASONS = 5;

/** A pattern that was written of another history is written anew of this one, with the same seed. @param {ScorerClient} client @param {Visit} now */
export async function rewrite(client, { trail }) {
  const { current } = trail;
  if (!isOutdated(current) || !current.written) return;
  const { seed } = current.written;
  if (current.history.length === 0) return trail.settle(null);
  const written = await client.ask('write-pattern', { taste: current, seed });
  if (trail.current === current) trail.rewrite(written);
}

/**
 * Reasons of one's own for the first titles, one after another, while the list stands.
 * @param {ScorerClient} client @param {ReturnType<typeof import('./revival.js').createRevival>} revival @param {Visit} now @param {() => boolean} wanted whether that list stands still
 * @param {(item: number, text: string, done: boolean, flaws: number) => void} draw
 */
export async function writeReasons(client, revival, now, wanted, draw) {
  const { written } = now.trail.current;
  const { ranking } = now.standing ?? {};
  if (!written || !ranking) return;
  for (const { item } of ranking.recommendations.slice(0, OWN_REASONS)) {
    const say = (/** @type {string} */ text, done = false, flaws = 0) => wanted() && draw(item, text, done, flaws);
    try {
      const { text, flaws } = await revival.persistently(() => {
        // The list of a scorer that took the place of this one has its reasons written by itself.
        if (!wanted()) throw OVERTAKEN;
        return client.ask('write-reason', { pattern: written.text, item, seed: written.seed }, (words) => say(words));
      }, true);
      say(text, true, flaws);
    } catch (thrown) {
      // Something newer was asked for, or the writer stopped: the list stands without it.
      asFault(thrown);
      say('', true);
      return;
    }
    if (!wanted()) return;
  }
}
