//! Where things are: the workspace root, cargo's target folder, the cache of build tools; and cargo with a clean environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The folders every command works with.
pub struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder (honours `CARGO_TARGET_DIR` and cargo's configuration).
    pub target: PathBuf,
    /// What outlives a `cargo clean`: build tools. `CUREC_CACHE`, else `$XDG_CACHE_HOME/curec`, else `~/.cache/curec`.
    pub cache: PathBuf,
}

impl Workspace {
    /// Asks cargo where the workspace and its target folder are.
    pub fn locate() -> Result<Self> {
        // `cargo run` says at run time where this package lies, which stays right when clones share one target folder.
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .current_dir(&package)
            .output()
            .context("cannot start cargo: is Rust installed (https://rustup.rs) and on PATH?")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
        let folder = |field: &str| -> Result<PathBuf> {
            let text = metadata[field]
                .as_str()
                .with_context(|| format!("cargo metadata has no field {field}"))?;
            Ok(PathBuf::from(text))
        };
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            cache: cache_folder()?,
        })
    }

    /// A cargo command in the workspace root.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    /// The `curec` binary of the release profile, once it is built.
    pub fn curec(&self) -> PathBuf {
        self.target.join("release").join("curec")
    }

    /// This program, as the release profile builds it: the running one may have been replaced by then.
    pub fn xtask(&self) -> PathBuf {
        self.target.join("release").join("xtask")
    }

    /// A path as the caller meant it (relative to their current folder), made absolute.
    pub fn absolute(&self, path: &Path) -> Result<PathBuf> {
        std::path::absolute(path).with_context(|| format!("cannot resolve {}", path.display()))
    }

    /// A path for messages: relative to the workspace where it lies inside.
    pub fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// A command that sees the environment the user has, without what `cargo run` adds for the xtask package itself. Some
/// build scripts watch those variables, and would be run again at each change between `cargo xtask` and plain `cargo`.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_set_by_cargo_run) {
            command.env_remove(name);
        }
    }
    command
}

fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn is_set_by_cargo_run(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_BIN_")
        || name == "CARGO_CRATE_NAME"
        || name == "CARGO_PRIMARY_PACKAGE"
        || name == "OUT_DIR"
}

fn cache_folder() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = from("CUREC_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    if let Some(folder) = from("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(folder).join("curec"));
    }
    let home = from("HOME")
        .context("neither CUREC_CACHE nor HOME is set: no place for the build tools")?;
    Ok(PathBuf::from(home).join(".cache").join("curec"))
}

/// Looks a program up in PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// What `program --version` prints, if it runs at all.
pub fn version_line(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_set_by_cargo_run;

    #[test]
    fn the_users_own_variables_stay() {
        for name in [
            "CARGO_TARGET_DIR",
            "CARGO_HOME",
            "CARGO",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!is_set_by_cargo_run(name), "{name}");
        }
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "OUT_DIR"] {
            assert!(is_set_by_cargo_run(name), "{name}");
        }
    }
}
