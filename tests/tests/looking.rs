//! Commands that look at a run and change nothing of it.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use curec_tests::{contents, refused, run_well, tiny};

#[test]
fn a_dry_run_says_what_the_alignment_takes_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &["--until", "data"]);
    let path = out.to_str().unwrap();
    refused(
        &["pretrain", "--run", path, "--dry-run"],
        1,
        &["no finished `warmup`", "--until warmup"],
    );
    tiny(&out, &["--until", "warmup"]);
    let before = contents(&out);
    let said = run_well(&["pretrain", "--run", path, "--dry-run"]);
    // The preset's two prompts of four completions, two steps.
    for words in [
        "2 blocks; trains all weights",
        "2 prompts of",
        "× 4 completions of up to 24 tokens",
        "for 2 steps",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(
        said.contains("s a step") && said.contains("GiB at most"),
        "{said}"
    );
    assert_eq!(contents(&out), before);
    refused(
        &["pretrain", "--run", path, "--dry-run", "--no-pretrain"],
        1,
        &["pretrain.steps is 0"],
    );
}

#[test]
fn a_report_of_a_run_stands_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &["--until", "pretrain"]);
    run_well(&["report", "--run", out.to_str().unwrap()]);
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    for words in [
        "Training: warmup",
        "Training: pretrain",
        "Samples of the first",
        "checkpoint_seconds",
        "curec evaluate --run",
    ] {
        assert!(html.contains(words), "{words}");
    }
    refused(
        &["report", "--run", folder.path().to_str().unwrap()],
        1,
        &["run.json"],
    );
}

#[test]
fn a_run_is_watched_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &["--until", "pretrain"]);
    let path = out.to_str().unwrap();
    let before = contents(&out);
    let said = run_well(&["watch", "--run", path]);
    // The preset's numbers of steps.
    for words in [
        "  data      done in",
        "12 steps",
        "  pretrain  done in",
        "2 steps",
        "  generate  waiting",
        "rewards/legal/mean",
        "tokens_per_second",
        "The loss of GRPO is near 0",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    assert!(run_well(&["watch", "--once", "--run", path]).contains("12 steps"));
    assert_eq!(contents(&out), before);
    let none = folder.path().to_str().unwrap();
    refused(
        &["watch", "--run", none],
        1,
        &["is not a run directory (no run.json)", "curec run --out"],
    );
}
