//! The Transformer encoder over a user's history (METHOD §2: item inputs with positions → `H`).
//!
//! **Choice:** the encoder is causal (and pre-norm): state `h_j` sees events `0..=j` only. So one pass over a history serves
//! every one of its positions as a training example, and nothing of the future can reach a state. Histories are
//! right-padded; event 0 is the oldest of the window.

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Bool, Device, Tensor};

use super::config::RewardConfig;

const MASKED: f32 = -1e9;

/// Positions, layers and a last norm.
#[derive(Module, Debug)]
pub struct HistoryEncoder {
    /// Learned positions from the oldest event on, `[max_history, 2d]`.
    pub positions: Param<Tensor<2>>,
    /// Pre-norm layers.
    pub layers: Vec<EncoderLayer>,
    /// Norm of the output.
    pub norm: LayerNorm,
}

/// Self-attention and feed-forward part, each behind its norm and added to its input.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    attention_norm: LayerNorm,
    /// Queries, keys and values side by side, `[2d, 3 · 2d]`.
    projections: Linear,
    output: Linear,
    forward_norm: LayerNorm,
    expand: Linear,
    contract: Linear,
    #[module(skip)]
    heads: usize,
}

impl HistoryEncoder {
    /// New weights for the sizes in `config`.
    pub fn new(config: &RewardConfig, device: &Device) -> Self {
        let width = config.input_width();
        Self {
            positions: Initializer::Normal {
                mean: 0.0,
                std: 0.02,
            }
            .init([config.max_history, width], device),
            layers: (0..config.layers)
                .map(|_| EncoderLayer::new(config, device))
                .collect(),
            norm: LayerNormConfig::new(width).init(device),
        }
    }

    /// States `H` of a batch of histories; rows of absent events are defined but mean nothing.
    ///
    /// # Shapes
    /// inputs `[B, T, 2d]` with `T ≤ max_history`, present `[B, T]` (true = an event is there) → `[B, T, 2d]`.
    pub fn forward(&self, inputs: Tensor<3>, present: Tensor<2, Bool>) -> Tensor<3> {
        let [batch, length, _] = inputs.dims();
        let device = inputs.device();
        let positions = self.positions.val().narrow(0, 0, length).unsqueeze::<3>();
        let future = Tensor::<2, Bool>::tril_mask([length, length], 0, &device); // true above the diagonal
        let hidden = future
            .unsqueeze::<4>()
            .expand([batch, 1, length, length])
            .bool_or(
                present
                    .bool_not()
                    .reshape([batch, 1, 1, length])
                    .expand([batch, 1, length, length]),
            );
        let mut states = inputs + positions;
        for layer in &self.layers {
            states = layer.forward(states, hidden.clone());
        }
        self.norm.forward(states)
    }
}

impl EncoderLayer {
    fn new(config: &RewardConfig, device: &Device) -> Self {
        let width = config.input_width();
        Self {
            attention_norm: LayerNormConfig::new(width).init(device),
            projections: LinearConfig::new(width, 3 * width).init(device),
            output: LinearConfig::new(width, width).init(device),
            forward_norm: LayerNormConfig::new(width).init(device),
            expand: LinearConfig::new(width, config.feed_forward).init(device),
            contract: LinearConfig::new(config.feed_forward, width).init(device),
            heads: config.heads,
        }
    }

    fn forward(&self, input: Tensor<3>, hidden: Tensor<4, Bool>) -> Tensor<3> {
        let attended = self.attend(self.attention_norm.forward(input.clone()), hidden);
        let middle = input + attended;
        let inner = relu(
            self.expand
                .forward(self.forward_norm.forward(middle.clone())),
        );
        middle + self.contract.forward(inner)
    }

    fn attend(&self, input: Tensor<3>, hidden: Tensor<4, Bool>) -> Tensor<3> {
        let [batch, length, width] = input.dims();
        let (heads, head_width) = (self.heads, width / self.heads);
        let projected = self.projections.forward(input);
        let part = |index: usize| {
            projected
                .clone()
                .narrow(2, index * width, width)
                .reshape([batch, length, heads, head_width])
                .swap_dims(1, 2)
        };
        let (query, key, value) = (part(0), part(1), part(2));
        let logits = query
            .mul_scalar((head_width as f64).powf(-0.5))
            .matmul(key.swap_dims(2, 3));
        let hidden = hidden.expand([batch, heads, length, length]);
        let attention = softmax(logits.mask_fill(hidden, MASKED), 3);
        let joined = attention
            .matmul(value)
            .swap_dims(1, 2)
            .reshape([batch, length, width]);
        self.output.forward(joined)
    }
}
