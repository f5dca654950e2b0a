//! `curec bench`: what one step costs on this machine.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use clap::{Args, Subcommand};
use curec_shared_model::qwen2::{PROJECTIONS, Qwen2, Qwen2Config};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::grpo::{Group, GrpoConfig, grpo_step};
use crate::llm::{Completion, SamplingConfig, Sequence, Trainer, TrainerSettings, sample};
use crate::run::peak_memory_mib;

/// Measure what training costs on this machine
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One GRPO step of a Qwen2 with random weights: sampling, forward, backward, optimiser, memory
    Grpo(GrpoArgs),
}

/// Sizes of a step; the defaults are the yardstick of benches/LOG.md
#[derive(Debug, Clone, Args, Serialize)]
struct GrpoArgs {
    /// Prompts per step
    #[arg(long, default_value_t = 4)]
    prompts: usize,
    /// Completions per prompt
    #[arg(long, default_value_t = 8)]
    completions: usize,
    /// Tokens of each prompt
    #[arg(long, default_value_t = 256)]
    prompt_tokens: usize,
    /// New tokens of each completion; none ends earlier
    #[arg(long, default_value_t = 64)]
    new_tokens: usize,
    /// Steps that are measured, after one that is not
    #[arg(long, default_value_t = 7)]
    steps: usize,
    /// Vocabulary
    #[arg(long, default_value_t = 2048)]
    vocabulary: usize,
    /// Width of the residual stream
    #[arg(long, default_value_t = 192)]
    hidden: usize,
    /// Width of the feed-forward layer
    #[arg(long, default_value_t = 512)]
    intermediate: usize,
    /// Blocks
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Query heads
    #[arg(long, default_value_t = 6)]
    heads: usize,
    /// Key/value heads
    #[arg(long, default_value_t = 2)]
    kv_heads: usize,
    /// Rank of LoRA adapters on all linear layers; 0 trains all weights
    #[arg(long, default_value_t = 0)]
    lora_rank: usize,
    /// Compute block activations again in the backward pass
    #[arg(long)]
    recompute: bool,
    /// Gradients by burn even where the hand-written CPU kernels would serve
    #[arg(long)]
    no_kernels: bool,
    /// Where tensors live
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// CPU threads; 0 takes all
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Medians over the measured steps.
#[derive(Debug, Serialize)]
struct Measured {
    arguments: GrpoArgs,
    device: String,
    parameters: usize,
    /// Seconds of one step in all, and of its parts.
    step: f64,
    sampling: f64,
    forward: f64,
    backward: f64,
    optimizer: f64,
    /// The largest and smallest step.
    slowest: f64,
    fastest: f64,
    /// New tokens per second of sampling, and completion tokens per second of a training step without sampling.
    sampled_per_second: f64,
    trained_per_second: f64,
    peak_memory_mib: Option<u64>,
}

pub fn run(args: BenchArgs) -> Result<()> {
    let What::Grpo(args) = args.what;
    let measured = grpo(args)?;
    let mut out = std::io::stdout().lock();
    if measured.arguments.json {
        serde_json::to_writer(&mut out, &measured)?;
        writeln!(out)?;
    } else {
        print(&measured, &mut out)?;
    }
    Ok(())
}

fn print(measured: &Measured, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let a = &measured.arguments;
    writeln!(
        out,
        "{} parameters on {}; {} prompts × {} completions, {} + {} tokens; medians of {} steps",
        measured.parameters,
        measured.device,
        a.prompts,
        a.completions,
        a.prompt_tokens,
        a.new_tokens,
        a.steps
    )?;
    for (name, seconds) in [
        ("sampling", measured.sampling),
        ("forward", measured.forward),
        ("backward", measured.backward),
        ("optimiser", measured.optimizer),
        ("step", measured.step),
    ] {
        writeln!(out, "{name:>12}  {seconds:8.4} s")?;
    }
    writeln!(
        out,
        "{:>12}  {:.4} to {:.4} s",
        "range", measured.fastest, measured.slowest
    )?;
    writeln!(
        out,
        "{:>12}  {:.0} sampled, {:.0} trained a second",
        "tokens", measured.sampled_per_second, measured.trained_per_second
    )?;
    let memory = measured.peak_memory_mib;
    let memory = memory.map_or("unknown here".to_owned(), |mib| format!("{mib} MiB"));
    writeln!(out, "{:>12}  {memory}", "peak memory")
}

/// Seconds of one step: all, sampling, forward, backward, optimiser.
type Step = [f64; 5];

fn grpo(args: GrpoArgs) -> Result<Measured> {
    for (name, value) in [
        ("--prompts", args.prompts),
        ("--completions", args.completions),
        ("--prompt-tokens", args.prompt_tokens),
        ("--new-tokens", args.new_tokens),
        ("--steps", args.steps),
    ] {
        ensure!(value > 0, "{name} is 0; it must be at least 1");
    }
    if args.threads > 0 {
        // Fails only if the pool has been made, which nothing has done before a command begins.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads);
        pool.build_global()?;
    }
    let device = device::open(args.device)?;
    let model = model(&args, &device.clone().autodiff());
    let parameters = model.config().parameters();
    let settings = TrainerSettings {
        recompute: args.recompute,
        cpu_kernels: !args.no_kernels,
        ..TrainerSettings::default()
    };
    let mut trainer = Trainer::new(model, &settings);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // The first step warms caches, compiles kernels, and makes the optimiser's moments.
    one_step(&mut trainer, &args, &mut rng)?;
    let steps = (0..args.steps)
        .map(|_| one_step(&mut trainer, &args, &mut rng))
        .collect::<Result<Vec<Step>>>()?;
    let median = |part: usize| {
        let mut values: Vec<f64> = steps.iter().map(|step| step[part]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let tokens = (args.prompts * args.completions * args.new_tokens) as f64;
    let whole: Vec<f64> = steps.iter().map(|step| step[0]).collect();
    Ok(Measured {
        device: args.device.to_string(),
        parameters,
        step: median(0),
        sampling: median(1),
        forward: median(2),
        backward: median(3),
        optimizer: median(4),
        slowest: whole.iter().copied().fold(0.0, f64::max),
        fastest: whole.iter().copied().fold(f64::INFINITY, f64::min),
        sampled_per_second: tokens / median(1),
        trained_per_second: tokens / (median(2) + median(3) + median(4)),
        peak_memory_mib: peak_memory_mib(),
        arguments: args,
    })
}

fn model(args: &GrpoArgs, device: &Device) -> Qwen2 {
    device.seed(1);
    let config = Qwen2Config {
        vocab_size: args.vocabulary,
        hidden_size: args.hidden,
        intermediate_size: args.intermediate,
        num_hidden_layers: args.layers,
        num_attention_heads: args.heads,
        num_key_value_heads: args.kv_heads,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        tie_word_embeddings: true,
        max_position_embeddings: args.prompt_tokens + args.new_tokens,
    };
    let model = Qwen2::init(&config, device);
    if args.lora_rank == 0 {
        return model;
    }
    let targets = PROJECTIONS.map(str::to_owned);
    model.with_lora(args.lora_rank, 2.0 * args.lora_rank as f64, false, &targets)
}

fn one_step(trainer: &mut Trainer, args: &GrpoArgs, rng: &mut ChaCha8Rng) -> Result<Step> {
    let mut prompt = |_| -> Vec<u32> {
        let token = |_| rng.random_range(0..args.vocabulary as u32);
        (0..args.prompt_tokens).map(token).collect()
    };
    let prompts: Vec<Vec<u32>> = (0..args.prompts).map(&mut prompt).collect();
    let config = GrpoConfig {
        group_size: args.completions,
        max_new_tokens: args.new_tokens,
        ..GrpoConfig::default()
    };
    let sampling = SamplingConfig {
        max_new_tokens: args.new_tokens,
        rows: args.prompts * args.completions,
        seed: rng.random(),
        ..SamplingConfig::default()
    };
    let start = Instant::now();
    let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let policy = trainer.policy();
    let sampled = sample(&policy, &rows, args.completions, &sampling, |_| true);
    let seconds = start.elapsed().as_secs_f64();
    drop(policy);
    let sampled: Vec<Vec<Completion>> =
        sampled.into_iter().map(Option::unwrap_or_default).collect();
    let parts = if args.completions == 1 {
        train_alone(trainer, &prompts, &sampled)
    } else {
        let group = |(prompt, completions): (Vec<u32>, Vec<Completion>)| Group {
            prompt,
            rewards: completions.iter().map(|_| rng.random()).collect(),
            completions,
        };
        let groups: Vec<Group> = prompts.into_iter().zip(sampled).map(group).collect();
        let report = grpo_step(trainer, &groups, &config, 1e-6);
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
