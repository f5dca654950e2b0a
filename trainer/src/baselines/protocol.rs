//! From a folder of data to the data set that a number is given for (EVALUATION.md).

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::error::BaselineError;
use crate::data::{
    Dataset, Format, Order, ReadOptions, SplitKind, SplitOptions, content_hash, detect, prepare,
    read,
};

/// The protocols by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum ProtocolKind {
    /// That of published numbers: users and items with 5 interactions, leave-one-out; MovieLens-1M in the order of
    /// sasrec_sequences.txt where that file is there
    Sasrec,
    /// This project's: users with 30 interactions, leave-one-out, equal times drawn by a hash
    Default,
    /// Users with 30 interactions, one point in time for everybody, equal times drawn by a hash
    Temporal,
}

/// A data set and how it came to be.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Name in result files: that of a [`ProtocolKind`], or `run`.
    pub protocol: String,
    /// Filtered and split.
    pub data: Dataset,
    /// [`content_hash`] of it.
    pub sha256: String,
    /// Order of interactions with equal times; none where a run decided it.
    pub order: Option<Order>,
    /// How it was divided; none where a run decided it.
    pub split: Option<SplitKind>,
    /// Users with fewer interactions were dropped; none where a run decided it.
    pub min_history: Option<usize>,
    /// Items with fewer interactions were dropped; none where a run decided it.
    pub min_item_count: Option<usize>,
}

impl ProtocolKind {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sasrec => "sasrec",
            Self::Default => "default",
            Self::Temporal => "temporal",
        }
    }

    /// Filters and split. SASRec's preprocessing keeps users and items with five interactions.
    fn options(self) -> SplitOptions {
        let default = SplitOptions::default();
        match self {
            Self::Sasrec => SplitOptions {
                min_history: 5,
                min_item_count: 5,
                ..default
            },
            Self::Default => default,
            Self::Temporal => SplitOptions {
                split: SplitKind::Temporal,
                ..default
            },
        }
    }

    fn order(self, dir: &Path, format: Format) -> Order {
        let listed = format == Format::Ml1m && dir.join("sasrec_sequences.txt").is_file();
        match self {
            Self::Sasrec if listed => Order::Sasrec,
            Self::Sasrec => Order::Source,
            Self::Default | Self::Temporal => Order::Drawn,
        }
    }

    /// Reads, filters and splits a folder; `format` as given, or known by the files.
    ///
    /// # Errors
    /// What is wrong with the folder; nothing left after filtering.
    pub fn prepare(self, dir: &Path, format: Option<Format>) -> Result<Prepared, BaselineError> {
        let format = match format {
            Some(format) => format,
            None => detect(dir)?,
        };
        let order = self.order(dir, format);
        let options = self.options();
        let lenient = false;
        let log = read(dir, Some(format), &ReadOptions { lenient, order })?;
        let (data, _) = prepare(&log, &options)?;
        Ok(Prepared {
            protocol: self.name().to_owned(),
            sha256: content_hash(&data),
            data,
            order: Some(order),
            split: Some(options.split),
            min_history: Some(options.min_history),
            min_item_count: Some(options.min_item_count),
        })
    }
}

impl Prepared {
    /// The data set of a run, as its stage `data` left it: baselines beside the run's own models.
    pub fn of_run(data: Dataset) -> Self {
        Self {
            protocol: "run".to_owned(),
            sha256: content_hash(&data),
            data,
            order: None,
            split: None,
            min_history: None,
            min_item_count: None,
        }
    }

    /// All interactions.
    pub fn interactions(&self) -> usize {
        self.data.histories.iter().map(Vec::len).sum()
    }
}
