/** Whose list it is: the pattern that is read, the history, and, when asked for, what can be changed about both. */
import { cover } from './cover.js';
import { button, el, keepingFocus, nextTask } from './dom.js';
import { capitalised, date, plural, viewerName } from './format.js';
import { createPatternDesk } from './pattern-desk.js';
import { attributeLine } from './pieces.js';
import { moved, unread, without } from './tastes.js';
import { createWhatIf } from './what-if.js';

/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./types.js').ArtefactUser} ArtefactUser */

const FIRST_SHOWN = 6;
/** Rows drawn at once; those of a longer history follow in tasks of their own, so that no press waits for all of them. */
const AT_ONCE = 100;

/**
 * @typedef {object} Person what the card is drawn from
 * @property {ArtefactUser|null} viewer the stored viewer; null for a taste of the visitor's own
 * @property {string} taste what stands out in their history, as a name
 * @property {import('./tastes.js').Trail} trail
 * @property {{viewer: number, key: string, text: string|null}|null} pattern whose pattern is read
 * @property {import('./types.js').Nearest|null} nearest why this one, for a taste of the visitor's own
 */

/**
 * @param {HTMLElement} root
 * @param {import('./types.js').Loaded} loaded
 * @param {object} told
 * @param {(taste: Taste) => void} told.edit
 * @param {() => void} told.undo
 * @param {() => void} told.redo
 * @param {() => void} told.reset
 * @param {(seed: number, onDraft: (text: string, attempt: number) => void, signal: AbortSignal) => Promise<void>} told.write
 */
