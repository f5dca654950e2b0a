//! `curec explain` on runs that left something out: texts, or users.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;

use curec_tests::{run, run_well, tiny};

fn keys(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    text.lines()
        .map(|user| line(user)["key"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_user_who_was_not_exported_is_told_from_one_who_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = out.to_str().unwrap();
    tiny(&out, &["--ids-only", "--set", "export.max_users=3"]);
    let users = keys(&out.join("data/users.jsonl"));
    let all = users.len();

    // Exported users are evenly spaced from the first on: of many, the second is none of three.
    let text = run_well(&["explain", "--run", path, "--user", &users[0]]);
    assert!(text.contains("trained without reasons"), "{text}");
    assert!(text.contains("trained without patterns"), "{text}");
    let explain = ["explain", "--run", path, "--user", &users[1]];
    let refused = run(&explain);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let counts = format!("only 3 of its {all} users were exported");
    assert!(said.contains(&counts), "{said}");
    let nobody = run(&["explain", "--run", path, "--user", "nobody"]);
    let nothing = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(nothing.contains("has no user \"nobody\""), "{nothing}");

    // What it advises does help.
    let advised = said.split('`').nth(1).unwrap();
    let mut words = advised.split(' ');
    assert_eq!(words.next(), Some("curec"), "{said}");
    run_well(&words.collect::<Vec<_>>());
    run_well(&explain);
}
