//! One optimiser step on sampled groups: token ids in, token ids out, nothing is tokenised again.

use std::sync::OnceLock;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use curec_shared_model::qwen2::{Qwen2, TokenBatch};
use serde::{Deserialize, Serialize};

use super::advantage::group_advantages;
use super::loss::{LossInputs, LossKind, LossSettings, grpo_loss, k3};
use crate::llm::Trainer;
use crate::llm::cpu::{Network, Sequence, Weights};

/// Settings of alignment by GRPO, shared by `pretrain` and `correct`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpoConfig {
    /// Completions per prompt (G).
    pub group_size: usize,
    /// Sampling temperature; the loss uses log-probabilities at the same temperature.
    pub temperature: f64,
    /// Longest completion in tokens; longer ones are cut and marked truncated.
    pub max_new_tokens: usize,
    /// ε in the denominator of the advantages.
    pub advantage_epsilon: f64,
    /// Whether truncated completions are left out of the loss.
    pub mask_truncated: bool,
    /// The loss.
    pub loss: LossSettings,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            group_size: 8,
            temperature: 1.0,
            max_new_tokens: 64,
            advantage_epsilon: 1e-4,
            mask_truncated: false,
            loss: LossSettings::default(),
        }
    }
}

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

/// The completions of one prompt with their rewards.
#[derive(Debug, Clone)]
pub struct Group {
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Its completions.
    pub completions: Vec<Completion>,
    /// One reward per completion.
    pub rewards: Vec<f64>,
}

/// What one step did, under the field's names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Value of the loss (near 0 on policy: normal).
    pub loss: f64,
    /// Mean reward.
    pub reward: f64,
    /// Mean over groups of the standard deviation of rewards.
    pub reward_std: f64,
    /// Share of groups whose rewards are all equal.
    pub frac_reward_zero_std: f64,
    /// Mean k3 divergence from the reference policy; 0 when β = 0.
    pub kl: f64,
    /// Share of tokens whose ratio is outside the clip range.
    pub clip_ratio: f64,
    /// Largest |ρ − 1|; 0 up to rounding in the first pass over fresh samples.
    pub max_ratio_gap: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Mean length of completions in tokens.
    pub completion_length: f64,
    /// Share of completions cut by the length limit.
    pub truncated: f64,
    /// False when nothing was learnt: flat groups only, or a gradient that is not finite.
    pub stepped: bool,
}

/// One gradient step on `groups` (METHOD §1). Groups of equal rewards are counted and, with β = 0, skipped.
pub fn grpo_step(
    trainer: &mut Trainer,
    groups: &[Group],
    config: &GrpoConfig,
    learning_rate: f64,
) -> StepReport {
    let mut report = StepReport::default();
    let mut rows: Vec<Row> = Vec::new();
    // Tokens of every completion that takes part in the loss, whether or not its advantage is zero.
    let mut tokens = 0;
    let count = groups.len().max(1) as f64;
    let completions: usize = groups.iter().map(|group| group.completions.len()).sum();
    for group in groups {
        let advantages = group_advantages(&group.rewards, config.advantage_epsilon);
        report.reward += advantages.mean / count;
        report.reward_std += advantages.std / count;
        if advantages.is_flat() {
            report.frac_reward_zero_std += 1.0 / count;
        }
        for (completion, advantage) in group.completions.iter().zip(&advantages.values) {
            report.completion_length += completion.ids.len() as f64 / completions as f64;
            if completion.truncated {
                report.truncated += 1.0 / completions as f64;
            }
            let left_out = config.mask_truncated && completion.truncated;
            tokens += if left_out { 0 } else { completion.ids.len() };
            if (*advantage != 0.0 || config.loss.beta != 0.0)
                && !left_out
                && !completion.ids.is_empty()
            {
                rows.push(Row {
                    prompt: &group.prompt,
                    completion,
                    advantage: *advantage,
                });
            }
        }
    }
    if rows.is_empty() {
        return report;
    }
    let share = |rows: &[Row]| denominator_share(config.loss.kind, rows, completions, tokens);
    let gradients = if trainer.cpu_kernels() && config.loss.beta == 0.0 {
        cpu_gradients(trainer.model(), &rows, config, share, &mut report)
    } else {
        autodiff_gradients(trainer.model(), &rows, config, share(&rows), &mut report)
    };
    report.grad_norm = trainer.apply(gradients, learning_rate);
    report.stepped = report.grad_norm.is_finite();
    report
}

/// What the loss of the rows at hand is multiplied with to be the loss of the whole batch: completions that were dropped
/// because their advantage is zero add nothing to its sum and still count in its denominator, which is a number of
/// sequences or, for some kinds, of tokens. A masked completion counts as a sequence without tokens ([`LossInputs::mask`]).
fn denominator_share(kind: LossKind, rows: &[Row], completions: usize, tokens: usize) -> f64 {
    match kind {
        LossKind::Grpo | LossKind::DrGrpo | LossKind::Gspo | LossKind::Sapo => {
            rows.len() as f64 / completions.max(1) as f64
        }
        LossKind::Bnpo | LossKind::Dapo | LossKind::Cispo => {
            let kept: usize = rows.iter().map(|row| row.completion.ids.len()).sum();
            kept as f64 / tokens.max(1) as f64
        }
    }
}

