//! The Transformer encoder over a user's history (METHOD §2: item inputs with positions → `H`).
//!
//! **Choice:** the encoder is causal (and pre-norm): state `h_j` sees events `0..=j` only. So one pass over a history serves
//! every one of its positions as a training example, and nothing of the future can reach a state. Histories are
//! right-padded; event 0 is the oldest of the window. So no event that is there ever sees one that is not, and padding needs
//! no mask of its own.
//!
//! SASRec (Kang & McAuley 2018) is this encoder over ID embeddings: the trainer's sequential baselines use it too.

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};

use super::config::RewardConfig;

const MASKED: f32 = -1e9;

/// Sizes of a [`HistoryEncoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Width of inputs and states, a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Inner width of a layer's feed-forward part.
    pub feed_forward: usize,
    /// Longest history.
    pub max_history: usize,
}

impl From<&RewardConfig> for EncoderConfig {
    fn from(config: &RewardConfig) -> Self {
        Self {
            width: config.input_width(),
            heads: config.heads,
            layers: config.layers,
            feed_forward: config.feed_forward,
            max_history: config.max_history,
        }
    }
}

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

impl EncoderConfig {
    /// An encoder with fresh weights on `device`.
    pub fn init(&self, device: &Device) -> HistoryEncoder {
        HistoryEncoder {
            positions: Initializer::Normal {
                mean: 0.0,
                std: 0.02,
            }
            .init([self.max_history, self.width], device),
            layers: (0..self.layers)
                .map(|_| EncoderLayer::new(self, device))
                .collect(),
            norm: LayerNormConfig::new(self.width).init(device),
        }
    }
}

impl HistoryEncoder {
    /// States `H` of a batch of histories; rows of absent events are defined but mean nothing.
    ///
    /// # Shapes
    /// inputs `[B, T, width]` with `T ≤ max_history`, absent events last → `[B, T, width]`.
    pub fn forward(&self, inputs: Tensor<3>) -> Tensor<3> {
        self.forward_with(inputs, &mut |part| part)
    }

    /// As [`HistoryEncoder::forward`], with `drop` applied to what enters the first layer and to what each half of a layer
    /// adds: a training loop's dropout, which this crate knows nothing of.
    pub fn forward_with(
        &self,
        inputs: Tensor<3>,
        drop: &mut dyn FnMut(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let [_, length, _] = inputs.dims();
        let future = future(length, &inputs.device());
        let positions = self.positions.val().narrow(0, 0, length).unsqueeze::<3>();
        let mut states = drop(inputs + positions);
        for layer in &self.layers {
            states = layer.forward(states, future.clone(), drop);
        }
        self.norm.forward(states)
    }
}

/// What is added to the logits so that no event sees a later one, `[1, 1, T, T]`.
fn future(length: usize, device: &Device) -> Tensor<4> {
    let mut values = vec![0.0f32; length * length];
    for (event, row) in values.chunks_exact_mut(length.max(1)).enumerate() {
        row[event + 1..].fill(MASKED);
    }
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, 1, length, length])
}

impl EncoderLayer {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let width = config.width;
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

    fn forward(
        &self,
        input: Tensor<3>,
        future: Tensor<4>,
        drop: &mut dyn FnMut(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let attended = self.attend(self.attention_norm.forward(input.clone()), future);
        let middle = input + drop(attended);
        let inner = relu(
            self.expand
                .forward(self.forward_norm.forward(middle.clone())),
        );
        middle + drop(self.contract.forward(inner))
    }

    fn attend(&self, input: Tensor<3>, future: Tensor<4>) -> Tensor<3> {
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
        let attention = softmax(logits + future, 3);
        let joined = attention
            .matmul(value)
            .swap_dims(1, 2)
            .reshape([batch, length, width]);
        self.output.forward(joined)
    }
}
