//! The part of an artefact that writes: a nano language model with its tokenizer, and what turns its pattern into a vector that
//! the reward model reads. It is fetched only when somebody asks for a text, so it lies in files of its own.
//!
//! | tensor of `writer.safetensors` | type | shape |
//! |---|---|---|
//! | `embed` | F16 | `[vocabulary, hidden]` |
//! | `layers.N.{q,k,v,o,gate,up,down}` | F16 | `[in, out]` |
//! | `layers.N.{norm1,norm2,q_bias,k_bias,v_bias}`, `norm` | F32 | `[width]` |
//! | `head` | F16 | `[vocabulary, hidden]`, absent when the embedding is the head |
//! | `pattern.{centre,scale}` | F32 | `[text width]`: `e(P) = W ((v − centre) · scale) + b` of a text vector `v` |
//! | `pattern.weight`, `pattern.bias` | F32 | `[text width, d]`, `[d]` |

use super::tensors::{expect, expect_finite};
use super::{ArtefactError, FileRole, StoredTensor, StoredType};
use crate::qwen2::Qwen2Config;
use crate::reward::RewardConfig;
use crate::text::{RenderOptions, TextVector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The writer, as bytes hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct WriterPart {
    /// `writer.json`.
    pub settings: WriterSettings,
    /// `tokenizer.json` as the `tokenizers` library writes it; ChatML is the chat format.
    pub tokenizer: String,
    /// `writer.safetensors`.
    pub tensors: BTreeMap<String, StoredTensor>,
}

/// How the writer was used in the run, so that it writes the same way here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterSettings {
    /// Shape of the language model.
    pub model: Qwen2Config,
    /// What a text becomes for the reward model.
    pub text_vector: TextVector,
    /// Events that the prompt for a pattern shows, the newest.
    pub history: usize,
    /// How prompts show items.
    pub render: RenderOptions,
    /// Longest text in tokens.
    pub max_new_tokens: usize,
    /// Sampling temperature of the first attempt.
    pub temperature: f64,
    /// Only the most probable tokens with this total probability.
    pub top_p: f64,
    /// Taken off the logit of every token that the text already holds.
    #[serde(default)]
    pub presence_penalty: f64,
    /// Times that a text is sampled at most, while it breaks a rule.
    pub attempts: usize,
    /// How often the model had been corrected.
    pub policy_version: u64,
}

/// What the temperature is multiplied by from one attempt at a text to the next.
pub const HOTTER: f64 = 1.1;

/// Takes one size out of a configuration.
type Size = fn(&Qwen2Config) -> usize;

/// Sizes no nano model comes near; a damaged number does.
const LARGEST: [(&str, Size, usize); 5] = [
    ("vocab_size", |model| model.vocab_size, 1 << 16),
    ("hidden_size", |model| model.hidden_size, 1024),
    ("intermediate_size", |model| model.intermediate_size, 8192),
    ("num_hidden_layers", |model| model.num_hidden_layers, 64),
    ("num_attention_heads", |model| model.num_attention_heads, 64),
];

/// Whether a model is small enough to travel in an artefact and to write in a browser.
pub fn fits(model: &Qwen2Config) -> bool {
    LARGEST.iter().all(|(_, of, most)| of(model) <= *most)
}

