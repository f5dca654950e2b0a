/** Small pieces that several components draw the same way. */
import { el } from './dom.js';
import { mainAttributes } from './format.js';

/**
 * Words of the language model, set apart from the page's own: always text, never markup, in their own direction.
 * @param {'blockquote'|'span'} tag
 * @param {string} text
 */
export function voice(tag, text) {
  return el(tag, { class: 'voice', dir: 'auto' }, text.trim());
}

/**
 * What to add to a reason that is newer than all that is known of the viewer: everything is scored at one moment after all
 * training data, so a title's reasons may come from a later time than this viewer's history.
 * @param {import('./types.js').Reason} reason
 * @param {import('./types.js').ArtefactUser|null} viewer null for a taste of today's
 */
export function newerTag({ time }, viewer) {
  const latest = viewer?.history.at(-1);
  return latest !== undefined && time !== null && time > latest.time ? 'newer than this history' : null;
}

/**
 * The line of attributes under a title.
 * @param {import('./types.js').CatalogueItem} item
 * @param {number} limit
 */
export function attributeLine(item, limit) {
  const shown = mainAttributes(item.attributes, limit);
  if (shown.length === 0) return null;
  return el(
    'ul',
    { class: 'attributes', 'aria-label': 'Attributes' },
    ...shown.map(({ kind, value }) => el('li', { title: kind, 'data-kind': kind }, value)),
  );
}
