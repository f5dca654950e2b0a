//! What the numbers say, in sentences made from them; what speaks against a run comes first.

use serde::Serialize;

use super::exam::right_answers;
use super::files::RunFiles;
use crate::evaluation::{Estimate, FULL, IDS_ONLY, Metric, POPULARITY, Results};
use crate::run::Stage;
use crate::stages::BEFORE_CORRECTION as BEFORE;

/// What one run is worth.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    run: usize,
    /// Whether there are results.
    ranked: bool,
    /// What must be read before the numbers.
    warnings: Vec<String>,
    findings: Vec<Finding>,
}

/// A sentence and whether it speaks for the run.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    sign: Sign,
    text: String,
}

/// Which way an interval lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Sign {
    Above,
    Around,
    Below,
}

impl Sign {
    fn of(found: &Estimate) -> Self {
        if found.low > 0.0 {
            Self::Above
        } else if found.high < 0.0 {
            Self::Below
        } else {
            Self::Around
        }
    }
}

pub(super) fn section(runs: &[RunFiles]) -> Vec<Verdict> {
    let of = |(place, run): (usize, &RunFiles)| {
        let results = run.results.as_ref();
        let trained = run.book.stages().iter();
        let told = trained.flat_map(|log| {
            let name = log.stage.name();
            let told = log.warnings.all().iter();
            told.map(move |(step, text)| format!("{name}, from step {step}: {text}"))
        });
        let measured = results.map(|results| results.warnings.clone());
        let open = Stage::ALL
            .into_iter()
            .filter(|stage| run.record(*stage).is_none());
        let open: Vec<&str> = open.map(Stage::name).collect();
        let unfinished = (!open.is_empty()).then(|| {
            format!(
                "Not finished, or under way again: {}. Where numbers of these stages are shown, they are of an older attempt, or \
                 of as much as there is",
                open.join(", ")
            )
        });
        Verdict {
            run: place,
            ranked: results.is_some(),
            warnings: unfinished
                .into_iter()
                .chain(measured.into_iter().flatten())
                .chain(told)
                .map(|text| text.trim_end_matches('.').to_owned())
                .collect(),
            findings: alignment(run)
                .into_iter()
                .chain(results.map(findings).unwrap_or_default())
                .collect(),
        }
    };
    runs.iter().enumerate().map(of).collect()
}

/// The full model against each other one, in NDCG@10.
fn findings(results: &Results) -> Vec<Finding> {
    let metric = Metric::Ndcg(10);
    let rivals = results.models.iter().filter(|model| model.name != FULL);
    let found = rivals.filter_map(|rival| {
        let gain = results.difference(&metric.name(), FULL, &rival.name)?;
        Some((subject(&rival.name), gain))
    });
    found
        .map(|(subject, gain)| finding(&subject, &gain, "NDCG@10"))
        .collect()
}

/// What GRPO taught the language model, if it was examined.
fn alignment(run: &RunFiles) -> Option<Finding> {
    let gain = right_answers(run)?;
    let subject = "The alignment (right answers of the language model, after − before)";
    Some(finding(subject, &gain, "of the answers"))
}

/// What the difference to this rival is the worth of.
fn subject(rival: &str) -> String {
    match rival {
        POPULARITY => "The whole model, against counting who took what".to_owned(),
        IDS_ONLY => format!(
            "Having texts, by whatever of them (`{FULL}` − `{IDS_ONLY}`; only training on random texts, `curec ablate`, tells whether by what \
             they say)"
        ),
        BEFORE => format!("The correction (`{FULL}` − `{BEFORE}`)"),
        control => format!("Reading what belongs there, once trained (`{FULL}` − `{control}`)"),
    }
}

fn finding(subject: &str, gain: &Estimate, of: &str) -> Finding {
    let sign = Sign::of(gain);
    let meaning = match sign {
        Sign::Above => "that is a gain",
        Sign::Around => "that can be chance: the interval holds 0",
        Sign::Below => "that is a loss",
    };
    Finding {
        sign,
        text: format!(
            "{subject}: {:+.4} {of}, 95 % interval {:+.4} to {:+.4}; {meaning}.",
            gain.mean, gain.low, gain.high
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::tests::results;
    use super::*;

    #[test]
    fn a_sentence_says_what_its_interval_allows() {
        // Everybody's rank is 3 on IDs only and 1 with texts: NDCG 0.5 and 1. Random texts are as good as real ones.
        let results = results(&[
            (IDS_ONLY, &[3, 3, 3]),
            (FULL, &[1, 1, 1]),
            ("random texts", &[1, 1, 1]),
        ]);
        let found = findings(&results);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].sign, Sign::Above);
        assert_eq!(
            found[0].text,
            "Having texts, by whatever of them (`full` − `ids only`; only training on random texts, `curec ablate`, tells whether by what \
             they say): +0.5000 NDCG@10, 95 % interval +0.5000 to +0.5000; that is a gain."
        );
        assert_eq!(found[1].sign, Sign::Around);
        assert!(found[1].text.contains("can be chance"));
        let loss = Estimate {
            mean: -0.2,
            low: -0.3,
            high: -0.1,
        };
        assert_eq!(finding("It", &loss, "NDCG@10").sign, Sign::Below);
    }
}
