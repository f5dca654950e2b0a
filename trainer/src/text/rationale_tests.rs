//! Rationales on the built-in world, judged by code that shares nothing with the writer: every mention of a title or of
//! an attribute value is found in the text by plain search and compared with the metadata.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::phrases::below;
use super::rationale::{MAX_PATTERN_WORDS, MAX_REASON_WORDS, MAX_THINK_WORDS};
use super::*;
use crate::data::world::{WorldConfig, generate};
use crate::data::{Attribute, Item};

/// A log to draw prompts from.
struct Fixture {
    items: Vec<Item>,
    sequences: Vec<Vec<usize>>,
    writer: RationaleWriter,
}

/// One drawn prompt.
struct Example<'a> {
    history: Vec<&'a Item>,
    candidates: Vec<&'a Item>,
    target: &'a Item,
}

impl Fixture {
    fn world() -> Self {
        let log = generate(&WorldConfig {
            viewers: 80,
            ..WorldConfig::default()
        })
        .unwrap();
        let mut sequences = vec![Vec::new(); log.users.len()];
        for event in &log.interactions {
            sequences[event.user as usize].push(event.item as usize);
        }
        let writer = RationaleWriter::new(&log.items, RenderOptions::default());
        Self {
            items: log.items,
            sequences,
            writer,
        }
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Example<'_> {
        let sequence = &self.sequences[below(rng, self.sequences.len())];
        let at = 6 + below(rng, sequence.len() - 6);
        let mut places = vec![sequence[at]];
        while places.len() < 5 {
            let drawn = below(rng, self.items.len());
            if !places.contains(&drawn) {
                places.push(drawn);
            }
        }
        let shift = below(rng, 5);
        places.rotate_left(shift);
        let pick = |places: &[usize]| places.iter().map(|&place| &self.items[place]).collect();
        Example {
            history: pick(&sequence[at - 6..at]),
            candidates: pick(&places),
            target: &self.items[sequence[at]],
        }
    }

    /// Titles (by item) and attribute values in the order in which they stand in the text.
    fn mentions(&self, text: &str) -> Vec<Mention<'_>> {
        let mut found = Vec::new();
        for one in &self.items {
            found.extend(
                text.match_indices(&one.title)
                    .map(|(place, _)| (place, Mention::Title(one))),
            );
        }
        for value in self.values() {
            let whole = |place: usize| {
                let before = text[..place].chars().next_back();
                let after = text[place + value.len()..].chars().next();
                ![before, after]
                    .iter()
                    .flatten()
                    .any(|letter| letter.is_alphanumeric())
            };
            let starts = text
                .match_indices(value)
                .map(|(place, _)| place)
                .filter(|&place| whole(place));
            found.extend(starts.map(|place| (place, Mention::Value(value))));
            let capital = value[..1].to_uppercase() + &value[1..];
            if capital != *value {
                let starts = text
                    .match_indices(&capital)
                    .map(|(place, _)| place)
                    .filter(|&place| whole(place));
                found.extend(starts.map(|place| (place, Mention::Value(value))));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, mention)| mention).collect()
    }

    fn values(&self) -> BTreeSet<&str> {
        self.items
            .iter()
            .flat_map(|one| &one.attributes)
            .map(|own| own.value.as_str())
            .collect()
    }

    /// The text with titles as `T` and every list or phrase of values as one `A`, however long: what is left is the
    /// wording.
    fn masked(&self, text: &str) -> String {
        let mut masked = text.to_string();
        for one in &self.items {
            masked = masked.replace(&one.title, "T");
        }
        let values = self.values();
        let word = |word: &str| {
            let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
            let lower = bare.to_lowercase();
            let value = values.contains(bare) || values.contains(lower.as_str());
            if value && !bare.is_empty() {
                word.replace(bare, "A")
            } else {
                word.to_string()
            }
        };
        masked = masked.split(' ').map(word).collect::<Vec<_>>().join(" ");
        for _ in 0..4 {
            for list in [
                "an A mood",
                "a A mood",
                "An A mood",
                "The A",
                "the A",
                "A, A",
                "A and A",
                "A A",
            ] {
                masked = masked.replace(list, "A");
            }
        }
        masked
    }
}

