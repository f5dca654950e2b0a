/** Building DOM without markup strings: text is always text, so words from a language model can never become markup. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, string | number | boolean | null | undefined>} Attributes
 */

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes `false`, null and undefined leave an attribute out, `true` sets it empty
 * @param {Child[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter(isShown).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/**
 * @param {Child} child
 * @returns {child is Node | string | number}
 */
function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}

/**
 * An HTML element with attributes and children; strings become text nodes.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * A `<button type="button">` with its click handler.
 * @param {Attributes} attributes
 * @param {(event: MouseEvent) => void} onClick
 * @param {...Child} children
 */
export function button(attributes, onClick, ...children) {
  const element = el('button', { type: 'button', ...attributes }, ...children);
  element.addEventListener('click', onClick);
  return element;
}

/**
 * The element with this id; its absence is a mistake in index.html.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element with id "${id}"`);
  return element;
}

/**
 * Sets a custom property through the CSSOM, which a policy without inline styles allows.
 * @template {HTMLElement | SVGElement} E
 * @param {E} element
 * @param {string} name
 * @param {string | number} value
 * @returns {E}
 */
export function withProperty(element, name, value) {
  element.style.setProperty(name, String(value));
  return element;
}

/**
 * Draws something anew and puts the focus back where it was, by id or label. Where that is gone or cannot be pressed any more: on what does
 * the same in the row that took its place, on its neighbour, or on the heading.
 * @param {HTMLElement} root
 * @param {() => void} redraw
 */
export function keepingFocus(root, redraw) {
  const active = document.activeElement;
  const inside = active instanceof HTMLElement && root.contains(active) ? active : null;
  const label = inside?.getAttribute('aria-label');
  const selector = inside?.id ? `#${CSS.escape(inside.id)}` : label ? `[aria-label="${CSS.escape(label)}"]` : 'h2';
  const row = inside?.closest('li');
  const place = row ? [...(row.parentElement?.children ?? [])].indexOf(row) : -1;
  const list = row?.parentElement?.id;
  const group = inside?.closest('[role="group"]')?.getAttribute('aria-label');
  redraw();
  if (!inside) return;
  const rows = list ? [...(root.querySelector(`#${CSS.escape(list)}`)?.children ?? [])] : [];
  const near = rows[Math.min(place, rows.length - 1)];
  const candidates = [
    root.querySelector(selector),
    near?.querySelector(`[data-do="${CSS.escape(inside.dataset.do ?? '')}"]`),
    ...(near?.querySelectorAll('button') ?? []),
    ...(group ? root.querySelectorAll(`[role="group"][aria-label="${CSS.escape(group)}"] button`) : []),
    root.querySelector('h2'),
  ];
  const target = candidates.find((one) => one instanceof HTMLElement && !one.hasAttribute('disabled'));
  if (!(target instanceof HTMLElement)) return;
  if (target instanceof HTMLInputElement) target.dataset.quiet = 'true'; // a search does not open its list by itself
  target.focus({ preventScroll: true });
}

/** Where a list stands below its viewer instead of beside; css/layout.css has the same width. */
export const NARROW = matchMedia('(max-width: 56rem)');

/** Goes on in a task of its own, after what else is waiting. @returns {Promise<void>} */
export const nextTask = () => new Promise((resolve) => setTimeout(resolve));
