//! Settings of an evaluation.

use curec_shared_model::reward::RewardConfig;
use serde::{Deserialize, Serialize};

use super::ranking::{SeenItems, Target};

/// A control that runs beside the real model: the same weights, other texts. If it scores like the real one, the texts do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Reason vectors dealt anew among all reasons, and every user has another user's pattern.
    RandomTexts,
    /// Reason vectors dealt anew among all reasons.
    RandomReasons,
    /// Every user has another user's pattern.
    OtherPatterns,
}

impl Control {
    /// Whether a model of this kind sees what the control exchanges.
    pub fn touches(self, model: &RewardConfig) -> bool {
        match self {
            Control::RandomTexts => model.use_reasons || model.use_patterns,
            Control::RandomReasons => model.use_reasons,
            Control::OtherPatterns => model.use_patterns,
        }
    }
}

/// How results are measured (EVALUATION.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Which held-out event is ranked.
    pub target: Target,
    /// Whether items taken before compete.
    pub seen_items: SeenItems,
    /// Length of the lists behind coverage and Gini.
    pub list_length: usize,
    /// Bootstrap resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of the resamples and of the controls.
    pub seed: u64,
    /// Which controls run.
    pub controls: Vec<Control>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            list_length: 10,
            bootstrap_samples: 1000,
            seed: 42,
            controls: vec![Control::RandomTexts],
        }
    }
}
