/**
 * A stand-in for the wasm scorer with the same face, for developing and testing the page alone. Never shipped.
 * Its scores are plain counting over a hand-made artefact: plausible to look at, and of no other worth.
 */

/** Events that a real scorer reads, the newest. */
const SEEN = 50;

/** How well each item fits a user: shared attributes with the history, recent ones counting more, plus a little popularity. */
export function mockScores(catalogue, user) {
  return Float32Array.from(catalogue, (_, item) => 1 / (1 + Math.exp(-mockLogit(catalogue, user, item))));
}

function mockLogit(catalogue, user, item) {
  const sum = user.history.reduce((total, _, position) => total + carriedBy(catalogue, user, position, item), 0);
  return sum - 2.2 + Math.log1p(catalogue[item].count) * 0.25;
}

function carriedBy(catalogue, user, position, item) {
  const past = catalogue[user.history[position].item];
  const names = new Set(catalogue[item].attributes.map((a) => a.kind + a.value));
  const shared = past.attributes.filter((a) => names.has(a.kind + a.value)).length;
  const recency = Math.exp((position - user.history.length) / 8);
  return shared > 0 ? shared * recency * 0.6 : -0.12 * recency;
}

/** Null over plain http, where browsers hash nothing. */
const sha256 = async (bytes) =>
  crypto.subtle === undefined ? null : [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');

export class Scorer {
  #catalogue;
  #users;
  #reasons;

  static async load(manifestJson, files) {
    const later = ['comparison', 'writer', 'tokenizer', 'writer-model'];
    for (const { name, bytes, sha256: expected } of JSON.parse(manifestJson).files.filter(({ role }) => !later.includes(role))) {
      const content = files.get(name);
      if (!content) throw { kind: 'missing-file', message: `${name} was not given to the scorer.`, file: name };
      if (content.length !== bytes) throw { kind: 'wrong-size', message: `${name} has ${content.length} bytes, the manifest says ${bytes}.`, file: name };
      if (((await sha256(content)) ?? expected) !== expected) throw { kind: 'wrong-hash', message: `${name} does not have the SHA-256 that the manifest lists.`, file: name };
    }
    const read = (name) => JSON.parse(new TextDecoder().decode(files.get(name)));
    const scorer = new this();
    [scorer.#catalogue, scorer.#users, scorer.#reasons] = ['catalogue.json', 'users.json', 'reasons.json'].map(read);
    return scorer;
  }

  async taste(viewer) {
    return {
      viewer,
      history: this.#users[viewer].history.map(({ item }, position) => ({ item, position })),
      pattern: viewer,
      muted: [],
    };
  }

  async scores(taste) {
    return mockScores(this.#catalogue, taste);
  }

  items() {
    return this.#catalogue.length;
  }

  async knows() {
    return true;
  }

  async part(taste, first, end) {
    return mockScores(this.#catalogue, taste).slice(first, end);
  }

  async join(_taste, _parts, since) {
    return performance.now() - since;
  }

  async measure(taste) {
    const began = performance.now();
    mockScores(this.#catalogue, taste);
    return performance.now() - began;
  }

  async recommend(taste, count, before) {
    const began = performance.now();
    const scores = mockScores(this.#catalogue, taste);
    const seen = new Set(taste.history.map((event) => event.item));
    const heldOut = taste.viewer === null ? null : this.#users[taste.viewer].held_out;
    // As the real one does it: the held-out choice always takes part.
    const field = [...scores.keys()].filter((item) => !seen.has(item) || item === heldOut).sort((a, b) => scores[b] - scores[a] || a - b);
    const order = field.filter((item) => !seen.has(item));
    const truth = field.indexOf(heldOut);
    return {
      user: taste.viewer,
      scored: this.#catalogue.length,
      held_out: truth < 0 ? null : { item: heldOut, rank: truth + 1, score: scores[heldOut] },
      recommendations: order.slice(0, count).map((item, at) => this.#explained(taste, item, at + 1, scores[item])),
      milliseconds: Math.min(performance.now() - began, 5), // never so slow that helpers are called
      fresh: true,
      ...(before ? { before: order.slice(0, count).map((item) => (before.history.some((event) => event.item === item) ? null : { rank: this.#rank(before, item), score: mockScores(this.#catalogue, before)[item] })) } : {}),
    };
  }

  #rank(taste, item) {
    const scores = mockScores(this.#catalogue, taste);
    const seen = new Set(taste.history.map((event) => event.item));
    return 1 + scores.filter((score, other) => other !== item && !seen.has(other) && score >= scores[item]).length;
  }

  #logit(taste, item) {
    const score = mockScores(this.#catalogue, taste)[item];
    return Math.log(score / (1 - score));
  }

  async probe(taste, item) {
    const at = (part, changed) => ({ part, logit: this.#logit(changed, item), score: mockScores(this.#catalogue, changed)[item], rank: this.#rank(changed, item) });
    const nothing = { ...taste, history: [] };
    const whole = at('whole', taste);
    const alone = this.#logit(nothing, item);
    const shares = [
      { part: 'identities', adds: alone, rank_without: null },
      { part: 'pattern', adds: 0.25, rank_without: whole.rank + 1 },
      { part: 'reasons', adds: -0.5, rank_without: whole.rank },
      { part: 'history', adds: whole.logit - alone + 0.25, rank_without: this.#rank(nothing, item) },
    ];
    const without = taste.history.map((_, event) => at({ event }, { ...taste, history: taste.history.filter((_, place) => place !== event) }));
    const { logit, score, rank } = whole;
    return { item, logit, score, rank, shares, without };
  }

  async carriers(taste, items) {
    const logit = (of, item) => mockLogit(this.#catalogue, of, item);
    const adds = (item, event) => logit(taste, item) - logit({ ...taste, history: taste.history.filter((_, place) => place !== event) }, item);
    return [...items].map((item) =>
      [...taste.history.entries()].slice(-SEEN).map(([event, taken]) => ({ event, item: taken.item, adds: adds(item, event) })).sort((a, b) => Math.abs(b.adds) - Math.abs(a.adds) || b.event - a.event),
    );
  }

  async counterfactual(taste, limit) {
    const first = (history) => this.recommend({ ...taste, history }, 1, null).then((list) => list.recommendations[0]?.item);
    const leader = await first(taste.history);
    for (const [tried, event] of taste.history.entries()) {
      const then = await first(taste.history.filter((other) => other !== event));
      if (then !== leader && then !== event.item) return { first: leader, removed: [tried], then, limit, tried: tried + 1 };
    }
    return { first: leader, removed: [], then: null, limit, tried: taste.history.length };
  }

  async nearest(items) {
    const shared = this.#users.map((user) => [...items].filter((item) => user.history.some((event) => event.item === item)));
    const most = Math.max(...shared.map(({ length }) => length));
    const viewer = shared.findIndex(({ length }) => length === most);
    return most === 0 ? null : { viewer, similarity: most / items.length, shared: shared[viewer] };
  }

  #explained(taste, item, rank, score) {
    const fit = this.#reasons[item].map((reason) => Math.exp((reason.text.length % 7) / 3));
    const sum = fit.reduce((all, value) => all + value, 0);
    const carried = taste.history.map((_, position) => carriedBy(this.#catalogue, taste, position, item));
    const total = carried.reduce((all, weight) => all + Math.abs(weight), 0);
    return {
      item,
      rank,
      score,
      reasons: fit.map((value, index) => ({ index, weight: value / sum, heads: [0.4, 1.3, 1.6, 0.7].map((share) => (share * value) / sum) })),
      history: carried.map((weight, position) => ({ position, item: taste.history[position].item, weight: weight / total })),
    };
  }
}

export const comparison = async (_manifest, files) => JSON.parse(new TextDecoder().decode(files.get('comparison.json')));

/** As wasm-bindgen's: started once, it answers what the module exports. */
let exported = null;

export default async function init({ module_or_path } = {}) {
  if (!exported) await WebAssembly.compileStreaming(module_or_path);
  return (exported ??= { memory: new WebAssembly.Memory({ initial: 17 }) });
}
