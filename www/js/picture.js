/** A list as a picture, in the page's own colours: the first ten titles with their reasons, and what it is of: the whole of what was changed, or what was picked. */
import { score } from './format.js';
import { runOf } from './permalink.js';
import { changesInWords, ownInWords } from './what-if.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./take-along.js').Standing} Standing */

const SHOWN = 10;
const PICTURE = { width: 1200, margin: 40, row: 104, written: 34, lead: 112, line: 30, foot: 60 };

/** Letters of a text that has one line: no line holds more. */
const MOST = 400;

/** @param {Standing} standing @param {Loaded} loaded @returns {Promise<Blob>} */
export async function asPicture(standing, loaded) {
  const { ranking, name, taste, reasonWritten } = standing;
  const { catalogue, manifest, uses } = loaded;
  const { width, margin, line } = PICTURE;
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('no canvas');
  const style = getComputedStyle(document.documentElement);
  const token = (/** @type {string} */ property) => style.getPropertyValue(property).trim();
  const [page, voice] = [token('--font-page'), token('--font-voice')];
  const leadFont = `22px ${page}`;

  const rows = ranking.recommendations.slice(0, SHOWN);
  const written = rows.map(({ item }) => reasonWritten(item)?.text ?? null);
  const row = PICTURE.row + (written.some((text) => text !== null) ? PICTURE.written : 0);
  const changed = changesInWords(standing, loaded);
  const own = ownInWords(taste, loaded);
  pen.font = leadFont;
  const lead = linesOf(pen, plain(own ? `${own}.` : changed ? `If things were otherwise: ${changed}.` : 'What the model would suggest next, and its leading reasons'), width - 2 * margin);
  const head = PICTURE.lead + lead.length * line + 8;
  canvas.width = width;
  canvas.height = head + rows.length * row + PICTURE.foot;

  const write = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ font, /** @type {string} */ colour, room = width - x - margin) => {
    pen.font = font;
    pen.fillStyle = token(colour);
    pen.fillText(begun(pen, plain(text), room), x, y);
  };
  pen.fillStyle = token('--ground');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  write(name, margin, 70, `600 40px ${voice}`, '--ink');
  lead.forEach((text, at) => write(text, margin, PICTURE.lead + at * line, leadFont, '--ink-soft'));
  rows.forEach(({ item, rank, score: value, reasons }, at) => {
    const y = head + at * row;
    pen.fillStyle = token('--line');
    pen.fillRect(margin, y, width - 2 * margin, 1);
    write(String(rank), margin, y + 48, `600 32px ${voice}`, '--ink-soft');
    write(catalogue[item]?.title ?? '', 110, y + 42, `650 26px ${page}`, '--ink', width - 320);
    write(score(value), width - 140, y + 42, `22px ${page}`, '--ink-soft');
    write(reasons[0]?.text ?? (uses.reasons ? 'No reason counts for this title.' : ''), 110, y + 80, `italic 22px ${voice}`, '--ink-soft');
    if (written[at]) write(`Written here: ${written[at]}`, 110, y + 80 + PICTURE.written, `italic 22px ${voice}`, '--truth');
  });
  write(`curec · ${manifest.dataset.name} · run ${runOf(loaded)} · data ${manifest.run.hash.slice(0, 12)} · computed in a browser`, margin, canvas.height - 24, `18px ${page}`, '--ink-soft');
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/png'));
}

/** Without the signs that turn the direction of what follows them: there is no element here that would end it. @param {string} text */
const plain = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '');

/** As much of a text as one line holds, with the mark of what is left out. @param {CanvasRenderingContext2D} pen @param {string} text @param {number} room */
function begun(pen, text, room) {
  const letters = [...text.slice(0, MOST)];
  let kept = letters.length;
  const shown = () => (kept === letters.length && text.length <= MOST ? text : `${letters.slice(0, kept).join('').trimEnd()}…`);
  while (kept > 1 && pen.measureText(shown()).width > room) kept -= 1;
  return shown();
}

/** All of a text in lines, broken between words, and within one that no line holds. @param {CanvasRenderingContext2D} pen @param {string} text @param {number} room */
function linesOf(pen, text, room) {
  const fits = (/** @type {string} */ words) => pen.measureText(words).width <= room;
  /** @type {string[]} */
  const lines = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = '';
    for (const letter of word) {
      if (line !== '' && !fits(line + letter)) {
        lines.push(line);
        line = '';
      }
      line += letter;
    }
  }
  return [...lines, line];
}
