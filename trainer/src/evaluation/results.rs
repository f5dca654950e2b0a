//! One result type for files, tables and the page: protocol, counts, models with intervals, paired differences.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, estimate, resampled_means};
use super::config::EvaluationConfig;
use super::metrics::Metric;
use super::ranking::{SeenItems, Target};

/// How the numbers were made; written into every result file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Data set.
    pub data: String,
    /// Which held-out event was ranked.
    pub target: Target,
    /// Whether items taken before competed.
    pub seen_items: SeenItems,
    /// Always the full catalogue; here so that a file says it.
    pub candidates: String,
    /// Always pessimistic; here so that a file says it.
    pub ties: String,
    /// Users ranked.
    pub users: usize,
    /// Items ranked against each other.
    pub items: usize,
    /// Training interactions.
    pub training_interactions: usize,
    /// Length of the lists behind coverage and Gini.
    pub list_length: usize,
    /// Resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of resamples and controls.
    pub seed: u64,
}

/// One model's numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelResult {
    /// Name in tables.
    pub name: String,
    /// By [`Metric::name`].
    pub metrics: BTreeMap<String, Estimate>,
    /// Share of the catalogue in any user's list.
    pub coverage: f64,
    /// Inequality of appearances in the lists.
    pub gini: f64,
    /// Rank of each user's held-out item, in user order: enough to compare with any later run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
}

/// `left − right`, paired over users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`Metric::name`]
    pub metric: String,
    /// A model's name.
    pub left: String,
    /// Another's.
    pub right: String,
    /// Difference of their means with its interval.
    pub difference: Estimate,
}

/// Everything one evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// How.
    pub protocol: Protocol,
    /// What must be read before the numbers.
    pub warnings: Vec<String>,
    /// In the order they were ranked.
    pub models: Vec<ModelResult>,
    /// Later models against earlier ones.
    pub comparisons: Vec<Comparison>,
}

/// Ranks and list statistics of one model, before the bootstrap.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Name in tables.
    pub name: String,
    /// Rank of each example's item.
    pub ranks: Vec<u32>,
    /// Share of the catalogue in any list.
    pub coverage: f64,
    /// Inequality of appearances.
    pub gini: f64,
}

/// Metrics that are compared between models.
const COMPARED: [Metric; 3] = [Metric::Recall(10), Metric::Ndcg(10), Metric::HitRate(50)];

impl Results {
    /// Intervals and paired differences of models ranked on the same users.
    pub fn new(protocol: Protocol, ranked: Vec<Ranked>, config: &EvaluationConfig) -> Self {
        let rows: Vec<Vec<f64>> = ranked
            .iter()
            .flat_map(|model| {
                Metric::ALL.map(|metric| {
                    model
                        .ranks
                        .iter()
                        .map(|&rank| metric.of_rank(rank))
                        .collect()
                })
            })
            .collect();
        let resampled = resampled_means(&rows, config.bootstrap_samples, config.seed);
        let row = |model: usize, metric: usize| model * Metric::ALL.len() + metric;
        let mut comparisons = Vec::new();
        for left in 1..ranked.len() {
            for right in 0..left {
                for (index, metric) in Metric::ALL
                    .iter()
                    .enumerate()
                    .filter(|(_, metric)| COMPARED.contains(metric))
                {
                    let (a, b) = (&resampled[row(left, index)], &resampled[row(right, index)]);
                    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
                    let mean = metric.mean(&ranked[left].ranks) - metric.mean(&ranked[right].ranks);
                    comparisons.push(Comparison {
                        metric: metric.name(),
                        left: ranked[left].name.clone(),
                        right: ranked[right].name.clone(),
                        difference: estimate(mean, &differences),
                    });
                }
            }
        }
        let models = ranked
            .into_iter()
            .enumerate()
            .map(|(model, result)| ModelResult {
                metrics: Metric::ALL
                    .iter()
                    .enumerate()
                    .map(|(index, metric)| {
                        (
                            metric.name(),
                            estimate(metric.mean(&result.ranks), &resampled[row(model, index)]),
                        )
                    })
                    .collect(),
                name: result.name,
                coverage: result.coverage,
                gini: result.gini,
                ranks: result.ranks,
            })
            .collect();
        Self {
            protocol,
            warnings: Vec::new(),
            models,
            comparisons,
        }
    }

    /// A model by name.
    pub fn model(&self, name: &str) -> Option<&ModelResult> {
        self.models.iter().find(|model| model.name == name)
    }

