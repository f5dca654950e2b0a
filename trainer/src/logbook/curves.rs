//! Metrics as curves: a value per step and name.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::lines::{Lines, News};

/// Metrics that lead, in this order; the others follow by name.
const FIRST: [&str; 14] = [
    "reward",
    "rewards/*/mean",
    "loss",
    "entropy",
    "kl",
    "completions/mean_length",
    "clip_ratio/region_mean",
    "grad_norm",
    "frac_reward_zero_std",
    "reward_std",
    "tokens_per_second",
    "step_time",
    "rewards/*",
    "completions/*",
];

/// The metrics and times of one stage.
#[derive(Debug, Default)]
pub struct Training {
    metrics: Curves,
    timing: Curves,
}

/// The curves of one file.
#[derive(Debug, Default)]
struct Curves {
    lines: Lines,
    steps: u64,
    by_name: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Training {
    /// Reads on in a stage's folder.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(&mut self, folder: &Path) -> Result<()> {
        self.metrics.read(&folder.join("metrics.jsonl"))?;
        self.timing.read(&folder.join("timing.jsonl"))
    }

    /// Steps that were written down; the first of them may be missing.
    pub fn steps(&self) -> u64 {
        self.metrics.steps
    }

    /// Names of all metrics that have a value, the most telling first.
    pub fn names(&self) -> Vec<&str> {
        let both = self
            .metrics
            .by_name
            .keys()
            .chain(self.timing.by_name.keys());
        let mut names: Vec<&str> = both.map(String::as_str).collect();
        let rank = |name: &str| {
            let leads = |first: &&str| match first.split_once('*') {
                Some((start, end)) => name.starts_with(start) && name.ends_with(end),
                None => name == *first,
            };
            FIRST.iter().position(leads).unwrap_or(FIRST.len())
        };
        names.sort_by_key(|name| (rank(name), *name));
        names.dedup();
        names
    }

    /// Step and value of a metric, in the order of the steps.
    pub fn values(&self, name: &str) -> &[(f64, f64)] {
        let metrics = self.metrics.by_name.get(name);
        let values = metrics.or_else(|| self.timing.by_name.get(name));
        values.map_or(&[], Vec::as_slice)
    }

    /// Whether it was trained by rewards, so that [`crate::grpo::LOSS_NEAR_ZERO`] is true of its loss.
    pub fn by_rewards(&self) -> bool {
        !self.values("reward").is_empty()
    }
}

impl Curves {
    fn read(&mut self, path: &Path) -> Result<()> {
        let Self {
            lines,
            steps,
            by_name,
        } = self;
        lines.read(path, |news| match news {
            News::Anew => {
                *steps = 0;
                by_name.clear();
            }
            News::Line(line) => {
                let Some(step) = line.get("step").and_then(serde_json::Value::as_u64) else {
                    return;
                };
                *steps = step + 1;
                for (name, value) in line.iter().filter(|(name, _)| *name != "step") {
                    if let Some(value) = value.as_f64() {
                        let curve = by_name.entry(name.clone()).or_default();
                        curve.push((step as f64, value));
                    }
                }
            }
        })
    }
}

/// At most `points` points: longer curves are averaged over equal stretches.
pub fn thinned(values: &[(f64, f64)], points: usize) -> Vec<(f64, f64)> {
    let stretch = values.len().div_ceil(points.max(1)).max(1);
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        let sum = part
            .iter()
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 / count, sum.1 / count)
    };
    values.chunks(stretch).map(mean).collect()
}

/// A number with as many digits as one reads.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.2e}")
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_metrics_lead_and_those_without_a_value_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write(
            "metrics.jsonl",
            "{\"step\":0,\"loss\":0.5,\"kl\":null,\"rewards/legal/std\":0,\"rewards/legal/mean\":1}\n{\"step\":1,\"reward\":2,\"a\":1,\"loss\":-1}\n",
        );
        write("timing.jsonl", "{\"step\":0,\"step_time\":3}\n");
        let mut training = Training::default();
        training.read(folder.path()).unwrap();
        let names = [
            "reward",
            "rewards/legal/mean",
            "loss",
            "step_time",
            "rewards/legal/std",
            "a",
        ];
        assert_eq!(training.names(), names);
        assert_eq!(training.values("loss"), [(0.0, 0.5), (1.0, -1.0)]);
        assert_eq!(training.values("step_time"), [(0.0, 3.0)]);
        assert!(training.values("kl").is_empty() && training.by_rewards());
        assert_eq!(training.steps(), 2);
        // Another attempt has other metrics.
        write("metrics.jsonl", "{\"step\":0,\"loss\":7.25}\n");
        training.read(folder.path()).unwrap();
        assert_eq!(training.names(), ["loss", "step_time"]);
        assert_eq!(training.steps(), 1);
    }

    #[test]
    fn long_curves_are_averaged() {
        let values: Vec<(f64, f64)> = (0..1000)
            .map(|x| (f64::from(x), f64::from(x % 2)))
            .collect();
        let shown = thinned(&values, 160);
        assert!(shown.len() <= 160 && (shown[3].1 - 0.5).abs() < 0.1);
    }

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.12345, "0.123"),
            (1234.5, "1234"),
            (1e-5, "1.00e-5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
