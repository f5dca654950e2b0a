/** The run's own result table, its protocol and its limits: every number comes from results.json. */
import { el } from './dom.js';
import { capitalised, count } from './format.js';

/** @typedef {import('./types.js').Metric} Metric */

/** Accuracy metrics, of which more is better, so that the best may be marked. */
const MORE_IS_BETTER = /^(recall|ndcg|mrr|hr|hit|precision)/i;

/** Families of metrics from left to right; within one, by its cut-off. Others follow by name. */
const ORDER = ['recall', 'ndcg', 'hr', 'mrr', 'coverage', 'gini'];

/** @param {string} a @param {string} b */
function byFamily(a, b) {
  const place = (/** @type {string} */ name) => (ORDER.indexOf(name.toLowerCase().split('@')[0] ?? '') + ORDER.length + 1) % (ORDER.length + 1);
  return place(a) - place(b) || a.localeCompare(b, 'en', { numeric: true });
}

/** What holds for every run; a run's own notes come from results.json. */
const LIMITS = [
  'Reasons and patterns are written by a language model. They can be wrong about a title or a viewer; this page does not check them for truth.',
  'Weights show what the scorer attended to. That is evidence for why a title stands where it does, not proof of a cause.',
  'A held-out title is one real choice among many good ones: a miss is not always a bad list, nor a hit a good one.',
];

const NOTE = 'Bold marks the best of a column. It is one run with one seed: a small difference may be chance.';

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

/**
 * @param {HTMLElement} root
 * @param {Pick<import('./types.js').Loaded, 'manifest'|'results'>} data
 */
export function showResults(root, { manifest, results }) {
  root.replaceChildren(
    el('h2', { id: 'results-heading' }, 'How good is it?'),
    el('p', { class: 'results-lead' }, 'Measured on this very run over the whole catalogue, with simple rivals beside it.'),
    ...(results && results.models.length > 0 ? [table(results), el('p', { class: 'table-note' }, NOTE)] : [el('p', { class: 'muted' }, 'This run was exported without a result table.')]),
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
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Model'), ...metrics.map((metric) => el('th', { scope: 'col' }, metric)))),
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
    el('ul', { class: 'limits' }, ...[...notes, ...LIMITS].map((note) => el('li', {}, note))),
  );
}

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
    ...Object.entries(results?.protocol ?? {}).map(
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
