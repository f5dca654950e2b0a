//! The table: every row's metrics over the seeds, and its paired difference to the full method.

use std::collections::BTreeMap;
use std::fmt;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::rows::{REFERENCE, Row, Source};
use super::statistics::{holm, mean_and_deviation, sign_flip_test};
use super::verdict::verdict;
use crate::config::Config;
use crate::evaluation::{
    Estimate, Metric, POPULARITY, Protocol, SeenItems, Target, estimate, resampled_means,
};

/// Metrics of the table, in its order.
const METRICS: [Metric; 5] = [
    Metric::Recall(5),
    Metric::Recall(10),
    Metric::Ndcg(10),
    Metric::Ndcg(20),
    Metric::HitRate(50),
];
/// The one metric that is tested: with several, chance has several tries.
const TESTED: Metric = Metric::Ndcg(10);
/// Random sign patterns behind each p-value.
const FLIPS: usize = 20_000;

/// Whether a row was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A model trained that way.
    Trained,
    /// The full model, trained as ever, is given something else to read.
    Control,
    /// No model at all.
    Baseline,
}

/// The ranks of one row: per seed those of all users, in one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Which row.
    pub row: Row,
    /// `[seeds][users]`.
    pub ranks: Vec<Vec<u32>>,
}

/// A metric over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean over the seeds.
    pub mean: f64,
    /// Sample standard deviation over the seeds; none of a single one.
    pub deviation: Option<f64>,
    /// Per seed.
    pub seeds: Vec<f64>,
}

/// `full − row` in a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean over users and seeds; interval by resampling users, the same ones in all seeds and both rows.
    pub users: Estimate,
    /// The same mean; interval by resampling users and seeds. With few seeds it is rough.
    pub users_and_seeds: Estimate,
    /// Over the seeds.
    pub seeds: Spread,
}

/// Whether the difference could be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Two-sided, by sign flips of users' differences.
    pub p: f64,
    /// Corrected by Holm over all rows of the table.
    pub p_holm: f64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowResult {
    /// As `--only` takes it.
    pub name: String,
    /// As tables show it.
    pub label: String,
    /// Whether it was trained.
    pub kind: Kind,
    /// Settings that its run has over those of the full one.
    pub settings: Vec<String>,
    /// By [`Metric::name`].
    pub metrics: BTreeMap<String, Spread>,
    /// `full − row` by [`Metric::name`]; of the full row none.
    pub differences: BTreeMap<String, Difference>,
    /// Of the difference in [`AblationReport::tested`]; of the full row none.
    pub test: Option<Test>,
}

/// What all of it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds of work.
    pub seconds: f64,
    /// Seconds that it would have taken if no run had shared a stage.
    pub seconds_unshared: f64,
    /// Largest resident memory of a process.
    pub peak_memory_mib: Option<u64>,
}

/// The whole table, as `ablation.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AblationReport {
    /// Program version.
    pub version: String,
    /// Commit of the sources, where they lie in git and all seeds were run by the same.
    pub commit: Option<String>,
    /// The same for each seed, in their order; empty in files from before this was written.
    #[serde(default)]
    pub commits: Vec<Option<String>>,
    /// How every run was ranked (`seed`: of the first).
    pub protocol: Protocol,
    /// Content hash of the data set, the same in all runs.
    pub data_sha256: String,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// The metric that is tested.
    pub tested: String,
    /// How intervals and p-values were made.
    pub method: String,
    /// What the table says about the texts.
    pub verdict: Vec<String>,
    /// The table.
    pub rows: Vec<RowResult>,
    /// What it took.
    pub cost: Cost,
    /// Settings of the full run, without the places of data and checkpoint.
    pub settings: Config,
}

