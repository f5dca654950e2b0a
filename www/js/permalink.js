/** What the address says: `#user=KEY` names the viewer, `?backend=cpu|webgpu` forces where scores are computed. */

/** @returns {import('./types.js').BackendChoice} */
export function backendChoice() {
  const value = new URLSearchParams(location.search).get('backend');
  return value === 'cpu' || value === 'webgpu' ? value : 'auto';
}

/**
 * An address of this same page with another backend and the same viewer.
 * @param {import('./types.js').BackendChoice} choice
 */
export function backendAddress(choice) {
  const url = new URL(location.href);
  if (choice === 'auto') url.searchParams.delete('backend');
  else url.searchParams.set('backend', choice);
  return url.href;
}

/** Key of the viewer that the address names, or null. */
export function viewerInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('user');
}

/**
 * @param {string} key
 * @param {'push'|'replace'} how a visitor's choice is a step back can undo, the first view is not
 */
export function putViewerInAddress(key, how) {
  const hash = `#${new URLSearchParams({ user: key })}`;
  if (location.hash === hash) return;
  if (how === 'push') history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
}
