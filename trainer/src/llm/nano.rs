//! A fresh nano Qwen2 whose attention starts from circuits that copy.
//!
//! Everything a nano model is asked for copies from its prompt: titles, attributes, names. A Transformer does that by
//! *induction* (Olsson et al. 2022, arXiv 2209.11895): one head notes at each token what stood before it, a head of the
//! next block looks for tokens that stood behind what is being read now, and repeats them. A small model finds this
//! circuit late and by luck, so training starts from a rough version of it, as *mimetic initialisation* starts from
//! the structure of trained attention (Trockman and Kolter 2023, arXiv 2305.09828). Nothing is fixed: all is trained on.

use std::ops::Range;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use curec_shared_model::qwen2::{Projection, Qwen2, Qwen2Config};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Amplitude of the biases at which the place looked for is about e⁴ times as probable as its neighbours.
const LOOK_BACK: f64 = 5.8;
/// Scale of queries and keys that compare tokens.
const COMPARE: f32 = 1.8;
/// Size of what a head adds to the residual stream, against a normed input.
const WRITE: f32 = 0.03;
/// Weight of the final norm: what the copying heads say must be audible in the probabilities from the first step.
const SHARP: f64 = 3.0;
/// A rotary frequency turns by at most this over a prompt, if it is to carry what a token is and not where.
const STILL: f64 = 1.5;
/// Tokens of a long prompt.
const PROMPT: f64 = 250.0;

/// Random weights, with copying circuits in the first two blocks where the shape has room for them.
pub fn nano(config: &Qwen2Config, seed: u64, device: &Device) -> Qwen2 {
    device.seed(seed);
    let mut model = Qwen2::init(config, device);
    if let Some(plan) = Plan::new(config, seed) {
        plan.embed(&mut model);
        plan.look_back(&mut model);
        plan.induction(&mut model);
        let head = model.norm.weight.val();
        let shape = [config.hidden_size];
        model.norm.weight = Param::from_tensor(Tensor::full(shape, SHARP, &head.device()));
    }
    model
}

/// The residual stream divided among what is written into it, and the shape of the heads.
struct Plan {
    /// Orthonormal directions of the residual stream: the first ones hold the embedding, then follow as many for each
    /// look-back head as there are still dimensions.
    directions: Vec<Vec<f32>>,
    /// Directions that hold the embedding.
    identity: usize,
    width: usize,
    group: usize,
    heads: usize,
    theta: f64,
    /// Dimensions of a head that the rotary embedding hardly turns.
    still: Vec<usize>,
}

impl Plan {
    /// `None` where the shape has no room: fewer than two blocks or key/value heads, or too narrow heads.
    fn new(config: &Qwen2Config, seed: u64) -> Option<Self> {
        let (d, heads, width) = (
            config.hidden_size,
            config.num_attention_heads,
            config.head_dim(),
        );
        let half = width / 2;
        let angle = |i: usize| config.rope_theta.powf(-2.0 * i as f64 / width as f64);
        let slow = (0..half).filter(|i| angle(*i) * PROMPT < STILL);
        let mut still: Vec<usize> = slow.rev().flat_map(|i| [i, half + i]).collect();
        still.truncate(5 * width / 8);
        let identity = d.checked_sub(heads * still.len())?;
        let room = config.num_hidden_layers > 1
            && config.num_key_value_heads > 1
            && still.len() >= 8
            && identity >= 2 * width.max(still.len());
        room.then(|| Self {
            directions: orthonormal(d, seed),
            identity,
            width,
            group: heads / config.num_key_value_heads,
            heads,
            theta: config.rope_theta,
            still,
        })
    }

    /// The direction into which look-back head `head` writes its `place`-th still dimension.
    fn written(&self, head: usize, place: usize) -> &[f32] {
        &self.directions[self.identity + head * self.still.len() + place]
    }

    /// The part of a token's identity that the look-back heads pass on and that tokens are compared by.
    fn passed_on(&self, place: usize) -> &[f32] {
        &self.directions[place]
    }

