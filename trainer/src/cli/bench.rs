//! `curec bench`: what one step costs on this machine.

mod scale;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use clap::{Args, Subcommand};
use curec_shared_model::qwen2::{PROJECTIONS, Precision, Qwen2, Qwen2Config};
use serde::Serialize;

use super::measure::{Parts, Sizes, measure};
use crate::device::{self, DeviceChoice};
use crate::grpo::GrpoConfig;
use crate::llm::{TrainerSettings, hub, load_model};

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
    /// The data's way from files to a ranking on IDs, without a language model, at any size: time and memory of each phase
    Scale(scale::ScaleArgs),
}

/// Sizes of a step; the defaults are the yardstick of benches/LOG.md
#[derive(Debug, Clone, Args, Serialize)]
struct GrpoArgs {
    /// Hugging Face folder or hf:OWNER/NAME whose weights to take, instead of random ones in the shape below
    #[arg(long, value_name = "DIR|hf:NAME", conflicts_with_all = ["vocabulary", "hidden", "intermediate", "layers", "heads", "kv_heads"])]
    model: Option<PathBuf>,
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
    /// In what the frozen matrices are kept: float32, or with adapters bfloat16 or float16
    #[arg(long, value_name = "DTYPE", default_value_t)]
    dtype: Precision,
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
    #[serde(flatten)]
    seconds: Parts,
    /// New tokens per second of sampling, and completion tokens per second of a training step without sampling.
    sampled_per_second: f64,
    trained_per_second: f64,
    peak_memory_mib: Option<u64>,
}

pub fn run(args: BenchArgs) -> Result<()> {
    let args = match args.what {
        What::Grpo(args) => args,
        What::Scale(args) => return scale::run(args),
    };
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
        ("sampling", measured.seconds.sampling),
        ("forward", measured.seconds.forward),
        ("backward", measured.seconds.backward),
        ("optimiser", measured.seconds.optimizer),
        ("step", measured.seconds.step),
    ] {
        writeln!(out, "{name:>12}  {seconds:8.4} s")?;
    }
    writeln!(
        out,
        "{:>12}  {:.4} to {:.4} s",
        "range", measured.seconds.fastest, measured.seconds.slowest
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
    ensure!(
        args.dtype == Precision::Float32 || args.lora_rank > 0,
        "--dtype {} without --lora-rank: what trains must be float32",
        args.dtype
    );
    let device = device::open_for(args.device, args.dtype)?;
    let model = model(&args, &device.clone().autodiff())?;
    let parameters = model.config().parameters();
    let settings = TrainerSettings {
        recompute: args.recompute,
        cpu_kernels: !args.no_kernels,
        ..TrainerSettings::default()
    };
    let sizes = Sizes {
        prompts: args.prompts,
        completions: args.completions,
        prompt_tokens: args.prompt_tokens,
        new_tokens: args.new_tokens,
        rows: args.prompts * args.completions,
        steps: args.steps,
    };
    let seconds = measure(model, &settings, &GrpoConfig::default(), sizes)?;
    let tokens = (args.prompts * args.completions * args.new_tokens) as f64;
    let training = seconds.step - seconds.sampling;
    Ok(Measured {
        device: if args.device.is_gpu() {
            device::describe(&device)
        } else {
            args.device.to_string()
        },
        parameters,
        sampled_per_second: tokens / seconds.sampling,
        trained_per_second: tokens / training,
        seconds,
        peak_memory_mib: device::memory_mib(&device),
        arguments: args,
    })
}

fn model(args: &GrpoArgs, device: &Device) -> Result<Qwen2> {
    device.seed(1);
    let model = match &args.model {
        Some(model) => load_model(&hub::resolve(model)?, None, args.dtype, device)?,
        None => Qwen2::init(&shape(args), device).with_precision(args.dtype),
    };
    if args.lora_rank == 0 {
        return Ok(model);
    }
    let targets = PROJECTIONS.map(str::to_owned);
    Ok(model.with_lora(args.lora_rank, 2.0 * args.lora_rank as f64, false, &targets))
}

fn shape(args: &GrpoArgs) -> Qwen2Config {
    Qwen2Config {
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
    }
}
