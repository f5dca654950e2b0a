/** Names for viewers, who is met first, and what the model does not read, by cases worked out by hand: plain counting, for display only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featuredViewers, tasteLabels, tasteName } from '../../www/js/taste.js';
import { unread } from '../../www/js/tastes.js';

/** `mood tense` and the like. @param {...string} words */
const tastes = (...words) => words.map((one) => ({ kind: one.split(' ')[0] ?? '', value: one.split(' ').slice(1).join(' ') }));

test('two tastes make one name', () => {
  for (const [expected, ...of] of [
    ['tense noir', 'mood tense', 'genre noir'],
    ['tense noir', 'genre noir', 'mood tense'],
    ['comedy in Cairo', 'genre comedy', 'place Cairo'],
    ['comedy in the night train', 'place the night train', 'genre comedy'],
    ['bleak mood in Oslo', 'mood bleak', 'place Oslo'],
    ['Ada Quill in Oslo', 'place Oslo', 'person Ada Quill'],
    ['drama and romance', 'genre drama', 'genre romance'],
    ['Oslo and Cairo', 'place Oslo', 'place Cairo'],
    ['tense and bleak', 'mood tense', 'mood bleak'],
    ['western', 'genre western'],
    [''],
  ]) {
    assert.equal(tasteName(tastes(...of)), expected);
  }
});

test('what stands out is what one history holds more often than all do, three times at least, and what the pattern names comes first', () => {
  const catalogue = ['noir', 'noir', 'noir', 'comedy', 'comedy', 'comedy', 'western'].map((value, at) => ({ key: `w${at}`, title: `Title ${at}`, count: 0, attributes: tastes(`genre ${value}`, 'year 1999', ...(at < 3 ? ['place Oslo', 'mood tense'] : [])) }));
  const taken = (/** @type {number[]} */ ...items) => items.map((item, at) => ({ item, time: at }));
  const users = [
    { key: 'a', history: taken(0, 1, 2, 6), held_out: null, pattern: 'Always in Oslo.' },
    { key: 'b', history: taken(3, 4, 5), held_out: null, pattern: null },
    { key: 'c', history: taken(0, 1, 3, 4), held_out: null, pattern: null },
  ];
  const labels = tasteLabels(catalogue, users, Infinity);
  assert.deepEqual(labels.map((all) => all.map(({ value }) => value)), [['Oslo', 'noir'], ['comedy'], []], 'no year; two of a kind are too few');
  // Oslo: 3 of 4 here, 5 of 11 in all; comedy: 3 of 3 here, 5 of 11 in all.
  assert.ok(Math.abs((labels[0]?.[0]?.strength ?? 0) - 3 * Math.log(33 / 20)) < 1e-9);
  assert.ok(Math.abs((labels[1]?.[0]?.strength ?? 0) - 3 * Math.log(11 / 5)) < 1e-9);
  assert.deepEqual(tasteLabels(catalogue, users, 3)[0]?.length, 0, 'only what the model reads: of the newest three, two are of a kind');
});

/** @param {string|null} pattern @param {number|null} [held_out] */
const somebody = (pattern, held_out = 1) => ({ key: '', history: [], held_out, pattern });
/** @param {[string, number][]} all */
const named = (...all) => all.map(([value, strength]) => ({ kind: 'genre', value, strength }));

test('met first are the opening viewer, then those whom the language model knows best, no two by one name', () => {
  const users = [somebody('Noir, always in Oslo.'), somebody(null), somebody('Likes NOIR.'), somebody('A western, once a week.', null), somebody('Of whom it says nothing.'), somebody('Comedy.')];
  const labels = [named(['noir', 5], ['Oslo', 3]), named(['romance', 9]), named(['noir', 8], ['Paris', 1]), named(['western', 20]), named(['drama', 7]), named(['heist', 6], ['comedy', 1])];
  // Named tastes count first, then a held-out title, then how clear the taste is: 2 (but noir is taken) and 5, then 3, 4, and 1, who has no pattern.
  assert.deepEqual(featuredViewers(users, labels, 5, 0), [0, 5, 3, 4, 1]);
  assert.deepEqual(featuredViewers(users, labels, 3, 0), [0, 5, 3]);
  // Who opens the page comes first, however little is known of them, and is met once.
  assert.deepEqual(featuredViewers(users, labels, 4, 4), [4, 0, 5, 3]);
  // Where there are not enough names, the rest is filled up; nobody is met twice.
  assert.deepEqual(featuredViewers(users, labels, 9, 0), [0, 5, 3, 4, 1, 2]);
  assert.deepEqual(featuredViewers(users, users.map(() => []), 3, 1), [1, 0, 2], 'without any names');
});

test('what the model does not read is what is older than its newest events, and what was older for the stored viewer', () => {
  // A viewer with five events, of which the model reads the newest three; "null" is a title that was added.
  for (const [expected, positions] of /** @type {[number[], (number|null)[]][]} */ ([
    [[0, 1], [0, 1, 2, 3, 4]],
    [[0], [1, 2, 3, 4]],
    [[0, 1], [0, 1, 3, 4]],
    [[0, 3], [0, 3, 4, 1]],
    [[0, 1, 2], [0, 1, 2, 3, 4, null]],
    [[1], [null, 0, 4]],
    [[0], [null, null, null, null]],
    [[], []],
  ])) {
    const history = positions.map((position) => ({ item: 0, position }));
    assert.deepEqual([...unread({ viewer: 0, history, pattern: null, muted: [] }, 5, 3)], expected, String(positions));
  }
  const history = [0, 1].map((position) => ({ item: 0, position }));
  assert.equal(unread({ viewer: 0, history, pattern: null, muted: [] }, 2, Infinity).size, 0);
});
