//! Supervised training on (prompt, answer) pairs: the warm-up that teaches a fresh nano model language and contract.

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use curec_shared_model::qwen2::{Qwen2, TokenBatch};
use serde::{Deserialize, Serialize};

use super::cpu::{Network, Sequence, Weights};
use super::trainer::{Trainer, TrainerSettings};

/// Settings of supervised training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Examples per step.
    pub batch_size: usize,
    /// Weight of prompt tokens in the loss; 0 trains on answers only (and never forms logits for prompts).
    pub prompt_weight: f64,
    /// The optimiser.
    pub trainer: TrainerSettings,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-3,
            batch_size: 16,
            prompt_weight: 0.0,
            trainer: TrainerSettings {
                muon: true,
                ..TrainerSettings::default()
            },
        }
    }
}

/// A prompt and the answer it should get, as token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Up to and including the assistant's header.
    pub prompt: Vec<u32>,
    /// The answer with its stop token.
    pub answer: Vec<u32>,
}

/// Cross-entropy in nats: (training loss, mean over answer tokens).
pub fn supervised_loss(model: &Qwen2, batch: &[&Example], prompt_weight: f64) -> (Tensor<1>, f64) {
    let device = model.device();
    let sequences: Vec<Vec<u32>> = batch
        .iter()
        .map(|example| [example.prompt.as_slice(), &example.answer].concat())
        .collect();
    let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let tokens = TokenBatch::right_padded(&slices, 0);
    let [rows, width] = tokens.dims();
    let mut picks: Vec<i64> = Vec::new();
    let mut targets: Vec<u32> = Vec::new();
    let mut answers: Vec<f32> = Vec::new();
    for (row, example) in batch.iter().enumerate() {
        let start = if prompt_weight > 0.0 {
            1
        } else {
            example.prompt.len()
        };
        for (position, id) in sequences[row].iter().enumerate().skip(start) {
            picks.push((row * width + position - 1) as i64);
            targets.push(*id);
            answers.push(if position >= example.prompt.len() {
                1.0
            } else {
                0.0
            });
        }
    }
    let count = targets.len();
    let answer_tokens = f64::from(answers.iter().sum::<f32>()).max(1.0);
    let weights: Vec<f32> = answers
        .iter()
        .map(|answer| answer + (1.0 - answer) * prompt_weight as f32)
        .collect();
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let vector =
        |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values, [count]), &device);
    let hidden = model.hidden(&tokens, true);
    let d = hidden.dims()[2];
    let picks = Tensor::<1, Int>::from_data(TensorData::new(picks, [count]), &device);
    let states = hidden.reshape([rows * width, d]).select(0, picks);
    let log_probs = model.log_probs(states, &targets, 1.0);
    let answer_loss = (log_probs.clone().detach() * vector(answers))
        .sum()
        .into_scalar::<f32>();
    let loss = (log_probs * vector(weights))
        .sum()
        .neg()
        .div_scalar(total.max(1.0));
    (loss, -f64::from(answer_loss) / answer_tokens)
}

/// One optimiser step; returns (mean loss per answer token, gradient norm).
pub fn supervised_step(
    trainer: &mut Trainer,
    batch: &[&Example],
    config: &SupervisedConfig,
    rate: f64,
) -> (f64, f64) {
    let (answers, gradients) = if trainer.cpu_kernels() {
        cpu_gradients(trainer.model(), batch, config.prompt_weight)
    } else {
        let (loss, answers) = supervised_loss(trainer.model(), batch, config.prompt_weight);
        (
            answers,
            GradientsParams::from_grads(loss.backward(), trainer.model()),
        )
    };
    (answers, trainer.apply(gradients, rate))
}

/// The same as [`supervised_loss`] and its gradients, by the CPU kernels.
fn cpu_gradients(model: &Qwen2, batch: &[&Example], prompt_weight: f64) -> (f64, GradientsParams) {
    let first = |example: &Example| {
        if prompt_weight > 0.0 {
            1
        } else {
            example.prompt.len()
        }
    };
    let sequence = |example: &&Example| Sequence {
        ids: [example.prompt.as_slice(), &example.answer].concat(),
        positions: (first(example)..example.prompt.len() + example.answer.len()).collect(),
    };
    let sequences: Vec<Sequence> = batch.iter().map(sequence).collect();
    let answer_tokens: usize = batch.iter().map(|example| example.answer.len()).sum();
    let prompt_tokens: usize =
        sequences.iter().map(|s| s.positions.len()).sum::<usize>() - answer_tokens;
    let total = answer_tokens as f64 + prompt_tokens as f64 * prompt_weight;
    let network = Network::new(Weights::of(model));
    let (log_probs, gradients) = network.gradient(&sequences, 1.0, |index, _| {
        let weight = |position: &usize| {
            let prompt = *position < batch[index].prompt.len();
            (-(if prompt { prompt_weight } else { 1.0 }) / total.max(1.0)) as f32
        };
        sequences[index].positions.iter().map(weight).collect()
    });
    let answer_loss: f64 = log_probs
        .iter()
        .zip(batch)
        .flat_map(|(values, example)| &values[values.len() - example.answer.len()..])
        .map(|value| -f64::from(*value))
        .sum();
    (
        answer_loss / answer_tokens.max(1) as f64,
        gradients.into_gradients(model),
    )
}
