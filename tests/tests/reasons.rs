//! `curec evaluate --reasons`: a finished run's explanations, measured, and nothing of the run changed.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use curec_tests::{contents, refused, run, run_well, tiny};
use serde_json::Value;

#[test]
fn explanations_are_measured_beside_the_stages() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = out.to_str().unwrap();
    tiny(&out, &["--until", "reward"]);
    let ask = ["evaluate", "--run", path, "--reasons", "--device", "cpu"];
    refused(&ask, 1, &["no finished `correct`", "goes on with the run"]);
    refused(&["evaluate", "--run", path, "--json"], 2, &["--reasons"]);

    tiny(&out, &["--until", "correct"]);
    let before = contents(&out);
    let table = run_well(&ask);
    for words in [
        "all reasons",
        "reasons written anew",
        "ranking model",
        "hallucination rate",
        "cause precision",
        "attention ρ, gain",
        "self-BLEU",
        "along the correction pass",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let printed = run(&[&ask[..], &["--json", "--quiet"]].concat());
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let file = out.join("explanations.json");
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(printed, stored, "the same twice");
    // Six interactions are corrected; each stands in the drift.
    assert_eq!(stored["rewritten"], 6);
    let drift = stored["drift"].as_array().unwrap();
    let events: u64 = drift
        .iter()
        .map(|part| part["events"].as_u64().unwrap())
        .sum();
    assert_eq!(events, 6);
    std::fs::remove_file(&file).unwrap();
    assert!(contents(&out) == before, "something of the run was changed");
}
