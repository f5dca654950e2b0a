//! What of a result file the documentation shows. A file may hold more: `results` is the trainer's `evaluate/results.json`,
//! `alignment` its `pretrain/evaluation.json`, `stages` its `stage.json` files, all word for word but for per-user ranks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::baselines::Against;

/// One recorded run.
#[derive(Debug, Clone, Deserialize)]
pub struct RunResult {
    /// Heading.
    pub name: String,
    /// The command that made it.
    pub command: String,
    /// Processor and number of cores.
    pub machine: String,
    /// Absent when the run left alignment out.
    pub alignment: Option<Alignment>,
    /// The ranking.
    pub results: Results,
    /// What each stage took, in order.
    pub stages: Vec<Stage>,
    /// Its models less baselines, where they were paired.
    #[serde(default)]
    pub against: Vec<RunAgainst>,
}

/// A model of a run less baselines on its users.
#[derive(Debug, Clone, Deserialize)]
pub struct RunAgainst {
    /// Its name.
    pub model: String,
    /// One each.
    pub against: Vec<Against>,
}

/// The language model before and after GRPO, on questions about held-out users.
#[derive(Debug, Clone, Deserialize)]
pub struct Alignment {
    /// Questions asked.
    pub questions: u64,
    /// Answers sampled to each.
    pub samples: u64,
    /// Candidates per question.
    pub candidates: u64,
    /// After warm-up.
    pub before: Rates,
    /// After GRPO.
    pub after: Rates,
    /// Paired difference in `correct`.
    pub gain: Estimate,
}

/// Shares of answers, 0 to 1.
#[derive(Debug, Clone, Deserialize)]
pub struct Rates {
    /// In the agreed form.
    pub format: f64,
    /// One of the candidates.
    pub legal: f64,
    /// The item really taken.
    pub correct: f64,
    /// One of the candidates, by the most probable tokens.
    pub legal_greedy: f64,
    /// The item really taken, by the most probable tokens.
    pub correct_greedy: f64,
}

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Estimate {
    /// Mean over users or questions.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// `0.1200 [0.0600, 0.1800]`, with so many digits.
    pub fn level(&self, digits: usize) -> String {
        let Self { mean, low, high } = self;
        format!("{mean:.digits$} [{low:.digits$}, {high:.digits$}]")
    }

    /// The same of a difference: `+0.1200 [-0.0600, +0.3000]`.
    pub fn change(&self, digits: usize) -> String {
        let Self { mean, low, high } = self;
        format!("{mean:+.digits$} [{low:+.digits$}, {high:+.digits$}]")
    }
}

/// One evaluation.
#[derive(Debug, Clone, Deserialize)]
pub struct Results {
    /// How it was measured.
    pub protocol: Protocol,
    /// In the order they were ranked.
    pub models: Vec<Model>,
    /// Paired differences.
    pub comparisons: Vec<Comparison>,
}

/// The model that differences are about.
pub const FULL: &str = "full";

impl Results {
    /// What the full model gains over every other in a metric, whichever way round the file has it.
    pub fn gains(&self, metric: &str) -> Vec<(&str, Estimate)> {
        let compared = self.comparisons.iter().filter(|one| one.metric == metric);
        compared
            .filter_map(|one| {
                let Estimate { mean, low, high } = one.difference;
                if one.left == FULL {
                    return Some((one.right.as_str(), one.difference));
                }
                let turned = Estimate {
                    mean: -mean,
                    low: -high,
                    high: -low,
                };
                (one.right == FULL).then_some((one.left.as_str(), turned))
            })
            .collect()
    }
}

/// How it was measured.
#[derive(Debug, Clone, Deserialize)]
pub struct Protocol {
    /// `validation` or `test`.
    pub target: String,
    /// `filtered` or `kept`.
    pub seen_items: String,
    /// Users ranked.
    pub users: u64,
    /// Items ranked against each other.
    pub items: u64,
    /// Training interactions.
    pub training_interactions: u64,
    /// Seed.
    pub seed: u64,
}

/// One model's numbers.
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    /// Name in tables.
    pub name: String,
    /// By name, e.g. `ndcg@10`.
    pub metrics: BTreeMap<String, Estimate>,
}

/// `left − right`, paired over users.
#[derive(Debug, Clone, Deserialize)]
pub struct Comparison {
    /// Name of the metric.
    pub metric: String,
    /// A model.
    pub left: String,
    /// Another.
    pub right: String,
    /// Difference of the means.
    pub difference: Estimate,
}

/// A finished stage.
#[derive(Debug, Clone, Deserialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// Wall-clock time over all attempts.
    pub seconds: f64,
    /// Largest resident memory of the process up to its end.
    pub peak_memory_mib: Option<u64>,
}

impl RunResult {
    /// Reads a result file; the error names it and what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a result file", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_always_seen_from_the_full_model() {
        let of = |left: &str, right: &str| Comparison {
            metric: "ndcg@10".into(),
            left: left.into(),
            right: right.into(),
            difference: Estimate {
                mean: 0.5,
                low: 0.25,
                high: 1.0,
            },
        };
        let found = [of("full", "a"), of("b", "full"), of("b", "a")];
        let mut run: RunResult =
            serde_json::from_str(super::super::sample::FILE).expect("it is whole");
        run.results.comparisons = found.into();
        let seen = run.results.gains("ndcg@10");
        let seen: Vec<_> = (seen.iter())
            .map(|(other, gain)| (*other, [gain.mean, gain.low, gain.high]))
            .collect();
        assert_eq!(seen, [("a", [0.5, 0.25, 1.0]), ("b", [-0.5, -1.0, -0.25])]);
    }
}
