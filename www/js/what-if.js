/** What a visitor may change: titles added, another viewer's pattern, and the steps back and forth. */
import { button, byId, el } from './dom.js';
import { plural, viewerName } from './format.js';
import { same, withPattern, withTitle } from './tastes.js';
import { titleSearch } from './title-search.js';
import { viewerSearch } from './viewer-picker.js';

/** @typedef {import('./types.js').Taste} Taste */
/** @typedef {import('./viewer-card.js').Person} Person */

/** Titles named in a sentence about changes. */
const NAMED = 3;

/**
 * What differs from where a stored viewer began, in words; null where nothing does, or the taste is nobody's.
 * @param {{taste: Taste, own: Taste}} of
 * @param {Pick<import('./types.js').Loaded, 'catalogue'|'viewers'>} loaded
 */
export function changesInWords({ taste, own }, { catalogue, viewers }) {
  if (own.viewer === null || same(taste, own)) return null;
  const kept = new Set(taste.history.map(({ position }) => position));
  const named = (/** @type {string} */ word, /** @type {{item: number}[]} */ events) => (events.length === 0 ? [] : [`${word} ${listed(events, catalogue)}`]);
  const removed = own.history.filter(({ position }) => !kept.has(position));
  const added = taste.history.filter(({ position }) => position === null);
  const stored = taste.history.flatMap(({ position }) => (position === null ? [] : [position]));
  const reordered = stored.some((position, at) => at > 0 && position < (stored[at - 1] ?? 0));
  const pattern = !taste.written && taste.pattern === own.pattern ? [] : [patternOf(taste, viewers)];
  return [...named('without', removed), ...named('with', added), ...(reordered ? ['in another order'] : []), ...pattern, ...mutedOf(taste)].join('; ');
}

/**
 * What a taste of the visitor's own is made of, in words; null where it is a stored viewer's, or nothing was picked.
 * @param {Taste} taste
 * @param {Pick<import('./types.js').Loaded, 'catalogue'|'viewers'|'uses'>} loaded
 */
export function ownInWords(taste, { catalogue, viewers, uses }) {
  if (taste.viewer !== null || taste.history.length === 0) return null;
  return [`Picked: ${listed(taste.history, catalogue)}`, ...(uses.patterns ? [patternOf(taste, viewers)] : []), ...mutedOf(taste)].join('; ');
}

/** The first of these titles, and how many more there are. @param {{item: number}[]} events @param {import('./types.js').CatalogueItem[]} catalogue */
function listed(events, catalogue) {
  const more = events.length > NAMED ? ` and ${events.length - NAMED} more` : '';
  return `${events.slice(0, NAMED).map(({ item }) => catalogue[item]?.title ?? '').join(', ')}${more}`;
}

/** Where the pattern that is read comes from. @param {Taste} taste @param {import('./types.js').ViewerEntry[]} viewers */
function patternOf({ written, pattern }, viewers) {
  if (written) return 'with a pattern written here';
  return pattern === null ? 'without a pattern' : `with the pattern of ${viewerName(viewers[pattern]?.key ?? '')}`;
}

/** @param {Taste} taste */
const mutedOf = ({ muted }) => (muted.length > 0 ? [`${plural(muted.length, 'reason')} muted`] : []);

/** The way to the list, where that stands below. */
export const seeList = () =>
  button(
    { class: 'button button-tool see-list' },
    () => {
      const heading = byId('ranking-heading');
      heading.scrollIntoView({ block: 'start' });
      heading.focus({ preventScroll: true });
    },
    'See the list',
  );

/**
 * @param {import('./types.js').Loaded} loaded
 * @param {{edit: (taste: Taste) => void, undo: () => void, redo: () => void, reset: () => void}} told
 */
export function createWhatIf(loaded, told) {
  const { catalogue, viewers, uses } = loaded;
  /** @type {Person|null} */
  let person = null;
  const now = () => /** @type {Person} */ (person).trail.current;
  const taken = (/** @type {number} */ item) => now().history.some((event) => event.item === item);
  // Made once: what somebody is typing survives the card being drawn again.
  const titles = titleSearch({
    id: 'add-title',
    label: 'Add a title',
    catalogue,
    allowed: (item) => !taken(item),
    faceted: true,
    onChoose: (item) => told.edit(withTitle(now(), item)),
  });
  const patterns = viewerSearch('borrow-pattern', 'Borrow a pattern', viewers, (user) => told.edit(withPattern(now(), user)));

  /** Another viewer's pattern, the nearest one's, or none. @param {Person} of */
  function borrowing({ trail: { current }, nearest }) {
    if (!uses.patterns) return null;
    const quiet = (/** @type {string} */ id, /** @type {number|null} */ viewer, /** @type {string} */ words) => button({ id, class: 'button button-quiet' }, () => told.edit(withPattern(now(), viewer)), words);
    const ways = [
      current.pattern !== null || current.written ? quiet('no-pattern', null, 'Use no pattern') : null,
      nearest && current.pattern !== nearest.viewer ? quiet('nearest-pattern', nearest.viewer, 'Use the nearest viewer’s pattern') : null,
    ].filter((way) => way !== null);
    return el('div', { class: 'what-if' }, patterns.element, ways.length > 0 ? el('div', { class: 'what-if-ways', role: 'group', 'aria-label': 'Other patterns' }, ...ways) : null);
  }

  return {
    /** What changes titles, and what changes the pattern: the latter stands where the pattern does. @param {Person} of @returns {{titles: HTMLElement, pattern: HTMLElement|null}} */
    draw(of) {
      person = of;
      const { trail, viewer } = of;
      const changed = changesInWords({ taste: trail.current, own: trail.base }, loaded);
      const tool = (/** @type {string} */ id, /** @type {string} */ words, /** @type {boolean} */ possible, /** @type {() => void} */ act) =>
        button({ id, class: 'button button-tool', disabled: !possible }, act, words);
      const drawn = el(
        'div',
        { class: 'what-if', id: 'what-if' },
        changed ? el('p', { class: 'what-if-changes', dir: 'auto' }, `${changed}.`) : null,
        el(
          'div',
          { class: 'what-if-tools', role: 'group', 'aria-label': 'Steps' },
          tool('step-undo', 'Undo', trail.canUndo, told.undo),
          tool('step-redo', 'Redo', trail.canRedo, told.redo),
          tool('step-reset', viewer ? 'As it was' : 'Start over', trail.changed, told.reset),
          trail.current.history.length > 0 ? seeList() : null,
        ),
        titles.element,
      );
      return { titles: drawn, pattern: borrowing(of) };
    },
  };
}
