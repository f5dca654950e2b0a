//! `curec pretrain --dry-run`: memory and time of the stage, before anything large is loaded.
//!
//! Nothing is guessed from a table of machines: models of the same width, vocabulary and adapters, but of one and of two
//! blocks, take a real step of the run's sizes. What the second block adds is what every further one adds.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};

use super::measure::{Parts, Sizes, measure};
use crate::config::Config;
use crate::llm::{ChatTokenizer, read_config, shard_names};
use crate::run::{RunDirectory, Stage};
use crate::stages::{LlmPointer, load_dataset, typical_prompts};
use crate::{device, machine};

/// Prompts whose length is looked at.
const PROMPTS: usize = 64;
const MIB: f64 = (1 << 20) as f64;

/// Prints what `pretrain` of this run needs on this device.
///
/// # Errors
/// `data` or `warmup` has not run; the model folder is unusable.
pub(super) fn pretrain(run: &RunDirectory, config: &Config, device: &Device) -> Result<()> {
    let settings = &config.pretrain;
    ensure!(
        settings.steps > 0,
        "pretrain.steps is 0: the stage is left out and needs nothing"
    );
    ensure!(
        run.record(Stage::Warmup).is_some(),
        "{} has no finished `warmup` stage, which says which model is trained; run it first: curec run --out {0} --until warmup",
        run.root().display()
    );
    let dataset = load_dataset(run)?;
    let folder = LlmPointer::read(run, Stage::Warmup)?.folder(run);
    let shape = read_config(&folder)?;
    let tokenizer = ChatTokenizer::from_folder(&folder)?;
    let lengths = typical_prompts(&dataset, config, PROMPTS)
        .iter()
        .map(|turns| Ok(tokenizer.prompt(turns)?.len()))
        .collect::<Result<Vec<usize>>>()?;
    ensure!(
        !lengths.is_empty(),
        "no user has enough history for a question"
    );
    let mean = lengths.iter().sum::<usize>() / lengths.len();
    let sizes = Sizes {
        prompts: settings.prompts_per_step,
        completions: settings.grpo.group_size,
        prompt_tokens: mean,
        new_tokens: settings.grpo.max_new_tokens,
        rows: config.llm.rows.max(settings.grpo.group_size),
        steps: 1,
    };
    let rank = if config.llm.model.is_some() {
        config.llm.lora_rank
    } else {
        0
    };
    let mut plan = Plan::measured(&shape, rank, config, device, sizes)?;
    plan.loading = loading(&folder, &shape)?;
    let mut out = std::io::stdout().lock();
    let longest = lengths.iter().max().copied().unwrap_or(0);
    out.write_all(plan.text(config, &shape, rank, [mean, longest]).as_bytes())?;
    Ok(())
}

/// What the whole model is expected to need.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Seconds of a step.
    seconds: Parts,
    /// Bytes at most while it trains.
    memory: Option<f64>,
    /// Bytes of ordinary memory while the model is being loaded.
    loading: f64,
    available: Option<u64>,
}

impl Plan {
    fn measured(
        shape: &Qwen2Config,
        rank: usize,
        config: &Config,
        device: &Device,
        sizes: Sizes,
    ) -> Result<Self> {
        // What is free on a GPU nobody tells.
        let available = if device::is_cpu(device) {
            machine::memory().map(|memory| memory.available)
        } else {
            None
        };
        let mut found = Vec::new();
        for layers in [1, 2] {
            let model = random(shape, layers, rank, config, &device.clone().autodiff());
            let pretrain = &config.pretrain;
            let seconds = measure(model, &pretrain.trainer, &pretrain.grpo, sizes)?;
            found.push((seconds, device::memory_mib(device)));
        }
        let further = shape.num_hidden_layers as f64 - 2.0;
        let ([one, two], [before, after]) = (
            [found[0].0, found[1].0],
            [found[0].1, found[1].1].map(|peak| peak.map(|mib| mib as f64 * MIB)),
        );
        let grown = |one: f64, two: f64| two + further * (two - one).max(0.0);
        let memory = before.zip(after).map(|(one, two)| {
            // Allocators hide small differences; a block's weights at least are added by each.
            let block = (two - one).max(block_bytes(shape, rank, config));
            two + further * block
        });
        Ok(Self {
            seconds: Parts {
                step: grown(one.step, two.step),
                sampling: grown(one.sampling, two.sampling),
                forward: grown(one.forward, two.forward),
                backward: grown(one.backward, two.backward),
                optimizer: grown(one.optimizer, two.optimizer),
                slowest: grown(one.slowest, two.slowest),
                fastest: grown(one.fastest, two.fastest),
            },
            memory,
            loading: 0.0,
            available,
        })
    }

