//! Every way in which data on disk can be bad: one variant per way, each with a test named after it.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Format;

/// Why a folder could not be turned into a [`Log`](super::Log) or a [`Dataset`](super::Dataset).
#[derive(Debug, Error)]
pub enum DataError {
    /// The operating system refused, or a gzip stream is broken.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The given path is no folder.
    #[error("{} is not a folder: give the folder that holds the data files", path.display())]
    NotAFolder {
        /// As given.
        path: PathBuf,
    },
    /// No known format's files are there.
    #[error("no known data format in {}\nfound: {found}\nlooked for:\n{}", path.display(), Format::all_signatures())]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// Some of the names that are there.
        found: String,
    },
    /// The files of more than one format are there.
    #[error("{} holds the files of several formats ({formats}): choose one with --format", path.display())]
    AmbiguousFormat {
        /// The folder.
        path: PathBuf,
        /// Their names.
        formats: String,
    },
    /// The format asked for needs a file that is not there.
    #[error("{}: format {format} needs {what}", path.display())]
    MissingFile {
        /// The folder.
        path: PathBuf,
        /// Format being read.
        format: Format,
        /// Name or pattern of the file.
        what: String,
    },
    /// Several files could play the same role.
    #[error("{}: format {format} needs exactly one {what}, found {found}: keep one data set per folder", path.display())]
    AmbiguousFile {
        /// The folder.
        path: PathBuf,
        /// Format being read.
        format: Format,
        /// The role, as a pattern.
        what: String,
        /// The names found.
        found: String,
    },
    /// The header line lacks a column.
    #[error("{}: no column `{column}` in the header (found: {found})", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// Name, or alternatives.
        column: String,
        /// The header as it is.
        found: String,
    },
    /// The header line has a column twice, so it is not known which one counts.
    #[error("{}: the header has the column `{column}` twice: rename or remove one of them", file.display())]
    RepeatedColumn {
        /// The file.
        file: PathBuf,
        /// Its name.
        column: String,
    },
    /// A line is malformed. With `--lenient` it would be counted in `Log::skipped` instead.
    #[error("{}, line {line}: {problem}\n(--lenient counts such lines and skips them)", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1, the header included.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// `order = "sasrec"` is defined for MovieLens-1M only.
    #[error("order \"sasrec\" needs format ml-1m with sasrec_sequences.txt, not {format}")]
    OrderNotAvailable {
        /// Format being read.
        format: Format,
    },
    /// Files were read, but nobody took anything.
    #[error("{} has no interactions ({skipped} malformed lines were skipped)", path.display())]
    NoInteractions {
        /// The folder.
        path: PathBuf,
        /// Lines skipped under `--lenient`.
        skipped: usize,
    },
    /// More users or items than a 32-bit index holds.
    #[error("more than 4,294,967,295 {what}")]
    TooMany {
        /// `users` or `items`.
        what: &'static str,
    },
    /// A setting contradicts itself.
    #[error("setting `{field}`: {problem}")]
    Setting {
        /// The setting's name in the configuration.
        field: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The filters left nobody.
    #[error("nothing is left after filtering:\n{dropped}lower min_history or min_item_count")]
    NothingLeft {
        /// What was dropped and why.
        dropped: super::Dropped,
    },
    /// A stored data set does not say what its `meta.json` says.
    #[error("{}: {problem}: write the data set again", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
}

