//! What the reasons are worth on each recorded data set, in words that follow from the intervals.

use std::fmt::Write;

use super::record::{Estimate, RunResult};

const FULL: &str = "full";
const IDS_ONLY: &str = "ids only";
const RANDOM: &str = "random texts";
const METRIC: &str = "ndcg@10";

/// One paragraph, a sentence or two for each run; nothing where no run has both models.
pub fn paragraph(runs: &[RunResult]) -> String {
    let sentences: Vec<String> = runs.iter().filter_map(sentence).collect();
    if sentences.is_empty() {
        return String::new();
    }
    format!(
        "\n### What the reasons are worth to the ranking\n\nNDCG@10 of the model with texts less that of the same model on IDs only, and less \
         its own on random texts, paired over users, with 95 % bootstrap intervals. {}\n",
        sentences.join(" ")
    )
}

fn sentence(run: &RunResult) -> Option<String> {
    let worth = difference(run, IDS_ONLY)?;
    let mut text = format!(
        "**{}**: {} than IDs only, {}",
        run.name,
        words(&worth, ["better", "worse", "neither better nor worse"]),
        signed(&worth)
    );
    if let Some(reads) = difference(run, RANDOM) {
        let _ = write!(
            text,
            "; what the texts say {}, {} against random ones",
            words(&reads, ["counts", "misleads", "makes no difference"]),
            signed(&reads)
        );
    }
    Some(text + ".")
}

/// The first if the whole interval is above 0, the second if it is below, else the third.
fn words(found: &Estimate, [above, below, neither]: [&'static str; 3]) -> &'static str {
    match found {
        Estimate { low, .. } if *low > 0.0 => above,
        Estimate { high, .. } if *high < 0.0 => below,
        _ => neither,
    }
}

fn difference(run: &RunResult, other: &str) -> Option<Estimate> {
    let all = run.results.comparisons.iter();
    let mut all = all.filter(|found| found.metric == METRIC);
    all.find_map(|found| {
        let Estimate { mean, low, high } = found.difference;
        if found.left == FULL && found.right == other {
            Some(found.difference)
        } else if found.left == other && found.right == FULL {
            Some(Estimate {
                mean: -mean,
                low: -high,
                high: -low,
            })
        } else {
            None
        }
    })
}

fn signed(value: &Estimate) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", value.mean, value.low, value.high)
}

#[cfg(test)]
mod tests {
    use super::super::record::Comparison;
    use super::super::sample;
    use super::*;

    fn run(comparisons: &[(&str, &str, [f64; 3])]) -> RunResult {
        let mut run: RunResult = serde_json::from_str(sample::FILE).expect("it is whole");
        let comparison = |&(left, right, [mean, low, high]): &(&str, &str, [f64; 3])| Comparison {
            metric: METRIC.into(),
            left: left.into(),
            right: right.into(),
            difference: Estimate { mean, low, high },
        };
        run.results.comparisons = comparisons.iter().map(comparison).collect();
        run
    }

    #[test]
    fn words_follow_from_intervals() {
        let better = run(&[
            (FULL, IDS_ONLY, [0.5, 0.25, 1.0]),
            (RANDOM, FULL, [-0.5, -1.0, -0.25]),
        ]);
        assert_eq!(
            sentence(&better).expect("both are there"),
            "**toy**: better than IDs only, +0.5000 [+0.2500, +1.0000]; what the texts say counts, +0.5000 [+0.2500, +1.0000] \
             against random ones."
        );
        let neither = run(&[
            (IDS_ONLY, FULL, [0.5, -0.25, 1.0]),
            (FULL, RANDOM, [0.0, -0.5, 0.25]),
        ]);
        assert_eq!(
            sentence(&neither).expect("both are there"),
            "**toy**: neither better nor worse than IDs only, -0.5000 [-1.0000, +0.2500]; what the texts say makes no difference, \
             +0.0000 [-0.5000, +0.2500] against random ones."
        );
        let worse = run(&[(FULL, IDS_ONLY, [-0.5, -1.0, -0.25])]);
        assert_eq!(
            sentence(&worse).expect("one is there"),
            "**toy**: worse than IDs only, -0.5000 [-1.0000, -0.2500]."
        );
    }

    #[test]
    fn nothing_is_said_where_nothing_was_compared() {
        assert_eq!(paragraph(&[run(&[])]), "");
        let runs = [run(&[(FULL, IDS_ONLY, [0.0, 0.0, 0.0])]), run(&[])];
        assert_eq!(paragraph(&runs).matches("**toy**").count(), 1);
    }
}
