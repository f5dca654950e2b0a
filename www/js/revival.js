/** A scorer that died is started anew behind the list that stands there, and asked again: once, then it is a fault to be told. */
import { asFault, needsNewWorker } from './errors.js';

/** Started anew once it is help; twice within this many milliseconds it is a fault to be told. */
const REVIVAL = 30_000;

/**
 * @param {object} page
 * @param {() => import('./main.js').App|null} page.app
 * @param {() => Promise<import('./types.js').Loaded>} page.load starts a new scorer
 * @param {(started: import('./types.js').Loaded, app: import('./main.js').App) => void} page.started told once it stands
 * @param {() => Promise<void>} page.start shows everything anew
 * @param {() => void} page.restart the same, past what is cached
 * @param {(words: string) => void} page.say
 * @param {() => import('./lists.js').Lists} lists
 */
export function createRevival(page, lists) {
  /** When the scorer was last started anew by itself. */
  let revived = -Infinity;
  function mayRevive() {
    const now = performance.now();
    if (now - revived < REVIVAL) return false;
    revived = now;
    return true;
  }

  /**
   * Starts a new scorer behind the list that stands there, and asks again what was asked.
   * @param {() => void} again
   */
  async function revive(again) {
    const { ranking } = page.app() ?? {};
    if (!ranking) return;
    ranking.waiting();
    page.say('The scorer stopped. It starts again.');
    const token = lists().token;
    try {
      const started = await page.load();
      const app = page.app();
      if (!app) return;
      // Another artefact has taken the place of the one that stands here: nothing of it is mixed in, all is shown anew.
      if (JSON.stringify(started.manifest) !== JSON.stringify(app.loaded.manifest)) return await page.start();
      page.started(started, app);
      // Whatever was asked for meanwhile waits for nobody else.
      if (lists().token === token) again();
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.kind !== 'superseded') page.app()?.ranking.fail(fault, page.restart);
    }
  }

  /**
   * Asks; where the scorer is gone or has crashed over it, asks the one that takes its place once more.
   * @template T
   * @param {() => Promise<T>} question
   * @returns {Promise<T>}
   */
  async function persistently(question) {
    try {
      return await question();
    } catch (thrown) {
      if (!needsNewWorker(asFault(thrown)) || !mayRevive()) throw thrown;
      await new Promise((resolve) => revive(() => resolve(lists().again())).then(resolve));
      return question();
    }
  }

  return { mayRevive, revive, persistently };
}
