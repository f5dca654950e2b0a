/** The models that a run measures against each other, and its numbers, in plain words: the same wherever they are named. */

/** What each model is, by its name in results.json. @type {Record<string, string>} */
const MODELS = {
  popularity: 'What most people took, the same for everybody but for what they have taken already. It knows nobody.',
  'ids only': 'No texts at all: a model of the same shape, trained on who took what and on nothing else.',
  'before correction': 'The full model as it was before the language model was corrected: trained on the texts of that time, and reading them.',
  full: 'The model of this page: it reads the history, the viewer’s pattern and each title’s reasons, as they are after the correction.',
  'random texts': 'A check. The full model, not trained anew, reads reasons and patterns that were dealt out anew at random: were it as good, the texts would not matter.',
  'random reasons': 'A check. The full model, not trained anew, reads reasons that were dealt out anew at random.',
  'swapped reasons': 'A check. The full model, not trained anew, reads another title’s reasons in place of each title’s own.',
  'other patterns': 'A check. The full model, not trained anew, reads another viewer’s pattern in place of each viewer’s own.',
  'no history': 'A check. The full model, not trained anew, is shown nothing of what a viewer took.',
};

/** Names of the lists in comparison.json for people; a model that results.json has too is called as it is there. @type {Record<string, string>} */
const LISTS = { full: 'Full', 'before-correction': 'Before correction', 'no-reasons': 'No reasons', 'ids-only': 'IDs only: no texts at all', popularity: 'Popularity' };

/** What a number says, by its name without its cut-off. @type {Record<string, string>} */
const NUMBERS = {
  recall: 'share of viewers whose held-out title is among the first so many',
  ndcg: 'the same, but a title further up counts more',
  hr: 'hit rate: share of viewers whose held-out title is among the first so many',
  mrr: 'one divided by the held-out title’s rank, on average: 1 if it is always first',
  coverage: 'share of the catalogue that stands on anybody’s list',
  gini: 'how unevenly titles are spread over the lists: 0 all alike, near 1 always the same few',
};

/** @param {string} name @param {Record<string, string>} words */
const of = (name, words) => (Object.hasOwn(words, name) ? (words[name] ?? null) : null);

/** @param {string} name */
export const modelInWords = (name) => of(name, MODELS);

/** @param {string} name */
export const listName = (name) => of(name, LISTS) ?? name;

/** A number's name without its cut-off. @param {string} metric */
export const familyOf = (metric) => metric.toLowerCase().split('@')[0] ?? '';

/** @param {string} metric */
export const numberInWords = (metric) => of(familyOf(metric), NUMBERS);
