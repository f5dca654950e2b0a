//! kill -9 at random moments of the stages that train or write with the language model: the run goes on to the same bytes.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;
use std::time::{Duration, Instant};

use curec_tests::{contents, curec, tiny_arguments};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A few seconds of every stage, a checkpoint after every step.
const SETTINGS: [&str; 8] = [
    "--set",
    "run.checkpoint_seconds=0.0",
    "--set",
    "warmup.steps=40",
    "--set",
    "pretrain.steps=12",
    "--set",
    "correct.interactions=24",
];

/// Kills the run `kills` times after random delays, then lets it finish. Returns how often each stage was hit.
fn run_with_kills(out: &Path, whole: Duration, kills: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut hit = Vec::new();
    for _ in 0..kills {
        let mut child = curec()
            .args(tiny_arguments(out))
            .args(SETTINGS)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let share = rng.random_range(0.05..0.45);
        let start = Instant::now();
        while start.elapsed() < whole.mul_f64(share) {
            if child.try_wait().unwrap().is_some() {
                return hit;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let stages = std::fs::read_dir(out).into_iter().flatten();
        let names = stages.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        hit.extend(names.filter_map(|name| Some(name.strip_prefix(".work-")?.to_owned())));
    }
    let status = curec()
        .args(tiny_arguments(out))
        .args(SETTINGS)
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    hit
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let start = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    run_with_kills(&whole, Duration::ZERO, 0, &mut rng);
    let seconds = start.elapsed();
    let expected = contents(&whole);
    let mut hit = Vec::new();
    for round in 0..4 {
        let killed = folder.path().join(format!("killed-{round}"));
        hit.extend(run_with_kills(&killed, seconds, 8, &mut rng));
        let found = contents(&killed);
        let differing: Vec<_> = expected
            .iter()
            .filter(|(path, bytes)| found.get(*path) != Some(bytes))
            .map(|(path, _)| path)
            .collect();
        assert!(
            differing.is_empty(),
            "round {round}, killed in {hit:?}: {differing:?}"
        );
        let more: Vec<_> = found
            .keys()
            .filter(|path| !expected.contains_key(*path))
            .collect();
        assert!(more.is_empty(), "left behind: {more:?}");
    }
    eprintln!("killed in {hit:?}");
    assert!(hit.len() > 6, "hardly ever killed at work: {hit:?}");
}
