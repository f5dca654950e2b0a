//! Which stored viewer took what a visitor picked: a new visitor has no pattern of their own.

use serde::Serialize;

use super::super::{ScoreError, Scorer};

/// The stored viewer whose history is most like some items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearest {
    /// Index of the viewer.
    pub viewer: u32,
    /// Cosine between the two sets of items, each weighed by how rare it is among the stored viewers, in `(0, 1]`.
    pub similarity: f32,
    /// Items in common, in the order given.
    pub shared: Vec<u32>,
}

impl Scorer {
    /// The nearest stored viewer, the lowest index on a tie; none where no viewer took any of the items.
    ///
    /// An item that `n` of `N` viewers took weighs `ln(1 + N / n)`: what everybody took says little about anybody.
    ///
    /// # Errors
    /// An item that does not exist.
    pub fn nearest(&self, items: &[u32]) -> Result<Option<Nearest>, ScoreError> {
        for item in items {
            self.viewers.in_range(*item)?;
        }
        let count = self.cpu.catalogue().len();
        let mut takers = vec![0u32; count];
        let sets: Vec<Vec<u32>> = (self.viewers.all.iter())
            .map(|viewer| {
                let mut set = viewer.history.clone();
                set.sort_unstable();
                set.dedup();
                set
            })
            .collect();
        for item in sets.iter().flatten() {
            takers[*item as usize] += 1;
        }
        let weight = |item: &u32| {
            let takers = f64::from(takers[*item as usize].max(1));
            (1.0 + sets.len() as f64 / takers).ln()
        };
        let square = |set: &[u32]| set.iter().map(|item| weight(item).powi(2)).sum::<f64>();
        let mut own: Vec<u32> = Vec::new();
        for item in items {
            if !own.contains(item) {
                own.push(*item);
            }
        }
        let own_square = square(&own);
        let mut nearest: Option<Nearest> = None;
        for (viewer, set) in (0..).zip(&sets) {
            let shared: Vec<u32> = (own.iter().copied())
                .filter(|item| set.binary_search(item).is_ok())
                .collect();
            if shared.is_empty() {
                continue;
            }
            let similarity = (square(&shared) / (own_square * square(set)).sqrt()) as f32;
            if nearest
                .as_ref()
                .is_none_or(|best| similarity > best.similarity)
            {
                nearest = Some(Nearest {
                    viewer,
                    similarity,
                    shared,
                });
            }
        }
        Ok(nearest)
    }
}
