//! placeholder
pub mod reward;
pub mod weights;
