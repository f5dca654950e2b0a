/** Two texts as one: what is gone and what is new, word by word. */
import { el } from './dom.js';

/** Longer texts are shown one after the other: no reason comes near. */
const MOST_WORDS = 200;

/**
 * @param {string} before
 * @param {string} now
 */
export function changes(before, now) {
  const parts = wordsOf(before, now);
  const kept = parts.filter(({ kind }) => kind === 'same').reduce((sum, { text }) => sum + text.split(' ').length, 0);
  // Two sentences with little in common are read one after the other, not through each other.
  if (kept * 2 < Math.min(...[before, now].map((text) => text.split(/\s+/).filter(Boolean).length))) {
    const line = (/** @type {'del'|'ins'} */ kind, /** @type {string} */ said, /** @type {string} */ text) => el('p', { class: 'voice changes', dir: 'auto' }, el(kind, {}, el('span', { class: 'visually-hidden' }, said), text));
    return el('div', {}, line('del', 'before: ', before.trim()), line('ins', 'now: ', now.trim()));
  }
  return el('p', { class: 'voice changes', dir: 'auto' }, ...parts.flatMap(({ kind, text }, at) => [...(at > 0 ? [' '] : []), kind === 'same' ? text : el(kind, {}, el('span', { class: 'visually-hidden' }, kind === 'del' ? 'removed: ' : 'added: '), text)]));
}

/**
 * The longest common subsequence of words, with what lies between as removed and added.
 * @param {string} before @param {string} now
 * @returns {{kind: 'same'|'del'|'ins', text: string}[]} neighbours differ in kind
 */
export function wordsOf(before, now) {
  const [old, fresh] = [before, now].map((text) => text.split(/\s+/).filter(Boolean));
  if (!old || !fresh) return [];
  if (old.length > MOST_WORDS || fresh.length > MOST_WORDS) return [{ kind: 'del', text: before }, { kind: 'ins', text: now }];
  // lengths[i][j]: of the longest common subsequence of what is left from i and j on.
  const lengths = Array.from({ length: old.length + 1 }, () => new Array(fresh.length + 1).fill(0));
  const at = (/** @type {number} */ i, /** @type {number} */ j) => lengths[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      /** @type {number[]} */ (lengths[i])[j] = old[i] === fresh[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  /** @type {{kind: 'same'|'del'|'ins', text: string}[]} */
  const parts = [];
  const add = (/** @type {'same'|'del'|'ins'} */ kind, /** @type {string|undefined} */ word) => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += ` ${word}`;
    else parts.push({ kind, text: word ?? '' });
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      add('same', old[i]);
      i += 1;
      j += 1;
    } else if (i < old.length && (j === fresh.length || at(i + 1, j) >= at(i, j + 1))) {
      add('del', old[i]);
      i += 1;
    } else {
      add('ins', fresh[j]);
      j += 1;
    }
  }
  return parts;
}
