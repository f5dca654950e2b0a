/**
 * The artefact's language model at its desk: fetched when somebody first asks for a text, then kept. It writes a token at a time and
 * looks up between two of them, so that whoever asks for something newer is not kept waiting. Runs in the worker.
 */
import { codeSizes } from './build.js';
import { orOutdated } from './integrity.js';
import { fetchEngine, fetchPart, partBytes } from './worker-fetch.js';
import { begin, unlessTrapped, WRITER } from './worker-trap.js';
import { nextTurn } from './worker-turn.js';

/** @typedef {import('./types.js').Standing} Standing */
/** @typedef {import('./types.js').Writer} Writer */

/** @type {import('./types.js').Fault} */
const STOPPED = { kind: 'superseded', message: 'Nobody waits for this text any more.' };

/** Bytes of all that is fetched before it writes, module and model; null where the module's are not written down. @param {string} manifestText */
export async function writerBytes(manifestText) {
  const code = (await codeSizes()).get(`${WRITER}_bg.wasm`);
  return code === undefined ? null : code + partBytes(manifestText, 'writer');
}

export class Desk {
  /** @type {Writer|null} */
  #writer = null;
  #source;
  /** Whether the last question failed: what the browser has cached may be why. */
  #failed = false;
  /** Modules that have crashed in this visit: a crashed one answers nothing any more, so the next is another instance. */
  #crashed = 0;
  /** Texts that are being written or fetched for, and what ends them. @type {Set<{stale: () => boolean, stop: AbortController}>} */
  #wanted = new Set();

  /**
   * @param {object} source
   * @param {import('./worker-fetch.js').Code} source.code
   * @param {URL} source.artefact its folder
   * @param {string} source.manifestText
   * @param {Map<string, Uint8Array>} source.files what has been fetched already, the catalogue among it
   * @param {import('./worker-fetch.js').OnBytes} source.onBytes
   * @param {() => void} source.onFetched told once all of it is here
   */
  constructor(source) {
    this.#source = source;
  }

  /** Ends what is being written, or fetched for that, if nobody waits for it any more. */
  heed() {
    for (const { stale, stop } of this.#wanted) if (stale()) stop.abort(STOPPED);
  }

  /** @param {AbortSignal} signal */
  async #sit(signal) {
    const { code, artefact, manifestText, files, onBytes, onFetched } = this.#source;
    begin(WRITER, this.#crashed);
    const again = this.#failed;
    const total = await writerBytes(manifestText);
    const arrived = { module: 0, model: 0 };
    const counting = (/** @type {keyof typeof arrived} */ what) => (/** @type {number} */ bytes) => {
      arrived[what] = bytes;
      onBytes(arrived.module + arrived.model, total);
    };
    const [engine, part] = await Promise.all([
      /** @type {Promise<import('./types.js').WriterEngine>} */ (fetchEngine(code, WRITER, counting('module'), { again, instance: this.#crashed, signal })),
      fetchPart(artefact, manifestText, 'writer', counting('model'), again, signal).catch(async (thrown) => {
        signal.throwIfAborted();
        throw await orOutdated(thrown, manifestText);
      }),
    ]);
    signal.throwIfAborted();
    onFetched();
    const catalogue = /** @type {Uint8Array} */ (files.get('catalogue.json'));
    this.#writer = await engine.Writer.load(manifestText, new Map([...part, ['catalogue.json', catalogue]]));
    return this.#writer;
  }

  /**
   * The writer, fetched and started if it is not here. Nothing else has to wait for that.
   * @param {() => boolean} stale whether nobody waits for it any more
   * @returns {Promise<Writer>}
   */
  async ready(stale) {
    if (stale()) throw STOPPED;
    if (this.#writer) return this.#writer;
    const wanted = { stale, stop: new AbortController() };
    const { signal } = wanted.stop;
    const stopped = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    stopped.catch(() => {});
    this.#wanted.add(wanted);
    try {
      return await Promise.race([unlessTrapped(this.#sit(signal), WRITER), /** @type {Promise<never>} */ (stopped)]);
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#wanted.delete(wanted);
    }
  }

  /** What went wrong, as the page is told it; the writer is fetched anew after that, unless it was only stopped. @param {unknown} error */
  #told(error) {
    const { kind } = /** @type {{kind?: string}} */ (error ?? {});
    this.#failed = kind !== 'superseded';
    if (typeof kind === 'string' && kind !== 'panic') return error;
    // Its module is of no more use, and the scorer's is another one: the next question fetches it anew.
    console.warn(error);
    this.#writer = null;
    this.#crashed += 1;
    return { kind: 'writer', message: 'The language model stopped in the middle of its work.' };
  }

  /**
   * @param {(writer: Writer) => Promise<import('./types.js').Draft>} question
   * @param {(standing: Standing) => void} onDraft after each token
   * @param {() => boolean} stale whether nobody waits for it any more
   * @returns {Promise<NonNullable<Standing['written']>>}
   */
  async write(question, onDraft, stale) {
    const writer = await this.ready(stale);
    try {
      const draft = await unlessTrapped(question(writer), WRITER);
      for (;;) {
        await nextTurn();
        if (stale()) throw STOPPED;
        const standing = await unlessTrapped(draft.advance(), WRITER);
        if (standing.written) return standing.written;
        onDraft(standing);
      }
    } catch (error) {
      throw this.#told(error);
    }
  }
}
