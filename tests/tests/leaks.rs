//! What a run learns and writes does not depend on what is held out: the held-out events happen to other items, and everything up
//! to the corrected texts and the language model comes out with the same bytes, under both protocols.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use curec_tests::{contents, small_world, tiny};
use serde_json::Value;

/// `(user, item, time)` as text, in the file's order: by user, then time.
fn rows(folder: &Path) -> (String, Vec<[String; 3]>) {
    let text = std::fs::read_to_string(folder.join("interactions.csv")).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let header = lines.next().unwrap();
    let row = |line: String| {
        let values: Vec<String> = line.split(',').map(str::to_owned).collect();
        values.try_into().unwrap()
    };
    (header, lines.map(row).collect())
}

/// A copy of the log in which the held-out events' items have moved on by one event: every item is taken as often as before.
fn other_future(log: &Path, out: &Path, held_out: &[usize]) {
    std::fs::create_dir(out).unwrap();
    std::fs::copy(log.join("items.csv"), out.join("items.csv")).unwrap();
    let (header, rows) = rows(log);
    let mut changed = rows.clone();
    for (place, &row) in held_out.iter().enumerate() {
        let from = held_out[(place + 1) % held_out.len()];
        changed[row][1].clone_from(&rows[from][1]);
    }
    let lines: Vec<String> = changed.iter().map(|row| row.join(",")).collect();
    let text = format!("{header}\n{}\n", lines.join("\n"));
    std::fs::write(out.join("interactions.csv"), text).unwrap();
}

/// Rows at a place of each person's history that `wanted` accepts, given its number of training events.
fn held_out(run: &Path, rows: &[[String; 3]]) -> Vec<usize> {
    let lines = |name: &str| std::fs::read_to_string(run.join("data").join(name)).unwrap();
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let keys = lines("users.jsonl");
    let keys = keys
        .lines()
        .map(|line| value(line)["key"].as_str().unwrap().to_owned());
    let histories = lines("histories.jsonl");
    let trains = histories
        .lines()
        .map(|line| value(line)["train"].as_u64().unwrap());
    let train: BTreeMap<String, u64> = keys.zip(trains).collect();
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, [user, _, _]) in rows.iter().enumerate() {
        let place = seen.entry(user).or_default();
        if train.get(user).is_some_and(|train| *place >= *train) {
            found.push(index);
        }
        *place += 1;
    }
    found
}

/// The bytes of a run's texts and trained models; the preset keeps each training's last epoch, so that validation chooses nothing.
fn written(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for stage in ["warmup", "pretrain", "generate", "reward", "correct"] {
        for (path, bytes) in contents(&run.join(stage)) {
            found.insert(Path::new(stage).join(path), bytes);
        }
    }
    found
}

#[test]
fn held_out_events_change_nothing_that_is_learnt_or_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    small_world(&log);
    for split in ["leave-one-out", "temporal"] {
        let set = format!("data.split={split}");
        let more = [
            "--set",
            set.as_str(),
            "--set",
            "data.min_history=1",
            "--until",
            "correct",
        ];
        let [first, second, other] =
            ["a", "b", "log"].map(|name| folder.path().join(format!("{name}-{split}")));
        tiny(
            &first,
            &[&["--data", log.to_str().unwrap()], &more[..]].concat(),
        );
        let (_, rows) = rows(&log);
        let held_out = held_out(&first, &rows);
        assert!(held_out.len() >= 40, "{split}: {} events", held_out.len());
        other_future(&log, &other, &held_out);
        tiny(
            &second,
            &[&["--data", other.to_str().unwrap()], &more[..]].concat(),
        );
        let data = |run: &Path| std::fs::read(run.join("data/histories.jsonl")).unwrap();
        assert_ne!(data(&first), data(&second), "{split}: the futures differ");
        let (one, two) = (written(&first), written(&second));
        assert!(one.keys().eq(two.keys()), "{split}");
        for (path, bytes) in &one {
            assert!(
                *bytes == two[path],
                "{split}: {} knows of the future",
                path.display()
            );
        }
        assert!(
            one.contains_key(Path::new("correct/events.jsonl")),
            "{split}"
        );
    }
}
