//! Qwen2: the forward pass, its cache, LoRA adapters, and weights under Hugging Face's names.
//!
//! Grouped-query attention, half-split rotary positions per row, RMSNorm, SwiGLU, QKV biases, tied or untied head
//! (Qwen2 technical report, arXiv 2407.10671). Parity with transformers is shown by `tests/`.

mod block;
mod branching;
mod cache;
mod config;
mod model;
mod precision;
mod projection;
mod rope;
mod weights;

pub use block::{Attention, Block, Mlp, Pass, RmsNorm, Sight};
pub use branching::{Branches, Branching};
pub use cache::KvCache;
pub use config::{ConfigError, Qwen2Config};
pub use model::{PROJECTIONS, Qwen2, TokenBatch};
pub use precision::{Precision, UnknownPrecision};
pub use projection::{Lora, Projection};
pub use rope::Rotation;
pub use weights::{PeftConfig, Shards, WeightError};
