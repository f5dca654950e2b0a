//! What the reasons are worth on each recorded data set, in words that follow from the intervals.

use std::fmt::Write;

use super::ablation::AblationResult;
use super::record::{Estimate, RunResult};

const FULL: &str = "full";
const IDS_ONLY: &str = "ids only";
const RANDOM: &str = "random texts";
const METRIC: &str = "ndcg@10";

/// One paragraph, a sentence or two for each run; nothing where no run has both models.
pub fn paragraph(runs: &[RunResult], ablations: &[AblationResult]) -> String {
    let of_run = |run: &RunResult| {
        let ablation = ablations.iter().find(|found| found.name == run.name);
        let trained = ablation.and_then(|found| found.over_random_texts(METRIC));
        sentence(run, trained)
    };
    let sentences: Vec<String> = runs.iter().filter_map(of_run).collect();
    if sentences.is_empty() {
        return String::new();
    }
    format!(
        "\n### What the reasons are worth to the ranking\n\nNDCG@10 of the model with texts less that of another one, paired over users, with \
         95 % bootstrap intervals: of one trained on random texts (where an ablation is recorded), of one on IDs only, and of itself with random \
         texts put in the place of its own, which tells whether it relies on them, not what they are worth. {}\n",
        sentences.join(" ")
    )
}

/// `trained`: what the full model gains over one trained on random texts, and over how many seeds.
fn sentence(run: &RunResult, trained: Option<(Estimate, usize)>) -> Option<String> {
    let worth = difference(run, IDS_ONLY)?;
    let mut text = format!("**{}**: ", run.name);
    // First: where it is nothing, whatever follows is not the texts' doing.
    if let Some((gain, seeds)) = trained {
        let plural = if seeds == 1 { "" } else { "s" };
        let _ = write!(
            text,
            "{} one trained on random texts, {} ({seeds} seed{plural}); ",
            words(
                &gain,
                ["better than", "worse than", "not shown to be better than"]
            ),
            signed(&gain),
        );
    }
    let _ = write!(
        text,
        "{} than IDs only, {}",
        words(&worth, ["better", "worse", "neither better nor worse"]),
        signed(&worth)
    );
    if let Some(reads) = difference(run, RANDOM) {
        let told = [
            "once trained it relies on what its texts say",
            "once trained it ranks better with random texts",
            "that it relies on what its texts say is not shown",
        ];
        let _ = write!(text, "; {}, {}", words(&reads, told), signed(&reads));
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
            sentence(&better, None).expect("both are there"),
            "**toy**: better than IDs only, +0.5000 [+0.2500, +1.0000]; once trained it relies on what its texts say, +0.5000 [+0.2500, \
             +1.0000]."
        );
        let neither = run(&[
            (IDS_ONLY, FULL, [0.5, -0.25, 1.0]),
            (FULL, RANDOM, [0.0, -0.5, 0.25]),
        ]);
        assert_eq!(
            sentence(&neither, None).expect("both are there"),
            "**toy**: neither better nor worse than IDs only, -0.5000 [-1.0000, +0.2500]; that it relies on what its texts say is not shown, \
             +0.0000 [-0.5000, +0.2500]."
        );
        let worse = run(&[(FULL, IDS_ONLY, [-0.5, -1.0, -0.25])]);
        assert_eq!(
            sentence(&worse, None).expect("one is there"),
            "**toy**: worse than IDs only, -0.5000 [-1.0000, -0.2500]."
        );
        let gain = Estimate {
            mean: 0.25,
            low: -0.25,
            high: 0.5,
        };
        assert_eq!(
            sentence(&worse, Some((gain, 3))).expect("one is there"),
            "**toy**: not shown to be better than one trained on random texts, +0.2500 [-0.2500, +0.5000] (3 seeds); worse than IDs \
             only, -0.5000 [-1.0000, -0.2500]."
        );
    }

    #[test]
    fn nothing_is_said_where_nothing_was_compared() {
        assert_eq!(paragraph(&[run(&[])], &[]), "");
        let runs = [run(&[(FULL, IDS_ONLY, [0.0, 0.0, 0.0])]), run(&[])];
        assert_eq!(paragraph(&runs, &[]).matches("**toy**").count(), 1);
    }
}
