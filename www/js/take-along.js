/** Ways to take a list along: a link, the command that prints it natively, files; and reasons reported as bad, kept on this device. */
import { button, el } from './dom.js';
import { plural } from './format.js';
import { hashOf, spelled } from './permalink.js';
import { asPicture } from './picture.js';
import { forgetReports, keepReport, onReports, readReports } from './reports.js';
import { changesInWords } from './what-if.js';

/** @typedef {import('./types.js').Loaded} Loaded */
/** @typedef {import('./types.js').Ranking} Ranking */
/** @typedef {import('./types.js').Taste} Taste */

/**
 * @typedef {object} Standing the list that stands there
 * @property {Ranking} ranking
 * @property {Taste} taste
 * @property {Taste} own the viewer's own taste, or a blank one
 * @property {string|null} pattern the words of the pattern that is read
 * @property {string} name whose list
 * @property {(item: number) => import('./written.js').WrittenReason|null} reasonWritten what the language model wrote for whoever looks at the list
 */

/**
 * @param {Loaded} loaded
 * @param {() => Standing|null} standing
 */
export function createTakeAlong(loaded, standing) {
  const { dataset, run } = loaded.manifest;
  const said = el('p', { class: 'muted', role: 'status' });
  const reports = el('div', {});

  /** @param {string} words @param {(now: Standing) => Promise<string>|string} act */
  const tool = (words, act) =>
    button(
      { class: 'button button-tool' },
      async () => {
        const now = standing();
        if (!now) return;
        try {
          said.textContent = await act(now);
        } catch (error) {
          console.warn(error);
          said.textContent = 'This browser did not allow that.';
        }
      },
      words,
    );
  const copy = async (/** @type {string} */ text, /** @type {string} */ what) => {
    await navigator.clipboard.writeText(text);
    return `${what} copied.`;
  };
  const file = (/** @type {string} */ end) => {
    const now = standing();
    const changed = now && changesInWords(now, loaded) ? '-changed' : '';
    return `curec-${now?.name.toLowerCase().replace(/[^a-z0-9]+/g, '-') ?? 'list'}${changed}.${end}`;
  };

  const element = el(
    'details',
    { class: 'take-along' },
    el('summary', {}, 'Take it along'),
    el(
      'div',
      { class: 'take-along-tools' },
      tool('Copy the link', (now) => copy(linkTo(now, loaded), 'The link to exactly this list is')),
      tool('Copy the curec command', async (now) => `${await copy(command(now, loaded), 'The command that prints this list natively is')} It wants this page’s artefact folder, as “curec export” wrote it, after --artefact.`),
      tool('JSON', (now) => saved(file('json'), 'application/json', JSON.stringify(asJson(now, loaded), null, 2))),
      tool('CSV', (now) => saved(file('csv'), 'text/csv', asCsv(now, loaded))),
      tool('PNG', async (now) => saved(file('png'), 'image/png', await asPicture(now, loaded))),
    ),
    said,
    reports,
  );

  const noted = el('p', { class: 'muted' });
  const ways = [
    button({ class: 'button button-tool' }, () => (said.textContent = saved('curec-reports.json', 'application/json', JSON.stringify(readReports(), null, 2))), 'Download them'),
    button(
      { class: 'button button-tool' },
      () => {
        forgetReports();
        said.textContent = 'Nothing is noted any more.';
      },
      'Forget them',
    ),
  ];

  function drawReports() {
    const { length } = readReports();
    noted.textContent = `${plural(length, 'reason')} reported as bad, kept on this device only. Those about titles of this list are in its JSON too.`;
    // The buttons stay the same ones: another tab may report while somebody is on one.
    if (length > 0) return void (reports.childElementCount > 0 || reports.replaceChildren(noted, ...ways));
    const inside = reports.contains(document.activeElement);
    reports.replaceChildren();
    if (inside) element.querySelector('summary')?.focus();
  }
  drawReports();
  onReports(reports, drawReports);

  return {
    element,
    /** Whether a title's reason was reported on this device: these words, for another run may have others in their place. @param {number} item @param {string} text */
    isReported: (item, text) =>
      readReports().some((one) => {
        const { dataset: name, item: key, text: words } = /** @type {Record<string, unknown>} */ (one ?? {});
        return name === dataset.name && key === loaded.catalogue[item]?.key && words === text;
      }),
    /**
     * Keeps a reason as reported, on this device; whether it could.
     * @param {number} item @param {number|null} reason its place among the title's; null for one that was written here @param {string} text
     */
    report(item, reason, text) {
      const now = standing();
      const written = reason === null ? (now?.taste.written ?? null) : null;
      const of = written && { pattern: written.text, seed: written.seed };
      return keepReport({ dataset: dataset.name, data: run.hash, run: run.config_hash, item: loaded.catalogue[item]?.key ?? '', reason, text, written: of, list: now?.name ?? null, at: new Date().toISOString() });
    },
  };
}

