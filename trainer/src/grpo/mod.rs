//! Group-relative policy optimisation (METHOD §1; DeepSeekMath, arXiv 2402.03300): advantages and losses as small pure
//! functions, and one optimiser step on a group of sampled completions.

mod advantage;
mod loss;
mod step;

pub use advantage::{Advantages, group_advantages};
pub use loss::{LossInputs, LossKind, LossSettings, grpo_loss, k3};
pub use step::{Completion, Group, GrpoConfig, StepReport, grpo_step};
