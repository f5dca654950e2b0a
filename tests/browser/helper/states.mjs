/**
 * Every state that the page can stand in, as journeys: each step leads from one state to the next. All over the mock scorer, whose
 * answers are the same everywhere; what the states are held against is the caller's.
 */
import { changedArtefact } from './changed.mjs';
import { freshPage, hostMock, listShown, rows, scorer } from './harness.mjs';
import { appended, nextRanking, troubled } from './trouble.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./server.mjs').Rule} Rule */

/**
 * @typedef {object} Journey
 * @property {string} name
 * @property {string} [query] and hash, after the address of the page
 * @property {() => Record<string, Rule>} [rules]
 * @property {boolean} [gpu] needs a browser with a GPU, be it an emulated one
 * @property {boolean} [alike] differs from another one in words only
 * @property {string} [script] runs before any of the page's
 * @property {import('playwright-core').BrowserContextOptions} [options]
 * @property {[string, (page: Page) => Promise<unknown>][]} steps a state's name, and how it comes about
 */

const text = (/** @type {string|RegExp} */ words) => (/** @type {Page} */ page) => page.getByText(words).first().waitFor();
const press = (/** @type {string|RegExp} */ name) => (/** @type {Page} */ page) => page.getByRole('button', { name }).first().click();
const faultShown = (/** @type {Page} */ page) => page.locator('.notice-fault').first().waitFor();

/** @param {string} name */
const search = (name) => async (/** @type {Page} */ page) => {
  await page.getByRole('combobox', { name }).click();
  await page.keyboard.press('ArrowDown');
  await page.locator('.search-option.is-active:visible').waitFor();
};

/** @param {Page} page */
async function drawer(page) {
  await rows(page).first().getByRole('button', { name: /What carried it/ }).click();
  await rows(page).first().locator('.probe-table').first().waitFor();
}

/** @param {Page} page */
async function panel(page) {
  await page.locator('.badge summary').click();
  await page.locator('.badge-panel').waitFor();
}

/** @param {Page} page */
async function measured(page) {
  await page.getByRole('button', { name: 'Measure again' }).click();
  await page.getByText('Scored this list').waitFor();
}

/** @param {Page} page */
async function takenOut(page) {
  const remove = page.locator('[data-do="remove"]').first();
  if (!(await remove.isVisible())) await page.locator('#history-all').click(); // where there is little room
  await remove.click();
  await page.locator('.moves-note:not([hidden])').waitFor();
  await listShown(page);
}

/** @param {Page} page */
async function answered(page) {
  await page.locator('.answer:not([aria-busy]) p').first().waitFor();
}

/** What a visitor does, from the list to a taste of their own. @type {Journey['steps']} */
const VISIT = [
  ['ready', listShown],
  ['who the list is for, unfolded', async (page) => {
    const fold = page.locator('#viewer-fold');
    if (await fold.isVisible()) await fold.click(); // where there is little room
    await page.locator('#viewer .history-part').waitFor();
  }],
  ['search open', search('Find a viewer')],
  ['drawer with all three layers', async (page) => {
    await page.keyboard.press('Escape');
    await drawer(page);
  }],
  ['reason reported, ways to take the list along', async (page) => {
    await press(/^Report as bad/)(page);
    await page.locator('summary', { hasText: 'Take it along' }).click();
    await page.getByText('reported as bad, kept').waitFor();
  }],
  ['reason muted', async (page) => {
    await press(/^Mute/)(page);
    await page.waitForFunction(() => location.hash.includes('mute='));
    await listShown(page);
  }],
  ['what if', async (page) => {
    await press('What if …?')(page);
    await page.locator('#what-if').waitFor();
  }],
  ['what if, with changes', takenOut],
  ['borrowing a pattern', search('Borrow a pattern')],
  ['counterfactual', async (page) => {
    await page.keyboard.press('Escape');
    await press('What would change the first place?')(page);
    await answered(page);
  }],
  ['models compared', async (page) => {
    await press('Compare the models')(page);
    await page.locator('.compare-texts').waitFor();
  }],
  ['why not, search', search('Why not this one?')],
  ['why not, answer', async (page) => {
    await page.keyboard.press('Enter');
    await answered(page);
  }],
  ['more of the list', async (page) => {
    await press(/^Show \d+ more$/)(page);
    await rows(page).nth(10).waitFor();
  }],
  ['own taste, empty', async (page) => {
    await page.locator('.chip-own').click();
    await page.locator('#viewer-heading', { hasText: 'Your own taste' }).waitFor();
    // Nothing was picked, so there is no list yet.
    await page.locator('#ranking[aria-busy="false"] :is(.recommendation, .recommendations > .muted)').first().waitFor();
    // Nor is there anybody for whom the models were compared.
    await page.locator('#compare button:disabled').waitFor();
    await page.getByText('Pick one of them to compare.').waitFor();
  }],
  ['own taste, search', search('Add a title')],
  ['own taste, filled', async (page) => {
    await page.keyboard.press('Enter');
    await page.locator('.history-row').first().waitFor();
    await listShown(page);
  }],
  ['pattern written here, with reasons', async (page) => {
    await press(/^Let the language model write/)(page);
    await page.locator('.pattern[data-written]').waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll('.own-reason figcaption')].filter((words) => words.textContent?.includes('here and now')).length === 5);
  }],
  ['timing panel', panel],
  ['timing panel, measured', measured],
];

