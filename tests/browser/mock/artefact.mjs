/** Makes the small hand-made artefact that goes with the mock scorer: 72 invented titles, 24 invented viewers. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mockScores } from './curec-web.js';

const GENRES = ['noir', 'heist', 'space opera', 'romance', 'documentary', 'western', 'ghost story', 'comedy'];
const PLACES = ['Lisbon', 'the Arctic', 'Osaka', 'a lighthouse', 'Dakar', 'the night train'];
const MOODS = ['slow-burning', 'playful', 'bleak', 'tender', 'tense'];
const PEOPLE = ['Ada Quill', 'Tomás Brandt', 'Ines Okafor', 'Milo Serra', 'Rea Lindqvist'];
const FIRST = ['The Last', 'A Quiet', 'Seven', 'Under the', 'Beyond', 'The Glass', 'Midnight', 'An Honest', 'Paper'];
const SECOND = ['Harbour', 'Ledger', 'Winter', 'Cartographer', 'Signal', 'Orchard', 'Stairwell', 'Tide'];
const DAY = 86_400;

/** A title that only differs by its address from an attack: the page must show it letter by letter. */
export const HOSTILE = '<img src=x onerror="document.title=\'owned\'"> <b>bold</b>';

function random(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 9) % n;
  };
}

function makeCatalogue() {
  const pick = random(7);
  return Array.from({ length: FIRST.length * SECOND.length }, (_, i) => {
    const genre = GENRES[(i * 5 + Math.floor(i / 8)) % GENRES.length];
    return {
      key: `w${String(i + 1).padStart(3, '0')}`,
      title: `${FIRST[i % FIRST.length]} ${SECOND[Math.floor(i / FIRST.length)]}`,
      attributes: [
        { kind: 'genre', value: genre },
        ...(pick(3) === 0 ? [{ kind: 'genre', value: GENRES[(GENRES.indexOf(genre) + 1 + pick(6)) % GENRES.length] }] : []),
        { kind: 'mood', value: MOODS[pick(MOODS.length)] },
        { kind: 'place', value: PLACES[pick(PLACES.length)] },
        { kind: 'person', value: PEOPLE[pick(PEOPLE.length)] },
        { kind: 'year', value: String(1951 + pick(70)) },
      ],
      count: 0,
    };
  });
}

function makeUsers(catalogue) {
  return Array.from({ length: 24 }, (_, u) => {
    const pick = random(100 + u);
    const genre = GENRES[u % GENRES.length];
    const person = PEOPLE[u % PEOPLE.length];
    const fits = (item) => item.attributes.some((a) => a.value === genre || a.value === person);
    const items = [...catalogue.keys()]
      .map((i) => ({ i, order: pick(1000) - (fits(catalogue[i]) ? 620 : 0) }))
      .sort((a, b) => a.order - b.order)
      .slice(0, 10 + pick(12))
      .map(({ i }) => i);
    const taken = items.slice(0, -1).reverse();
    const held = items.at(-1);
    const start = Date.UTC(2019, pick(12), 1 + pick(27)) / 1000;
    return {
      key: `viewer-${String(u + 1).padStart(2, '0')}`,
      history: taken.map((item, at) => ({ item, time: start + (at * 9 + pick(5)) * DAY })),
      held_out: u === 23 ? null : held,
      pattern:
        u === 22
          ? null
          : `Comes back to ${genre} whenever ${person} is involved, and prefers a small cast in one place over a large canvas. ` +
            'Lately the choices have become slower and kinder; endings that explain everything are skipped.',
    };
  });
}

function makeReasons(catalogue, users) {
  const pick = random(31);
  const reasons = catalogue.map(() => []);
  users.forEach((user, u) =>
    user.history.forEach(({ item, time }) => {
      catalogue[item].count += 1;
      if (item % 17 === 5 || reasons[item].length >= 5) return;
      const value = (kind) => catalogue[item].attributes.find((a) => a.kind === kind)?.value;
      const texts = [
        `Someone who likes ${value('genre')} takes this for ${value('person')}, who rarely plays it this ${value('mood')}.`,
        `The ${value('mood')} pace and ${value('place')} matter more here than the plot; that suits a viewer who has finished three such titles this spring.`,
        `After so much ${GENRES[pick(GENRES.length)]}, this is the ${value('genre')} that still feels like ${value('place')}.`,
      ];
      reasons[item].push({ text: texts[pick(texts.length)], user: u, time });
    }),
  );
  return reasons;
}

/** The list of one viewer, as the trainer's export would score it. */
function makePreview(catalogue, users, reasons) {
  const user = 4;
  const { key, history, pattern } = users[user];
  const scores = mockScores(catalogue, users[user]);
  const seen = new Set(history.map((event) => event.item));
  const order = [...scores.keys()].filter((item) => !seen.has(item)).sort((a, b) => scores[b] - scores[a] || a - b);
  const drawn = (item) => ({ item, key: catalogue[item].key, title: catalogue[item].title, attributes: catalogue[item].attributes });
  return {
    user,
    key,
    pattern,
    history: history.slice(-6).reverse().map(({ item }) => drawn(item)),
    recommendations: order.slice(0, 10).map((item) => ({
      item: drawn(item),
      score: scores[item],
      reason: reasons[item][0]?.text ?? null,
      carried_by: history.slice(-2).map((event) => catalogue[event.item].title),
    })),
  };
}

