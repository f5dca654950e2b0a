//! Random search: the same number of trials for every model, chosen on validation only.

mod space;

pub use space::{Choice, Space};
