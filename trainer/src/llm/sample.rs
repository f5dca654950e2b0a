//! Batched sampling: left padding, KV cache, finished rows leave the batch, one random stream per completion.
//!
//! `generation_config.json` of a checkpoint is never read: its top-k and top-p would change the policy that GRPO trains.

use burn::tensor::{Int, Tensor, TensorData};
use curec_shared_model::qwen2::{KvCache, Qwen2, TokenBatch};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cpu::{self, Decoder, Network, Weights};

/// A sampled continuation of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// New tokens only, the stop token included when it was reached.
    pub ids: Vec<u32>,
    /// `log π_old` of each token at the sampling temperature, stored when it was sampled.
    pub log_probs: Vec<f32>,
    /// Whether the length limit cut it off.
    pub truncated: bool,
}

/// How completions are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Longest completion in tokens.
    pub max_new_tokens: usize,
    /// Softmax temperature; 0 takes the most probable token.
    pub temperature: f64,
    /// Only the `k` most probable tokens; 0 for all.
    pub top_k: usize,
    /// Only the smallest set of tokens with this total probability; 1 for all.
    pub top_p: f64,
    /// Tokens that end a completion.
    pub stop: Vec<u32>,
    /// Seed of the run; each (prompt, copy) has a stream of its own, whatever batch it lands in.
    pub seed: u64,
    /// Rows that are decoded together.
    pub rows: usize,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 64,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            stop: Vec::new(),
            seed: 0,
            rows: 64,
        }
    }
}

/// Draws `copies` completions for every prompt; the result is `[prompt][copy]`.
///
/// Prompts of similar length share a batch. A prompt is read once however many completions it gets.
/// `done` is told how many prompts have finished; returning `false` from it stops early with what is complete.
pub fn sample(
    model: &Qwen2,
    prompts: &[&[u32]],
    copies: usize,
    config: &SamplingConfig,
    mut done: impl FnMut(usize) -> bool,
) -> Vec<Option<Vec<Completion>>> {
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|index| prompts[*index].len());
    let mut all: Vec<Option<Vec<Completion>>> = vec![None; prompts.len()];
    let together = (config.rows / copies.max(1)).max(1);
    let network = cpu::serves(model).then(|| Network::new(Weights::of(model)));
    // The kernels work through one batch a thread; a general backend uses its threads within one batch.
    let at_once = network.as_ref().map_or(1, |_| rayon::current_num_threads());
    let together = together.min(order.len().div_ceil(at_once).max(1));
    let batch = |chunk: &&[usize]| {
        let batch: Vec<&[u32]> = chunk.iter().map(|index| prompts[*index]).collect();
        match &network {
            Some(network) => {
                let decoder = Decoder::new(network, &batch, copies);
                sample_batch(decoder, chunk, copies, config)
            }
            None => {
                let decoder = TensorDecoder::new(model, &batch, copies, config.max_new_tokens);
                sample_batch(decoder, chunk, copies, config)
            }
        }
    };
    let chunks: Vec<&[usize]> = order.chunks(together).collect();
    let mut finished = 0;
    for wave in chunks.chunks(at_once) {
        let found: Vec<Vec<Completion>> = if at_once > 1 {
            wave.par_iter().map(batch).collect()
        } else {
            wave.iter().map(batch).collect()
        };
        for (chunk, completions) in wave.iter().zip(found) {
            let mut completions = completions.into_iter();
            for index in *chunk {
                all[*index] = Some(completions.by_ref().take(copies).collect());
            }
            finished += chunk.len();
        }
        if !done(finished) {
            break;
        }
    }
    all
}

/// Rows that grow by one token at a time.
trait Decode {
    /// `[rows, vocabulary]` of the next tokens.
    fn logits(&self) -> Vec<f32>;
    /// Whether it pays to let finished rows leave when this many of `all` are still running.
    fn pays(&self, running: usize, all: usize) -> bool;
    /// Keeps the given rows, in ascending order.
    fn keep(&mut self, rows: &[usize]);
    /// Appends one token to every row.
    fn step(&mut self, ids: &[u32]);
}

impl Decode for Decoder<'_> {
    fn logits(&self) -> Vec<f32> {
        self.logits()
    }

    fn pays(&self, running: usize, all: usize) -> bool {
        running < all
    }

    fn keep(&mut self, rows: &[usize]) {
        self.keep(rows);
    }

    fn step(&mut self, ids: &[u32]) {
        self.step(ids);
    }
}