enum Mention<'a> {
    Title(&'a Item),
    Value(&'a str),
}

fn holds(item: &Item, value: &str) -> bool {
    item.attributes.iter().any(|own| own.value == value)
}

fn think_of(text: &str) -> String {
    let parsed = parse_completion(text);
    assert!(parsed.format_ok, "{text}");
    parsed.think.unwrap()
}

fn word_count(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Every value named as the pattern is held by two of the history's items at least, or nothing is and it is one.
fn check_pattern(values: &[&str], history: &[&Item], text: &str) {
    let count = |value: &str| history.iter().filter(|one| holds(one, value)).count();
    let repeats = history
        .iter()
        .flat_map(|one| &one.attributes)
        .any(|own| count(&own.value) >= 2);
    assert!(!values.is_empty(), "{text}");
    for value in values {
        assert!(
            count(value) >= if repeats { 2 } else { 1 },
            "{value} in: {text}"
        );
    }
    assert!(repeats || values.len() == 1, "{text}");
}

#[test]
fn alignment_rationales_say_the_truth_and_all_of_it() {
    let world = Fixture::world();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..1500 {
        let example = world.example(&mut rng);
        let Example {
            history,
            candidates,
            target,
        } = &example;
        let written = world
            .writer
            .alignment(history, candidates, target, &mut rng);
        let titles: Vec<&str> = candidates.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(
            rewards(&written.text, &titles, &target.title).correct,
            1.0,
            "{}",
            written.text
        );
        let think = think_of(&written.text);
        assert!(word_count(&think) <= MAX_THINK_WORDS, "{think}");
        let (opening, rest) = think
            .split_once(". ")
            .unwrap_or((think.trim_end_matches('.'), ""));
        let pattern: Vec<&str> = world
            .mentions(opening)
            .iter()
            .map(|mention| match mention {
                Mention::Value(value) => *value,
                Mention::Title(one) => panic!("{} in the pattern: {think}", one.title),
            })
            .collect();
        check_pattern(&pattern, history, &think);
        // "T has A and B" or "A and B in T": the first mention tells which.
        let mut mentions = world.mentions(rest);
        let title_first = matches!(mentions.first(), Some(Mention::Title(_)));
        if !title_first {
            mentions.reverse();
            // The decision behind the last clause names a title and nothing else.
            let first = mentions
                .iter()
                .position(|mention| matches!(mention, Mention::Value(_)))
                .unwrap_or(0);
            mentions.drain(..first.saturating_sub(1));
        }
        let mut claimed: Vec<(&Item, BTreeSet<&str>)> = Vec::new();
        for mention in mentions {
            match mention {
                Mention::Title(one) => claimed.push((one, BTreeSet::new())),
                Mention::Value(value) => {
                    assert!(claimed.last_mut().unwrap().1.insert(value), "{think}");
                }
            }
        }
        claimed.retain(|(_, values)| !values.is_empty());
        for (one, values) in &claimed {
            let held = pattern
                .iter()
                .copied()
                .filter(|value| holds(one, value))
                .collect();
            assert_eq!(*values, held, "{}: {think}", one.title);
        }
        let holders = candidates
            .iter()
            .filter(|one| pattern.iter().any(|value| holds(one, value)))
            .count();
        assert!(
            claimed.len() == holders.min(2) || word_count(&think) > 20,
            "{holders} holders: {think}"
        );
    }
}

#[test]
fn patterns_say_what_repeats() {
    let world = Fixture::world();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..1500 {
        let example = world.example(&mut rng);
        let written = world.writer.pattern(&example.history, &mut rng);
        assert!(
            word_count(&written.text) <= MAX_PATTERN_WORDS,
            "{}",
            written.text
        );
        let values: Vec<&str> = world
            .mentions(&written.text)
            .iter()
            .map(|mention| match mention {
                Mention::Value(value) => *value,
                Mention::Title(_) => panic!("{}", written.text),
            })
            .collect();
        check_pattern(&values, &example.history, &written.text);
        let named: BTreeSet<&str> = written.named.iter().map(|own| own.value.as_str()).collect();
        assert_eq!(
            values.into_iter().collect::<BTreeSet<_>>(),
            named,
            "{}",
            written.text
        );
    }
}

#[test]
fn reasons_name_the_overlap_and_claim_nothing_else() {
    let world = Fixture::world();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut overlaps = 0;
    for round in 0..1500 {
        let example = world.example(&mut rng);
        let pattern = world.writer.pattern(&example.history, &mut rng);
        let known = if round % 5 == 0 {
            Known::Nothing
        } else {
            Known::Pattern(&pattern.named)
        };
        let tastes: &[Attribute] = if round % 5 == 0 { &[] } else { &pattern.named };
        let written = world.writer.reason(known, example.target, &mut rng);
        let text = &written.text;
        assert!(
            word_count(text) <= MAX_REASON_WORDS && text.ends_with('.'),
            "{text}"
        );
        let shared: Vec<&str> = tastes
            .iter()
            .map(|taste| taste.value.as_str())
            .filter(|value| holds(example.target, value))
            .collect();
        let mut said = Vec::new();
        for mention in world.mentions(text) {
            let Mention::Value(value) = mention else {
                panic!("a title in: {text}")
            };
            let of_reader = tastes.iter().any(|taste| taste.value == value);
            assert!(holds(example.target, value) || of_reader, "{value}: {text}");
            said.push(value);
        }
        assert!(!said.is_empty(), "{text}");
        overlaps += usize::from(!shared.is_empty());
        assert!(
            shared.is_empty() || shared.iter().any(|value| said.contains(value)),
            "{text}"
        );
        if shared.is_empty() && !tastes.is_empty() {
            assert!(
                tastes
                    .iter()
                    .any(|taste| said.contains(&taste.value.as_str())),
                "{text}"
            );
        }
    }
    assert!(overlaps > 600, "{overlaps} of 1200 prompts have an overlap");
}

/// The share of different wordings among 1,000 samples once titles and values are masked.
#[test]
fn no_template_dominates() {
    let world = Fixture::world();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut texts: [Vec<String>; 3] = Default::default();
    for _ in 0..1000 {
        let example = world.example(&mut rng);
        let alignment = world.writer.alignment(
            &example.history,
            &example.candidates,
            example.target,
            &mut rng,
        );
        let pattern = world.writer.pattern(&example.history, &mut rng);
        let reason = world
            .writer
            .reason(Known::Pattern(&pattern.named), example.target, &mut rng);
        for (list, text) in
            texts
                .iter_mut()
                .zip([think_of(&alignment.text), pattern.text, reason.text])
        {
            list.push(world.masked(&text));
        }
    }
    for (name, texts) in ["think", "pattern", "reason"].iter().zip(&texts) {
        let distinct: BTreeSet<&String> = texts.iter().collect();
        let most = distinct
            .iter()
            .map(|one| texts.iter().filter(|text| text == one).count())
            .max();
        println!(
            "{name}: {} wordings in 1,000, the commonest {most:?} times",
            distinct.len()
        );
        assert!(
            distinct.len() >= 600,
            "{name}: {} distinct wordings in 1,000",
            distinct.len()
        );
        assert!(
            most <= Some(20),
            "{name}: one wording {most:?} times in 1,000"
        );
    }
}

#[test]
fn the_same_seed_writes_the_same_text() {
    let world = Fixture::world();
    let write = |seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let example = world.example(&mut rng);
        let Example {
            history,
            candidates,
            target,
        } = &example;
        (
            world
                .writer
                .alignment(history, candidates, target, &mut rng),
            world.writer.pattern(history, &mut rng),
            world
                .writer
                .reason(Known::History(history), target, &mut rng),
        )
    };
    assert_eq!(write(9), write(9));
    assert_ne!(write(9), write(10));
}

/// Odd catalogues: no history, no attributes, unknown kinds, endless titles; the contract and the limits hold.
#[test]
fn odd_items_keep_the_contract_and_the_limits() {
    let long = "Very Long Title ".repeat(40);
    let items = [
        item(&long, &[]),
        item("</think><answer>", &[("tag", "<answer>")]),
        item("", &[("genre", "")]),
        item(
            "Halo 3",
            &[
                ("brand", "Microsoft"),
                ("category", "Games for the Whole Family and Friends"),
            ],
        ),
        item("Heat", &[("genre", "Crime"), ("year", "1995")]),
    ];
    let writer = RationaleWriter::new(&items, RenderOptions::default());
    let all: Vec<&Item> = items.iter().collect();
    for seed in 0..300 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let target = all[below(&mut rng, all.len())];
        let repeated: Vec<&Item> = (0..6).map(|_| all[below(&mut rng, all.len())]).collect();
        let from = below(&mut rng, 7);
        let history = &repeated[from..];
        let text = writer.alignment(history, &all, target, &mut rng).text;
        let title = shown_title(target, writer.options());
        assert_eq!(
            rewards(&text, &[&title], &title),
            Rewards {
                format: 1.0,
                legal: 1.0,
                correct: 1.0
            },
            "{text}"
        );
        assert!(word_count(&think_of(&text)) <= MAX_THINK_WORDS, "{text}");
        let pattern = writer.pattern(history, &mut rng);
        assert!(
            (1..=MAX_PATTERN_WORDS).contains(&word_count(&pattern.text)),
            "{}",
            pattern.text
        );
        for known in [
            Known::Pattern(&pattern.named),
            Known::History(history),
            Known::Nothing,
        ] {
            let reason = writer.reason(known, target, &mut rng).text;
            assert!(
                (1..=MAX_REASON_WORDS).contains(&word_count(&reason)),
                "{reason}"
            );
        }
    }
}

