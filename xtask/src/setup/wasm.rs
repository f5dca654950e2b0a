//! A compiler with a standard library for wasm32: rustup's target where rustup can download it; else, on Debian, the packages
//! `rustc-web` and `rust-web-src`, from which cargo builds that library itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::setup::apt;
use crate::step;
use crate::workspace::{command, on_path};

/// The target of everything that runs in the browser.
pub const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Set to `rustup` or `debian` to leave the other route aside.
const CHOICE: &str = "CUREC_WASM_TOOLCHAIN";

/// Which compiler builds for wasm32; `environment` is what makes cargo (and trunk, which calls it) use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The toolchain in use has the target.
    Rustup,
    /// Debian's compiler with its library sources, linked by the rust-lld of the toolchain in use.
    Debian {
        /// The rust-lld program.
        linker: PathBuf,
    },
}

impl WasmToolchain {
    /// The variables that builds for wasm32 need.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Rustup => vec![],
            Self::Debian { linker } => vec![
                ("RUSTC", DEBIAN_RUSTC.into()),
                ("RUSTC_BOOTSTRAP", "1".into()),
                ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".into()),
                (
                    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
                    linker.clone().into_os_string(),
                ),
            ],
        }
    }

    /// The cargo command that finds faults: clippy is of the rustup toolchain and cannot read what Debian's compiler wrote.
    pub fn check_command(&self) -> &'static str {
        match self {
            Self::Rustup => "clippy",
            Self::Debian { .. } => "check",
        }
    }
}

/// What is known of the machine.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    target: bool,
    rustup: bool,
    rustup_failed: bool,
    debian: bool,
    debian_failed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    UseRustup,
    UseDebian,
    AddTarget,
    InstallDebian,
    GiveUp,
}

fn next(found: Found) -> Next {
    if found.target {
        Next::UseRustup
    } else if found.rustup && !found.rustup_failed {
        Next::AddTarget
    } else if found.debian {
        Next::UseDebian
    } else if !found.debian_failed {
        Next::InstallDebian
    } else {
        Next::GiveUp
    }
}

/// Finds the wasm toolchain, or sets one up.
pub fn ensure() -> Result<WasmToolchain> {
    let sysroot = sysroot("rustc")?;
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let mut found = Found {
        target: has_target(&sysroot) && choice != "debian",
        rustup: on_path("rustup").is_some() && choice != "debian",
        rustup_failed: false,
        debian: debian_is_ready(),
        debian_failed: choice == "rustup",
    };
    loop {
        match next(found) {
            Next::UseRustup => return Ok(WasmToolchain::Rustup),
            Next::UseDebian => {
                let linker = rust_lld(&sysroot)?;
                return Ok(WasmToolchain::Debian { linker });
            }
            Next::AddTarget => {
                println!("   adding the target {TARGET}: the page's scorer is WebAssembly");
                let mut rustup = command("rustup");
                let added = step::run(
                    "rustup target add",
                    rustup.args(["target", "add"]).arg(TARGET),
                );
                found.target = has_target(&sysroot);
                found.rustup_failed = !found.target;
                if let (Err(error), true) = (added, found.rustup_failed) {
                    println!("   {error:#}\n   trying Debian's packages instead");
                }
            }
            Next::InstallDebian => {
                let why = "rustup cannot provide wasm32's standard library here, so it is built from Debian's sources";
                if let Err(error) = apt::install(&["rustc-web", "rust-web-src"], why) {
                    println!("   {error:#}");
                }
                found.debian = debian_is_ready();
                found.debian_failed = !found.debian;
            }
            Next::GiveUp => bail!(
                "no compiler for {TARGET}: `rustup target add {TARGET}` is the usual way (it needs the internet); offline, \
                 Debian 12 or later has it as `apt-get install rustc-web rust-web-src`"
            ),
        }
    }
}

fn sysroot(rustc: &str) -> Result<PathBuf> {
    let output = command(rustc)
        .args(["--print", "sysroot"])
        .output()
        .with_context(|| format!("cannot start {rustc}"))?;
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

fn has_target(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

fn debian_is_ready() -> bool {
    Path::new(DEBIAN_RUSTC).is_file()
        && sysroot(DEBIAN_RUSTC).is_ok_and(|sysroot| {
            sysroot
                .join("lib/rustlib/src/rust/library/std/Cargo.toml")
                .is_file()
        })
}

/// The linker inside a toolchain: `lib/rustlib/HOST/bin/rust-lld`.
fn rust_lld(sysroot: &Path) -> Result<PathBuf> {
    let folder = sysroot.join("lib/rustlib");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}: is rustc intact?", folder.display()))?;
    entries
        .flatten()
        .map(|entry| entry.path().join("bin/rust-lld"))
        .find(|file| file.is_file())
        .with_context(|| format!("no rust-lld below {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_target_wins() {
        let found = Found {
            target: true,
            rustup: true,
            debian: true,
            ..Found::default()
        };
        assert_eq!(next(found), Next::UseRustup);
    }

    #[test]
    fn rustup_is_tried_before_debian() {
        let found = Found {
            rustup: true,
            debian: true,
            ..Found::default()
        };
        assert_eq!(next(found), Next::AddTarget);
    }

    #[test]
    fn offline_rustup_leads_to_debian() {
        let offline = Found {
            rustup: true,
            rustup_failed: true,
            ..Found::default()
        };
        assert_eq!(next(offline), Next::InstallDebian);
        let installed = Found {
            debian: true,
            ..offline
        };
        assert_eq!(next(installed), Next::UseDebian);
        let failed = Found {
            debian_failed: true,
            ..offline
        };
        assert_eq!(next(failed), Next::GiveUp);
    }

    #[test]
    fn without_rustup_debian_comes_first() {
        assert_eq!(next(Found::default()), Next::InstallDebian);
    }

    #[test]
    fn the_debian_route_sets_compiler_library_and_linker() {
        let route = WasmToolchain::Debian {
            linker: "/t/rust-lld".into(),
        };
        let environment = route.environment();
        let value = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(value("RUSTC").as_deref(), Some("/usr/bin/rustc"));
        assert_eq!(value("RUSTC_BOOTSTRAP").as_deref(), Some("1"));
        assert_eq!(
            value("CARGO_UNSTABLE_BUILD_STD").as_deref(),
            Some("std,panic_abort")
        );
        assert_eq!(
            value("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER").as_deref(),
            Some("/t/rust-lld")
        );
        assert_eq!(route.check_command(), "check");
        assert!(WasmToolchain::Rustup.environment().is_empty());
    }
}
