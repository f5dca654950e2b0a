//! Training and using the reward model (METHOD §2): stores of texts, features, batches, training, full-catalogue scores, and the reward of
//! a reason (METHOD §3).

mod batch;
mod catalogue;
mod config;
mod features;
mod forward;
pub mod score;
mod state_loss;
mod step;
pub mod stores;
pub mod train;

pub use config::{Keep, RewardLoss, RewardTrainingConfig, TextStart};
pub use features::Features;
pub use score::{ReasonRewards, ScoreError, Scorer};
pub use train::{RewardTrainingError, train, train_identities};

#[cfg(test)]
mod catalogue_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::data as toy_data;
