//! What a run's configuration says about data: `[data]` in the TOML file, and what `curec data` takes as flags.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::error::DataError;

/// On-disk formats that have a reader. `Display`, serde and the command line use the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Format {
    /// MovieLens-1M: `movies.dat`, `ratings.dat` (`::`, Latin-1).
    #[serde(rename = "ml-1m")]
    #[value(name = "ml-1m")]
    Ml1m,
    /// MovieLens latest, small or full: `movies.csv`, `ratings.csv`.
    #[serde(rename = "ml-latest")]
    #[value(name = "ml-latest")]
    MlLatest,
    /// Amazon reviews 2018 or 2023: `meta_X.json[l][.gz]` with `X….json[l][.gz]`.
    #[serde(rename = "amazon")]
    Amazon,
    /// Plain `interactions.csv` and `items.csv`.
    #[serde(rename = "csv")]
    Csv,
    /// RecBole atomic files: `NAME.inter`, `NAME.item`.
    #[serde(rename = "recbole")]
    #[value(name = "recbole")]
    RecBole,
}

impl Format {
    /// All formats, in the order in which they are looked for.
    pub const ALL: [Self; 5] = [
        Self::Ml1m,
        Self::MlLatest,
        Self::Amazon,
        Self::Csv,
        Self::RecBole,
    ];

    /// The name that `--format` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ml1m => "ml-1m",
            Self::MlLatest => "ml-latest",
            Self::Amazon => "amazon",
            Self::Csv => "csv",
            Self::RecBole => "recbole",
        }
    }

    /// The files by which a folder of this format is known.
    pub fn signature(self) -> &'static str {
        match self {
            Self::Ml1m => "movies.dat and ratings.dat",
            Self::MlLatest => "movies.csv and ratings.csv",
            Self::Amazon => {
                "meta_X.json[l][.gz] and X.json[l][.gz], X_5.json[.gz] or reviews_X[_5].json[.gz]"
            }
            Self::Csv => "interactions.csv and items.csv",
            Self::RecBole => "NAME.inter and NAME.item",
        }
    }

    pub(crate) fn all_signatures() -> String {
        let lines =
            Self::ALL.map(|format| format!("  {:<10} {}", format.name(), format.signature()));
        lines.join("\n")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The order of interactions that have equal times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As a hash of user and item draws them: the same at every reading, and saying nothing of the items. Where times are equal most files
    /// stand in an order of their own, often by item id (`curec data stats` says so), which a model of sequences learns and a test rewards.
    #[default]
    Drawn,
    /// As the source's file has them: for logs that were written in the order in which things happened.
    Source,
    /// MovieLens-1M only: as `sasrec_sequences.txt` has them, and only what it has (EVALUATION's reference numbers).
    Sasrec,
}

/// How histories are divided into training, validation and test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// Per user: last = test, second last = validation, the rest = training (METHOD §0).
    #[default]
    LeaveOneOut,
    /// Two points in time for everybody: what is before the first is training, from the second on test.
    Temporal,
}

impl SplitKind {
    /// Its name in settings and result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "leave-one-out",
            Self::Temporal => "temporal",
        }
    }
}

/// How a folder is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Count malformed lines and go on, instead of stopping at the first.
    pub lenient: bool,
    /// Order of interactions with equal times.
    pub order: Order,
}

/// How a log is filtered and split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitOptions {
    /// Users with fewer interactions are dropped. At least 3 apply under leave-one-out.
    pub min_history: usize,
    /// Items with fewer interactions are dropped.
    pub min_item_count: usize,
    /// A seeded sample of this many users.
    pub max_users: Option<usize>,
    /// Seed of that sample.
    pub seed: u64,
    /// Protocol.
    pub split: SplitKind,
    /// Temporal split: the fraction of all interactions that are training, in time order.
    pub train_until: f64,
    /// Temporal split: the fraction that are training or validation.
    pub valid_until: f64,
}

impl Default for SplitOptions {
    fn default() -> Self {
        DataConfig::default().split_options(0)
    }
}

