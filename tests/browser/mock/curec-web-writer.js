/** A stand-in for the wasm writer with the same face: says what it was asked, a word at a time. Never shipped. */

class Draft {
  #words;
  #said = 0;
  #attempt;
  #unheld;

  constructor(text, unheld = 0) {
    this.#words = text.split(' ');
    this.#attempt = 1;
    this.#unheld = unheld;
  }

  async advance() {
    // As slow as a real one, so that tests see texts grow and be overtaken.
    await new Promise((resolve) => setTimeout(resolve, 15));
    this.#said += 1;
    const text = this.#words.slice(0, this.#said).join(' ');
    if (this.#said < this.#words.length) return { text, attempt: this.#attempt, written: null };
    return { text, attempt: this.#attempt, written: { text, flaws: this.#unheld, unheld: this.#unheld, attempts: 1, tokens: this.#said, vector: Array.from({ length: 4 }, (_, at) => text.length / (at + 1)) } };
  }
}

export class Writer {
  static async load(manifestJson, files) {
    for (const name of ['writer.json', 'tokenizer.json', 'writer.safetensors', 'catalogue.json']) {
      if (!files.has(name)) throw { kind: 'missing-file', message: `${name} was not given to the writer.`, file: name };
    }
    return new this();
  }

  async pattern(history, seed) {
    return new Draft(`Written in seed ${seed} of ${history.length} titles, the last of them number ${history.at(-1)}.`);
  }

  async reason(pattern, item, others, seed) {
    return new Draft(`For someone of whom it says “${pattern}”, number ${item} unlike ${others.length} others, seed ${seed}.`, item % 2);
  }
}

export default async function init({ module_or_path }) {
  await WebAssembly.compileStreaming(module_or_path);
}
