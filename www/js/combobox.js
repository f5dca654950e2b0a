/** A text field that finds one of many by its words: an ARIA combobox with a listbox, made for the keyboard first. */
import { el } from './dom.js';
import { count } from './format.js';

const MOST_OPTIONS = 50;

/**
 * @typedef {object} Choices
 * @property {number} size how many there are
 * @property {(index: number) => string} words what is searched, in lower case
 * @property {(index: number) => string} name what is meant by an exact name, in lower case
 * @property {(index: number) => (Node|string|null)[]} draw the inside of an option
 */

/**
 * @param {object} options
 * @param {string} options.id prefix of the ids inside, unique on the page
 * @param {string} options.label
 * @param {string} options.placeholder
 * @param {string} options.listLabel
 * @param {string} options.rest what the hint says while nobody types
 * @param {string} options.nothing what it says where nothing matches
 * @param {Choices} options.choices
 * @param {(index: number) => boolean} [options.allowed] leaves some out, asked anew at each search
 * @param {(index: number) => void} options.onChoose
 */
export function combobox({ id, label, placeholder, listLabel, rest, nothing, choices, allowed = () => true, onChoose }) {
  const input = el('input', {
    id,
    class: 'search-input',
    type: 'text',
    role: 'combobox',
    'aria-expanded': 'false',
    'aria-controls': `${id}-options`,
    'aria-autocomplete': 'list',
    'aria-describedby': `${id}-hint`,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder,
  });
  const list = el('ul', { id: `${id}-options`, class: 'search-options', role: 'listbox', 'aria-label': listLabel, hidden: true });
  const hint = el('p', { id: `${id}-hint`, class: 'search-hint' });
  // Beside the hint, which describes the field: empty until somebody types, so that nothing is said by itself.
  const status = el('p', { class: 'visually-hidden', role: 'status' });
  /** @type {number[]} */
  let matches = [];
  let active = -1;
  let marked = -1;

  let resting = rest;
  const restHint = () => {
    hint.textContent = resting;
    delete hint.dataset.nothing;
    status.textContent = '';
  };

  function open() {
    const typed = input.value.trim().toLowerCase();
    const words = typed.split(/\s+/).filter(Boolean);
    const all = [];
    for (let index = 0; index < choices.size; index += 1) {
      const text = choices.words(index);
      if (allowed(index) && words.every((word) => text.includes(word))) all.push(index);
    }
    // What is meant by name comes before what only contains it.
    const exact = all.findIndex((index) => choices.name(index) === typed);
    if (exact > 0) all.unshift(...all.splice(exact, 1));
    matches = all.slice(0, MOST_OPTIONS);
    active = -1;
    list.replaceChildren(...matches.map(option));
    list.hidden = matches.length === 0;
    input.setAttribute('aria-expanded', String(matches.length > 0));
    input.removeAttribute('aria-activedescendant');
    hint.toggleAttribute('data-nothing', all.length === 0);
    if (all.length === 0) hint.textContent = nothing;
    else if (all.length > matches.length) hint.textContent = `${count(all.length)} matches, the first ${MOST_OPTIONS} shown: type to narrow down`;
    else hint.textContent = all.length === 1 ? '1 match' : `${all.length} matches`;
    // A field that was only opened has told by its description how many there are.
    status.textContent = words.length > 0 ? hint.textContent : '';
  }

  /** @param {number} index @param {number} place */
  function option(index, place) {
    const item = el(
      'li',
      { id: `${id}-option-${place}`, class: 'search-option', role: 'option', 'aria-selected': String(index === marked) },
      ...choices.draw(index),
    );
    // Before the input loses focus, so that the list is still there to be clicked.
    item.addEventListener('mousedown', (event) => event.preventDefault());
    item.addEventListener('click', () => choose(index));
    return item;
  }

  function close() {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    input.value = '';
    restHint();
  }

  /** @param {number} index */
  function choose(index) {
    close();
    onChoose(index);
  }

  /** @param {number} place */
  function activate(place) {
    list.children[active]?.classList.remove('is-active');
    active = place;
    const item = list.children[active];
    item?.classList.add('is-active');
    item?.scrollIntoView({ block: 'nearest' });
    if (item) input.setAttribute('aria-activedescendant', item.id);
  }

  input.addEventListener('focus', () => {
    if (input.dataset.quiet) delete input.dataset.quiet;
    else open();
  });
  input.addEventListener('click', () => list.hidden && open());
  input.addEventListener('input', open);
  // Drawn anew around it, the field loses the focus for a moment and keeps what is typed.
  input.addEventListener('blur', () => setTimeout(() => document.activeElement !== input && close()));
  input.addEventListener('keydown', (event) => {
    const { key } = event;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      event.preventDefault();
      if (list.hidden) open();
      const step = key === 'ArrowDown' ? 1 : -1;
      if (matches.length > 0) activate((active + step + matches.length + (active < 0 && step < 0 ? 1 : 0)) % matches.length);
    } else if (key === 'Enter') {
      const index = matches[active < 0 ? 0 : active];
      if (!list.hidden && index !== undefined && (active >= 0 || input.value.trim() !== '')) choose(index);
    } else if (key === 'Escape' || key === 'Tab') {
      // With Tab before the focus moves: an open list, which can be scrolled, would take it and lose it by closing.
      close();
    }
  });
  restHint();

  const element = el('div', { class: 'search' }, el('label', { for: id }, label), el('div', { class: 'search-box' }, input, list), hint, status);
  return {
    element,
    input,
    /** Marks the choice that stands. @param {number} index */
    mark(index) {
      marked = index;
    },
    /** What may be chosen has changed: an open list follows. @param {string} [words] what the hint says meanwhile */
    refresh(words = rest) {
      resting = words;
      if (!list.hidden) return open();
      restHint();
      if (words !== rest) status.textContent = words;
    },
  };
}
