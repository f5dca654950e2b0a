//! Optimiser steps on sampled groups: token ids in, token ids out, nothing is tokenised again.

use std::sync::OnceLock;
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::advantage::{AdvantageScale, Advantages, advantages};
use super::batch::{Group, Row, Table, parts, rows, sequence, sort_by_length};
use super::kl::k3;
use super::loss::{LossSettings, grpo_loss};
use crate::llm::{Sequence, TokenScores, Trainer, token_scores};

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
    /// What centred rewards are divided by.
    pub advantage_scale: AdvantageScale,
    /// ε in the denominator of the advantages.
    pub advantage_epsilon: f64,
    /// Whether truncated completions are left out of the loss.
    pub mask_truncated: bool,
    /// Optimiser steps on each batch of samples (μ of DeepSeekMath's algorithm 1); beyond the first they are off policy,
    /// and the clip range begins to matter.
    pub iterations: usize,
    /// Tokens of completions whose activations are held at once; a longer group is trained in parts, with the same gradient.
    pub tokens_at_once: usize,
    /// The loss.
    pub loss: LossSettings,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            group_size: 8,
            temperature: 1.0,
            max_new_tokens: 64,
            advantage_scale: AdvantageScale::Group,
            advantage_epsilon: 1e-4,
            mask_truncated: false,
            iterations: 1,
            tokens_at_once: 4096,
            loss: LossSettings::default(),
        }
    }
}

impl GrpoConfig {
    /// Advantages of each group of a batch.
    pub fn advantages(&self, rewards: &[&[f64]]) -> Vec<Advantages> {
        advantages(rewards, self.advantage_scale, self.advantage_epsilon)
    }
}

/// What the steps on one batch did, under the field's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepReport {
    /// Value of the loss (near 0 on policy: normal), mean over iterations.
    pub loss: f64,
    /// Mean reward.
    pub reward: f64,
    /// Mean over groups of the standard deviation of rewards.
    pub reward_std: f64,
    /// Share of groups whose rewards are all equal.
    pub frac_reward_zero_std: f64,
    /// Mean k3 divergence from the reference policy, before the batch's first step; 0 when β = 0.
    pub kl: f64,
    /// Mean entropy in nats of the distributions that tokens were drawn from, over the tokens trained on.
    pub entropy: f64,
    /// Share of tokens whose gradient the clip takes away ([`LossSettings::clipped_tokens`]), mean over iterations.
    pub clip_ratio: f64,
    /// Of them those that would be pushed down further.
    pub clip_ratio_low: f64,
    /// And those that would be pushed up further.
    pub clip_ratio_high: f64,
    /// Largest |ρ − 1| before the batch's first step: 0 up to rounding, or sampling and training disagree.
    pub max_ratio_gap: f64,
    /// Global norm of the gradient before clipping, mean over iterations.
    pub grad_norm: f64,
    /// Mean length of completions in tokens.
    pub completion_length: f64,
    /// Share of completions cut by the length limit.
    pub truncated: f64,
    /// Tokens that took part in the loss. With none nothing is known of loss, entropy, KL, ratios, clipping or gradient:
    /// they are 0 and mean nothing.
    pub tokens: usize,
    /// Seconds of the forward passes, the backward passes and the optimiser.
    pub seconds: [f64; 3],
    /// False when nothing was learnt: flat groups only, or a gradient that is not finite.
    pub stepped: bool,
}

/// [`GrpoConfig::iterations`] gradient steps on `groups` (METHOD §1). Groups of equal rewards are counted and, with β = 0,
/// skipped.
pub fn grpo_step(
    trainer: &mut Trainer,
    groups: &[Group],
    config: &GrpoConfig,
    learning_rate: f64,
) -> StepReport {
    let rewards: Vec<&[f64]> = groups
        .iter()
        .map(|group| group.rewards.as_slice())
        .collect();
    let advantages = config.advantages(&rewards);
    let mut rows = rows(groups, &advantages, config);
    let mut report = describe(groups, &advantages);
    report.tokens = rows.iter().map(|row| row.completion.ids.len()).sum();
    if rows.is_empty() {
        return report;
    }
    // The kernels pad nothing, and divide the work among threads themselves.
    let (padded, threads) = if trainer.cpu_kernels() {
        (false, rayon::current_num_threads())
    } else {
        sort_by_length(&mut rows);
        (true, 1)
    };
    let batch = Batch::new(&rows, config, padded, threads);
    let reference = (config.loss.beta != 0.0).then(|| batch.reference(trainer));
    let iterations = config.iterations.max(1);
    report.stepped = true;
    for iteration in 0..iterations {
        let (found, gradients, [forward, backward]) = batch.gradient(trainer, reference.as_deref());
        let tokens = report.tokens as f64;
        let share = 1.0 / iterations as f64;
        if iteration == 0 {
            report.max_ratio_gap = found.max_ratio_gap;
            report.entropy = found.entropy / tokens;
            report.kl = found.kl / tokens;
        }
        report.loss += share * found.loss;
        report.clip_ratio_low += share * found.low / tokens;
        report.clip_ratio_high += share * found.high / tokens;
        let start = Instant::now();
        let norm = trainer.apply(gradients, learning_rate);
        report.seconds[0] += forward;
        report.seconds[1] += backward;
        report.seconds[2] += start.elapsed().as_secs_f64();
        report.grad_norm += share * norm;
        report.stepped &= norm.is_finite();
    }
    report.clip_ratio = report.clip_ratio_low + report.clip_ratio_high;
    report
}

