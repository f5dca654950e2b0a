//! `curec llm`: look into any Hugging Face Qwen2 folder — log-probabilities, completions, size.

mod info;
mod input;
mod merge;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use curec_shared_model::qwen2::{Precision, Qwen2};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::llm::{SamplingConfig, hub, load_model, read_config, read_eos, sample, score};
use info::InfoArgs;
use input::{LazyTokenizer, Lines};

/// Score, continue or inspect with a language model in a Hugging Face folder
#[derive(Debug, Args)]
pub struct LlmArgs {
    #[command(subcommand)]
    command: LlmCommand,
}

#[derive(Debug, Subcommand)]
enum LlmCommand {
    /// Log-probabilities of given tokens, the most probable next one, and the mean hidden state, as JSON lines
    Score(ScoreArgs),
    /// Continue given tokens, as JSON lines
    Generate(GenerateArgs),
    /// Architecture, parameters and memory needs, without loading the weights
    Info(InfoArgs),
    /// Fold a LoRA adapter into its base: a folder in float32 that transformers and others load
    Merge(merge::MergeArgs),
}

#[derive(Debug, Args)]
struct ModelArgs {
    /// Hugging Face folder (config.json, *.safetensors, and tokenizer.json if a line holds text), or hf:OWNER/NAME
    #[arg(long, value_name = "DIR|hf:NAME")]
    model: PathBuf,
    /// LoRA adapter in PEFT's format: adapter_config.json, adapter_model.safetensors
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// JSON lines, each {"ids": [1, 2, …]} or {"text": "…"}; - reads standard input
    #[arg(long, value_name = "FILE.jsonl")]
    input: PathBuf,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// In what the matrices of the blocks are kept: float32, or on a GPU bfloat16 or float16
    #[arg(long, value_name = "DTYPE", default_value_t)]
    dtype: Precision,
}

impl ModelArgs {
    fn load(&self, folder: &Path) -> anyhow::Result<Qwen2> {
        let device = device::open_for(self.device, self.dtype)?;
        Ok(load_model(
            folder,
            self.adapter.as_deref(),
            self.dtype,
            &device,
        )?)
    }
}

#[derive(Debug, Args)]
struct ScoreArgs {
    #[command(flatten)]
    source: ModelArgs,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    #[command(flatten)]
    source: ModelArgs,
    /// Longest continuation in tokens
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    max_new_tokens: usize,
    /// Always take the most probable token
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "seed"])]
    greedy: bool,
    /// Softmax temperature; 0 is the same as --greedy
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// Draw among the K most probable tokens only; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Draw among the fewest tokens that have this probability together; 1 for all
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = probability)]
    top_p: f64,
    /// Taken off the logit of every token that the continuation already holds; 0 for none
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = temperature)]
    presence_penalty: f64,
    /// Seed of the draws: each line has a random stream of its own
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Go on to --max-new-tokens, whatever the model writes
    #[arg(long)]
    ignore_eos: bool,
    /// Lines that are continued together
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = positive)]
    batch_size: usize,
}

/// Runs `curec llm …`.
///
/// # Errors
/// Bad folders, bad lines (with file and line number), devices that cannot be had.
pub fn run(args: LlmArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let outcome = match args.command {
        LlmCommand::Score(args) => score_lines(&args, &mut out),
        LlmCommand::Generate(args) => generate_lines(&args, &mut out),
        LlmCommand::Info(args) => info::print(&args, &mut out),
        LlmCommand::Merge(args) => merge::run(&args),
    };
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()), // … | head
        outcome => outcome,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// One JSON object per input line, written as soon as it is known.
fn score_lines(args: &ScoreArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = &hub::resolve(&args.source.model)?;
    let vocabulary = read_config(folder)?.vocab_size;
    let mut lines = Lines::open(&args.source.input, vocabulary)?;
    let mut tokenizer = LazyTokenizer::new(folder);
    let model = args.source.load(folder)?;
    while let Some(ids) = lines.next(&mut tokenizer)? {
        write_line(out, &score(&model, &ids))?;
    }
    Ok(())
}

