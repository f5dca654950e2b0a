/** Reasons that a visitor reported as bad: kept on this device only, until they are forgotten. */

/** @typedef {{dataset: string, data: string, run: string, item: string, reason: number|null, text: string, written: {pattern: string, seed: number}|null, list: string|null, at: string}} Report `data`: the hash of what the run read; `run`: of its configuration; `reason`: its place among the title's; `written`: of what one was written here */

const KEY = 'curec-reports';
const CHANGED = 'reports-changed';

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
  } catch {
    return false;
  }
  tell();
  return true;
}

/** Forgets all of them. */
export function forgetReports() {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // a browser that keeps nothing for this page has nothing to forget
  }
  tell();
}

/** Whatever says what is noted says it anew. */
function tell() {
  for (const noting of document.querySelectorAll('[data-noted]')) noting.dispatchEvent(new Event(CHANGED));
}

// Other tabs note and forget in the same place; without a key all of it was cleared.
window.addEventListener('storage', ({ key }) => {
  if (key === KEY || key === null) tell();
});

/**
 * Has an element that says what is noted draw itself anew once that is something else.
 * @param {HTMLElement} element @param {() => void} draw
 */
export function onReports(element, draw) {
  element.dataset.noted = 'true';
  element.addEventListener(CHANGED, draw);
}
