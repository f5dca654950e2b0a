/** Reasons that the language model writes for whose list it is: the place of each in its row, and the line above the list that says how far they are. */
import { button, el } from './dom.js';
import { createDraft, paced } from './draft.js';
import { reportButton } from './report-button.js';

/**
 * The place of a reason, kept free from the beginning: nothing below it moves while it is written.
 * @param {Element} slot @param {number} item whose reason it is @param {'you'|'this viewer'} whom it is written for @param {import('./report-button.js').Reports} reports
 */
export function ownReason(slot, item, whom, reports) {
  const draft = createDraft();
  const { give: grow, end: endGrowing } = paced(draft.grow);
  const caption = el('figcaption', {}, `to be written for ${whom}, here …`);
  const figure = el('figure', { class: 'leading-reason', 'data-written': 'true', 'aria-busy': 'true' }, draft.element, caption);
  const tools = el('div', { class: 'reason-tools' });
  slot.replaceChildren(figure, tools);
  return {
    begin: () => void (caption.textContent = `being written for ${whom}, here …`),
    grow: (/** @type {string} */ text) => grow(text),
    /** @param {string} text nothing stays where it is empty @param {number} unheld what it says that neither the title nor the pattern holds */
    end(text, unheld) {
      endGrowing();
      if (text === '') return slot.replaceChildren();
      figure.removeAttribute('aria-busy');
      draft.finish(text);
      caption.textContent = unheld > 0 ? `written for ${whom}, here and now; it says what this title or the pattern does not hold` : `written for ${whom}, here and now; it does not count in the score`;
      tools.append(reportButton(item, null, text, reports));
    },
  };
}

/**
 * How far they are, with one way: to stop, or to go on.
 * @param {() => void} onLost what has the focus where that way goes while somebody is on it
 */
export function createOwnReasonsLine(onLost) {
  const said = el('span', {});
  let go = () => {};
  const way = button({ class: 'button button-tool' }, () => go());
  const element = el('p', { class: 'own-reasons', hidden: true }, said, way);
  return {
    element,
    /** @param {string} words none where none are written @param {{words: string, go: () => void}|null} next */
    show(words, next) {
      const inside = document.activeElement === way;
      said.textContent = words;
      // The same button: whoever stopped it may go on with the same key.
      go = next?.go ?? (() => {});
      way.textContent = next?.words ?? '';
      way.hidden = next === null;
      element.hidden = words === '';
      if (inside && next === null) onLost();
    },
  };
}
