//! Hugging Face model folders: `config.json`, `*.safetensors` (one file or sharded), `tokenizer.json`, PEFT adapters.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use curec_shared_model::qwen2::{
    ConfigError, PeftConfig, Precision, Qwen2, Qwen2Config, Shards, WeightError,
};
use safetensors::tensor::Metadata;

use super::chat::{ChatTokenizer, TokenizerError};

/// Why a model folder cannot be used. Each message names the file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file is missing or unreadable.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// `config.json` is wrong or of another architecture.
    #[error("{path}: {source}")]
    Config {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// Weights are wrong.
    #[error("{path}: {source}")]
    Weights {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: WeightError,
    },
    /// The folder holds no weights.
    #[error(
        "{0}: no .safetensors file here; is this a Hugging Face model folder? (.bin checkpoints must be converted first)"
    )]
    NoWeights(PathBuf),
    /// The tokenizer is wrong.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer makes ids that the model has no row for.
    #[error("{path}: the tokenizer has {tokens} tokens, the model's vocabulary {vocab}")]
    Vocabulary {
        /// The folder.
        path: PathBuf,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding table.
        vocab: usize,
    },
}

/// A model with its tokenizer.
#[derive(Debug, Clone)]
pub struct LanguageModel {
    /// The network, adapters included.
    pub model: Qwen2,
    /// Tokenizer and chat format.
    pub tokenizer: ChatTokenizer,
}

/// Reads `config.json` of a folder.
///
/// # Errors
/// [`CheckpointError`] names the file.
pub fn read_config(folder: &Path) -> Result<Qwen2Config, CheckpointError> {
    let path = folder.join("config.json");
    let json = read_text(&path)?;
    Qwen2Config::from_json(&json).map_err(|source| CheckpointError::Config { path, source })
}

impl LanguageModel {
    /// Loads a folder, the matrices of its blocks kept in `precision`, and an adapter folder on top where one is given.
    ///
    /// # Errors
    /// [`CheckpointError`] names the file and what is wrong with it.
    pub fn load(
        folder: &Path,
        adapter: Option<&Path>,
        precision: Precision,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let model = load_model(folder, adapter, precision, device)?;
        let tokenizer = ChatTokenizer::from_folder(folder)?;
        let (tokens, vocab) = (tokenizer.vocab_size(), model.config().vocab_size);
        if tokens > vocab {
            let path = folder.to_owned();
            return Err(CheckpointError::Vocabulary {
                path,
                tokens,
                vocab,
            });
        }
        Ok(Self { model, tokenizer })
    }

    /// Writes a complete Hugging Face folder (float32), adapters merged.
    ///
    /// # Errors
    /// [`CheckpointError`] names the file.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let weights = |source| CheckpointError::Weights {
            path: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let merged = self.model.clone().merged();
        let bytes = merged.to_safetensors().map_err(weights)?;
        let eos = self.tokenizer.turn_end();
        let config = merged.config().to_json(eos, eos);
        write(&folder.join("model.safetensors"), &bytes)?;
        write(
            &folder.join("config.json"),
            format!("{config:#}").as_bytes(),
        )?;
        write(
            &folder.join("tokenizer.json"),
            self.tokenizer.to_json()?.as_bytes(),
        )?;
        let tokenizer_config = format!("{:#}", self.tokenizer.config_json());
        write(
            &folder.join("tokenizer_config.json"),
            tokenizer_config.as_bytes(),
        )
    }

    /// Writes the attached adapter in PEFT's layout.
    ///
    /// # Errors
    /// [`CheckpointError`] names the file.
    pub fn save_adapter(
        &self,
        folder: &Path,
        config: &PeftConfig,
        base: &str,
    ) -> Result<(), CheckpointError> {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let bytes = self.model.lora_to_safetensors();
        let bytes = bytes.map_err(|source| CheckpointError::Weights {
            path: folder.to_owned(),
            source,
        })?;
        write(&folder.join("adapter_model.safetensors"), &bytes)?;
        let config = format!("{:#}", config.to_json(base));
        write(&folder.join("adapter_config.json"), config.as_bytes())
    }
}

