/**
 * The pattern that a list reads: a stored viewer's, the nearest one's, or one that the language model writes here and now. Drawn
 * with the viewer's card; a text that is being written grows without the rest of it being drawn.
 */
import { button, el } from './dom.js';
import { createDraft, paced } from './draft.js';
import { asFault, needsNewWorker, wayOut, wording } from './errors.js';
import { bytes, plural, viewerName } from './format.js';
import { voice } from './pieces.js';
import { isOutdated } from './tastes.js';

/** @typedef {import('./viewer-card.js').Person} Person */

/** Files of the artefact that the language model needs. */
const ROLES = new Set(['writer', 'tokenizer', 'writer-model']);

const WRITING = 'The language model is writing, here in your browser …';

/** Whether the language model, or what runs it, is gone with a fault and fetched anew. @param {import('./types.js').Fault} fault */
const losesIt = (fault) => fault.kind === 'writer' || needsNewWorker(fault);

/** What became of a text, for listeners. @param {string} how @param {Person['trail']|null} of */
const written = (how, of) => (of?.current.written?.text === '' ? 'The language model wrote nothing for this history.' : `The pattern is written${how}. The list reads it.`);

const AS_BEFORE = 'The list reads what it read before.';

/** As many digits as an address may have. */
const MOST_SEED = 999_999_999;

/** @param {HTMLButtonElement} of @param {boolean} busy */
const setBusy = (of, busy) => (busy ? of.setAttribute('aria-disabled', 'true') : of.removeAttribute('aria-disabled'));

/**
 * @param {import('./types.js').Loaded} loaded
 * @param {(seed: number, onDraft: (text: string, attempt: number) => void, signal: AbortSignal) => Promise<void>} onWrite asked for a pattern of the present history
 */
