/** Who the list is for: the pattern that the language model wrote about this viewer, and the history it was written from. */
import { cover } from './cover.js';
import { button, el } from './dom.js';
import { capitalised, date, plural, viewerName } from './format.js';
import { attributeLine, voice } from './pieces.js';

const FIRST_SHOWN = 6;

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'catalogue'|'dated'|'uses'>} data
 */
export function createViewerCard(root, { catalogue, dated, uses }) {
  return {
    /** @param {import('./types.js').ArtefactUser} viewer @param {string[]} tastes */
    show(viewer, tastes) {
      root.replaceChildren(
        el(
          'div',
          {},
          el('h2', { id: 'viewer-heading', dir: 'auto' }, viewerName(viewer.key)),
          tastes.length > 0 ? el('p', { class: 'viewer-tastes', dir: 'auto' }, capitalised(tastes.join(' and '))) : null,
        ),
        patternFigure(viewer.pattern, uses.patterns),
        historyPart(viewer, catalogue, dated),
      );
    },
  };
}

/** @param {string|null} pattern @param {boolean} used */
function patternFigure(pattern, used) {
  if (!used) return el('p', { class: 'muted' }, 'This model was trained without patterns.');
  if (!pattern) return el('p', { class: 'muted' }, 'The language model has written no pattern for this viewer.');
  return el(
    'figure',
    { class: 'pattern' },
    voice('blockquote', pattern),
    el('figcaption', {}, 'The language model on this viewer'),
  );
}

/**
 * @param {import('./types.js').ArtefactUser} viewer
 * @param {import('./types.js').CatalogueItem[]} catalogue
 * @param {boolean} dated
 */
function historyPart(viewer, catalogue, dated) {
  const newestFirst = [...viewer.history].reverse();
  /** @param {{item: number, time: number}} event */
  const row = ({ item, time }) => {
    const entry = /** @type {import('./types.js').CatalogueItem} */ (catalogue[item]);
    return el(
      'li',
      { class: 'history-row' },
      cover(entry),
      el('div', {}, el('p', { class: 'history-title', dir: 'auto' }, entry.title), attributeLine(entry, 2)),
      dated ? el('time', { class: 'history-time', datetime: new Date(time * 1000).toISOString().slice(0, 10) }, date(time)) : null,
    );
  };
  const list = el('ol', { class: 'history', id: 'history-list' }, ...newestFirst.slice(0, FIRST_SHOWN).map(row));
  const rest = newestFirst.slice(FIRST_SHOWN);
  const showAll = `Show all ${plural(newestFirst.length, 'title')}`;
  const more =
    rest.length > 0 &&
    button({ class: 'button button-quiet', 'aria-expanded': 'false', 'aria-controls': 'history-list' }, (event) => {
      const toggle = /** @type {HTMLButtonElement} */ (event.currentTarget);
      const isOpen = toggle.getAttribute('aria-expanded') === 'true';
      if (isOpen) while (list.children.length > FIRST_SHOWN) list.lastElementChild?.remove();
      else list.append(...rest.map(row));
      list.classList.toggle('is-open', !isOpen);
      toggle.setAttribute('aria-expanded', String(!isOpen));
      toggle.textContent = isOpen ? showAll : 'Show fewer';
    });
  if (more) more.textContent = showAll;
  return el(
    'div',
    { class: 'history-part' },
    el('h3', {}, 'History', el('span', { class: 'muted' }, ' newest first')),
    newestFirst.length > 0 ? list : el('p', { class: 'muted' }, 'Nothing yet.'),
    more,
  );
}
