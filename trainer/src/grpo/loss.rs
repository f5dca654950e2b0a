//! The GRPO loss family on per-token log-probabilities (METHOD §1). Every kind has known values and gradients
//! (`tests/grpo_known_values.rs`).
//!
//! On policy (π = π_old) the value of the loss is near zero by construction; its gradient is not.
//!
//! Every loss is a sum over tokens, each weighted by a number that depends on its completion's length and on the whole
//! batch ([`LossSettings::weights`]). So the losses (and gradients) of parts of a batch add up to that of the batch.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::kl::KlPenalty;

/// Which surrogate is minimised, and over what it is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// DeepSeekMath: clipped ratio, mean over a sequence's tokens, then over sequences.
    Grpo,
    /// Mean over all tokens of the batch. (TRL's averages over those of a micro-batch, which weighs tokens by how the batch
    /// was cut; here it is what DAPO's is.)
    Bnpo,
    /// DAPO (arXiv 2503.14476): mean over all tokens of the batch.
    Dapo,
    /// Dr. GRPO (arXiv 2503.20783): sum over tokens / (batch × longest completion allowed).
    DrGrpo,
    /// GSPO (arXiv 2507.18071): one length-normalised ratio per sequence.
    Gspo,
    /// CISPO (arXiv 2506.13585): the capped ratio is a constant weight of the policy gradient.
    Cispo,
    /// SAPO (arXiv 2511.20347): a sigmoid gate instead of a clip.
    Sapo,
}

impl LossKind {
    /// Every kind.
    pub const ALL: [LossKind; 7] = [
        LossKind::Grpo,
        LossKind::Bnpo,
        LossKind::Dapo,
        LossKind::DrGrpo,
        LossKind::Gspo,
        LossKind::Cispo,
        LossKind::Sapo,
    ];
}

/// Constants of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSettings {
    /// The surrogate.
    pub kind: LossKind,
    /// Lower clip: ratios below `1 − ε_low` stop pushing down.
    pub epsilon_low: f64,
    /// Upper clip: ratios above `1 + ε_high` stop pushing up.
    pub epsilon_high: f64,
    /// Cap on the ratio whatever the sign of the advantage (two-sided clipping); none by default.
    pub delta: Option<f64>,
    /// Cap of CISPO's constant weight.
    pub cispo_max: f64,
    /// SAPO's gate temperature for positive advantages.
    pub sapo_positive: f64,
    /// SAPO's gate temperature for negative advantages.
    pub sapo_negative: f64,
    /// Weight of the KL penalty towards the reference policy; 0 runs no reference pass.
    pub beta: f64,
    /// How that penalty is estimated.
    pub kl: KlPenalty,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self {
            kind: LossKind::Grpo,
            epsilon_low: 0.2,
            epsilon_high: 0.28,
            delta: None,
            cispo_max: 5.0,
            sapo_positive: 1.0,
            sapo_negative: 1.05,
            beta: 0.0,
            kl: KlPenalty::K3,
        }
    }
}

impl LossSettings {
    /// The weight of each token of every completion of a batch, given the numbers of tokens that take part and the longest
    /// completion allowed: what the loss divides by. A completion of no tokens counts as a sequence, not as tokens.
    pub fn weights(&self, lengths: &[usize], longest_allowed: usize) -> Vec<f64> {
        let completions = lengths.len() as f64;
        let tokens = lengths.iter().sum::<usize>().max(1) as f64;
        let weight = |length: &usize| match self.kind {
            LossKind::Grpo | LossKind::Gspo | LossKind::Sapo => {
                1.0 / (completions * (*length).max(1) as f64)
            }
            LossKind::Bnpo | LossKind::Dapo | LossKind::Cispo => 1.0 / tokens,
            LossKind::DrGrpo => 1.0 / (completions * longest_allowed.max(1) as f64),
        };
        lengths.iter().map(weight).collect()
    }
}