/// Loss and gradients by burn's autodiff, with the reference pass where β asks for one.
fn autodiff_gradients(
    model: &Qwen2,
    rows: &[Row],
    config: &GrpoConfig,
    share: f64,
    report: &mut StepReport,
) -> GradientsParams {
    let device = model.device();
    let batch = Packed::new(rows, &device, config);
    let log_probs = batch.log_probs(model, true, config.temperature);
    let reference = (config.loss.beta != 0.0).then(|| {
        let frozen = model.valid();
        let log_probs = batch.log_probs(&frozen, false, config.temperature);
        Tensor::<2>::from_data(log_probs.into_data(), &device)
    });
    let table = &batch.table;
    let tokens = table.tokens();
    let found = table.describe(log_probs.clone().detach(), config);
    report.max_ratio_gap = found.max_ratio_gap;
    report.clip_ratio = found.clipped / tokens;
    if let Some(reference) = reference.clone() {
        let kl = k3(log_probs.clone().detach(), reference) * table.mask.clone();
        report.kl = f64::from(kl.sum().into_scalar::<f32>()) / tokens;
    }
    let loss = grpo_loss(table.inputs(log_probs, reference), &config.loss).mul_scalar(share);
    report.loss = f64::from(loss.clone().into_scalar::<f32>());
    GradientsParams::from_grads(loss.backward(), model)
}

/// The same by the CPU kernels: each prompt is read once with all its completions, forward and backward; the loss's
/// derivative with respect to the log-probabilities in between is autodiff's (a few numbers). Only without a reference
/// policy. A group's part of the loss depends on no other group's log-probabilities, so groups are handled one by one.
fn cpu_gradients(
    model: &Qwen2,
    rows: &[Row],
    config: &GrpoConfig,
    share: impl Fn(&[Row]) -> f64 + Sync,
    report: &mut StepReport,
) -> GradientsParams {
    let groups: Vec<&[Row]> = rows
        .chunk_by(|one, other| std::ptr::eq(one.prompt, other.prompt))
        .collect();
    // With fewer groups than threads a group is cut, so that no thread is idle.
    let parts = rayon::current_num_threads().div_ceil(groups.len().max(1));
    let cut = |group: &&'_ [Row<'_>]| group.len().div_ceil(parts).max(1);
    let groups: Vec<&[Row]> = groups
        .iter()
        .flat_map(|group| group.chunks(cut(group)))
        .collect();
    let sequences: Vec<Sequence> = groups
        .iter()
        .map(|group| {
            let completions = group.iter().map(|row| row.completion.ids.as_slice());
            Sequence::branching(group[0].prompt, completions)
        })
        .collect();
    let network = Network::new(Weights::of(model));
    let device = model.device();
    let found: Vec<OnceLock<Described>> = groups.iter().map(|_| OnceLock::new()).collect();
    let (_, gradients) =
        network.gradient(&sequences, config.temperature as f32, |index, log_probs| {
            let group = groups[index];
            let table = Table::new(group, &device);
            let leaf = table.spread(log_probs, &device).require_grad();
            let mut described = table.describe(leaf.clone().detach(), config);
            let loss = grpo_loss(table.inputs(leaf.clone(), None), &config.loss);
            let loss = loss.mul_scalar(share(group));
            described.loss = f64::from(loss.clone().into_scalar::<f32>());
            let slopes = leaf.grad(&loss.backward());
            let slopes = slopes.and_then(|slopes| slopes.try_into_vec_as::<f32>().ok());
            // Each group is visited once.
            let _ = found[index].set(described);
            table.gather(&slopes.unwrap_or_default())
        });
    for described in found.into_iter().filter_map(OnceLock::into_inner) {
        report.loss += described.loss;
        report.max_ratio_gap = report.max_ratio_gap.max(described.max_ratio_gap);
        report.clip_ratio += described.clipped;
    }
    let tokens: usize = rows.iter().map(|row| row.completion.ids.len()).sum();
    report.clip_ratio /= tokens.max(1) as f64;
    gradients.into_gradients(model)
}

struct Row<'a> {
    prompt: &'a [u32],
    completion: &'a Completion,
    advantage: f64,
}

/// The completions of some rows as rectangles `[rows, longest]`.
struct Table {
    lengths: Vec<usize>,
    longest: usize,
    behaviour: Tensor<2>,
    advantages: Tensor<2>,
    mask: Tensor<2>,
}

/// What the log-probabilities of a table say about the step.
#[derive(Debug, Clone, Default)]
struct Described {
    loss: f64,
    max_ratio_gap: f64,
    /// Tokens whose ratio lies outside the clip range.
    clipped: f64,
}

