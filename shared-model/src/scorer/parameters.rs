//! The reward model's parameters in an artefact: which of them inference needs, and how they get in and out.

use crate::artefact::{ArtefactError, FileRole, StoredTensor, StoredType, tensors::WEIGHTS};
use crate::reward::RewardModel;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Parts of the model that only turn text vectors into keys, values and patterns: an artefact ships their output.
const NOT_NEEDED: [&str; 6] = [
    "text.",
    "text_centre",
    "text_scale",
    "no_pattern",
    "matching.key.",
    "matching.value.",
];

fn needed(path: &str) -> bool {
    !NOT_NEEDED
        .iter()
        .any(|part| path == *part || (part.ends_with('.') && path.starts_with(part)))
}

/// The device did not hand a parameter's values over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot read the parameter {name} from the device: {message}")]
pub struct UnreadableParameter {
    /// Path in the module.
    pub name: String,
    /// What the device said.
    pub message: String,
}

/// The parameters of `model` that inference needs, under their names in the artefact. Reads the device synchronously:
/// for the trainer.
///
/// # Errors
/// A device that does not hand values over.
pub fn inference_parameters(
    model: &RewardModel,
) -> Result<BTreeMap<String, StoredTensor>, UnreadableParameter> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    match collector.error {
        Some(error) => Err(error),
        None => Ok(collector.tensors),
    }
}

/// `model` with the parameters that inference needs replaced by those of the artefact.
///
/// # Errors
/// A parameter missing, of another shape, or one that the model does not have.
pub(super) fn restore(
    model: RewardModel,
    tensors: &BTreeMap<String, StoredTensor>,
    device: &Device,
) -> Result<RewardModel, ArtefactError> {
    let mut loader = Loader {
        path: Vec::new(),
        tensors,
        device,
        unused: tensors
            .keys()
            .filter(|name| name.starts_with(WEIGHTS))
            .map(String::as_str)
            .collect(),
        error: None,
    };
    let model = model.map(&mut loader);
    if let Some(error) = loader.error {
        return Err(error);
    }
    match loader.unused.pop_first() {
        Some(name) => Err(ArtefactError::UnexpectedTensor {
            file: file(),
            tensor: name.to_owned(),
        }),
        None => Ok(model),
    }
}

fn file() -> String {
    FileRole::Model.file_name().to_owned()
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    tensors: BTreeMap<String, StoredTensor>,
    error: Option<UnreadableParameter>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        if !needed(&path) || self.error.is_some() {
            return;
        }
        let tensor = format!("{WEIGHTS}{path}");
        match param.val().try_into_vec_as::<f32>() {
            Ok(values) => {
                let stored = StoredTensor::f32(param.dims().to_vec(), values);
                self.tensors.insert(tensor, stored);
            }
            Err(error) => {
                self.error = Some(UnreadableParameter {
                    name: path,
                    message: error.to_string(),
                });
            }
        }
    }
}

struct Loader<'a> {
    path: Vec<String>,
    tensors: &'a BTreeMap<String, StoredTensor>,
    device: &'a Device,
    unused: BTreeSet<&'a str>,
    error: Option<ArtefactError>,
}

impl Loader<'_> {
    fn find(&mut self, path: &str, expected: &[usize]) -> Result<Vec<f32>, ArtefactError> {
        let tensor = format!("{WEIGHTS}{path}");
        let Some(stored) = self.tensors.get(&tensor) else {
            return Err(ArtefactError::MissingTensor {
                file: file(),
                tensor,
            });
        };
        self.unused.remove(tensor.as_str());
        if stored.shape != expected {
            return Err(ArtefactError::WrongShape {
                file: file(),
                tensor,
                expected: expected.to_vec(),
                found: stored.shape.clone(),
            });
        }
        debug_assert_eq!(stored.dtype, StoredType::F32, "checked while reading");
        Ok(stored.values.clone())
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
        let path = self.path.join(".");
        if self.error.is_some() || !needed(&path) {
            return param;
        }
        // Parameters are lazy: the shape is known, but the random start values are never drawn.
        let shape: [usize; D] = param.lazy_shape().dims();
        match self.find(&path, &shape) {
            Ok(values) => {
                let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
                Param::initialized(param.id, tensor)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
