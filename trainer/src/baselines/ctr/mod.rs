//! Click models: not which item a user takes next, but whether the user will like the one at hand.
//!
//! **DIN** (Zhou et al. 2018, arXiv 1706.06978) under RecBole's two protocols for such models ([`Clicks`]): whether a rating is
//! good, or whether an item was taken. Either is foretold from the user's fields, the item's fields and the items the user rated
//! before. Test labels are never part of an input: a history holds items without ratings.

mod data;
mod din;
mod metrics;
mod train;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::error::{BaselineError, at_least_one, within};
use super::registry::Chosen;
use crate::evaluation::Estimate;

pub use data::{Counts, CtrData, Part, UserFields};
pub use metrics::{Scored, auc, estimates, log_loss};
pub use train::{CtrEpoch, CtrEvent, CtrFitted, fit};

/// What a click model is asked, in RecBole's words for it (its `eval_args.mode`). Ratings of 3 are dropped in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Clicks {
    /// Whether a rating is 4 or more; ratings divided 8 : 1 : 1 at random
    #[default]
    Labeled,
    /// Whether an item was taken: each user's last two held out, each beside 100 items drawn uniformly
    Uni100,
}

impl Clicks {
    /// What counts as a positive, in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Labeled => "rating 4 or more; ratings of 3 dropped",
            Self::Uni100 => "taken, not drawn; ratings of 3 dropped",
        }
    }

    /// How examples are divided, in words.
    pub fn split(self) -> &'static str {
        match self {
            Self::Labeled => "ratings at random 8 : 1 : 1",
            Self::Uni100 => {
                "leave-one-out, 100 drawn items beside each held-out one; a fresh one beside each in training"
            }
        }
    }
}

/// Settings of DIN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DinConfig {
    /// Length of every field's vector.
    pub embedding: usize,
    /// Items before the one at hand that are looked at: the newest ones.
    pub history: usize,
    /// Hidden units of the unit that weighs a past item against the one at hand.
    pub interest_hidden: usize,
    /// Widths of the network's hidden layers.
    pub hidden: Vec<usize>,
    /// Share of the network's inputs that is set to 0 in training.
    pub dropout: f32,
    /// Of AdamW.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Ratings per step.
    pub batch: usize,
    /// Passes over the training ratings at most.
    pub epochs: usize,
    /// Epochs without a better validation AUC before training stops.
    pub patience: usize,
}

impl DinConfig {
    pub(super) fn validate(&self) -> Result<(), BaselineError> {
        for (field, value) in [
            ("embedding", self.embedding),
            ("history", self.history),
            ("interest_hidden", self.interest_hidden),
            ("hidden", self.hidden.iter().copied().min().unwrap_or(0)),
            ("epochs", self.epochs),
            ("patience", self.patience),
        ] {
            at_least_one(field, value)?;
        }
        // An item's vector is three fields, and the weighing unit wants an even width.
        let even = self.embedding.is_multiple_of(2);
        within("embedding", self.embedding as f64, even, "be even")?;
        within("batch", self.batch as f64, self.batch > 1, "be at least 2")?;
        let dropout = f64::from(self.dropout);
        within(
            "dropout",
            dropout,
            (0.0..1.0).contains(&dropout),
            "lie in [0, 1)",
        )?;
        let rate = self.learning_rate;
        within(
            "learning_rate",
            rate,
            rate > 0.0 && rate.is_finite(),
            "be above 0",
        )?;
        let decay = self.weight_decay;
        let inside = decay >= 0.0 && decay.is_finite();
        within("weight_decay", decay, inside, "not be negative")
    }
}

/// How a click model's numbers were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CtrProtocol {
    /// Always `ctr`.
    pub name: String,
    /// Data set.
    pub data: String,
    /// SHA-256 of every example with its part, and of the fields.
    pub data_sha256: String,
    /// What counts as a positive, in words.
    pub label: String,
    /// How it was divided, in words.
    pub split: String,
    /// Users, items, ratings by part, share of positives.
    #[serde(flatten)]
    pub counts: Counts,
    /// Resamples of users behind each interval.
    pub bootstrap_samples: usize,
}

/// A click model's numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CtrResult {
    /// Version of this format.
    pub format: u32,
    /// Name of the model.
    pub model: String,
    /// How.
    pub protocol: CtrProtocol,
    /// The model's settings, every one.
    pub settings: DinConfig,
    /// The search that chose them, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// Seed of the split, the weights and the order.
    pub seed: u64,
    /// Version of this program.
    pub version: String,
    /// Commit of its sources, where they are in a repository.
    pub commit: Option<String>,
    /// `auc` and `log_loss` on the test part, with 95 % intervals over users.
    pub metrics: BTreeMap<String, Estimate>,
    /// Learned values.
    pub parameters: usize,
    /// The epoch that was kept, by validation AUC.
    pub best_epoch: usize,
    /// Every epoch.
    pub epochs: Vec<CtrEpoch>,
    /// The device in words.
    pub device: String,
    /// How long it took.
    pub seconds: super::Seconds,
    /// Largest resident memory of the process, in MiB.
    pub peak_memory_mib: Option<u64>,
}
