//! Every way an artefact can be bad, one variant each.

use super::FileRole;
use thiserror::Error;

/// Why an artefact was refused. [`kind`](Self::kind) names the variant for programs, `Display` tells people what to do.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ArtefactError {
    /// The manifest is not JSON, or not the JSON of a manifest.
    #[error("manifest.json cannot be read: {message}; export the run again")]
    BadManifest {
        /// What the parser said, with line and column.
        message: String,
    },
    /// `format` names something else.
    #[error(
        "manifest.json says format \"{found}\", this program reads \"{}\"; is this the right folder?",
        super::FORMAT
    )]
    WrongFormat {
        /// What it says.
        found: String,
    },
    /// Written by a newer or older program.
    #[error(
        "artefact version {found} is not supported (this program reads version {}); `curec export --run RUN` of this release writes it anew",
        super::VERSION
    )]
    UnsupportedVersion {
        /// What it says.
        found: u32,
    },
    /// A file name other than the format's: a folder in it, another extension, another role's name.
    #[error("manifest.json gives the role \"{role}\" to {file:?}; this version keeps it in {}", role.file_name())]
    BadFileName {
        /// The role.
        role: FileRole,
        /// The name.
        file: String,
    },
    /// Two files claim one role.
    #[error("manifest.json lists a file with the role \"{role}\" twice")]
    DuplicateRole {
        /// The role.
        role: FileRole,
    },
    /// No file has a role.
    #[error("manifest.json lists no file with the role \"{role}\"; export the run again")]
    MissingRole {
        /// The role.
        role: FileRole,
    },
    /// A hash that cannot be one.
    #[error("manifest.json: the sha256 of {file} is not 64 lower-case hex digits")]
    BadHash {
        /// The file.
        file: String,
    },
    /// Listed but not given.
    #[error("{file} is missing; copy the whole artefact folder")]
    MissingFile {
        /// The file.
        file: String,
    },
    /// Given but not listed.
    #[error("{file} is not listed in manifest.json; remove it or export the run again")]
    UnlistedFile {
        /// The file.
        file: String,
    },
    /// Another size than the manifest says.
    #[error(
        "{file} has {found} bytes, manifest.json says {expected}; it was cut short or replaced: copy it again"
    )]
    WrongSize {
        /// The file.
        file: String,
        /// Bytes in the manifest.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// Another content than the manifest says.
    #[error(
        "{file} does not match its SHA-256 in manifest.json; it was changed or damaged: copy it again"
    )]
    WrongHash {
        /// The file.
        file: String,
    },
    /// Not JSON at all.
    #[error("{file} is not valid JSON: {message}")]
    BadJson {
        /// The file.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// JSON of another shape.
    #[error("{file} is JSON, but not what the format says: {message}")]
    BadShape {
        /// The file.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// A list whose length contradicts the manifest.
    #[error("{file} holds {found} entries, the manifest's dataset says {expected}")]
    WrongLength {
        /// The file.
        file: String,
        /// Entries the manifest promises.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A data set without users or items cannot be scored.
    #[error(
        "manifest.json: the dataset has {users} users and {items} items; both must be positive"
    )]
    EmptyDataset {
        /// Users.
        users: usize,
        /// Items.
        items: usize,
    },
    /// Two entries with one key.
    #[error("{file}: entries {first} and {second} have the same key {key:?}")]
    DuplicateKey {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// First entry.
        first: usize,
        /// Second entry.
        second: usize,
    },
    /// An item index outside the catalogue.
    #[error("{file}: {place} names item {item}, but there are only {items} items")]
    ItemOutOfRange {
        /// The file.
        file: String,
        /// Which entry.
        place: String,
        /// The index.
        item: u32,
        /// Items in the catalogue.
        items: usize,
    },
    /// A user index outside the users.
    #[error("{file}: {place} names user {user}, but there are only {users} users")]
    UserOutOfRange {
        /// The file.
        file: String,
        /// Which entry.
        place: String,
        /// The index.
        user: u32,
        /// Users.
        users: usize,
    },
    /// Times that run backwards.
    #[error("{file}: the times of {place} do not ascend")]
    NotChronological {
        /// The file.
        file: String,
        /// Which entry.
        place: String,
    },
    /// A reason written about an interaction that is held out (METHOD §2, self-leak rule).
    #[error(
        "{file}: a reason of item {item} comes from the held-out interaction of user {user}; the export leaks the test set"
    )]
    HeldOutReason {
        /// The file.
        file: String,
        /// The item.
        item: usize,
        /// The user.
        user: u32,
    },
    /// More reasons than the model attends to.
    #[error("{file}: item {item} has {found} reasons, the model takes at most {capacity}")]
    TooManyReasons {
        /// The file.
        file: String,
        /// The item.
        item: usize,
        /// Reasons found.
        found: usize,
        /// `K` of the model.
        capacity: usize,
    },
    /// A model configuration that cannot be used.
    #[error("manifest.json: the reward model's configuration is not usable: {message}")]
    BadConfig {
        /// What is wrong.
        message: String,
    },
    /// The tensor file cannot be parsed.
    #[error("{file} is not a safetensors file: {message}")]
    BadTensorFile {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// A tensor the model needs.
    #[error("{file} has no tensor {tensor}; it was written for another model")]
    MissingTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor nobody asked for.
    #[error(
        "{file} holds the tensor {tensor}, which the model does not have; it was written for another model"
    )]
    UnexpectedTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// Another number type.
    #[error("{file}: tensor {tensor} has type {found}, expected {expected}")]
    WrongType {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The type of the format.
        expected: String,
        /// The type found.
        found: String,
    },
    /// Another shape.
    #[error("{file}: tensor {tensor} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The shape the configuration demands.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// NaN or infinite.
    #[error(
        "{file}: tensor {tensor} holds {value} at position {position}; the run diverged or a value is too large for its type"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Flat position.
        position: usize,
        /// The value, as text.
        value: String,
    },
    /// Reason texts and reason vectors disagree.
    #[error("{file}: item {item} has {vectors} reason vectors but {texts} reason texts")]
    ReasonCountMismatch {
        /// The file.
        file: String,
        /// The item.
        item: usize,
        /// From the tensor of counts.
        vectors: f32,
        /// From the reasons file.
        texts: usize,
    },
}

