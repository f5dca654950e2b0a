/** One row of the ranked list: title, its leading reason in words, and the drawer with what carried it. */
import { cover } from './cover.js';
import { button, el } from './dom.js';
import { evidence } from './evidence.js';
import { count, plural, score, viewerName } from './format.js';
import { attributeLine, newerTag, voice } from './pieces.js';

/** @typedef {import('./types.js').Recommendation} Recommendation */

/**
 * @typedef {object} RowContext
 * @property {import('./types.js').CatalogueItem[]} catalogue
 * @property {boolean} dated
 * @property {import('./types.js').Loaded['uses']} uses
 * @property {import('./types.js').ArtefactUser|null} viewer the stored viewer, where there is one
 * @property {import('./types.js').Taste} taste what was asked
 * @property {string|null} pattern the words of the pattern that is read; null where none is
 * @property {number|null} heldOut index of the item really taken next
 * @property {(item: number, index: number) => string|null} reasonText
 * @property {Promise<import('./types.js').Carrier[]>} carriers of this title, once they are known
 * @property {(item: number, of: import('./types.js').Taste) => Promise<import('./types.js').Probe>} onProbe
 * @property {(reasons: import('./types.js').Muted[]) => void} onMute mutes reasons, or lets them speak again
 * @property {import('./report-button.js').Reports} reports
 */

/**
 * @param {Recommendation} row
 * @param {RowContext} context
 */
export function recommendationRow(row, context) {
  const item = /** @type {import('./types.js').CatalogueItem} */ (context.catalogue[row.item]);
  const truth = row.item === context.heldOut;
  const drawerId = `why-${row.item}`;
  const drawer = el('div', { id: drawerId, class: 'drawer', hidden: true });
  const turn = (/** @type {boolean} */ open) => {
    // Drawn when first asked for: ten closed drawers cost nothing.
    if (open && drawer.childElementCount === 0) drawer.append(evidence(row, context));
    drawer.hidden = !open;
    toggle.setAttribute('aria-expanded', String(open));
  };
  const toggle = button(
    { class: 'button button-why', 'aria-expanded': 'false', 'aria-controls': drawerId },
    () => turn(Boolean(drawer.hidden)),
    el('span', {}, 'What carried it'),
    el('span', { class: 'visually-hidden' }, `: ${item.title}`),
  );
  const element = el(
    'li',
    { class: 'recommendation', 'data-item': row.item, 'data-truth': truth ? 'true' : null },
    el('span', { class: 'rank' }, el('span', { class: 'visually-hidden' }, 'Rank '), row.rank, move(row)),
    cover(item),
    el(
      'div',
      { class: 'recommendation-head' },
      el('h3', { dir: 'auto' }, item.title),
      truth ? el('span', { class: 'truth-pill' }, 'really taken next') : null,
      attributeLine(item, 5),
    ),
    el(
      'div',
      { class: 'recommendation-body' },
      leadingReason(row, context),
      el('div', { class: 'own-reason' }),
      leaningOn(context),
      el(
        'div',
        { class: 'recommendation-foot' },
        toggle,
        el('span', { class: 'facts' }, `score ${scores(row)} · taken ${plural(item.count, 'time')} in training`),
      ),
      drawer,
    ),
  );
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || drawer.hidden) return;
    event.stopPropagation();
    turn(false);
    toggle.focus();
  });
  return element;
}

/** The score, and the one before where it reads otherwise. @param {Recommendation} row */
function scores({ score: now, before }) {
  const was = before ? score(before.score) : null;
  return was === null || was === score(now) ? score(now) : `${score(now)} (was ${was})`;
}

/** Where the title stood before, where that is known and differs. @param {Recommendation} row */
function move({ rank, before }) {
  if (before === undefined || before?.rank === rank) return null;
  if (before === null) return el('span', { class: 'move', 'data-move': 'new' }, 'new', el('span', { class: 'visually-hidden' }, ': it was in the history'));
  const up = before.rank > rank;
  const by = count(Math.abs(before.rank - rank));
  return el(
    'span',
    { class: 'move', 'data-move': up ? 'up' : 'down' },
    el('span', { 'aria-hidden': 'true' }, `${up ? '▲' : '▼'}${by}`),
    el('span', { class: 'visually-hidden' }, `, ${up ? 'up' : 'down'} ${by} from rank ${count(before.rank)}`),
  );
}

/**
 * The two titles of the history that this one's score would miss most if average ones stood in their place: drawn once the model has been asked.
 * @param {RowContext} context
 */
function leaningOn({ carriers, catalogue, taste }) {
  if (taste.history.length === 0) return null;
  const line = el('p', { class: 'leaning', 'data-waiting': 'true' }, '\u00a0');
  carriers.then(
    (all) => {
      delete line.dataset.waiting;
      const titles = new Set(all.filter(({ adds }) => adds > 0).map(({ item }) => catalogue[item]?.title));
      const [first, second] = [...titles].map((title) => el('em', { dir: 'auto' }, title));
      line.replaceChildren(...(first ? ['Leans most on ', first, ...(second ? [' and ', second] : []), ' in this history.'] : ['No title of this history speaks for it by itself.']));
    },
    () => line.remove(),
  );
  return line;
}

/** @param {Recommendation} row @param {RowContext} context */
function leadingReason(row, { uses, viewer, taste, pattern }) {
  const rest = `the score rests on ${taste.history.length > 0 ? 'the history' : 'the title itself'}`;
  if (!uses.reasons) {
    return el('p', { class: 'muted leading-reason' }, `This model was trained without reasons; ${rest}.`);
  }
  const [leading] = row.reasons;
  if (!leading) {
    const muted = taste.muted.some(({ item }) => item === row.item);
    return el('p', { class: 'muted leading-reason' }, `${muted ? 'All reasons of this title are muted' : 'No reason of another viewer has been written for this title yet'}; ${rest}.`);
  }
  const about = [leading.viewer === null ? null : `written when ${viewerName(leading.viewer)} took it`, newerTag(leading, viewer)].filter(Boolean);
  return el(
    'figure',
    { class: 'leading-reason' },
    voice('blockquote', leading.text),
    pattern || about.length > 0 ? el('figcaption', {}, [pattern ? 'the reason this pattern attends to most' : 'the leading reason', ...about].join(', ')) : null,
  );
}
