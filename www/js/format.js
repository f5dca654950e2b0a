/** Numbers, dates and names as a reader wants them. */

const whole = new Intl.NumberFormat('en');
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

/** @param {number} value */
export const count = (value) => whole.format(value);

/**
 * `1 title`, `2 titles`.
 * @param {number} value
 * @param {string} noun
 */
export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** @param {number} value bytes, shown as kB or MB of 1000 as browsers and operating systems do */
export function bytes(value) {
  if (value < 1000) return `${value} B`;
  if (value < 1e6) return `${Math.round(value / 1e3)} kB`;
  return `${(value / 1e6).toFixed(1)} MB`;
}

/** @param {number} value */
export function milliseconds(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

/** @param {number} share between 0 and 1 */
export function percent(share) {
  const value = share * 100;
  return value > 0 && value < 1 ? '<1 %' : `${Math.round(value)} %`;
}

/** A text's first words, with an ellipsis where there are more. @param {string} text @param {number} most characters */
export function opening(text, most) {
  const whole = text.trim();
  if (whole.length <= most) return whole;
  const words = whole.slice(0, most + 1).replace(/\s+\S*$/, '');
  return `${words.slice(0, most).replace(/[\s,;:.]+$/, '')} …`;
}

/** @param {number} value */
export function score(value) {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(1) : value.toFixed(3);
}

/** @param {number} value a difference between two scores, which rounding makes tiny */
export const difference = (value) => (value === 0 ? 'none' : Number.isFinite(value) ? value.toExponential(1).replace('-', '−') : 'not a number');

/** @param {number} value with its sign, a true minus for negatives */
export function signed(value) {
  const digits = Math.abs(value) >= 10 ? 1 : 2;
  return (value < 0 ? '−' : '+') + Math.abs(value).toFixed(digits);
}

/** @param {number} time seconds since 1970 */
export const date = (time) => day.format(new Date(time * 1000));

/**
 * A viewer's name: keys that are a bare number, or “viewer-12” and the like, become “Viewer 12”; others speak for themselves.
 * @param {string} key
 */
export function viewerName(key) {
  const number = /^(?:viewer|user|u|v)?[-_ ]?(\d+)$/i.exec(key)?.[1];
  return number ? `Viewer ${number}` : key;
}

/** @param {string} text */
export const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * The attributes worth a line under a title: first of each kind twice at most, years last.
 * @param {import('./types.js').Attribute[]} attributes
 * @param {number} limit
 * @returns {import('./types.js').Attribute[]}
 */
export function mainAttributes(attributes, limit) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  const kept = attributes.filter(({ kind }) => {
    const already = seen.get(kind) ?? 0;
    seen.set(kind, already + 1);
    return already < 2;
  });
  const isYear = (/** @type {import('./types.js').Attribute} */ a) => a.kind === 'year';
  return [...kept.filter((a) => !isYear(a)), ...kept.filter(isYear)].slice(0, limit);
}
