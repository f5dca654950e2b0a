//! What becomes of rewards and texts while they are corrected (EVALUATION, diversity and drift): tenths of the pass in
//! global time order. A reward that rises while texts become alike or ranking gets worse is reward hacking.

use anyhow::Result;
use serde::Serialize;

use super::chart::Line;
use super::compare::mean;
use super::curves::{Chart, chart};
use super::files::RunFiles;
use super::measures::along_the_pass;
use crate::explanations::{distinct, mean_words, split, unique};
use crate::run::Stage;
use crate::stages::CorrectionEvent;

/// Parts of a pass.
const TENTHS: usize = 10;

/// The section.
#[derive(Debug, Serialize)]
pub(super) struct Drift {
    charts: Vec<Chart>,
    missing: Vec<String>,
}

/// How a text or a number of a tenth is summed up.
type Measure = fn(&[CorrectionEvent]) -> f64;

/// What is drawn of every tenth: its name, of the new reasons, and of those before if that is something else.
const MEASURES: [(&str, Measure, Option<Measure>); 7] = [
    ("reward, mean of the candidates", reward, None),
    ("reward of the best candidate", best_reward, None),
    ("score before a new reason (baseline)", baseline, None),
    (
        "distinct-1 of the reasons",
        |events| distinct(&after(events), 1).unwrap_or_default(),
        Some(|events| distinct(&before(events), 1).unwrap_or_default()),
    ),
    (
        "distinct-2 of the reasons",
        |events| distinct(&after(events), 2).unwrap_or_default(),
        Some(|events| distinct(&before(events), 2).unwrap_or_default()),
    ),
    (
        "share of different reasons",
        |events| unique(&after(events)).unwrap_or_default(),
        Some(|events| unique(&before(events)).unwrap_or_default()),
    ),
    (
        "words in a reason",
        |events| mean_words(&after(events)).unwrap_or_default(),
        Some(|events| mean_words(&before(events)).unwrap_or_default()),
    ),
];

pub(super) fn section(runs: &[RunFiles]) -> Result<Drift> {
    let mut charts = Vec::new();
    for (name, now, earlier) in MEASURES {
        let mut of = Vec::new();
        for (run, files) in runs.iter().enumerate() {
            let line = |measure: Measure, before| Line {
                run,
                before,
                points: per_tenth(&files.events, measure),
            };
            of.extend(earlier.map(|measure| line(measure, true)));
            of.push(line(now, false));
        }
        charts.extend(chart(name, "tenth of the pass", &of, None)?);
    }
    for (metric, name) in [
        ("entropy", "entropy of the policy"),
        ("kl", "KL to the reference"),
    ] {
        let line = |(run, files): (usize, &RunFiles)| {
            let log = files.book.stage(Stage::Correct);
            let values = log.map_or(&[][..], |log| log.training.values(metric));
            // Without a reference it is 0 throughout.
            let measured = metric != "kl" || values.iter().any(|(_, value)| *value != 0.0);
            let all = |part: &[(f64, f64)]| {
                let values: Vec<f64> = part.iter().map(|point| point.1).collect();
                mean(&values)
            };
            Line {
                run,
                before: false,
                points: if measured {
                    per_tenth(values, all)
                } else {
                    Vec::new()
                },
            }
        };
        let of: Vec<Line> = runs.iter().enumerate().map(line).collect();
        charts.extend(chart(name, "tenth of the pass", &of, None)?);
    }
    charts.extend(along_the_pass(runs)?);
    let without = runs.iter().filter(|run| run.events.is_empty());
    let missing = without.map(|run| {
        if run.has(Stage::Correct) {
            format!("{} corrected nothing, by its settings", run.name)
        } else {
            run.lacks(Stage::Correct)
        }
    });
    Ok(Drift {
        missing: missing.collect(),
        charts,
    })
}

/// The measure of each tenth, numbered from 1; of fewer than ten things, of each alone.
fn per_tenth<T>(all: &[T], measure: impl Fn(&[T]) -> f64) -> Vec<(f64, f64)> {
    let parts = TENTHS.min(all.len());
    (0..parts)
        .map(|part| {
            let bounds = part * all.len() / parts..(part + 1) * all.len() / parts;
            ((part + 1) as f64, measure(&all[bounds]))
        })
        .collect()
}

fn reward(events: &[CorrectionEvent]) -> f64 {
    mean_over(events, |event| {
        let rewards: Vec<f64> = event.candidates.iter().map(|one| one.reward).collect();
        mean(&rewards)
    })
}

fn best_reward(events: &[CorrectionEvent]) -> f64 {
    mean_over(events, |event| {
        let rewards = event.candidates.iter().map(|one| one.reward);
        rewards.reduce(f64::max).unwrap_or_default()
    })
}

fn baseline(events: &[CorrectionEvent]) -> f64 {
    mean_over(events, |event| f64::from(event.baseline))
}

fn mean_over(events: &[CorrectionEvent], of: impl Fn(&CorrectionEvent) -> f64) -> f64 {
    let values: Vec<f64> = events.iter().map(of).collect();
    mean(&values)
}

fn before(events: &[CorrectionEvent]) -> Vec<Vec<String>> {
    split(events.iter().map(|event| event.reason[0].as_str()))
}

fn after(events: &[CorrectionEvent]) -> Vec<Vec<String>> {
    split(events.iter().map(|event| event.reason[1].as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::{Candidate, Parts};

    #[test]
    fn tenths_hold_everything_once_and_in_order() {
        let all: Vec<f64> = (0..23).map(f64::from).collect();
        let found = per_tenth(&all, |part| part.len() as f64);
        assert_eq!(found.len(), 10);
        assert_eq!(found.iter().map(|one| one.1).sum::<f64>(), 23.0);
        assert!(found.iter().all(|one| (2.0..=3.0).contains(&one.1)));
        let first = per_tenth(&all, |part| part[0]);
        assert_eq!((first[0], first[9]), ((1.0, 0.0), (10.0, 20.0)));
        assert_eq!(per_tenth(&all[..3], |part| part[0]).len(), 3);
        assert!(per_tenth::<f64>(&[], |_| 0.0).is_empty());
    }

    #[test]
    fn a_reward_is_the_mean_over_candidates_and_then_over_interactions() {
        let event = |rewards: &[f64]| CorrectionEvent {
            time: 0,
            user: 0,
            position: 0,
            item: 0,
            policy_version: 0,
            baseline: 0.5,
            candidates: rewards
                .iter()
                .map(|reward| Candidate {
                    text: String::new(),
                    reward: *reward,
                    parts: Parts::default(),
                    advantage: 0.0,
                })
                .collect(),
            reason: [String::new(), String::new()],
            pattern: None,
        };
        let events = [event(&[0.0, 1.0]), event(&[2.0])];
        assert_eq!(reward(&events), 1.25);
        assert_eq!(best_reward(&events), 1.5);
        assert_eq!(baseline(&events), 0.5);
    }
}
