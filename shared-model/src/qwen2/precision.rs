//! Numbers of half the size for weights that are not trained.

use burn::tensor::{DType, Device, FloatDType};
use serde::{Deserialize, Serialize};

/// In what the frozen matrices of the blocks are kept and multiplied; everything else is float32: adapters and all else that
/// trains, norms, biases, attention, the residual stream, the embedding table and the output head, so that
/// log-probabilities are not rounded to two digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Everywhere the same.
    #[default]
    Float32,
    /// Half the memory, the range of float32, two to three digits.
    BFloat16,
    /// Half the memory, three digits, at most 65,504: for devices without bfloat16.
    Float16,
}

/// A name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no dtype here: float32, bfloat16 or float16")]
pub struct UnknownPrecision(String);

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Float32, Self::BFloat16, Self::Float16];

    /// As transformers writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::BFloat16 => "bfloat16",
            Self::Float16 => "float16",
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Float32 => 4,
            Self::BFloat16 | Self::Float16 => 2,
        }
    }

    /// burn's name for it.
    pub fn dtype(self) -> FloatDType {
        match self {
            Self::Float32 => FloatDType::F32,
            Self::BFloat16 => FloatDType::BF16,
            Self::Float16 => FloatDType::F16,
        }
    }

    /// Whether a device computes in it.
    pub fn runs_on(self, device: &Device) -> bool {
        device.supports_dtype(DType::from(self.dtype()))
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| UnknownPrecision(name.to_owned()))
    }
}
