//! From logs on disk (or the built-in world) to a filtered, split [`Dataset`] (METHOD §0).
//!
//! [`read`] (one reader per format, [`detect`] chooses) → [`Log`] → [`prepare`] (filters, dense indices, split) →
//! [`Dataset`] → [`write()`] / [`load`]. [`stats`](stats()) describes both, [`download`] fetches the public data sets.

mod builder;
mod calendar;
mod config;
pub mod download;
mod error;
mod lines;
mod platforms;
mod prepare;
mod readers;
mod stats;
mod store;
pub mod synthetic;
mod titles;
mod types;
pub mod world;

pub use builder::{DESCRIBED_TWICE, DUPLICATE};
pub use calendar::date;
pub use config::{DataConfig, Format, Order, ReadOptions, SplitKind, SplitOptions};
pub use error::{DataError, LineProblem};
pub use prepare::{DropStep, Dropped, prepare};
pub use readers::{detect, read};
pub use stats::{AttributeCounts, Distribution, Side, SplitCounts, Stats, stats};
pub use store::{content_hash, load, write};
pub use types::{Attribute, Cause, Dataset, Event, Interaction, Item, Log, User, UserSplit};
