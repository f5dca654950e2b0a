//! Asks all metrics of a run: its reasons as `generate` wrote them and as `correct` left them, each with the ranking model that
//! was trained on them.

mod model;
mod texts;

use std::sync::atomic::AtomicBool;

use thiserror::Error;

use self::model::model_tally;
use self::texts::{Judge, list_tally, wanted_texts};
use super::diversity::diversity;
use super::drift::{Rewritten, deciles};
use super::results::{Explanations, Scope, rows};
use crate::evaluation::Target;
use crate::past::LeakError;
use crate::reward::stores::ReasonEntry;
use crate::reward::{Features, ScoreError, Scorer};
use crate::text::{Frequencies, RenderOptions, Vocabulary};

/// Why explanations could not be measured.
#[derive(Debug, Error)]
pub enum ExplanationError {
    /// A ranking model could not score.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// An interaction that does not exist.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// The stop flag was raised.
    #[error("measuring the explanations was interrupted")]
    Interrupted,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The moment at which lists are looked at: before each person's held-out event.
    pub target: Target,
    /// Best unseen items a person whose lists are looked at (faithfulness).
    pub items: usize,
    /// Own reasons a person (personalisation margin) …
    pub reasons: usize,
    /// … each against this many others.
    pub others: usize,
    /// Permutations of attention behind each permuted ρ.
    pub permutations: usize,
    /// Resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
}

/// Texts and the model trained on them.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Stores.
    pub features: Features<'a>,
    /// Over the same stores.
    pub scorer: &'a Scorer<'a>,
}

/// Rows about texts, in the order in which they are shown.
const TEXTS: [&str; 12] = [
    "hallucination rate",
    "reasons that hallucinate",
    "unverifiable claims",
    "claims a reason",
    "tastes a reason",
    "tastes in the pattern",
    "tastes in the history",
    "unfounded tastes",
    "reasons that stutter",
    "cause precision",
    "cause precision by chance",
    "cause recall",
];
/// The last row about texts: of the causes those that an attribute can name.
const TASTE_RECALL: &str = "cause recall, tastes only";
/// Rows about lists, per item.
const LISTS: [&str; 2] = ["lists without repetition", "different reasons of a list"];
/// Rows about the ranking model.
const MODEL: [&str; 13] = [
    "comprehensiveness",
    "comprehensiveness, permuted",
    "comprehensiveness, gain",
    "sufficiency",
    "sufficiency, permuted",
    "sufficiency, gain",
    "signed change",
    "signed change, permuted",
    "signed change, gain",
    "attention ρ",
    "attention ρ, permuted",
    "attention ρ, gain",
    "personalisation margin",
];
/// Names of the scopes.
pub const ALL: &str = "all reasons";
/// The reasons that correction wrote anew.
pub const REWRITTEN: &str = "reasons written anew";
/// What the ranking model makes of them.
pub const RANKING: &str = "ranking model";

/// Measures both sides. `pass` is the correction in its own order, `options` what prompts show of items; `observer` is told how
/// many people of how many are done.
///
/// # Errors
/// A model that cannot score, a raised stop flag.
pub fn measure(
    sides: [Side; 2],
    pass: &[Rewritten],
    options: &RenderOptions,
    settings: &Settings,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(usize, usize),
) -> Result<Explanations, ExplanationError> {
    let data = sides[0].features.timeline.data();
    let people = data.users.len();
    let judge = Judge {
        vocabulary: Vocabulary::of(&data.items),
        shares: Frequencies::of(&data.items, options),
    };
    let [before, after] = sides.map(|side| side.features);
    let anew = |entry: &ReasonEntry| {
        let row = before.reasons.of_source(entry.user, entry.position);
        row.is_none_or(|row| {
            let old = before.reasons.entry(row);
            let new = after.reasons.of_source(entry.user, entry.position);
            new.is_some_and(|new| after.reasons.entry(new).policy_version != old.policy_version)
        })
    };
    let (samples, seed) = (settings.bootstrap_samples, settings.seed);
    let text_names: Vec<&str> = TEXTS.into_iter().chain([TASTE_RECALL]).collect();
    let text_scope = |name: &str, wanted: &dyn Fn(&ReasonEntry) -> bool| {
        let tallies = [before, after].map(|features| judge.texts(&features, wanted));
        let [one, other] = tallies.map(|tally| tally.map_err(ExplanationError::from));
        Ok::<_, ExplanationError>(Scope {
            name: name.to_owned(),
            rows: rows(&one?, &other?, &text_names, samples, seed),
            diversity: Some([before, after].map(|features| {
                let texts = wanted_texts(&features, wanted);
                diversity(&texts, &judge.vocabulary)
            })),
        })
    };
    let mut all = text_scope(ALL, &|_| true)?;
    let [one, other] = [before, after].map(|features| list_tally(&features));
    all.rows.extend(rows(&one, &other, &LISTS, samples, seed));
    let rewritten = after
        .reasons
        .entries()
        .iter()
        .filter(|entry| anew(entry))
        .count();
    let mut scopes = vec![all];
    if rewritten > 0 {
        scopes.push(text_scope(REWRITTEN, &anew)?);
    }
    if sides
        .iter()
        .all(|side| side.scorer.model().config().use_reasons)
    {
        let mut tallies = Vec::with_capacity(2);
        for (index, side) in sides.iter().enumerate() {
            let done = index * people;
            tallies.push(model_tally(side, settings, stop, &mut |more| {
                observer(done + more, 2 * people);
            })?);
        }
        scopes.push(Scope {
            name: RANKING.to_owned(),
            rows: rows(&tallies[0], &tallies[1], &MODEL, samples, seed),
            diversity: None,
        });
    }
    let mut found = Explanations {
        data: data.name.clone(),
        reasons: after.reasons.len(),
        rewritten,
        people,
        bootstrap_samples: samples,
        seed,
        warnings: Vec::new(),
        scopes,
        drift: deciles(pass, &judge.vocabulary),
    };
    found.warnings = warnings(&found);
    Ok(found)
}

/// What attention does not show, said first.
fn warnings(found: &Explanations) -> Vec<String> {
    let gains = ["comprehensiveness, gain", "attention ρ, gain"];
    let warning = |name: &&str| {
        let gain = found.row(RANKING, name)?.after;
        (gain.low <= 0.0).then(|| {
            format!(
                "attention does not tell better than chance which reasons moved a score ({name} {:+.4}, 95 % [{:+.4}, {:+.4}])",
                gain.mean, gain.low, gain.high
            )
        })
    };
    let against = || {
        let gain = found.row(RANKING, "signed change, gain")?.after;
        (gain.high < 0.0).then(|| {
            format!(
                "the most attended reasons speak against the titles they are attached to: without them scores rise (signed change, gain \
                 {:+.4}, 95 % [{:+.4}, {:+.4}])",
                gain.mean, gain.low, gain.high
            )
        })
    };
    gains.iter().filter_map(warning).chain(against()).collect()
}

#[cfg(test)]
mod tests;
