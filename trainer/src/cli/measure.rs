//! One GRPO step on random prompts, timed in parts: what `bench` prints and what a dry run extrapolates from.

use std::time::Instant;

use anyhow::{Result, ensure};
use curec_shared_model::qwen2::Qwen2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::grpo::{Group, GrpoConfig, grpo_step};
use crate::llm::{Completion, SamplingConfig, Sequence, Trainer, TrainerSettings, sample};

/// Sizes of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) prompts: usize,
    pub(super) completions: usize,
    pub(super) prompt_tokens: usize,
    pub(super) new_tokens: usize,
    /// Rows decoded together.
    pub(super) rows: usize,
    /// Steps that are measured, after one that is not.
    pub(super) steps: usize,
}

/// Medians over the measured steps, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Parts {
    /// Everything.
    pub(super) step: f64,
    pub(super) sampling: f64,
    pub(super) forward: f64,
    pub(super) backward: f64,
    pub(super) optimizer: f64,
    /// The largest and smallest step.
    pub(super) slowest: f64,
    pub(super) fastest: f64,
}

/// Seconds of one step: all, sampling, forward, backward, optimiser.
type Step = [f64; 5];

/// Takes steps with a model on its device, gradients on. Of `grpo` everything counts but what `sizes` says.
pub(super) fn measure(
    model: Qwen2,
    settings: &TrainerSettings,
    grpo: &GrpoConfig,
    sizes: Sizes,
) -> Result<Parts> {
    let grpo = GrpoConfig {
        group_size: sizes.completions,
        max_new_tokens: sizes.new_tokens,
        // Random weights never end an answer; what is cut off must take part all the same.
        mask_truncated: false,
        ..grpo.clone()
    };
    let mut trainer = Trainer::new(model, settings);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // The first step warms caches, compiles kernels, and makes the optimiser's moments.
    one_step(&mut trainer, &grpo, sizes, &mut rng)?;
    let steps = (0..sizes.steps)
        .map(|_| one_step(&mut trainer, &grpo, sizes, &mut rng))
        .collect::<Result<Vec<Step>>>()?;
    let median = |part: usize| {
        let mut values: Vec<f64> = steps.iter().map(|step| step[part]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let whole: Vec<f64> = steps.iter().map(|step| step[0]).collect();
    Ok(Parts {
        step: median(0),
        sampling: median(1),
        forward: median(2),
        backward: median(3),
        optimizer: median(4),
        slowest: whole.iter().copied().fold(0.0, f64::max),
        fastest: whole.iter().copied().fold(f64::INFINITY, f64::min),
    })
}

fn one_step(
    trainer: &mut Trainer,
    grpo: &GrpoConfig,
    sizes: Sizes,
    rng: &mut ChaCha8Rng,
) -> Result<Step> {
    let vocabulary = trainer.model().config().vocab_size as u32;
    let mut prompt = |_| -> Vec<u32> {
        let token = |_| rng.random_range(0..vocabulary);
        (0..sizes.prompt_tokens).map(token).collect()
    };
    let prompts: Vec<Vec<u32>> = (0..sizes.prompts).map(&mut prompt).collect();
    let sampling = SamplingConfig {
        max_new_tokens: sizes.new_tokens,
        temperature: grpo.temperature,
        rows: sizes.rows,
        seed: rng.random(),
        ..SamplingConfig::default()
    };
    let start = Instant::now();
    let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    // Held until the step is over, as a stage holds it.
    let policy = trainer.policy();
    let sampled = sample(&policy, &rows, sizes.completions, &sampling, |_| true);
    let seconds = start.elapsed().as_secs_f64();
    let sampled: Vec<Vec<Completion>> =
        sampled.into_iter().map(Option::unwrap_or_default).collect();
    let parts = if sizes.completions == 1 {
        train_alone(trainer, &prompts, &sampled)
    } else {
        let group = |(prompt, completions): (Vec<u32>, Vec<Completion>)| Group {
            prompt,
            rewards: completions.iter().map(|_| rng.random()).collect(),
            completions,
        };
        let groups: Vec<Group> = prompts.into_iter().zip(sampled).map(group).collect();
        let report = grpo_step(trainer, &groups, grpo, 1e-6);
        ensure!(report.stepped, "the step had no gradient");
        report.seconds
    };
    let [forward, backward, optimizer] = parts;
    let whole = start.elapsed().as_secs_f64();
    Ok([whole, seconds, forward, backward, optimizer])
}

/// The policy gradient of single completions: in a group of one no advantage is left, the work is the same.
fn train_alone(
    trainer: &mut Trainer,
    prompts: &[Vec<u32>],
    sampled: &[Vec<Completion>],
) -> [f64; 3] {
    let sequences: Vec<Sequence> = prompts
        .iter()
        .zip(sampled)
        .map(|(prompt, completions)| {
            Sequence::branching(prompt, completions.iter().map(|one| one.ids.as_slice()))
        })
        .collect();
    let found = trainer.gradient(&sequences, 1.0, |index, scores| {
        let sign = if index % 2 == 0 { 1e-3 } else { -1e-3 };
        vec![sign; scores.log_probs.len()]
    });
    let start = Instant::now();
    trainer.apply(found.gradients, 1e-6);
    let [forward, backward] = found.seconds;
    [forward, backward, start.elapsed().as_secs_f64()]
}
