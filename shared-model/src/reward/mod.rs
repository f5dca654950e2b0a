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

mod activation;
mod config;
mod encoder;
mod inference;
mod interest;
mod matching;
mod model;
mod storage;
#[cfg(test)]
mod tests;

pub use activation::{Activation, DICE_EPSILON};
pub use config::{ActivationKind, ConfigError, RewardConfig};
pub use encoder::{EncoderConfig, EncoderLayer, HistoryEncoder};
pub use inference::{HistoryBatch, ItemBatch, Scored, ages};
pub use interest::{Interest, InterestUnit};
pub use matching::{Matched, Probe, ProjectedReasons, ReasonMatch};
pub use model::{RewardModel, ScoreHead};