    /// `left − right` in `metric`, whichever way round it is stored.
    pub fn difference(&self, metric: &str, left: &str, right: &str) -> Option<Estimate> {
        self.comparisons
            .iter()
            .find(|found| {
                found.metric == metric
                    && [&found.left, &found.right].map(String::as_str) == [left, right]
            })
            .map(|found| found.difference)
            .or_else(|| {
                self.comparisons
                    .iter()
                    .find(|found| {
                        found.metric == metric
                            && [&found.left, &found.right].map(String::as_str) == [right, left]
                    })
                    .map(|found| {
                        let Estimate { mean, low, high } = found.difference;
                        Estimate {
                            mean: -mean,
                            low: -high,
                            high: -low,
                        }
                    })
            })
    }

    /// The same results without per-user ranks, for a reader that only shows them.
    pub fn without_ranks(mut self) -> Self {
        for model in &mut self.models {
            model.ranks.clear();
        }
        self
    }

    /// An aligned text table: warnings first, then models, then differences in NDCG@10.
    pub fn table(&self) -> Table<'_> {
        Table(self)
    }
}

/// Displays [`Results`].
#[derive(Debug, Clone, Copy)]
pub struct Table<'a>(&'a Results);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Results {
            protocol,
            warnings,
            models,
            comparisons,
        } = self.0;
        for warning in warnings {
            writeln!(f, "! {warning}")?;
        }
        writeln!(
            f,
            "{}: full ranking of {} items for {} users, {} event, seen items {}, ties pessimistic",
            protocol.data,
            protocol.items,
            protocol.users,
            match protocol.target {
                Target::Validation => "first validation",
                Target::Test => "first test",
            },
            match protocol.seen_items {
                SeenItems::Filtered => "filtered",
                SeenItems::Kept => "kept",
            },
        )?;
        let name_width = models
            .iter()
            .map(|model| model.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        write!(f, "{:name_width$}", "model")?;
        for metric in Metric::ALL {
            write!(f, "  {:>9}", metric.name())?;
        }
        writeln!(
            f,
            "  {:>9}  {:>9}  ndcg@10 95 %",
            format!("cov@{}", protocol.list_length),
            "gini"
        )?;
        for model in models {
            write!(f, "{:name_width$}", model.name)?;
            for metric in Metric::ALL {
                write!(
                    f,
                    "  {:>9.4}",
                    model
                        .metrics
                        .get(&metric.name())
                        .map_or(f64::NAN, |value| value.mean)
                )?;
            }
            let interval = model.metrics.get("ndcg@10");
            let (low, high) =
                interval.map_or((f64::NAN, f64::NAN), |value| (value.low, value.high));
            writeln!(
                f,
                "  {:>9.4}  {:>9.4}  [{low:.4}, {high:.4}]",
                model.coverage, model.gini
            )?;
        }
        for Comparison {
            metric,
            left,
            right,
            difference,
        } in comparisons.iter().filter(|found| found.metric == "ndcg@10")
        {
            writeln!(
                f,
                "{metric}: {left} − {right} = {:+.4} [{:+.4}, {:+.4}]",
                difference.mean, difference.low, difference.high
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let protocol = Protocol {
            data: "toy".into(),
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            candidates: "full catalogue".into(),
            ties: "pessimistic".into(),
            users: 3,
            items: 20,
            training_interactions: 9,
            list_length: 10,
            bootstrap_samples: 200,
            seed: 1,
        };
        let ranked = |name: &str, ranks: [u32; 3]| Ranked {
            name: name.into(),
            ranks: ranks.to_vec(),
            coverage: 0.5,
            gini: 0.25,
        };
        let config = EvaluationConfig {
            bootstrap_samples: 200,
            ..EvaluationConfig::default()
        };
        Results::new(
            protocol,
            vec![
                ranked("popularity", [20, 20, 20]),
                ranked("full", [1, 3, 12]),
            ],
            &config,
        )
    }

    #[test]
    fn differences_have_a_direction() {
        let results = results();
        let forward = results.difference("ndcg@10", "full", "popularity").unwrap();
        assert!((forward.mean - 0.5).abs() < 1e-12);
        let back = results.difference("ndcg@10", "popularity", "full").unwrap();
        assert_eq!(
            (back.mean, back.low, back.high),
            (-forward.mean, -forward.high, -forward.low)
        );
    }

    #[test]
    fn the_table_is_aligned_and_says_how() {
        let text = results().table().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "toy: full ranking of 20 items for 3 users, first test event, seen items filtered, ties pessimistic"
        );
        let column = lines[1].find("mrr").unwrap() + 3;
        assert_eq!(&lines[3][column - 6..column], "0.4722"); // 17/36
    }

    #[test]
    fn results_survive_a_file() {
        let results = results();
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }
}
