/**
 * A stand-in for the wasm scorer with the same face, for developing and testing the page alone. Never shipped.
 * Its scores are plain counting over a hand-made artefact: plausible to look at, and of no other worth.
 */

/** How well each item fits a user: shared attributes with the history, recent ones counting more, plus a little popularity. */
export function mockScores(catalogue, user) {
  return Float32Array.from(catalogue, (_, item) => {
    const carried = user.history.map((event, position) => carriedBy(catalogue, user, position, item));
    const sum = carried.reduce((total, weight) => total + weight, 0);
    return 1 / (1 + Math.exp(-(sum - 2.2 + Math.log1p(catalogue[item].count) * 0.25)));
  });
}

function carriedBy(catalogue, user, position, item) {
  const past = catalogue[user.history[position].item];
  const names = new Set(catalogue[item].attributes.map((a) => a.kind + a.value));
  const shared = past.attributes.filter((a) => names.has(a.kind + a.value)).length;
  const recency = Math.exp((position - user.history.length) / 8);
  return shared > 0 ? shared * recency * 0.6 : -0.12 * recency;
}

const sha256 = async (bytes) =>
  [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');

async function chooseBackend(prefer) {
  if (prefer === 'cpu') return { used: 'cpu', adapter: null, reason: 'The address asks for the CPU.' };
  const adapter = await globalThis.navigator?.gpu?.requestAdapter();
  if (!adapter) return { used: 'cpu', adapter: null, reason: 'This browser offers no WebGPU adapter.' };
  const name = adapter.info?.description || adapter.info?.vendor || 'unnamed adapter';
  if (prefer === 'webgpu') return { used: 'webgpu', adapter: name, reason: 'The address asks for WebGPU.' };
  if (adapter.info?.isFallbackAdapter) {
    return { used: 'cpu', adapter: name, reason: 'The only WebGPU adapter is a software one, which is slower than the CPU itself.' };
  }
  return { used: 'webgpu', adapter: name, reason: 'This browser offers a WebGPU adapter.' };
}

export class Scorer {
  #backend;
  #catalogue;
  #users;
  #reasons;

  static async load(manifestJson, files, prefer) {
    for (const { name, bytes, sha256: expected } of JSON.parse(manifestJson).files) {
      const content = files.get(name);
      if (!content) throw { kind: 'missing-file', message: `${name} was not given to the scorer.`, file: name };
      if (content.length !== bytes) throw { kind: 'wrong-size', message: `${name} has ${content.length} bytes, the manifest says ${bytes}.`, file: name };
      if ((await sha256(content)) !== expected) throw { kind: 'wrong-hash', message: `${name} does not have the SHA-256 that the manifest lists.`, file: name };
    }
    const read = (name) => JSON.parse(new TextDecoder().decode(files.get(name)));
    const scorer = new Scorer();
    scorer.#backend = await chooseBackend(prefer);
    [scorer.#catalogue, scorer.#users, scorer.#reasons] = ['catalogue.json', 'users.json', 'reasons.json'].map(read);
    return scorer;
  }

  backend() {
    return this.#backend;
  }

  async scores(user) {
    return mockScores(this.#catalogue, this.#users[user]);
  }

  async recommend(user, count) {
    const began = performance.now();
    const person = this.#users[user];
    const scores = mockScores(this.#catalogue, person);
    const seen = new Set(person.history.map((event) => event.item));
    const order = [...scores.keys()].filter((item) => !seen.has(item)).sort((a, b) => scores[b] - scores[a] || a - b);
    const truth = order.indexOf(person.held_out);
    return {
      user,
      scored: this.#catalogue.length,
      held_out: truth < 0 ? null : { item: person.held_out, rank: truth + 1, score: scores[person.held_out] },
      recommendations: order.slice(0, count).map((item, at) => this.#explained(person, item, at + 1, scores[item])),
      milliseconds: performance.now() - began,
    };
  }

  #explained(person, item, rank, score) {
    const fit = this.#reasons[item].map((reason) => Math.exp((reason.text.length % 7) / 3));
    const sum = fit.reduce((all, value) => all + value, 0);
    const carried = person.history.map((_, position) => carriedBy(this.#catalogue, person, position, item));
    const total = carried.reduce((all, weight) => all + Math.abs(weight), 0);
    return {
      item,
      rank,
      score,
      reasons: fit.map((value, index) => ({ index, weight: value / sum })),
      history: carried.map((weight, position) => ({ position, item: person.history[position].item, weight: weight / total })),
    };
  }
}

export default async function init({ module_or_path }) {
  await WebAssembly.compileStreaming(module_or_path);
}
