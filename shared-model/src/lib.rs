//! What runs natively and in the browser: the Qwen2 forward pass, the reward model, the artefact format and the
//! explanation maths. No file, clock, thread, network or command line here, and nothing of training.

pub mod qwen2;
