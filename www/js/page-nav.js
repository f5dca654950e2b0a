/** Ways to the parts of the page that lie below the list, which has most of the room. */
import { button, byId, el } from './dom.js';

/** Where each way leads: the heading of a part, and what opens that part where it is closed. @type {[string, string, string?][]} */
const PARTS = [
  ['compare-heading', 'Models compared', 'compare-toggle'],
  ['results-heading', 'Results and limits'],
];

/**
 * Not links: an address here is a list's.
 * @param {HTMLElement} root
 */
export function showPageNav(root) {
  const way = (/** @type {[string, string, string?]} */ [id, words, toggle]) =>
    el(
      'li',
      {},
      button(
        { class: 'button-link' },
        () => {
          const heading = byId(id);
          const closed = toggle && document.querySelector(`#${toggle}[aria-expanded="false"]:enabled`);
          if (closed instanceof HTMLElement) closed.click();
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
