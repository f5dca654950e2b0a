//! What the stages of a run wrote down for people, read back while they may still be writing: `curec report` reads it once,
//! `curec watch` again and again.

mod curves;
mod lines;
mod sample;
mod warnings;

use std::time::SystemTime;

use anyhow::Result;

use crate::run::{RunDirectory, Stage, StageRecord, touched};

pub use curves::{Training, number, thinned};
pub use lines::{Lines, News};
pub use sample::{Corrections, Sample, Samples};
pub use warnings::Warnings;

/// Everything about a run that can be looked at.
#[derive(Debug)]
pub struct Logbook {
    run: RunDirectory,
    settings: String,
    stages: Vec<StageLog>,
}

/// What one stage wrote.
#[derive(Debug)]
pub struct StageLog {
    /// Which stage.
    pub stage: Stage,
    /// Where it stands.
    pub state: State,
    /// Its curves.
    pub training: Training,
    /// Its samples.
    pub samples: Samples,
    /// What was wrong with its training.
    pub warnings: Warnings,
    /// What `correct` has corrected.
    pub corrections: Corrections,
    /// When it last wrote anything, while its work is under way.
    pub written: Option<SystemTime>,
    /// How much it has to do, where the settings tell.
    pub goal: Option<Goal>,
}

/// Where a stage stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing is there of it.
    Waiting,
    /// Its work is under way, or broke off.
    Working,
    /// It has finished.
    Done(StageRecord),
}

/// How far a stage is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// What is counted.
    pub unit: &'static str,
    /// How much is done.
    pub done: u64,
    /// How much there is to do; of interactions at most.
    pub total: u64,
}

impl Logbook {
    /// Opens it, without reading.
    pub fn new(run: &RunDirectory) -> Self {
        let log = |stage| StageLog {
            stage,
            state: State::Waiting,
            training: Training::default(),
            samples: Samples::default(),
            warnings: Warnings::default(),
            corrections: Corrections::default(),
            written: None,
            goal: None,
        };
        Self {
            run: run.clone(),
            settings: String::new(),
            stages: Stage::ALL.map(log).into(),
        }
    }

    /// Reads what is new.
    ///
    /// # Errors
    /// A file that is there and cannot be read; the other stages are read all the same.
    pub fn read(&mut self) -> Result<()> {
        self.settings =
            std::fs::read_to_string(self.run.root().join("run.toml")).unwrap_or_default();
        // Of settings that another version stored, only the numbers of steps matter here.
        let settings = self.settings.parse::<toml::Table>().unwrap_or_default();
        let run = &self.run;
        let read = |log: &mut StageLog| log.read(run, &settings);
        let outcomes: Vec<Result<()>> = self.stages.iter_mut().map(read).collect();
        outcomes.into_iter().collect()
    }

    /// Name of the run: its folder's.
    pub fn name(&self) -> String {
        let root = std::path::absolute(self.run.root());
        let root = root.unwrap_or_else(|_| self.run.root().to_owned());
        let name = root.file_name().unwrap_or(root.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The text of `run.toml`.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// All stages, first to last.
    pub fn stages(&self) -> &[StageLog] {
        &self.stages
    }

    /// One stage.
    pub fn stage(&self, stage: Stage) -> Option<&StageLog> {
        self.stages.iter().find(|log| log.stage == stage)
    }
}

impl StageLog {
    fn read(&mut self, run: &RunDirectory, settings: &toml::Table) -> Result<()> {
        // The folder may get its final name meanwhile.
        for _ in 0..2 {
            let folder = run.folder(self.stage);
            self.training.read(&folder)?;
            self.samples.read(&folder)?;
            self.warnings.read(&folder)?;
            if self.stage == Stage::Correct {
                self.corrections.read(&folder)?;
            }
            if run.folder(self.stage) == folder {
                break;
            }
        }
        let working = run.working(self.stage);
        let at_work = run.folder(self.stage) == working;
        self.written = at_work.then(|| touched(&working)).flatten();
        self.state = match run.record(self.stage) {
            _ if at_work => State::Working,
            Some(record) => State::Done(record),
            None => State::Waiting,
        };
        self.goal = self.goal(settings);
        Ok(())
    }

    fn goal(&self, settings: &toml::Table) -> Option<Goal> {
        let (unit, name, done) = match self.stage {
            Stage::Correct => ("interaction", "interactions", self.corrections.count()),
            _ => ("step", "steps", self.training.steps()),
        };
        let section = settings.get(self.stage.name())?;
        let total = u64::try_from(section.get(name)?.as_integer()?).ok()?;
        Some(Goal { unit, done, total })
    }

    /// The newest completions it wrote down.
    pub fn newest_samples(&self) -> &[Sample] {
        let samples = self.samples.newest();
        if samples.is_empty() {
            self.corrections.newest()
        } else {
            samples
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::write_json;

    #[test]
    fn a_stage_is_followed_from_its_first_line_to_its_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let mut book = Logbook::new(&run);
        let mut look = |steps: u64, state: &State| {
            book.read().unwrap();
            let log = book.stage(Stage::Warmup).unwrap();
            assert_eq!(log.training.values("loss").len() as u64, steps);
            assert_eq!(&log.state, state);
            let total = log.goal.map(|goal| (goal.done, goal.total));
            assert_eq!(total, (steps > 0).then_some((steps, 8)));
        };
        look(0, &State::Waiting);
        std::fs::write(folder.path().join("run.toml"), "[warmup]\nsteps = 8\n").unwrap();
        let working = run.working(Stage::Warmup);
        std::fs::create_dir(&working).unwrap();
        let line = |step: u64| format!("{{\"step\":{step},\"loss\":{}}}\n", 8 - step);
        let write = |lines: &[String]| {
            std::fs::write(working.join("metrics.jsonl"), lines.concat()).unwrap();
        };
        write(&[line(0), line(1), "{\"step\":2,".to_owned()]);
        look(2, &State::Working);
        write(&[line(0), line(1), line(2)]);
        look(3, &State::Working);
        // Killed, and gone on from its checkpoint.
        write(&[line(0)]);
        look(1, &State::Working);
        write(&[line(0), line(1), line(2), line(3)]);
        let warning = "{\"step\":3,\"warning\":\"too hot\"}\n";
        std::fs::write(working.join("warnings.jsonl"), warning).unwrap();
        let record = StageRecord {
            stage: Stage::Warmup,
            fingerprint: String::new(),
            seconds: 2.5,
            peak_memory_mib: None,
            version: String::new(),
            commit: None,
        };
        write_json(&working.join("stage.json"), &record).unwrap();
        std::fs::rename(&working, run.stage(Stage::Warmup)).unwrap();
        look(4, &State::Done(record));
        let warnings = book.stage(Stage::Warmup).unwrap().warnings.all();
        assert_eq!(warnings, [(3, "too hot".to_owned())]);
    }

    #[test]
    fn one_damaged_stage_does_not_hide_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        for (stage, text) in [
            (Stage::Warmup, "not JSON\n"),
            (Stage::Pretrain, "{\"step\":0,\"loss\":1}\n"),
        ] {
            std::fs::create_dir(run.working(stage)).unwrap();
            std::fs::write(run.working(stage).join("metrics.jsonl"), text).unwrap();
        }
        let mut book = Logbook::new(&run);
        assert!(format!("{:#}", book.read().unwrap_err()).contains("line 1"));
        let pretrain = &book.stage(Stage::Pretrain).unwrap().training;
        assert_eq!(pretrain.values("loss"), [(0.0, 1.0)]);
    }
}