impl AblationReport {
    /// The table of these ranks; the first row is the full one, and all have the same users in the same order.
    pub fn new(
        found: &[Found],
        seeds: &[u64],
        protocol: Protocol,
        data_sha256: String,
        cost: Cost,
        settings: &Config,
    ) -> Self {
        let samples = settings.evaluate.bootstrap_samples;
        let mut rows: Vec<RowResult> = found
            .iter()
            .map(|one| row_result(one, &found[0], samples, protocol.seed))
            .collect();
        // A row that is another one under a second name is no further question.
        let first =
            |at: usize| (0..at).find(|&other| found[other].row.source == found[at].row.source);
        let tested: Vec<usize> = (0..rows.len())
            .filter(|&at| rows[at].test.is_some() && first(at).is_none())
            .collect();
        let p: Vec<f64> = tested
            .iter()
            .filter_map(|&at| rows[at].test.map(|test| test.p))
            .collect();
        let family = tested.len();
        for (at, p_holm) in tested.into_iter().zip(holm(&p)) {
            if let Some(test) = &mut rows[at].test {
                test.p_holm = p_holm;
            }
        }
        for at in 0..rows.len() {
            if let Some(other) = first(at) {
                rows[at].test = rows[other].test;
            }
        }
        let mut settings = settings.clone();
        // Where data and checkpoint lie on this machine is no part of what was computed.
        (settings.data.path, settings.llm.model) = (None, None);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: None,
            commits: Vec::new(),
            protocol,
            data_sha256,
            seeds: seeds.to_vec(),
            tested: TESTED.name(),
            method: format!(
                "differences are full − row, averaged over seeds; intervals are 95 % percentiles of {samples} paired bootstrap \
                 resamples of users; p is two-sided, by {FLIPS} random sign flips of users' differences (all of them where few are \
                 not 0), corrected by Holm over the {family} different rows beside the full one"
            ),
            verdict: verdict(&rows, seeds.len(), &TESTED.name()),
            rows,
            cost,
            settings,
        }
    }
}

/// A metric of every user: `[seeds][users]`.
fn values(found: &Found, metric: Metric) -> Vec<Vec<f64>> {
    let of_seed = |ranks: &Vec<u32>| ranks.iter().map(|&rank| metric.of_rank(rank)).collect();
    found.ranks.iter().map(of_seed).collect()
}

fn spread(values: &[Vec<f64>]) -> Spread {
    let mean = |users: &Vec<f64>| users.iter().sum::<f64>() / users.len().max(1) as f64;
    let seeds: Vec<f64> = values.iter().map(mean).collect();
    let (mean, deviation) = mean_and_deviation(&seeds);
    Spread {
        mean,
        deviation,
        seeds,
    }
}

fn row_result(found: &Found, full: &Found, samples: usize, seed: u64) -> RowResult {
    let reference = found.row.name == REFERENCE;
    let mut metrics = BTreeMap::new();
    let mut differences = BTreeMap::new();
    let mut test = None;
    for metric in METRICS {
        let own = values(found, metric);
        metrics.insert(metric.name(), spread(&own));
        if reference {
            continue;
        }
        let theirs = values(full, metric);
        let apart: Vec<Vec<f64>> = theirs
            .iter()
            .zip(&own)
            .map(|(full, row)| full.iter().zip(row).map(|(a, b)| a - b).collect())
            .collect();
        if metric == TESTED {
            let p = sign_flip_test(&over_seeds(&apart), FLIPS, seed);
            test = Some(Test { p, p_holm: p });
        }
        differences.insert(metric.name(), difference(&apart, samples, seed));
    }
    RowResult {
        name: found.row.name.to_owned(),
        label: found.row.label.to_owned(),
        kind: match found.row.source {
            Source::Control(_) => Kind::Control,
            Source::Model(POPULARITY) => Kind::Baseline,
            Source::Run(_) | Source::Model(_) => Kind::Trained,
        },
        settings: match found.row.source {
            Source::Run(settings) => settings.iter().map(|&set| set.to_owned()).collect(),
            Source::Model(_) | Source::Control(_) => Vec::new(),
        },
        metrics,
        differences,
        test,
    }
}

/// Each user's mean over the seeds.
fn over_seeds(values: &[Vec<f64>]) -> Vec<f64> {
    let users = values.first().map_or(0, Vec::len);
    let mean =
        |user: usize| values.iter().map(|seed| seed[user]).sum::<f64>() / values.len() as f64;
    (0..users).map(mean).collect()
}