    /// Embeddings keep to their directions and their size.
    fn embed(&self, model: &mut Qwen2) {
        let old = model.embed_tokens.val();
        let (shape, device) = (old.dims(), old.device());
        let d = shape[1];
        let grow = (d as f32 / self.identity as f32).sqrt();
        let mut values = old.try_into_vec_as::<f32>().unwrap_or_default();
        for row in values.chunks_exact_mut(d) {
            let old = row.to_vec();
            row.fill(0.0);
            for direction in &self.directions[..self.identity] {
                let size: f32 = old.iter().zip(direction).map(|(x, y)| x * y).sum();
                for (value, along) in row.iter_mut().zip(direction) {
                    *value += grow * size * along;
                }
            }
        }
        let table = Tensor::from_data(TensorData::new(values, shape), &device);
        model.embed_tokens = Param::from_tensor(table);
    }

    /// First block: through Qwen2's query and key biases and the rotary embedding, head `h` attends to the token `h + 1`
    /// places back, and writes what it is.
    fn look_back(&self, model: &mut Qwen2) {
        let (width, half) = (self.width, self.width / 2);
        let angle = |i: usize| self.theta.powf(-2.0 * i as f64 / width as f64);
        let attention = &mut model.layers[0].self_attn;
        silence(&mut attention.q_proj, 0..self.heads * width);
        silence(&mut attention.k_proj, 0..self.heads / self.group * width);
        edit_bias(&mut attention.k_proj, |bias| {
            for key in bias.chunks_exact_mut(width) {
                key[..half].fill(LOOK_BACK as f32);
            }
        });
        edit_bias(&mut attention.q_proj, |bias| {
            for head in 0..self.heads {
                let back = -(head as f64 + 1.0);
                for i in 0..half {
                    let turn = back * angle(i);
                    bias[head * width + i] = (LOOK_BACK * turn.cos()) as f32;
                    bias[head * width + half + i] = (LOOK_BACK * turn.sin()) as f32;
                }
            }
        });
        edit(&mut attention.v_proj, |mut matrix| {
            for group in 0..self.heads / self.group {
                for place in 0..self.still.len() {
                    matrix.column(group * width + place, self.passed_on(place), 1.0);
                }
            }
        });
        edit(&mut attention.o_proj, |mut matrix| {
            for head in 0..self.heads {
                for place in 0..self.still.len() {
                    matrix.row(head * width + place, self.written(head, place), WRITE);
                }
            }
        });
    }

    /// Second block: the first group of heads looks for tokens that stood behind the present one, the second for tokens
    /// that stood behind the present pair; both repeat them.
    fn induction(&self, model: &mut Qwen2) {
        let (width, half) = (self.width, self.still.len() / 2);
        // A pair is compared by half the dimensions each.
        let first_of_pair = |group: usize, place: usize| group == 1 && place >= half;
        let attention = &mut model.layers[1].self_attn;
        edit(&mut attention.q_proj, |mut matrix| {
            for head in 0..2 * self.group {
                for (place, still) in self.still.iter().enumerate() {
                    let source = if first_of_pair(head / self.group, place) {
                        self.written(0, place - half)
                    } else {
                        self.passed_on(place)
                    };
                    matrix.column(head * width + still, source, COMPARE);
                }
            }
        });
        edit(&mut attention.k_proj, |mut matrix| {
            for group in 0..2 {
                for (place, still) in self.still.iter().enumerate() {
                    let source = if first_of_pair(group, place) {
                        self.written(1, place - half)
                    } else {
                        self.written(0, place)
                    };
                    matrix.column(group * width + still, source, COMPARE);
                }
            }
        });
        edit(&mut attention.v_proj, |mut matrix| {
            for column in 0..2 * width {
                matrix.column(column, &self.directions[column], 1.0);
            }
        });
        edit(&mut attention.o_proj, |mut matrix| {
            for head in 0..2 * self.group {
                for c in 0..width {
                    let direction = &self.directions[head / self.group * width + c];
                    matrix.row(head * width + c, direction, WRITE);
                }
            }
        });
    }
}

/// Orthonormal directions of a space, in a random orientation (Gram–Schmidt).
fn orthonormal(size: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6e_61_6e_6f);
    let mut found: Vec<Vec<f32>> = Vec::with_capacity(size);
    while found.len() < size {
        let mut next: Vec<f32> = (0..size).map(|_| rng.random::<f32>() - 0.5).collect();
        // Twice, because rounding leaves something after the first time.
        for _ in 0..2 {
            for one in &found {
                let along: f32 = next.iter().zip(one).map(|(x, y)| x * y).sum();
                for (value, one) in next.iter_mut().zip(one) {
                    *value -= along * one;
                }
            }
        }
        let length = next.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 1e-3 {
            next.iter_mut().for_each(|value| *value /= length);
            found.push(next);
        }
    }
    found
}

