//! Qwen2: the forward pass, its cache, LoRA adapters, and weights under Hugging Face's names.
//!
//! Grouped-query attention, half-split rotary positions per row, RMSNorm, SwiGLU, QKV biases, tied or untied head
//! (Qwen2 technical report, arXiv 2407.10671). Parity with transformers is shown by `tests/`.

#[cfg(feature = "tensors")]
mod block;
#[cfg(feature = "tensors")]
mod branching;
#[cfg(feature = "tensors")]
mod cache;
mod config;
#[cfg(feature = "tensors")]
mod model;
#[cfg(feature = "tensors")]
mod precision;
#[cfg(feature = "tensors")]
mod projection;
#[cfg(feature = "tensors")]
mod rope;
#[cfg(feature = "tensors")]
mod weights;

#[cfg(feature = "tensors")]
pub use block::{Attention, Block, Mlp, Pass, RmsNorm, Sight};
#[cfg(feature = "tensors")]
pub use branching::{Branches, Branching};
#[cfg(feature = "tensors")]
pub use cache::KvCache;
pub use config::{ConfigError, Qwen2Config};
#[cfg(feature = "tensors")]
pub use model::{PROJECTIONS, Qwen2, TokenBatch};
#[cfg(feature = "tensors")]
pub use precision::{Precision, UnknownPrecision};
#[cfg(feature = "tensors")]
pub use projection::{Lora, Projection};
#[cfg(feature = "tensors")]
pub use rope::Rotation;
#[cfg(feature = "tensors")]
pub use weights::{PeftConfig, Shards, WeightError};
