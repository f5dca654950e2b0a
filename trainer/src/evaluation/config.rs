//! Settings of an evaluation.

use curec_shared_model::reward::RewardConfig;
use serde::{Deserialize, Serialize};

use super::ranking::{Example, SeenItems, Target, sample_examples};
use crate::data::Dataset;

/// A control that runs beside the real model: the same weights, something else to read. If it scores like the real one, what was
/// exchanged does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Reason vectors dealt anew among all reasons, and every user has another user's pattern.
    RandomTexts,
    /// Reason vectors dealt anew among all reasons.
    RandomReasons,
    /// Every item has the whole list of reasons of another item.
    SwappedReasons,
    /// Every user has another user's pattern.
    OtherPatterns,
    /// The model is shown none of the events that it would have seen.
    NoHistory,
}

impl Control {
    /// All of them, in the order of tables.
    pub const ALL: [Control; 5] = [
        Control::RandomTexts,
        Control::RandomReasons,
        Control::SwappedReasons,
        Control::OtherPatterns,
        Control::NoHistory,
    ];

    /// Name in results.
    pub fn name(self) -> &'static str {
        match self {
            Control::RandomTexts => "random texts",
            Control::RandomReasons => "random reasons",
            Control::SwappedReasons => "swapped reasons",
            Control::OtherPatterns => "other patterns",
            Control::NoHistory => "no history",
        }
    }

    /// What it means if the real model is not better.
    pub fn meaning(self) -> &'static str {
        match self {
            Control::RandomTexts => {
                "that the texts a user and an item have matter to the ranking is not shown"
            }
            Control::RandomReasons | Control::SwappedReasons => {
                "that the reasons an item has matter to the ranking is not shown"
            }
            Control::OtherPatterns => {
                "that the pattern a user has matters to the ranking is not shown"
            }
            Control::NoHistory => {
                "that what a user took before matters to the ranking is not shown"
            }
        }
    }

    /// Whether a model of this kind sees what the control exchanges.
    pub fn touches(self, model: &RewardConfig) -> bool {
        match self {
            Control::RandomTexts => model.use_reasons || model.use_patterns,
            Control::RandomReasons | Control::SwappedReasons => model.use_reasons,
            Control::OtherPatterns => model.use_patterns,
            Control::NoHistory => true,
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
    /// At most this many users are ranked, a sample that is the same in every run on the same data. None: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_users: Option<usize>,
    /// Length of the lists behind coverage and Gini.
    pub list_length: usize,
    /// Bootstrap resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of the resamples and of the controls. No setting: the stage puts the run's here. Stored settings say 42, and anything else
    /// is refused.
    pub seed: u64,
    /// Which controls run.
    pub controls: Vec<Control>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            target: Target::Test,
            seen_items: SeenItems::Filtered,
            max_users: None,
            list_length: 10,
            bootstrap_samples: 1000,
            seed: 42,
            controls: vec![Control::RandomTexts],
        }
    }
}

impl EvaluationConfig {
    /// Whose held-out event is ranked. A sample is not of the run's seed: runs with other seeds are compared user by user.
    pub fn examples(&self, data: &Dataset, target: Target) -> Vec<Example> {
        sample_examples(data, target, self.max_users.unwrap_or(0), 0)
    }
}
