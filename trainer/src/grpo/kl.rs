//! Penalties that hold a policy near a reference, per token (Schulman, "Approximating KL divergence", 2020).
//!
//! A penalty inside a loss is differentiated, and an estimator that is unbiased as a *value* need not be so as a
//! *gradient*. On samples of π, the mean gradient of k3 is that of KL(π_ref ‖ π), the wrong direction; that of k2, and of
//! k3 weighted by the ratio ρ, is that of KL(π ‖ π_ref) (arXiv 2510.01555; "unbiased KL" of DeepSeek-V3.2).
//! `tests/grpo_gradients.rs` adds up every token of a small vocabulary to show it.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the divergence KL(π ‖ π_ref) enters the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlPenalty {
    /// `e^{ref − π} − (ref − π) − 1`: the paper's and TRL's. Its value is right, its gradient is not.
    #[default]
    K3,
    /// `(π − ref)² / 2`: its gradient is right on policy, its value is not the divergence.
    K2,
    /// `ρ · k3` with `ρ = π / π_old`: value and gradient are right, on policy and off it.
    WeightedK3,
}

impl KlPenalty {
    /// The penalty of each token, from log-probabilities of the same shape.
    pub fn per_token(
        self,
        log_probs: Tensor<2>,
        behaviour: Tensor<2>,
        reference: Tensor<2>,
    ) -> Tensor<2> {
        match self {
            KlPenalty::K3 => k3(log_probs, reference),
            KlPenalty::K2 => (log_probs - reference).square().mul_scalar(0.5),
            KlPenalty::WeightedK3 => {
                (log_probs.clone() - behaviour).exp() * k3(log_probs, reference)
            }
        }
    }
}

/// `k3 = e^{ref − π} − (ref − π) − 1` per token: unbiased on samples of π, never negative.
pub fn k3(log_probs: Tensor<2>, reference: Tensor<2>) -> Tensor<2> {
    let gap = reference - log_probs;
    gap.clone().exp() - gap - 1.0
}