/// `apart`: `[seeds][users]`.
fn difference(apart: &[Vec<f64>], samples: usize, seed: u64) -> Difference {
    let seeds = spread(apart);
    // Every seed sees the same resamples of users.
    let resampled = resampled_means(apart, samples, seed);
    let count = apart.len();
    let average = |sample: usize, drawn: &mut dyn FnMut(usize) -> usize| {
        let sum: f64 = (0..count).map(|at| resampled[drawn(at)][sample]).sum();
        sum / count as f64
    };
    let users: Vec<f64> = (0..samples)
        .map(|sample| average(sample, &mut |at| at))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7365_6564);
    let both: Vec<f64> = (0..samples)
        .map(|sample| average(sample, &mut |_| rng.random_range(0..count)))
        .collect();
    Difference {
        users: estimate(seeds.mean, &users),
        users_and_seeds: estimate(seeds.mean, &both),
        seeds,
    }
}

impl fmt::Display for AblationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = &self.protocol;
        for line in &self.verdict {
            writeln!(f, "{line}")?;
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        writeln!(
            f,
            "\n{}: full ranking of {} items for {} users, {} event, seen items {}; seeds {}",
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
            seeds.join(", ")
        )?;
        let widest = self.rows.iter().map(|row| row.label.chars().count());
        let width = widest.max().unwrap_or(0).max(3);
        write!(f, "{:width$}", "")?;
        for metric in METRICS {
            write!(f, "  {:>15}", metric.name())?;
        }
        let tested = &self.tested;
        writeln!(
            f,
            "  {:>25}  {:>6}  {:>6}",
            format!("full − row, {tested}"),
            "p",
            "Holm"
        )?;
        for row in &self.rows {
            write!(f, "{:width$}", row.label)?;
            for metric in METRICS {
                let value = row.metrics.get(&metric.name()).map(shown);
                write!(f, "  {:>15}", value.unwrap_or_default())?;
            }
            if let (Some(found), Some(test)) = (row.differences.get(tested), row.test) {
                let Estimate { mean, low, high } = found.users;
                let text = format!("{mean:+.4} [{low:+.4}, {high:+.4}]");
                write!(f, "  {text:>25}  {:>6.4}  {:>6.4}", test.p, test.p_holm)?;
            }
            writeln!(f)?;
        }
        writeln!(f, "± standard deviation over seeds; {}", self.method)
    }
}

