//! `curec report`: one HTML file about a run, without scripts and without anything from elsewhere.
//!
//! It shows what the stages wrote down and computes nothing new but axes.

mod chart;
mod page;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::run::{RunDirectory, Stage, StageRecord};

/// What one run left to be looked at.
pub struct Report {
    title: String,
    settings: String,
    stages: Vec<StageRecord>,
    training: Vec<Training>,
    samples: Vec<Sample>,
}

/// The metrics of a stage that trained the language model, one map a step.
struct Training {
    stage: Stage,
    steps: Vec<Map<String, Value>>,
}

/// A completion with what it earned.
struct Sample {
    step: u64,
    prompt: String,
    completion: String,
    about: String,
    /// Name and value of every reward, the sum and the advantage last.
    numbers: Vec<(String, f64)>,
}

/// Steps whose samples are shown: so many of the first and of the last.
const ENDS: usize = 2;

impl Report {
    /// Reads a run, finished or under way.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(run: &RunDirectory) -> Result<Self> {
        let stages = Stage::ALL.iter().filter_map(|stage| run.record(*stage));
        let training = [Stage::Warmup, Stage::Pretrain, Stage::Correct]
            .into_iter()
            .map(|stage| training(run, stage))
            .collect::<Result<Vec<_>>>()?;
        let name = run.root().file_name().unwrap_or_default();
        Ok(Self {
            title: name.to_string_lossy().into_owned(),
            settings: std::fs::read_to_string(run.root().join("run.toml")).unwrap_or_default(),
            stages: stages.collect(),
            training: training.into_iter().flatten().collect(),
            samples: samples(run)?,
        })
    }

    /// The page.
    pub fn html(&self) -> String {
        page::html(self)
    }
}

/// The folder of a stage: its results, or its work under way.
fn folder(run: &RunDirectory, stage: Stage) -> std::path::PathBuf {
    let finished = run.stage(stage);
    if finished.exists() {
        return finished;
    }
    run.root().join(format!(".work-{}", stage.name()))
}

fn training(run: &RunDirectory, stage: Stage) -> Result<Option<Training>> {
    let folder = folder(run, stage);
    let mut steps: Vec<Map<String, Value>> = lines(&folder.join("metrics.jsonl"))?;
    let timing: Vec<Map<String, Value>> = lines(&folder.join("timing.jsonl"))?;
    for (step, timing) in steps.iter_mut().zip(timing) {
        step.extend(timing);
    }
    Ok((!steps.is_empty()).then_some(Training { stage, steps }))
}

/// The lines of a file; none if it is not there. A line that is being written is not yet a line.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        let parsed = serde_json::from_str(line);
        parsed.with_context(|| format!("{}, line {}", path.display(), number + 1))
    };
    whole.lines().enumerate().map(parse).collect()
}

fn samples(run: &RunDirectory) -> Result<Vec<Sample>> {
    let all: Vec<Value> = lines(&folder(run, Stage::Pretrain).join("samples.jsonl"))?;
    let mut steps: Vec<u64> = all.iter().filter_map(|one| one["step"].as_u64()).collect();
    steps.dedup();
    let shown = |step: u64| {
        let place = steps.iter().position(|one| *one == step);
        place.is_some_and(|place| place < ENDS || place + ENDS >= steps.len())
    };
    let sample = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let parts = one["rewards"].as_object();
        let mut numbers: Vec<(String, f64)> = parts
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
            .collect();
        for name in ["reward", "advantage"] {
            numbers.extend(one[name].as_f64().map(|value| (name.to_owned(), value)));
        }
        let about = one["about"].as_object();
        let about: Vec<String> = about
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
            .collect();
        Sample {
            step: one["step"].as_u64().unwrap_or_default(),
            prompt: text("prompt"),
            completion: text("completion"),
            about: about.join("; "),
            numbers,
        }
    };
    let chosen = all
        .iter()
        .filter(|one| one["step"].as_u64().is_some_and(shown));
    Ok(chosen.map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{write_atomic, write_json};

    fn run(folder: &Path) -> RunDirectory {
        let run = RunDirectory::create(folder).unwrap();
        write_json(&folder.join("run.json"), &serde_json::json!({"seed": 1})).unwrap();
        write_atomic(&folder.join("run.toml"), b"seed = 1\n").unwrap();
        let stage = folder.join(".work-pretrain");
        std::fs::create_dir(&stage).unwrap();
        let mut metrics = String::new();
        let mut samples = String::new();
        for step in 0..9 {
            metrics += &format!(
                "{{\"step\":{step},\"reward\":{},\"rewards/legal/mean\":0.5,\"entropy\":null,\"loss\":0.0}}\n",
                0.1 * f64::from(step)
            );
            samples += &format!(
                "{{\"step\":{step},\"prompt\":\"<p{step}>\",\"completion\":\"c{step}\",\"about\":{{\"truth\":\"<Heat>\"}},\"reward\":1.5,\"rewards\":{{\"legal\":1.0}},\"advantage\":-0.5}}\n"
            );
        }
        metrics += "{\"step\":9,\"rew";
        write_atomic(&stage.join("metrics.jsonl"), metrics.as_bytes()).unwrap();
        write_atomic(&stage.join("samples.jsonl"), samples.as_bytes()).unwrap();
        run
    }

    #[test]
    fn a_run_under_way_is_shown_and_nothing_it_says_is_markup() {
        let folder = tempfile::tempdir().unwrap();
        let html = Report::read(&run(folder.path())).unwrap().html();
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(html.contains("rewards/<wbr>legal/<wbr>mean") && html.contains("<polyline"));
        // A metric without a value has no curve.
        assert!(!html.contains(">entropy<"), "{html}");
        for step in [0, 1, 7, 8] {
            assert!(html.contains(&format!("&lt;p{step}&gt;")), "step {step}");
        }
        assert!(!html.contains("&lt;p4&gt;"), "only both ends are shown");
        assert!(html.contains("truth: &lt;Heat&gt;") && !html.contains("<Heat>"));
        assert!(!html.contains("<script") && !html.contains("http"));
    }

    #[test]
    fn a_run_that_has_done_nothing_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let html = Report::read(&run).unwrap().html();
        assert!(html.contains("No stage has finished"));
    }
}
