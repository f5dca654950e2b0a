/** The run's own result table, its protocol and its limits: every number comes from results.json. */
import { el } from './dom.js';
import { capitalised, count } from './format.js';
import { familyOf, modelInWords, numberInWords } from './models.js';

/** @typedef {import('./types.js').Metric} Metric */

/** Accuracy metrics, of which more is better, so that the best may be marked. */
const MORE_IS_BETTER = /^(recall|ndcg|mrr|hr|hit|precision)/i;

/** Families of metrics from left to right; within one, by its cut-off. Others follow by name. */
const ORDER = ['recall', 'ndcg', 'hr', 'mrr', 'coverage', 'gini'];

/** @param {string} a @param {string} b */
function byFamily(a, b) {
  const place = (/** @type {string} */ name) => (ORDER.indexOf(familyOf(name)) + ORDER.length + 1) % (ORDER.length + 1);
  return place(a) - place(b) || a.localeCompare(b, 'en', { numeric: true });
}

/** What holds for every run; a run's own notes come from results.json. */
const LIMITS = [
  'Reasons and patterns are written by a language model. They can be wrong about a title or a viewer; this page does not check them for truth.',
  'Weights show what the scorer attended to. That is evidence for why a title stands where it does, not proof of a cause.',
  'A held-out title is one real choice among many good ones: a miss is not always a bad list, nor a hit a good one.',
];

const NOTE = 'Bold marks the best of a column; below a number stands its 95 % interval over viewers. It is one run with one seed.';

/** @param {Metric|undefined} metric */
const value = (metric) => (typeof metric === 'object' ? metric.value : metric);

/** @param {Metric|undefined} metric */
function cellText(metric) {
  const number = value(metric);
  return number === undefined || number === null || !Number.isFinite(number) ? '–' : number.toFixed(4);
}

/** @param {Metric|undefined} metric */
function interval(metric) {
  if (typeof metric !== 'object' || metric.low === undefined || metric.high === undefined) return null;
  return el('span', { class: 'interval' }, `${metric.low.toFixed(3)}–${metric.high.toFixed(3)}`);
}

/** A metric's name, which may be broken before its cut-off. @param {string} metric */
const broken = (metric) => metric.split(/(?=@)/).flatMap((part, at) => (at > 0 ? [el('wbr'), part] : [part]));

/**
 * The table's words, one by one.
 * @param {import('./types.js').Results} results
 */
function words({ models, protocol }) {
  const length = protocol?.list_length;
  const shown = typeof length === 'number' ? ` Lists for coverage and gini have ${count(length)} titles.` : '';
  const families = [...new Set([...new Set(models.flatMap((model) => Object.keys(model.metrics)))].sort(byFamily).map(familyOf))];
  const list = (/** @type {string} */ name, /** @type {string[]} */ all, /** @type {(name: string) => string|null} */ inWords, end = '') => {
    const known = all.flatMap((one) => {
      const what = inWords(one);
      return what === null ? [] : [el('div', {}, el('dt', {}, one), el('dd', {}, what))];
    });
    return known.length === 0 ? null : el('section', { 'aria-label': name }, el('h3', {}, name), el('dl', {}, ...known), end ? el('p', {}, end.trim()) : null);
  };
  return el(
    'div',
    { class: 'table-words' },
    list('The models', models.map(({ name }) => name), modelInWords),
    list('The numbers', families, numberInWords, shown),
  );
}

/**
 * Models against each other, in the metric that was chosen for it.
 * @param {import('./types.js').Results} results
 */
function differences({ differences: all = [] }) {
  if (all.length === 0) return [];
  const number = (/** @type {number} */ one) => `${one < 0 ? '−' : '+'}${Math.abs(one).toFixed(4)}`;
  const verdict = (/** @type {{low: number, high: number}} */ { low, high }) => (low > 0 ? 'better' : high < 0 ? 'worse' : 'may be chance');
  const rows = all.map(({ left, right, difference }) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, `${left} − ${right}`),
      el('td', {}, number(difference.value)),
      el('td', {}, `${number(difference.low)} to ${number(difference.high)}`),
      el('td', {}, verdict(difference)),
    ),
  );
  const metrics = [...new Set(all.map(({ metric }) => metric))].join(', ');
  return [
    el(
      'details',
      { class: 'differences' },
      el('summary', {}, `Models against each other, viewer by viewer (${metrics})`),
      el(
        'div',
        { class: 'table-scroll', role: 'region', 'aria-label': 'Differences between models', tabindex: '0' },
        el(
          'table',
          {},
          el('caption', { class: 'visually-hidden' }, `Differences in ${metrics}`),
          el('thead', {}, el('tr', {}, ...['Models', 'Difference', '95 % interval', 'The first is'].map((name) => el('th', { scope: 'col' }, name)))),
          el('tbody', {}, ...rows),
        ),
      ),
    ),
  ];
}

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'manifest'|'results'>} data
 */
