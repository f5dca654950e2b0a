//! `curec check` and `curec study` on a small run: every check gives a verdict, none changes the run.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;

use curec_tests::{contents, refused, run, run_well, tiny};
use serde_json::{Value, json};

/// Standard output alone, as JSON.
fn verdict(arguments: &[&str]) -> Value {
    let output = run(&[&["check"], arguments, &["--json", "--quiet"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number<'v>(verdict: &'v Value, group: &str, name: &str) -> &'v Value {
    let numbers = verdict["numbers"].as_array().unwrap().iter();
    let mut found = numbers.filter(|one| one["group"] == group && one["name"] == name);
    found
        .next()
        .unwrap_or_else(|| panic!("no {group}, {name}: {verdict:#}"))
}

/// Users behind the numbers of a check that says so in the first of them.
fn number_of_users(verdict: &Value) -> Option<u64> {
    match verdict["check"].as_str()? {
        "reward" => number(verdict, "real texts", "NDCG@10")["n"].as_u64(),
        "cold-start" => {
            let group = "everybody with their last 3 events";
            number(verdict, group, "ndcg@10: ids only")["n"].as_u64()
        }
        "drift" => number(verdict, "whole pass", "validation NDCG@10 before")["n"].as_u64(),
        _ => None,
    }
}

#[test]
fn every_check_gives_a_verdict_and_leaves_the_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // A sample of the users: checks rank the same ones.
    let sampled = ["--set", "evaluate.max_users=36"];
    tiny(&out, &[&["--until", "evaluate"][..], &sampled].concat());
    let path = out.to_str().unwrap();
    let before = contents(&out);
    for check in ["pretrain", "reward", "attention", "cold-start", "drift"] {
        let found = verdict(&[check, "--run", path]);
        assert_eq!(found["check"], check);
        let outcome = found["outcome"].as_str().unwrap();
        assert!(["pass", "fail", "not_decidable"].contains(&outcome));
        assert!(
            !found["conditions"].as_array().unwrap().is_empty(),
            "{found:#}"
        );
        let ranked = number_of_users(&found);
        assert!(ranked.is_none_or(|users| users == 36), "{found:#}");
        let said = run_well(&["check", check, "--run", path]);
        assert!(said.contains(found["sentence"].as_str().unwrap()), "{said}");
    }
    // Eight questions about six people: nothing can be decided, and only --strict makes that an error.
    refused(
        &["check", "pretrain", "--run", path, "--strict"],
        1,
        &["check pretrain: not decidable"],
    );
    assert_eq!(contents(&out), before);
    drift_begins_and_ends_where_the_run_does(&out, path);
    sparse_text_goes_on_where_it_stopped(folder.path(), path);
    ratings_of_a_study_are_analysed(folder.path(), path);
    assert_eq!(contents(&out), before);
    refused(
        &["check", "drift", "--run", folder.path().to_str().unwrap()],
        1,
        &["run.json"],
    );
}

/// The six events of the preset, one part each.
fn drift_begins_and_ends_where_the_run_does(out: &Path, path: &str) {
    let found = verdict(&["drift", "--run", path]);
    assert_eq!(number(&found, "part 6", "score − baseline")["n"], 1);
    // A log that tells of another end than the run has is refused.
    let log = out.join("correct/events.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let mut events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    events.last_mut().unwrap()["reason"][1] = json!("something else");
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    std::fs::write(&log, lines.join("\n") + "\n").unwrap();
    refused(
        &["check", "drift", "--run", path],
        1,
        &["does not lead from", "run the stage `correct` again"],
    );
    std::fs::write(&log, text).unwrap();
}

fn sparse_text_goes_on_where_it_stopped(folder: &Path, path: &str) {
    let work = folder.join("sparse");
    let arguments = [
        "sparse-text",
        "--run",
        path,
        "--work",
        work.to_str().unwrap(),
    ];
    let found = verdict(&arguments);
    let written = contents(&work);
    for name in ["masked", "generic"] {
        let settings = std::fs::read_to_string(work.join(name).join("run.toml")).unwrap();
        assert!(
            settings.contains(&format!("item_text = \"{name}\"")),
            "{settings}"
        );
        // Shared up to the alignment, written anew from there.
        let text = |folder: &Path, file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        let (run, variant) = (folder.join("run"), work.join(name));
        assert_eq!(
            text(&run, "pretrain/llm.json"),
            text(&variant, "pretrain/llm.json")
        );
        assert_ne!(
            text(&run, "generate/reasons.jsonl"),
            text(&variant, "generate/reasons.jsonl")
        );
    }
    // Everything is there: the second call trains nothing and says the same.
    assert_eq!(verdict(&arguments), found);
    assert_eq!(contents(&work), written);
    let masked = work.join("masked");
    refused(
        &["check", "sparse-text", "--run", masked.to_str().unwrap()],
        1,
        &["item_text = Masked"],
    );
}

/// Ratings are made up here, for the test alone: three people who prefer the reason of every pair.
fn ratings_of_a_study_are_analysed(folder: &Path, path: &str) {
    let page = folder.join("study.html");
    let study = [
        "study",
        "--run",
        path,
        "--out",
        page.to_str().unwrap(),
        "--pairs",
        "12",
    ];
    let said = run_well(&study);
    let key_path = folder.join("study.key.json");
    let command = format!("--key {}`", key_path.display());
    assert!(said.contains(&command), "{said}");
    let key: Value = serde_json::from_slice(&std::fs::read(&key_path).unwrap()).unwrap();
    let html = std::fs::read_to_string(&page).unwrap();
    let id = key["study"].as_str().unwrap();
    assert!(html.contains(id) && !html.contains("popularity") && !html.contains("metadata"));
    let rating = |pair: &Value| {
        let conditions = pair["conditions"].as_object().unwrap();
        let of = |reason: bool| {
            conditions
                .iter()
                .find(|one| (one.1 == "reason") == reason)
                .unwrap()
                .0
        };
        let (reason, other) = (of(true), of(false));
        json!({
            "pair": pair["pair"], "place": 0, "left": reason, "right": other, "preferred": reason,
            "scores": {reason: {"relevance": 5, "coherence": 4}, other: {"relevance": 2, "coherence": null}},
            "shown": "", "answered": "",
        })
    };
    let ratings: Vec<Value> = key["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .map(rating)
        .collect();
    let mut files = Vec::new();
    for rater in ["anna", "ben", "chi"] {
        let sheet = json!({
            "format": "curec-study-ratings", "version": 1, "study": id, "rater": rater, "started": "", "exported": "",
            "ratings": ratings,
        });
        let file = folder.join(format!("{rater}.json"));
        std::fs::write(&file, sheet.to_string()).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    let key_path = key_path.to_str().unwrap();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let found = verdict(&[&["study"], &files[..], &["--key", key_path]].concat());
    assert_eq!(found["conditions"][0]["value"]["mean"], 1.0);
    assert_eq!(found["conditions"][1]["value"]["mean"], 3.0);
    // Three ratings each of twelve pairs are twelve pairs, half of them with either baseline; and nobody scored the coherence of one.
    assert_eq!(found["conditions"].as_array().unwrap().len(), 6);
    assert_eq!(found["conditions"][0]["n"], 6);
    assert_eq!(found["outcome"], "not_decidable", "{found:#}");
    let twice = [
        &["check", "study", files[0]],
        &files[..],
        &["--key", key_path],
    ]
    .concat();
    refused(&twice, 1, &["anna", "already"]);
    // The same page again is the same study; with another seed it is another, and its ratings are not mixed up.
    run_well(&study);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), html);
    refused(
        &[&study[..], &["--seed", "2"]].concat(),
        1,
        &["study.key.json", "key of another study", "--out"],
    );
    std::fs::remove_file(key_path).unwrap();
    run_well(&[&study[..], &["--seed", "2"]].concat());
    refused(
        &["check", "study", files[0], "--key", key_path],
        1,
        &[id, "beside the page"],
    );
}

#[test]
fn two_runs_that_differ_in_the_order_alone_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    tiny(&one, &["--until", "evaluate"]);
    tiny(&other, &["--until", "evaluate", "--shuffled"]);
    let (one, other) = (one.to_str().unwrap(), other.to_str().unwrap());
    let found = verdict(&["chronology", one, other]);
    assert_eq!(found["conditions"][0]["n"], 40, "{found:#}");
    refused(
        &["check", "chronology", other, one],
        1,
        &["correct.shuffled = true", "first"],
    );
    refused(&["check", "chronology", one, one], 1, &["--shuffled"]);
}
