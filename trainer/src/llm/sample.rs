//! Batched sampling: left padding, KV cache, finished rows leave the batch, one random stream per completion.
//!
//! `generation_config.json` of a checkpoint is never read: its top-k and top-p would change the policy that GRPO trains.

use burn::tensor::{Int, Tensor, TensorData};
use curec_shared_model::qwen2::{KvCache, Qwen2, TokenBatch};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cpu::{self, Decoder, Network, Weights};
use super::draw::{self, Streams};
use super::tensors::bucket;
use crate::device::read;

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
    /// Taken off the logit of every token that the completion already holds (OpenAI's `presence_penalty`): what is trained on
    /// the probabilities of its samples leaves it at 0.
    pub presence_penalty: f64,
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
            presence_penalty: 0.0,
            stop: Vec::new(),
            seed: 0,
            rows: 64,
        }
    }
}

impl SamplingConfig {
    /// Whether more than the softmax of the logits decides what is drawn.
    pub(super) fn bends(&self, vocabulary: usize) -> bool {
        self.truncates(vocabulary) || self.presence_penalty != 0.0
    }

    /// Whether tokens are drawn from a part of the vocabulary only.
    pub(super) fn truncates(&self, vocabulary: usize) -> bool {
        self.temperature > 0.0 && ((self.top_k > 0 && self.top_k < vocabulary) || self.top_p < 1.0)
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
    /// Draws the next token of each row that has a stream, with its log-probability; 0 for the other rows.
    fn draw(&self, config: &SamplingConfig, streams: Streams) -> Vec<(u32, f32)>;
    /// Whether it pays to let finished rows leave when this many of `all` are still running.
    fn pays(&self, running: usize, all: usize) -> bool;
    /// Keeps the given rows, in ascending order.
    fn keep(&mut self, rows: &[usize]);
    /// Appends one token to every row.
    fn step(&mut self, ids: &[u32]);
}

impl Decode for Decoder<'_> {
    fn draw(&self, config: &SamplingConfig, streams: Streams) -> Vec<(u32, f32)> {
        draw::rows(&self.logits(), config, streams)
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
        let bucket = bucket(&model.device());
        let tokens = TokenBatch::left_padded_to(prompts, bucket);
        let [count, width] = tokens.dims();
        let mut cache = model.cache(width + max_new_tokens).with_bucket(bucket);
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
    fn draw(&self, config: &SamplingConfig, streams: Streams) -> Vec<(u32, f32)> {
        let logits = self.model.logits(self.last.clone());
        if cpu::is_cpu(&logits.device()) || config.bends(logits.dims()[1]) {
            draw::rows(&read(logits), config, streams)
        } else {
            draw::on_device(logits, config, streams)
        }
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
        let streams = live
            .iter_mut()
            .map(|one| (!one.done).then_some((&mut one.rng, one.completion.ids.as_slice())));
        let drawn = decoder.draw(config, streams.collect());
        let mut next = Vec::with_capacity(live.len());
        for (stream, (id, log_prob)) in live.iter_mut().zip(drawn) {
            next.push(id);
            if stream.done {
                continue;
            }
            stream.completion.ids.push(id);
            stream.completion.log_probs.push(log_prob);
            let stopped = config.stop.contains(&id);
            let full = stream.completion.ids.len() >= config.max_new_tokens;
            stream.completion.truncated = full && !stopped;
            stream.done = stopped || full;
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
