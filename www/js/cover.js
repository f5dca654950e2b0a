/**
 * A small drawn cover for a title: shape from its key, colour from its first telling attribute.
 * Decoration that makes a list easy to scan; titles that share a genre share a hue.
 */
import { svg, withProperty } from './dom.js';

/** FNV-1a. @param {string} text */
function hash(text) {
  let value = 0x811c9dc5;
  for (const unit of text) value = Math.imul(value ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  return value >>> 0;
}

/** @type {((pick: (n: number) => number) => SVGElement[])[]} */
const DESIGNS = [
  // A sun over hills.
  (pick) => [
    svg('circle', { class: 'cover-c', cx: 10 + pick(20), cy: 15 + pick(8), r: 6 + pick(5) }),
    svg('path', { class: 'cover-b', d: `M0 ${34 + pick(8)} Q ${8 + pick(10)} ${22 + pick(8)} 40 ${30 + pick(10)} V56 H0 Z` }),
    svg('path', { class: 'cover-d', d: `M0 ${44 + pick(5)} Q ${20 + pick(12)} ${34 + pick(6)} 40 ${46 + pick(5)} V56 H0 Z` }),
  ],
  // Rings.
  (pick) => {
    const [x, y] = [10 + pick(20), 16 + pick(24)];
    return [19, 13, 7].map((r, i) => svg('circle', { class: i % 2 ? 'cover-c' : 'cover-b', cx: x, cy: y, r: r + pick(3) }));
  },
  // Slanted bands.
  (pick) => {
    const y = 6 + pick(14);
    return ['cover-b', 'cover-c', 'cover-d'].map((c, i) =>
      svg('path', { class: c, d: `M0 ${y + i * 13 + 10} L40 ${y + i * 13 - 4} v8 L0 ${y + i * 13 + 18} Z` }),
    );
  },
  // Columns.
  (pick) =>
    [0, 1, 2, 3].map((i) => {
      const top = 12 + pick(28);
      return svg('rect', { class: i % 2 ? 'cover-c' : 'cover-b', x: 4 + i * 8.5, y: top, width: 6, height: 56 - top });
    }),
  // A half moon and a line.
  (pick) => [
    svg('path', { class: 'cover-c', d: `M20 ${10 + pick(6)} a14 14 0 0 ${pick(2)} 0 28 Z` }),
    svg('rect', { class: 'cover-b', x: 6, y: 44 + pick(4), width: 28, height: 2.5 }),
  ],
];

/** @param {import('./types.js').CatalogueItem} item */
export function cover(item) {
  const seed = hash(item.key + item.title);
  const telling = item.attributes.find(({ kind }) => kind !== 'year') ?? { value: item.title };
  let state = seed;
  const pick = (/** @type {number} */ n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  const design = DESIGNS[seed % DESIGNS.length] ?? (() => []);
  const ground = svg('rect', { class: 'cover-a', width: 40, height: 56 });
  const picture = svg('svg', { class: 'cover', viewBox: '0 0 40 56', 'aria-hidden': 'true', focusable: 'false' }, ground, ...design(pick));
  return withProperty(picture, '--hue', hash(telling.value) % 360);
}