/// Decoding by burn on any device: left padding, one cache for the batch.
struct TensorDecoder<'a> {
    model: &'a Qwen2,
    cache: KvCache,
    rows: TokenBatch,
    last: Tensor<2>,
}

impl<'a> TensorDecoder<'a> {
    fn new(model: &'a Qwen2, prompts: &[&[u32]], copies: usize, max_new_tokens: usize) -> Self {
        let tokens = TokenBatch::left_padded(prompts);
        let [count, width] = tokens.dims();
        let mut cache = model.cache(width + max_new_tokens);
        let hidden = model.hidden_cached(&tokens, true, &mut cache);
        let mut last: Tensor<2> = hidden.narrow(1, width - 1, 1).squeeze_dim(1);
        let fan_out: Vec<usize> = (0..count)
            .flat_map(|row| std::iter::repeat_n(row, copies))
            .collect();
        if copies > 1 {
            let picks = row_tensor(&fan_out, &model.device());
            cache.select_rows(&picks);
            last = last.select(0, picks);
        }
        Self {
            model,
            cache,
            rows: tokens.select_rows(&fan_out),
            last,
        }
    }
}

impl Decode for TensorDecoder<'_> {
    fn logits(&self) -> Vec<f32> {
        let logits = self.model.logits(self.last.clone());
        logits.try_into_vec_as::<f32>().unwrap_or_default()
    }

    /// Moving the cache costs about as much as a step: rows leave a quarter of the batch at a time.
    fn pays(&self, running: usize, all: usize) -> bool {
        running * 4 <= all * 3
    }

    fn keep(&mut self, rows: &[usize]) {
        self.cache
            .select_rows(&row_tensor(rows, &self.model.device()));
        self.rows = self.rows.select_rows(rows);
    }

    fn step(&mut self, ids: &[u32]) {
        let step = self.rows.next_step(ids);
        let hidden = self.model.hidden_cached(&step, true, &mut self.cache);
        self.last = hidden.squeeze_dim(1);
    }
}

/// A completion being written.
struct Stream {
    rng: ChaCha8Rng,
    completion: Completion,
    slot: usize,
    done: bool,
}

fn sample_batch(
    mut decoder: impl Decode,
    indices: &[usize],
    copies: usize,
    config: &SamplingConfig,
) -> Vec<Completion> {
    let mut live: Vec<Stream> = (0..indices.len() * copies)
        .map(|slot| Stream {
            rng: stream(config.seed, indices[slot / copies], slot % copies),
            completion: Completion::default(),
            slot,
            done: false,
        })
        .collect();
    let mut finished: Vec<Option<Completion>> = vec![None; live.len()];
    loop {
        let logits = decoder.logits();
        let vocab = logits.len() / live.len().max(1);
        let mut next = Vec::with_capacity(live.len());
        for (row, stream) in live.iter_mut().enumerate() {
            if stream.done {
                next.push(0);
                continue;
            }
            let (id, log_prob) = draw(
                &logits[row * vocab..(row + 1) * vocab],
                config,
                &mut stream.rng,
            );
            stream.completion.ids.push(id);
            stream.completion.log_probs.push(log_prob);
            let stopped = config.stop.contains(&id);
            let full = stream.completion.ids.len() >= config.max_new_tokens;
            stream.completion.truncated = full && !stopped;
            stream.done = stopped || full;
            next.push(id);
        }
        let running: Vec<usize> = (0..live.len()).filter(|row| !live[*row].done).collect();
        if running.is_empty() || decoder.pays(running.len(), live.len()) {
            live.retain_mut(|stream| {
                if stream.done {
                    finished[stream.slot] = Some(std::mem::take(&mut stream.completion));
                }
                !stream.done
            });
            if live.is_empty() {
                break;
            }
            decoder.keep(&running);
            next = running.iter().map(|row| next[*row]).collect();
        }
        decoder.step(&next);
    }
    finished.into_iter().flatten().collect()
}

/// Draws one token and its log-probability under the full softmax at the sampling temperature.
fn draw(logits: &[f32], config: &SamplingConfig, rng: &mut ChaCha8Rng) -> (u32, f32) {
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
    let truncate = (config.top_k > 0 && config.top_k < logits.len()) || config.top_p < 1.0;
    let id = if truncate {
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

/// The random stream of one completion.
fn stream(seed: u64, prompt: usize, copy: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((prompt as u64) << 16) | copy as u64);
    rng
}

fn row_tensor(rows: &[usize], device: &burn::tensor::Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
