//! What a run directory does with settings: it keeps those it was made with, refuses what cannot work before anything is
//! computed, and notices what is stale.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;

use curec_tests::{contents, refused, run_well, small_world, tiny};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_ablation_goes_through_all_stages() {
    let folder = tempfile::tempdir().unwrap();
    for flag in [
        "--no-pretrain",
        "--no-correction",
        "--no-update",
        "--shuffled",
        "--no-reasons",
        "--no-patterns",
        "--ids-only",
        "--text-only",
        "--random-texts",
    ] {
        let out = folder.path().join(flag);
        tiny(&out, &[flag]);
        assert!(out.join("export/artefact/manifest.json").exists(), "{flag}");
        let results = std::fs::read_to_string(out.join("evaluate/results.txt")).unwrap();
        let sees_texts = flag != "--ids-only";
        assert_eq!(
            results.contains("random texts"),
            sees_texts,
            "{flag}: {results}"
        );
    }
}

#[test]
fn flags_on_an_existing_run_are_laid_over_its_settings_and_other_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [data, out] = ["log", "run"].map(|name| folder.path().join(name));
    small_world(&data);
    tiny(&out, &["--data", text(&data), "--until", "data"]);
    let before = contents(&out.join("data"));
    run_well(&[
        "run",
        "--out",
        text(&out),
        "--no-reasons",
        "--until",
        "data",
    ]);
    assert!(
        contents(&out.join("data")) == before,
        "the run's data was replaced"
    );
    let stored = std::fs::read_to_string(out.join("run.toml")).unwrap();
    assert!(
        stored.contains("use_reasons = false") && stored.contains("/log\""),
        "{stored}"
    );
    for more in [&["--preset", "tiny"][..], &["--data", text(folder.path())]] {
        let mut arguments = vec!["run", "--out", text(&out)];
        arguments.extend(more);
        refused(
            &arguments,
            1,
            &["holds a run on", "/log", "another directory"],
        );
    }
    assert!(contents(&out.join("data")) == before);
}

#[test]
fn a_log_that_is_touched_or_moved_is_the_same_log() {
    let folder = tempfile::tempdir().unwrap();
    let [data, moved, out] = ["log", "moved", "run"].map(|name| folder.path().join(name));
    small_world(&data);
    tiny(&out, &["--data", text(&data), "--until", "generate"]);
    let stages = ["data", "warmup", "pretrain", "generate"];
    // Its seconds are of one execution alone.
    let record = |stage| std::fs::read_to_string(out.join(stage).join("stage.json")).unwrap();
    let held = || stages.map(record);
    let before = held();
    for entry in std::fs::read_dir(&data).unwrap() {
        let file = std::fs::File::options()
            .append(true)
            .open(entry.unwrap().path());
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        file.unwrap().set_modified(then).unwrap();
    }
    run_well(&["run", "--out", text(&out), "--until", "generate"]);
    assert!(held() == before, "a touched file made a stage stale");
    std::fs::rename(&data, &moved).unwrap();
    let again = ["run", "--out", text(&out), "--data", text(&moved)];
    run_well(&[&again[..], &["--until", "generate"]].concat());
    assert!(held() == before, "a moved folder made a stage stale");
    let stored = std::fs::read_to_string(out.join("run.toml")).unwrap();
    assert!(stored.contains("/moved\""), "{stored}");
    // A note beside the log has the log read again, and nothing more.
    std::fs::write(moved.join("notes.txt"), "a note").unwrap();
    run_well(&["run", "--out", text(&out), "--until", "generate"]);
    let now = held();
    assert!(now[0] != before[0], "the folder's files are not looked at");
    assert!(now[1..] == before[1..], "the same data made a stage stale");
}

#[test]
fn what_cannot_work_is_refused_before_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &["--until", "data"]);
    let stored = || std::fs::read(out.join("run.toml")).unwrap();
    let before = stored();
    let bad = ["run", "--out", text(&out), "--set", "reward.epochs=0"];
    refused(&bad, 1, &["[reward]", "`epochs` is 0"]);
    let bad = ["run", "--out", text(&out), "--set", "llm.heads=5"];
    refused(&bad, 1, &["`llm.heads` (5)"]);
    let bad = ["reward", "--run", text(&out)];
    refused(&bad, 1, &["has no finished `warmup` stage"]);
    assert_eq!(stored(), before);
    tiny(&out, &["--until", "pretrain"]);
    let bad = ["reward", "--run", text(&out), "--set", "reward.epochs=2"];
    refused(&bad, 1, &["has no finished `generate` stage"]);
    assert_eq!(
        stored(),
        before,
        "a stage that could not run left its settings"
    );
    let nowhere = folder.path().join("nowhere");
    refused(
        &["run", "--out", text(&nowhere), "--resume"],
        1,
        &["not a run directory"],
    );
    assert!(!nowhere.exists());
    let fresh = folder.path().join("fresh");
    let bad = [
        "run",
        "--out",
        text(&fresh),
        "--model",
        text(&nowhere),
        "--until",
        "warmup",
        "--preset",
        "tiny",
    ];
    refused(&bad, 1, &["config.json"]);
}

#[test]
fn a_single_stage_refuses_inputs_of_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &[]);
    let exported = contents(&out.join("export"));
    refused(
        &["export", "--run", text(&out), "--seed", "99"],
        1,
        &["`data`", "curec run --out"],
    );
    refused(
        &["export", "--run", text(&out), "--text-only"],
        1,
        &["`reward`", "curec run --out"],
    );
    assert!(contents(&out.join("export")) == exported);
    run_well(&["export", "--run", text(&out), "--set", "export.max_users=3"]);
    assert!(contents(&out.join("export")) != exported);
    run_well(&["warmup", "--run", text(&out), "--set", "warmup.steps=3"]);
    refused(
        &["evaluate", "--run", text(&out)],
        1,
        &["`pretrain`", "curec run --out"],
    );
}
