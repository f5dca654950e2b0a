/** Whose taste: a few viewers worth meeting as chips, all of them in a search box, or a taste of the visitor's own. */
import { combobox } from './combobox.js';
import { button, el } from './dom.js';
import { capitalised, opening, plural, viewerName } from './format.js';

/** The trainer's own data set, in which nobody is real. */
const WORLD = 'world';

/** Characters of a viewer's pattern that stand on their chip. */
const LINE = 56;

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'viewers'|'featured'|'manifest'>} data
 * @param {{onChoose: (user: number) => void, onOwn: () => void}} told
 */
export function createViewerPicker(root, { viewers, featured, manifest }, { onChoose, onOwn }) {
  const { name: dataset, items } = manifest.dataset;
  const size = `${plural(viewers.length, 'viewer')}, ${plural(items, 'title')}.`;
  const what = dataset === WORLD ? `An invented world: ${size}` : size;
  const chips = featured.map(({ user, line }) => {
    const viewer = viewers[user];
    const name = viewer ? viewerName(viewer.key) : '';
    const taste = viewer?.name ?? '';
    const note = taste ? name : plural(viewer?.length ?? 0, 'title');
    const chip = button(
      { class: 'chip', 'aria-pressed': 'false' },
      () => onChoose(user),
      el('span', { class: 'chip-label', dir: 'auto' }, taste ? capitalised(taste) : name),
      line ? el('span', { class: 'chip-line voice', dir: 'auto' }, opening(line, LINE)) : null,
      el('span', { class: 'chip-note' }, note),
    );
    return { user, chip };
  });
  const own = button(
    { class: 'chip chip-own', 'aria-pressed': 'false' },
    onOwn,
    el('span', { class: 'chip-label' }, 'Build your own taste'),
    el('span', { class: 'chip-line' }, 'Pick a few titles and see your list at once.'),
  );
  const search = viewerSearch('viewer-search', 'Find a viewer', viewers, onChoose);

  root.replaceChildren(
    el(
      'div',
      { class: 'picker-head' },
      el('h2', { id: 'picker-heading' }, 'Pick a viewer'),
      el('p', {}, what, el('span', { class: 'picker-about' }, ` Named after what they take${featured.some(({ line }) => line) ? '; below, the language model on them' : ''}.`)),
      el(
        'div',
        { class: 'picker-search' },
        search.element,
        button({ class: 'button' }, () => onChoose(Math.floor(Math.random() * viewers.length)), 'Surprise me'),
      ),
    ),
    el('ul', { class: 'chips', 'aria-label': 'Viewers to start with' }, ...chips.map(({ chip }) => el('li', {}, chip)), el('li', { class: 'chips-own' }, own)),
  );
  root.hidden = false;

  return {
    /** @param {number|null} user null for the visitor's own taste */
    show(user) {
      for (const { user: other, chip } of chips) chip.setAttribute('aria-pressed', String(other === user));
      own.setAttribute('aria-pressed', String(user === null));
      search.mark(user ?? -1);
    },
  };
}

/**
 * A search over all viewers.
 * @param {string} id @param {string} label
 * @param {import('./types.js').ViewerEntry[]} viewers
 * @param {(user: number) => void} onChoose
 */
export function viewerSearch(id, label, viewers, onChoose) {
  /** Put together when they are first looked through. @type {string[]} */
  const haystacks = [];
  const wordsOf = ({ key = '', tastes = /** @type {string[]} */ ([]) } = {}) => `${viewerName(key)} ${key} ${tastes.join(' ')}`.toLowerCase();
  return combobox({
    id,
    label,
    placeholder: 'Number or taste',
    listLabel: 'Viewers',
    rest: `${plural(viewers.length, 'viewer')} in all`,
    nothing: 'Nobody by that name or taste.',
    choices: {
      size: viewers.length,
      words: (user) => (haystacks[user] ??= wordsOf(viewers[user])),
      name: (user) => viewers[user]?.key.toLowerCase() ?? '',
      draw: (user) => {
        const viewer = /** @type {import('./types.js').ViewerEntry} */ (viewers[user]);
        return [
          el('span', { class: 'option-name' }, viewerName(viewer.key)),
          el('span', { class: 'option-label', dir: 'auto' }, viewer.tastes.join(', ')),
          el('span', { class: 'option-count' }, plural(viewer.length, 'title')),
        ];
      },
    },
    onChoose,
  });
}
