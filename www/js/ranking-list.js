/** The ranked list with its header, its test against the held-out choice, and the way to see more. */
import { backendName } from './backend-badge.js';
import { button, el } from './dom.js';
import { count, milliseconds } from './format.js';
import { heldOutCard } from './held-out.js';
import { faultPanel } from './notice.js';
import { backendAddress } from './permalink.js';
import { recommendationRow } from './recommendation.js';

const STEP = 10;
const MOST = 100;

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'catalogue'|'dated'|'uses'|'backend'>} data
 * @param {(count: number) => void} onMore asked to show this many
 */
export function createRankingList(root, { catalogue, dated, uses, backend }, onMore) {
  const summary = el('p', { class: 'ranking-summary' });
  const truth = el('div', {});
  const list = el('ol', { class: 'recommendations' });
  const foot = el('div', { class: 'ranking-foot' });
  const heading = el('h2', { id: 'ranking-heading', tabindex: '-1' }, 'What the model would suggest next');

  function draw() {
    root.replaceChildren(heading, summary, truth, list, foot);
  }

  return {
    /** Before the first answer for a viewer: the old list must not look like theirs. */
    busy() {
      root.setAttribute('aria-busy', 'true');
      summary.textContent = 'Scoring the whole catalogue…';
      truth.replaceChildren(...(backend.used === 'webgpu' ? [slowHint()] : []));
      list.replaceChildren(...Array.from({ length: 5 }, () => el('li', { class: 'recommendation-ghost', 'aria-hidden': 'true' })));
      foot.replaceChildren();
      draw();
    },

    /** @param {import('./types.js').Ranking} ranking @param {import('./types.js').ArtefactUser} viewer */
    show(ranking, viewer) {
      root.setAttribute('aria-busy', 'false');
      const { scored, recommendations } = ranking;
      summary.textContent = `${count(scored)} titles scored in ${milliseconds(ranking.milliseconds)} on ${backend.used === 'webgpu' ? backendName(backend) : 'the CPU'}. ${backend.reason}`;
      truth.replaceChildren(heldOutCard(ranking, viewer, catalogue));
      list.replaceChildren();
      this.append(ranking, viewer);
      if (recommendations.length === 0) list.append(el('li', { class: 'muted' }, 'Nothing is left to suggest to this viewer.'));
      draw();
    },

    /**
     * Adds the rows that a longer ranking of the same viewer has beyond those shown; open drawers stay open.
     * @param {import('./types.js').Ranking} ranking @param {import('./types.js').ArtefactUser} viewer
     */
    append(ranking, viewer) {
      root.setAttribute('aria-busy', 'false');
      const { scored, recommendations } = ranking;
      const context = { catalogue, dated, uses, viewer, heldOut: ranking.held_out?.item ?? null };
      const fresh = recommendations.slice(list.childElementCount).map((row) => recommendationRow(row, context));
      list.append(...fresh);
      const shown = list.childElementCount;
      const next = Math.min(shown + STEP, MOST, scored);
      const more = recommendations.length === shown && next > shown;
      foot.replaceChildren(
        ...(more
          ? [button({ class: 'button' }, () => onMore(next), `Show ${next - shown} more`)]
          : [el('p', { class: 'muted' }, `The first ${count(shown)} of ${count(scored)}.`)]),
      );
      return fresh[0]?.querySelector('h3') ?? null;
    },

    /** @param {import('./types.js').Fault} fault @param {() => void} onRetry */
    fail(fault, onRetry) {
      root.setAttribute('aria-busy', 'false');
      root.replaceChildren(heading, faultPanel(fault, onRetry, backend));
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

/** Appears by itself after some seconds: a software adapter may need a minute for what the CPU does at once. */
function slowHint() {
  return el('p', { class: 'slow-hint' }, 'Taking long? A software WebGPU adapter is slow: ', el('a', { href: backendAddress('cpu') }, 'use the CPU'), '.');
}

/** How many are asked for at first. */
export const FIRST_COUNT = STEP;
