//! Bad input gets one clear message, an exit code that means something, and no stack trace.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::process::Stdio;

use curec_tests::{curec, refused, tiny};

#[test]
fn a_reader_that_stops_reading_gets_no_stack_trace() {
    let mut command = curec();
    command.args(["data", "world", "--stats"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.is_empty(), "{said}");
    assert!(!output.status.success(), "it wrote into a closed pipe");
}

#[test]
fn wrong_flags_are_exit_code_2() {
    refused(&["run", "--nonsense"], 2, &["--nonsense"]);
    refused(&["run"], 2, &["--out"]);
}

#[test]
fn missing_and_foreign_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    refused(&["data", "stats", nowhere], 1, &["nowhere"]);
    refused(
        &["explain", "--run", path, "--user", "1"],
        1,
        &["run.json", "curec run"],
    );
    refused(&["reward", "--run", nowhere], 1, &["nowhere"]);
    std::fs::write(folder.path().join("thesis.tex"), "mine").unwrap();
    refused(
        &["run", "--preset", "tiny", "--out", path],
        1,
        &["not empty"],
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("thesis.tex")).unwrap(),
        "mine"
    );
}

#[test]
fn settings_that_do_not_exist_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    refused(
        &["run", "--preset", "huge", "--out", out],
        1,
        &["huge", "world, small, medium, tiny"],
    );
    refused(
        &["run", "--set", "warmup.stepz=1", "--out", out],
        1,
        &["stepz"],
    );
}

#[test]
fn a_malformed_line_is_reported_with_file_and_number() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("items.csv"),
        "item_id,title\n1,Heat\n2,Alien\n",
    )
    .unwrap();
    let log = "user_id,item_id,timestamp\n7,1,100\n7,2,yesterday\n";
    std::fs::write(folder.path().join("interactions.csv"), log).unwrap();
    refused(
        &["data", "stats", folder.path().to_str().unwrap()],
        1,
        &["interactions.csv", "3", "yesterday"],
    );
}

#[test]
fn a_damaged_artefact_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = out.to_str().unwrap();
    tiny(&out, &[]);
    let model = out.join("export/artefact/model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    refused(
        &["explain", "--run", path, "--user", "1"],
        1,
        &["model.safetensors"],
    );
}