impl DataError {
    /// Attaches the path to an I/O error.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// What is wrong with one line. [`LineProblem::reason`] is the short form under which lenient reading counts it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineProblem {
    /// Bytes that are no UTF-8 where UTF-8 is required.
    #[error("not valid UTF-8 in field `{field}`")]
    InvalidUtf8 {
        /// Field name.
        field: &'static str,
    },
    /// More fields or fewer than the format or the header says.
    #[error("{found} fields where {expected} are expected")]
    FieldCount {
        /// By format or header.
        expected: usize,
        /// In this line.
        found: usize,
    },
    /// A field that must not be empty is.
    #[error("field `{field}` is empty or missing")]
    EmptyField {
        /// Field name.
        field: &'static str,
    },
    /// A field that must be a number is none.
    #[error("field `{field}`: `{value}` is not a number")]
    NotANumber {
        /// Field name.
        field: &'static str,
        /// Its text, shortened.
        value: String,
    },
    /// NaN or infinity.
    #[error("field `{field}`: `{value}` is not finite")]
    NotFinite {
        /// Field name.
        field: &'static str,
        /// Its text, shortened.
        value: String,
    },
    /// A time before 1970.
    #[error("negative time {value}")]
    NegativeTime {
        /// Its text, shortened.
        value: String,
    },
    /// A time that no 64-bit integer holds.
    #[error("time {value} is out of range")]
    TimeOutOfRange {
        /// Its text, shortened.
        value: String,
    },
    /// An interaction with an item that the metadata does not have.
    #[error("unknown item `{key}`: the metadata file has no such item")]
    UnknownItem {
        /// The item's key, shortened.
        key: String,
    },
    /// A sequence names a user that the interactions do not have.
    #[error("unknown user `{key}`: the ratings file has no such user")]
    UnknownUser {
        /// The user's key, shortened.
        key: String,
    },
    /// Two metadata lines for one item.
    #[error("item `{key}` is described a second time")]
    RepeatedItem {
        /// The item's key, shortened.
        key: String,
    },
    /// Two lines that describe one user.
    #[error("user `{key}` is described a second time")]
    RepeatedUser {
        /// The user's key, shortened.
        key: String,
    },
    /// Two sequences for one user.
    #[error("user `{key}` has a second sequence")]
    RepeatedSequence {
        /// The user's key, shortened.
        key: String,
    },
    /// A sequence names an item that the user never took (or took less often).
    #[error(
        "the sequence names item `{key}`, which the ratings do not have (that often) for this user"
    )]
    NotTaken {
        /// The item's key, shortened.
        key: String,
    },
    /// A sequence goes back in time.
    #[error("the sequence goes back in time at item `{key}`")]
    BackInTime {
        /// The item's key, shortened.
        key: String,
    },
    /// Not a JSON object with the expected fields.
    #[error("not a usable JSON object: {message}")]
    Json {
        /// What the parser said.
        message: String,
    },
    /// A line of a length that no real record has.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// CSV that cannot be split into fields.
    #[error("not readable as CSV: {message}")]
    Csv {
        /// What the parser said.
        message: String,
    },
}

impl LineProblem {
    /// The short form under which `Log::skipped` counts such lines.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 { .. } => "not valid UTF-8",
            Self::FieldCount { .. } => "wrong number of fields",
            Self::EmptyField { .. } => "empty or missing field",
            Self::NotANumber { .. } => "not a number",
            Self::NotFinite { .. } => "number not finite",
            Self::NegativeTime { .. } => "negative time",
            Self::TimeOutOfRange { .. } => "time out of range",
            Self::UnknownItem { .. } => "unknown item",
            Self::UnknownUser { .. } => "unknown user in a sequence",
            Self::RepeatedItem { .. } => "item described twice",
            Self::RepeatedUser { .. } => "user described twice",
            Self::RepeatedSequence { .. } => "second sequence of a user",
            Self::NotTaken { .. } => "sequence names an item not taken",
            Self::BackInTime { .. } => "sequence goes back in time",
            Self::Json { .. } => "not a usable JSON object",
            Self::TooLong { .. } => "line too long",
            Self::Csv { .. } => "not readable as CSV",
        }
    }

    /// Text of a bad field, cut so that an error stays readable.
    pub(crate) fn shown(bytes: &[u8]) -> String {
        const LIMIT: usize = 60;
        let text = String::from_utf8_lossy(bytes);
        if text.chars().count() <= LIMIT {
            text.into_owned()
        } else {
            text.chars().take(LIMIT).chain("…".chars()).collect()
        }
    }
}
