//! `curec ablate` at toy size: stages are shared, a killed one goes on, rows are what their flags give.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use curec_tests::{contents, curec, refused, run_well, tiny};
use serde_json::Value;

const ROWS: &str = "no-correction,shuffled,no-reasons,ids-only,random-texts-retrained,swapped-reasons,no-history,popularity";
/// Those with a run of their own.
const RUNS: [&str; 4] = ["full", "shuffled", "no-reasons", "random-texts-retrained"];
const STAGES: [&str; 7] = [
    "data", "warmup", "pretrain", "generate", "reward", "correct", "evaluate",
];

fn arguments(out: &Path) -> [&str; 11] {
    let out = out.to_str().unwrap();
    [
        "ablate", "--preset", "tiny", "--device", "cpu", "--seeds", "1,2", "--only", ROWS, "--out",
        out,
    ]
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The table without what it took.
fn table(out: &Path) -> Value {
    let mut table = json(&out.join("ablation.json"));
    table.as_object_mut().unwrap().remove("cost").unwrap();
    table
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

/// The stages that are the same files in both runs.
fn shared(one: &Path, other: &Path) -> Vec<&'static str> {
    let same = |stage: &&str| {
        let record = |run: &Path| inode(&run.join(stage).join("stage.json"));
        record(one) == record(other)
    };
    STAGES.into_iter().filter(same).collect()
}

#[test]
fn stages_are_shared_and_a_killed_ablation_goes_on_to_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run_well(&arguments(&whole));

    for seed in ["seed-1", "seed-2"] {
        let run = |row: &str| whole.join(seed).join(row);
        let with_full = |row: &str| shared(&run("full"), &run(row));
        assert_eq!(with_full("shuffled"), STAGES[..5]);
        assert_eq!(with_full("no-reasons"), STAGES[..4]);
        assert_eq!(with_full("random-texts-retrained"), STAGES[..4]);
        let weights = |row: &str| inode(&run(row).join("warmup/model/model.safetensors"));
        assert_eq!(weights("full"), weights("no-reasons"));
        // No fingerprint was computed twice.
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for row in RUNS {
            for stage in STAGES {
                let record = run(row).join(stage).join("stage.json");
                let name = json(&record)["fingerprint"].as_str().unwrap().to_owned();
                let place = inode(&record);
                assert_eq!(*found.entry(name).or_insert(place), place, "{row}: {stage}");
            }
        }
    }
    assert!(shared(&whole.join("seed-1/full"), &whole.join("seed-2/full")).is_empty());

    let killed = folder.path().join("killed");
    for at in [
        "seed-1/full/.work-generate",
        "seed-1/no-reasons/.work-correct",
        "seed-2/shuffled/.work-correct",
    ] {
        let mut child = curec()
            .args(arguments(&killed))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !killed.join(at).exists() {
            assert!(child.try_wait().unwrap().is_none(), "{at} was never seen");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Its settings are stored: the folder is enough.
    let out = killed.to_str().unwrap();
    run_well(&[
        "ablate", "--out", out, "--device", "cpu", "--seeds", "1,2", "--only", ROWS,
    ]);
    assert_eq!(table(&killed), table(&whole));
    let rows = table(&whole)["rows"].as_array().unwrap().len();
    assert_eq!(rows, 1 + ROWS.split(',').count());

    // Once more: nothing is done, and fewer rows are corrected over fewer.
    let before = std::fs::read(killed.join("ablation.json")).unwrap();
    let said = run_well(&arguments(&killed));
    assert!(!said.contains("done in"), "{said}");
    assert_eq!(std::fs::read(killed.join("ablation.json")).unwrap(), before);
    let printed = run_well(&[
        "ablate",
        "--out",
        out,
        "--seeds",
        "2",
        "--only",
        "popularity",
        "--json",
        "--quiet",
    ]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let test = &printed["rows"][1]["test"];
    assert_eq!(
        (&printed["seeds"], &test["p"]),
        (&serde_json::json!([2]), &test["p_holm"])
    );
}

#[test]
fn seeds_run_on_two_machines_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let only = ["--only", "ids-only,no-history", "--device", "cpu"];
    let ablate = |out: &Path, more: &[&str]| {
        let mut all = vec!["ablate", "--out", out.to_str().unwrap()];
        all.extend(only.iter().chain(more));
        run_well(&all)
    };
    ablate(&path("whole"), &["--preset", "tiny", "--seeds", "1,2"]);
    ablate(&path("other"), &["--preset", "tiny", "--seeds", "2"]);
    // What is carried to another machine: settings and ranks.
    let carried = path("carried");
    std::fs::create_dir_all(carried.join("seed-2")).unwrap();
    for file in ["ablate.toml", "seed-2/ranks.json"] {
        std::fs::copy(path("other").join(file), carried.join(file)).unwrap();
    }
    let carried = carried.to_str().unwrap();
    // It also says which settings are meant.
    let said = ablate(&path("here"), &["--join", carried, "--seeds", "1,2"]);
    assert!(said.contains("seed 2 is that of"), "{said}");
    assert!(!path("here").join("seed-2").exists());
    assert_eq!(table(&path("here")), table(&path("whole")));

    let refuse = |out: &str, more: &[&str], part: &str| {
        let out = path(out);
        let mut all = vec!["ablate", "--out", out.to_str().unwrap(), "--join", carried];
        all.extend(more);
        refused(&all, 1, &[part]);
    };
    refuse(
        "a",
        &["--preset", "tiny", "--set", "reward.epochs=9"],
        "other settings",
    );
    refuse(
        "b",
        &["--seeds", "2", "--only", "shuffled"],
        "no row `shuffled`",
    );
    // Rows may be added to, and are not lost by a call that names fewer.
    let here = path("here");
    let here = here.to_str().unwrap();
    run_well(&[
        "ablate",
        "--out",
        here,
        "--device",
        "cpu",
        "--seeds",
        "1",
        "--only",
        "popularity",
    ]);
    let kept = json(&path("here").join("seed-1/ranks.json"));
    assert!(kept["ranks"]["no-history"].is_array() && kept["ranks"]["popularity"].is_array());
    refused(
        &["ablate", "--out", here, "--join", here],
        1,
        &["leave out --join"],
    );

    let ranks = Path::new(carried).join("seed-2/ranks.json");
    let moved = Path::new(carried).join("seed-3");
    std::fs::create_dir(&moved).unwrap();
    std::fs::copy(&ranks, moved.join("ranks.json")).unwrap();
    refuse(
        "e",
        &["--seeds", "2,3", "--only", "ids-only"],
        "is of seed 2",
    );
    assert!(!path("e").join("ablate.toml").exists());
    let mut damaged = json(&ranks);
    let row = damaged["ranks"]["full"].as_array_mut().unwrap();
    row.pop().unwrap();
    std::fs::write(&ranks, damaged.to_string()).unwrap();
    refuse("c", &["--seeds", "2", "--only", "ids-only"], "is damaged");
    let none = path("none");
    std::fs::create_dir(&none).unwrap();
    let (out, none) = (path("d"), none.to_str().unwrap());
    let arguments = ["ablate", "--out", out.to_str().unwrap(), "--join", none];
    refused(&arguments, 1, &["no folder of an ablation"]);
}

/// Ranks of a model in a run's evaluation.
fn ranks(run: &Path, model: &str) -> Value {
    let results = json(&run.join("evaluate/results.json"));
    let models = results["models"].as_array().unwrap();
    let found = models.iter().find(|found| found["name"] == model);
    found.unwrap_or_else(|| panic!("{} ranks no {model}", run.display()))["ranks"].clone()
}

#[test]
fn rows_are_what_their_flags_give_and_their_runs_can_be_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("ablation");
    let only = "no-correction,no-reasons,ids-only,random-texts-retrained";
    let text = out.to_str().unwrap();
    run_well(&[
        "ablate", "--preset", "tiny", "--device", "cpu", "--seeds", "5", "--only", only, "--out",
        text,
    ]);
    let full = out.join("seed-5/full");
    for (flag, run, model) in [
        ("--no-correction", "full", "before correction"),
        ("--no-update", "full", "before correction"),
        ("--ids-only", "full", "ids only"),
        ("--no-reasons", "no-reasons", "full"),
        ("--random-texts", "random-texts-retrained", "full"),
    ] {
        let alone = folder.path().join(flag);
        tiny(&alone, &["--seed", "5", flag, "--until", "evaluate"]);
        let expected = ranks(&alone, "full");
        assert_eq!(
            ranks(&out.join("seed-5").join(run), model),
            expected,
            "{flag}"
        );
    }
    let (real, random) = (
        ranks(&full, "before correction"),
        ranks(&out.join("seed-5/random-texts-retrained"), "full"),
    );
    assert_ne!(real, random, "dealing texts anew changed nothing");

    // A run of it is a run like any other, wherever it lies; running its stages again leaves the others as they were.
    let before = contents(&full);
    let moved = folder.path().join("moved");
    std::fs::rename(out.join("seed-5/no-reasons"), &moved).unwrap();
    let place = moved.to_str().unwrap();
    let said = run_well(&["run", "--out", place, "--resume"]);
    assert_eq!(said.matches("is up to date").count(), 7, "{said}");
    let said = run_well(&["run", "--out", place, "--set", "warmup.steps=5"]);
    assert_eq!(said.matches("is up to date").count(), 1, "{said}");
    assert!(contents(&full) == before, "a shared stage was written to");
}

#[test]
fn what_would_lose_results_or_means_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [out, other] = ["ablation", "other"].map(|name| folder.path().join(name));
    let text = out.to_str().unwrap();
    run_well(&[
        "ablate",
        "--preset",
        "tiny",
        "--device",
        "cpu",
        "--seeds",
        "1",
        "--only",
        "popularity",
        "--out",
        text,
    ]);
    let before = contents(&out);
    let bad = [
        "ablate",
        "--out",
        text,
        "--preset",
        "tiny",
        "--set",
        "warmup.steps=9",
    ];
    refused(&bad, 1, &["other settings", "another --out"]);
    refused(
        &["ablate", "--out", text, "--only", "nonsense"],
        1,
        &["nonsense", "text-only"],
    );
    refused(&["ablate", "--out", text, "--seeds", "1,1"], 1, &["twice"]);
    refused(
        &["ablate", "--out", text, "--no-reasons"],
        2,
        &["--no-reasons"],
    );
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "").unwrap();
    refused(
        &[
            "ablate",
            "--out",
            other.to_str().unwrap(),
            "--preset",
            "tiny",
        ],
        1,
        &["not empty"],
    );
    let random = folder.path().join("random");
    let bad = [
        "run",
        "--preset",
        "tiny",
        "--out",
        random.to_str().unwrap(),
        "--set",
        "reward.random_texts=true",
    ];
    refused(
        &bad,
        1,
        &["`reward.random_texts`", "correct.interactions = 0"],
    );
    assert!(contents(&out) == before);
}
