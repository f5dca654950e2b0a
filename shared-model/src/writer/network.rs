//! The nano Qwen2's forward pass in plain float32, one sequence at a time with keys and values kept: small enough for a browser,
//! without burn. The same as [`qwen2::Qwen2`](crate::qwen2) computes (grouped-query attention, half-split rotary positions,
//! RMSNorm, SwiGLU); `tests/` hold it against that.
//!
//! No fused multiply-add, a fixed order of sums, and exponentials by `libm`: the same bits in every browser and natively.

use crate::artefact::StoredTensor;
use crate::qwen2::Qwen2Config;
use std::collections::BTreeMap;

/// Sums that run beside each other, so that a compiler may use vectors.
const LANES: usize = 8;
/// Rows of the input that share one reading of a matrix.
const TOGETHER: usize = 4;

#[derive(Debug)]
struct Layer {
    norm1: Vec<f32>,
    q: Vec<f32>,
    q_bias: Vec<f32>,
    k: Vec<f32>,
    k_bias: Vec<f32>,
    v: Vec<f32>,
    v_bias: Vec<f32>,
    o: Vec<f32>,
    norm2: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

/// The weights; matrices are `[in, out]`, row-major.
#[derive(Debug)]
pub(super) struct Network {
    config: Qwen2Config,
    embed: Vec<f32>,
    /// Empty when the embedding is the head.
    head: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
}

/// Rotated keys, and values, of what has been read: one pair `[tokens, kv width]` a layer.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    length: usize,
}

impl Network {
    /// From the tensors of an artefact, which were checked against [`shapes`](crate::artefact::writer::shapes).
    pub(super) fn new(config: &Qwen2Config, tensors: &BTreeMap<String, StoredTensor>) -> Self {
        let take = |name: &str| {
            let found = tensors.get(name);
            found.map_or_else(Vec::new, |tensor| tensor.values.clone())
        };
        let layer = |index: usize| {
            let of = |name: &str| take(&format!("layers.{index}.{name}"));
            Layer {
                norm1: of("norm1"),
                q: of("q"),
                q_bias: of("q_bias"),
                k: of("k"),
                k_bias: of("k_bias"),
                v: of("v"),
                v_bias: of("v_bias"),
                o: of("o"),
                norm2: of("norm2"),
                gate: of("gate"),
                up: of("up"),
                down: of("down"),
            }
        };
        Self {
            config: config.clone(),
            embed: take("embed"),
            head: take("head"),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: take("norm"),
        }
    }

    pub(super) fn nothing(&self) -> Memory {
        Memory {
            layers: vec![Default::default(); self.layers.len()],
            length: 0,
        }
    }

    /// The embeddings of tokens, `[n, d]`. Ids beyond the table, which a tokenizer with too many tokens could give, are those of
    /// its first token.
    pub(super) fn embeddings(&self, ids: &[u32]) -> Vec<f32> {
        let d = self.config.hidden_size;
        let row = |id: &u32| {
            let at = *id as usize * d;
            self.embed.get(at..at + d).unwrap_or(&self.embed[..d])
        };
        ids.iter().flat_map(row).copied().collect()
    }