/// `0.1234 ± 0.0056`
fn shown(value: &Spread) -> String {
    match value.deviation {
        Some(deviation) => format!("{:.4} ± {deviation:.4}", value.mean),
        None => format!("{:.4}", value.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::{ROWS, selected};

    fn protocol(users: usize) -> Protocol {
        Protocol {
            data: "toy".into(),
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            candidates: "full catalogue".into(),
            ties: "pessimistic".into(),
            users,
            items: 20,
            training_interactions: 9,
            list_length: 10,
            bootstrap_samples: 400,
            seed: 1,
        }
    }

    fn report(rows: &[(&str, Vec<Vec<u32>>)]) -> AblationReport {
        let found: Vec<Found> = rows
            .iter()
            .map(|(name, ranks)| Found {
                row: *ROWS.iter().find(|row| row.name == *name).unwrap(),
                ranks: ranks.clone(),
            })
            .collect();
        let seeds: Vec<u64> = (1..=rows[0].1.len() as u64).collect();
        let users = rows[0].1[0].len();
        let mut config = Config::default();
        config.evaluate.bootstrap_samples = 400;
        AblationReport::new(
            &found,
            &seeds,
            protocol(users),
            "abc".into(),
            Cost::default(),
            &config,
        )
    }

    #[test]
    fn means_deviations_and_differences_by_hand() {
        // Recall@5 of full: seed 1 has users 1, 1, 0, seed 2 has 1, 0, 0; of the other 1, 0, 0 and 0, 0, 0.
        let full = vec![vec![1, 2, 30], vec![5, 6, 30]];
        let other = vec![vec![1, 6, 30], vec![6, 6, 30]];
        let report = report(&[("full", full), ("no-reasons", other)]);
        let recall = &report.rows[0].metrics["recall@5"];
        assert_eq!(recall.seeds, [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(recall.mean, 0.5);
        // √((1/6² + 1/6²) / 1) = 1 / √18
        let deviation = recall.deviation.unwrap();
        assert!((deviation - 1.0 / 18f64.sqrt()).abs() < 1e-12);
        assert!(report.rows[0].differences.is_empty() && report.rows[0].test.is_none());
        // Differences: user 1: 0 and 1, user 2: 1 and 0, user 3: 0 and 0. Per seed 1/3 each, so seeds have no spread.
        let found = &report.rows[1].differences["recall@5"];
        assert!((found.users.mean - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.seeds.deviation, Some(0.0));
        // Over seeds the users' differences are ½, ½, 0: any resample's mean is 0, 1/6, 1/3 or ½.
        assert_eq!((found.users.low, found.users.high), (0.0, 0.5));
        // NDCG@10: user 1: (1 − 1 + 1/log₂6 − 1/log₂7) / 2 > 0, user 2: (1/log₂3 − 1/log₂7 + 0) / 2 > 0, user 3: 0.
        // Two positive differences: 2 of 4 sign patterns are as far out.
        let test = report.rows[1].test.unwrap();
        assert_eq!((test.p, test.p_holm), (0.5, 0.5));
    }

    #[test]
    fn the_interval_over_seeds_knows_that_seeds_differ() {
        // All users alike: resampling users changes nothing, resampling seeds does. Recall@10: full hits in seed 1 only, the row never.
        let full = vec![vec![1; 50], vec![20; 50]];
        let row = vec![vec![20; 50]; 2];
        let report = report(&[("full", full), ("no-reasons", row)]);
        let found = &report.rows[1].differences["recall@10"];
        assert_eq!(
            (found.users.low, found.users.mean, found.users.high),
            (0.5, 0.5, 0.5)
        );
        let wide = found.users_and_seeds;
        assert_eq!((wide.low, wide.mean, wide.high), (0.0, 0.5, 1.0));
    }

    #[test]
    fn p_values_are_corrected_over_all_rows_but_the_full_one() {
        let full = vec![(1..=12).map(|_| 1).collect::<Vec<u32>>()];
        let worse = vec![vec![9; 12]];
        let rows = [
            ("full", full.clone()),
            ("no-reasons", worse),
            ("ids-only", full),
        ];
        let report = report(&rows);
        // Twelve differences of one sign: 2 / 2¹², times two rows; no difference: 1.
        let test = |row: usize| report.rows[row].test.unwrap();
        assert_eq!(test(1).p, 2.0 / 4096.0);
        assert_eq!(test(1).p_holm, 4.0 / 4096.0);
        assert_eq!(test(2).p_holm, 1.0);
    }

    /// "w/o update" is "w/o correction" by another name: it makes nobody else's p-value larger.
    #[test]
    fn a_row_that_is_another_one_is_no_further_question() {
        let full = vec![vec![1; 12]];
        let worse = || vec![vec![9; 12]];
        let report = report(&[
            ("full", full.clone()),
            ("no-correction", worse()),
            ("no-update", worse()),
            ("ids-only", full),
        ]);
        let test = |row: usize| report.rows[row].test.unwrap();
        assert_eq!(test(1).p_holm, 4.0 / 4096.0, "two questions, not three");
        assert_eq!(test(2).p_holm, test(1).p_holm);
        assert!(
            report.method.contains("over the 2 different rows"),
            "{}",
            report.method
        );
    }

    #[test]
    fn a_table_survives_a_file_and_names_every_row() {
        let rows: Vec<(&str, Vec<Vec<u32>>)> = selected(&[])
            .unwrap()
            .iter()
            .enumerate()
            .map(|(at, row)| (row.name, vec![vec![1 + at as u32, 3, 12], vec![1, 2, 60]]))
            .collect();
        let report = report(&rows);
        let text = serde_json::to_string(&report).unwrap();
        let again: AblationReport = serde_json::from_str(&text).unwrap();
        assert_eq!(again, report);
        let table = report.to_string();
        for row in ROWS {
            assert!(
                table.lines().any(|line| line.starts_with(row.label)),
                "{table}"
            );
        }
        assert!(table.contains("seeds 1, 2"), "{table}");
    }
}
