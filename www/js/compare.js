/**
 * Models of the same run beside each other: what each would suggest to this viewer, how much they share, where the title really taken
 * next stands, and what the correction changed in the words.
 */
import { changes } from './changes.js';
import { button, el } from './dom.js';
import { asFault, wayOut, wording } from './errors.js';
import { count, percent } from './format.js';
import { listName } from './models.js';

/** @typedef {import('./types.js').Loaded} Loaded */

/** Titles of each list. */
const SHOWN = 10;

/**
 * @param {HTMLElement} root
 * @param {Loaded} loaded
 * @param {object} asked
 * @param {(user: number) => Promise<import('./types.js').Ranking>} asked.ranking the full model's list of a stored viewer as they are
 * @param {(user: number, items: number[]) => Promise<import('./types.js').Compared>} asked.compare
 */
export function createCompare(root, loaded, asked) {
  const there = loaded.manifest.files.some(({ role }) => role === 'comparison');
  const lead = el('p', { class: 'results-lead' });
  const body = el('div', { class: 'compare-body' });
  const toggle = button({ id: 'compare-toggle', class: 'button', 'aria-expanded': 'false', 'aria-controls': 'compare-body' }, () => (toggle.getAttribute('aria-expanded') === 'true' ? close() : open()), 'Compare the models');
  body.id = 'compare-body';
  body.tabIndex = -1;
  body.hidden = true;
  const status = el('p', { class: 'visually-hidden', role: 'status' });
  root.replaceChildren(el('h2', { id: 'compare-heading' }, 'Models compared'), lead, toggle, status, body);
  root.hidden = !there;
  /** Nobody has been shown yet. @type {number|null|undefined} */
  let user;
  /** Answers to an older question are not shown. */
  let newest = 0;

  function close() {
    newest += 1;
    body.hidden = true;
    toggle.setAttribute('aria-expanded', 'false');
  }

  async function open() {
    if (user === null || user === undefined) return;
    const own = (newest += 1);
    const of = user;
    toggle.setAttribute('aria-expanded', 'true');
    body.hidden = false;
    body.setAttribute('aria-busy', 'true');
    status.textContent = 'Fetching the other models’ lists …';
    body.replaceChildren(el('p', { class: 'muted' }, status.textContent));
    /** @type {Node[]} */
    let content;
    try {
      const ranking = await asked.ranking(of);
      const items = ranking.recommendations.map(({ item }) => item);
      const compared = await asked.compare(of, items);
      content = [columns(ranking, compared), ...correction(ranking, compared)];
      if (own === newest) status.textContent = `${compared.variants.length + 1} lists stand beside each other.`;
    } catch (thrown) {
      const fault = asFault(thrown);
      const anew = wayOut(fault, () => {
        body.focus();
        open();
      });
      content = [el('p', { class: 'muted', role: 'alert' }, `${wording(fault).title}. ${wording(fault).advice}`), button({ class: 'button' }, anew, fault.kind === 'outdated' ? wording(fault).action : 'Try again')];
    }
    if (own !== newest) return;
    body.removeAttribute('aria-busy');
    body.replaceChildren(...content);
  }

  /** @param {import('./types.js').Ranking} ranking @param {import('./types.js').Compared} compared */
  function columns(ranking, { variants }) {
    const full = ranking.recommendations.slice(0, SHOWN).map(({ item }) => item);
    const truth = ranking.held_out?.item ?? null;
    const all = [
      { name: listName('full'), what: 'Patterns, reasons and history, as the list above without your changes. Scored now, on your device.', items: full, rank: ranking.held_out?.rank ?? null, own: true },
      ...variants.map(({ name, what, list }) => ({ name: listName(name), what, items: list.items.slice(0, SHOWN), rank: list.held_out_rank, own: false })),
    ];
    const shared = new Set(full);
    const column = (/** @type {(typeof all)[number]} */ { name, what, items, rank, own }) => {
      const overlap = items.filter((item) => shared.has(item)).length;
      const title = (/** @type {number} */ item) =>
        el(
          'li',
          { 'data-shared': !own && shared.has(item) ? 'true' : null, 'data-truth': item === truth ? 'true' : null },
          el('span', { dir: 'auto' }, loaded.catalogue[item]?.title ?? ''),
          !own && shared.has(item) ? el('span', { class: 'visually-hidden' }, ' (also in the full model’s list)') : null,
          item === truth ? el('span', { class: 'truth-pill' }, 'really taken next') : null,
        );
      return el(
        'section',
        { class: 'compare-column', 'aria-label': name },
        el('h3', {}, name),
        el('p', { class: 'muted' }, what),
        el('p', { class: 'compare-overlap' }, own ? `${items.length} titles` : `shares ${overlap} of ${items.length}`),
        el('ol', {}, ...items.map(title)),
        rank === null ? null : el('p', { class: 'compare-truth', 'data-hit': String(rank <= SHOWN) }, 'Really taken next: rank ', el('strong', {}, count(rank))),
      );
    };
    return el('div', { class: 'compare-columns', role: 'region', 'aria-label': 'Lists of the models', tabindex: '0' }, ...all.map(column));
  }

  /** @param {import('./types.js').Ranking} ranking @param {import('./types.js').Compared} compared */
  function correction(ranking, { corrected, patternBefore, reasonsBefore }) {
    if (!corrected) return [];
    const of = /** @type {number} */ (user);
    const rows = ranking.recommendations.flatMap(({ item, reasons }) => {
      // The reason with most attention among those that were changed.
      const found = reasons.find(({ index }) => reasonsBefore[item]?.[index] != null);
      if (!found) return [];
      const before = reasonsBefore[item]?.[found.index] ?? '';
      return [el('li', {}, el('h4', { dir: 'auto' }, loaded.catalogue[item]?.title ?? ''), el('p', { class: 'muted compare-share' }, shareOf(found, reasons)), changes(before, found.text))];
    });
    const pattern = patternBefore === null ? [] : [el('h4', {}, 'The pattern'), changes(patternBefore, patternNow(of))];
    const none = 'The correction left the words behind these titles as they were: it looks at a part of all interactions.';
    return [
      el(
        'section',
        { class: 'compare-texts', 'aria-label': 'What the correction changed' },
        el('h3', {}, 'What the correction changed in the words'),
        el('p', { class: 'muted' }, 'The ranking model’s score was the language model’s reward. Struck out is what it said before, underlined what it says now.'),
        ...pattern,
        rows.length > 0 ? el('ul', {}, ...rows) : pattern.length === 0 ? el('p', {}, none) : null,
      ),
    ];
  }

  /** How much the model looks at a reason that was changed. @param {import('./types.js').Reason} reason @param {import('./types.js').Reason[]} all */
  const shareOf = ({ weight }, all) => `${percent(weight)} of the attention to ${all.length === 1 ? 'the one reason of this title' : `the ${count(all.length)} reasons of this title`}; of those that were changed it gets most.`;

  /** @type {Map<number, string>} */
  const patterns = new Map();
  const patternNow = (/** @type {number} */ of) => patterns.get(of) ?? '';

  return {
    /**
     * Another list stands there.
     * @param {number|null} of a stored viewer, or nobody's @param {string|null} pattern theirs
     */
    renew(of, pattern) {
      if (of !== null && pattern !== null) patterns.set(of, pattern);
      if (of === user) return;
      const wasOpen = !body.hidden;
      user = of;
      close();
      toggle.disabled = of === null;
      lead.textContent =
        of === null
          ? 'Other models’ lists were made for the stored viewers. Pick one of them to compare.'
          : 'And without the reasons? The same run has models that read less. Their lists and ranks for this viewer, as the viewer is, were scored when this demo was made; only the full model’s are scored now, on your device.';
      if (wasOpen) open();
    },
  };
}
