//! How predictable the world is: for a viewer's latest choices, the true work among five candidates (the other four
//! drawn uniformly from works never taken), judged by three yardsticks.
//!
//! The *oracle* knows the viewer's true tastes at that moment, the *history* yardstick sums the log-lift of the
//! candidate's attributes in the six works before (which is what a language model could work out from its prompt), and
//! *popularity* counts all earlier choices of all viewers. Equal best scores share the credit.

use std::collections::BTreeMap;
use std::fmt;

use rand_chacha::ChaCha8Rng;

use super::random::{below, generator};
use super::simulate::World;
use crate::data::{Interaction, Item};

/// Works of the history that the yardstick sees.
const HISTORY: usize = 6;
/// Candidates that were not chosen.
const NEGATIVES: usize = 4;
/// Latest choices of each viewer that are judged.
const HELD_OUT: usize = 2;
/// Candidate sets drawn for each held-out choice.
const DRAWS: usize = 5;

/// Shares of cases in which a yardstick is right, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Viewers judged.
    pub viewers: usize,
    /// Candidate sets judged.
    pub cases: usize,
    /// Knows the viewer's true current tastes.
    pub oracle: f64,
    /// Log-lift of attributes in the last six works.
    pub history: f64,
    /// Counts over all earlier choices.
    pub popularity: f64,
}

impl fmt::Display for Calibration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, viewers) = (self.cases, self.viewers);
        writeln!(
            out,
            "next work among 5 candidates, {cases} cases of {viewers} viewers (chance 20.0 %)"
        )?;
        writeln!(out, "  true current tastes   {:5.1} %", 100.0 * self.oracle)?;
        writeln!(
            out,
            "  last six works' lift  {:5.1} %",
            100.0 * self.history
        )?;
        write!(
            out,
            "  popularity            {:5.1} %",
            100.0 * self.popularity
        )
    }
}

/// Judges the two latest choices of every viewer, each with five draws of candidates.
pub fn calibrate(world: &World, seed: u64) -> Calibration {
    let items = &world.log.items;
    let frequency = frequencies(items);
    let mut rng = generator(seed, 3);
    let mut cases = 0;
    let (mut oracle, mut history, mut popularity) = (0.0, 0.0, 0.0);
    let sequences = sequences(world);
    for (user, events) in sequences.iter().enumerate() {
        for position in events.len().saturating_sub(HELD_OUT)..events.len() {
            let recent: Vec<&Item> = events[position.saturating_sub(HISTORY)..position]
                .iter()
                .map(|event| &items[event.item as usize])
                .collect();
            let earlier = earlier_counts(world, events[position].time);
            for _ in 0..DRAWS {
                let candidates = candidates(&mut rng, items.len(), events, position);
                cases += 1;
                oracle += credit(&candidates, |item| {
                    let held = |kind: &str, value: &str| {
                        items[item]
                            .attributes
                            .iter()
                            .any(|own| own.kind == kind && own.value == value)
                    };
                    let tastes = world.viewers[user].tastes_at(position).iter();
                    tastes
                        .filter(|taste| held(taste.kind_name(), taste.value_name()))
                        .map(|taste| taste.strength)
                        .sum()
                });
                history += credit(&candidates, |item| lift(&items[item], &recent, &frequency));
                popularity += credit(&candidates, |item| earlier[item]);
            }
        }
    }
    let share = |credit: f64| credit / f64::from(cases.max(1));
    Calibration {
        viewers: sequences.len(),
        cases: cases as usize,
        oracle: share(oracle),
        history: share(history),
        popularity: share(popularity),
    }
}

/// Each viewer's events in order.
fn sequences(world: &World) -> Vec<Vec<Interaction>> {
    let mut sequences = vec![Vec::new(); world.log.users.len()];
    for event in &world.log.interactions {
        sequences[event.user as usize].push(*event);
    }
    sequences
}

fn earlier_counts(world: &World, time: i64) -> Vec<f64> {
    let mut counts = vec![0.0; world.log.items.len()];
    for event in world
        .log
        .interactions
        .iter()
        .filter(|event| event.time < time)
    {
        counts[event.item as usize] += 1.0;
    }
    counts
}