#[test]
fn where_titles_come_last_candidates_are_quoted_word_for_word() {
    let options = RenderOptions {
        separator: " ".into(),
        title_last: true,
        indent: true,
        ..RenderOptions::default()
    };
    let world = Fixture::world();
    let writer = RationaleWriter::new(&world.items, options.clone());
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut quoted = 0;
    for _ in 0..500 {
        let Example {
            history,
            candidates,
            target,
        } = world.example(&mut rng);
        let written = writer.alignment(&history, &candidates, target, &mut rng);
        assert!(
            written
                .text
                .ends_with(&format!("<answer> {}</answer>", target.title)),
            "{}",
            written.text
        );
        let think = think_of(&written.text);
        for part in think.split([';', '.']).filter(|part| part.contains(": ")) {
            // "Only noir calm 1970s Quill: Amber Ferry": a candidate's line from a named feature on. Decisions may have a
            // colon too ("A close call: Amber Ferry").
            let quote = |one: &&Item| {
                let line = item_line(one, &options);
                written.named.iter().any(|feature| {
                    line.find(&feature.value)
                        .is_some_and(|place| part.ends_with(&line[place..]))
                })
            };
            quoted += usize::from(candidates.iter().any(quote));
            let values = world
                .mentions(part)
                .iter()
                .any(|mention| matches!(mention, Mention::Value(_)));
            assert!(!values || candidates.iter().any(quote), "{part} in {think}");
        }
    }
    assert!(quoted > 250, "{quoted}");
}

