//! The texts on which a nano tokenizer is trained: items, prompts and rationales of the training part of a run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::phrases::below;
use super::prompts::{Turn, alignment_prompt, pattern_prompt, reason_prompt};
use super::rationale::{Known, RationaleWriter};
use super::render::item_line;
use crate::data::{Dataset, Item};

/// History items shown in the corpus' prompts.
const HISTORY: usize = 6;
/// Candidates shown in the corpus' prompts.
const CANDIDATES: usize = 5;

/// Every item's line once, then `per_user` rounds of every training history: an alignment, a pattern and a reason
/// example each, as plain text without chat tokens. Nothing but training events is read; the same seed gives the same
/// texts.
pub fn corpus<'a>(
    dataset: &'a Dataset,
    writer: &'a RationaleWriter,
    per_user: usize,
    seed: u64,
) -> impl Iterator<Item = String> + 'a {
    let lines = dataset
        .items
        .iter()
        .map(|item| item_line(item, writer.options()));
    let rounds = (0..per_user)
        .flat_map(move |round| (0..dataset.users.len()).map(move |user| (round, user)));
    lines.chain(rounds.flat_map(move |(round, user)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((round * dataset.users.len() + user) as u64);
        examples(dataset, writer, user, &mut rng)
    }))
}

fn examples(
    dataset: &Dataset,
    writer: &RationaleWriter,
    user: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<String> {
    let events = dataset.train_events(user);
    if events.len() < 2 {
        return Vec::new();
    }
    let at = 1 + below(rng, events.len() - 1);
    let item = |index: u32| &dataset.items[index as usize];
    let history: Vec<&Item> = events[at.saturating_sub(HISTORY)..at]
        .iter()
        .map(|event| item(event.item))
        .collect();
    let target = item(events[at].item);
    let mut candidates: Vec<&Item> = (1..CANDIDATES)
        .map(|_| &dataset.items[below(rng, dataset.items.len())])
        .collect();
    candidates.insert(below(rng, CANDIDATES), target);
    let options = writer.options();
    let alignment = writer.alignment(&history, &candidates, target, rng);
    let pattern = writer.pattern(&history, rng);
    let reason = writer.reason(Known::Pattern(&pattern.named), target, rng);
    vec![
        joined(
            &alignment_prompt(&history, &candidates, options),
            &alignment.text,
        ),
        joined(&pattern_prompt(&history, options), &pattern.text),
        joined(
            &reason_prompt(Some(&pattern.text), target, options),
            &reason.text,
        ),
    ]
}

fn joined(turns: &[Turn], answer: &str) -> String {
    let mut text = String::new();
    for turn in turns {
        text += &turn.content;
        text.push('\n');
    }
    text + answer
}

#[cfg(test)]
mod tests {
    use super::super::render::RenderOptions;
    use super::*;
    use crate::data::world::{WorldConfig, generate};
    use crate::data::{Event, UserSplit};

    /// The world, leave-one-out.
    fn dataset() -> Dataset {
        let config = WorldConfig {
            works: 320,
            viewers: 20,
            ..WorldConfig::default()
        };
        let log = generate(&config).unwrap();
        let mut histories = vec![Vec::new(); log.users.len()];
        for event in &log.interactions {
            histories[event.user as usize].push(Event {
                item: event.item,
                time: event.time,
            });
        }
        let split = histories.iter().map(|events| UserSplit {
            train: events.len() - 2,
            valid: 1,
        });
        Dataset {
            name: log.name,
            split: split.collect(),
            items: log.items,
            users: log.users,
            histories,
            causes: None,
        }
    }

    #[test]
    fn every_item_and_nothing_after_training() {
        let whole = dataset();
        let writer = RationaleWriter::new(&whole.items, RenderOptions::default());
        let texts: Vec<String> = corpus(&whole, &writer, 2, 5).collect();
        assert_eq!(texts.len(), 320 + 2 * 20 * 3);
        assert!(
            whole
                .items
                .iter()
                .zip(&texts)
                .all(|(item, text)| text.starts_with(&item.title))
        );
        let mut other = whole.clone();
        for (events, split) in other.histories.iter_mut().zip(&other.split) {
            for event in &mut events[split.train..] {
                event.item = 0;
            }
        }
        assert!(
            corpus(&other, &writer, 2, 5).eq(texts),
            "held-out events change nothing"
        );
    }
}
