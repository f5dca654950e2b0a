'use strict';
// A blind comparison per screen. Every text of the study becomes a text node; nothing leaves the page but the file that the
// rater exports.
(() => {
  const study = JSON.parse(document.getElementById('study').textContent);
  const app = document.getElementById('app');
  const SCALES = [
    ['relevance', 'Relevance', 'Does it fit this person and this title? 1 = not at all, 5 = very well'],
    ['coherence', 'Coherence', 'Is it well said and free of contradictions? 1 = not at all, 5 = very much'],
  ];
  const now = () => new Date().toISOString();

  /** An element with attributes and children; strings become text nodes. */
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === 'function') element.addEventListener(key, value);
      else if (value !== false) element.setAttribute(key, value === true ? '' : value);
    }
    element.append(...children);
    return element;
  }

  /** Random numbers in [0, 1) that depend on a text alone (FNV-1a, then mulberry32). */
  function randomFrom(text) {
    let state = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(text)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** The rater's own order of pairs and sides: the same whenever they come back. */
  function arrange(rater) {
    const random = randomFrom(`${study.study}/${rater}`);
    const screens = study.pairs.map((pair) => ({ pair, sides: random() < 0.5 ? [0, 1] : [1, 0] }));
    for (let last = screens.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1));
      [screens[last], screens[other]] = [screens[other], screens[last]];
    }
    return screens.map(({ pair, sides }, place) => ({ pair, place, shown: sides.map((side) => pair.explanations[side]) }));
  }

  const slot = (rater) => `curec-study:${study.study}:${rater}`;
  let stored = true;

  function load(rater) {
    try {
      const found = localStorage.getItem(slot(rater));
      if (found) return JSON.parse(found);
    } catch {
      stored = false;
    }
    return { rater, started: now(), ratings: {} };
  }

  function save(progress) {
    try {
      localStorage.setItem(slot(progress.rater), JSON.stringify(progress));
    } catch {
      stored = false;
    }
  }

  /** Shows a screen and puts the keyboard at its heading. */
  function show(...children) {
    app.replaceChildren(...children);
    if (!stored) {
      const warning = 'This browser keeps nothing for this page: export before you close it.';
      app.prepend(make('p', { class: 'bad', role: 'alert' }, warning));
    }
    scrollTo(0, 0);
    app.querySelector('h1')?.focus();
  }

  const heading = (text) => make('h1', { tabindex: '-1' }, text);

  function start() {
    const name = make('input', { type: 'text', id: 'rater', required: true, maxlength: '64', autocomplete: 'off', pattern: '.*\\S.*' });
    const begin = (event) => {
      event.preventDefault();
      const rater = name.value.trim();
      const progress = load(rater);
      const screens = arrange(rater);
      const open = screens.findIndex(({ pair }) => !progress.ratings[pair.id]);
      if (open < 0) finish(progress, screens);
      else ask(progress, screens, open);
    };
    show(
      heading('Which explanation is better?'),
      make('p', {}, `You will see ${study.pairs.length} recommendations from “${study.dataset}”. Each shows what a person took lately, a title that was recommended to them, and two explanations.`),
      make('p', {}, 'Please rate how relevant and how coherent each explanation is, and say which one you would rather read. There are no right answers; if you cannot tell, say so.'),
      make('p', { class: 'quiet' }, 'Nothing is sent anywhere. Your answers stay in this browser until you export them as a file at the end.'),
      make('form', { submit: begin }, make('label', { for: 'rater' }, 'A name for you (any word that you will remember; it is in the exported file)', name), make('div', { class: 'actions' }, make('button', { class: 'main' }, 'Start'))),
    );
  }

  const line = ({ title, details }) => [make('span', { class: 'title' }, title), ...(details ? [' ', make('span', { class: 'details' }, details)] : [])];

  /** One group of radio buttons. */
  function choice(name, legend, hint, options, chosen) {
    const buttons = options.map(([value, label, spoken]) =>
      make('label', {}, make('input', { type: 'radio', name, value, required: true, checked: chosen === value, 'aria-label': spoken ?? false }), label),
    );
    return make('fieldset', {}, make('legend', {}, legend, ...(hint ? [make('small', {}, hint)] : [])), make('div', { class: 'options' }, ...buttons));
  }

  const GRADES = [1, 2, 3, 4, 5].map((grade) => [String(grade), String(grade), `${grade} of 5`]);

  function side(explanation, letter, before) {
    const scales = SCALES.map(([scale, legend, hint]) => {
      const given = before?.scores[explanation.id][scale];
      const chosen = before ? String(given ?? 'cannot_tell') : undefined;
      return choice(`${scale}-${explanation.id}`, legend, hint, [...GRADES, ['cannot_tell', 'cannot tell']], chosen);
    });
    return make('section', { class: 'card', 'aria-label': `Explanation ${letter}` }, make('h2', {}, `Explanation ${letter}`), make('blockquote', {}, explanation.text), ...scales);
  }

  function top(progress, screens, text) {
    const done = Object.keys(progress.ratings).length;
    const width = `${(100 * done) / screens.length}%`;
    const filled = make('div');
    filled.style.width = width;
    const bar = make('div', { class: 'bar', role: 'progressbar', 'aria-label': 'answered', 'aria-valuemin': '0', 'aria-valuemax': String(screens.length), 'aria-valuenow': String(done) }, filled);
    return make('header', {}, make('div', { class: 'top quiet' }, make('span', {}, text), make('span', {}, `${progress.rater} · ${done} of ${screens.length} answered`)), bar);
  }

  function ask(progress, screens, place) {
    const { pair, shown } = screens[place];
    const before = progress.ratings[pair.id];
    const began = before?.shown ?? now();
    const [left, right] = shown;
    const score = (form, scale, id) => {
      const value = form.get(`${scale}-${id}`);
      return value === 'cannot_tell' ? null : Number(value);
    };
    const next = (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      const scores = Object.fromEntries(shown.map(({ id }) => [id, Object.fromEntries(SCALES.map(([scale]) => [scale, score(form, scale, id)]))]));
      progress.ratings[pair.id] = { pair: pair.id, place, left: left.id, right: right.id, preferred: form.get('preferred'), scores, shown: began, answered: now() };
      save(progress);
      if (place + 1 < screens.length) ask(progress, screens, place + 1);
      else finish(progress, screens);
    };
    const history = pair.history.length ? make('ul', {}, ...pair.history.map((item) => make('li', {}, ...line(item)))) : make('p', {}, 'Nothing yet.');
    const back = make('button', { type: 'button', click: () => (place > 0 ? ask(progress, screens, place - 1) : start()) }, 'Back');
    show(
      top(progress, screens, study.dataset),
      heading(`Recommendation ${place + 1} of ${screens.length}`),
      make('div', { class: 'context' },
        make('section', { class: 'card' }, make('h2', {}, 'This person took lately (newest first)'), history),
        make('section', { class: 'card' }, make('h2', {}, 'Was recommended'), make('p', {}, ...line(pair.item)))),
      make('form', { submit: next },
        make('div', { class: 'sides' }, ...shown.map((explanation, index) => side(explanation, 'AB'[index], before))),
        make('div', { class: 'card' }, choice('preferred', 'Which one would you rather read?', '', [[left.id, 'Explanation A'], [right.id, 'Explanation B'], ['cannot_tell', 'cannot tell']], before?.preferred)),
        make('div', { class: 'actions' }, back, make('button', { class: 'main' }, place + 1 < screens.length ? 'Next' : 'Finish'))),
    );
  }

  function exported(progress) {
    const ratings = Object.values(progress.ratings).sort((one, other) => one.place - other.place);
    return { format: 'curec-study-ratings', version: 1, study: study.study, rater: progress.rater, started: progress.started, exported: now(), ratings };
  }

  function download(progress) {
    const text = `${JSON.stringify(exported(progress), null, 2)}\n`;
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    const name = progress.rater.replace(/[^\p{L}\p{N}_-]+/gu, '-');
    make('a', { href: address, download: `ratings-${study.study.slice(0, 8)}-${name}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  function finish(progress, screens) {
    const missing = screens.findIndex(({ pair }) => !progress.ratings[pair.id]);
    const told = missing < 0 ? 'All recommendations are rated. Thank you!' : 'Some recommendations are not rated yet. You can go on, or export what is there.';
    show(
      top(progress, screens, study.dataset),
      heading(told),
      make('p', {}, 'Export your ratings and give the file to whoever asked you.'),
      make('div', { class: 'actions' },
        make('button', { type: 'button', click: () => ask(progress, screens, missing < 0 ? screens.length - 1 : missing) }, missing < 0 ? 'Back' : 'Go on'),
        make('button', { type: 'button', class: 'main', click: () => download(progress) }, 'Export ratings')),
    );
  }

  start();
})();