/** A file that is not as the manifest promises. @param {string} path @param {Rule} rule @returns {Journey['rules']} */
const spoiled = (path, rule) => () => ({ [path]: rule });
const MODEL = '/artefact/model.safetensors';

/** @type {[string, Partial<Journey>][]} */
const FAULTS = [
  ['a spoiled file', { rules: spoiled(MODEL, (content) => ({ body: Buffer.alloc(content.length) })) }],
  ['a short file', { rules: spoiled(MODEL, (content) => ({ body: content.subarray(1) })) }],
  ['a broken connection', { rules: spoiled('/artefact/users.json', () => ({ status: 503 })) }],
  ['no manifest', { rules: spoiled('/artefact/manifest.json', () => ({ status: 404 })) }],
  ['a manifest of another version', { rules: spoiled('/artefact/manifest.json', () => ({ body: Buffer.from('{}') })) }],
  ['an unreadable manifest', { rules: spoiled('/artefact/manifest.json', () => ({ body: Buffer.from('{') })) }],
  ['a scorer that does not start', { rules: spoiled('/curec-web_bg.wasm', () => ({ body: Buffer.from('no wasm') })) }],
  ['no worker', { rules: spoiled('/worker.js', () => ({ status: 404 })) }],
  ['a browser without WebAssembly', { script: 'delete globalThis.WebAssembly' }],
];

/** Nothing arrives of this file until `release` is called. @param {string} path */
function held(path) {
  /** @type {(value?: unknown) => void} */
  let release = () => {};
  const until = new Promise((resolve) => (release = resolve));
  return { rules: () => ({ [path]: (/** @type {Buffer} */ body) => ({ body, until }) }), release };
}

/** Appended to the writer's module: after a few words of that pattern it stops to think, for ever. @param {number} of the first one, or a later one */
const pausing = (of) => {
  // @ts-expect-error the module's own classes
  const { Draft: drafts, Writer: writers } = { Draft, Writer };
  const { advance } = drafts.prototype;
  const { pattern } = writers.prototype;
  let [patterns, words] = [0, 0];
  writers.prototype.pattern = function (/** @type {any[]} */ ...question) {
    [patterns, words] = [patterns + 1, 0];
    return pattern.apply(this, question);
  };
  drafts.prototype.advance = function () {
    words += 1;
    return patterns === of && words > 4 ? new Promise(() => {}) : advance.call(this);
  };
};

/** Some words of a pattern stand there, and more are to come. @param {Page} page */
const halfWritten = (page) => page.locator('.pattern[data-writing] .voice', { hasText: /./ }).waitFor();

/** Appended to the writer's module: a word takes its time, so that reasons can be stopped. */
const lingering = () => {
  // @ts-expect-error the module's own class
  const { prototype } = Draft;
  const { advance } = prototype;
  prototype.advance = async function () {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return advance.call(this);
  };
};

const OWN_TASTE = '?backend=cpu#history=w001%2Cw002';

/** The server has a newer release, in which a file of this one is gone. @param {string} path @returns {Record<string, Rule>} */
const newer = (path) => ({
  [path]: () => ({ status: 404 }),
  '/build.json': (content) => ({ body: Buffer.from(JSON.stringify({ ...JSON.parse(String(content)), code: '0123456789abcdef' })) }),
});

/** A result table with intervals, and differences between the models. */
function measuredResults() {
  const about = (/** @type {number} */ value) => ({ value, low: value - 0.05, high: value + 0.05 });
  const pair = (/** @type {string} */ right, /** @type {number} */ value) => ({ metric: 'ndcg@10', left: 'full', right, difference: about(value) });
  return {
    protocol: { target: 'test', candidates: 'full catalogue', list_length: 10 },
    models: ['popularity', 'ids only', 'full'].map((name, at) => ({ name, metrics: { 'ndcg@10': about(0.1 + at / 20), coverage: 0.3 } })),
    differences: [pair('popularity', 0.1), pair('ids only', 0.01), pair('random texts', -0.1)],
    notes: ['`full` is not better than `ids only`: made up for the page’s own tests.'],
  };
}
const letWrite = press(/^Let the language model write/);

