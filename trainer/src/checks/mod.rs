//! The paper's own checks and the questions it leaves open, each a verdict with its numbers (`curec check`).
//!
//! A check reads finished stages of a run and changes nothing of it. Measuring and judging are apart: `judge` is a pure
//! function from measurements to a [`Verdict`], `check` does the reading and the scoring.

pub mod attention;
mod bins;
pub mod chronology;
pub mod cold_start;
pub mod drift;
mod material;
pub mod pretrain;
pub mod reward;
pub mod sparse_text;
mod statistics;
mod verdict;

pub use material::{Material, Texts};
pub use verdict::{Condition, ENOUGH, Number, Outcome, Verdict};