/// What is known before any gradient.
fn describe(groups: &[Group], advantages: &[Advantages]) -> StepReport {
    let mut report = StepReport::default();
    let count = groups.len().max(1) as f64;
    let completions: usize = groups.iter().map(|group| group.completions.len()).sum();
    for (group, advantages) in groups.iter().zip(advantages) {
        report.reward += advantages.mean / count;
        report.reward_std += advantages.std / count;
        if advantages.is_flat() {
            report.frac_reward_zero_std += 1.0 / count;
        }
        for completion in &group.completions {
            report.completion_length += completion.ids.len() as f64 / completions as f64;
            if completion.truncated {
                report.truncated += 1.0 / completions as f64;
            }
        }
    }
    report
}

/// Rows in parts, each one sequence that branches.
struct Batch<'r, 'a> {
    parts: Vec<&'r [Row<'a>]>,
    sequences: Vec<Sequence>,
    config: &'r GrpoConfig,
}

/// What log-probabilities say about a step; sums over tokens.
#[derive(Debug, Clone, Default)]
struct Found {
    loss: f64,
    max_ratio_gap: f64,
    entropy: f64,
    kl: f64,
    /// Tokens that the clip holds back from below, and from above.
    low: f64,
    high: f64,
}

impl<'r, 'a> Batch<'r, 'a> {
    fn new(rows: &'r [Row<'a>], config: &'r GrpoConfig, padded: bool, threads: usize) -> Self {
        let parts = parts(rows, config.tokens_at_once, padded, threads);
        Self {
            sequences: parts.iter().map(|part| sequence(part)).collect(),
            parts,
            config,
        }
    }

    /// Scores by the reference policy: the same network with its adapters off.
    fn reference(&self, trainer: &Trainer) -> Vec<TokenScores> {
        token_scores(
            trainer.model(),
            &self.sequences,
            self.config.temperature,
            false,
        )
    }

    /// The gradient of the loss of all parts; it is the sum of theirs.
    fn gradient(
        &self,
        trainer: &Trainer,
        reference: Option<&[TokenScores]>,
    ) -> (Found, GradientsParams, [f64; 2]) {
        let found: Vec<OnceLock<Found>> = self.parts.iter().map(|_| OnceLock::new()).collect();
        let temperature = self.config.temperature;
        let passes = trainer.gradient(&self.sequences, temperature, |index, scores| {
            let reference = reference.map(|all| all[index].log_probs.as_slice());
            let (one, slopes) = self.slopes(self.parts[index], scores, reference);
            // Each part is visited once.
            let _ = found[index].set(one);
            slopes
        });
        let mut sum = Found::default();
        for one in found.into_iter().filter_map(OnceLock::into_inner) {
            sum.loss += one.loss;
            sum.max_ratio_gap = larger(sum.max_ratio_gap, one.max_ratio_gap);
            sum.entropy += one.entropy;
            sum.kl += one.kl;
            sum.low += one.low;
            sum.high += one.high;
        }
        (sum, passes.gradients, passes.seconds)
    }

    /// Derivatives of the loss by the log-probabilities of one part.
    fn slopes(
        &self,
        part: &[Row],
        scores: &TokenScores,
        reference: Option<&[f32]>,
    ) -> (Found, Vec<f32>) {
        let table = Table::new(part);
        let leaf = table.spread(&scores.log_probs).require_grad();
        let loss = grpo_loss(
            table.inputs(leaf.clone(), reference.map(|values| table.spread(values))),
            &self.config.loss,
        );
        let slopes = leaf.grad(&loss.backward());
        let slopes = slopes.and_then(|slopes| slopes.try_into_vec_as::<f32>().ok());
        let mut found = self.describe(part, scores);
        found.loss = f64::from(loss.into_scalar::<f32>());
        if let Some(reference) = reference {
            let row =
                |values: &[f32]| Tensor::<1>::from_floats(values, &burn::tensor::Device::flex());
            let (ours, theirs) = (row(&scores.log_probs), row(reference));
            let kl = k3(ours.unsqueeze(), theirs.unsqueeze()).sum();
            found.kl = f64::from(kl.into_scalar::<f32>());
        }
        (found, table.gather(&slopes.unwrap_or_default()))
    }

    fn describe(&self, part: &[Row], scores: &TokenScores) -> Found {
        let mut found = Found {
            entropy: scores.entropies.iter().map(|one| f64::from(*one)).sum(),
            ..Found::default()
        };
        let mut rest = scores.log_probs.as_slice();
        for row in part {
            let (ours, after) = rest.split_at(row.completion.ids.len());
            rest = after;
            let pairs = ours.iter().zip(&row.completion.log_probs);
            let log_ratios: Vec<f64> = pairs.map(|(one, old)| f64::from(one - old)).collect();
            for log_ratio in &log_ratios {
                let gap = (log_ratio.exp() - 1.0).abs();
                found.max_ratio_gap = larger(found.max_ratio_gap, gap);
            }
            let [low, high] = self.config.loss.clipped_tokens(&log_ratios, row.advantage);
            found.low += low as f64;
            found.high += high as f64;
        }
        found
    }
}

/// The larger of two, or what is not a number: `f64::max` would pass over it.
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}
