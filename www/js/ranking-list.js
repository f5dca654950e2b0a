/** The ranked list with its header, its test against the held-out choice, questions about it, and the way to see more. */
import { backendName } from './backend-badge.js';
import { button, el, NARROW, nextTask } from './dom.js';
import { count, milliseconds } from './format.js';
import { heldOutCard } from './held-out.js';
import { faultPanel } from './notice.js';
import { createOwnReasonsLine, ownReason } from './own-reasons.js';
import { backendAddress, FEWEST_ROWS, MOST_ROWS } from './permalink.js';
import { recommendationRow } from './recommendation.js';

/** @typedef {import('./types.js').Ranking} Ranking */
/** @typedef {import('./types.js').Taste} Taste */

const STEP = FEWEST_ROWS;
const MOST = MOST_ROWS;

/**
 * @typedef {object} View what a list is shown for
 * @property {import('./types.js').ArtefactUser|null} viewer
 * @property {Taste} taste
 * @property {string|null} pattern the words of the pattern that is read; null where none is
 * @property {boolean} compared whether the rows say where they stood before
 */

/**
 * @param {HTMLElement} root
 * @param {import('./types.js').Loaded} loaded
 * @param {object} told
 * @param {(count: number) => void} told.onMore asked to show this many
 * @param {(item: number, of: Taste) => Promise<import('./types.js').Probe>} told.onProbe
 * @param {(items: number[], of: Taste) => Promise<import('./types.js').Carrier[][]>} told.onCarriers
 * @param {(reasons: import('./types.js').Muted[]) => void} told.onMute
 * @param {import('./report-button.js').Reports} told.reports
 * @param {HTMLElement[]} extras stand between the test and the list
 */
