//! The whole method on a tiny world: every stage, repeated, killed, with changed futures.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use curec_tests::{contents, curec, run, small_world, tiny, tiny_arguments};

#[test]
fn all_stages_run_and_a_second_run_has_nothing_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &[]);
    for file in [
        "data/stats.json",
        "warmup/model/model.safetensors",
        "pretrain/evaluation.json",
        "generate/reasons.jsonl",
        "reward/model.safetensors",
        "correct/events.jsonl",
        "evaluate/results.json",
        "export/artefact/manifest.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let before = contents(&out);
    let again = tiny(&out, &[]);
    assert_eq!(again.matches("is up to date").count(), 8, "{again}");
    assert_eq!(before, contents(&out));
}

#[test]
fn a_changed_setting_runs_its_stage_and_those_after_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &[]);
    let said = tiny(&out, &["--set", "correct.interactions=4"]);
    assert_eq!(said.matches("is up to date").count(), 5, "{said}");
}

#[test]
fn a_run_killed_at_any_stage_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    tiny(&whole, &[]);
    for stage in ["warmup", "generate", "correct"] {
        let killed = folder.path().join(format!("killed-in-{stage}"));
        let mut child = curec()
            .args(tiny_arguments(&killed))
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let at_work = killed.join(format!(".work-{stage}"));
        while !at_work.exists() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "{stage} was never seen"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!killed.join(stage).exists(), "{stage} had finished");
        tiny(&killed, &[]);
        let (found, expected) = (contents(&killed), contents(&whole));
        let differing: Vec<_> = expected
            .iter()
            .filter(|(path, bytes)| found.get(*path) != Some(bytes))
            .map(|(path, _)| path)
            .collect();
        assert!(differing.is_empty(), "killed in {stage}: {differing:?}");
    }
}

/// METHOD §2: nothing at or after the split point reaches any prompt or feature. The held-out events of all users are
/// dealt anew; tokenizer, language model, patterns, reasons and the reward model must not notice.
#[test]
fn held_out_events_reach_no_text_and_no_trained_model() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, changed] = ["plain", "changed"].map(|name| folder.path().join(name));
    small_world(&plain);
    std::fs::create_dir(&changed).unwrap();
    std::fs::copy(plain.join("items.csv"), changed.join("items.csv")).unwrap();
    let log = std::fs::read_to_string(plain.join("interactions.csv")).unwrap();
    std::fs::write(changed.join("interactions.csv"), rotate_last_items(&log)).unwrap();
    let run_on = |data: &Path, out: &Path| {
        let data = data.to_str().unwrap();
        // Of two epochs the last is kept: validation decides nothing.
        let more = ["--until", "reward", "--set", "reward.epochs=2"];
        tiny(out, &[&["--data", data], &more[..]].concat());
    };
    let [first, second] = ["run-plain", "run-changed"].map(|name| folder.path().join(name));
    run_on(&plain, &first);
    run_on(&changed, &second);
    assert_ne!(
        contents(&first.join("data")),
        contents(&second.join("data")),
        "the test changed nothing"
    );
    for stage in ["warmup", "pretrain", "generate"] {
        assert!(
            contents(&first.join(stage)) == contents(&second.join(stage)),
            "{stage} saw the future"
        );
    }
    let weights = |run: &Path| std::fs::read(run.join("reward/model.safetensors")).unwrap();
    assert!(
        weights(&first) == weights(&second),
        "the reward model was trained on the future"
    );
}

/// The last two events of each user get the items of the next user's last two.
fn rotate_last_items(log: &str) -> String {
    let mut lines: Vec<Vec<String>> = log
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect();
    let mut last: Vec<[usize; 2]> = Vec::new();
    for index in 0..lines.len() {
        let ends = lines
            .get(index + 1)
            .is_none_or(|next| next[0] != lines[index][0]);
        if ends {
            last.push([index - 1, index]);
        }
    }
    let items: Vec<[String; 2]> = last
        .iter()
        .map(|pair| pair.map(|at| lines[at][1].clone()))
        .collect();
    for (user, pair) in last.iter().enumerate() {
        for (at, item) in pair.iter().zip(&items[(user + 1) % items.len()]) {
            lines[*at][1].clone_from(item);
        }
    }
    let rows: Vec<String> = lines.iter().map(|line| line.join(",")).collect();
    format!("user_id,item_id,timestamp\n{}\n", rows.join("\n"))
}

#[test]
fn explain_prints_titles_and_reasons_and_names_an_unknown_user() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    tiny(&out, &[]);
    let users: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("export/artefact/users.json")).unwrap())
            .unwrap();
    let key = users[0]["key"].as_str().unwrap();
    let out = out.to_str().unwrap();
    let json = run(&[
        "explain", "--run", out, "--user", key, "--count", "3", "--json",
    ]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        found["recommendations"].as_array().map(Vec::len),
        Some(3),
        "{found}"
    );
    // The held-out item competes with what was not taken before, as on the page.
    let taken: BTreeSet<u64> = users[0]["history"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["item"].as_u64())
        .filter(|item| Some(*item) != users[0]["held_out"].as_u64())
        .collect();
    let scored = found["scored"].as_u64().unwrap();
    assert!(!taken.is_empty());
    assert_eq!(
        found["held_out"]["of"].as_u64(),
        Some(scored - taken.len() as u64),
        "{found}"
    );
    let wrong = run(&["explain", "--run", out, "--user", "nobody"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("nobody"));
}
