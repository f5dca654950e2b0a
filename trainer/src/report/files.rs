//! What a run's files say, read once and whole. What is not there yet is `None` or empty; what is there and damaged is an
//! error that names the file.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::measures::Measures;
use super::settings::{Settings, flattened};
use crate::evaluation::Results;
use crate::fitting::TrainingEvent;
use crate::logbook::{Lines, Logbook, News, State};
use crate::run::{RunDirectory, Stage, StageRecord, read_json};
use crate::stages::CorrectionEvent;
use crate::text::Rewards;

/// One run.
pub(super) struct RunFiles {
    /// What it is called in the report: no two runs of one report have the same name.
    pub name: String,
    pub directory: RunDirectory,
    pub book: Logbook,
    /// `run.json`.
    pub about: Map<String, Value>,
    pub settings: Settings,
    pub data: Option<DataMeta>,
    pub results: Option<Results>,
    /// Of `pretrain`: every question with its answers before and after.
    pub answers: Vec<Answered>,
    /// Of `correct`, in its order.
    pub events: Vec<CorrectionEvent>,
    /// Trainings of the ranking model, in the order of [`FITS`].
    pub fits: [Vec<TrainingEvent>; FITS.len()],
    /// What other commands left.
    pub measures: Measures,
}

/// Every training of a ranking model: its stage, its log, and what it is.
pub(super) const FITS: [(Stage, &str, &str); 4] = [
    (Stage::Reward, "identities.jsonl", "before it knows texts"),
    (Stage::Reward, "model.jsonl", "with texts"),
    (Stage::Reward, "ids-only.jsonl", "on IDs only"),
    (Stage::Correct, "model.jsonl", "again, on corrected texts"),
];

/// `data/meta.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct DataMeta {
    pub name: String,
    pub users: usize,
    pub items: usize,
    pub interactions: usize,
    pub sha256: String,
}

/// A line of `pretrain/answers.jsonl`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Answered {
    pub user: String,
    pub question: Option<String>,
    pub candidates: Vec<String>,
    pub truth: String,
    pub before: Answers,
    pub after: Answers,
}

/// What one model answered to a question.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Answers {
    pub sampled: Vec<Answer>,
    pub greedy: Answer,
}

/// An answer with its rule rewards.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Answer {
    pub text: String,
    #[serde(flatten)]
    pub rewards: Rewards,
}

impl RunFiles {
    /// Reads a run, finished or under way.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub(super) fn read(name: String, run: &RunDirectory) -> Result<Self> {
        let mut book = Logbook::new(run);
        book.read()?;
        let settings = flattened(book.settings())
            .with_context(|| format!("{} is damaged", run.root().join("run.toml").display()))?;
        let fits = FITS.map(|(stage, file, _)| lines(&run.folder(stage).join(file)));
        let [identities, texts, ids, again] = fits;
        Ok(Self {
            about: read_json(&run.root().join("run.json"))?,
            data: present(&run.stage(Stage::Data).join("meta.json"))?,
            results: present(&run.stage(Stage::Evaluate).join("results.json"))?,
            answers: lines(&run.folder(Stage::Pretrain).join("answers.jsonl"))?,
            events: lines(&run.folder(Stage::Correct).join("events.jsonl"))?,
            fits: [identities?, texts?, ids?, again?],
            measures: Measures::read(run.root(), |stage| Some(run.record(stage)?.fingerprint))?,
            directory: run.clone(),
            name,
            book,
            settings,
        })
    }

    /// The record of a finished stage.
    pub(super) fn record(&self, stage: Stage) -> Option<&StageRecord> {
        match &self.book.stage(stage)?.state {
            State::Done(record) => Some(record),
            State::Waiting | State::Working => None,
        }
    }

    /// Whether a result of the stage can be read, be it the newest or not.
    pub(super) fn has(&self, stage: Stage) -> bool {
        self.directory.record(stage).is_some()
    }

    /// That something is not there, and the command that makes it.
    pub(super) fn lacks(&self, stage: Stage) -> String {
        let name = stage.name();
        format!(
            "{} has nothing of this yet; `curec {name} --run {}` makes it once the stages before `{name}` have finished, or \
             `curec run --out {1} --resume` all that is left",
            self.name,
            self.directory.root().display()
        )
    }
}

