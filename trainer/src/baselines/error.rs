//! Why a baseline could not be had.

use thiserror::Error;

use super::sequential::SequentialError;
use crate::data::DataError;
use crate::device::DeviceError;
use crate::evaluation::{EvaluationError, RankError};
use crate::reward::{RewardTrainingError, ScoreError};

/// Why a baseline could not be had.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// Settings that are no settings of this model.
    #[error("settings of {model}: {problem}")]
    Settings {
        /// The model.
        model: &'static str,
        /// The parser's words, or what is wrong with a value.
        problem: String,
    },
    /// Settings that make another model of it.
    #[error(
        "settings of {model}: `{field}` is {found}, and in {model} it is {expected}: name the model that these settings are of, or leave \
         `{field}` as configs/baselines/{model}.toml has it"
    )]
    OtherModel {
        /// The model that was asked for.
        model: &'static str,
        /// The setting.
        field: &'static str,
        /// As given.
        found: String,
        /// What the model's name stands for.
        expected: String,
    },
    /// A value out of its range.
    #[error("`{field}` is {value}; it must {must}")]
    Value {
        /// The field.
        field: &'static str,
        /// As given.
        value: String,
        /// What would do, e.g. "be at least 1".
        must: &'static str,
    },
    /// A declared search space that cannot be drawn from.
    #[error("[search] {key}: {problem}")]
    Space {
        /// The setting.
        key: String,
        /// What is wrong and what would do.
        problem: String,
    },
    /// The data could not be read or split.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A click model without labels.
    #[error("a click model needs ratings, and this log has interactions without one")]
    NoRatings,
    /// There is nothing to learn from.
    #[error("there is nothing to train on: too few interactions are left for training")]
    NoTraining,
    /// The model cannot be chosen without looking at test.
    #[error(
        "no user has a validation event, and nothing else may choose a model: use a split that has one"
    )]
    NoValidation,
    /// The loss is no number any more.
    #[error("the loss became {loss} in epoch {epoch}; lower `learning_rate`")]
    Diverged {
        /// 1-based.
        epoch: usize,
        /// The loss.
        loss: f32,
    },
    /// No such device.
    #[error(transparent)]
    NoDevice(#[from] DeviceError),
    /// Values did not come back from the device.
    #[error("the device failed: {0}")]
    Device(String),
    /// Ranking failed.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// The evaluation failed.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A sequential model could not be trained.
    #[error(transparent)]
    Sequential(#[from] SequentialError),
    /// The reward model could not be trained.
    #[error(transparent)]
    Reward(#[from] RewardTrainingError),
    /// The reward model could not score.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A model that reads texts was given none.
    #[error(
        "this model reads patterns and reasons, and there are none: give --run RUN, a run whose stage `generate` is done"
    )]
    NoTexts,
    /// The stop flag was raised.
    #[error("interrupted: a model that is half trained is not reported")]
    Interrupted,
}

/// Refuses a count of 0.
pub(super) fn at_least_one(field: &'static str, value: usize) -> Result<(), BaselineError> {
    if value > 0 {
        return Ok(());
    }
    Err(BaselineError::Value {
        field,
        value: value.to_string(),
        must: "be at least 1",
    })
}

/// Refuses what is not inside.
pub(super) fn within(
    field: &'static str,
    value: f64,
    inside: bool,
    must: &'static str,
) -> Result<(), BaselineError> {
    if inside {
        return Ok(());
    }
    Err(BaselineError::Value {
        field,
        value: value.to_string(),
        must,
    })
}