/// The `[data]` section of a run's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Folder with the log's files. None: the built-in world.
    pub path: Option<PathBuf>,
    /// Format of that folder. None: known by its files.
    pub format: Option<Format>,
    /// Count and skip malformed lines instead of stopping at the first.
    pub lenient: bool,
    /// Order of interactions with equal times: `drawn`, `source`, or `sasrec` for MovieLens-1M.
    pub order: Order,
    /// Users with fewer interactions are dropped (the paper: 30).
    pub min_history: usize,
    /// Items with fewer interactions are dropped; with it users and items are filtered until both hold. 0: off.
    pub min_item_count: usize,
    /// At most this many users, sampled with the run's seed. None: all.
    pub max_users: Option<usize>,
    /// Another seed for that sample: runs with different seeds then have the same users. None: the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_seed: Option<u64>,
    /// `leave-one-out` (per user) or `temporal` (one point in time for all).
    pub split: SplitKind,
    /// Temporal split: training reaches to this quantile of all times.
    pub train_until: f64,
    /// Temporal split: validation reaches from there to this quantile, test is the rest.
    pub valid_until: f64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            path: None,
            format: None,
            lenient: false,
            order: Order::default(),
            min_history: 30,
            min_item_count: 0,
            max_users: None,
            sample_seed: None,
            split: SplitKind::LeaveOneOut,
            train_until: 0.8,
            valid_until: 0.9,
        }
    }
}

impl DataConfig {
    /// The part that [`read`](super::read) needs.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            lenient: self.lenient,
            order: self.order,
        }
    }

    /// The part that [`prepare`](super::prepare) needs; `seed` samples users under `max_users` unless `sample_seed` is set.
    pub fn split_options(&self, seed: u64) -> SplitOptions {
        SplitOptions {
            min_history: self.min_history,
            min_item_count: self.min_item_count,
            max_users: self.max_users,
            seed: self.sample_seed.unwrap_or(seed),
            split: self.split,
            train_until: self.train_until,
            valid_until: self.valid_until,
        }
    }

    /// Contradictions between settings, before anything is read.
    pub fn validate(&self) -> Result<(), DataError> {
        self.split_options(0).validate()
    }
}

impl SplitOptions {
    /// Contradictions between settings.
    pub fn validate(&self) -> Result<(), DataError> {
        let problem = |field, problem: &str| {
            Err(DataError::Setting {
                field,
                problem: problem.to_owned(),
            })
        };
        if self.max_users == Some(0) {
            return problem(
                "max_users",
                "is 0, which leaves nobody; leave it out for all users",
            );
        }
        let inside = |value: f64| value > 0.0 && value < 1.0;
        if !inside(self.train_until) {
            return problem("train_until", "must lie between 0 and 1 (0.8 by default)");
        }
        if !inside(self.valid_until) || self.valid_until < self.train_until {
            return problem(
                "valid_until",
                "must lie between train_until and 1 (0.9 by default)",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default_and_an_unknown_field_is_an_error() {
        let config: DataConfig = toml::from_str("").unwrap();
        assert_eq!(config, DataConfig::default());
        let config: DataConfig = toml::from_str(
            "path = 'x'\nformat = 'ml-1m'\norder = 'sasrec'\nsplit = 'temporal'\nmax_users = 5",
        )
        .unwrap();
        assert_eq!(config.format, Some(Format::Ml1m));
        assert_eq!(config.order, Order::Sasrec);
        assert_eq!(config.split, SplitKind::Temporal);
        assert_eq!(config.max_users, Some(5));
        assert!(toml::from_str::<DataConfig>("min_histroy = 3").is_err());
    }

    #[test]
    fn names_agree_between_display_serde_and_command_line() {
        for format in Format::ALL {
            let serde = serde_json::to_value(format).unwrap();
            assert_eq!(serde, format.to_string());
            assert_eq!(Format::from_str(format.name(), false), Ok(format));
        }
    }

    #[test]
    fn settings_that_contradict_are_named() {
        let refused = |options: SplitOptions| match options.validate() {
            Err(DataError::Setting { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let base = SplitOptions::default();
        assert_eq!(
            refused(SplitOptions {
                max_users: Some(0),
                ..base
            }),
            "max_users"
        );
        assert_eq!(
            refused(SplitOptions {
                train_until: 1.0,
                ..base
            }),
            "train_until"
        );
        assert_eq!(
            refused(SplitOptions {
                train_until: f64::NAN,
                ..base
            }),
            "train_until"
        );
        assert_eq!(
            refused(SplitOptions {
                valid_until: 0.5,
                ..base
            }),
            "valid_until"
        );
        assert!(base.validate().is_ok());
    }
}
