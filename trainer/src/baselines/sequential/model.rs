//! A history encoder over ID embeddings: a state scores an item by their dot product.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Int, Tensor};
use curec_shared_model::reward::{EncoderConfig, HistoryEncoder};

use super::config::{Architecture, SequentialConfig};

/// SASRec or GRU4Rec.
#[derive(Module, Debug)]
pub struct SequentialModel {
    /// ID embeddings, `[items, width]`: inputs and outputs alike.
    pub item: Embedding,
    encoder: Encoder,
    /// What inputs are multiplied by.
    #[module(skip)]
    scale: Option<f64>,
    #[module(skip)]
    max_history: usize,
}

#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a model has one of them, and parameters cannot be boxed"
)]
enum Encoder {
    Transformer(HistoryEncoder),
    Gru(Vec<GruLayer>),
}

/// Gated recurrent units (Cho et al. 2014), inputs of all moments projected at once.
#[derive(Module, Debug)]
struct GruLayer {
    /// Update gate, reset gate and candidate side by side, `[width, 3 · width]`.
    input: Linear,
    /// Of the gates, `[width, 2 · width]`.
    gates: Param<Tensor<2>>,
    /// Of the candidate, `[width, width]`.
    candidate: Param<Tensor<2>>,
}

impl SequentialModel {
    /// Fresh weights for a catalogue of `items`.
    pub fn new(config: &SequentialConfig, items: usize, device: &Device) -> Self {
        let width = config.width;
        let encoder = match config.architecture {
            Architecture::Transformer => {
                let encoder = EncoderConfig {
                    width,
                    heads: config.heads,
                    layers: config.layers,
                    feed_forward: config.feed_forward,
                    max_history: config.max_history,
                };
                Encoder::Transformer(encoder.init(device))
            }
            Architecture::Gru => Encoder::Gru(
                (0..config.layers)
                    .map(|_| GruLayer::new(width, device))
                    .collect(),
            ),
        };
        Self {
            item: EmbeddingConfig::new(items, width)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: if config.scaled_inputs {
                        0.02
                    } else {
                        (1.0 / width as f64).sqrt()
                    },
                })
                .init(device),
            encoder,
            scale: config.scaled_inputs.then(|| (width as f64).sqrt()),
            max_history: config.max_history,
        }
    }

    /// Longest history that the model reads.
    pub fn max_history(&self) -> usize {
        self.max_history
    }

    /// States after each event; `drop` as in [`HistoryEncoder::forward_with`].
    ///
    /// # Shapes
    /// items `[B, T]`, absent events last (any valid index) → `[B, T, width]`.
    pub fn states(
        &self,
        items: Tensor<2, Int>,
        drop: &mut dyn FnMut(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<3> {
        let inputs = self.item.forward(items);
        let inputs = match self.scale {
            Some(scale) => inputs.mul_scalar(scale),
            None => inputs,
        };
        match &self.encoder {
            Encoder::Transformer(encoder) => encoder.forward_with(inputs, drop),
            Encoder::Gru(layers) => layers
                .iter()
                .fold(inputs, |inputs, layer| layer.forward(drop(inputs))),
        }
    }
}

impl GruLayer {
    fn new(width: usize, device: &Device) -> Self {
        let bound = (1.0 / width as f64).sqrt();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            input: LinearConfig::new(width, 3 * width).init(device),
            gates: uniform.init([width, 2 * width], device),
            candidate: uniform.init([width, width], device),
        }
    }

    /// `z = σ(W_z x + U_z h)`, `r = σ(W_r x + U_r h)`, `c = tanh(W_c x + U_c (r ⊙ h))`, `h ← h + z ⊙ (c − h)`: `[B, T, width]` →
    /// the states `[B, T, width]`.
    fn forward(&self, inputs: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = inputs.dims();
        let device = inputs.device();
        let projected = self.input.forward(inputs);
        let (gates, candidate) = (self.gates.val(), self.candidate.val());
        let mut state = Tensor::<2>::zeros([batch, width], &device);
        let mut states = Vec::with_capacity(length);
        for moment in 0..length {
            let here = projected
                .clone()
                .narrow(1, moment, 1)
                .reshape([batch, 3 * width]);
            let both =
                sigmoid(here.clone().narrow(1, 0, 2 * width) + state.clone().matmul(gates.clone()));
            let (update, reset) = (
                both.clone().narrow(1, 0, width),
                both.narrow(1, width, width),
            );
            let fresh = tanh(
                here.narrow(1, 2 * width, width)
                    + (reset * state.clone()).matmul(candidate.clone()),
            );
            state = state.clone() + update * (fresh - state);
            states.push(state.clone().unsqueeze_dim::<3>(1));
        }
        Tensor::cat(states, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn model(architecture: Architecture) -> SequentialModel {
        let config = SequentialConfig {
            architecture,
            width: 8,
            feed_forward: 16,
            max_history: 5,
            ..SequentialConfig::default()
        };
        let device = Device::flex();
        device.seed(5);
        SequentialModel::new(&config, 12, &device)
    }

    fn states(model: &SequentialModel, items: &[i32]) -> Vec<f32> {
        let items = TensorData::new(items.to_vec(), [1, items.len()]);
        let items = Tensor::<2, Int>::from_data(items, &Device::flex());
        let states = model.states(items, &mut |part| part);
        states.into_data().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn later_events_leave_earlier_states_unchanged() {
        for architecture in [Architecture::Transformer, Architecture::Gru] {
            let model = model(architecture);
            let (long, other) = (states(&model, &[3, 1, 4, 9]), states(&model, &[3, 1, 7, 7]));
            let short = states(&model, &[3, 1]);
            for (index, value) in short.iter().enumerate() {
                assert!((value - long[index]).abs() < 1e-6 && (value - other[index]).abs() < 1e-6);
            }
            assert!((long[16] - other[16]).abs() > 1e-4);
        }
    }

    #[test]
    fn a_recurrent_unit_by_hand() {
        // Width 1, x = 1 then 1, all weights 1, no biases: z = r = σ(1 + h), c = tanh(1 + r h), h ← h + z (c − h).
        let device = Device::flex();
        let ones = |shape: [usize; 2]| Param::from_tensor(Tensor::<2>::ones(shape, &device));
        let mut layer = GruLayer::new(1, &device);
        layer.input.weight = ones([1, 3]);
        layer.input.bias = layer
            .input
            .bias
            .map(|bias| bias.map(|bias| bias.zeros_like()));
        (layer.gates, layer.candidate) = (ones([1, 2]), ones([1, 1]));
        let out = layer.forward(Tensor::ones([1, 2, 1], &device));
        let found = out.into_data().try_to_vec::<f32>().unwrap();
        let sigma = |x: f32| 1.0 / (1.0 + (-x).exp());
        let first = sigma(1.0) * 1f32.tanh();
        let gate = sigma(1.0 + first);
        let second = first + gate * ((1.0 + gate * first).tanh() - first);
        assert!((found[0] - first).abs() < 1e-6 && (found[1] - second).abs() < 1e-6);
    }
}
