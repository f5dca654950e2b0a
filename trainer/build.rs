//! Tells the program which commit it is built from (`CUREC_COMMIT`): by the time it writes a result, another may be checked out.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is built from, below the workspace's root.
const SOURCES: [&str; 9] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "configs",
    "shared-model/Cargo.toml",
    "shared-model/src",
    "trainer/Cargo.toml",
    "trainer/build.rs",
    "trainer/src",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for path in watched(&root) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    if let Some(commit) = commit(&root) {
        println!("cargo:rustc-env=CUREC_COMMIT={commit}");
    }
}

/// The commit that is checked out, with `-dirty` if a source is not as it is there; none outside a repository.
pub fn commit(root: &Path) -> Option<String> {
    let commit = git(root, &["rev-parse", "--short=12", "HEAD"])?;
    let status = ["status", "--porcelain", "--untracked-files=no", "--"];
    let changed = git(root, &[&status[..], &SOURCES].concat()).is_some();
    Some(if changed {
        format!("{commit}-dirty")
    } else {
        commit
    })
}

/// What has the program built anew. Not the commit itself: each one would cost a build of all, and as long as no source changes the
/// name that was right stays right. Who commits after a build has `-dirty` until a source changes or is touched. Only what exists: cargo
/// takes anything else for changed, every time.
pub fn watched(root: &Path) -> Vec<PathBuf> {
    let sources = SOURCES.into_iter().map(|source| root.join(source));
    sources.filter(|path| path.exists()).collect()
}

/// What git says, if it says something.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        // Of a hook that builds.
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
