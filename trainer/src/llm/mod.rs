//! The language model: Hugging Face folders, tokenizer and chat format, scoring, sampling, supervised training.

mod chat;
mod checkpoint;
pub mod cpu;
mod nano;
mod sample;
mod score;
mod supervised;
mod trainer;

pub use chat::{ChatTokenizer, TokenizerError, train_tokenizer};
pub use checkpoint::{
    CheckpointError, LanguageModel, load_model, read_config, read_eos, shard_names,
};
pub use nano::nano;
pub use sample::{SamplingConfig, sample};
pub use score::{Scored, mean_hidden, score};
pub use supervised::{Example, SupervisedConfig, supervised_loss, supervised_step};
pub use trainer::{Trainer, TrainerSettings, learning_rate};
