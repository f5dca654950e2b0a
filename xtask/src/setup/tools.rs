//! Build tools from crates.io: trunk and wasm-bindgen, installed into the cache once, in exactly the versions that fit.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::lockfile;
use crate::step;
use crate::workspace::{Workspace, on_path, version_line};

/// The last trunk that Rust 1.95 can build (0.22 asks for 1.96).
const TRUNK_VERSION: &str = "0.21.14";

/// A program that `cargo install` provides.
struct Tool {
    package: &'static str,
    binary: &'static str,
    version: String,
    /// Optimisation level. trunk only starts others and can stay unoptimised, which builds in a third of the time;
    /// wasm-bindgen parses and rewrites tens of megabytes at each build of the page.
    opt_level: &'static str,
    why: &'static str,
}

fn tools(workspace: &Workspace) -> Result<[Tool; 2]> {
    let path = workspace.root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok([
        Tool {
            package: "wasm-bindgen-cli",
            binary: "wasm-bindgen",
            version: lockfile::locked_version(&lock, "wasm-bindgen")?,
            opt_level: "1",
            why: "it joins the WebAssembly with the page and must match Cargo.lock exactly (about 3 minutes, once)",
        },
        Tool {
            package: "trunk",
            binary: "trunk",
            version: TRUNK_VERSION.to_owned(),
            opt_level: "0",
            why: "it builds the page (about 5 minutes, once)",
        },
    ])
}

/// Where the installed programs are.
pub struct Bin {
    /// The page builder.
    pub trunk: PathBuf,
    /// What trunk calls; trunk looks for it on PATH.
    pub wasm_bindgen: PathBuf,
}

/// Finds the programs in the cache or on PATH, or installs them into the cache.
pub fn ensure(workspace: &Workspace) -> Result<Bin> {
    let [wasm_bindgen, trunk] = tools(workspace)?;
    Ok(Bin {
        wasm_bindgen: ensure_one(workspace, &wasm_bindgen)?,
        trunk: ensure_one(workspace, &trunk)?,
    })
}

fn ensure_one(workspace: &Workspace, tool: &Tool) -> Result<PathBuf> {
    let home = workspace.cache.join("tools");
    let installed = home.join("bin").join(tool.binary);
    let found = std::iter::once(installed.clone())
        .chain(on_path(tool.binary))
        .find(|file| has_version(file, &tool.version));
    if let Some(file) = found {
        return Ok(file);
    }
    println!(
        "   installing {} {}: {}",
        tool.package, tool.version, tool.why
    );
    std::fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    let name = format!("cargo install {}", tool.package);
    // The versions its authors tested, if the registry at hand has them all; else what fits this compiler.
    if let Err(error) = step::run(&name, install(workspace, tool, &home).arg("--locked")) {
        println!("   {error:#}\n   trying again with other versions of its dependencies");
        step::run(&name, &mut install(workspace, tool, &home))?;
    }
    // Over a gigabyte that only an interrupted installation would need again.
    let _ = std::fs::remove_dir_all(home.join("target"));
    Ok(installed)
}

fn install(workspace: &Workspace, tool: &Tool, home: &Path) -> Command {
    let mut command = workspace.cargo();
    // Neither tool is to fetch anything itself, so their TLS stacks stay out: half the crates, and no C code but one codec.
    command
        .args(["install", tool.package, "--version", &tool.version])
        .args(["--debug", "--no-default-features"])
        .args(["--bin", tool.binary, "--force", "--root"])
        .arg(home)
        .current_dir(home)
        .env("CARGO_TARGET_DIR", home.join("target"))
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", tool.opt_level)
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
    command
}

fn has_version(file: &Path, version: &str) -> bool {
    file.is_file() && version_line(file).is_some_and(|line| names_version(&line, version))
}

/// Whether a line such as `trunk 0.21.14` or `wasm-bindgen 0.2.130 (abc123)` names exactly this version.
fn names_version(line: &str, version: &str) -> bool {
    line.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::names_version;

    #[test]
    fn only_the_exact_version_counts() {
        assert!(names_version("trunk 0.21.14", "0.21.14"));
        assert!(names_version("wasm-bindgen 0.2.130 (1a2b3c)", "0.2.130"));
        assert!(!names_version("wasm-bindgen 0.2.13", "0.2.130"));
        assert!(!names_version("wasm-bindgen 0.2.1301", "0.2.130"));
        assert!(!names_version("", "0.2.130"));
    }
}