#[test]
fn an_opening_is_the_first_sentence_of_a_thought_and_knows_no_candidate() {
    let world = Fixture::world();
    let writer = RationaleWriter::new(&world.items, RenderOptions::default());
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for _ in 0..200 {
        let Example {
            history,
            candidates,
            target,
        } = world.example(&mut rng);
        // The opening is drawn first: the same draws give the same sentence.
        let mut same = rng.clone();
        let whole = writer.alignment(&history, &candidates, target, &mut rng);
        let opening = writer.opening(&history, &mut same);
        assert!(
            whole.text.starts_with(&opening),
            "{opening}\n{}",
            whole.text
        );
        assert!(opening.ends_with('.') && !opening.contains("</think>"));
        assert!(!opening.contains(&target.title), "{opening}");
    }
}

/// The writer of the warm-up's reasons names the tastes it was given, says of the item what the item holds, and
/// never repeats itself: whatever the wording, the sides must come out as they went in.
#[test]
fn every_wording_of_the_warm_up_is_taken_apart_rightly() {
    let log = generate(&WorldConfig {
        viewers: 40,
        ..WorldConfig::default()
    })
    .unwrap();
    let options = RenderOptions::default();
    let writer = RationaleWriter::new(&log.items, options.clone());
    let vocabulary = Vocabulary::of(&log.items);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut causes = 0;
    for (index, target) in log.items.iter().enumerate() {
        let tastes: Vec<Attribute> =
            log.items[(index * 7) % log.items.len()].attributes[index % 3..][..2].to_vec();
        for _ in 0..10 {
            let reason = writer.reason(Known::Pattern(&tastes), target, &mut rng);
            let found = said(&reason.text, &vocabulary);
            let mut named = reason.named.clone();
            named.sort();
            let mut taste = found.taste.clone();
            taste.sort();
            assert_eq!(taste, named, "{}", reason.text);
            let own = features(target, &options);
            assert!(
                found.item.iter().all(|claim| own.contains(claim)),
                "{}: {:?} of {own:?}",
                reason.text,
                found.item
            );
            causes += found.causes().count();
            assert!(
                !stutters(&reason.text) && found.repeated == 0,
                "{}",
                reason.text
            );
        }
        let unknown = writer.reason(Known::Nothing, target, &mut rng);
        let found = said(&unknown.text, &vocabulary);
        assert!(found.taste.is_empty(), "{}", unknown.text);
        assert!(!found.item.is_empty(), "{}", unknown.text);
    }
    assert!(causes > 500, "{causes}");
}
