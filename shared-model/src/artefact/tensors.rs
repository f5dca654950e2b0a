//! `model.safetensors`: the reward model's weights, and what can be computed once for all (METHOD §4).
//!
//! | tensor | type | shape | meaning |
//! |---|---|---|---|
//! | `reasons.keys` | F16 | `[items, K, d]` | `W_k e(r)` of every listed reason, zero after the last one |
//! | `reasons.values` | F16 | `[items, K, d]` | `W_v e(r)` |
//! | `reasons.count` | F32 | `[items]` | reasons in each list |
//! | `patterns` | F32 | `[users, d]` | `e(P_u)` as known after the history, or the learned "no pattern" vector |
//! | `no_pattern` | F32 | `[d]` | the learned vector of a user without a pattern |
//! | `history.matched` | F16 | `[events, d]` | `m` of each event in each user's window (the newest `max_history` events, oldest first, users in order), matched with what was known **at that event** |
//! | `weights.*` | F32 | – | parameters of the reward model that inference needs, by their path in the module |
//!
//! The popularity of the items is `count` in `catalogue.json`.

use super::ArtefactError;
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::fmt;

/// `W_k e(r)` of every listed reason.
pub const REASON_KEYS: &str = "reasons.keys";
/// `W_v e(r)` of every listed reason.
pub const REASON_VALUES: &str = "reasons.values";
/// Length of every item's reason list.
pub const REASON_COUNT: &str = "reasons.count";
/// Pattern vector of every user.
pub const PATTERNS: &str = "patterns";
/// Pattern vector of whoever has none.
pub const NO_PATTERN: &str = "no_pattern";
/// Matched reason vectors of the history events.
pub const HISTORY_MATCHED: &str = "history.matched";
/// Prefix of the model's own parameters.
pub const WEIGHTS: &str = "weights.";

/// Number type of a stored tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// 32-bit float.
    F32,
    /// 16-bit float: half the download, 11 significant bits.
    F16,
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
        })
    }
}

/// A tensor on its way into or out of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// How it is stored; `values` are f32 in memory either way.
    pub dtype: StoredType,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

impl StoredTensor {
    /// A tensor that is stored exactly.
    pub fn f32(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Self {
            dtype: StoredType::F32,
            shape: shape.into(),
            values,
        }
    }

    /// A tensor that is rounded to half precision now, so that what is in memory is what a reader will see.
    pub fn f16(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Self {
            dtype: StoredType::F16,
            shape: shape.into(),
            values: values
                .into_iter()
                .map(|value| f16::from_f32(value).to_f32())
                .collect(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self.dtype {
            StoredType::F32 => self.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            StoredType::F16 => self
                .values
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect(),
        }
    }
}

/// The tensor of a file with this name, which must be there, of this type and shape.
pub(super) fn expect<'t>(
    file: &str,
    tensors: &'t BTreeMap<String, StoredTensor>,
    name: &str,
    dtype: StoredType,
    shape: &[usize],
) -> Result<&'t StoredTensor, ArtefactError> {
    let tensor = tensors
        .get(name)
        .ok_or_else(|| ArtefactError::MissingTensor {
            file: file.to_owned(),
            tensor: name.to_owned(),
        })?;
    expect_type(file, name, tensor, dtype)?;
    if tensor.shape != shape {
        return Err(ArtefactError::WrongShape {
            file: file.to_owned(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
            found: tensor.shape.clone(),
        });
    }
    Ok(tensor)
}

pub(super) fn expect_type(
    file: &str,
    name: &str,
    tensor: &StoredTensor,
    expected: StoredType,
) -> Result<(), ArtefactError> {
    if tensor.dtype == expected {
        return Ok(());
    }
    Err(ArtefactError::WrongType {
        file: file.to_owned(),
        tensor: name.to_owned(),
        expected: expected.to_string(),
        found: tensor.dtype.to_string(),
    })
}

pub(super) fn expect_finite(file: &str, name: &str, values: &[f32]) -> Result<(), ArtefactError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(position) => Err(ArtefactError::NotFinite {
            file: file.to_owned(),
            tensor: name.to_owned(),
            position,
            value: values[position].to_string(),
        }),
    }
}

/// The bytes of a safetensors file, tensors in name order.
pub(super) fn encode(
    file: &str,
    tensors: &BTreeMap<String, StoredTensor>,
) -> Result<Vec<u8>, ArtefactError> {
    let bad = |message: String| ArtefactError::BadTensorFile {
        file: file.to_owned(),
        message,
    };
    let bytes: Vec<(&String, &StoredTensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.to_bytes()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, tensor, bytes)| {
            let dtype = match tensor.dtype {
                StoredType::F32 => Dtype::F32,
                StoredType::F16 => Dtype::F16,
            };
            TensorView::new(dtype, tensor.shape.clone(), bytes)
                .map(|view| (name.as_str(), view))
                .map_err(|error| bad(format!("{name}: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    safetensors::serialize(views, None).map_err(|error| bad(error.to_string()))
}

/// Reads every tensor; only F16 and F32 with finite values exist in this format.
pub(super) fn decode(
    file: &str,
    bytes: &[u8],
) -> Result<BTreeMap<String, StoredTensor>, ArtefactError> {
    let parsed = SafeTensors::deserialize(bytes).map_err(|error| ArtefactError::BadTensorFile {
        file: file.to_owned(),
        message: error.to_string(),
    })?;
    let mut tensors = BTreeMap::new();
    for (name, view) in parsed.iter() {
        let (dtype, values) = match view.dtype() {
            Dtype::F32 => (StoredType::F32, read_f32(view.data())),
            Dtype::F16 => (StoredType::F16, read_f16(view.data())),
            other => {
                return Err(ArtefactError::WrongType {
                    file: file.to_owned(),
                    tensor: name.to_owned(),
                    expected: "F32 or F16".to_owned(),
                    found: format!("{other:?}"),
                });
            }
        };
        expect_finite(file, name, &values)?;
        let shape = view.shape().to_vec();
        tensors.insert(
            name.to_owned(),
            StoredTensor {
                dtype,
                shape,
                values,
            },
        );
    }
    Ok(tensors)
}

fn read_f32(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn read_f16(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(2)
        .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
        .collect()
}
