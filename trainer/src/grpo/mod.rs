//! Group-relative policy optimisation (METHOD §1; DeepSeekMath, arXiv 2402.03300): advantages, penalties and losses as
//! small pure functions, and optimiser steps on groups of sampled completions.

mod advantage;
mod batch;
mod kl;
mod loss;
mod step;

pub use advantage::{AdvantageScale, Advantages, advantages, moments};
pub use batch::Group;
pub use kl::{KlPenalty, k3};
pub use loss::{LossInputs, LossKind, LossSettings, grpo_loss};
pub use step::{GrpoConfig, StepReport, grpo_step};

/// What people who look at the loss of GRPO should know.
pub const LOSS_NEAR_ZERO: &str =
    "The loss of GRPO is near 0 while samples are fresh, by construction: look at the reward.";
