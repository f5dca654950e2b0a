//! Sets up what a machine lacks; says what it does and why, and is done at once when nothing is missing.

pub mod lockfile;
pub mod tools;
