//! ItemKNN: an item is recommended for its likeness to items the user took (Sarwar et al. 2001), with cosine and shrinkage as in
//! Ferrari Dacrema et al. 2019 (arXiv 1907.06902) and RecBole.
//!
//! `s(i, j) = |U_i ∩ U_j| / (√(|U_i| |U_j|) + shrinkage)`, where `U_i` took `i` in training. For each candidate `j` the
//! `neighbours` most similar items `N(j)` count: `score(j) = Σ_{i ∈ history ∩ N(j)} s(i, j)`.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{BaselineError, at_least_one, within};
use crate::data::Dataset;
use crate::evaluation::{Example, RankError, Ranker};

/// Settings of [`ItemKnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemKnnConfig {
    /// Most similar items that count for a candidate.
    pub neighbours: usize,
    /// Added to the denominator: similarities that few users support shrink.
    pub shrinkage: f32,
}

impl ItemKnnConfig {
    pub(super) fn validate(&self) -> Result<(), BaselineError> {
        at_least_one("neighbours", self.neighbours)?;
        let shrinkage = f64::from(self.shrinkage);
        let inside = shrinkage >= 0.0 && shrinkage.is_finite();
        within("shrinkage", shrinkage, inside, "not be negative")
    }
}

/// Similar items of every item.
#[derive(Debug, Clone)]
pub struct ItemKnn<'a> {
    data: &'a Dataset,
    /// Per item `i` of a history the candidates `j` with `i ∈ N(j)`, and `s(i, j)`.
    speaks_for: Vec<Vec<(u32, f32)>>,
}

impl<'a> ItemKnn<'a> {
    /// Counts who took what in training.
    pub fn new(data: &'a Dataset, config: &ItemKnnConfig) -> Self {
        let taken: Vec<Vec<u32>> = (0..data.users.len())
            .map(|user| distinct(data.train_events(user).iter().map(|event| event.item)))
            .collect();
        let mut takers = vec![Vec::new(); data.items.len()];
        for (user, items) in taken.iter().enumerate() {
            for &item in items {
                takers[item as usize].push(user as u32);
            }
        }
        let items = data.items.len();
        let scratch = || vec![0u32; items];
        let neighbours: Vec<Vec<(u32, f32)>> = (0..items)
            .into_par_iter()
            .map_init(scratch, |shared, item| {
                neighbours(item, &taken, &takers, config, shared)
            })
            .collect();
        let mut speaks_for = vec![Vec::new(); items];
        for (candidate, neighbours) in neighbours.iter().enumerate() {
            for &(item, similarity) in neighbours {
                speaks_for[item as usize].push((candidate as u32, similarity));
            }
        }
        Self { data, speaks_for }
    }

    /// Similarities that are kept.
    pub fn similarities(&self) -> usize {
        self.speaks_for.iter().map(Vec::len).sum()
    }
}

/// Sorted, each once.
fn distinct(items: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut items: Vec<u32> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// `N(item)` with similarities; equals at the edge by index. `shared` is all zeros before and after.
fn neighbours(
    item: usize,
    taken: &[Vec<u32>],
    takers: &[Vec<u32>],
    config: &ItemKnnConfig,
    shared: &mut [u32],
) -> Vec<(u32, f32)> {
    for &user in &takers[item] {
        for &other in &taken[user as usize] {
            shared[other as usize] += 1;
        }
    }
    let mut found = Vec::new();
    for (other, count) in shared.iter_mut().enumerate() {
        let common = std::mem::take(count);
        if common > 0 && other != item {
            let norm = (takers[item].len() as f32 * takers[other].len() as f32).sqrt();
            found.push((other as u32, common as f32 / (norm + config.shrinkage)));
        }
    }
    let by = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if found.len() > config.neighbours {
        found.select_nth_unstable_by(config.neighbours - 1, by);
        found.truncate(config.neighbours);
    }
    found
}

impl Ranker for ItemKnn<'_> {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        let score = |example: &Example| {
            let history = &self.data.histories[example.user][..example.position];
            let mut scores = vec![0.0; self.data.items.len()];
            for item in distinct(history.iter().map(|event| event.item)) {
                for &(candidate, similarity) in &self.speaks_for[item as usize] {
                    scores[candidate as usize] += similarity;
                }
            }
            scores
        };
        Ok(examples.iter().map(score).collect())
    }
}
