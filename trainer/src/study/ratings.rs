//! What raters exported: read, checked against the key of the study, and joined with what was on which side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::content::{Condition, Key, KeyPair};

/// Says that no preference can be given.
pub const CANNOT_TELL: &str = "cannot_tell";
/// What an exported file calls itself.
pub const FORMAT: &str = "curec-study-ratings";

/// A rater's exported file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// [`FORMAT`]
    pub format: String,
    /// 1
    pub version: u32,
    /// Id of the study that was rated.
    pub study: String,
    /// Who rated, by the name they chose.
    pub rater: String,
    /// When they began, as the browser's clock says.
    pub started: String,
    /// When they exported.
    pub exported: String,
    /// One per pair that was answered.
    pub ratings: Vec<Rating>,
}

/// What a rater said of one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// Id of the pair.
    pub pair: String,
    /// As the how-manieth it was shown, from 0.
    pub place: usize,
    /// Id of the explanation shown first.
    pub left: String,
    /// Id of the one shown second.
    pub right: String,
    /// Id of the better one, or [`CANNOT_TELL`].
    pub preferred: String,
    /// By the explanations' ids.
    pub scores: BTreeMap<String, Scores>,
    /// When it was shown.
    pub shown: String,
    /// When it was answered.
    pub answered: String,
}

/// 1 (not at all) to 5 (very); nothing where the rater could not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Does it fit this person and this item?
    pub relevance: Option<u8>,
    /// Is it well formed and free of contradictions?
    pub coherence: Option<u8>,
}

/// A rating with its sides uncovered.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Index of the rater.
    pub rater: usize,
    /// Index of the pair in the key.
    pub pair: usize,
    /// What the run's reason was compared with.
    pub baseline: Condition,
    /// Whether the run's reason was preferred; nothing where the rater could not tell.
    pub reason_preferred: Option<bool>,
    /// Whether the run's reason stood first.
    pub reason_first: bool,
    /// Scores of the run's reason.
    pub reason: Scores,
    /// Scores of the baseline.
    pub other: Scores,
}

/// Why ratings are refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RatingsError {
    /// Not an export of the study's page.
    #[error(
        "{file} is no ratings file of a curec study: {message}; export it again with the page's own button"
    )]
    Unreadable {
        /// Name of the file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// Of another study.
    #[error(
        "{file} rates the study {found}, and the key is that of {expected}; give the key that was written beside the page \
         these ratings come from"
    )]
    OtherStudy {
        /// Name of the file.
        file: String,
        /// In the file.
        found: String,
        /// In the key.
        expected: String,
    },
    /// A pair or an explanation that the study does not have.
    #[error("{file}, pair {pair}: {message}; the file was changed after its export")]
    Foreign {
        /// Name of the file.
        file: String,
        /// The pair in question.
        pair: String,
        /// What does not fit.
        message: String,
    },
    /// A score that is not 1 to 5.
    #[error("{file}, pair {pair}: a {scale} of {value} was given; scores go from 1 to 5")]
    Range {
        /// Name of the file.
        file: String,
        /// The pair in question.
        pair: String,
        /// Which scale.
        scale: &'static str,
        /// What was given.
        value: u8,
    },
    /// The same rater rated the same pair twice.
    #[error(
        "{file}: rater {rater:?} has rated pair {pair} already; give each rater's newest file only"
    )]
    Twice {
        /// Name of the file.
        file: String,
        /// Who.
        rater: String,
        /// What.
        pair: String,
    },
    /// Nobody rated anything.
    #[error("these files hold no rating")]
    Empty,
}

/// Reads one exported file; `file` is its name for messages.
///
/// # Errors
/// It is not an export of this version.
pub fn parse(file: &str, text: &str) -> Result<Sheet, RatingsError> {
    let unreadable = |message: String| RatingsError::Unreadable {
        file: file.to_owned(),
        message,
    };
    let sheet: Sheet = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if (sheet.format.as_str(), sheet.version) != (FORMAT, 1) {
        return Err(unreadable(format!(
            "its format is {:?}, version {}",
            sheet.format, sheet.version
        )));
    }
    if sheet.rater.trim().is_empty() {
        return Err(unreadable("it names no rater".into()));
    }
    Ok(sheet)
}