/// A projection's weights `[in, out]` while they are changed.
struct Entries<'a> {
    values: &'a mut [f32],
    columns: usize,
}

impl Entries<'_> {
    /// Output `column` reads `direction`.
    fn column(&mut self, column: usize, direction: &[f32], scale: f32) {
        for (row, value) in direction.iter().enumerate() {
            self.values[row * self.columns + column] = scale * value;
        }
    }

    /// Input `row` writes `direction`.
    fn row(&mut self, row: usize, direction: &[f32], scale: f32) {
        for (column, value) in direction.iter().enumerate() {
            self.values[row * self.columns + column] = scale * value;
        }
    }
}

fn edit(projection: &mut Projection, change: impl FnOnce(Entries)) {
    let old = projection.weight.val();
    let (shape, device) = (old.dims(), old.device());
    let mut values = old.try_into_vec_as::<f32>().unwrap_or_default();
    change(Entries {
        values: &mut values,
        columns: shape[1],
    });
    let weight = Tensor::from_data(TensorData::new(values, shape), &device);
    projection.weight = Param::from_tensor(weight);
}

/// These outputs no longer depend on the input.
fn silence(projection: &mut Projection, columns: Range<usize>) {
    edit(projection, |matrix| {
        for row in matrix.values.chunks_exact_mut(matrix.columns) {
            row[columns.clone()].fill(0.0);
        }
    });
}

fn edit_bias(projection: &mut Projection, change: impl FnOnce(&mut [f32])) {
    let Some(old) = projection.bias.as_ref().map(Param::val) else {
        return;
    };
    let (shape, device) = (old.dims(), old.device());
    let mut values = old.try_into_vec_as::<f32>().unwrap_or_default();
    change(&mut values);
    let bias = Tensor::from_data(TensorData::new(values, shape), &device);
    projection.bias = Some(Param::from_tensor(bias));
}

#[cfg(test)]
mod tests {
    use curec_shared_model::qwen2::TokenBatch;

    use super::*;

    fn shape(heads: usize) -> Qwen2Config {
        Qwen2Config {
            vocab_size: 400,
            hidden_size: 192,
            intermediate_size: 64,
            num_hidden_layers: 4,
            num_attention_heads: heads,
            num_key_value_heads: 2,
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
            tie_word_embeddings: true,
            max_position_embeddings: 256,
        }
    }

    #[test]
    fn directions_are_orthonormal() {
        let found = orthonormal(24, 5);
        for (i, one) in found.iter().enumerate() {
            for (j, other) in found.iter().enumerate() {
                let dot: f32 = one.iter().zip(other).map(|(x, y)| x * y).sum();
                let known = if i == j { 1.0 } else { 0.0 };
                assert!((dot - known).abs() < 1e-5);
            }
        }
    }

    /// The rank (0 is best) of what stood behind an earlier occurrence of the last token, averaged over prompts.
    fn mean_rank(model: &Qwen2) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let prompts = 40;
        let mut total = 0;
        for _ in 0..prompts {
            let mut ids: Vec<u32> = Vec::new();
            while ids.len() < 80 {
                let id = rng.random_range(0..400);
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            let at = rng.random_range(3..60);
            ids.push(ids[at]);
            let hidden = model.hidden(&TokenBatch::left_padded(&[&ids]), true);
            let last: Tensor<2> = hidden.narrow(1, 80, 1).squeeze_dim(1);
            let logits: Vec<f32> = model.logits(last).try_into_vec_as().unwrap();
            let wanted = logits[ids[at + 1] as usize];
            total += logits.iter().filter(|logit| **logit > wanted).count();
        }
        f64::from(total as u32) / f64::from(prompts)
    }

    #[test]
    fn an_untrained_model_already_repeats_what_stood_behind_a_token() {
        let rank = mean_rank(&nano(&shape(6), 3, &Device::flex()));
        assert!(rank < 25.0, "mean rank {rank} of 400");
        let random = mean_rank(&Qwen2::init(&shape(6), &Device::flex()));
        assert!(random > 100.0, "mean rank {random} of 400 without circuits");
    }

    #[test]
    fn a_shape_without_room_is_left_as_it_is() {
        let narrow = Qwen2Config {
            hidden_size: 32,
            ..shape(4)
        };
        assert!(Plan::new(&narrow, 1).is_none());
        assert!(Plan::new(&shape(6), 1).is_some());
        nano(&narrow, 1, &Device::flex());
    }
}
