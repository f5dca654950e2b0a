//! The gradient of any loss on token log-probabilities: one entrance for GRPO and for supervised training, whichever code
//! computes it.

use burn::module::Module;
use burn::optim::GradientsParams;
use curec_shared_model::qwen2::Qwen2;

use super::cpu::{Network, Weights};
use super::sequence::{Sequence, TokenScores};
use super::tensors;

/// How gradients are computed; no choice changes what they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientSettings {
    /// By the hand-written CPU kernels (`llm::cpu`), which must serve the model.
    pub cpu_kernels: bool,
    /// Keep only the inputs of the blocks and compute the rest again in the backward pass.
    pub recompute: bool,
}

/// What [`gradient()`] finds.
pub struct Gradient {
    /// Of the wanted tokens of every sequence.
    pub scores: Vec<TokenScores>,
    /// Of all trainable parameters.
    pub gradients: GradientsParams,
    /// Seconds of the forward and of the backward pass; where several threads share the work, the mean of theirs.
    pub seconds: [f64; 2],
}

/// Scores of the wanted tokens of every sequence at `temperature`, and the gradient of `Σ slope(i, scores_i) · log_probs_i`
/// in all trainable parameters of `model` (gradients on).
///
/// `slope` turns the scores of sequence `i` into the derivatives of the loss by its log-probabilities. A sequence is
/// forgotten when its gradient is known: memory grows with the longest, not with all of them. What a prompt's branches
/// share is computed once.
pub fn gradient(
    model: &Qwen2,
    sequences: &[Sequence],
    temperature: f64,
    settings: GradientSettings,
    slope: impl Fn(usize, &TokenScores) -> Vec<f32> + Sync,
) -> Gradient {
    if settings.cpu_kernels {
        let network = Network::new(Weights::of(model));
        let (scores, weights, seconds) = network.gradient(sequences, temperature as f32, slope);
        return Gradient {
            scores,
            gradients: weights.into_gradients(model),
            seconds,
        };
    }
    tensors::gradient(model, sequences, temperature, settings.recompute, slope)
}

/// Scores without a gradient, adapters on or off: off is the reference policy of a model with LoRA.
pub fn token_scores(
    model: &Qwen2,
    sequences: &[Sequence],
    temperature: f64,
    adapters: bool,
) -> Vec<TokenScores> {
    let model = model.valid();
    let one = |sequence| tensors::token_scores(&model, sequence, temperature, adapters);
    sequences.iter().map(one).collect()
}
