//! `config.json` of a Hugging Face Qwen2 folder, in both of its key layouts.

use serde::{Deserialize, Serialize};

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or a required field is missing or of the wrong type.
    #[error("config.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Another architecture.
    #[error("config.json: model_type is \"{0}\", only \"qwen2\" is supported")]
    Architecture(String),
    /// Numbers that contradict each other.
    #[error("config.json: {0}")]
    Inconsistent(String),
    /// A feature of the format that this forward pass does not have.
    #[error("config.json: {0} is not supported")]
    Unsupported(String),
}

/// Shape of a Qwen2 model, under the names Hugging Face uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Qwen2Config {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the SwiGLU layer.
    pub intermediate_size: usize,
    /// Number of decoder blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key/value heads (grouped-query attention).
    pub num_key_value_heads: usize,
    /// Epsilon of every RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Whether the output head is the embedding table.
    pub tie_word_embeddings: bool,
    /// Longest sequence the model was made for.
    pub max_position_embeddings: usize,
}

#[derive(Deserialize)]
struct Raw {
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    rope_theta: Option<f64>,
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<serde_json::Value>,
    tie_word_embeddings: Option<bool>,
    max_position_embeddings: Option<usize>,
    use_sliding_window: Option<bool>,
}

#[derive(Deserialize)]
struct RopeParameters {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

impl Qwen2Config {
    /// Reads `config.json`: `rope_theta` at the top level (older) or under `rope_parameters` (newer transformers).
    ///
    /// # Errors
    /// See [`ConfigError`]; nothing is guessed but the defaults that transformers itself uses.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let raw: Raw = serde_json::from_str(json)?;
        if let Some(kind) = raw.model_type.as_deref().filter(|kind| *kind != "qwen2") {
            return Err(ConfigError::Architecture(kind.to_owned()));
        }
        if let Some(act) = raw.hidden_act.as_deref().filter(|act| *act != "silu") {
            return Err(ConfigError::Unsupported(format!("hidden_act \"{act}\"")));
        }
        if raw.use_sliding_window == Some(true) {
            return Err(ConfigError::Unsupported("use_sliding_window".into()));
        }
        if raw.rope_scaling.is_some_and(|value| !value.is_null()) {
            return Err(ConfigError::Unsupported("rope_scaling".into()));
        }
        let rope = raw.rope_parameters;
        if let Some(kind) = rope.as_ref().and_then(|rope| rope.rope_type.as_deref())
            && kind != "default"
        {
            return Err(ConfigError::Unsupported(format!("rope_type \"{kind}\"")));
        }
        let rope_theta = rope.and_then(|rope| rope.rope_theta).or(raw.rope_theta);
        let heads = raw.num_attention_heads;
        let config = Self {
            vocab_size: raw.vocab_size,
            hidden_size: raw.hidden_size,
            intermediate_size: raw.intermediate_size,
            num_hidden_layers: raw.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: raw.num_key_value_heads.unwrap_or(heads),
            rms_norm_eps: raw.rms_norm_eps.unwrap_or(1e-6),
            rope_theta: rope_theta.unwrap_or(10_000.0),
            tie_word_embeddings: raw.tie_word_embeddings.unwrap_or(false),
            max_position_embeddings: raw.max_position_embeddings.unwrap_or(32_768),
        };
        config.check()?;
        if let Some(head_dim) = raw.head_dim.filter(|dim| *dim != config.head_dim()) {
            return Err(ConfigError::Unsupported(format!(
                "head_dim {head_dim} (other than hidden_size / num_attention_heads)"
            )));
        }
        Ok(config)
    }

    /// The configuration as transformers writes and reads it (top-level `rope_theta`, float32).
    pub fn to_json(&self, bos: u32, eos: u32) -> serde_json::Value {
        serde_json::json!({
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
            "vocab_size": self.vocab_size, "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size, "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads, "num_key_value_heads": self.num_key_value_heads,
            "rms_norm_eps": self.rms_norm_eps, "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
            "max_position_embeddings": self.max_position_embeddings,
            "use_sliding_window": false, "attention_dropout": 0.0, "initializer_range": 0.02,
            "bos_token_id": bos, "eos_token_id": eos, "torch_dtype": "float32",
        })
    }

    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Number of parameters, a tied head counted once.
    pub fn parameters(&self) -> usize {
        let (d, f) = (self.hidden_size, self.intermediate_size);
        let kv = self.num_key_value_heads * self.head_dim();
        let block = d * d + d + 2 * (d * kv + kv) + d * d + 3 * d * f + 2 * d;
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        tables * self.vocab_size * d + self.num_hidden_layers * block + d
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |text: String| Err(ConfigError::Inconsistent(text));
        let positive = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return fail(format!("{name} is 0"));
        }
        let (d, heads, groups) = (
            self.hidden_size,
            self.num_attention_heads,
            self.num_key_value_heads,
        );
        if !d.is_multiple_of(heads) {
            return fail(format!(
                "hidden_size {d} is not divisible by num_attention_heads {heads}"
            ));
        }
        if !heads.is_multiple_of(groups) {
            return fail(format!(
                "num_attention_heads {heads} is not divisible by num_key_value_heads {groups}"
            ));
        }
        if !self.head_dim().is_multiple_of(2) {
            return fail(format!(
                "head dimension {} is odd, rotary needs pairs",
                self.head_dim()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = r#"{"model_type":"qwen2","vocab_size":8,"hidden_size":8,"intermediate_size":16,
        "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"rms_norm_eps":1e-6,
        "tie_word_embeddings":true,"rope_parameters":{"rope_theta":5e5,"rope_type":"default"}}"#;

    #[test]
    fn both_rope_layouts_are_read() {
        assert_eq!(Qwen2Config::from_json(NEW).unwrap().rope_theta, 5e5);
        let old = NEW.replace(
            r#""rope_parameters":{"rope_theta":5e5,"rope_type":"default"}"#,
            r#""rope_theta":7e5"#,
        );
        assert_eq!(Qwen2Config::from_json(&old).unwrap().rope_theta, 7e5);
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_name() {
        for (from, to, word) in [
            ("\"qwen2\"", "\"llama\"", "llama"),
            ("\"default\"", "\"yarn\"", "yarn"),
            (
                "\"num_attention_heads\":2",
                "\"num_attention_heads\":3",
                "not divisible",
            ),
            ("\"vocab_size\":8", "\"vocab_size\":0", "vocab_size"),
        ] {
            let error = Qwen2Config::from_json(&NEW.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn the_parameter_count_of_qwen2_5_0_5b_is_the_published_one() {
        let config = Qwen2Config {
            vocab_size: 151_936,
            hidden_size: 896,
            intermediate_size: 4864,
            num_hidden_layers: 24,
            num_attention_heads: 14,
            num_key_value_heads: 2,
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
            tie_word_embeddings: true,
            max_position_embeddings: 32_768,
        };
        assert_eq!(config.parameters(), 494_032_768);
    }
}
