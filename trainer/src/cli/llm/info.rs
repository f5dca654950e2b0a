//! `curec llm info`: what a model folder holds and what it takes to run and to train it. Reads headers, not weights.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use curec_shared_model::qwen2::{Precision, Qwen2Config};
use serde::Serialize;

use crate::config::LlmConfig;
use crate::llm::{hub, read_config, read_eos, read_header, shard_names};
use crate::machine;

/// Bytes of a float32, in which everything is computed and trained.
const FLOAT: u64 = 4;
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// Hugging Face folder: config.json and *.safetensors
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Rank of the LoRA adapters in the estimate; the default is that of `llm.lora_rank` in a run
    #[arg(long, value_name = "N", default_value_t = LlmConfig::default().lora_rank, value_parser = rank)]
    lora_rank: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Everything `info` knows.
#[derive(Debug, Serialize)]
struct Info {
    architecture: &'static str,
    /// By `config.json`, a tied head counted once.
    parameters: u64,
    config: Qwen2Config,
    tied: bool,
    vocabulary: usize,
    eos: Vec<u32>,
    tokenizer: bool,
    /// File name → bytes.
    files: BTreeMap<String, u64>,
    /// Type in the files → number of values.
    dtypes: BTreeMap<String, u64>,
    memory: Memory,
    /// Where the files and `config.json` do not agree.
    note: Option<String>,
}

/// Bytes, activations and workspace not counted.
#[derive(Debug, Serialize)]
struct Memory {
    /// Weights as float32.
    weights: u64,
    /// Keys and values of 1,000 tokens.
    kv_cache_per_1000_tokens: u64,
    /// While a folder is being read: its files and the weights made of them.
    while_loading: u64,
    /// Weights, gradients and Adam's two moments.
    full_fine_tuning: u64,
    /// Rank of the adapters below.
    lora_rank: usize,
    /// Frozen weights, and adapters of that rank on every projection with their gradients and moments.
    lora: u64,
    /// The same with the frozen matrices of the blocks in bfloat16 or float16 (`llm.dtype`, on a GPU).
    lora_half: u64,
    /// Trainable numbers of those adapters.
    lora_parameters: u64,
    /// Free on this machine now, where the system tells.
    available: Option<u64>,
}

pub(super) fn print(args: &InfoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let info = Info::of(&hub::resolve(&args.model)?, args.lora_rank)?;
    let text = if args.json {
        serde_json::to_string_pretty(&info)? + "\n"
    } else {
        info.to_string()
    };
    Ok(out.write_all(text.as_bytes())?)
}

impl Info {
    fn of(folder: &Path, lora_rank: usize) -> anyhow::Result<Self> {
        let config = read_config(folder)?;
        let mut files = BTreeMap::new();
        let mut dtypes = BTreeMap::new();
        let mut values = 0;
        for name in shard_names(folder)? {
            let path = folder.join(&name);
            let (bytes, header) = read_header(&path).with_context(|| path.display().to_string())?;
            files.insert(name, bytes);
            for (tensor, info) in header.tensors() {
                let count = info.shape.iter().map(|size| *size as u64).product::<u64>();
                *dtypes.entry(info.dtype.to_string()).or_default() += count;
                // A stored copy of a tied head is not read.
                if !(config.tie_word_embeddings && tensor == "lm_head.weight") {
                    values += count;
                }
            }
        }
        let parameters = config.parameters() as u64;
        let note = (values != parameters).then(|| {
            format!("the files hold {values} values, config.json asks for {parameters}: loading will name the tensor")
        });
        Ok(Self {
            architecture: "Qwen2ForCausalLM",
            parameters,
            tied: config.tie_word_embeddings,
            vocabulary: config.vocab_size,
            eos: read_eos(folder)?,
            tokenizer: folder.join("tokenizer.json").is_file(),
            memory: Memory::of(&config, files.values().sum(), lora_rank),
            config,
            files,
            dtypes,
            note,
        })
    }
}

impl Memory {
    fn of(config: &Qwen2Config, stored: u64, lora_rank: usize) -> Self {
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let kv = config.num_key_value_heads * config.head_dim();
        let layers = config.num_hidden_layers as u64;
        let weights = config.parameters() as u64 * FLOAT;
        // A: [in, r], B: [r, out] for q, k, v, o, gate, up, down.
        let sides = (d + d) + 2 * (d + kv) + (d + d) + 2 * (d + f) + (f + d);
        let adapters = layers * (lora_rank * sides) as u64;
        let matrices = layers * (2 * d * d + 2 * d * kv + 3 * d * f) as u64;
        let lora = weights + 4 * adapters * FLOAT;
        Self {
            weights,
            kv_cache_per_1000_tokens: 1000 * layers * 2 * kv as u64 * FLOAT,
            while_loading: weights + stored,
            full_fine_tuning: 4 * weights,
            lora_rank,
            lora,
            lora_half: lora - matrices * (FLOAT - Precision::BFloat16.bytes()),
            lora_parameters: adapters,
            available: machine::memory().map(|memory| memory.available),
        }
    }

