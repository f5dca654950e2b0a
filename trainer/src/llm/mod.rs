//! The language model: Hugging Face folders, tokenizer and chat format, scoring, sampling, supervised training.

mod chat;
mod checkpoint;
pub mod cpu;
mod draw;
mod gradient;
#[cfg(test)]
mod gradient_tests;
pub mod hub;
mod nano;
mod sample;
mod score;
mod sequence;
mod supervised;
mod template;
mod tensors;
mod trainer;

pub use chat::{ChatTokenizer, TokenizerError, train_tokenizer};
pub use checkpoint::{
    CheckpointError, HeaderError, LanguageModel, load_model, read_config, read_eos, read_header,
    shard_names,
};
pub use gradient::{Gradient, GradientSettings, gradient, token_scores};
pub use nano::nano;
pub use sample::{Completion, SamplingConfig, sample};
pub use score::{Scored, TextVector, score, text_vectors};
pub use sequence::{Sequence, TokenScores};
pub use supervised::{Example, SupervisedConfig, supervised_loss, supervised_step};
pub use template::{ChatTemplate, TemplateError};
pub use trainer::{Trainer, TrainerSettings, learning_rate};
