//! The device a command computes on: chosen at run time among what this build has, with plain words when it cannot be had.
//!
//! `flex` (pure Rust, CPU) is always there; GPUs come with the cargo features `wgpu`, `vulkan`, `metal` and `cuda`, and
//! `ndarray` is an independent second CPU implementation for parity tests.

mod failure;

use std::fmt;

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DeviceType;
use clap::ValueEnum;
use curec_shared_model::qwen2::Precision;
use serde::{Deserialize, Serialize};

use crate::machine::peak_memory_mib;
pub use failure::{guard, read};

/// What `--device` accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum DeviceChoice {
    /// A GPU if this build can drive one and the machine has one, else the CPU
    #[default]
    Auto,
    /// The CPU (the same as flex)
    Cpu,
    /// The CPU, by burn's pure-Rust backend
    Flex,
    /// The CPU, by a second implementation for comparison (needs the cargo feature ndarray)
    Ndarray,
    /// A GPU through WebGPU's native implementation (needs the cargo feature wgpu)
    Wgpu,
    /// A GPU through Vulkan and nothing else (needs the cargo feature vulkan)
    Vulkan,
    /// A GPU through Metal and nothing else (needs the cargo feature metal)
    Metal,
    /// An NVIDIA GPU through CUDA (needs the cargo feature cuda)
    Cuda,
}

/// Why a device cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The cargo feature was off when this binary was built.
    #[error("this build has no {0}: rebuild with `--features {0}`, or use `--device cpu`")]
    NotBuilt(DeviceChoice),
    /// The backend is there, the hardware or its driver is not.
    #[error(
        "{0} finds no device on this machine (no GPU, or no driver for it): use `--device cpu`; `curec doctor` lists \
         what there is"
    )]
    NoAdapter(DeviceChoice),
    /// It does not compute in the dtype asked for.
    #[error(
        "{choice} computes in float32 only, not in {precision}: set llm.dtype (or --dtype) to float32"
    )]
    Cpu {
        /// What was asked for, or what `auto` found.
        choice: DeviceChoice,
        /// The dtype.
        precision: Precision,
    },
    /// A GPU without the dtype asked for.
    #[error("{device} does not compute in {precision}: set llm.dtype (or --dtype) to {instead}")]
    Precision {
        /// The device in words.
        device: String,
        /// The dtype.
        precision: Precision,
        /// The ones it has.
        instead: String,
    },
    /// There is hardware, and it refused.
    #[error("{choice} found a device and could not open it: {problem}")]
    Open {
        /// What was asked for.
        choice: DeviceChoice,
        /// The library's words.
        problem: String,
    },
}

/// GPUs in the order in which [`DeviceChoice::Auto`] tries them.
const GPUS: [DeviceChoice; 4] = [
    DeviceChoice::Cuda,
    DeviceChoice::Metal,
    DeviceChoice::Vulkan,
    DeviceChoice::Wgpu,
];

impl DeviceChoice {
    /// Everything that names one device: all but `auto`, and `cpu`, which is `flex`.
    pub const CONCRETE: [Self; 6] = [
        Self::Flex,
        Self::Ndarray,
        Self::Wgpu,
        Self::Vulkan,
        Self::Metal,
        Self::Cuda,
    ];

    /// As it is written on the command line and in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
        }
    }

    /// Whether this binary was built with it.
    pub fn is_built(self) -> bool {
        match self {
            Self::Auto | Self::Cpu | Self::Flex => true,
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// Whether it is a GPU, or claims to be one.
    pub fn is_gpu(self) -> bool {
        GPUS.contains(&self)
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Opens a device, without gradients (`.autodiff()` turns them on).
///
/// `auto` takes no software rasteriser for a GPU; naming `wgpu` or `vulkan` does.
///
/// # Errors
/// [`DeviceError`] says what is missing; `auto`, `cpu` and `flex` never fail.
pub fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
    match choice {
        DeviceChoice::Cpu | DeviceChoice::Flex => Ok(Device::flex()),
        DeviceChoice::Ndarray => ndarray(),
        DeviceChoice::Auto => {
            let real = GPUS.into_iter().filter(|gpu| has_real_adapter(*gpu));
            let opened = real.filter_map(|gpu| open_gpu(gpu).ok()).next();
            Ok(opened.unwrap_or_else(Device::flex))
        }
        gpu => open_gpu(gpu),
    }
}

/// [`open`], for a language model whose frozen matrices are kept in `precision`.
///
/// # Errors
/// [`DeviceError`], also where the device does not compute in that precision.
pub fn open_for(choice: DeviceChoice, precision: Precision) -> Result<Device, DeviceError> {
    let device = open(choice)?;
    if precision == Precision::Float32 {
        return Ok(device);
    }
    if is_cpu(&device) {
        return Err(DeviceError::Cpu { choice, precision });
    }
    if !precision.runs_on(&device) {
        let others = Precision::ALL
            .into_iter()
            .filter(|one| one.runs_on(&device));
        let others: Vec<&str> = others.map(Precision::name).collect();
        return Err(DeviceError::Precision {
            device: describe(&device),
            precision,
            instead: others.join(" or "),
        });
    }
    Ok(device)
}

/// Memory held for computing, in MiB: of a GPU what its allocator has reserved, of the CPU the largest resident set of this
/// process so far. `None` where nobody tells.
pub fn memory_mib(device: &Device) -> Option<u64> {
    let device = device.clone().inner();
    if is_cpu(&device) {
        return peak_memory_mib();
    }
    let usage = device.memory_pool_usage()?;
    Some(usage.bytes_reserved >> 20)
}

/// Whether a device of this build is the CPU by name (software GPUs are GPUs here).
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex() || ndarray().is_ok_and(|ndarray| ndarray == *device)
}

/// One line about a device: its backend and, for a GPU, its name.
pub fn describe(device: &Device) -> String {
    if *device == Device::flex() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        return format!("flex (CPU, {threads} threads)");
    }
    #[cfg(feature = "ndarray")]
    if ndarray().is_ok_and(|ndarray| ndarray == *device) {
        return "ndarray (CPU)".to_owned();
    }
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    if let Some(identity) = device.identity() {
        let kind = if identity.physical.is_some() {
            "GPU"
        } else {
            "software"
        };
        return format!("{} ({kind}, {})", identity.name, identity.fingerprint);
    }
    format!("{device:?}")
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // kept on purpose as the independent second opinion of the parity tests
fn ndarray() -> Result<Device, DeviceError> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt(DeviceChoice::Ndarray))
}