export function createRankingList(root, loaded, { onMore, onProbe, onCarriers, onMute, reports }, extras) {
  const { catalogue, dated, uses, backend } = loaded;
  const summary = el('p', { class: 'ranking-summary' });
  const moves = el('p', { class: 'moves-note', hidden: true });
  const truth = el('div', { tabindex: '-1' });
  const list = el('ol', { class: 'recommendations' });
  const foot = el('div', { class: 'ranking-foot' });
  const heading = el('h2', { id: 'ranking-heading', tabindex: '-1' }, 'What the model would suggest next');

  // On a phone the test and the questions stand below the list.
  const way = (/** @type {string} */ words, /** @type {HTMLElement} */ to) =>
    button(
      { class: 'button-link' },
      () => {
        to.scrollIntoView({ block: 'start' });
        to.focus({ preventScroll: true });
      },
      words,
    );
  const own = createOwnReasonsLine(() => heading.focus({ preventScroll: true }));
  const tools = el('div', { class: 'list-tools', tabindex: '-1' }, ...extras);
  const toTruth = way('Test it against a real choice', truth);
  const ways = el('p', { class: 'list-ways' }, toTruth, way('Ask the model', tools));
  const head = el('div', { class: 'ranking-head' }, heading, summary, ways);
  // On a phone the list comes first.
  NARROW.addEventListener('change', () => parts().every((part) => part.isConnected) && draw());
  const parts = () => (NARROW.matches ? [head, moves, own.element, list, foot, truth, tools] : [head, truth, tools, moves, own.element, list, foot]);
  /** Puts the parts in place; where they stand already they stay, and so does what somebody types in them. */
  function draw() {
    ways.hidden = root.dataset.empty === 'true';
    toTruth.hidden = truth.childElementCount === 0;
    const all = parts();
    const standing = all.length === root.children.length && all.every((part, at) => root.children[at] === part);
    if (!standing) root.replaceChildren(...all);
  }

  /** Whoever was on something that is gone is on the heading. */
  function keepFocus() {
    if (!root.contains(document.activeElement)) heading.focus({ preventScroll: true });
  }

  /** Before the first answer for a viewer: the old list must not look like theirs. */
  function busy() {
    root.setAttribute('aria-busy', 'true');
    summary.textContent = 'Scoring the whole catalogue…';
    truth.replaceChildren(...(backend.used === 'webgpu' ? [slowHint()] : []));
    moves.hidden = true;
    own.show('', null);
    list.replaceChildren(...Array.from({ length: 5 }, () => el('li', { class: 'recommendation-ghost', 'aria-hidden': 'true' })));
    foot.replaceChildren();
    draw();
  }

  return {
    busy,

    /** Nothing was picked yet: there is nobody whose list it could be. */
    empty() {
      root.setAttribute('aria-busy', 'false');
      root.dataset.empty = 'true';
      summary.textContent = '';
      truth.replaceChildren();
      moves.hidden = true;
      own.show('', null);
      list.replaceChildren(el('li', { class: 'muted' }, 'Pick a title or two: your list stands here at once.'));
      foot.replaceChildren();
      draw();
    },

    /** Before the answer to a change: the old list stays, without its colours, so that what moves can be seen moving. */
    waiting() {
      root.setAttribute('aria-busy', 'true');
    },

    /** @param {Ranking} ranking @param {View} view */
    show(ranking, view) {
      const inside = root.contains(document.activeElement);
      root.setAttribute('aria-busy', 'false');
      const { scored, recommendations } = ranking;
      summary.textContent = `${count(scored)} titles scored in ${milliseconds(ranking.milliseconds)} on ${ranking.used === 'webgpu' ? backendName(backend) : 'the CPU'}, here.`;
      truth.replaceChildren(...(view.viewer ? [heldOutCard(ranking, view.viewer, view.taste, catalogue)] : []));
      own.show('', null);
      // Drawers that stood open stand open again, and whoever was in a row is in that row.
      const focused = document.activeElement?.closest('.recommendation');
      const inRow = focused && list.contains(focused) ? focused.getAttribute('data-item') : null;
      const opened = new Set([...list.querySelectorAll('.button-why[aria-expanded="true"]')].map((toggle) => toggle.closest('.recommendation')?.getAttribute('data-item')));
      list.replaceChildren();
      this.append(ranking, view);
      delete root.dataset.empty;
      for (const row of list.children) {
        const toggle = /** @type {HTMLElement|null} */ (row.querySelector('.button-why'));
        if (opened.has(row.getAttribute('data-item'))) toggle?.click();
        if (inRow !== null && row.getAttribute('data-item') === inRow) toggle?.focus({ preventScroll: true });
      }
      if (recommendations.length === 0) {
        list.append(el('li', { class: 'muted' }, 'Nothing is left to suggest.'));
        foot.replaceChildren();
      }
      draw();
      if (inside) keepFocus();
    },

    /**
     * Adds the rows that a longer ranking of the same taste has beyond those shown; open drawers stay open.
     * @param {Ranking} ranking @param {View} view
     */
    append(ranking, view) {
      root.setAttribute('aria-busy', 'false');
      const { scored, recommendations } = ranking;
      const reasonText = (/** @type {number} */ item, /** @type {number} */ index) =>
        recommendations.find((row) => row.item === item)?.reasons.find((reason) => reason.index === index)?.text ?? null;
      const context = { catalogue, dated, uses, ...view, heldOut: ranking.held_out?.item ?? null, reasonText, onProbe, onMute, reports };
      const rows = recommendations.slice(list.childElementCount);
      // Asked for once the list stands: each title of the history is taken out for it.
      const carriers = view.taste.history.length === 0 || rows.length === 0 ? Promise.resolve([]) : nextTask().then(() => onCarriers(rows.map(({ item }) => item), view.taste));
      const fresh = rows.map((row, at) => recommendationRow(row, { ...context, carriers: carriers.then((all) => all[at] ?? []) }));
      list.append(...fresh);
      moves.hidden = !view.compared;
      moves.textContent = view.compared ? movesNote(ranking, view) : '';
      const shown = list.childElementCount;
      const next = Math.min(shown + STEP, MOST, scored);
      const more = recommendations.length === shown && next > shown;
      foot.replaceChildren(
        ...(more
          ? [button({ class: 'button' }, () => onMore(next), `Show ${next - shown} more`)]
          : [el('p', { class: 'muted' }, shown < scored ? `The first ${count(shown)}; a title already taken is not suggested again.` : `All ${count(shown)}.`)]),
      );
      return fresh[0]?.querySelector('h3') ?? null;
    },

    /** The place of a reason that is written for whose list it is. @param {number} item @param {'you'|'this viewer'} whom */
    ownReason: (item, whom) => ownReason(list.querySelector(`[data-item="${item}"] .own-reason`) ?? el('div'), item, whom, reports),

    /** How far these reasons are. @type {typeof own.show} */
    writing: own.show,

    /** @param {import('./types.js').Fault} fault @param {() => void} onRetry */
    fail(fault, onRetry) {
      const inside = root.contains(document.activeElement);
      root.setAttribute('aria-busy', 'false');
      summary.textContent = '';
      ways.hidden = true;
      const retry = () => {
        busy();
        heading.focus({ preventScroll: true });
        onRetry();
      };
      root.replaceChildren(head, faultPanel(fault, retry, backend));
      if (inside) keepFocus();
      root.scrollIntoView({ block: 'nearest' });
    },

    /**
     * A fault that touches only what comes next: the list that stands there stays, the panel keeps in sight above it.
     * @param {import('./types.js').Fault} fault @param {() => void} onRetry
     */
    warn(fault, onRetry) {
      const panel = faultPanel(fault, onRetry, backend);
      panel.classList.add('notice-sticky');
      root.prepend(panel);
    },
  };
}

/** How many rows stand where they did not stand before. @param {Ranking} ranking */
export const movedRows = ({ recommendations }) => recommendations.filter(({ rank, before }) => before?.rank !== rank).length;

/** How much of the list moved, in a sentence. @param {Ranking} ranking @param {View} view */
export function movesNote(ranking, { viewer }) {
  const { recommendations } = ranking;
  const moved = movedRows(ranking);
  const beside = viewer ? 'this viewer’s own list' : 'the list before';
  if (moved === 0) return `Beside ${beside} nothing moved among the first ${recommendations.length}.`;
  return `Beside ${beside}, ${moved} of the first ${recommendations.length} moved: ▲ up, ▼ down.`;
}

/** Appears by itself after some seconds: a software adapter may need a minute for what the CPU does at once. */
function slowHint() {
  return el('p', { class: 'slow-hint' }, 'Taking long? A software WebGPU adapter is slow: ', el('a', { href: backendAddress('cpu') }, 'use the CPU'), '.');
}

/** How many are asked for at first. */
export const FIRST_COUNT = STEP;
