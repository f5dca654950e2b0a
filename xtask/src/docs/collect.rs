//! A result file from a finished run directory or an ablation's folder (layout: `docs/run-directory.md`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::record::RunResult;
use super::{Collect, ablation};

/// Stages in order; a recorded run has finished all of them.
const STAGES: [&str; 8] = [
    "data", "warmup", "pretrain", "generate", "reward", "correct", "evaluate", "export",
];

/// Refuses what was made by sources that no commit holds: nobody could make it again.
pub(super) fn committed<'a>(mut commits: impl Iterator<Item = &'a str>) -> Result<()> {
    match commits.find(|commit| commit.ends_with("-dirty")) {
        Some(commit) => bail!(
            "this was made by sources that differ from commit {}: commit them, build, and run it again",
            commit.trim_end_matches("-dirty")
        ),
        None => Ok(()),
    }
}

/// Writes `folder/NAME.json`, or `folder/ablation-NAME.json` where an ablation lies, and returns its path.
pub fn collect(what: &Collect, folder: &Path) -> Result<PathBuf> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if what.name.is_empty() || what.name.starts_with('.') || !what.name.chars().all(plain) {
        bail!(
            "\"{}\" cannot be a file name here: use letters, digits, -, _ and .",
            what.name
        );
    }
    if what.name.starts_with(ablation::PREFIX) {
        bail!(
            "\"{}\" begins with {}, as the files of ablations do: choose another name",
            what.name,
            ablation::PREFIX
        );
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    if what.run.join(ablation::TABLE).exists() {
        return ablation::collect(&what.run, &what.name, &what.command, &machine()?, folder);
    }
    let stages = STAGES
        .iter()
        .map(|stage| read(&what.run.join(stage).join("stage.json")))
        .collect::<Result<Vec<Value>>>()
        .with_context(|| {
            format!(
                "{} is not a finished run; `curec run --out {0} --resume` finishes it",
                what.run.display()
            )
        })?;
    let commits = stages.iter().filter_map(|stage| stage["commit"].as_str());
    committed(commits)?;
    // A run without alignment has none to report.
    let alignment = what.run.join("pretrain/evaluation.json");
    let alignment = if alignment.exists() {
        read(&alignment)?
    } else {
        Value::Null
    };
    let mut record = json!({
        "name": what.name,
        "command": what.command,
        "machine": machine()?,
        "alignment": alignment,
        "results": without_ranks(read(&what.run.join("evaluate/results.json"))?),
        "stages": stages,
        "data_sha256": read(&what.run.join("data/meta.json"))?["sha256"],
        "config": settings(&what.run.join("run.toml"))?,
    });
    let against = what.run.join("against.json");
    if against.exists() {
        let found = read(&against)?;
        let evaluate = &read(&what.run.join("evaluate/stage.json"))?["fingerprint"];
        if found["runs"][0]["stages"]["evaluate"] != *evaluate {
            bail!(
                "{} is of an evaluation before this one: `curec evaluate --run {} --against FILE …` makes it again",
                against.display(),
                what.run.display()
            );
        }
        record["against"] = found["models"].clone();
    }
    let path = folder.join(format!("{}.json", what.name));
    // What could not be shown must not be recorded.
    serde_json::from_value::<RunResult>(record.clone())
        .with_context(|| format!("{} holds results of another form", what.run.display()))?;
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn read(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// A run's settings, without where data and checkpoint lie on this machine, which is no part of what was computed.
fn settings(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut settings: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    for (table, key) in [("data", "path"), ("llm", "model")] {
        if let Some(toml::Value::Table(table)) = settings.get_mut(table) {
            table.remove(key);
        }
    }
    Ok(serde_json::to_value(settings)?)
}

/// Ranks of single users: large, and needed only to compare runs.
fn without_ranks(mut results: Value) -> Value {
    for model in results["models"].as_array_mut().into_iter().flatten() {
        if let Some(model) = model.as_object_mut() {
            model.remove("ranks");
        }
    }
    results
}

fn machine() -> Result<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo")
        .context("cannot read /proc/cpuinfo, which says what machine this is")?;
    Ok(describe(&text))
}

/// `Some CPU @ 2.00GHz, 2 cores` from the text of /proc/cpuinfo.
fn describe(cpuinfo: &str) -> String {
    let values = |wanted: &str| {
        let of_line = |line: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == wanted).then(|| value.trim().to_owned())
        };
        cpuinfo.lines().filter_map(of_line).collect::<Vec<String>>()
    };
    // ARM's list names no model.
    let unnamed = || format!("{} processor", std::env::consts::ARCH);
    let name = values("model name")
        .first()
        .cloned()
        .unwrap_or_else(unnamed);
    let cores = values("processor").len();
    let plural = if cores == 1 { "" } else { "s" };
    format!("{name}, {cores} core{plural}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// The made-up result taken apart into a run directory.
    fn run(name: &str, ranks: bool) -> Collect {
        let run = std::env::temp_dir().join(format!("curec-collect-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&run);
        let mut file: Value = serde_json::from_str(sample::FILE).expect("JSON");
        for stage in STAGES {
            std::fs::create_dir_all(run.join(stage)).expect("a folder");
            let record = json!({"stage": stage, "fingerprint": "f", "seconds": 1.5, "peak_memory_mib": 64, "version": "0"});
            std::fs::write(run.join(stage).join("stage.json"), record.to_string()).expect("a file");
        }
        if ranks {
            file["results"]["models"][0]["ranks"] = json!([1, 2, 3]);
        }
        let write = |name: &str, value: &Value| {
            std::fs::write(run.join(name), value.to_string()).expect("a file");
        };
        write("evaluate/results.json", &file["results"]);
        write("pretrain/evaluation.json", &file["alignment"]);
        write("data/meta.json", &json!({"version": 1, "sha256": "abc"}));
        let settings = "seed = 7\n[data]\npath = \"/home/somebody\"\nmin_history = 30\n";
        std::fs::write(run.join("run.toml"), settings).expect("a file");
        Collect {
            run,
            name: "toy".into(),
            command: "cargo xtask demo".into(),
        }
    }

    #[test]
    fn a_finished_run_becomes_a_result_file() {
        let what = run("whole", true);
        let path = collect(&what, &what.run.join("out")).expect("recorded");
        let found = read(&path).expect("JSON");
        let expected: Value = serde_json::from_str(sample::FILE).expect("JSON");
        // The ranks are gone, the rest is there word for word.
        assert_eq!(found["results"], expected["results"]);
        assert_eq!(found["alignment"], expected["alignment"]);
        assert_eq!(found["command"], "cargo xtask demo");
        assert_eq!(found["stages"][7]["stage"], "export");
        // Config, seed and data, by which it can be made again; not where they lay.
        assert_eq!(found["data_sha256"], "abc");
        assert_eq!(
            found["config"],
            json!({"seed": 7, "data": {"min_history": 30}})
        );
        assert!(RunResult::read(&path).is_ok());
        std::fs::remove_dir_all(&what.run).expect("removed");
    }

    #[test]
    fn what_a_run_was_paired_with_is_recorded_and_shown_unless_it_is_older() {
        let what = run("paired", true);
        let change = json!({"mean": 0.25, "low": 0.125, "high": 0.5});
        let write = |fingerprint: &str| {
            let against = json!([{"model": "rival", "seed": 1, "difference": {"ndcg@10": change}, "relative": {"ndcg@10": change}}]);
            let found = json!({
                "models": [{"model": "full", "against": against}],
                "runs": [{"stages": {"evaluate": fingerprint}}],
            });
            std::fs::write(what.run.join("against.json"), found.to_string()).expect("a file");
        };
        write("f");
        let path = collect(&what, &what.run.join("out")).expect("recorded");
        let shown = super::super::render::runs(&[RunResult::read(&path).expect("whole")]);
        let row = "| rival | – | – | +0.2500 [+0.1250, +0.5000] = +25.0 % [+12.5, +50.0] | – |";
        assert!(shown.contains(row), "{shown}");
        write("another");
        let error = collect(&what, &what.run.join("out")).expect_err("of another evaluation");
        assert!(error.to_string().contains("--against FILE"), "{error}");
        std::fs::remove_dir_all(&what.run).expect("removed");
    }

    #[test]
    fn what_no_commit_holds_is_not_recorded() {
        let what = run("dirty", true);
        let record = json!({"stage": "reward", "fingerprint": "f", "seconds": 1.5, "version": "0", "commit": "abc-dirty"});
        std::fs::write(what.run.join("reward/stage.json"), record.to_string()).expect("a file");
        let error = collect(&what, &what.run.join("out")).expect_err("not committed");
        assert!(
            error.to_string().contains("differ from commit abc:"),
            "{error}"
        );
        std::fs::remove_dir_all(&what.run).expect("removed");
    }

    #[test]
    fn a_run_without_alignment_has_null() {
        let what = run("plain", false);
        std::fs::remove_file(what.run.join("pretrain/evaluation.json")).expect("removed");
        let path = collect(&what, &what.run.join("out")).expect("recorded");
        assert!(read(&path).expect("JSON")["alignment"].is_null());
        std::fs::remove_dir_all(&what.run).expect("removed");
    }

    #[test]
    fn an_unfinished_run_is_refused() {
        let what = run("half", false);
        std::fs::remove_file(what.run.join("correct/stage.json")).expect("removed");
        let error = collect(&what, &what.run.join("out")).expect_err("not finished");
        let message = format!("{error:#}");
        assert!(
            message.contains("not a finished run") && message.contains("correct"),
            "{message}"
        );
        std::fs::remove_dir_all(&what.run).expect("removed");
    }

    #[test]
    fn a_name_is_no_path() {
        for name in ["", "../x", "a/b", ".hidden", "a b", "ablation-x"] {
            let what = Collect {
                run: "nowhere".into(),
                name: name.into(),
                command: String::new(),
            };
            let error = collect(&what, Path::new("nowhere")).expect_err("no name");
            let said = error.to_string();
            assert!(
                said.contains("file name") || said.contains("another name"),
                "{name}: {said}"
            );
        }
    }

    #[test]
    fn machines_are_described() {
        let two = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2.00GHz\n";
        assert_eq!(describe(two), "Some CPU @ 2.00GHz, 2 cores");
        let arm = describe("processor\t: 0\nBogoMIPS\t: 50.00\n");
        assert!(arm.ends_with(" processor, 1 core"), "{arm}");
    }
}