/// Devices that a GPU backend of this build reports; none when it is not built in.
fn adapters(choice: DeviceChoice) -> Vec<Device> {
    match choice {
        #[cfg(feature = "wgpu")]
        DeviceChoice::Wgpu => Device::enumerate(DeviceType::Wgpu).into_iter().collect(),
        #[cfg(feature = "vulkan")]
        DeviceChoice::Vulkan => Device::enumerate(DeviceType::Vulkan).into_iter().collect(),
        #[cfg(feature = "metal")]
        DeviceChoice::Metal => Device::enumerate(DeviceType::Metal).into_iter().collect(),
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda => Device::enumerate(DeviceType::Cuda).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn has_real_adapter(choice: DeviceChoice) -> bool {
    adapters(choice).iter().any(|device| !is_software(device))
}

/// Whether a graphics API offers the CPU itself under the name of an adapter (lavapipe, SwiftShader, WARP).
fn is_software(device: &Device) -> bool {
    #[cfg(feature = "wgpu")]
    if *device == Device::wgpu(burn::tensor::DeviceKind::Cpu) {
        return true;
    }
    #[cfg(feature = "vulkan")]
    if *device == Device::vulkan(burn::tensor::DeviceKind::Cpu) {
        return true;
    }
    #[cfg(feature = "metal")]
    if *device == Device::metal(burn::tensor::DeviceKind::Cpu) {
        return true;
    }
    let _ = device;
    false
}

fn open_gpu(choice: DeviceChoice) -> Result<Device, DeviceError> {
    if !choice.is_built() {
        return Err(DeviceError::NotBuilt(choice));
    }
    if adapters(choice).is_empty() {
        return Err(DeviceError::NoAdapter(choice));
    }
    match choice {
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda => Ok(Device::cuda(0)),
        #[cfg(feature = "wgpu")]
        DeviceChoice::Wgpu => graphics::open(choice),
        #[cfg(feature = "vulkan")]
        DeviceChoice::Vulkan => graphics::open(choice),
        #[cfg(feature = "metal")]
        DeviceChoice::Metal => graphics::open(choice),
        _ => Err(DeviceError::NotBuilt(choice)),
    }
}

/// Devices of the wgpu family are opened once per process: their runtime refuses to be set up again.
#[cfg(feature = "wgpu")]
mod graphics {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use burn::tensor::Device;
    use burn::tensor::wgpu::WgpuBackend;

    use super::{DeviceChoice, DeviceError};

    type Opened = HashMap<DeviceChoice, Result<Device, DeviceError>>;
    static OPENED: LazyLock<Mutex<Opened>> = LazyLock::new(Mutex::default);

    pub(super) fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
        let api = match choice {
            DeviceChoice::Vulkan => WgpuBackend::Vulkan,
            DeviceChoice::Metal => WgpuBackend::Metal,
            _ => WgpuBackend::Auto,
        };
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let device = opened.entry(choice).or_insert_with(|| {
            let device = Device::wgpu_options().graphics_api(api).init();
            device.map_err(|error| DeviceError::Open {
                choice,
                problem: error.to_string(),
            })
        });
        device.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_on_the_command_line_and_in_a_file() {
        for choice in DeviceChoice::value_variants() {
            let value = choice.to_possible_value().unwrap();
            assert_eq!(value.get_name(), choice.name());
            let json = serde_json::to_value(choice).unwrap();
            assert_eq!(json, choice.name());
        }
    }

    #[test]
    fn cpu_is_flex_and_always_opens() {
        assert_eq!(open(DeviceChoice::Cpu).unwrap(), Device::flex());
        assert_eq!(open(DeviceChoice::Flex).unwrap(), Device::flex());
        assert!(describe(&Device::flex()).starts_with("flex (CPU"));
        assert!(open(DeviceChoice::Auto).is_ok());
    }

    #[test]
    fn what_is_not_built_is_refused_with_the_feature_to_add() {
        for choice in DeviceChoice::CONCRETE {
            match open(choice) {
                Err(error @ DeviceError::NotBuilt(_)) => {
                    assert!(!choice.is_built());
                    let message = error.to_string();
                    assert!(
                        message.contains(&format!("--features {choice}")),
                        "{message}"
                    );
                }
                // A build with GPU features on a machine without a GPU.
                Err(DeviceError::NoAdapter(found)) => assert!(found.is_gpu()),
                Err(error) => panic!("{error}"),
                Ok(_) => assert!(choice.is_built()),
            }
        }
    }
}
