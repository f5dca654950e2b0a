//! What runs natively and in the browser: the Qwen2 forward pass, the reward model, the artefact format, the scorer and
//! the explanation maths. No file, clock, thread, network or command line here, and nothing of training.

pub mod artefact;
pub mod explain;
pub mod qwen2;
pub mod reward;
pub mod scorer;
pub mod weights;