impl WriterPart {
    /// Checks everything that could later index out of range or divide the wrong vectors.
    ///
    /// # Errors
    /// Sizes or settings out of their range, tensors of another shape, type or model, values that are not finite.
    pub fn check(&self, reward: &RewardConfig) -> Result<(), ArtefactError> {
        let bad = |message: String| ArtefactError::BadShape {
            file: FileRole::Writer.file_name().to_owned(),
            message,
        };
        let model = &self.settings.model;
        for (name, of, most) in LARGEST {
            let value = of(model);
            if value == 0 || value > most {
                return Err(bad(format!("`{name}` is {value}, it must be 1 to {most}")));
            }
        }
        let (heads, shared) = (model.num_attention_heads, model.num_key_value_heads);
        let divides = |whole: usize, part: usize| part > 0 && whole.is_multiple_of(part);
        if !divides(model.hidden_size, 2 * heads) || !divides(heads, shared) {
            return Err(bad(format!(
                "{heads} heads and {shared} key/value heads do not divide a width of {}",
                model.hidden_size
            )));
        }
        let settings = &self.settings;
        let sane = [
            ("history", settings.history > 0 && settings.history <= 1024),
            (
                "max_new_tokens",
                settings.max_new_tokens > 0 && settings.max_new_tokens <= 1024,
            ),
            ("attempts", settings.attempts > 0 && settings.attempts <= 64),
            (
                "temperature",
                settings.temperature > 0.0 && settings.temperature <= 10.0,
            ),
            ("top_p", settings.top_p > 0.0 && settings.top_p <= 1.0),
            (
                "presence_penalty",
                (0.0..=100.0).contains(&settings.presence_penalty),
            ),
        ];
        if let Some((name, _)) = sane.iter().find(|(_, sane)| !sane) {
            return Err(bad(format!("`{name}` is out of its range")));
        }
        if settings.text_vector.width(model.hidden_size) != reward.text_width {
            return Err(bad(format!(
                "its texts become vectors of another width than the reward model's {}",
                reward.text_width
            )));
        }
        self.shapes(reward)
    }

    fn shapes(&self, reward: &RewardConfig) -> Result<(), ArtefactError> {
        let file = FileRole::WriterModel.file_name();
        let expected = shapes(&self.settings.model, reward);
        for (name, (dtype, shape)) in &expected {
            let tensor = expect(file, &self.tensors, name, *dtype, shape)?;
            expect_finite(file, name, &tensor.values)?;
        }
        match self
            .tensors
            .keys()
            .find(|name| !expected.contains_key(*name))
        {
            Some(name) => Err(ArtefactError::UnexpectedTensor {
                file: file.to_owned(),
                tensor: name.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Every tensor of a writer with this model, for this reward model.
pub fn shapes(
    model: &Qwen2Config,
    reward: &RewardConfig,
) -> BTreeMap<String, (StoredType, Vec<usize>)> {
    let (d, f, v) = (model.hidden_size, model.intermediate_size, model.vocab_size);
    let kv = d / model.num_attention_heads * model.num_key_value_heads;
    let mut all = BTreeMap::new();
    let mut half = |name: String, shape: [usize; 2]| {
        all.insert(name, (StoredType::F16, shape.to_vec()));
    };
    half("embed".to_owned(), [v, d]);
    if !model.tie_word_embeddings {
        half("head".to_owned(), [v, d]);
    }
    for layer in 0..model.num_hidden_layers {
        for (name, shape) in [
            ("q", [d, d]),
            ("k", [d, kv]),
            ("v", [d, kv]),
            ("o", [d, d]),
            ("gate", [d, f]),
            ("up", [d, f]),
            ("down", [f, d]),
        ] {
            half(format!("layers.{layer}.{name}"), shape);
        }
    }
    let mut full = |name: String, shape: Vec<usize>| {
        all.insert(name, (StoredType::F32, shape));
    };
    for layer in 0..model.num_hidden_layers {
        for (name, width) in [
            ("norm1", d),
            ("norm2", d),
            ("q_bias", d),
            ("k_bias", kv),
            ("v_bias", kv),
        ] {
            full(format!("layers.{layer}.{name}"), vec![width]);
        }
    }
    full("norm".to_owned(), vec![d]);
    full("pattern.centre".to_owned(), vec![reward.text_width]);
    full("pattern.scale".to_owned(), vec![reward.text_width]);
    full(
        "pattern.weight".to_owned(),
        vec![reward.text_width, reward.width],
    );
    full("pattern.bias".to_owned(), vec![reward.width]);
    all
}
