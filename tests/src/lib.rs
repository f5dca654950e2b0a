//! Helpers of the integration tests: the `curec` binary in temporary folders.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test: `CUREC_BIN`, or the one built beside this test.
pub fn curec() -> Command {
    Command::new(binary())
}

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CUREC_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join("curec");
    assert!(
        path.exists(),
        "{} is missing: cargo build --release -p curec",
        path.display()
    );
    path
}

/// Runs `curec` with arguments.
pub fn run(arguments: &[&str]) -> Output {
    curec().args(arguments).output().unwrap()
}

/// Runs `curec` and insists on success.
pub fn run_well(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "curec {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &error
}

/// Runs `curec` and insists that it fails with this exit code, says these words, and shows no stack trace.
pub fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "curec {arguments:?}: {said}"
    );
    for word in words {
        assert!(
            said.contains(word),
            "curec {arguments:?} does not say \"{word}\": {said}"
        );
    }
    assert!(
        !said.contains("panicked") && !said.contains("stack backtrace"),
        "{said}"
    );
}

/// The smallest preset, all stages.
pub fn tiny_arguments(out: &Path) -> [&str; 7] {
    let out = out.to_str().unwrap();
    ["run", "--preset", "tiny", "--device", "cpu", "--out", out]
}

/// Runs it, with more arguments.
pub fn tiny(out: &Path, more: &[&str]) -> String {
    run_well(&[&tiny_arguments(out)[..], more].concat())
}

/// Writes a small world as plain files.
pub fn small_world(out: &Path) {
    let out = out.to_str().unwrap();
    run_well(&[
        "data",
        "world",
        "--works",
        "320",
        "--viewers",
        "40",
        "--out",
        out,
    ]);
}

/// The bytes of every file below a folder that decides a result: records of time and memory are left out.
pub fn contents(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(here) = open.pop() {
        for entry in std::fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let timed = name == "stage.json"
                || name.ends_with("report.json")
                || name == "timing.jsonl"
                || name.contains("tfevents")
                || is_reward_log(&path);
            if path.is_dir() {
                open.push(path);
            } else if !timed {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

/// Logs of reward training name the seconds of each epoch.
fn is_reward_log(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    ["identities.jsonl", "model.jsonl", "ids-only.jsonl"].contains(&&*name)
}