    /// Reads more tokens; their final hidden states, `[n, d]`.
    pub(super) fn read(&self, ids: &[u32], memory: &mut Memory) -> Vec<f32> {
        let config = &self.config;
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let width = d / config.num_attention_heads;
        let kv = width * config.num_key_value_heads;
        let n = ids.len();
        let mut x = self.embeddings(ids);
        let turns = angles(memory.length, n, width, config.rope_theta);
        let epsilon = config.rms_norm_eps as f32;
        for (layer, (keys, values)) in self.layers.iter().zip(&mut memory.layers) {
            let normed = rms_norm(&x, &layer.norm1, epsilon);
            let mut q = linear(&normed, &layer.q, d, d, Some(&layer.q_bias));
            let mut k = linear(&normed, &layer.k, d, kv, Some(&layer.k_bias));
            let v = linear(&normed, &layer.v, d, kv, Some(&layer.v_bias));
            rotate(&mut q, d, width, &turns);
            rotate(&mut k, kv, width, &turns);
            keys.extend_from_slice(&k);
            values.extend_from_slice(&v);
            let context = self.attend(&q, keys, values, memory.length, n);
            add(&mut x, &linear(&context, &layer.o, d, d, None));
            let normed = rms_norm(&x, &layer.norm2, epsilon);
            let mut gate = linear(&normed, &layer.gate, d, f, None);
            let up = linear(&normed, &layer.up, d, f, None);
            for (gate, up) in gate.iter_mut().zip(&up) {
                *gate = *gate / (1.0 + libm::expf(-*gate)) * up;
            }
            add(&mut x, &linear(&gate, &layer.down, f, d, None));
        }
        memory.length += n;
        rms_norm(&x, &self.norm, epsilon)
    }

    /// Causal attention of `n` new tokens behind `before` old ones.
    fn attend(&self, q: &[f32], keys: &[f32], values: &[f32], before: usize, n: usize) -> Vec<f32> {
        let config = &self.config;
        let (d, heads) = (config.hidden_size, config.num_attention_heads);
        let width = d / heads;
        let kv = width * config.num_key_value_heads;
        let group = heads / config.num_key_value_heads;
        let scale = 1.0 / (width as f32).sqrt();
        let mut context = vec![0.0; n * d];
        let mut weights = vec![0.0; before + n];
        for token in 0..n {
            let seen = before + token + 1;
            for head in 0..heads {
                let query = &q[token * d + head * width..][..width];
                let column = head / group * width;
                let weights = &mut weights[..seen];
                for (place, weight) in weights.iter_mut().enumerate() {
                    *weight = scale * dot(query, &keys[place * kv + column..][..width]);
                }
                softmax(weights);
                let out = &mut context[token * d + head * width..][..width];
                for (place, weight) in weights.iter().enumerate() {
                    let value = &values[place * kv + column..][..width];
                    for (out, value) in out.iter_mut().zip(value) {
                        *out += weight * value;
                    }
                }
            }
        }
        context
    }

    /// Logits of the next token from one final hidden state.
    pub(super) fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        let head = match self.head.is_empty() {
            true => &self.embed,
            false => &self.head,
        };
        let rows = head.chunks_exact(self.config.hidden_size);
        rows.map(|row| dot(hidden, row)).collect()
    }
}

/// `input [n, from] · weight [from, to] (+ bias)`.
pub(super) fn linear(
    input: &[f32],
    weight: &[f32],
    from: usize,
    to: usize,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let n = input.len() / from;
    let mut out = match bias {
        Some(bias) => bias.repeat(n),
        None => vec![0.0; n * to],
    };
    let blocks = input.chunks(TOGETHER * from);
    for (input, out) in blocks.zip(out.chunks_mut(TOGETHER * to)) {
        if input.len() == TOGETHER * from {
            block(input, weight, from, to, out);
        } else {
            for (input, out) in input.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
                row(input, weight, to, out);
            }
        }
    }
    out
}

/// Four rows at once: each row of the matrix is read once for all of them.
fn block(input: &[f32], weight: &[f32], from: usize, to: usize, out: &mut [f32]) {
    let (first, rest) = out.split_at_mut(to);
    let (second, rest) = rest.split_at_mut(to);
    let (third, fourth) = rest.split_at_mut(to);
    for (place, weight) in weight.chunks_exact(to).enumerate() {
        let [a, b, c, d] = [0, 1, 2, 3].map(|row| input[row * from + place]);
        let rows = first.iter_mut().zip(&mut *second).zip(&mut *third);
        for ((((first, second), third), fourth), weight) in rows.zip(&mut *fourth).zip(weight) {
            *first += a * weight;
            *second += b * weight;
            *third += c * weight;
            *fourth += d * weight;
        }
    }
}

