/** Whose taste: a few viewers worth meeting as chips, all of them in a search box, or a taste of the visitor's own. */
import { combobox } from './combobox.js';
import { button, el } from './dom.js';
import { capitalised, opening, plural, viewerName } from './format.js';

/** The trainer's own data set, in which nobody is real. */
const WORLD = 'world';

/** Characters of a viewer's pattern that stand on their chip: three lines, for which css/picker.css has room. */
const LINE = 42;

/** Pixels beside a chip that has come into sight. */
const FRAME = 4;

/** Where the row of chips is pushed aside, since not all of them fit beside each other. */
const PUSHED = matchMedia('(max-width: 70rem)');

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
  const ownPlace = el('li', { class: 'chips-own' }, own);
  const row = el('ul', { class: 'chips', 'aria-label': 'Viewers to start with', 'data-lines': featured.some(({ line }) => line) }, ...chips.map(({ chip }) => el('li', {}, chip)), ownPlace);
  /** There a taste of one's own is the first of it: what is in sight is also what the keyboard comes to. */
  function arrange() {
    const focused = document.activeElement === own;
    if (PUSHED.matches) row.prepend(ownPlace);
    else row.append(ownPlace);
    if (focused) own.focus({ preventScroll: true });
    bringPressed();
  }

  /** A chip comes into sight in its row; the page stays where it is. @param {Element|null} chip */
  function bring(chip) {
    if (!chip || row.scrollWidth <= row.clientWidth) return;
    const [inner, outer, edge] = [chip.getBoundingClientRect(), row.getBoundingClientRect(), Number.parseFloat(getComputedStyle(row).paddingInlineStart)];
    const left = inner.left - outer.left - edge;
    const right = inner.right - outer.right + FRAME;
    if (left < 0) row.scrollLeft += left;
    else if (right > 0) row.scrollLeft += Math.min(right, left);
  }
  const bringPressed = () => bring(row.querySelector('[aria-pressed="true"]'));
  // A browser leaves a chip that can be seen in part where it is.
  row.addEventListener('focusin', ({ target }) => bring(target instanceof Element ? target.closest('.chip') : null));

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
    row,
  );
  root.hidden = false;
  arrange();
  PUSHED.addEventListener('change', () => row.isConnected && arrange());

  return {
    /** @param {number|null} user null for the visitor's own taste */
    show(user) {
      for (const { user: other, chip } of chips) chip.setAttribute('aria-pressed', String(other === user));
      own.setAttribute('aria-pressed', String(user === null));
      search.mark(user ?? -1);
      bringPressed();
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
