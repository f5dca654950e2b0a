//! Drawing a token from logits: in ordinary memory, or on the device that made them.

use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::sample::SamplingConfig;
use crate::device::read;

/// The random stream of each row and what the row holds so far; rows without one are finished.
pub(super) type Streams<'a> = Vec<Option<(&'a mut ChaCha8Rng, &'a [u32])>>;

/// Logits of all rows together from which on threads share the work.
const SHARED: usize = 1 << 18;

/// Draws from `[rows, vocabulary]` in ordinary memory.
pub(super) fn rows(logits: &[f32], config: &SamplingConfig, streams: Streams) -> Vec<(u32, f32)> {
    let vocabulary = (logits.len() / streams.len().max(1)).max(1);
    let draw = |(stream, logits): (Option<(&mut ChaCha8Rng, &[u32])>, &[f32])| match stream {
        Some((rng, before)) => one(logits, before, config, rng),
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
            let rest = stream.map_or(0.0, |(rng, _)| rng.random::<f64>()) * total;
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

/// Draws one token and its log-probability under the full softmax at the sampling temperature. A presence penalty moves what is
/// drawn; the log-probability stays the model's.
fn one(
    logits: &[f32],
    before: &[u32],
    config: &SamplingConfig,
    rng: &mut ChaCha8Rng,
) -> (u32, f32) {
    let plain = Softmax::of(logits, config.temperature);
    let id = if config.presence_penalty == 0.0 || before.is_empty() {
        plain.draw(config, rng)
    } else {
        let bent = penalised(logits, before, config.presence_penalty);
        Softmax::of(&bent, config.temperature).draw(config, rng)
    };
    (id as u32, plain.log_prob(id))
}

/// The logits with the penalty taken off each token of `before`, once however often it occurs.
fn penalised(logits: &[f32], before: &[u32], penalty: f64) -> Vec<f32> {
    let mut bent = logits.to_vec();
    for id in before {
        bent[*id as usize] = logits[*id as usize] - penalty as f32;
    }
    bent
}

/// Logits at a temperature; a temperature of 0 draws the best and counts as 1 for probabilities.
struct Softmax<'a> {
    logits: &'a [f32],
    temperature: f32,
    best: usize,
    /// `exp((logit − best) / temperature)`.
    weights: Vec<f32>,
    total: f64,
}

impl<'a> Softmax<'a> {
    fn of(logits: &'a [f32], temperature: f64) -> Self {
        let best = (0..logits.len()).fold(
            0,
            |best, id| if logits[id] > logits[best] { id } else { best },
        );
        let temperature = if temperature > 0.0 {
            temperature as f32
        } else {
            1.0
        };
        let top = logits[best];
        let weights: Vec<f32> = logits
            .iter()
            .map(|logit| ((logit - top) / temperature).exp())
            .collect();
        let total = weights.iter().map(|weight| f64::from(*weight)).sum();
        Self {
            logits,
            temperature,
            best,
            weights,
            total,
        }
    }

    fn log_prob(&self, id: usize) -> f32 {
        (self.logits[id] - self.logits[self.best]) / self.temperature - self.total.ln() as f32
    }

    fn draw(&self, config: &SamplingConfig, rng: &mut ChaCha8Rng) -> usize {
        let Self {
            logits, weights, ..
        } = self;
        if config.temperature <= 0.0 {
            return self.best;
        }
        let drawn = if config.truncates(logits.len()) {
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
            pick(order.iter().copied(), weights, kept, rng)
        } else {
            pick(0..logits.len(), weights, self.total, rng)
        };
        drawn.unwrap_or(self.best)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_presence_penalty_moves_the_draw_and_not_the_probability() {
        let logits = [3.0f32, 2.0, 0.0];
        let config = |presence_penalty: f64, temperature: f64| SamplingConfig {
            presence_penalty,
            temperature,
            ..SamplingConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let total = (3f64.exp() + 2f64.exp() + 1.0).ln();
        // Twice there counts once: 3 − 1.5 < 2.
        let (id, log_prob) = one(&logits, &[0, 0], &config(1.5, 0.0), &mut rng);
        assert_eq!(id, 1);
        assert!((f64::from(log_prob) - (2.0 - total)).abs() < 1e-6);
        assert_eq!(one(&logits, &[0], &config(0.5, 0.0), &mut rng).0, 0);
        assert_eq!(one(&logits, &[1], &config(1.5, 0.0), &mut rng).0, 0);
        // As often as the bent softmax says.
        let bent = [1.0f64, 2.0, 0.0].map(f64::exp);
        let expected = bent.map(|weight| 20_000.0 * weight / bent.iter().sum::<f64>());
        let mut counts = [0; 3];
        for _ in 0..20_000 {
            counts[one(&logits, &[0], &config(2.0, 1.0), &mut rng).0 as usize] += 1;
        }
        for (count, expected) in counts.iter().zip(expected) {
            assert!((f64::from(*count) - expected).abs() < 350.0, "{counts:?}");
        }
    }
}
