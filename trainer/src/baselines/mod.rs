//! Other people's recommenders under the same protocol (EVALUATION.md): what a number of this project is worth shows beside
//! them.
//!
//! | file or folder | content |
//! |---|---|
//! | `registry` | the models by name, their settings files, and [`fit`] |
//! | `identity` | the settings that a model's name stands for |
//! | `protocol` | from a folder of data to the data set that numbers are published for |
//! | `result` | one result type for files and tables |
//! | `against` | a result beside earlier ones, paired over users |
//! | `search` | random search over the space that a settings file declares |
//! | `item_knn` | neighbours by cosine |
//! | `sequential` | SASRec and GRU4Rec |
//! | `reward_model` | what is the reward model or part of it: DIN, DIN with text vectors, CURec itself |
//! | `factors` | BPR-MF and LightGCN |
//! | `ctr` | DIN as a click model, under a protocol of its own |
//! | `validation` | which epoch is kept |
//!
//! Every ranking model implements [`Ranker`](crate::evaluation::Ranker). A model is chosen (epoch, settings) by the validation
//! event alone, with seen items filtered; at test the history includes it. What a model *learns* from ends before it.

mod against;
pub mod ctr;
mod error;
mod factors;
mod identity;
mod item_knn;
mod protocol;
mod registry;
mod result;
mod reward_model;
pub mod search;
pub mod sequential;
mod validation;

#[cfg(test)]
mod tests;

pub use against::{Against, Earlier, RunAgainst};
pub use error::BaselineError;
pub use factors::{FactorConfig, FactorRanker, Graph};
pub use item_knn::{ItemKnn, ItemKnnConfig};
pub use protocol::{Prepared, ProtocolKind};
pub use registry::{
    Chosen, FitContext, Fitted, Model, PopConfig, RankingSettings, Settings, Setup, fit,
};
pub use result::{BaselineProtocol, BaselineResult, Seconds};
pub use reward_model::Texts;
pub use validation::validation_ndcg;