export function showResults(root, { manifest, results }) {
  root.replaceChildren(
    el('h2', { id: 'results-heading' }, 'How good is it?'),
    el('p', { class: 'results-lead' }, 'Measured on this very run over the whole catalogue, with simple rivals beside it.'),
    ...(results && results.models.length > 0 ? [table(results), el('p', { class: 'table-note' }, NOTE), words(results), ...differences(results)] : [el('p', { class: 'muted' }, 'This run was exported without a result table.')]),
    el('div', { class: 'results-notes' }, limits(results), facts(manifest, results)),
  );
  root.hidden = false;
}

/** @param {import('./types.js').Results} results */
function table({ models }) {
  const metrics = [...new Set(models.flatMap((model) => Object.keys(model.metrics)))].sort(byFamily);
  const best = new Map(
    metrics
      .filter((metric) => MORE_IS_BETTER.test(metric) && models.length > 1)
      .map((metric) => [metric, Math.max(...models.map((model) => value(model.metrics[metric]) ?? -Infinity))]),
  );
  const rows = models.map((model) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, model.name, model.description ? el('span', { class: 'model-note' }, model.description) : null),
      ...metrics.map((metric) => {
        const cell = model.metrics[metric];
        const isBest = best.has(metric) && value(cell) === best.get(metric);
        return el('td', { class: isBest ? 'is-best' : null }, cellText(cell), interval(cell));
      }),
    ),
  );
  return el(
    'div',
    { class: 'table-scroll', role: 'region', 'aria-label': 'Result table', tabindex: '0' },
    el(
      'table',
      {},
      el('caption', { class: 'visually-hidden' }, 'Ranking quality per model'),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Model'), ...metrics.map((metric) => el('th', { scope: 'col', title: numberInWords(metric) }, ...broken(metric))))),
      el('tbody', {}, ...rows),
    ),
  );
}

/** @param {import('./types.js').Results|null} results */
function limits(results) {
  const notes = results?.notes ?? [];
  return el(
    'section',
    { 'aria-labelledby': 'limits-heading' },
    el('h3', { id: 'limits-heading' }, 'What to keep in mind'),
    el('ul', { class: 'limits' }, ...[...notes, ...LIMITS].map((note) => el('li', {}, ...asCode(note)))),
  );
}

/** Names between backticks are names. @param {string} note @returns {(Node|string)[]} */
const asCode = (note) => note.split('`').map((part, at) => (at % 2 === 1 ? el('em', {}, part) : part));

/**
 * @param {import('./types.js').Manifest} manifest
 * @param {import('./types.js').Results|null} results
 */
function facts(manifest, results) {
  const { dataset, run } = manifest;
  /** @type {[string, string][]} */
  const pairs = [
    ['Data', `${dataset.name}: ${count(dataset.users)} viewers, ${count(dataset.items)} titles, ${count(dataset.interactions)} interactions`],
    ['Split', String(dataset.split)],
    ...Object.entries(results?.protocol ?? {}).filter(([name]) => name !== 'data' && name !== 'seed').map(
      ([name, content]) => /** @type {[string, string]} */ ([capitalised(name.replaceAll('_', ' ')), plain(content)]),
    ),
    ['Seed', String(run.seed)],
    ['Data hash', String(run.hash)],
    ['Configuration', String(run.config_hash)],
    ['Made by', manifest.created_by],
  ];
  return el(
    'section',
    { 'aria-labelledby': 'facts-heading' },
    el('h3', { id: 'facts-heading' }, 'How it was measured'),
    el('dl', { class: 'facts-list' }, ...pairs.flatMap(([name, content]) => [el('dt', {}, name), el('dd', {}, content)])),
  );
}

/** @param {unknown} content @returns {string} */
function plain(content) {
  if (Array.isArray(content)) return content.map(plain).join(', ');
  if (typeof content === 'boolean') return content ? 'yes' : 'no';
  if (typeof content === 'number') return count(content);
  return typeof content === 'string' ? content : JSON.stringify(content);
}