/** The address of a list, whatever stands in the address bar. @param {Standing} standing @param {Loaded} loaded */
function linkTo({ taste, own, ranking }, loaded) {
  const address = new URL(location.href);
  address.hash = hashOf(taste, own, loaded, ranking.recommendations.length);
  return address.href;
}

/** As a shell needs it. @param {string} text */
const quoted = (text) => (/^[\w@.,:/=%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The command that prints the same list.
 * @param {Pick<Standing, 'taste'|'own'|'ranking'>} standing @param {Loaded} loaded
 */
function command({ taste, own, ranking }, loaded) {
  const { user, history, pattern, write, mute } = spelled(taste, own, loaded);
  // With `=`, because a key may begin with a dash.
  const flags = [
    ...(user === null ? [] : [`--user=${user}`]),
    ...(history === null ? [] : [`--history=${history.join(',')}`]),
    ...(pattern === null ? [] : [`--pattern-of=${pattern}`]),
    ...(write === null ? [] : [`--write-pattern=${write}`]),
    ...(mute.length === 0 ? [] : [`--mute=${mute.join(',')}`]),
    `--count=${ranking.recommendations.length}`,
  ];
  return ['curec explain --artefact dist/artefact', ...flags.map(quoted)].join(' ');
}

/** @param {Standing} standing @param {Loaded} loaded */
function asJson({ ranking, taste, own, pattern, name, reasonWritten }, loaded) {
  const { manifest, catalogue, viewers } = loaded;
  const named = (/** @type {{item: number}} */ { item }) => ({ key: catalogue[item]?.key, title: catalogue[item]?.title });
  const shown = new Set(ranking.recommendations.map(({ item }) => catalogue[item]?.key));
  const { written } = taste;
  return {
    list: name,
    dataset: manifest.dataset.name,
    run: manifest.run,
    computed: { on: ranking.used, milliseconds: ranking.milliseconds, scored: ranking.scored },
    question: spelled(taste, own, loaded),
    ...(taste.viewer === null ? { picks: taste.history.map(named) } : {}),
    pattern: pattern === null ? null : { from: written ? 'written here' : 'stored', ...(written ? { seed: written.seed } : { viewer: viewers[taste.pattern ?? -1]?.key }), text: pattern },
    changed: changesInWords({ taste, own }, loaded),
    held_out: ranking.held_out && { ...ranking.held_out, key: catalogue[ranking.held_out.item]?.key },
    recommendations: ranking.recommendations.map(({ item, rank, score: value, reasons, history, before }) => ({
      rank,
      before: before && { rank: before.rank, score: before.score },
      key: catalogue[item]?.key,
      title: catalogue[item]?.title,
      score: value,
      reasons: reasons.map(({ text, weight }) => ({ text, weight })),
      // Where the interest unit looked; not what carried the score.
      interest: history.map(({ item: past, weight }) => ({ title: catalogue[past]?.title, weight })),
    })),
    // By the language model, for whoever looked at the list; they do not count in its scores.
    reasons_written_here: ranking.recommendations.flatMap(({ item }) => {
      const reason = reasonWritten(item);
      return reason ? [{ ...named({ item }), ...reason }] : [];
    }),
    reports: readReports().filter((one) => {
      const { dataset: of, item } = /** @type {Record<string, unknown>} */ (one ?? {});
      return of === manifest.dataset.name && shown.has(String(item));
    }),
  };
}

/** @param {Standing} standing @param {Loaded} loaded */
function asCsv({ ranking, reasonWritten }, { catalogue }) {
  // A cell that a spreadsheet would take for a formula gets a quote before it: titles and reasons are other people's words.
  const cell = (/** @type {string|number|undefined} */ value) => {
    const text = String(value ?? '');
    const safe = typeof value === 'string' && /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = ranking.recommendations.map(({ item, rank, score: value, reasons }) => [rank, catalogue[item]?.key, catalogue[item]?.title, value, reasons[0]?.text, reasonWritten(item)?.text]);
  // The mark at the beginning tells spreadsheets that it is UTF-8.
  return '\ufeff' + [['rank', 'key', 'title', 'score', 'leading reason', 'reason written here'], ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

/** @param {string} name @param {string} type @param {BlobPart} content */
function saved(name, type, content) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = el('a', { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  return `${name} is saved.`;
}
