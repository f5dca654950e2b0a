/** A scorer that died is started anew behind the list that stands there, and asked again: once, then it is a fault to be told. */
import { asFault, needsNewWorker, wayOut } from './errors.js';

/** Started anew once it is help; twice within this many milliseconds it is a fault to be told. That one hangs is only known after some time. */
const REVIVAL = { gone: 30_000, hung: 150_000 };

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
  /** While one is started anew: whoever else was told that it is gone waits for the same. @type {Promise<void>|null} */
  let reviving = null;
  /** The list that the newest scorer was asked for again: it ends once that stands, or cannot. @type {Promise<unknown>} */
  let asked = Promise.resolve();

  /** @param {import('./types.js').Fault} fault */
  function mayRevive({ kind }) {
    if (reviving) return true;
    const now = performance.now();
    if (now - revived < (kind === 'hung' ? REVIVAL.hung : REVIVAL.gone)) return false;
    revived = now;
    return true;
  }

  /**
   * Starts a new scorer behind the list that stands there, and asks again what was asked.
   * @param {() => Promise<unknown>} again
   */
  async function revive(again) {
    const token = lists().token;
    if (!reviving) {
      reviving = startAnew(again).finally(() => (reviving = null));
      return reviving;
    }
    await reviving;
    if (lists().token === token) asked = again();
  }

  /** @param {() => Promise<unknown>} again */
  async function startAnew(again) {
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
      if (lists().token === token) asked = again();
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.kind !== 'superseded') page.app()?.ranking.fail(fault, wayOut(fault, page.restart));
    }
  }

  /** Loads; a scorer that was stopped meanwhile is started once more. @template T @param {() => Promise<T>} load @returns {Promise<T>} */
  async function loadTwice(load) {
    try {
      return await load();
    } catch (thrown) {
      const fault = asFault(thrown);
      if (!needsNewWorker(fault) || !mayRevive(fault)) throw thrown;
      page.say('The scorer stopped. It starts again.');
      return load();
    }
  }

  /**
   * Asks; where the scorer is gone or has crashed over it, asks the one that takes its place once more. What is asked while that one is started
   * waits for the list that it is asked for first: a measurement, for one, would be ended by that.
   * @template T
   * @param {() => Promise<T>} question
   * @param {boolean} [aside] nothing shows what became of it: that the scorer is gone for good is told above the list
   * @param {AbortSignal} [signal] nobody waits for it any more, and it is asked at once, to say so
   * @returns {Promise<T>}
   */
  async function persistently(question, aside = false, signal) {
    for (let first = true; ; first = false) {
      await orStopped(stands(), signal);
      try {
        return await question();
      } catch (thrown) {
        const fault = asFault(thrown);
        if (!needsNewWorker(fault)) throw thrown;
        if (!first || !mayRevive(fault)) {
          if (aside) page.app()?.ranking.warn(fault, page.restart);
          throw thrown;
        }
        await revive(() => lists().again());
      }
    }
  }

  /** Ends once no scorer is being started anew, and the list that the last one was asked for again stands, or cannot. */
  async function stands() {
    for (let awaited = null; reviving || awaited !== asked; ) {
      await reviving;
      await (awaited = asked);
    }
  }

  return { mayRevive, revive, loadTwice, persistently, stands };
}

/** Ends with what is waited for, or once nobody waits for it any more. @param {Promise<unknown>} awaited @param {AbortSignal} [signal] */
function orStopped(awaited, signal) {
  if (!signal) return awaited;
  const stopped = new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', resolve);
  });
  return Promise.race([stopped, awaited]);
}
