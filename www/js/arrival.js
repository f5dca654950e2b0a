/** What an address asks for when the page is opened, or when the visitor goes back: whose list, and what of it is not there. */
import { button, byId } from './dom.js';
import { asideNote, lostNote } from './notice.js';
import { asksOfNobody, isOfAnotherRun, ownTasteInAddress, rowsInAddress, seedInAddress, tasteInAddress, viewerInAddress } from './permalink.js';
import { blankTaste, Trail } from './tastes.js';

/** Whether this demo carries a language model for patterns. @param {import('./types.js').Loaded} loaded */
const mayWrite = ({ uses, manifest }) => uses.patterns && manifest.files.some(({ role }) => role === 'writer');

/**
 * @param {object} page
 * @param {import('./scorer-client.js').ScorerClient} page.client
 * @param {() => import('./main.js').App|null} page.app
 * @param {HTMLElement} page.notice
 * @param {import('./lists.js').Lists} lists
 */
export function createArrival(page, lists) {
  /**
   * Shows what the address asks for; the first viewer worth meeting where it asks for nobody.
   * @param {'replace'|'keep'} how
   */
  async function openAddress(how) {
    const app = page.app();
    if (!app) return;
    const { loaded } = app;
    const seed = seedInAddress();
    const foreign = isOfAnotherRun(loaded); // before the list's own address takes its place
    page.notice.replaceChildren(); // of an address that was left
    // The address stays as it is until the pattern is written, or something is changed.
    const written = seed !== null && mayWrite(loaded) ? 'keep' : seed !== null ? 'replace' : how;
    if (ownTasteInAddress()) {
      const { taste: asked, lost, follows } = tasteInAddress(null, loaded, (item) => loaded.reasonCounts[item] ?? 0);
      const taste = app.written.recalled(asked, seed);
      if (lost.length > 0) page.notice.replaceChildren(lostNote(lost));
      const token = lists.leave(); // also for whoever was asked for before, and comes later
      const before = lists.steps(taste); // a step back leads to where the visitor left off
      const nearest = follows || before ? null : await page.client.ask('nearest', { items: taste.history.map(({ item }) => item) }).catch(() => null);
      if (lists.token !== token) return;
      const trail = before ?? new Trail(blankTaste(), taste, (follows && !taste.written) || taste.history.length === 0 || (nearest !== null && nearest.viewer === taste.pattern)); // of nothing nobody is the nearest yet
      await lists.openOwn(trail, written, rowsInAddress());
      if (lists.visit?.trail === trail) told(foreign, seed);
      return;
    }
    const key = viewerInAddress();
    const named = key === null ? -1 : loaded.viewers.findIndex((viewer) => viewer.key === key);
    if (key !== null && named < 0) page.notice.replaceChildren(asideNote(`The address names a viewer who is not in this demo (“${key.slice(0, 60)}”). Here is another one.`));
    if (asksOfNobody()) page.notice.replaceChildren(asideNote('The address asks for a change to a list, but names neither a viewer nor titles. Here is a viewer’s list without it.'));
    await lists.openViewer(named >= 0 ? named : loaded.first, written, named >= 0);
    if (lists.visit?.user === (named >= 0 ? named : loaded.first)) told(foreign, named >= 0 ? seed : null);
  }

  /** What is to be known of a link once its list stands. @param {boolean} foreign @param {number|null} seed */
  function told(foreign, seed) {
    if (foreign) page.notice.append(asideNote('This link was made with another run of the model; the list may differ.'));
    offerWriting(seed);
  }

  /** The pattern of a link was written where the link comes from; the same seed writes the same one here, if the visitor wants that. @param {number|null} seed */
  function offerWriting(seed) {
    const app = page.app();
    const mine = lists.visit;
    if (seed === null || !app || !mine || mine.trail.current.written) return;
    const { loaded, card } = app;
    if (mine.trail.current.history.length === 0) return;
    if (!mayWrite(loaded)) {
      return page.notice.append(asideNote('The address asks for a pattern that is written in the browser, and this demo carries no language model for that. The list does without it.'));
    }
    if (card.mayWrite()) return void card.write(seed); // what it takes is here
    const act = button(
      { class: 'button' },
      () => {
        page.notice.replaceChildren();
        byId('viewer-heading').focus();
        if (lists.visit === mine) card.write(seed);
      },
      'Write it',
    );
    page.notice.append(asideNote('This link reads a pattern that the language model writes in your browser. Until then the list does without it. ', act));
  }

  return { openAddress };
}