export function createPatternDesk(loaded, onWrite) {
  const model = loaded.manifest.files.filter(({ role }) => ROLES.has(role)).reduce((sum, file) => sum + file.bytes, 0);
  /** Of all that is fetched before it writes: what runs it is fetched too. */
  const size = model === 0 ? 0 : (loaded.writerBytes ?? model);
  /** Whether the language model has been fetched, and is not lost since. */
  let here = false;
  /** What is under way, or went wrong; it survives the card being drawn again. `thrown`: how many drafts were thrown away. @type {{of: Person['trail']|null, words: string, thrown: number, busy: boolean, share: number|null, way: {words: string, go: () => void}|null, stop: AbortController}|null} */
  let state = null;
  /** Whose card it is. @type {Person['trail']|null} */
  let trail = null;
  /** Told to whoever listens: no draft. */
  const status = el('p', { class: 'visually-hidden', role: 'status' });
  const draft = createDraft();
  const bar = el('progress', { 'aria-label': 'The language model', max: 1 });
  const about = el('figcaption', { 'aria-hidden': 'true' });
  const writing = el('figure', { class: 'pattern' }, el('div', { class: 'pattern-place' }, draft.element, bar), about);
  const figure = el('div', {});
  // Beside the figure, which is drawn anew: whoever is on it stays on it.
  const stopButton = button({ id: 'write-stop', class: 'button button-quiet' }, stop, 'Stop');
  const live = el('div', { class: 'pattern-live', tabindex: '-1' }, figure, stopButton, status);
  /** @type {HTMLButtonElement|null} */
  let offerButton = null;

  const say = (/** @type {string} */ words) => status.textContent !== words && (status.textContent = words);

  /** @param {boolean} [aloud] whether listeners are told */
  function drawLive(aloud = true) {
    const way = state?.way;
    if (state) {
      writing.toggleAttribute('data-writing', state.busy);
      writing.setAttribute('aria-busy', String(state.busy));
      draft.element.hidden = !state.busy;
      bar.hidden = state.share === null;
      bar.value = state.share ?? 0;
      about.textContent = state.words === WRITING ? `${WRITING} Drafts that do not fit these titles are thrown away: ${state.thrown} so far.` : state.words;
    }
    figure.replaceChildren(
      ...(state ? [writing] : []),
      ...(way
        ? [
            button(
              { class: 'button button-quiet' },
              () => {
                live.focus();
                way.go();
              },
              way.words,
            ),
          ]
        : []),
    );
    if (!state?.busy && document.activeElement === stopButton) (offerButton ?? live).focus();
    stopButton.hidden = !state?.busy;
    if (state && aloud) say(state.words);
    // Not `disabled`: whoever pressed it stays on it.
    if (offerButton) setBusy(offerButton, Boolean(state?.busy) || (trail !== null && isOutdated(trail.current)));
  }

  function stop() {
    (offerButton ?? live).focus();
    state?.stop.abort();
  }

  /** Nothing is under way any more. @param {string} [words] what became of it, for listeners */
  function clear(words = '') {
    state = null;
    say(words);
    drawLive();
  }

  /**
   * A text is under way from now on, until something else is: whatever was under way before ends.
   * @param {string} words
   */
  function begin(words) {
    state?.stop.abort();
    const own = { of: trail, words, thrown: 0, busy: true, share: here ? null : 0, way: null, stop: new AbortController() };
    state = own;
    draft.clear();
    drawLive();
    const follow = paced((/** @type {string} */ text, /** @type {number} */ attempt) => {
      draft.grow(text);
      own.thrown = attempt - 1;
      drawLive(false);
    });
    const onDraft = (/** @type {string} */ text, /** @type {number} */ attempt) => {
      if (state !== own) return;
      here = true;
      own.share = null;
      if (own.words !== WRITING) {
        own.words = WRITING;
        drawLive();
      }
      follow.give(text, attempt);
    };
    return { own, onDraft, end: () => follow.end() };
  }

  /** @param {number} seed */
  async function write(seed) {
    if (state?.busy) return;
    const { own, onDraft, end } = begin(here ? 'The language model reads the history …' : `The language model is fetched, ${bytes(size)} …`);
    try {
      await onWrite(seed, onDraft, own.stop.signal);
      here = true;
      if (state === own) clear(written('', own.of));
    } catch (thrown) {
      const fault = asFault(thrown);
      if (losesIt(fault)) here = false;
      if (state !== own) return;
      const words = `${wording(fault).title}. ${AS_BEFORE}`;
      const way = { words: fault.kind === 'outdated' ? wording(fault).action : 'Ask again', go: wayOut(fault, () => write(seed)) };
      if (fault.kind === 'superseded') clear(own.stop.signal.aborted ? `Stopped. ${AS_BEFORE}` : '');
      else {
        state = { of: own.of, words, thrown: 0, busy: false, share: null, way, stop: own.stop };
        drawLive();
      }
    } finally {
      end();
    }
  }

  /**
   * A pattern is written anew of a changed history: seen growing, and stopped by the same button.
   * @param {(onDraft: (text: string, attempt: number) => void, signal: AbortSignal) => Promise<void>} ask
   * @returns {Promise<boolean>} false where the visitor stopped it
   */
  async function writeAnew(ask) {
    const { own, onDraft, end } = begin('The history has changed: the language model reads it anew …');
    try {
      await ask(onDraft, own.stop.signal);
      if (state === own) clear(written(' anew', own.of));
      return true;
    } catch (thrown) {
      if (losesIt(asFault(thrown))) here = false;
      // Whatever has taken its place speaks for itself.
      if (state !== own) throw thrown;
      const stopped = own.stop.signal.aborted;
      clear(stopped ? 'Stopped. The list goes on without it.' : '');
      if (!stopped) throw thrown;
      return false;
    } finally {
      end();
    }
  }

  /** @param {Person} person */
  function caption({ viewer, pattern, nearest, trail }) {
    const written = trail.current.written;
    if (written && isOutdated(trail.current)) return 'Written of the history before the change.';
    if (written) {
      const unheld = written.unheld > 0 ? ' It names something that none of these titles has: no draft did better.' : '';
      return `Written here and now by the language model in your browser, from the newest of these titles.${unheld}`;
    }
    if (!pattern || (viewer !== null && trail.current.pattern === trail.base.pattern)) return 'The language model on this viewer';
    const borrowed = `Borrowed: the language model on ${viewerName(pattern.key)}`;
    return nearest && nearest.viewer === pattern.viewer ? `${borrowed}, the nearest viewer, who took ${plural(nearest.shared.length, 'title')} of yours` : borrowed;
  }

  /** @param {Person} person */
  function standing(person) {
    const { viewer, pattern, nearest, trail } = person;
    const text = trail.current.written?.text ?? pattern?.text;
    if (trail.current.written && !text) return el('p', { class: 'muted' }, 'The language model wrote nothing for this history.');
    if (text) {
      const kind = trail.current.written ? 'written' : viewer !== null && trail.current.pattern === trail.base.pattern ? null : 'borrowed';
      return el('figure', { class: 'pattern', 'data-borrowed': kind === 'borrowed' ? 'true' : null, 'data-written': kind === 'written' ? 'true' : null }, voice('blockquote', text), el('figcaption', {}, caption(person)));
    }
    const whose = viewer !== null && trail.current.pattern === trail.base.pattern ? 'this viewer' : viewerName(pattern?.key ?? '');
    const words = pattern
      ? `The language model has written no pattern for ${whose}.`
      : viewer || nearest
        ? 'No pattern is read.'
        : trail.current.history.length === 0
          ? 'Pick a title or two: the nearest viewer’s pattern is read then.'
          : 'No viewer here took any of these titles, so no pattern is read.';
    return el('p', { class: 'muted' }, words);
  }

  /** @param {Person} person */
  function offer({ trail }) {
    if (size === 0 || trail.current.history.length === 0) return null;
    const written = trail.current.written;
    const words = written ? 'Write another' : 'Let the language model write one for this history';
    const next = written ? (written.seed % MOST_SEED) + 1 : 1;
    offerButton = button({ id: 'write-pattern', class: 'button' }, (event) => /** @type {Element} */ (event.currentTarget).hasAttribute('aria-disabled') || write(next), words);
    setBusy(offerButton, Boolean(state?.busy) || isOutdated(trail.current));
    return el(
      'div',
      { class: 'pattern-offer' },
      offerButton,
      here ? null : el('p', { class: 'muted' }, `It is fetched once, ${bytes(size)}, and runs in your browser.`),
    );
  }

  return {
    write,
    writeAnew,
    /** Whether all that it takes to write is here: nothing is fetched for it. */
    mayWrite: () => here,

    /** How much of the language model is here. @param {import('./types.js').Progress} report */
    progress({ phase, loaded: got, total }) {
      if (phase !== 'writer') return;
      here = total !== null && got >= total;
      if (!state?.busy) return;
      state.words = `The language model is fetched: ${bytes(got)}${total ? ` of ${bytes(total)}` : ''} …`;
      state.share = total ? Math.min(1, got / total) : null;
      drawLive(false);
    },

    /** @param {Person} person @param {boolean} editing whether something may be changed @returns {(HTMLElement|null)[]} */
    draw(person, editing) {
      if (trail !== person.trail) {
        state?.stop.abort();
        clear(); // it was somebody else's
      }
      trail = person.trail;
      offerButton = null;
      if (!loaded.uses.patterns) return [el('p', { class: 'muted' }, 'This model was trained without patterns.')];
      drawLive();
      const own = editing ? offer(person) : null;
      // Of one's own taste: what is most wanted first.
      return person.viewer === null ? [el('h3', {}, 'Pattern'), own, live, standing(person)] : [standing(person), live, own];
    },
  };
}
