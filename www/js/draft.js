/**
 * A text that is being written, shown so that it can be followed: it grows in a place that was kept free for it and never shrinks, at a pace
 * that leaves time to read. Whoever wants no motion sees it once it is written.
 */
import { el, withProperty } from './dom.js';

/** Milliseconds between two looks at a text that grows. */
const PACE = 500;

const STILL = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * Draws what it was last given, and no more often than can be followed; what comes in between is not drawn.
 * @template {unknown[]} Given
 * @param {(...given: Given) => void} draw
 */
export function paced(draw) {
  /** @type {number|undefined} */
  let timer;
  /** @type {Given} */
  let last;
  return {
    /** @param {Given} given */
    give(...given) {
      last = given;
      timer ??= setTimeout(() => {
        timer = undefined;
        draw(...last);
      }, PACE);
    },
    /** Nothing more is drawn. */
    end() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** The place of a text by the language model; how much is kept free for it is the style sheet's. */
export function createDraft() {
  const element = el('blockquote', { class: 'voice draft', dir: 'auto' });
  return {
    element,
    /** As far as it is written. A draft that is begun anew is shorter: what stands below stays where it is. @param {string} text */
    grow(text) {
      if (STILL.matches) return;
      element.textContent = text.trim();
      withProperty(element, 'min-height', `${element.getBoundingClientRect().height}px`);
    },
    /** @param {string} text */
    finish: (text) => void (element.textContent = text.trim()),
    clear() {
      element.textContent = '';
      element.style.removeProperty('min-height');
    },
  };
}