impl Table {
    fn new(rows: &[Row], device: &Device) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.completion.ids.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut behaviour: Vec<f32> = Vec::with_capacity(rows.len() * longest);
        let mut mask: Vec<f32> = Vec::with_capacity(rows.len() * longest);
        for row in rows {
            let (length, end) = (row.completion.ids.len(), behaviour.len() + longest);
            behaviour.extend_from_slice(&row.completion.log_probs);
            behaviour.resize(end, 0.0);
            mask.extend(std::iter::repeat_n(1.0, length));
            mask.resize(end, 0.0);
        }
        let table = |values: Vec<f32>, width: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [rows.len(), width]), device)
        };
        Self {
            longest,
            behaviour: table(behaviour, longest),
            advantages: table(rows.iter().map(|row| row.advantage as f32).collect(), 1),
            mask: table(mask, longest),
            lengths,
        }
    }

    fn tokens(&self) -> f64 {
        self.lengths.iter().sum::<usize>().max(1) as f64
    }

    fn inputs(&self, log_probs: Tensor<2>, reference: Option<Tensor<2>>) -> LossInputs {
        LossInputs {
            log_probs,
            behaviour: self.behaviour.clone(),
            reference,
            advantages: self.advantages.clone(),
            mask: self.mask.clone(),
        }
    }

    /// Values of all tokens, row by row, as a rectangle with zeros behind short rows.
    fn spread(&self, values: &[f32], device: &Device) -> Tensor<2> {
        let mut flat = Vec::with_capacity(self.lengths.len() * self.longest);
        let mut rest = values;
        for length in &self.lengths {
            let (row, behind) = rest.split_at(*length);
            flat.extend_from_slice(row);
            flat.extend(std::iter::repeat_n(0.0, self.longest - length));
            rest = behind;
        }
        Tensor::from_data(
            TensorData::new(flat, [self.lengths.len(), self.longest]),
            device,
        )
    }

    /// The inverse of [`Table::spread`]; nothing known is zero.
    fn gather(&self, flat: &[f32]) -> Vec<f32> {
        if flat.is_empty() {
            return vec![0.0; self.lengths.iter().sum()];
        }
        let rows = flat.chunks(self.longest).zip(&self.lengths);
        rows.flat_map(|(row, length)| &row[..*length])
            .copied()
            .collect()
    }

    fn describe(&self, log_probs: Tensor<2>, config: &GrpoConfig) -> Described {
        let ratio = (log_probs - self.behaviour.clone()).exp();
        let gap = (ratio.clone() - 1.0) * self.mask.clone();
        let (low, high) = (
            1.0 - config.loss.epsilon_low,
            1.0 + config.loss.epsilon_high,
        );
        let outside = ratio.clone().lower_elem(low).float() + ratio.greater_elem(high).float();
        let outside = (outside * self.mask.clone()).sum().into_scalar::<f32>();
        Described {
            loss: 0.0,
            max_ratio_gap: f64::from(gap.abs().max().into_scalar::<f32>()),
            clipped: f64::from(outside),
        }
    }
}

/// Rows with their prompts as rectangles: tokens right-padded, and the completion positions picked out of them.
struct Packed {
    tokens: TokenBatch,
    /// Flat indices into `[rows · width]` of the hidden states that predict completion tokens, `[rows · longest]`.
    picks: Tensor<1, Int>,
    targets: Vec<u32>,
    table: Table,
}

impl Packed {
    fn new(rows: &[Row], device: &Device, config: &GrpoConfig) -> Self {
        let sequences: Vec<Vec<u32>> = rows
            .iter()
            .map(|row| [row.prompt, row.completion.ids.as_slice()].concat())
            .collect();
        let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let tokens = TokenBatch::right_padded(&slices, 0);
        let [count, width] = tokens.dims();
        let table = Table::new(rows, device);
        let longest = table.longest;
        debug_assert!(longest <= config.max_new_tokens);
        let mut picks: Vec<i64> = Vec::with_capacity(count * longest);
        let mut targets = Vec::with_capacity(count * longest);
        for (index, row) in rows.iter().enumerate() {
            let before = index * width + row.prompt.len() - 1;
            for step in 0..longest {
                let real = step < row.completion.ids.len();
                picks.push((before + if real { step } else { 0 }) as i64);
                targets.push(if real { row.completion.ids[step] } else { 0 });
            }
        }
        Self {
            tokens,
            picks: Tensor::from_data(TensorData::new(picks, [count * longest]), device),
            targets,
            table,
        }
    }

    /// `[rows, longest]`, zero where masked. Only completion positions meet the vocabulary.
    fn log_probs(&self, model: &Qwen2, adapters: bool, temperature: f64) -> Tensor<2> {
        let hidden = model.hidden(&self.tokens, adapters);
        let [rows, width, d] = hidden.dims();
        let device = hidden.device();
        let picks = Tensor::from_data(self.picks.to_data(), &device);
        let states = hidden.reshape([rows * width, d]).select(0, picks);
        let mask = Tensor::<2>::from_data(self.table.mask.to_data(), &device);
        model
            .log_probs(states, &self.targets, temperature)
            .reshape([rows, self.table.longest])
            * mask
    }
}
