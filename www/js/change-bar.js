/** What was changed and what moved, kept in sight while the rows that moved may not be: a strip at the foot of the window. */
import { button, byId, el, withProperty } from './dom.js';
import { capitalised, plural } from './format.js';
import { changesInWords } from './what-if.js';

/**
 * @typedef {object} Change
 * @property {import('./types.js').Taste} taste
 * @property {import('./types.js').Taste} own the viewer's own, or a blank one
 * @property {string} moved how much of the list moved, in a sentence
 * @property {boolean} canUndo
 */

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'catalogue'|'viewers'>} loaded
 * @param {() => void} onUndo
 */
export function createChangeBar(root, loaded, onUndo) {
  // What has the focus is kept out of its way (css/layout.css).
  new ResizeObserver(() => withProperty(document.documentElement, '--change-bar', `${Math.ceil(root.getBoundingClientRect().height)}px`)).observe(root);
  return {
    /** @param {Change|null} change */
    show(change) {
      const picked = change && change.own.viewer === null ? change.taste.history.length : 0;
      const words = !change ? null : picked > 0 ? `Your own taste: ${plural(picked, 'title')}` : changesInWords(change, loaded);
      const inside = root.contains(document.activeElement);
      root.hidden = !words;
      if (!change || !words) {
        root.replaceChildren();
        if (inside) byId('ranking-heading').focus();
        return;
      }
      const look = () => {
        const heading = byId('ranking-heading');
        heading.scrollIntoView({ block: 'start' });
        heading.focus({ preventScroll: true });
      };
      const see = button({ class: 'button button-tool' }, look, 'See the list');
      const back = change.canUndo ? button({ class: 'button button-tool' }, onUndo, 'Take it back') : null;
      root.replaceChildren(el('p', { dir: 'auto' }, el('strong', {}, `${capitalised(words)}. `), change.moved), see, ...(back ? [back] : []));
      if (inside) (back ?? see).focus();
    },
  };
}