impl LossSettings {
    /// Tokens of one completion whose gradient the clip takes away: ratios below the range with a negative advantage, and
    /// above it with a positive one (as TRL counts them). GSPO clips whole sequences by their mean, CISPO caps the weight of
    /// what lies above its own bound, SAPO clips nothing.
    pub fn clipped_tokens(&self, log_ratios: &[f64], advantage: f64) -> [usize; 2] {
        let (low, high) = (1.0 - self.epsilon_low, 1.0 + self.epsilon_high);
        let count = |clipped: &dyn Fn(f64) -> bool| {
            log_ratios.iter().filter(|one| clipped(one.exp())).count()
        };
        match self.kind {
            LossKind::Grpo | LossKind::Bnpo | LossKind::Dapo | LossKind::DrGrpo => [
                count(&|ratio| advantage < 0.0 && ratio < low),
                count(&|ratio| advantage > 0.0 && ratio > high),
            ],
            LossKind::Gspo => {
                let all = log_ratios.len();
                let ratio = (log_ratios.iter().sum::<f64>() / all.max(1) as f64).exp();
                [
                    if advantage < 0.0 && ratio < low {
                        all
                    } else {
                        0
                    },
                    if advantage > 0.0 && ratio > high {
                        all
                    } else {
                        0
                    },
                ]
            }
            LossKind::Cispo => [0, count(&|ratio| advantage > 0.0 && ratio > self.cispo_max)],
            LossKind::Sapo => [0, 0],
        }
    }
}

/// Everything the loss looks at: some completions of a batch, or all of them.
///
/// What `[completions, tokens]` tensors hold where `mask` is zero has no influence.
#[derive(Debug, Clone)]
pub struct LossInputs {
    /// `log π_θ`, the only tensor that carries a gradient.
    pub log_probs: Tensor<2>,
    /// `log π_old`: of the policy that sampled, stored with the sample.
    pub behaviour: Tensor<2>,
    /// `log π_ref`, needed when β > 0.
    pub reference: Option<Tensor<2>>,
    /// `[completions, 1]`.
    pub advantages: Tensor<2>,
    /// `[completions, 1]`: these completions' part of [`LossSettings::weights`].
    pub weights: Tensor<2>,
    /// 1 for a token of the completion, 0 for padding (or for a completion that takes no part).
    pub mask: Tensor<2>,
}

/// The loss to be minimised, a scalar `[1]`: what these completions add to the loss of their batch.
pub fn grpo_loss(inputs: LossInputs, settings: &LossSettings) -> Tensor<1> {
    let LossInputs {
        log_probs,
        behaviour,
        reference,
        advantages,
        weights,
        mask,
    } = inputs;
    // Masked positions must not overflow in exp(): they are zero before anything is computed from them.
    let hidden = mask.clone().equal_scalar(0.0);
    let seen = |values: Tensor<2>| values.mask_fill(hidden.clone(), 0.0);
    let (log_probs, behaviour) = (seen(log_probs), seen(behaviour));
    let log_ratio = log_probs.clone() - behaviour.clone();
    let per_token = surrogate(&log_probs, log_ratio, &advantages, &mask, settings).neg();
    let per_token = match reference {
        Some(reference) if settings.beta != 0.0 => {
            let penalty = settings.kl.per_token(log_probs, behaviour, seen(reference));
            per_token + penalty.mul_scalar(settings.beta)
        }
        _ => per_token,
    };
    (per_token * mask * weights).sum()
}

/// What is maximised, per token.
fn surrogate(
    log_probs: &Tensor<2>,
    log_ratio: Tensor<2>,
    advantages: &Tensor<2>,
    mask: &Tensor<2>,
    settings: &LossSettings,
) -> Tensor<2> {
    let shape = log_ratio.dims();
    let advantages = advantages.clone().expand(shape);
    match settings.kind {
        LossKind::Grpo | LossKind::Bnpo | LossKind::Dapo | LossKind::DrGrpo => {
            clipped(log_ratio.exp(), advantages, settings)
        }
        LossKind::Gspo => {
            let lengths = mask.clone().sum_dim(1).clamp_min(1.0);
            let sequence = (log_ratio.sum_dim(1) / lengths).exp();
            clipped(sequence.expand(shape), advantages, settings)
        }
        LossKind::Cispo => {
            let weight = log_ratio.exp().clamp_max(settings.cispo_max).detach();
            weight * advantages * log_probs.clone()
        }
        LossKind::Sapo => {
            let positive = advantages.clone().greater_scalar(0.0);
            let temperature = advantages
                .full_like(settings.sapo_negative)
                .mask_fill(positive, settings.sapo_positive);
            let gate = sigmoid((log_ratio.exp() - 1.0) * temperature.clone());
            gate * advantages * temperature.recip().mul_scalar(4.0)
        }
    }
}

/// `min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A)`, with ρ capped at δ where δ is set.
fn clipped(ratio: Tensor<2>, advantages: Tensor<2>, settings: &LossSettings) -> Tensor<2> {
    let low = 1.0 - settings.epsilon_low;
    let high = 1.0 + settings.epsilon_high;
    let inside = ratio.clone().clamp(low, high) * advantages.clone();
    let ratio = match settings.delta {
        Some(delta) => ratio.clamp_max(delta),
        None => ratio,
    };
    (ratio * advantages).min_pair(inside)
}
