/** What was changed and what moved, kept in sight while the rows that moved may not be: a strip at the foot of the window. */
import { button, byId, el, withProperty } from './dom.js';
import { capitalised, opening, plural } from './format.js';
import { changesInWords, seeList } from './what-if.js';

/** Characters of what was changed: all of it stands with the viewer, and the strip must leave room for what is below it. */
const MOST = 120;

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
  // Beside the tools that say and do the same it would only cover what is below it. They are drawn anew with each change.
  const beside = new IntersectionObserver((seen) => root.toggleAttribute('data-beside', seen.at(-1)?.isIntersecting ?? false));
  const look = () => {
    beside.disconnect();
    const tools = document.querySelector('.what-if-tools');
    if (tools) beside.observe(tools);
    else root.removeAttribute('data-beside');
  };
  new MutationObserver(look).observe(byId('viewer'), { childList: true });
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
      const see = seeList();
      const back = change.canUndo ? button({ class: 'button button-tool' }, onUndo, 'Take it back') : null;
      const begun = opening(capitalised(words), MOST);
      root.replaceChildren(el('p', { dir: 'auto' }, el('strong', {}, begun.endsWith('…') ? `${begun} ` : `${begun}. `), change.moved), see, ...(back ? [back] : []));
      if (inside) (back ?? see).focus();
    },
  };
}
