//! What the reasons are worth on each recorded data set, in words that follow from the intervals.

use super::ablation::AblationResult;
use super::record::{Estimate, RunResult};

const IDS_ONLY: &str = "ids only";
const RANDOM: &str = "random texts";
const METRIC: &str = "ndcg@10";

/// One paragraph, a sentence or two for each data set; nothing where no model with texts was compared with one without. What an ablation
/// found over several seeds goes before what one run did.
pub fn paragraph(runs: &[RunResult], ablations: &[AblationResult]) -> String {
    let ablated = |name: &str| ablations.iter().find(|found| found.name == name);
    let other = |found: &&AblationResult| runs.iter().all(|run| run.name != found.name);
    let all = runs
        .iter()
        .map(|run| ablated(&run.name).map_or_else(|| Worth::of_run(run), Worth::of))
        .chain(ablations.iter().filter(other).map(Worth::of));
    let sentences: Vec<String> = all.filter_map(|found| found.sentence()).collect();
    if sentences.is_empty() {
        return String::new();
    }
    format!(
        "\n### What the reasons are worth to the ranking\n\nNDCG@10 of the model with texts less that of another one, paired over users, with \
         95 % bootstrap intervals, averaged over seeds where an ablation is recorded: of one trained on random texts (there only), of one on IDs \
         only, and of itself with random texts put in the place of its own, which tells whether it relies on them, not what they are worth. {}\n",
        sentences.join(" ")
    )
}

/// What the full model gains over others on a data set.
struct Worth<'a> {
    name: &'a str,
    /// Of an ablation.
    seeds: Option<usize>,
    over_random_training: Option<Estimate>,
    over_ids: Option<Estimate>,
    over_random_reading: Option<Estimate>,
    /// The first two where seeds are drawn as well.
    of_any_seeds: [Option<Estimate>; 2],
}

impl<'a> Worth<'a> {
    fn of(found: &'a AblationResult) -> Self {
        Self {
            name: &found.name,
            seeds: Some(found.seeds()),
            over_random_training: found.gain("random-texts-retrained", METRIC),
            over_ids: found.gain("ids-only", METRIC),
            over_random_reading: found.gain("random-texts", METRIC),
            of_any_seeds: ["random-texts-retrained", "ids-only"]
                .map(|row| found.gain_of_any_seeds(row, METRIC)),
        }
    }

    fn of_run(run: &'a RunResult) -> Self {
        Self {
            name: &run.name,
            seeds: None,
            over_random_training: None,
            over_ids: difference(run, IDS_ONLY),
            over_random_reading: difference(run, RANDOM),
            of_any_seeds: [None, None],
        }
    }

    fn sentence(&self) -> Option<String> {
        let seeds = match self.seeds {
            Some(1) => " (1 seed)".into(),
            Some(seeds) => format!(" ({seeds} seeds)"),
            None => String::new(),
        };
        let told = |found: Option<Estimate>, both: Option<Estimate>, all: [&'static str; 3]| {
            found.map(|found| {
                // What holds of these seeds need not hold of others.
                let of_these = both.filter(|both| found.low > 0.0 && both.low <= 0.0);
                let of_these = of_these.map_or_else(String::new, |both| {
                    format!(
                        " (of these seeds: where they are drawn as well, [{:+.4}, {:+.4}])",
                        both.low, both.high
                    )
                });
                format!("{}, {}{of_these}", words(&found, all), found.change(4))
            })
        };
        let parts = [
            // First: where it is nothing, whatever follows is not the texts' doing.
            told(
                self.over_random_training,
                self.of_any_seeds[0],
                [
                    "better than one trained on random texts",
                    "worse than one trained on random texts",
                    "not shown to be better than one trained on random texts",
                ],
            ),
            told(
                self.over_ids,
                self.of_any_seeds[1],
                [
                    "better than IDs only",
                    "worse than IDs only",
                    "not shown to be better or worse than IDs only",
                ],
            ),
            told(
                self.over_random_reading,
                None,
                [
                    "once trained it relies on what its texts say",
                    "once trained it ranks better with random texts",
                    "that it relies on what its texts say is not shown",
                ],
            ),
        ];
        self.over_ids?;
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Some(format!("**{}**{seeds}: {}.", self.name, parts.join("; ")))
    }
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
    let gains = run.results.gains(METRIC);
    gains
        .into_iter()
        .find_map(|(name, gain)| (name == other).then_some(gain))
}

#[cfg(test)]
mod tests {
    use super::super::record::{Comparison, FULL};
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
        let sentence = |run: &RunResult| Worth::of_run(run).sentence().expect("both are there");
        let better = run(&[
            (FULL, IDS_ONLY, [0.5, 0.25, 1.0]),
            (RANDOM, FULL, [-0.5, -1.0, -0.25]),
        ]);
        assert_eq!(
            sentence(&better),
            "**toy**: better than IDs only, +0.5000 [+0.2500, +1.0000]; once trained it relies on what its texts say, +0.5000 [+0.2500, \
             +1.0000]."
        );
        let neither = run(&[
            (IDS_ONLY, FULL, [0.5, -0.25, 1.0]),
            (FULL, RANDOM, [0.0, -0.5, 0.25]),
        ]);
        assert_eq!(
            sentence(&neither),
            "**toy**: not shown to be better or worse than IDs only, -0.5000 [-1.0000, +0.2500]; that it relies on what its texts say is not shown, \
             +0.0000 [-0.5000, +0.2500]."
        );
        let worse = run(&[(FULL, IDS_ONLY, [-0.5, -1.0, -0.25])]);
        assert_eq!(
            sentence(&worse),
            "**toy**: worse than IDs only, -0.5000 [-1.0000, -0.2500]."
        );
    }

    #[test]
    fn what_several_seeds_found_goes_before_what_one_run_did() {
        let estimate = |[mean, low, high]: [f64; 3]| Estimate { mean, low, high };
        let ablated = super::super::ablation::toy(&[
            (
                "ids-only",
                estimate([0.5, 0.25, 1.0]),
                Some(estimate([0.5, -0.25, 1.25])),
            ),
            (
                "random-texts-retrained",
                estimate([0.25, -0.25, 0.5]),
                Some(estimate([0.25, -0.5, 0.75])),
            ),
        ]);
        let worth = "(2 seeds): not shown to be better than one trained on random texts, +0.2500 [-0.2500, +0.5000]; better than IDs only, \
                     +0.5000 [+0.2500, +1.0000] (of these seeds: where they are drawn as well, [-0.2500, +1.2500]).";
        let run = run(&[(FULL, IDS_ONLY, [-0.5, -1.0, -0.25])]);
        for runs in [&[run][..], &[]] {
            let text = paragraph(runs, std::slice::from_ref(&ablated));
            assert!(text.ends_with(&format!("**toy** {worth}\n")), "{text}");
            assert_eq!(text.matches("**toy**").count(), 1);
        }
    }

    #[test]
    fn nothing_is_said_where_nothing_was_compared() {
        assert_eq!(paragraph(&[run(&[])], &[]), "");
        let runs = [run(&[(FULL, IDS_ONLY, [0.0, 0.0, 0.0])]), run(&[])];
        assert_eq!(paragraph(&runs, &[]).matches("**toy**").count(), 1);
    }
}
