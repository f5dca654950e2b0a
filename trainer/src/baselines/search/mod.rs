//! Random search: the same number of trials for every model, chosen on validation only.

mod space;
mod trials;

pub use space::{Choice, Space};
pub use trials::{Plan, Trial, best, search};
