//! What each part of the method is worth (EVALUATION.md: ablations and controls): runs that leave one part out, controls that give the
//! trained model something else to read, and one table with paired differences.
//!
//! A run per row and seed that needs one (`runs`), each a run directory like any other; stages that two of them have in common are done
//! once and shared. `seed` is what the runs of one seed found, `table` is made from that, `verdict` says in words what it means for the texts.

mod rows;
mod runs;
mod seed;
mod statistics;
mod table;
mod verdict;

pub use rows::{
    NO_CORRECTION, NO_PATTERNS, NO_PRETRAIN, NO_REASONS, NO_UPDATE, ONLY_IDS, RANDOM_TEXTS,
    REFERENCE, ROWS, Row, SHUFFLED, Source, TEXT_ONLY, selected,
};
pub use runs::{AblationDirectory, Plan};
pub use seed::SeedRanks;
pub use statistics::{holm, mean_and_deviation, sign_flip_test};
pub use table::{AblationReport, Cost, Difference, Found, Kind, RowResult, Spread, Test};
