//! The reward model (CURec §4.3, Eq. 5–11; METHOD §2): a sequential recommender whose item inputs carry reasons.
//!
//! ```text
//! pattern text ─▶ e(P) ─────────────┬──────────────────────────────┐
//! reason texts ─▶ keys, values ─▶ match ─▶ m ─▶ x = [ID ; m]        │
//!                                              │                   │
//!                 history x ─▶ encoder ─▶ H ─▶ DIN(H, x) ─▶ z ─▶ MLP([z ; x ; e(P)]) ─▶ σ
//! ```
//!
//! The score of `(user, item)` given a reason list is the reward of a reason (METHOD §3). The model is trained natively and
//! runs in the browser: no clock, file or thread here, and no synchronous read from a device in a forward pass.

#[cfg(feature = "tensors")]
mod activation;
mod config;
#[cfg(feature = "tensors")]
mod encoder;
#[cfg(feature = "tensors")]
mod inference;
#[cfg(feature = "tensors")]
mod interest;
#[cfg(feature = "tensors")]
mod matching;
#[cfg(feature = "tensors")]
mod model;
#[cfg(feature = "tensors")]
mod storage;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

#[cfg(feature = "tensors")]
pub use activation::Activation;
pub use config::{ActivationKind, ConfigError, DICE_EPSILON, RewardConfig};
#[cfg(feature = "tensors")]
pub use encoder::{EncoderConfig, EncoderLayer, HistoryEncoder};
#[cfg(feature = "tensors")]
pub use inference::{HistoryBatch, ItemBatch, Scored, ages};
#[cfg(feature = "tensors")]
pub use interest::{Interest, InterestUnit};
#[cfg(feature = "tensors")]
pub use matching::{Matched, Probe, ProjectedReasons, ReasonMatch};
#[cfg(feature = "tensors")]
pub use model::{RewardModel, ScoreHead};
