//! The same tests on every device of this build: flex, `ndarray` where the feature is on, and a GPU where one is named:
//! `CUREC_TEST_GPU=wgpu` (or vulkan, metal, cuda). `cargo xtask test` names wgpu, on a software Vulkan driver.
//!
//! What a device computes is compared with flex's answer to the same question, and flex with things that are not ours
//! elsewhere (`gradient_tests`, `qwen2_parity`, `grpo_known_values`).
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

mod language;
mod precision;
mod ranking;

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use curec::device::{DeviceChoice, open};
use curec_shared_model::qwen2::{PROJECTIONS, Qwen2, Qwen2Config};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes a test of each function for each device.
macro_rules! on_devices {
    ($($test:ident),* $(,)?) => {
        $(mod $test {
            use curec::device::DeviceChoice;

            #[test]
            fn flex() {
                super::$test(DeviceChoice::Flex);
            }

            #[cfg(feature = "ndarray")]
            #[test]
            fn ndarray() {
                super::$test(DeviceChoice::Ndarray);
            }

            #[cfg(any(feature = "wgpu", feature = "cuda"))]
            #[test]
            fn gpu() {
                if let Some(gpu) = crate::gpu() {
                    super::$test(gpu);
                }
            }
        })*
    };
}
pub(crate) use on_devices;

/// The GPU that the environment names.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn gpu() -> Option<DeviceChoice> {
    use clap::ValueEnum as _;
    let Ok(name) = std::env::var("CUREC_TEST_GPU") else {
        eprintln!("skipped: CUREC_TEST_GPU names no device");
        return None;
    };
    Some(DeviceChoice::from_str(&name, true).unwrap())
}

fn device(choice: DeviceChoice) -> Device {
    open(choice).unwrap_or_else(|error| panic!("{error}"))
}

fn fixtures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/qwen2");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no ../shared");
    None
}

fn shape(layers: usize) -> Qwen2Config {
    Qwen2Config {
        vocab_size: 40,
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: layers,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        max_position_embeddings: 128,
    }
}

/// A model with numbers that depend on no device's generator; adapters, if any, move something.
fn model(layers: usize, lora: bool, device: &Device) -> Qwen2 {
    let mut model = Qwen2::init(&shape(layers), device);
    if lora {
        model = model.with_lora(4, 8.0, false, &PROJECTIONS.map(str::to_owned));
    }
    model.map(&mut Numbers {
        rng: ChaCha8Rng::seed_from_u64(11),
        device,
    })
}

/// Draws every parameter anew: rough weights, norms around 1.
struct Numbers<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl ModuleMapper for Numbers<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dims = param.lazy_shape().dims::<D>();
        let count: usize = dims.iter().product();
        let middle = if D == 1 { 0.8 } else { 0.0 };
        let values: Vec<f32> = (0..count)
            .map(|_| middle + self.rng.random_range(-0.25..0.25))
            .collect();
        let trains = param.is_require_grad();
        let tensor = Tensor::from_data(TensorData::new(values, dims), self.device);
        param.map(|_| tensor.set_require_grad(trains))
    }
}

/// Every gradient as plain numbers, `None` where there is none.
fn numbers(model: &Qwen2, gradients: &GradientsParams) -> Vec<Option<Vec<f32>>> {
    struct Collect<'a> {
        gradients: &'a GradientsParams,
        found: Vec<Option<Vec<f32>>>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.gradients.get::<D>(param.id);
            self.found
                .push(gradient.map(|one| one.try_into_vec_as().unwrap()));
        }
    }
    let mut collect = Collect {
        gradients,
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found
}

/// Every parameter as plain numbers.
fn weights(model: &Qwen2) -> Vec<f32> {
    struct Collect(Vec<f32>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().try_into_vec_as::<f32>().unwrap());
        }
    }
    let mut collect = Collect(Vec::new());
    model.visit(&mut collect);
    collect.0
}

/// Root of the summed squares of the differences, over that of `known`.
fn relative(found: &[f32], known: &[f32]) -> f64 {
    assert_eq!(found.len(), known.len());
    let square = |x: f32| f64::from(x) * f64::from(x);
    let gap: f64 = found.iter().zip(known).map(|(a, b)| square(a - b)).sum();
    let size: f64 = known.iter().map(|b| square(*b)).sum();
    (gap / size.max(f64::MIN_POSITIVE)).sqrt()
}

fn close(found: &[f32], known: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), known.len(), "{what}");
    for (found, known) in found.iter().zip(known) {
        let gap = (found - known).abs();
        assert!(gap <= tolerance, "{what}: {found}, not {known}");
    }
}