/// What `generate` says about one line.
#[derive(Debug, Serialize)]
struct Generated {
    /// The sampled tokens, a stop token included where it was reached.
    ids: Vec<u32>,
    /// The same as text, without the stop token; null where the folder has no tokenizer.
    text: Option<String>,
}

/// One JSON object per input line, in the order of the input, once all are done.
fn generate_lines(args: &GenerateArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = &hub::resolve(&args.source.model)?;
    // Everything that can be wrong with the input is found before the long work begins.
    let known = read_config(folder)?;
    let mut lines = Lines::open(&args.source.input, known.vocab_size)?;
    let mut tokenizer = LazyTokenizer::new(folder);
    let mut prompts = Vec::new();
    while let Some(ids) = lines.next(&mut tokenizer)? {
        check_length(
            ids.len(),
            args.max_new_tokens,
            known.max_position_embeddings,
        )
        .with_context(|| lines.place())?;
        prompts.push(ids);
    }
    let stop = stop_tokens(folder, &mut tokenizer)?;
    let model = args.source.load(folder)?;
    let config = SamplingConfig {
        max_new_tokens: args.max_new_tokens,
        temperature: if args.greedy { 0.0 } else { args.temperature },
        top_k: args.top_k,
        top_p: args.top_p,
        presence_penalty: args.presence_penalty,
        stop: if args.ignore_eos {
            Vec::new()
        } else {
            stop.clone()
        },
        seed: args.seed,
        rows: args.batch_size,
    };
    let slices: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let bar = progress(prompts.len());
    let completions = sample(&model, &slices, 1, &config, |done| {
        bar.set_position(done as u64);
        true
    });
    bar.finish_and_clear();
    for completion in completions.into_iter().flatten().flatten() {
        let ids = completion.ids;
        let ended = ids.last().is_some_and(|last| stop.contains(last));
        let shown = &ids[..ids.len() - usize::from(ended)];
        let text = tokenizer
            .if_there()?
            .map(|tokenizer| tokenizer.decode(shown));
        write_line(out, &Generated { ids, text })?;
    }
    Ok(())
}

/// A model was never trained at positions past its longest sequence: what it would write there means nothing.
fn check_length(prompt: usize, new: usize, longest: usize) -> anyhow::Result<()> {
    if prompt.saturating_add(new) <= longest {
        return Ok(());
    }
    let way_out = match longest.saturating_sub(prompt) {
        0 => "shorten the line".to_owned(),
        room => format!("lower --max-new-tokens to {room} or less, or shorten the line"),
    };
    bail!(
        "{prompt} tokens and {new} new ones are more than the {longest} that the model can read \
         (max_position_embeddings in config.json); {way_out}"
    )
}

/// The tokenizer's, or those of `config.json` where there is no tokenizer.
fn stop_tokens(folder: &Path, tokenizer: &mut LazyTokenizer) -> anyhow::Result<Vec<u32>> {
    match tokenizer.if_there()? {
        Some(tokenizer) => Ok(tokenizer.stop_ids()),
        None => Ok(read_eos(folder)?),
    }
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(out.write_all(line.as_bytes())?)
}

fn progress(lines: usize) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(lines as u64), target);
    match ProgressStyle::with_template("{wide_bar} {pos}/{len} lines {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar, // the plain bar shows the same
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(value) => Ok(value),
        Err(_) => Err("must be a whole number".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    let value = value.filter(|value| value.is_finite() && *value >= 0.0);
    value.ok_or_else(|| "must be a number of at least 0".to_owned())
}

fn probability(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    let value = value.filter(|value| *value > 0.0 && *value <= 1.0);
    value.ok_or_else(|| "must be above 0 and at most 1".to_owned())
}
