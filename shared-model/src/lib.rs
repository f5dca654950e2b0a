//! What runs natively and in the browser: the Qwen2 forward pass, the reward model, the artefact format, the scorer and
//! the explanation maths. No file, clock, thread, network or command line here, and nothing of training.
//!
//! Without the cargo feature `tensors` there is no burn in it: what is left reads an artefact and scores it on a CPU. With the
//! feature `writer` it also writes with the artefact's language model.

pub mod artefact;
pub mod explain;
pub mod qwen2;
pub mod reward;
pub mod scorer;
pub mod text;
#[cfg(feature = "tensors")]
pub mod weights;
#[cfg(feature = "writer")]
pub mod writer;