impl ArtefactError {
    /// The variant's name in kebab case, stable for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadManifest { .. } => "bad-manifest",
            Self::WrongFormat { .. } => "wrong-format",
            Self::UnsupportedVersion { .. } => "unsupported-version",
            Self::BadFileName { .. } => "bad-file-name",
            Self::DuplicateRole { .. } => "duplicate-role",
            Self::MissingRole { .. } => "missing-role",
            Self::BadHash { .. } => "bad-hash",
            Self::MissingFile { .. } => "missing-file",
            Self::UnlistedFile { .. } => "unlisted-file",
            Self::WrongSize { .. } => "wrong-size",
            Self::WrongHash { .. } => "wrong-hash",
            Self::BadJson { .. } => "bad-json",
            Self::BadShape { .. } => "bad-shape",
            Self::WrongLength { .. } => "wrong-length",
            Self::EmptyDataset { .. } => "empty-dataset",
            Self::DuplicateKey { .. } => "duplicate-key",
            Self::ItemOutOfRange { .. } => "item-out-of-range",
            Self::UserOutOfRange { .. } => "user-out-of-range",
            Self::NotChronological { .. } => "not-chronological",
            Self::HeldOutReason { .. } => "held-out-reason",
            Self::TooManyReasons { .. } => "too-many-reasons",
            Self::BadConfig { .. } => "bad-config",
            Self::BadTensorFile { .. } => "bad-tensor-file",
            Self::MissingTensor { .. } => "missing-tensor",
            Self::UnexpectedTensor { .. } => "unexpected-tensor",
            Self::WrongType { .. } => "wrong-type",
            Self::WrongShape { .. } => "wrong-shape",
            Self::NotFinite { .. } => "not-finite",
            Self::ReasonCountMismatch { .. } => "reason-count-mismatch",
        }
    }

    /// The file at fault; `None` when it is the folder as a whole.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::BadManifest { .. }
            | Self::WrongFormat { .. }
            | Self::UnsupportedVersion { .. }
            | Self::DuplicateRole { .. }
            | Self::MissingRole { .. }
            | Self::EmptyDataset { .. }
            | Self::BadFileName { .. }
            | Self::BadHash { .. }
            | Self::BadConfig { .. } => Some(super::MANIFEST),
            Self::MissingFile { file }
            | Self::UnlistedFile { file }
            | Self::WrongSize { file, .. }
            | Self::WrongHash { file }
            | Self::BadJson { file, .. }
            | Self::BadShape { file, .. }
            | Self::WrongLength { file, .. }
            | Self::DuplicateKey { file, .. }
            | Self::ItemOutOfRange { file, .. }
            | Self::UserOutOfRange { file, .. }
            | Self::NotChronological { file, .. }
            | Self::HeldOutReason { file, .. }
            | Self::TooManyReasons { file, .. }
            | Self::BadTensorFile { file, .. }
            | Self::MissingTensor { file, .. }
            | Self::UnexpectedTensor { file, .. }
            | Self::WrongType { file, .. }
            | Self::WrongShape { file, .. }
            | Self::NotFinite { file, .. }
            | Self::ReasonCountMismatch { file, .. } => Some(file),
        }
    }
}
