//! Drawing a token from logits: in ordinary memory, or on the device that made them.

use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::sample::SamplingConfig;
use crate::device::read;

/// The random stream of each row; rows without one are finished.
pub(super) type Streams<'a> = Vec<Option<&'a mut ChaCha8Rng>>;

/// Logits of all rows together from which on threads share the work.
const SHARED: usize = 1 << 18;

/// Draws from `[rows, vocabulary]` in ordinary memory.
pub(super) fn rows(logits: &[f32], config: &SamplingConfig, streams: Streams) -> Vec<(u32, f32)> {
    let vocabulary = (logits.len() / streams.len().max(1)).max(1);
    let draw = |(stream, logits): (Option<&mut ChaCha8Rng>, &[f32])| match stream {
        Some(rng) => one(logits, config, rng),
        None => (0, 0.0),
    };
    if logits.len() >= SHARED {
        let rows = streams.into_par_iter().zip(logits.par_chunks(vocabulary));
        return rows.map(draw).collect();
    }
    let rows = streams.into_iter().zip(logits.chunks(vocabulary));
    rows.map(draw).collect()
}

/// Tokens of a block of [`on_device`].
const BLOCK: usize = 512;

/// Draws where the logits `[rows, vocabulary]` are, from the whole vocabulary: a row hands over the sums of blocks of tokens,
/// then the block that the draw fell into. The same draws as [`rows`], up to rounding.
pub(super) fn on_device(
    logits: Tensor<2>,
    config: &SamplingConfig,
    streams: Streams,
) -> Vec<(u32, f32)> {
    let shifted = logits.clone() - logits.clone().max_dim(1);
    if config.temperature <= 0.0 {
        return greedy(logits, shifted);
    }
    let [count, vocabulary] = shifted.dims();
    let device = shifted.device();
    let blocks = vocabulary.div_ceil(BLOCK);
    let mut weights = shifted.div_scalar(config.temperature).exp();
    if blocks * BLOCK > vocabulary {
        let padding = Tensor::zeros([count, blocks * BLOCK - vocabulary], &device);
        weights = Tensor::cat(vec![weights, padding], 1);
    }
    let weights = weights.reshape([count, blocks, BLOCK]);
    let sums = read(weights.clone().sum_dim(2));
    let wide = |value: &f32| f64::from(*value);
    // (total, block, what is left of the draw within it) of each row.
    let picked: Vec<(f64, usize, f64)> = streams
        .into_iter()
        .zip(sums.chunks(blocks))
        .map(|(stream, sums)| {
            let total = sums.iter().map(wide).sum::<f64>();
            let rest = stream.map_or(0.0, |rng| rng.random::<f64>()) * total;
            let (block, rest) = place(sums, rest);
            (total, block, rest)
        })
        .collect();
    let chosen: Vec<i64> = picked.iter().map(|(_, block, _)| *block as i64).collect();
    let chosen = Tensor::<1, Int>::from_data(TensorData::new(chosen, [count]), &device);
    let chosen = chosen.reshape([count, 1, 1]).expand([count, 1, BLOCK]);
    let block = read(weights.gather(1, chosen));
    picked
        .into_iter()
        .zip(block.chunks(BLOCK))
        .map(|((total, block, rest), weights)| {
            let (index, _) = place(weights, rest);
            let log_prob = f64::from(weights[index]).ln() - total.ln();
            ((block * BLOCK + index) as u32, log_prob as f32)
        })
        .collect()
}

/// The place that `rest` falls into when the weights stand side by side, and what is left of it there; where rounding leaves
/// a remainder, the last place that has any weight.
fn place(weights: &[f32], mut rest: f64) -> (usize, f64) {
    for (index, weight) in weights.iter().enumerate() {
        let after = rest - f64::from(*weight);
        if after < 0.0 {
            return (index, rest);
        }
        rest = after;
    }
    let last = weights.iter().rposition(|weight| *weight > 0.0);
    let last = last.unwrap_or(0);
    (last, f64::from(weights[last]))
}

fn greedy(logits: Tensor<2>, shifted: Tensor<2>) -> Vec<(u32, f32)> {
    let best = logits.argmax(1).float();
    let total = shifted.exp().sum_dim(1);
    let pairs = read(Tensor::cat(vec![best, total], 1));
    let pair = |pair: &[f32]| (pair[0] as u32, -pair[1].ln());
    pairs.chunks_exact(2).map(pair).collect()
}

/// Draws one token and its log-probability under the full softmax at the sampling temperature.
fn one(logits: &[f32], config: &SamplingConfig, rng: &mut ChaCha8Rng) -> (u32, f32) {
    let best = (0..logits.len()).fold(
        0,
        |best, id| if logits[id] > logits[best] { id } else { best },
    );
    let temperature = if config.temperature > 0.0 {
        config.temperature as f32
    } else {
        1.0
    };
    let top = logits[best];
    let weights: Vec<f32> = logits
        .iter()
        .map(|logit| ((logit - top) / temperature).exp())
        .collect();
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let log_prob = |id: usize| (logits[id] - top) / temperature - total.ln() as f32;
    if config.temperature <= 0.0 {
        return (best as u32, log_prob(best));
    }
    let id = if config.truncates(logits.len()) {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        if config.top_k > 0 {
            order.truncate(config.top_k);
        }
        let kept: f64 = order.iter().map(|id| f64::from(weights[*id])).sum();
        let mut mass = 0.0;
        let cut = order.iter().position(|id| {
            mass += f64::from(weights[*id]) / kept;
            mass >= config.top_p
        });
        order.truncate(cut.map_or(order.len(), |cut| cut + 1));
        let kept: f64 = order.iter().map(|id| f64::from(weights[*id])).sum();
        pick(order.iter().copied(), &weights, kept, rng).unwrap_or(best)
    } else {
        pick(0..logits.len(), &weights, total, rng).unwrap_or(best)
    };
    (id as u32, log_prob(id))
}

/// Inverse-CDF draw; `None` only if rounding leaves a remainder after the last candidate.
fn pick(
    candidates: impl Iterator<Item = usize>,
    weights: &[f32],
    total: f64,
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let mut rest = rng.random::<f64>() * total;
    for id in candidates {
        rest -= f64::from(weights[id]);
        if rest < 0.0 {
            return Some(id);
        }
    }
    None
}
