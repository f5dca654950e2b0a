//! kill -9 at random moments of the stages that train or write with the language model: the run goes on to the same bytes.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::path::Path;
use std::time::{Duration, Instant};

use curec_tests::{contents, curec, tiny, tiny_arguments};
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
fn run_with_kills(
    out: &Path,
    more: &[&str],
    whole: Duration,
    kills: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<String> {
    let mut hit = Vec::new();
    let said = out.with_extension("stderr");
    for _ in 0..kills {
        let mut child = curec()
            .args(tiny_arguments(out))
            .args(SETTINGS)
            .args(more)
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let share = rng.random_range(0.05..0.45);
        let start = Instant::now();
        while start.elapsed() < whole.mul_f64(share) {
            if let Some(status) = child.try_wait().unwrap() {
                let said = std::fs::read_to_string(&said).unwrap();
                assert!(status.success(), "killed in {hit:?}, then: {said}");
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
        .args(more)
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    hit
}

/// Kills runs with these settings until each of the stages has been hit, and insists on the bytes of a run that was not.
fn killed_runs_end_alike(more: &[&str], stages: &[&str], seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // A checkpoint after every step; and rare ones, so that logs are far ahead of them.
    let rare = [more, &["--set", "run.checkpoint_seconds=0.15"]].concat();
    let start = Instant::now();
    let kinds = [more.to_vec(), rare].map(|more| {
        let whole = folder.path().join(format!("whole-{}", more.len()));
        run_with_kills(&whole, &more, Duration::ZERO, 0, &mut rng);
        (contents(&whole), more)
    });
    let seconds = start.elapsed() / 2;
    let mut hit = Vec::new();
    for round in 0..12 {
        if round >= 2
            && stages
                .iter()
                .all(|stage| hit.iter().any(|one| one == stage))
        {
            eprintln!("killed in {hit:?}");
            return;
        }
        let (expected, more) = &kinds[round % 2];
        let killed = folder.path().join(format!("killed-{round}"));
        hit.extend(run_with_kills(&killed, more, seconds, 8, &mut rng));
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
    panic!("not all of {stages:?} were hit: {hit:?}");
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_same_bytes() {
    killed_runs_end_alike(&[], &["warmup", "pretrain", "correct"], 3);
}

/// The same with a checkpoint, adapters, several steps on each batch and a KL penalty.
#[test]
fn so_does_a_run_that_trains_adapters() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), &["--until", "warmup"]);
    let model = folder.path().join("warmup").join("model");
    let more = [
        "--model",
        model.to_str().unwrap(),
        "--set",
        "llm.lora_rank=4",
        "--set",
        "pretrain.grpo.loss.beta=0.04",
        "--set",
        "pretrain.grpo.iterations=2",
    ];
    killed_runs_end_alike(&more, &["pretrain", "correct"], 5);
}