    fn text(
        &self,
        config: &Config,
        shape: &Qwen2Config,
        rank: usize,
        prompt: [usize; 2],
    ) -> String {
        let settings = &config.pretrain;
        let seconds = &self.seconds;
        let rows = settings.prompts_per_step * settings.grpo.group_size;
        let trained = if rank > 0 {
            format!("LoRA rank {rank} on {}", config.llm.lora_targets.join(", "))
        } else {
            "all weights".to_owned()
        };
        let mut rows_of = vec![
            (
                "model",
                format!(
                    "{} parameters, {} blocks; trains {trained}",
                    shape.parameters(),
                    shape.num_hidden_layers
                ),
            ),
            (
                "step",
                format!(
                    "{} prompts of {} tokens (longest seen {}) × {} completions of up to {} tokens",
                    settings.prompts_per_step,
                    prompt[0],
                    prompt[1],
                    settings.grpo.group_size,
                    settings.grpo.max_new_tokens
                ),
            ),
            (
                "time",
                format!(
                    "{:.2} s a step if every completion has full length: sampling {:.2}, forward {:.2}, backward {:.2}, optimiser {:.2}",
                    seconds.step,
                    seconds.sampling,
                    seconds.forward,
                    seconds.backward,
                    seconds.optimizer
                ),
            ),
            (
                "in all",
                format!(
                    "{:.1} min for {} steps, without {}the exams before and after",
                    seconds.step * settings.steps as f64 / 60.0,
                    settings.steps,
                    if config.llm.model.is_none() && config.llm.rehearsal > 0 {
                        "the rehearsals between them and "
                    } else {
                        ""
                    }
                ),
            ),
            (
                "tokens",
                format!(
                    "{:.0} new ones a second",
                    (rows * settings.grpo.max_new_tokens) as f64 / seconds.step
                ),
            ),
        ];
        let gib = |bytes: f64| format!("{:.2} GiB", bytes / MIB / 1024.0);
        let memory = match (self.memory, self.available) {
            (_, Some(free)) if self.loading > free as f64 => format!(
                "{} while the model is being loaded, of {} free: too much. Take a smaller model",
                gib(self.loading),
                gib(free as f64)
            ),
            (Some(needed), Some(free)) if needed > free as f64 => format!(
                "{} at most, of {} free: too much. Lower pretrain.grpo.tokens_at_once or llm.rows, set pretrain.trainer.recompute = \
                 true, or take a smaller model",
                gib(needed),
                gib(free as f64)
            ),
            (Some(needed), Some(free)) => {
                format!(
                    "{} at most, of {} free: enough",
                    gib(needed),
                    gib(free as f64)
                )
            }
            (Some(needed), None) => format!("{} at most", gib(needed)),
            (None, _) => "unknown on this system".to_owned(),
        };
        rows_of.push(("memory", memory));
        rows_of
            .into_iter()
            .map(|(name, value)| format!("{name:<8}{value}\n"))
            .collect()
    }
}

fn random(
    shape: &Qwen2Config,
    layers: usize,
    rank: usize,
    config: &Config,
    device: &Device,
) -> Qwen2 {
    let shape = Qwen2Config {
        num_hidden_layers: layers,
        ..shape.clone()
    };
    let model = Qwen2::init(&shape, device).with_precision(config.llm.dtype);
    if rank == 0 {
        return model;
    }
    let llm = &config.llm;
    model.with_lora(rank, llm.lora_alpha, llm.lora_rslora, &llm.lora_targets)
}

/// Bytes while a folder is being loaded: its files, and float32 weights made of them.
fn loading(folder: &Path, shape: &Qwen2Config) -> Result<f64> {
    let mut bytes = 4.0 * shape.parameters() as f64;
    for name in shard_names(folder)? {
        bytes += std::fs::metadata(folder.join(name))?.len() as f64;
    }
    Ok(bytes)
}

/// Bytes of one block: its weights, and gradients and moments of what is trained.
fn block_bytes(shape: &Qwen2Config, rank: usize, config: &Config) -> f64 {
    let of = |layers: usize| {
        let shape = Qwen2Config {
            num_hidden_layers: layers,
            ..shape.clone()
        };
        shape.parameters() as f64
    };
    let weights = of(2) - of(1);
    let copies = if rank > 0 { 1.0 } else { 4.0 };
    config.llm.dtype.bytes() as f64 * copies * weights
}
