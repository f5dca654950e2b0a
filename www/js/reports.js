/** Reasons that a visitor reported as bad: kept on this device only, until they are forgotten. */

/** @typedef {{dataset: string, data: string, run: string, item: string, reason: number|null, text: string, written: {pattern: string, seed: number}|null, list: string|null, at: string}} Report `data`: the hash of what the run read; `run`: of its configuration; `reason`: its place among the title's; `written`: of what one was written here */

const KEY = 'curec-reports';
const FORGOTTEN = 'forgotten';

/** What stands in the browser's store may be an older page's, or anything. @returns {unknown[]} */
export function readReports() {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(all) ? all : [];
  } catch {
    return [];
  }
}

/** Keeps a report; whether it could. @param {Report} report */
export function keepReport(report) {
  try {
    localStorage.setItem(KEY, JSON.stringify([...readReports(), report]));
    return true;
  } catch {
    return false;
  }
}

/** Forgets all of them, and tells whatever says that something is noted. */
export function forgetReports() {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // a browser that keeps nothing for this page has nothing to forget
  }
  for (const noting of document.querySelectorAll('[data-noted]')) noting.dispatchEvent(new Event(FORGOTTEN));
}

/**
 * Has an element that says that something is noted draw itself anew once it is not any more.
 * @param {HTMLElement} element @param {() => void} draw
 */
export function onForgotten(element, draw) {
  element.dataset.noted = 'true';
  element.addEventListener(FORGOTTEN, draw);
}