/// Loads the network of a folder alone, without its tokenizer, the matrices of its blocks kept in `precision`, and an
/// adapter folder on top where one is given.
///
/// # Errors
/// [`CheckpointError`] names the file and what is wrong with it.
pub fn load_model(
    folder: &Path,
    adapter: Option<&Path>,
    precision: Precision,
    device: &Device,
) -> Result<Qwen2, CheckpointError> {
    let config = read_config(folder)?;
    let files = read_shards(folder)?;
    let weights = |path: &Path| {
        let path = path.to_owned();
        move |source| CheckpointError::Weights { path, source }
    };
    let shards = Shards::parse(
        files
            .iter()
            .map(|(name, bytes)| (name.clone(), bytes.as_slice())),
    );
    let shards = shards.map_err(weights(folder))?;
    let model = Qwen2::from_shards(&config, &shards, precision, device);
    let model = model.map_err(weights(folder))?;
    let Some(adapter) = adapter else {
        return Ok(model);
    };
    let peft = read_text(&adapter.join("adapter_config.json"))?;
    let peft = PeftConfig::from_json(&peft).map_err(weights(adapter))?;
    let path = adapter.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).map_err(io(&path))?;
    let shards = Shards::parse([("adapter_model.safetensors".to_owned(), bytes.as_slice())]);
    let shards = shards.map_err(weights(adapter))?;
    model
        .with_peft_adapter(&peft, &shards)
        .map_err(weights(adapter))
}

/// Names of the weight files: those of the index, or else every `.safetensors` file of the folder.
///
/// # Errors
/// [`CheckpointError`] if there is none, or the folder or its index cannot be read.
pub fn shard_names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let index = folder.join("model.safetensors.index.json");
    let mut names: Vec<String> = if index.is_file() {
        let json = read_json(&index)?;
        let map = json["weight_map"].as_object();
        let files = map.map(|map| {
            map.values()
                .filter_map(|file| file.as_str().map(str::to_owned))
                .collect()
        });
        files.unwrap_or_default()
    } else {
        let entries = std::fs::read_dir(folder).map_err(io(folder))?;
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".safetensors"))
            .collect()
    };
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(CheckpointError::NoWeights(folder.to_owned()));
    }
    Ok(names)
}

/// The tokens that end a sequence by `config.json`: one, several, or none.
///
/// # Errors
/// [`CheckpointError`] names the file.
pub fn read_eos(folder: &Path) -> Result<Vec<u32>, CheckpointError> {
    let path = folder.join("config.json");
    let ids = match &read_json(&path)?["eos_token_id"] {
        serde_json::Value::Null => return Ok(Vec::new()),
        list @ serde_json::Value::Array(_) => list.clone(),
        one => serde_json::Value::Array(vec![one.clone()]),
    };
    serde_json::from_value(ids).map_err(|source| CheckpointError::Config {
        path,
        source: source.into(),
    })
}

/// The longest header that the safetensors library accepts, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// Why a file is no whole safetensors file.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is something else.
    #[error("not a safetensors file: {0}")]
    Format(String),
    /// It ends before its data does.
    #[error("has {bytes} bytes, its header describes {expected}: the download may be incomplete")]
    Length {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes by its header.
        expected: u64,
    },
}

/// (size of the file, its header), from the header alone.
///
/// # Errors
/// [`HeaderError`], also where the file is shorter or longer than its header says.
pub fn read_header(path: &Path) -> Result<(u64, Metadata), HeaderError> {
    let bad = |problem: &str| HeaderError::Format(problem.to_owned());
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|_| bad("it is too short"))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length > bytes {
        return Err(bad(&format!("its header claims {length} bytes")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)
        .map_err(|_| bad("its header is cut short"))?;
    let header = serde_json::from_slice::<Metadata>(&header);
    let header = header.map_err(|error| HeaderError::Format(error.to_string()))?;
    let data = header.tensors();
    let data = data.values().map(|info| info.data_offsets.1 as u64).max();
    let expected = 8 + length + data.unwrap_or(0);
    if expected != bytes {
        return Err(HeaderError::Length { bytes, expected });
    }
    Ok((bytes, header))
}

fn read_shards(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, CheckpointError> {
    let read = |name: String| {
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).map_err(io(&path))?;
        Ok((name, bytes))
    };
    shard_names(folder)?.into_iter().map(read).collect()
}

fn read_json(path: &Path) -> Result<serde_json::Value, CheckpointError> {
    serde_json::from_str(&read_text(path)?).map_err(|source| CheckpointError::Config {
        path: path.to_owned(),
        source: source.into(),
    })
}

fn read_text(path: &Path) -> Result<String, CheckpointError> {
    std::fs::read_to_string(path).map_err(io(path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    std::fs::write(path, bytes).map_err(io(path))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { path, source }
}
