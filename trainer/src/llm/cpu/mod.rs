//! A hand-written float32 forward and backward pass of Qwen2 for training small models on CPU threads.
//!
//! burn stays the model and the optimiser; this is only a faster way to the same log-probabilities and gradients
//! (`DEVIATIONS.md`). Whole sequences are divided over threads, each works through its own one by one, so that
//! activations stay in the cache and only the wanted tokens of one sequence a thread meet the vocabulary. Parity with burn's autodiff,
//! values and every gradient, is tested.

mod attention;
mod decode;
mod layout;
mod network;
#[cfg(test)]
pub(crate) mod tests;
mod weights;

pub use decode::Decoder;
pub use network::{Network, Tape};
pub use weights::{Weights, is_cpu, serves};
