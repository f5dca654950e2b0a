//! `manifest.json`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The manifest: where the artefact comes from and what its files must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`super::FORMAT`].
    pub format: String,
    /// Always [`super::VERSION`].
    pub version: u32,
    /// Program and version.
    pub created_by: String,
    /// What it was trained on.
    pub dataset: DatasetSummary,
    /// Which run it came from.
    pub run: RunSummary,
    /// Every file but the manifest itself.
    pub files: Vec<FileEntry>,
    /// Model configurations.
    pub model: ModelConfigs,
}

/// Name and counts of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSummary {
    /// Short name, e.g. `world` or `ml-1m`.
    pub name: String,
    /// Number of users.
    pub users: usize,
    /// Number of items.
    pub items: usize,
    /// Number of interactions, held-out ones included.
    pub interactions: usize,
    /// The split, e.g. `leave-one-out`.
    pub split: String,
}

/// Identity of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// Seed of the run.
    pub seed: u64,
    /// Hash of the data the run read.
    pub hash: String,
    /// Hash of the resolved configuration.
    pub config_hash: String,
}

/// Configurations of the models inside. The reward model's own type parses `reward` (kept as JSON here, so that the
/// manifest can be read by anything).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfigs {
    /// The reward model (METHOD §2).
    pub reward: serde_json::Value,
}

/// One file of the artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its role's [`FileRole::file_name`].
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hex digits.
    pub sha256: String,
    /// What the file is for.
    pub role: FileRole,
}

/// What a file is for. No role occurs twice, and of the [core](Part::Core) every one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    /// Titles and metadata.
    Catalogue,
    /// Histories and patterns.
    Users,
    /// Reason lists.
    Reasons,
    /// Evaluation of the run.
    Results,
    /// One viewer's list, scored already.
    Preview,
    /// Weights and precomputed vectors.
    Model,
    /// Other models' lists, and the texts before the correction.
    Comparison,
    /// How the language model writes.
    Writer,
    /// Its tokenizer.
    Tokenizer,
    /// Its weights.
    WriterModel,
}

/// What is fetched together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What every list needs.
    Core,
    /// [`Comparison`](super::Comparison), where it was exported.
    Comparison,
    /// [`WriterPart`](super::WriterPart), where the language model is small enough.
    Writer,
}

impl FileRole {
    /// All roles, in the order in which the writer lists them.
    pub const ALL: [Self; 10] = [
        Self::Catalogue,
        Self::Users,
        Self::Reasons,
        Self::Results,
        Self::Preview,
        Self::Model,
        Self::Comparison,
        Self::Writer,
        Self::Tokenizer,
        Self::WriterModel,
    ];

    /// What it is fetched with.
    pub fn part(self) -> Part {
        match self {
            Self::Comparison => Part::Comparison,
            Self::Writer | Self::Tokenizer | Self::WriterModel => Part::Writer,
            _ => Part::Core,
        }
    }

    /// The roles of a part.
    pub fn of(part: Part) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |role| role.part() == part)
    }

    /// The name of the file with this role.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue.json",
            Self::Users => "users.json",
            Self::Reasons => "reasons.json",
            Self::Results => "results.json",
            Self::Preview => "preview.json",
            Self::Model => "model.safetensors",
            Self::Comparison => "comparison.json",
            Self::Writer => "writer.json",
            Self::Tokenizer => "tokenizer.json",
            Self::WriterModel => "writer.safetensors",
        }
    }
}

impl fmt::Display for FileRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "catalogue",
            Self::Users => "users",
            Self::Reasons => "reasons",
            Self::Results => "results",
            Self::Preview => "preview",
            Self::Model => "model",
            Self::Comparison => "comparison",
            Self::Writer => "writer",
            Self::Tokenizer => "tokenizer",
            Self::WriterModel => "writer-model",
        })
    }
}
