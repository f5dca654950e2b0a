//! The history encoder by hand: `H` of one history (`reward/encoder.rs` says what it computes).
//!
//! A history has at most some dozen events, so this is a small part of scoring a catalogue: plain loops do, but for the products.

use pulp::{Arch, Simd, WithSimd};

use super::panel::{self, Packed, ROWS, Row, constant, numbers, numbers_mut, product, splat};
use super::weights::{Affine, Source};
use super::{dot, softmax};
use crate::artefact::ArtefactError;
use crate::reward::RewardConfig;

/// burn's default, which training uses.
const NORM_EPSILON: f32 = 1e-5;

/// All layers.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    width: usize,
    heads: usize,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

#[derive(Debug, Clone)]
struct Layer {
    attention_norm: Norm,
    projections: Linear,
    output: Linear,
    forward_norm: Norm,
    expand: Linear,
    contract: Linear,
}

#[derive(Debug, Clone)]
struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

/// `y = W x + b` of many vectors.
#[derive(Debug, Clone)]
struct Linear {
    weight: Packed,
    bias: Vec<f32>,
}

impl Linear {
    fn new(affine: Affine) -> Self {
        Self {
            weight: affine.packed(),
            bias: affine.bias,
        }
    }

    /// `[n, in]` → `[n, out]`.
    fn forward(&self, input: &[f32], width: usize) -> Vec<f32> {
        Arch::new().dispatch(Forward(self, input, width))
    }
}

struct Forward<'a>(&'a Linear, &'a [f32], usize);

impl WithSimd for Forward<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self(linear, input, width) = self;
        let (count, out) = (input.len() / width, linear.bias.len());
        let mut output = vec![0.0; count * out];
        let mut inputs: Vec<Row<S>> = vec![splat(simd, 0.0); width];
        let panel = panel::width::<S>();
        let panels = input
            .chunks(panel * width)
            .zip(output.chunks_mut(panel * out));
        for (vectors, output) in panels {
            for (at, vector) in vectors.chunks_exact(width).enumerate() {
                for (row, &value) in inputs.iter_mut().zip(vector) {
                    numbers_mut::<S>(row)[at] = value;
                }
            }
            for (tile, bias) in linear.bias.chunks(ROWS).enumerate() {
                let start = constant(simd, bias);
                let sums = product(simd, &linear.weight, tile, &inputs, start);
                for (at, vector) in output.chunks_exact_mut(out).enumerate() {
                    let places = vector[tile * ROWS..].iter_mut().zip(&sums);
                    places.for_each(|(place, row)| *place = numbers::<S>(row)[at]);
                }
            }
        }
        output
    }
}

impl Norm {
    fn read(source: &Source, path: &str, width: usize) -> Result<Self, ArtefactError> {
        Ok(Self {
            gamma: source.take(&format!("{path}.gamma"), &[width])?,
            beta: source.take(&format!("{path}.beta"), &[width])?,
        })
    }

    fn forward(&self, input: &[f32]) -> Vec<f32> {
        let width = self.gamma.len();
        let mut output = Vec::with_capacity(input.len());
        for vector in input.chunks_exact(width) {
            let mean = vector.iter().sum::<f32>() / width as f32;
            let variance = vector.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / width as f32;
            let scale = (variance + NORM_EPSILON).powf(-0.5);
            let affine = self.gamma.iter().zip(&self.beta);
            output.extend(
                (vector.iter().zip(affine))
                    .map(|(x, (gamma, beta))| (x - mean) * scale * gamma + beta),
            );
        }
        output
    }
}

impl Encoder {
    pub(super) fn read(config: &RewardConfig, source: &Source) -> Result<Self, ArtefactError> {
        let width = config.input_width();
        let layer = |index: usize| {
            let path = |name: &str| format!("encoder.layers.{index}.{name}");
            let linear = |name: &str, from: usize, to: usize| {
                Ok(Linear::new(source.affine(&path(name), from, to)?))
            };
            Ok(Layer {
                attention_norm: Norm::read(source, &path("attention_norm"), width)?,
                projections: linear("projections", width, 3 * width)?,
                output: linear("output", width, width)?,
                forward_norm: Norm::read(source, &path("forward_norm"), width)?,
                expand: linear("expand", width, config.feed_forward)?,
                contract: linear("contract", config.feed_forward, width)?,
            })
        };
        Ok(Self {
            width,
            heads: config.heads,
            positions: source.take("encoder.positions", &[config.max_history, width])?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            norm: Norm::read(source, "encoder.norm", width)?,
        })
    }

    /// States of one history, oldest event first: `[T, 2d]` → `[T, 2d]`.
    pub(super) fn forward(&self, inputs: &[f32]) -> Vec<f32> {
        let mut states: Vec<f32> = (inputs.iter().zip(&self.positions))
            .map(|(input, position)| input + position)
            .collect();
        for layer in &self.layers {
            let attended = self.attend(layer, &layer.attention_norm.forward(&states));
            add(&mut states, &attended);
            let normed = layer.forward_norm.forward(&states);
            let mut inner = layer.expand.forward(&normed, self.width);
            // Not `max`, which would take NaN for 0.
            for value in inner.iter_mut().filter(|value| **value < 0.0) {
                *value = 0.0;
            }
            add(
                &mut states,
                &layer.contract.forward(&inner, layer.expand.bias.len()),
            );
        }
        self.norm.forward(&states)
    }

    /// Causal attention.
    fn attend(&self, layer: &Layer, input: &[f32]) -> Vec<f32> {
        let (width, head_width) = (self.width, self.width / self.heads);
        let scale = (head_width as f32).powf(-0.5);
        let projected = layer.projections.forward(input, width);
        let part = |event: usize, part: usize, head: usize| {
            &projected[event * 3 * width + part * width + head * head_width..][..head_width]
        };
        let mut joined = vec![0.0; input.len()];
        for (event, joined) in joined.chunks_exact_mut(width).enumerate() {
            for (head, joined) in joined.chunks_exact_mut(head_width).enumerate() {
                let mut weights: Vec<f32> = (0..=event)
                    .map(|past| scale * dot(part(event, 0, head), part(past, 1, head)))
                    .collect();
                softmax(&mut weights);
                for (past, weight) in weights.into_iter().enumerate() {
                    for (sum, value) in joined.iter_mut().zip(part(past, 2, head)) {
                        *sum += weight * value;
                    }
                }
            }
        }
        layer.output.forward(&joined, width)
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
