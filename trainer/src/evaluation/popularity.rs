//! The baseline that knows nobody: items by how often they were taken in training.

use super::ranking::{Example, RankError, Ranker};
use crate::data::Dataset;

/// Ranks by number of training interactions.
#[derive(Debug, Clone)]
pub struct Popularity {
    counts: Vec<f32>,
}

impl Popularity {
    /// Counts the training events of all users.
    pub fn new(data: &Dataset) -> Self {
        let mut counts = vec![0.0; data.items.len()];
        for user in 0..data.users.len() {
            for event in data.train_events(user) {
                counts[event.item as usize] += 1.0;
            }
        }
        Self { counts }
    }
}

impl Ranker for Popularity {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        Ok(vec![self.counts.clone(); examples.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Event, Item, User, UserSplit};
    use crate::evaluation::{Metric, SeenItems, Target, examples, rank_examples};
    use std::collections::HashMap;

    fn dataset(sequences: &[Vec<&str>]) -> Dataset {
        let mut index = HashMap::new();
        let histories: Vec<Vec<Event>> = sequences
            .iter()
            .map(|items| {
                items
                    .iter()
                    .enumerate()
                    .map(|(time, &item)| {
                        let next = index.len() as u32;
                        Event {
                            item: *index.entry(item.to_owned()).or_insert(next),
                            time: time as i64,
                        }
                    })
                    .collect()
            })
            .collect();
        let mut items = vec![String::new(); index.len()];
        for (key, &at) in &index {
            items[at as usize].clone_from(key);
        }
        Dataset {
            name: "test".into(),
            items: items
                .into_iter()
                .map(|key| Item {
                    title: key.clone(),
                    key,
                    attributes: vec![],
                })
                .collect(),
            users: (0..histories.len())
                .map(|user| User {
                    key: user.to_string(),
                })
                .collect(),
            split: histories
                .iter()
                .map(|events| UserSplit {
                    train: events.len() - 2,
                    valid: 1,
                })
                .collect(),
            histories,
            causes: None,
        }
    }

    #[test]
    fn only_training_events_count() {
        // Training: a a b | a c …: a 3, b 1, c 1; d only as a held-out item.
        let data = dataset(&[vec!["a", "a", "b", "d", "c"], vec!["a", "c", "d", "d"]]);
        let scores = Popularity::new(&data)
            .scores(&examples(&data, Target::Test))
            .unwrap();
        assert_eq!(scores, vec![vec![3.0, 1.0, 0.0, 1.0]; 2]); // a, b, d, c in order of appearance
    }

    /// EVALUATION.md's reference: HR@10 0.0162 / NDCG@10 0.0079 with seen items, 0.0369 / 0.0180 without.
    #[test]
    fn movielens_1m_gives_the_published_numbers() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/data/ml-1m/sasrec_sequences.txt"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("skipped: no {path}");
            return;
        };
        // One line per user: the user, then the items in order.
        let sequences: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().skip(1).collect())
            .collect();
        let data = dataset(&sequences);
        assert_eq!((data.users.len(), data.items.len()), (6040, 3416));
        let events: usize = data.histories.iter().map(Vec::len).sum();
        assert_eq!(events, 999_611);
        let examples = examples(&data, Target::Test);
        let popularity = Popularity::new(&data);
        for (seen, hit_rate, ndcg) in [
            (SeenItems::Kept, 0.0162, 0.0079),
            (SeenItems::Filtered, 0.0369, 0.0180),
        ] {
            let ranks = rank_examples(&data, &examples, seen, &popularity).unwrap();
            let found = [Metric::Recall(10), Metric::Ndcg(10)].map(|metric| metric.mean(&ranks));
            assert!(
                (found[0] - hit_rate).abs() < 5.1e-5,
                "{seen:?}: HR@10 {}",
                found[0]
            );
            assert!(
                (found[1] - ndcg).abs() < 5.1e-5,
                "{seen:?}: NDCG@10 {}",
                found[1]
            );
        }
    }
}
