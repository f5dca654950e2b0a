/** SHA-256 as build.json and the manifest write it. Only where the page has https: elsewhere a browser hashes nothing. */

/** @param {BufferSource} bytes */
export async function hashOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