    /// What the free memory is enough for. Activations and caches come on top; so does what else runs here.
    fn verdict(&self) -> &'static str {
        match self.available {
            None => "unknown on this system",
            Some(free) if free < self.while_loading => "not enough to load it",
            Some(free) if free < self.lora => "enough to load it, not to train adapters",
            Some(free) if free < self.full_fine_tuning => {
                "enough to load it and to train adapters, not for full fine-tuning"
            }
            Some(_) => "enough for all of these",
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.config;
        let list = |pairs: &BTreeMap<String, u64>| {
            let mut text = String::new();
            for (name, count) in pairs {
                let comma = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{comma}{name} ({} values)", grouped(*count)); // writing to a String cannot fail
            }
            text
        };
        let files = self.files.len();
        let stored = self.files.values().sum();
        let mut rows = vec![
            ("architecture", self.architecture.to_owned()),
            ("parameters", grouped(self.parameters)),
            (
                "layers",
                format!(
                    "{} of width {}, feed-forward {}",
                    c.num_hidden_layers, c.hidden_size, c.intermediate_size
                ),
            ),
            (
                "attention",
                format!(
                    "{} heads of {}, {} key/value heads",
                    c.num_attention_heads,
                    c.head_dim(),
                    c.num_key_value_heads
                ),
            ),
            ("vocabulary", grouped(self.vocabulary as u64)),
            (
                "output head",
                if self.tied {
                    "tied to the embeddings"
                } else {
                    "its own"
                }
                .to_owned(),
            ),
            (
                "longest sequence",
                format!("{} tokens", grouped(c.max_position_embeddings as u64)),
            ),
            ("rotary base", c.rope_theta.to_string()),
            ("stop tokens", format!("{:?}", self.eos)),
            (
                "tokenizer.json",
                if self.tokenizer {
                    "there"
                } else {
                    "not there: ids only"
                }
                .to_owned(),
            ),
            ("files", format!("{files}, {}", bytes(stored))),
            ("stored as", list(&self.dtypes)),
        ];
        let m = &self.memory;
        let lora = format!("LoRA rank {}", m.lora_rank);
        rows.extend([
            ("", String::new()),
            ("memory, float32", "activations not counted".to_owned()),
            ("weights", bytes(m.weights)),
            (
                "  + cache",
                format!(
                    "{} per 1,000 tokens of each sequence",
                    bytes(m.kv_cache_per_1000_tokens)
                ),
            ),
            ("while loading", bytes(m.while_loading)),
            (
                "full fine-tuning",
                format!(
                    "{} (weights, gradients, Adam's two moments)",
                    bytes(m.full_fine_tuning)
                ),
            ),
            (
                lora.as_str(),
                format!(
                    "{} ({} trainable numbers, on every projection)",
                    bytes(m.lora),
                    grouped(m.lora_parameters)
                ),
            ),
            (
                "  in bfloat16",
                format!("{} (llm.dtype, on a GPU)", bytes(m.lora_half)),
            ),
        ]);
        let free = m
            .available
            .map_or(String::new(), |free| format!("{}: ", bytes(free)));
        rows.push(("free here now", free + m.verdict()));
        for (name, value) in rows {
            writeln!(f, "{}", format!("{name:<18}{value}").trim_end())?;
        }
        match &self.note {
            Some(note) => writeln!(f, "\nnote: {note}"),
            None => Ok(()),
        }
    }
}

/// No adapter has a larger rank than this: one of the embedding's width is as large as the weights themselves.
const LARGEST_RANK: usize = 65_536;

fn rank(text: &str) -> Result<usize, String> {
    let rank = text.parse().ok();
    rank.filter(|rank| (1..=LARGEST_RANK).contains(rank))
        .ok_or_else(|| format!("must be a whole number from 1 to {LARGEST_RANK}"))
}

/// `1234567` → `1,234,567`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: u64) -> String {
    let count = count as f64;
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(power, _)| count >= 2f64.powi(*power));
    match unit {
        Some((power, unit)) => format!("{:.1} {unit}", count / 2f64.powi(*power)),
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_names_the_first_thing_that_does_not_fit() {
        let memory = |available| Memory {
            weights: 100,
            kv_cache_per_1000_tokens: 1,
            while_loading: 150,
            full_fine_tuning: 400,
            lora_rank: 8,
            lora: 200,
            lora_half: 120,
            lora_parameters: 1,
            available,
        };
        let verdict = |available| memory(Some(available)).verdict();
        assert_eq!(verdict(149), "not enough to load it");
        assert!(verdict(150).contains("not to train adapters"));
        assert!(verdict(399).contains("not for full fine-tuning"));
        assert_eq!(verdict(400), "enough for all of these");
        assert!(memory(None).verdict().contains("unknown"));
    }
}