/// Joins the files of all raters with the key.
///
/// # Errors
/// A file of another study, an unknown pair or explanation, a score out of range, a pair rated twice by the same rater.
pub fn join(sheets: &[(String, Sheet)], key: &Key) -> Result<Vec<Judgement>, RatingsError> {
    let mut raters: Vec<&str> = sheets.iter().map(|(_, sheet)| sheet.rater.trim()).collect();
    raters.sort_unstable();
    raters.dedup();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for (file, sheet) in sheets {
        if sheet.study != key.study {
            return Err(RatingsError::OtherStudy {
                file: file.clone(),
                found: sheet.study.clone(),
                expected: key.study.clone(),
            });
        }
        let rater = raters.binary_search(&sheet.rater.trim()).unwrap_or(0);
        for rating in &sheet.ratings {
            let (pair, sides) = key
                .pairs
                .iter()
                .enumerate()
                .find(|(_, pair)| pair.pair == rating.pair)
                .ok_or_else(|| foreign(file, rating, "the study has no such pair"))?;
            if !seen.insert((rater, pair)) {
                return Err(RatingsError::Twice {
                    file: file.clone(),
                    rater: sheet.rater.clone(),
                    pair: rating.pair.clone(),
                });
            }
            found.push(uncover(file, rating, rater, pair, sides)?);
        }
    }
    if found.is_empty() {
        return Err(RatingsError::Empty);
    }
    Ok(found)
}

fn foreign(file: &str, rating: &Rating, message: &str) -> RatingsError {
    RatingsError::Foreign {
        file: file.to_owned(),
        pair: rating.pair.clone(),
        message: message.to_owned(),
    }
}

fn uncover(
    file: &str,
    rating: &Rating,
    rater: usize,
    pair: usize,
    sides: &KeyPair,
) -> Result<Judgement, RatingsError> {
    let told: BTreeSet<&str> = [rating.left.as_str(), &rating.right].into();
    let known: BTreeSet<&str> = sides.conditions.keys().map(String::as_str).collect();
    let scored: BTreeSet<&str> = rating.scores.keys().map(String::as_str).collect();
    if told != known || scored != known {
        return Err(foreign(
            file,
            rating,
            "it names other explanations than the study has",
        ));
    }
    for (scale, value) in rating
        .scores
        .values()
        .flat_map(|one| [("relevance", one.relevance), ("coherence", one.coherence)])
    {
        if let Some(value) = value.filter(|value| !(1..=5).contains(value)) {
            return Err(RatingsError::Range {
                file: file.to_owned(),
                pair: rating.pair.clone(),
                scale,
                value,
            });
        }
    }
    let of = |reason: bool| {
        sides
            .conditions
            .iter()
            .find(|(_, condition)| (**condition == Condition::Reason) == reason)
    };
    let (Some((reason, _)), Some((other, baseline))) = (of(true), of(false)) else {
        return Err(foreign(
            file,
            rating,
            "the key does not say which of its explanations is the run's reason",
        ));
    };
    let reason_preferred = match rating.preferred.as_str() {
        CANNOT_TELL => None,
        id if id == reason => Some(true),
        id if id == other => Some(false),
        _ => {
            return Err(foreign(
                file,
                rating,
                "it prefers an explanation that was not shown",
            ));
        }
    };
    Ok(Judgement {
        rater,
        pair,
        baseline: *baseline,
        reason_preferred,
        reason_first: rating.left == *reason,
        reason: rating.scores[reason],
        other: rating.scores[other],
    })
}

#[cfg(test)]
#[path = "ratings_tests.rs"]
pub(super) mod tests;
