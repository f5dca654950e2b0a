/** The way to say that a reason is bad. */
import { button, el } from './dom.js';
import { onReports } from './reports.js';

/**
 * Where reports are kept.
 * @typedef {object} Reports
 * @property {(item: number, reason: number|null, text: string) => boolean} report whether it could be kept; `reason`: its place among the title's, null for one that was written here
 * @property {(item: number, text: string) => boolean} isReported whether it was before
 */

/**
 * @param {number} item whose reason @param {number|null} reason its place among the title's; null for one that was written here
 * @param {string} text @param {Reports} reports
 */
export function reportButton(item, reason, text, { report, isReported }) {
  const element = button({ class: 'button-link' }, () => {
    if (element.hasAttribute('aria-disabled')) return;
    done(report(item, reason, text));
  });
  const draw = () => {
    if (isReported(item, text)) return done(true);
    element.removeAttribute('aria-disabled');
    element.replaceChildren('Report as bad', el('span', { class: 'visually-hidden' }, `: ${text}`));
  };
  // Not `disabled`: whoever pressed it stays on it.
  const done = (/** @type {boolean} */ kept) => {
    element.setAttribute('aria-disabled', 'true');
    element.textContent = kept ? 'Noted on this device, and part of this list’s JSON' : 'This browser keeps nothing for this page';
  };
  draw();
  onReports(element, draw);
  return element;
}
