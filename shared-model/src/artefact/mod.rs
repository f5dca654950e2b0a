//! The artefact: the one versioned folder that leaves the trainer and enters the browser (METHOD §4).
//!
//! Nothing of the LLM runs when something is recommended, so everything the LLM wrote travels as data: patterns, reason lists, and their
//! vectors already projected by the reward model. A folder holds
//!
//! | file | role | content |
//! |---|---|---|
//! | `manifest.json` | – | [`Manifest`]: format, version, origin, and size and SHA-256 of every other file |
//! | `catalogue.json` | catalogue | `[{key, title, attributes: [{kind, value}], count}]` in dense item order |
//! | `users.json` | users | `[{key, history: [{item, time}], held_out, pattern}]` in dense user order |
//! | `reasons.json` | reasons | per item `[{text, user, time}]`, oldest first, the newest `K` |
//! | `results.json` | results | `{protocol, models: [{name, metrics}], notes}` |
//! | `preview.json` | preview | [`Preview`]: one viewer's list as it was scored at export |
//! | `model.safetensors` | model | [`tensors`]: weights and the precomputed item and user side |
//! | `comparison.json` | comparison | [`Comparison`]: other models' lists, texts before the correction; may be missing |
//! | `writer.json`, `tokenizer.json`, `writer.safetensors` | writer, tokenizer, writer-model | [`WriterPart`]: the language model; may be missing |
//!
//! There is no file system here: [`Artefact::to_files`] gives bytes by name, [`Artefact::from_files`] takes them, and
//! checks everything that can be checked before a single number is used. What is wrong is one [`ArtefactError`]. The names
//! and shapes of the weights themselves are checked by the [scorer](crate::scorer), which knows the model they belong to.
//! Bump [`VERSION`] when a reader of the present version would misread what a writer now writes.

mod check;
mod comparison;
mod content;
mod error;
mod manifest;
mod read;
pub mod tensors;
mod write;
pub mod writer;

#[cfg(test)]
#[cfg(feature = "tensors")]
pub(crate) mod sample;
#[cfg(test)]
#[cfg(feature = "tensors")]
mod tests;

pub use comparison::{Before, Comparison, Variant, VariantList};
pub use content::{
    Attribute, CatalogueItem, Difference, Estimate, HistoryEvent, MetricValue, ModelMetrics,
    Preview, PreviewItem, PreviewRow, Reason, Results, UserRecord,
};
pub use error::ArtefactError;
pub use manifest::{DatasetSummary, FileEntry, FileRole, Manifest, ModelConfigs, Part, RunSummary};
pub use tensors::{StoredTensor, StoredType};
pub use writer::{WriterPart, WriterSettings};

use std::collections::BTreeMap;

/// What `manifest.json` must say in `format`.
pub const FORMAT: &str = "curec-artefact";
/// The version this code writes, and the only one it reads. It changes with what the files hold and with what they mean.
pub const VERSION: u32 = 4;
/// The name of the manifest inside the folder.
pub const MANIFEST: &str = "manifest.json";

/// A whole artefact in memory: either built by the trainer, or read and checked by [`Artefact::from_files`].
#[derive(Debug, Clone, PartialEq)]
pub struct Artefact {
    /// Program and version that wrote it, e.g. `curec 0.1.0`.
    pub created_by: String,
    /// What it was trained on.
    pub dataset: DatasetSummary,
    /// Which run it came from.
    pub run: RunSummary,
    /// Configuration of every model whose weights are in `tensors`.
    pub model: ModelConfigs,
    /// Items in dense order.
    pub catalogue: Vec<CatalogueItem>,
    /// Users in dense order.
    pub users: Vec<UserRecord>,
    /// Per item its reason list `R_i`, oldest first.
    pub reasons: Vec<Vec<Reason>>,
    /// The evaluation of the run.
    pub results: Results,
    /// One viewer's list, scored already.
    pub preview: Preview,
    /// Weights and precomputed vectors by name.
    pub tensors: BTreeMap<String, StoredTensor>,
    /// Other models beside this one; none where it was not exported, or not given.
    pub comparison: Option<Comparison>,
    /// What writes; none where the language model is too large for that, or not given.
    pub writer: Option<WriterPart>,
}