/** @returns {Journey[]} made anew for each run: a file that is held back is let go once */
export function journeys() {
  const engine = held('/curec-web_bg.wasm');
  const stopped = held('/curec-web_bg.wasm');
  const writer = held('/artefact/writer.safetensors');
  /** @type {Record<string, Rule>} */
  const later = {};
  return [
    { name: 'a visit', query: '?backend=cpu', steps: VISIT },
    {
      name: 'loading',
      rules: engine.rules,
      steps: [
        ['first view', (page) => page.locator('#first-view .recommendation').first().waitFor()],
        ['ready after it', (page) => (engine.release(), listShown(page))],
      ],
    },
    {
      name: 'loading for somebody',
      query: '?backend=cpu#user=viewer-03',
      rules: stopped.rules,
      steps: [
        ['progress', (page) => page.locator('.notice-progress').waitFor()],
        ['stopped', async (page) => {
          await press('Cancel')(page);
          await page.locator('.notice-stopped').waitFor();
        }],
        ['begun again', async (page) => {
          stopped.release();
          await press('Start again')(page);
          await listShown(page);
        }],
      ],
    },
    {
      name: 'waiting for a list',
      rules: troubled,
      steps: [
        ['ready', listShown],
        ['a list is scored', async (page) => {
          await nextRanking(page, 'never');
          await page.locator('.chip:not(.chip-own)').nth(1).click();
          await page.locator('.recommendation-ghost').first().waitFor();
        }],
      ],
    },
    {
      name: 'waiting for a change',
      query: '?backend=cpu#user=viewer-01',
      rules: troubled,
      steps: [
        ['the list before stands', async (page) => {
          await listShown(page);
          await press('What if …?')(page);
          await nextRanking(page, 'never');
          await page.locator('[data-do="remove"]').first().click();
          await page.locator('#ranking[aria-busy="true"] .recommendation').first().waitFor();
        }],
      ],
    },
    {
      name: 'failing later',
      rules: troubled,
      steps: [
        ['ready', listShown],
        ['a list that fails', async (page) => {
          await nextRanking(page, 'fail');
          await page.locator('.chip:not(.chip-own)').nth(1).click();
          await faultShown(page);
        }],
        ['the list again', async (page) => {
          await page.locator('.notice-fault').getByRole('button').click();
          await listShown(page);
        }],
        ['a dead worker', async (page) => {
          for (const last of [false, true]) {
            await scorer(page)?.evaluate(() => self.close()).catch(() => {});
            if (last) await page.locator('.notice-sticky').waitFor();
            else {
              await page.waitForFunction(() => document.querySelector('#ranking')?.getAttribute('aria-busy') === 'true');
              await listShown(page);
            }
          }
        }],
      ],
    },
    {
      name: 'a scorer that is silent',
      alike: true,
      query: '?backend=cpu',
      steps: [
        ['said, with a way out', async (page) => {
          await listShown(page);
          scorer(page)?.evaluate(() => { for (;;); }).catch(() => {});
          await page.locator('.chip:not(.chip-own)').nth(1).click();
          await page.locator('#ranking .notice-sticky').getByRole('button', { name: 'Start it again' }).waitFor();
        }],
      ],
    },
    { name: 'an address that names nobody here', query: '#user=nobody', steps: [['an aside', async (page) => (await listShown(page), text(/names a viewer who is not in this demo/)(page))]] },
    { name: 'an address with a title that is not here', alike: true, query: '?backend=cpu#history=w001%2Cnothing', steps: [['an aside', async (page) => (await listShown(page), text(/names what this demo has not/)(page))]] },
    { name: 'a link with a pattern to be written', query: `${OWN_TASTE}&write=3`, steps: [['offer', async (page) => (await listShown(page), page.getByRole('button', { name: 'Write it' }).waitFor())]] },
    {
      name: 'writing',
      query: OWN_TASTE,
      rules: () => ({ ...writer.rules(), ...appended('/curec-web-writer.js', `(${pausing})(1);`) }),
      // The service worker would not let another module pass.
      options: { serviceWorkers: 'block' },
      steps: [
        ['the language model is fetched', async (page) => {
          await listShown(page);
          await letWrite(page);
          await page.locator('.pattern[data-writing] progress').waitFor();
        }],
        ['a pattern half written', async (page) => {
          writer.release();
          await halfWritten(page);
        }],
      ],
    },
    {
      name: 'writing anew',
      query: OWN_TASTE,
      rules: () => appended('/curec-web-writer.js', `(${pausing})(2);`),
      options: { serviceWorkers: 'block' },
      steps: [['a pattern written anew of a changed history', async (page) => {
        await listShown(page);
        await letWrite(page);
        await page.locator('.pattern[data-written]').waitFor();
        await listShown(page);
        await page.locator('[data-do="remove"]').first().click();
        await halfWritten(page);
        await page.getByText('Written of the history before the change.').waitFor();
      }]],
    },
    {
      name: 'writing reasons',
      query: OWN_TASTE,
      rules: () => appended('/curec-web-writer.js', `(${lingering})();`),
      options: { serviceWorkers: 'block' },
      steps: [
        ['one of them written', async (page) => {
          await listShown(page);
          await letWrite(page);
          await page.locator('.own-reasons', { hasText: '1 of 5' }).waitFor();
        }],
        ['stopped', async (page) => {
          await press('Stop writing')(page);
          await page.getByRole('button', { name: 'Write the rest' }).waitFor();
        }],
      ],
    },
    {
      name: 'a language model that is not there',
      query: OWN_TASTE,
      rules: spoiled('/artefact/writer.safetensors', () => ({ status: 404 })),
      steps: [['told', async (page) => (await listShown(page), await letWrite(page), page.getByRole('button', { name: 'Ask again' }).waitFor())]],
    },
    {
      name: 'a language model that has gone with a newer release',
      query: OWN_TASTE,
      rules: () => later,
      // The service worker would have it still.
      options: { serviceWorkers: 'block' },
      steps: [['the newer page offered', async (page) => {
        await listShown(page);
        Object.assign(later, newer('/curec-web-writer.js'));
        await letWrite(page);
        await page.locator('.pattern-live').getByRole('button', { name: 'Reload the page' }).waitFor();
      }]],
    },
    {
      name: 'a newer release while it loads',
      alike: true,
      query: '?backend=cpu#user=viewer-01',
      rules: () => newer('/worker.js'),
      steps: [['the newer page offered', (page) => page.locator('.notice-fault[data-kind="outdated"]').getByRole('button', { name: 'Reload the page' }).waitFor()]],
    },
    {
      name: 'a first place that nothing changes',
      query: '?backend=cpu#user=viewer-06',
      steps: [['none found', async (page) => (await listShown(page), await press('What would change the first place?')(page), text(/^None found: /)(page))]],
    },
    {
      name: 'results with intervals and differences',
      query: '?backend=cpu#user=viewer-01',
      rules: () => changedArtefact(() => {}, { 'results.json': measuredResults() }),
      steps: [['differences opened', async (page) => {
        await listShown(page);
        await page.locator('.differences summary').click();
        await page.locator('.differences table').waitFor();
      }]],
    },
    {
      name: 'models that cannot be compared',
      query: '?backend=cpu#user=viewer-01',
      rules: spoiled('/artefact/comparison.json', () => ({ status: 503 })),
      steps: [['told', async (page) => (await listShown(page), await press('Compare the models')(page), page.locator('.compare-body [role="alert"]').waitFor())]],
    },
    { name: 'without a GPU', steps: [['timing panel, the switch barred', async (page) => (await listShown(page), panel(page))]] },
    { name: 'with a GPU', query: '?backend=webgpu', gpu: true, steps: [['timing panel on WebGPU', async (page) => (await listShown(page), await panel(page), measured(page))]] },
    {
      name: 'turning to WebGPU',
      query: '?backend=cpu',
      gpu: true,
      rules: () => appended('/curec-web-gpu.js', 'GpuScorer.prototype.scores = () => new Promise(() => {});'),
      options: { serviceWorkers: 'block' },
      steps: [
        ['it warms up', async (page) => {
          await listShown(page);
          await panel(page);
          await page.locator('.badge').getByRole('button', { name: 'WebGPU', exact: true }).click();
          await text(/^Warming up: the driver compiles/)(page);
        }],
        ['stopped', async (page) => {
          await page.locator('.switch').getByRole('button', { name: 'Cancel' }).click();
          await text(/^Stopped: the CPU computes as before/)(page);
        }],
      ],
    },
    ...FAULTS.map(([name, rest], at) => /** @type {Journey} */ ({ name, alike: at > 0, query: '?backend=cpu#user=viewer-01', ...rest, steps: [['told', faultShown]] })),
  ];
}

/**
 * Goes a journey and stops at each state.
 * @param {import('playwright-core').Browser} browser
 * @param {Journey} journey
 * @param {import('playwright-core').BrowserContextOptions} options
 * @param {(state: string, page: Page) => Promise<void>} at
 */
export async function travel(browser, { name, query = '', rules = () => ({}), script, options: own, steps }, options, at) {
  const { url, close } = await hostMock(rules());
  const { page, context } = await freshPage(browser, { ...own, ...options });
  context.setDefaultTimeout(20_000);
  if (script) await page.addInitScript(script);
  await page.goto(url + query, { waitUntil: 'commit' });
  for (const [state, lead] of steps) {
    await lead(page);
    await at(`${name}: ${state}`, page);
  }
  await context.close();
  close();
}