export function createViewerCard(root, loaded, told) {
  const whatIf = createWhatIf(loaded, told);
  const desk = createPatternDesk(loaded, told.write);
  /** @type {Person|null} */
  let shown = null;
  let open = false;
  let all = false;
  /** Whether pattern and history are seen where the list stands below them; null as long as nobody has said so. @type {boolean|null} */
  let unfolded = null;

  /** @param {Person} person */
  function draw(person) {
    const { viewer } = person;
    const editing = open || viewer === null;
    const name = viewer ? viewerName(viewer.key) : 'Your own taste';
    const toggle =
      viewer &&
      button(
        { id: 'what-if-toggle', class: 'button button-what-if', 'aria-expanded': String(open), 'aria-controls': open ? 'what-if' : null },
        () => {
          open = !open;
          unfolded = null;
          draw(person);
        },
        'What if …?',
      );
    keepingFocus(root, () => fill(person, name, toggle || null, editing));
  }

  /** @param {Person} person @param {string} name @param {HTMLElement|null} toggle @param {boolean} editing */
  function fill(person, name, toggle, editing) {
    const { taste, trail } = person;
    const parts = desk.draw(person, editing).filter((part) => part !== null);
    root.replaceChildren(
      el(
        'div',
        { class: 'viewer-head' },
        el('h2', { id: 'viewer-heading', dir: 'auto', tabindex: '-1' }, name),
        taste ? el('p', { class: 'viewer-tastes', dir: 'auto' }, capitalised(taste)) : null,
        toggle,
        editing ? null : foldToggle(person),
      ),
      ...(!editing ? [el('div', { class: 'viewer-about', id: 'viewer-about', 'data-folded': isUnfolded(person) ? null : 'true' }, ...parts, historyPart(person, editing))] : changing(person, parts)),
    );
    if (trail.changed) root.dataset.changed = 'true';
    else delete root.dataset.changed;
  }

  /** What is changed stands next to what changes it; of one's own taste there is less, and the pattern is what it is for. @param {Person} person @param {HTMLElement[]} parts */
  function changing(person, parts) {
    const { titles, pattern } = whatIf.draw(person);
    const desk = [...parts, ...(pattern ? [pattern] : [])];
    const history = historyPart(person, true);
    return person.viewer ? [titles, history, ...desk] : [titles, ...desk, history];
  }

  /** Without a word to the contrary, what was changed is seen. @param {Person} person */
  const isUnfolded = ({ trail }) => unfolded ?? trail.changed;

  /** Where the list stands below, who it is for takes a line until somebody wants to know more. @param {Person} person */
  const foldToggle = (person) =>
    button(
      { id: 'viewer-fold', class: 'button button-quiet', 'aria-expanded': String(isUnfolded(person)), 'aria-controls': 'viewer-about' },
      () => {
        unfolded = !isUnfolded(person);
        draw(person);
      },
      loaded.uses.patterns ? 'Pattern and history' : 'History',
    );

  /** @param {Person} person @param {boolean} editing */
  function historyPart({ viewer, trail }, editing) {
    const { history } = trail.current;
    const places = history.map((_, place) => place).reverse();
    const silent = unread(trail.current, viewer?.history.length ?? 0, loaded.window);
    const list = el('ol', { class: 'history', id: 'history-list', 'data-editing': editing ? 'true' : null });
    const fill = async () => {
      const shown = all ? places : places.slice(0, FIRST_SHOWN);
      // Whoever is further down stays where they are.
      const step = isFurtherDown() ? shown.length : AT_ONCE;
      list.replaceChildren(...shown.slice(0, step).map(row));
      list.classList.toggle('is-open', all);
      for (let from = step; from < shown.length; from += step) {
        await nextTask();
        if (!list.isConnected || list.childElementCount !== from) return; // drawn anew meanwhile
        list.append(...shown.slice(from, from + step).map(row));
      }
    };

    /** @param {number} place */
    const row = (place) => {
      const event = /** @type {import('./types.js').Taken} */ (history[place]);
      const entry = /** @type {import('./types.js').CatalogueItem} */ (loaded.catalogue[event.item]);
      const time = event.position === null ? null : (viewer?.history[event.position]?.time ?? null);
      return el(
        'li',
        { class: 'history-row', 'data-added': viewer !== null && event.position === null ? 'true' : null },
        cover(entry),
        el('div', {}, el('p', { class: 'history-title', dir: 'auto' }, entry.title), attributeLine(entry, 2), silent.has(place) ? el('p', { class: 'history-unread muted' }, 'Older than what is read') : null),
        editing
          ? controls(trail, event, place, entry.title)
          : loaded.dated && time !== null
            ? el('time', { class: 'history-time', datetime: new Date(time * 1000).toISOString().slice(0, 10) }, date(time))
            : null,
      );
    };

    const showAll = `Show all ${plural(history.length, 'title')}`;
    const more =
      history.length > FIRST_SHOWN &&
      button({ id: 'history-all', class: 'button button-quiet', 'aria-expanded': String(all), 'aria-controls': 'history-list' }, (event) => {
        const toggle = /** @type {HTMLButtonElement} */ (event.currentTarget);
        all = !all;
        fill();
        toggle.setAttribute('aria-expanded', String(all));
        toggle.textContent = all ? 'Show fewer' : showAll;
      });
    if (more) more.textContent = all ? 'Show fewer' : showAll;
    fill();
    return el(
      'div',
      { class: 'history-part' },
      el('h3', {}, 'History', el('span', { class: 'muted' }, ` newest first${silent.size > 0 ? `; ${history.length - silent.size} are read` : ''}`)),
      history.length > 0 ? list : el('p', { class: 'muted' }, viewer === null ? 'Nothing picked yet.' : 'Nothing is left.'),
      more,
    );
  }

  /** Whether somebody looks at rows beyond those that are drawn at once. */
  function isFurtherDown() {
    const row = root.querySelectorAll('.history-row')[AT_ONCE - 1];
    return row !== undefined && row.getBoundingClientRect().top < window.innerHeight;
  }

  /** @param {import('./tastes.js').Trail} trail @param {import('./types.js').Taken} event @param {number} place @param {string} title */
  function controls(trail, event, place, title) {
    const last = trail.current.history.length - 1;
    // Where it stands when the button is pressed: this row may be older than the last change.
    const now = () => trail.current.history.indexOf(event);
    /** @param {string} sign @param {string} words @param {string} name @param {boolean} possible @param {(place: number) => Taste} change */
    const small = (sign, words, name, possible, change) =>
      button(
        { id: `${name}-${event.position ?? `new-${event.item}-${place}`}`, class: 'button-small', 'aria-label': `${words}: ${title}`, title: words, 'data-do': name, disabled: !possible },
        () => now() >= 0 && told.edit(change(now())),
        sign,
      );
    return el(
      'div',
      { class: 'history-controls' },
      small('↑', 'Make newer', 'newer', place < last, (at) => moved(trail.current, at, at + 1)),
      small('↓', 'Make older', 'older', place > 0, (at) => moved(trail.current, at, at - 1)),
      small('✕', 'Take out', 'remove', true, (at) => without(trail.current, at)),
    );
  }

  return {
    /** Writes a pattern of the present history, as a link may ask for. @param {number} seed */
    write(seed) {
      unfolded = true;
      if (shown) draw(shown);
      return desk.write(seed);
    },
    writeAnew: desk.writeAnew,
    mayWrite: desk.mayWrite,
    progress: desk.progress,

    /** @param {Person} person */
    show(person) {
      if (shown?.viewer !== person.viewer) {
        open = person.trail.changed && person.viewer !== null;
        all = false;
        unfolded = null;
      }
      shown = person;
      draw(person);
    },
  };
}