/// A JSON file, if it is there.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn present<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    path.exists().then(|| read_json(path)).transpose()
}

/// The lines of a file that may still be written to; none where there is no file.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut found = Vec::new();
    Lines::default().read(path, |news| {
        if let News::Line(line) = news {
            found.push(serde_json::from_value(Value::Object(line)));
        }
    })?;
    let numbered = found.into_iter().enumerate();
    let with_place = |(index, line): (usize, serde_json::Result<T>)| {
        line.with_context(|| format!("{}, line {}", path.display(), index + 1))
    };
    numbered.map(with_place).collect()
}

/// Names by which runs can be told apart: their folders', with as many folders above as it takes.
///
/// # Errors
/// The same run twice.
pub(super) fn names(runs: &[RunDirectory]) -> Result<Vec<String>> {
    let paths = runs
        .iter()
        .map(|run| {
            let root = run.root();
            std::fs::canonicalize(root).with_context(|| format!("cannot open {}", root.display()))
        })
        .collect::<Result<Vec<_>>>()?;
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].contains(path) {
            bail!("{} is given twice; name each run once", path.display());
        }
    }
    let parts: Vec<Vec<String>> = paths
        .iter()
        .map(|path| {
            path.components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect()
        })
        .collect();
    let last =
        |parts: &[String], count: usize| parts[parts.len().saturating_sub(count)..].join("/");
    let deepest = parts.iter().map(Vec::len).max().unwrap_or(1);
    let mut named = (1..=deepest).map(|count| parts.iter().map(|one| last(one, count)).collect());
    let distinct = |names: &Vec<String>| {
        let set: std::collections::BTreeSet<&String> = names.iter().collect();
        set.len() == names.len()
    };
    // Whole paths are distinct.
    Ok(named.find(distinct).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::write_json;

    fn run(path: &Path) -> RunDirectory {
        let run = RunDirectory::create(path).unwrap();
        write_json(&path.join("run.json"), &serde_json::json!({"seed": 1})).unwrap();
        run
    }

    #[test]
    fn runs_are_named_by_as_little_of_their_paths_as_tells_them_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| run(&folder.path().join(path));
        let (one, other, third) = (at("a/world"), at("b/world"), at("b/small"));
        let of = |runs: &[&RunDirectory]| {
            let runs: Vec<RunDirectory> = runs.iter().map(|one| (*one).clone()).collect();
            names(&runs)
        };
        assert_eq!(of(&[&one, &third]).unwrap(), ["world", "small"]);
        assert_eq!(of(&[&one, &other]).unwrap(), ["a/world", "b/world"]);
        let error = of(&[&one, &one]).unwrap_err().to_string();
        assert!(error.contains("twice"), "{error}");
    }

    #[test]
    fn a_damaged_line_and_a_damaged_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path());
        let stage = run.stage(Stage::Correct);
        std::fs::create_dir(&stage).unwrap();
        let file = stage.join("events.jsonl");
        std::fs::write(&file, "{\"time\":1}\n").unwrap();
        let message = |run: &RunDirectory| {
            let error = RunFiles::read("run".to_owned(), run).err().unwrap();
            format!("{error:#}")
        };
        let said = message(&run);
        assert!(
            said.contains("events.jsonl, line 1: missing field"),
            "{said}"
        );
        std::fs::remove_file(&file).unwrap();
        let stage = run.stage(Stage::Evaluate);
        std::fs::create_dir(&stage).unwrap();
        std::fs::write(stage.join("results.json"), "{\"protocol\":").unwrap();
        let said = message(&run);
        assert!(said.contains("results.json is damaged"), "{said}");
        std::fs::remove_dir_all(stage).unwrap();
        let read = RunFiles::read("run".to_owned(), &run).unwrap();
        assert!(read.results.is_none() && read.events.is_empty());
    }
}