/// One row: four rows of the matrix at once, so that the sums are read and written a quarter as often.
fn row(input: &[f32], weight: &[f32], to: usize, out: &mut [f32]) {
    let blocks = input.chunks(TOGETHER).zip(weight.chunks(TOGETHER * to));
    for (input, weight) in blocks {
        if let [a, b, c, d] = *input {
            let (first, rest) = weight.split_at(to);
            let (second, rest) = rest.split_at(to);
            let (third, fourth) = rest.split_at(to);
            let rows = first.iter().zip(second).zip(third).zip(fourth);
            for (out, (((first, second), third), fourth)) in out.iter_mut().zip(rows) {
                *out += a * first + b * second + c * third + d * fourth;
            }
        } else {
            for (input, weight) in input.iter().zip(weight.chunks_exact(to)) {
                for (out, weight) in out.iter_mut().zip(weight) {
                    *out += input * weight;
                }
            }
        }
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = (ones.remainder().iter().zip(others.remainder()))
        .map(|(one, other)| one * other)
        .sum();
    for (one, other) in ones.zip(others) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}

fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(weight.len()) {
        let square = dot(row, row) / weight.len() as f32;
        let inverse = 1.0 / (square + epsilon).sqrt();
        out.extend(
            row.iter()
                .zip(weight)
                .map(|(x, weight)| x * inverse * weight),
        );
    }
    out
}

pub(super) fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for value in row.iter_mut() {
        *value = libm::expf(*value - top);
    }
    let total: f32 = row.iter().sum();
    for value in row.iter_mut() {
        *value /= total;
    }
}

/// Cosines and sines of `n` positions from `start` on, `[n, width / 2]` each.
fn angles(start: usize, n: usize, width: usize, theta: f64) -> (Vec<f32>, Vec<f32>) {
    let half = width / 2;
    let turn = |position: usize, i: usize| {
        position as f64 * libm::pow(theta, -2.0 * i as f64 / width as f64)
    };
    let all = || (start..start + n).flat_map(|position| (0..half).map(move |i| (position, i)));
    (
        all().map(|(p, i)| libm::cos(turn(p, i)) as f32).collect(),
        all().map(|(p, i)| libm::sin(turn(p, i)) as f32).collect(),
    )
}

/// Rotates each head of each row by its position.
fn rotate(x: &mut [f32], row: usize, width: usize, (cos, sin): &(Vec<f32>, Vec<f32>)) {
    let half = width / 2;
    for (token, row) in x.chunks_exact_mut(row).enumerate() {
        let (cos, sin) = (&cos[token * half..][..half], &sin[token * half..][..half]);
        for head in row.chunks_exact_mut(width) {
            let (first, second) = head.split_at_mut(half);
            for i in 0..half {
                let (a, b) = (first[i], second[i]);
                first[i] = a * cos[i] - b * sin[i];
                second[i] = b * cos[i] + a * sin[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_hand_whatever_the_number_of_rows() {
        // 6 → 3, so that both the block's rest and the row's rest are met.
        let weight: Vec<f32> = (0..18).map(|value| value as f32 - 9.0).collect();
        let bias = [1.0, 2.0, 3.0];
        for n in 1..=9 {
            let input: Vec<f32> = (0..n * 6).map(|value| (value % 7) as f32 - 3.0).collect();
            let found = linear(&input, &weight, 6, 3, Some(&bias));
            for (row, found) in input.chunks(6).zip(found.chunks(3)) {
                for (column, found) in found.iter().enumerate() {
                    let sum: f32 = (0..6).map(|at| row[at] * weight[at * 3 + column]).sum();
                    assert_eq!(*found, sum + bias[column]);
                }
            }
        }
    }

    #[test]
    fn dots_have_no_holes() {
        for n in 0..20 {
            let ones: Vec<f32> = (1..=n).map(|value| value as f32).collect();
            let expected: f32 = (1..=n).map(|value| (value * value) as f32).sum();
            assert_eq!(dot(&ones, &ones), expected);
        }
    }
}
