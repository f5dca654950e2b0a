/** Choosing a viewer: a few worth meeting as chips, all of them in a search box (an ARIA combobox with a listbox). */
import { button, el } from './dom.js';
import { capitalised, count, plural, viewerName } from './format.js';

const MOST_OPTIONS = 50;

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'viewers'|'featured'>} data
 * @param {(user: number) => void} onChoose
 */
export function createViewerPicker(root, { viewers, featured }, onChoose) {
  const chips = featured.map((user) => {
    const viewer = viewers[user];
    const name = viewer ? viewerName(viewer.key) : '';
    const [first, second] = viewer?.tastes ?? [];
    const note = `${first ? `${name}, ` : ''}${plural(viewer?.length ?? 0, 'title')}`;
    const chip = button(
      { class: 'chip', 'aria-pressed': 'false' },
      () => onChoose(user),
      el('span', { class: 'chip-label', dir: 'auto' }, first ? capitalised(first) : name),
      second ? el('span', { class: 'chip-second', dir: 'auto' }, `and ${second}`) : null,
      el('span', { class: 'chip-note' }, note),
    );
    return { user, chip };
  });
  const search = createSearch(viewers, onChoose);

  root.replaceChildren(
    el(
      'div',
      { class: 'picker-head' },
      el('h2', { id: 'picker-heading' }, 'Pick a viewer'),
      el('p', {}, 'Named after what stands out in their history.'),
    ),
    el('ul', { class: 'chips', 'aria-label': 'Viewers to start with' }, ...chips.map(({ chip }) => el('li', {}, chip))),
    el(
      'div',
      { class: 'picker-search' },
      search.element,
      button({ class: 'button' }, () => onChoose(Math.floor(Math.random() * viewers.length)), 'Surprise me'),
    ),
  );
  root.hidden = false;

  return {
    /** @param {number} user */
    show(user) {
      for (const { user: other, chip } of chips) chip.setAttribute('aria-pressed', String(other === user));
      search.show(user);
    },
  };
}

/**
 * @param {import('./types.js').ViewerEntry[]} viewers
 * @param {(user: number) => void} onChoose
 */
function createSearch(viewers, onChoose) {
  const haystacks = viewers.map((viewer) => `${viewerName(viewer.key)} ${viewer.key} ${viewer.tastes.join(' ')}`.toLowerCase());
  const input = el('input', {
    id: 'viewer-search',
    class: 'search-input',
    type: 'text',
    role: 'combobox',
    'aria-expanded': 'false',
    'aria-controls': 'viewer-options',
    'aria-autocomplete': 'list',
    'aria-describedby': 'viewer-search-hint',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'Name or taste',
  });
  const list = el('ul', { id: 'viewer-options', class: 'search-options', role: 'listbox', 'aria-label': 'Viewers', hidden: true });
  const hint = el('p', { id: 'viewer-search-hint', class: 'search-hint' });
  /** @type {number[]} */
  let matches = [];
  let active = -1;
  let shown = 0;

  const restHint = () => (hint.textContent = `${plural(viewers.length, 'viewer')} in all`);

  function open() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = viewers.map((_, user) => user).filter((user) => words.every((word) => haystacks[user]?.includes(word)));
    // Who is meant by name comes before those whose name only contains it.
    const exact = all.findIndex((user) => viewers[user]?.key.toLowerCase() === input.value.trim().toLowerCase());
    if (exact > 0) all.unshift(...all.splice(exact, 1));
    matches = all.slice(0, MOST_OPTIONS);
    active = -1;
    list.replaceChildren(...matches.map(option));
    list.hidden = matches.length === 0;
    input.setAttribute('aria-expanded', String(matches.length > 0));
    input.removeAttribute('aria-activedescendant');
    if (all.length === 0) hint.textContent = 'Nobody by that name or taste.';
    else if (all.length > matches.length) hint.textContent = `${count(all.length)} matches, the first ${MOST_OPTIONS} shown: type to narrow down`;
    else hint.textContent = all.length === 1 ? '1 match' : `${all.length} matches`;
  }

  /** @param {number} user @param {number} index */
  function option(user, index) {
    const viewer = /** @type {import('./types.js').ViewerEntry} */ (viewers[user]);
    const item = el(
      'li',
      { id: `viewer-option-${index}`, class: 'search-option', role: 'option', 'aria-selected': String(user === shown) },
      el('span', { class: 'option-name' }, viewerName(viewer.key)),
      el('span', { class: 'option-label', dir: 'auto' }, viewer.tastes.join(', ')),
      el('span', { class: 'option-count' }, plural(viewer.length, 'title')),
    );
    // Before the input loses focus, so that the list is still there to be clicked.
    item.addEventListener('mousedown', (event) => event.preventDefault());
    item.addEventListener('click', () => choose(user));
    return item;
  }

  function close() {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    input.value = '';
    restHint();
  }

  /** @param {number} user */
  function choose(user) {
    close();
    onChoose(user);
  }

  /** @param {number} index */
  function activate(index) {
    list.children[active]?.classList.remove('is-active');
    active = index;
    const item = list.children[active];
    item?.classList.add('is-active');
    item?.scrollIntoView({ block: 'nearest' });
    if (item) input.setAttribute('aria-activedescendant', item.id);
  }

  input.addEventListener('focus', open);
  input.addEventListener('click', () => list.hidden && open());
  input.addEventListener('input', open);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    const { key } = event;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      event.preventDefault();
      if (list.hidden) open();
      const step = key === 'ArrowDown' ? 1 : -1;
      if (matches.length > 0) activate((active + step + matches.length + (active < 0 && step < 0 ? 1 : 0)) % matches.length);
    } else if (key === 'Enter') {
      const user = matches[active < 0 ? 0 : active];
      if (!list.hidden && user !== undefined) choose(user);
    } else if (key === 'Escape') {
      close();
    }
  });
  restHint();

  const element = el(
    'div',
    { class: 'search' },
    el('label', { for: 'viewer-search' }, 'Find a viewer'),
    el('div', { class: 'search-box' }, input, list),
    hint,
  );
  return {
    element,
    /** @param {number} user */
    show(user) {
      shown = user;
    },
  };
}
