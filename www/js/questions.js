/** Questions about a list: what would change its first place, why a title is not on it; and ways to take the list along. */
import { button, byId, el } from './dom.js';
import { asFault, wording } from './errors.js';
import { count, score } from './format.js';
import { shortfall, waterfall } from './probe.js';
import { titleSearch } from './title-search.js';

/** @typedef {import('./types.js').Taste} Taste */

/** Most titles that are taken away at once to change the first place. */
const LIMIT = 3;

/**
 * @param {import('./types.js').Loaded} loaded
 * @param {object} asked
 * @param {() => Taste} asked.taste what the list is of
 * @param {(limit: number, of: Taste) => Promise<import('./types.js').Counterfactual|null>} asked.counterfactual
 * @param {(item: number) => Promise<import('./types.js').Probe>} asked.probe
 * @param {(taste: Taste, held: boolean) => void} asked.edit `held`: with the pattern as it stands, whichever it would be otherwise
 */
export function createQuestions({ catalogue }, { taste, counterfactual, probe, edit }) {
  const answer = el('div', { class: 'answer', role: 'status' });
  const title = (/** @type {number} */ item) => catalogue[item]?.title ?? '';
  /** Answers to an older question are not shown. */
  let newest = 0;
  /** What the list is of that is asked about. @type {Taste|null} */
  let about = null;

  /** @param {() => Promise<(Node|string)[]>} question */
  async function ask(question) {
    const own = (newest += 1);
    answer.setAttribute('aria-busy', 'true');
    answer.replaceChildren(el('p', { class: 'muted' }, 'Asking the model again …'));
    let content;
    try {
      content = await question();
    } catch (thrown) {
      const fault = asFault(thrown);
      content = fault.kind === 'superseded' ? [] : [el('p', { class: 'muted' }, wording(fault).title)];
    }
    if (own !== newest) return;
    answer.removeAttribute('aria-busy');
    answer.replaceChildren(...content);
  }

  const whatWould = button({ class: 'button' }, () =>
    ask(async () => {
      const asked = taste();
      const found = await counterfactual(LIMIT, asked);
      if (!found) return [el('p', {}, 'There is nothing left to suggest, so there is no first place.')];
      const tried = `${count(found.tried)} combinations were tried, each scored again.`;
      if (found.then === null) {
        const words = asked.history.length === 0 ? 'There is no history to take anything from.' : `None found: without any ${LIMIT} titles or fewer that were tried, ${title(found.first)} stays first.`;
        return [el('p', { dir: 'auto' }, words), ...(found.tried > 0 ? [el('p', { class: 'muted' }, tried)] : [])];
      }
      const names = found.removed.map((place) => title(asked.history[place]?.item ?? -1));
      const removed = new Set(found.removed);
      const hindrance = notToBeShown(asked, removed.size);
      const act = button(
        { class: 'button' },
        () => {
          edit({ ...asked, history: asked.history.filter((_, place) => !removed.has(place)) }, true);
          byId('ranking-heading').focus();
        },
        'Show that list',
      );
      return [
        el('p', { dir: 'auto' }, 'Without ', ...listed(names), ' the first would be ', el('strong', {}, title(found.then)), ` instead of ${title(found.first)}.`),
        el('p', { class: 'muted' }, `Verified by scoring the whole catalogue without ${names.length === 1 ? 'it' : 'them; each of them is needed'}. ${tried}`),
        ...(hindrance === null ? [comeBack(names), act] : [el('p', { class: 'muted' }, hindrance)]),
      ];
    }), 'What would change the first place?');

  const whyNot = titleSearch({
    id: 'why-not',
    label: 'Why not this one?',
    catalogue,
    onChoose: (item) =>
      ask(async () => {
        if (taste().history.some((event) => event.item === item)) {
          return [el('p', { dir: 'auto' }, el('strong', {}, title(item)), ' is in the history: what was taken is not suggested again.')];
        }
        const [asked, leader] = await Promise.all([probe(item), first()]);
        const beside = !leader ? '' : leader.item === item ? 'It is first.' : shortfall(asked, leader, catalogue);
        return [
          el('p', { dir: 'auto' }, el('strong', {}, title(item)), ` stands at rank ${count(asked.rank)}, with a score of ${score(asked.score)}. `, beside),
          waterfall(asked),
        ];
      }),
  });
  /** @type {() => Promise<import('./types.js').Probe|null>} */
  let first = async () => null;

  return {
    element: el('section', { class: 'questions', 'aria-label': 'Questions about this list' }, el('div', { class: 'questions-row' }, whatWould, whyNot.element), answer),
    /**
     * A list stands there, or is on its way: answers about another one go. Asked for once more, as of a scorer that was started anew, it is no other.
     * @param {Taste|null} of null where it is on its way @param {number|null} leader its first item
     */
    renew(of, leader) {
      first = async () => (leader === null ? null : probe(leader));
      if (of !== null && of === about) return;
      about = of;
      newest += 1;
      answer.removeAttribute('aria-busy');
      answer.replaceChildren();
    },
  };
}

/** What is taken out is a title not taken yet, in a list without it. @param {string[]} names */
const comeBack = (names) =>
  el('p', { dir: 'auto' }, 'That list may hold ', ...listed(names), ` again, even first: out of the history, ${names.length === 1 ? 'it' : 'they'} may be suggested like any title not taken yet.`);

/**
 * Why the list without what was taken out cannot be shown as it was scored; null where it can.
 * @param {Taste} asked @param {number} removed how many titles are taken out
 */
function notToBeShown({ viewer, history, written }, removed) {
  if (written) return 'This holds with the pattern as it stands. In a list of its own the pattern would be written anew, of what is left, and another title may come first.';
  if (viewer === null && history.length === removed) return 'Nothing would be left of what was picked, so there is no such list to show.';
  return null;
}

/** `A`, `A and B`, `A, B and C`, each set apart. @param {string[]} names @returns {(Node|string)[]} */
function listed(names) {
  return names.flatMap((name, at) => {
    const between = at === 0 ? '' : at === names.length - 1 ? ' and ' : ', ';
    return [between, el('em', {}, name)];
  });
}
