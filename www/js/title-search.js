/** A search over the catalogue, narrowed by facets where the titles have some. */
import { combobox } from './combobox.js';
import { el } from './dom.js';
import { capitalised, mainAttributes, plural } from './format.js';

/** A facet with fewer values narrows nothing; one with more is no list to choose from. */
const VALUES = { least: 2, most: 60 };
const MOST_FACETS = 2;
/** Kinds that people choose by, if there are such. */
const FIRST = ['genre', 'category', 'mood'];

/**
 * The kinds of attributes worth choosing by: those that most titles have and that fall into a list one can read.
 * @param {import('./types.js').CatalogueItem[]} catalogue
 * @returns {{kind: string, values: string[]}[]}
 */
export function facetsOf(catalogue) {
  const place = (/** @type {string} */ kind) => (FIRST.indexOf(kind) + FIRST.length + 1) % (FIRST.length + 1);
  /** @type {Map<string, {values: Set<string>, titles: number}>} */
  const kinds = new Map();
  for (const { attributes } of catalogue) {
    const here = new Set();
    for (const { kind, value } of attributes) {
      const entry = kinds.get(kind) ?? { values: new Set(), titles: 0 };
      entry.values.add(value);
      if (!here.has(kind)) entry.titles += 1;
      here.add(kind);
      kinds.set(kind, entry);
    }
  }
  return [...kinds]
    .filter(([, { values, titles }]) => values.size >= VALUES.least && values.size <= VALUES.most && titles * 2 >= catalogue.length)
    .sort((a, b) => place(a[0]) - place(b[0]) || b[1].titles - a[1].titles || a[1].values.size - b[1].values.size)
    .slice(0, MOST_FACETS)
    .map(([kind, { values }]) => ({ kind, values: [...values].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })) }));
}

/** What the searches over a catalogue have in common. @type {WeakMap<import('./types.js').CatalogueItem[], (item: number) => string>} */
const known = new WeakMap();

/**
 * All that a title can be found by, put together when it is first looked through: while the page loads a large catalogue would hold it up.
 * @param {import('./types.js').CatalogueItem[]} catalogue
 */
function haystacksOf(catalogue) {
  const standing = known.get(catalogue);
  if (standing) return standing;
  /** @type {string[]} */
  const texts = [];
  const haystack = (/** @type {number} */ item) => (texts[item] ??= wordsOf(catalogue[item]));
  known.set(catalogue, haystack);
  return haystack;
}

/** @param {import('./types.js').CatalogueItem|undefined} entry */
const wordsOf = (entry) => (entry ? `${entry.title} ${entry.key} ${entry.attributes.map(({ value }) => value).join(' ')}`.toLowerCase() : '');

/**
 * @param {object} options
 * @param {string} options.id unique on the page
 * @param {string} options.label
 * @param {import('./types.js').CatalogueItem[]} options.catalogue
 * @param {(item: number) => boolean} [options.allowed]
 * @param {boolean} [options.faceted]
 * @param {(item: number) => void} options.onChoose
 */
export function titleSearch({ id, label, catalogue, allowed = () => true, faceted = false, onChoose }) {
  const haystacks = haystacksOf(catalogue);
  const selects = (faceted ? facetsOf(catalogue) : []).map(({ kind, values }) => {
    const select = el(
      'select',
      { class: 'facet', 'aria-label': `Only titles of this ${kind}` },
      el('option', { value: '' }, `Any ${kind}`),
      ...values.map((value) => el('option', { value }, capitalised(value))),
    );
    return { kind, select };
  });
  const chosen = (/** @type {number} */ item) =>
    selects.every(({ kind, select }) => select.value === '' || catalogue[item]?.attributes.some((one) => one.kind === kind && one.value === select.value));
  const search = combobox({
    id,
    label,
    placeholder: 'Title, genre, person …',
    listLabel: 'Titles',
    rest: `${plural(catalogue.length, 'title')} in all`,
    nothing: 'No title like that.',
    choices: {
      size: catalogue.length,
      words: haystacks,
      name: (item) => catalogue[item]?.title.toLowerCase() ?? '',
      draw: (item) => {
        const entry = /** @type {import('./types.js').CatalogueItem} */ (catalogue[item]);
        const about = mainAttributes(entry.attributes, 3).map(({ value }) => value);
        return [el('span', { class: 'option-name option-title', dir: 'auto' }, entry.title), el('span', { class: 'option-label', dir: 'auto' }, about.join(', '))];
      },
    },
    allowed: (item) => chosen(item) && allowed(item),
    onChoose,
  });
  for (const { select } of selects) select.addEventListener('change', () => search.refresh(selects.some((one) => one.select.value !== '') ? plural(catalogue.filter((_, item) => chosen(item)).length, 'such title') : undefined));
  if (selects.length > 0) search.element.querySelector('label')?.after(el('div', { class: 'facets' }, ...selects.map(({ select }) => select)));
  return search;
}
