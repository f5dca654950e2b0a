//! Weights of a burn module as safetensors bytes, under stable names.
//!
//! A tensor's name is its path through the module, e.g. `encoder.layers.0.output.weight`; all are f32. Loading checks that the
//! file holds exactly the module's tensors in their shapes, so a file of another model is refused with the reason.

use std::collections::{BTreeSet, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

/// Why weights could not be written or read.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file: {0}")]
    Format(String),
    /// A tensor of the module is not in the file.
    #[error("the file has no tensor `{0}`, which this model needs")]
    Missing(String),
    /// A tensor of the file is not in the module.
    #[error(
        "the file holds `{0}`, which this model does not have: it was written by another kind of model"
    )]
    Unexpected(String),
    /// Same name, other size.
    #[error("`{name}` has shape {found:?} in the file, but this model needs {expected:?}")]
    Shape {
        /// Path of the tensor.
        name: String,
        /// Shape in the module.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// Only f32 is written and read here.
    #[error("`{name}` is stored as {found:?}; f32 is expected")]
    Kind {
        /// Path of the tensor.
        name: String,
        /// What the file says.
        found: Dtype,
    },
    /// A value that no trained model has.
    #[error("`{0}` holds a value that is not finite")]
    NotFinite(String),
    /// The device did not hand its values over.
    #[error("cannot read `{name}` from the device: {reason}")]
    Device {
        /// Path of the tensor.
        name: String,
        /// The device's message.
        reason: String,
    },
    /// An entry of the file's own description is missing or unreadable.
    #[error("the file's description is unusable: {0}")]
    Metadata(String),
}

/// Writes all float parameters of `module`, with `metadata` beside them.
pub fn to_bytes<M: Module>(
    module: &M,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    if let Some(error) = collector.error {
        return Err(error);
    }
    let views = collector
        .tensors
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes)
                .map(|view| (name.clone(), view))
                .map_err(|error| WeightsError::Format(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    safetensors::serialize(views, Some(metadata))
        .map_err(|error| WeightsError::Format(error.to_string()))
}

/// The description stored in a file's header.
pub fn metadata(bytes: &[u8]) -> Result<HashMap<String, String>, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)
        .map_err(|error| WeightsError::Format(error.to_string()))?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// `module` with all its float parameters replaced by those in `bytes`.
pub fn from_bytes<M: Module>(module: M, bytes: &[u8]) -> Result<M, WeightsError> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Format(error.to_string()))?;
    let mut loader = Loader {
        left: file.names().into_iter().map(str::to_owned).collect(),
        file: &file,
        path: Vec::new(),
        error: None,
    };
    let module = module.map(&mut loader);
    if let Some(error) = loader.error {
        return Err(error);
    }
    match loader.left.pop_first() {
        Some(name) => Err(WeightsError::Unexpected(name)),
        None => Ok(module),
    }
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    error: Option<WeightsError>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        match param.val().try_into_vec_as::<f32>() {
            Ok(values) => {
                if values.iter().any(|value| !value.is_finite()) {
                    self.error.get_or_insert(WeightsError::NotFinite(name));
                    return;
                }
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                self.tensors.push((name, param.dims().to_vec(), bytes));
            }
            Err(error) => {
                self.error.get_or_insert(WeightsError::Device {
                    name,
                    reason: error.to_string(),
                });
            }
        }
    }
}

struct Loader<'a> {
    file: &'a SafeTensors<'a>,
    path: Vec<String>,
    left: BTreeSet<String>,
    error: Option<WeightsError>,
}

impl Loader<'_> {
    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let view = self
            .file
            .tensor(name)
            .map_err(|_| WeightsError::Missing(name.to_owned()))?;
        self.left.remove(name);
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Kind {
                name: name.to_owned(),
                found: view.dtype(),
            });
        }
        if view.shape() != shape {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name.to_owned()));
        }
        Ok(values)
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let name = self.path.join(".");
        let shape = param.lazy_shape();
        let dims: [usize; D] = shape.dims();
        match self.values(&name, &dims) {
            Ok(values) => {
                let device = param.lazy_device();
                param.map(|old| {
                    let tracked = old.is_require_grad();
                    Tensor::from_data(TensorData::new(values, dims), &device)
                        .set_require_grad(tracked)
                })
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
