/** Ways to the parts of the page that lie below the list, which has most of the room. */
import { button, byId, el } from './dom.js';

/** Where each way leads: the heading of a part. @type {[string, string][]} */
const PARTS = [
  ['compare-heading', 'Models compared'],
  ['results-heading', 'Results and limits'],
];

/**
 * Not links: an address here is a list's.
 * @param {HTMLElement} root
 */
export function showPageNav(root) {
  const way = (/** @type {[string, string]} */ [id, words]) =>
    el(
      'li',
      {},
      button(
        { class: 'button-link' },
        () => {
          const heading = byId(id);
          heading.setAttribute('tabindex', '-1');
          heading.scrollIntoView({ block: 'start' });
          heading.focus({ preventScroll: true });
        },
        words,
      ),
    );
  root.replaceChildren(el('ul', {}, ...PARTS.filter(([id]) => document.getElementById(id)?.closest('[hidden]') === null).map(way)));
  root.hidden = false;
}