/// The chosen item first, then four that the viewer never takes.
fn candidates(
    rng: &mut ChaCha8Rng,
    items: usize,
    events: &[Interaction],
    position: usize,
) -> Vec<usize> {
    let mut candidates = vec![events[position].item as usize];
    while candidates.len() <= NEGATIVES {
        let drawn = below(rng, items);
        if !candidates.contains(&drawn) && events.iter().all(|event| event.item as usize != drawn) {
            candidates.push(drawn);
        }
    }
    candidates
}

/// 1 when the first candidate scores best alone, `1 / n` when it shares the best score with others, else 0.
fn credit(candidates: &[usize], score: impl Fn(usize) -> f64) -> f64 {
    let scores: Vec<f64> = candidates.iter().map(|&item| score(item)).collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let equal = scores.iter().filter(|&&score| best - score < 1e-9).count();
    if best - scores[0] < 1e-9 {
        1.0 / equal as f64
    } else {
        0.0
    }
}

/// Share of the catalogue that holds each attribute.
fn frequencies(items: &[Item]) -> BTreeMap<(&str, &str), f64> {
    let mut frequency = BTreeMap::new();
    for attribute in items.iter().flat_map(|item| &item.attributes) {
        *frequency
            .entry((attribute.kind.as_str(), attribute.value.as_str()))
            .or_insert(0.0) += 1.0 / items.len() as f64;
    }
    frequency
}

/// `Σ_a ln((c_a + k f_a) / ((n + k) f_a))` with `k = 2`: how much more often than in the catalogue the attributes of
/// `item` occur in the `n` recent works.
fn lift(item: &Item, recent: &[&Item], frequency: &BTreeMap<(&str, &str), f64>) -> f64 {
    let prior = 2.0;
    let lift = |attribute: &crate::data::Attribute| {
        let share = frequency
            .get(&(attribute.kind.as_str(), attribute.value.as_str()))
            .copied()
            .unwrap_or(1.0);
        let count = recent
            .iter()
            .filter(|work| work.attributes.contains(attribute))
            .count() as f64;
        ((count + prior * share) / ((recent.len() as f64 + prior) * share)).ln()
    };
    item.attributes.iter().map(lift).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::world::{WorldConfig, simulate};

    /// Three seeds, 420 viewers each: the promise is of the settings, not of one lucky catalogue.
    #[test]
    fn the_default_world_is_as_predictable_as_promised() {
        for seed in [WorldConfig::default().seed, 8, 9] {
            let world = simulate(&WorldConfig {
                seed,
                ..WorldConfig::default()
            })
            .unwrap();
            let found = calibrate(&world, 11);
            println!("seed {seed}: {found}");
            assert!(found.viewers >= 200);
            assert!(
                (0.72..=0.82).contains(&found.oracle),
                "oracle {}",
                found.oracle
            );
            assert!(found.history >= 0.62, "history {}", found.history);
            assert!(found.popularity <= 0.35, "popularity {}", found.popularity);
        }
    }

    #[test]
    fn equal_best_scores_share_the_credit() {
        // Candidates 5, 6, 7: the first is the truth.
        assert_eq!(
            credit(&[5, 6, 7], |item| if item == 5 { 2.0 } else { 1.0 }),
            1.0
        );
        assert_eq!(
            credit(&[5, 6, 7], |item| if item == 7 { 0.0 } else { 1.0 }),
            0.5
        );
        assert_eq!(
            credit(&[5, 6, 7], |item| if item == 6 { 2.0 } else { 1.0 }),
            0.0
        );
    }

    #[test]
    fn lift_equals_a_value_worked_out_by_hand() {
        let noir = crate::data::Attribute {
            kind: "genre".into(),
            value: "noir".into(),
        };
        let item = |attributes: &[&crate::data::Attribute]| Item {
            key: String::new(),
            title: String::new(),
            attributes: attributes
                .iter()
                .map(|&attribute| attribute.clone())
                .collect(),
        };
        let (with, without) = (item(&[&noir]), item(&[]));
        let items = vec![
            with.clone(),
            without.clone(),
            without.clone(),
            without.clone(),
        ];
        // f = 1/4; 2 of 3 recent works: ln((2 + 2/4) / (5/4)) = ln 2.
        let value = lift(&with, &[&with, &with, &without], &frequencies(&items));
        assert!((value - 2.0_f64.ln()).abs() < 1e-12);
    }
}
