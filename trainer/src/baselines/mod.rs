//! Other people's recommenders under the same protocol (EVALUATION.md): what a number of this project is worth shows beside
//! them.
//!
//! | file or folder | content |
//! |---|---|
//! | `registry` | the models by name, their settings files, and [`fit`] |
//! | `protocol` | from a folder of data to the data set that numbers are published for |
//! | `result` | one result type for files and tables |
//! | `search` | random search over the space that a settings file declares |
//! | `item_knn` | neighbours by cosine |
//! | `factors` | BPR-MF and LightGCN |
//! | `ctr` | DIN as a click model, under a protocol of its own |
//! | `validation` | which epoch is kept |
//!
//! Every ranking model implements [`Ranker`](crate::evaluation::Ranker). A model is chosen (epoch, settings) by the validation
//! event alone, with seen items filtered; at test the history includes it. What a model *learns* from ends before it.

pub mod ctr;
mod error;
mod factors;
mod item_knn;
mod protocol;
mod registry;
mod result;
pub mod search;
mod validation;

#[cfg(test)]
mod tests;

pub use error::BaselineError;
pub use factors::{FactorConfig, FactorRanker, Graph};
pub use item_knn::{ItemKnn, ItemKnnConfig};
pub use protocol::{Prepared, ProtocolKind};
pub use registry::{FitContext, Fitted, Model, PopConfig, RankingSettings, Settings, Setup, fit};
pub use result::{BaselineProtocol, BaselineResult, Seconds};
pub use validation::validation_ndcg;