/** What other models would suggest, as the trainer's export would have scored it: here counting, and popularity. */
function makeComparison(catalogue, users, reasons) {
  const listOf = (scores) => (user) => {
    const seen = new Set(user.history.map((event) => event.item));
    const of = scores(user);
    const order = [...catalogue.keys()].filter((item) => !seen.has(item)).sort((a, b) => of[b] - of[a] || a - b);
    const truth = order.indexOf(user.held_out);
    return { items: order.slice(0, 20), held_out_rank: truth < 0 ? null : truth + 1 };
  };
  const counts = catalogue.map((item) => item.count);
  const variant = (name, what, scores) => ({ name, what, lists: users.map(listOf(scores)) });
  return {
    variants: [
      variant('before-correction', 'A mock of the model before the correction.', (user) => mockScores(catalogue, { ...user, history: user.history.slice(2) })),
      variant('popularity', 'What most people took.', () => counts),
    ],
    before: {
      reasons: reasons.map((list) => list.map(({ text }, at) => (at % 2 === 0 ? text.replace(/^\S+/, 'Anybody') : null))),
      patterns: users.map(({ pattern }, at) => (pattern && at % 2 === 0 ? pattern.replace('slower', 'faster') : null)),
    },
  };
}

/** Ranking metrics of a scoring function over the viewers that have a held-out item, over the whole catalogue. */
function measure(catalogue, users, scoresOf) {
  const ranks = users
    .filter((user) => user.held_out !== null)
    .map((user) => {
      const scores = scoresOf(user);
      const seen = new Set(user.history.map((event) => event.item));
      return [...scores].filter((score, item) => !seen.has(item) && score >= scores[user.held_out]).length;
    });
  const mean = (f) => ranks.reduce((sum, rank) => sum + f(rank), 0) / ranks.length;
  return {
    'Recall@5': mean((rank) => (rank <= 5 ? 1 : 0)),
    'Recall@10': mean((rank) => (rank <= 10 ? 1 : 0)),
    'NDCG@10': mean((rank) => (rank <= 10 ? 1 / Math.log2(rank + 1) : 0)),
    MRR: mean((rank) => 1 / rank),
  };
}

/** @param {string} folder is created; gets manifest.json and every file it lists */
export async function writeArtefact(folder) {
  const catalogue = makeCatalogue();
  const users = makeUsers(catalogue);
  const reasons = makeReasons(catalogue, users);
  // Every title that the first viewer could be shown carries the hostile text somewhere, so that a test will meet it.
  catalogue.forEach((_, item) => item % 9 === 2 && reasons[item].push({ text: HOSTILE, user: null, time: 0 }));
  const results = {
    protocol: { ranking: 'full catalogue', seen_items: 'filtered', ties: 'pessimistic', viewers: users.length - 1 },
    models: [
      { name: 'mock scorer', metrics: measure(catalogue, users, (user) => mockScores(catalogue, user)) },
      { name: 'popularity', metrics: measure(catalogue, users, () => catalogue.map((item) => item.count)) },
    ],
    notes: ['This is the mock of the page’s own tests: titles, viewers, reasons and scores are made up.'],
  };
  const pick = random(5);
  const contents = {
    'catalogue.json': JSON.stringify(catalogue),
    'users.json': JSON.stringify(users),
    'reasons.json': JSON.stringify(reasons),
    'results.json': JSON.stringify(results),
    'preview.json': JSON.stringify(makePreview(catalogue, users, reasons)),
    'comparison.json': JSON.stringify(makeComparison(catalogue, users, reasons)),
    'writer.json': JSON.stringify({ mock: true }),
    'tokenizer.json': JSON.stringify({ mock: true }),
    'writer.safetensors': Buffer.from(Array.from({ length: 50_000 }, () => pick(256))),
    'model.safetensors': Buffer.from(Array.from({ length: 200_000 }, () => pick(256))),
  };
  await mkdir(folder, { recursive: true });
  const files = [];
  for (const [name, content] of Object.entries(contents)) {
    const bytes = Buffer.from(content);
    await writeFile(join(folder, name), bytes);
    files.push({ name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), role: name === 'writer.safetensors' ? 'writer-model' : name.split('.')[0] });
  }
  const manifest = {
    format: 'curec-artefact',
    version: 4,
    created_by: 'mock',
    dataset: {
      name: 'mock',
      users: users.length,
      items: catalogue.length,
      interactions: users.reduce((sum, user) => sum + user.history.length, 0),
      split: 'leave-one-out',
    },
    run: { seed: 7, hash: files[0].sha256.slice(0, 16), config_hash: files[1].sha256.slice(0, 16) },
    files,
    model: {},
  };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest, null, 1));
}
