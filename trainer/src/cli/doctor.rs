//! `curec doctor`: what this machine has and what this build can use of it. Reports, never fails.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use burn::tensor::{Device, Tensor};
use clap::Args;
use curec_shared_model::qwen2::Precision;

use crate::device::{self, DeviceChoice};
use crate::machine;

/// How long a GPU may take to multiply two small matrices, shader compilation included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Show what this machine has and which devices this build can compute on
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Try one device and say what it is; `doctor` asks itself this in a second process, which a bad driver may crash
    #[arg(long, value_enum, hide = true)]
    probe: Option<DeviceChoice>,
}

/// Runs `curec doctor`.
///
/// # Errors
/// Only if standard output cannot be written (or, in the second process, if the device does not work).
pub fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let text = match args.probe {
        Some(choice) => probe(choice)? + "\n",
        None => report(),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // … | head
        outcome => Ok(outcome?),
    }
}

fn report() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let features = cpu_features();
    let features = if features.is_empty() {
        "no vector extensions recognised".to_owned()
    } else {
        features.join(", ")
    };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let memory = match machine::memory() {
        Some(memory) => format!(
            "{:.1} GiB, {:.1} GiB of it free",
            gib(memory.total),
            gib(memory.available)
        ),
        None => "unknown on this system".to_owned(),
    };
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut rows = vec![
        (
            "curec",
            format!("{}, {os} {arch}", env!("CARGO_PKG_VERSION")),
        ),
        ("processor", format!("{threads} threads; {features}")),
        ("memory", memory),
    ];
    for choice in DeviceChoice::CONCRETE {
        rows.push((choice.name(), state(choice)));
    }
    rows.push(("auto", format!("takes {}", state(DeviceChoice::Auto))));
    let mut text = String::new();
    for (name, value) in rows {
        if name == DeviceChoice::CONCRETE[0].name() {
            text.push_str("\ndevices (--device NAME)\n");
        }
        let _ = writeln!(text, "{name:<10}{value}"); // writing to a String cannot fail
    }
    text
}

/// What becomes of a device, in words.
fn state(choice: DeviceChoice) -> String {
    if !choice.is_built() {
        return format!("not in this build (cargo feature {choice})");
    }
    let gpu_built = DeviceChoice::CONCRETE
        .iter()
        .any(|c| c.is_gpu() && c.is_built());
    let outcome = if choice.is_gpu() || (choice == DeviceChoice::Auto && gpu_built) {
        probe_apart(choice)
    } else {
        probe(choice)
    };
    match outcome {
        Ok(what) => what,
        Err(error) => format!("does not work: {error:#}"),
    }
}

/// Opens a device, multiplies two matrices on it, and describes it.
fn probe(choice: DeviceChoice) -> anyhow::Result<String> {
    let device = device::open(choice)?;
    let product = matmul(&device)?;
    if product != [19.0, 22.0, 43.0, 50.0] {
        bail!("it computes wrongly: a 2×2 product came out as {product:?}");
    }
    let mut text = device::describe(&device);
    if choice.is_gpu() {
        let halves = [Precision::BFloat16, Precision::Float16].map(|half| {
            let no = if half.runs_on(&device) { "" } else { "no " };
            format!("{no}{half}")
        });
        let _ = write!(text, "; {}", halves.join(", ")); // writing to a String cannot fail
    }
    Ok(text)
}

fn matmul(device: &Device) -> anyhow::Result<Vec<f32>> {
    let a = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], device);
    let b = Tensor::<2>::from_floats([[5.0, 6.0], [7.0, 8.0]], device);
    let product = a.matmul(b).try_into_vec_as::<f32>();
    product.map_err(|error| anyhow::anyhow!("its result cannot be read: {error:?}"))
}

/// [`probe`] in a process of its own: some drivers crash instead of reporting an error.
fn probe_apart(choice: DeviceChoice) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut child = Command::new(program)
        .args(["doctor", "--probe", choice.name()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("no answer within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (mut said, mut complained) = (String::new(), String::new());
    if let (Some(out), Some(err)) = (child.stdout.as_mut(), child.stderr.as_mut()) {
        out.read_to_string(&mut said)?;
        err.read_to_string(&mut complained)?;
    }
    if status.success() {
        return Ok(said.trim().to_owned());
    }
    let last = complained.lines().rfind(|line| !line.trim().is_empty());
    let last = last.map_or("it crashed without a word", |line| {
        line.trim_start_matches("error: ")
    });
    bail!("{last} ({status})")
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
    ];
    found
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    if std::arch::is_aarch64_feature_detected!("neon") {
        vec!["neon"]
    } else {
        Vec::new()
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Wrapper {
        #[command(flatten)]
        doctor: DoctorArgs,
    }

    #[test]
    fn the_interface_is_consistent() {
        Wrapper::command().debug_assert();
        let parsed = Wrapper::try_parse_from(["doctor", "--probe", "flex"]).unwrap();
        assert_eq!(parsed.doctor.probe, Some(DeviceChoice::Flex));
    }

    #[test]
    fn the_cpu_works_and_missing_features_are_named() {
        assert!(probe(DeviceChoice::Cpu).unwrap().starts_with("flex (CPU"));
        if !DeviceChoice::Cuda.is_built() {
            assert_eq!(
                state(DeviceChoice::Cuda),
                "not in this build (cargo feature cuda)"
            );
            let error = probe(DeviceChoice::Cuda).unwrap_err().to_string();
            assert!(error.contains("--features cuda"), "{error}");
        }
    }
}
