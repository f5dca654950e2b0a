//! Full-catalogue ranking (EVALUATION.md): for each user the rank of a held-out item among **all** items.

use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::Dataset;

/// Which held-out event is to be found again: each user's first one of that part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// First validation event.
    Validation,
    /// First test event.
    Test,
}

/// Whether items the user took before the held-out event compete with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenItems {
    /// They are taken out of the ranking (the held-out item itself never is).
    #[default]
    Filtered,
    /// They stay in.
    Kept,
}

/// A user at the moment before the event at `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// User index.
    pub user: usize,
    /// Position of the held-out event; the history is everything before.
    pub position: usize,
}

/// Why a ranking failed.
#[derive(Debug, Error)]
pub enum RankError {
    /// A ranker could not score.
    #[error("scoring user {user} failed: {message}")]
    Scores {
        /// User index.
        user: usize,
        /// What the ranker said.
        message: String,
    },
    /// A ranker returned something other than one score per item.
    #[error("a ranker returned {found} scores for user {user}; the catalogue has {expected} items")]
    Count {
        /// User index.
        user: usize,
        /// Items in the catalogue.
        expected: usize,
        /// Scores returned.
        found: usize,
    },
}

/// Anything that gives every item a score for a user at a moment; higher is better.
pub trait Ranker: Sync {
    /// One row per example, one score per item of the catalogue.
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError>;
}

impl<F: Fn(&[Example]) -> Vec<Vec<f32>> + Sync> Ranker for F {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        Ok(self(examples))
    }
}

/// One example per user who has a held-out event of that kind.
pub fn examples(data: &Dataset, target: Target) -> Vec<Example> {
    (0..data.users.len())
        .filter_map(|user| {
            let position = match target {
                Target::Validation => data.valid_position(user),
                Target::Test => data.test_position(user),
            };
            position.map(|position| Example { user, position })
        })
        .collect()
}

/// A seeded sample of `count` examples in user order (0 = all).
pub fn sample_examples(data: &Dataset, target: Target, count: usize, seed: u64) -> Vec<Example> {
    let mut all = examples(data, target);
    if count > 0 && count < all.len() {
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        all.truncate(count);
        all.sort_by_key(|example| example.user);
    }
    all
}

/// Examples scored in one call of a ranker at most.
const ROWS: usize = 64;
/// Scores that one call of a ranker returns at most (64 MiB), rows of a large catalogue being few; but at least [`FEWEST`] rows.
const SCORES: usize = 1 << 24;
/// Rows that threads can share.
const FEWEST: usize = 8;

/// Examples scored in one call: memory is bounded by rows of scores, never by all users.
pub(crate) fn rows_at_once(items: usize) -> usize {
    (SCORES / items.max(1)).clamp(FEWEST, ROWS)
}

/// Rank (1 = best) of each example's held-out item.
pub fn rank_examples(
    data: &Dataset,
    examples: &[Example],
    seen: SeenItems,
    ranker: &dyn Ranker,
) -> Result<Vec<u32>, RankError> {
    let mut ranks = Vec::with_capacity(examples.len());
    visit_scores(
        data,
        examples,
        seen,
        ranker,
        &mut |target, scores, excluded| {
            ranks.push(rank_of(scores, target, excluded));
        },
    )?;
    Ok(ranks)
}

/// Receives a held-out item, the catalogue's scores, and the items that do not compete.
pub(super) type Visit<'v> = &'v mut dyn FnMut(u32, &[f32], &HashSet<u32>);

/// Calls `visit` for each example in order.
pub(super) fn visit_scores(
    data: &Dataset,
    examples: &[Example],
    seen: SeenItems,
    ranker: &dyn Ranker,
    visit: Visit,
) -> Result<(), RankError> {
    for chunk in examples.chunks(rows_at_once(data.items.len())) {
        let rows = ranker.scores(chunk)?;
        for (&example, scores) in chunk.iter().zip(&rows) {
            if scores.len() != data.items.len() {
                return Err(RankError::Count {
                    user: example.user,
                    expected: data.items.len(),
                    found: scores.len(),
                });
            }
            let events = &data.histories[example.user];
            let target = events[example.position].item;
            let mut excluded = HashSet::new();
            if seen == SeenItems::Filtered {
                excluded.extend(events[..example.position].iter().map(|event| event.item));
                excluded.remove(&target);
            }
            visit(target, scores, &excluded);
        }
    }
    Ok(())
}

/// Pessimistic rank: every other item that scores at least as high stands before the target, and so does one whose score is no
/// number. A target whose own score is no number is last.
pub fn rank_of(scores: &[f32], target: u32, excluded: &HashSet<u32>) -> u32 {
    let own = scores[target as usize];
    let before = scores
        .iter()
        .enumerate()
        .filter(|&(item, &score)| {
            item != target as usize
                && (score >= own || score.is_nan() || own.is_nan())
                && !excluded.contains(&(item as u32))
        })
        .count();
    before as u32 + 1
}

/// The `count` best items, best first; ties by item index.
pub fn top_items(scores: &[f32], count: usize, excluded: &HashSet<u32>) -> Vec<u32> {
    let mut items: Vec<u32> = (0..scores.len() as u32)
        .filter(|item| !excluded.contains(item))
        .collect();
    let key = |&item: &u32| {
        let score = scores[item as usize];
        (
            if score.is_nan() {
                f32::NEG_INFINITY
            } else {
                score
            },
            std::cmp::Reverse(item),
        )
    };
    let by = |a: &u32, b: &u32| {
        let ((left, i), (right, j)) = (key(a), key(b));
        right.total_cmp(&left).then(j.cmp(&i))
    };
    let count = count.min(items.len());
    if count == 0 {
        return Vec::new();
    }
    items.select_nth_unstable_by(count - 1, by);
    items.truncate(count);
    items.sort_by(by);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_scores_are_bounded_by_memory() {
        assert_eq!(rows_at_once(0), 64);
        assert_eq!(rows_at_once(3_416), 64);
        assert_eq!(rows_at_once(1_000_000), 16);
        assert_eq!(rows_at_once(1 << 40), 8);
    }

    #[test]
    fn ties_rank_pessimistically() {
        let scores = [0.5, 0.9, 0.5, 0.1, 0.5];
        assert_eq!(rank_of(&scores, 1, &HashSet::new()), 1);
        assert_eq!(rank_of(&scores, 0, &HashSet::new()), 4); // 0.9 and two equals before it
        assert_eq!(rank_of(&scores, 0, &HashSet::from([1, 2])), 2);
        assert_eq!(rank_of(&scores, 3, &HashSet::new()), 5);
    }

    #[test]
    fn scores_that_are_no_numbers_never_help() {
        assert_eq!(rank_of(&[f32::NAN, 0.2, 0.1], 1, &HashSet::new()), 2);
        assert_eq!(rank_of(&[f32::NAN, 0.2, 0.1], 0, &HashSet::new()), 3);
    }

    #[test]
    fn best_items_first_and_ties_by_index() {
        let scores = [0.5, f32::NAN, 0.9, 0.5, 0.7];
        assert_eq!(top_items(&scores, 3, &HashSet::new()), [2, 4, 0]);
        assert_eq!(top_items(&scores, 9, &HashSet::from([2])), [4, 0, 3, 1]);
    }
}
