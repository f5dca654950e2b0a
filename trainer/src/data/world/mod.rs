//! The built-in world: a seeded simulator of a catalogue and its viewers, which knows why each choice was made.
//!
//! METHOD §0 needs a log; this one needs no download and no licence, and is the only data set in which "is this reason
//! true?" has a right answer (EVALUATION, cause accuracy). The order of work: [`catalogue`] invents works with
//! attributes a sentence can name, [`viewers`] gives each viewer sparse tastes that drift, a hidden community and a
//! calendar, [`simulate`] lets them choose by a softmax over explicit utility terms and records those terms as
//! [`Cause`](crate::data::Cause)s, [`calibration`] measures how predictable the result is, and [`statistics`] tables
//! it beside real logs. Everything is a function of [`WorldConfig`]: equal configurations give equal logs.

mod calibration;
mod catalogue;
mod config;
mod random;
mod simulate;
mod statistics;
mod viewers;
mod words;

pub use calibration::{Calibration, calibrate};
pub use config::{WorldConfig, WorldError};
pub use simulate::{World, generate, simulate};
pub use statistics::{LogStatistics, report, sanity_table, sanity_tables, statistics};
pub use viewers::{Taste, ViewerTruth};
