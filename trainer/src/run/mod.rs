//! The run directory: where stages meet (layout in `docs/run-directory.md`).
//!
//! A stage writes into `.work-NAME` and becomes visible by one rename, together with its `stage.json`; a reader never
//! sees half a stage. A stage whose fingerprint (its settings and those of everything before it) is unchanged is skipped.

mod checkpoint;
mod files;
mod progress;
mod share;
mod tensorboard;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::machine::peak_memory_mib;

pub use checkpoint::Checkpoints;
pub(crate) use files::UNFINISHED;
pub use files::{
    JsonLines, ensure_can_write, read_json, read_lines, touched, write_atomic, write_json,
};
pub use progress::{Bar, Progress, interrupted, on_interrupt, stop_flag};
pub use tensorboard::EventFile;

/// The stages in the order of METHOD.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Read, filter, split.
    Data,
    /// Tokenizer and supervised training of a nano model.
    Warmup,
    /// GRPO alignment (METHOD §1).
    Pretrain,
    /// Patterns, reasons and their vectors (METHOD §2).
    Generate,
    /// The reward model (METHOD §2).
    Reward,
    /// Chronological correction and the refitted reward model (METHOD §3).
    Correct,
    /// Full ranking with controls (EVALUATION).
    Evaluate,
    /// The web artefact (METHOD §4).
    Export,
}

impl Stage {
    /// All stages, first to last.
    pub const ALL: [Stage; 8] = [
        Stage::Data,
        Stage::Warmup,
        Stage::Pretrain,
        Stage::Generate,
        Stage::Reward,
        Stage::Correct,
        Stage::Evaluate,
        Stage::Export,
    ];

    /// Name of its folder and subcommand.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Data => "data",
            Stage::Warmup => "warmup",
            Stage::Pretrain => "pretrain",
            Stage::Generate => "generate",
            Stage::Reward => "reward",
            Stage::Correct => "correct",
            Stage::Evaluate => "evaluate",
            Stage::Export => "export",
        }
    }
}

/// What `stage.json` says about a finished stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Which stage.
    pub stage: Stage,
    /// Hash of its settings and of the fingerprints before it.
    pub fingerprint: String,
    /// Wall-clock seconds, over all attempts.
    pub seconds: f64,
    /// Largest resident memory of the process so far, in MiB.
    pub peak_memory_mib: Option<u64>,
    /// Version that ran it.
    pub version: String,
    /// Commit of the sources of that program, where they lie in git.
    #[serde(default)]
    pub commit: Option<String>,
}

/// A run directory.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    root: PathBuf,
}

impl RunDirectory {
    /// Opens or creates the folder; refuses one that holds something else.
    ///
    /// # Errors
    /// The folder cannot be made, or is not empty and not a run.
    pub fn create(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot create {}", root.display()))?;
        let marker = root.join("run.json");
        let empty = std::fs::read_dir(root)?.next().is_none();
        if !empty && !marker.exists() {
            bail!(
                "{} is not empty and holds no run.json: choose another --out, so that nothing of yours is touched",
                root.display()
            );
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// There is no run.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.join("run.json").exists() {
            bail!(
                "{} is not a run directory (no run.json); make one with `curec run --out {0}`",
                root.display()
            );
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a finished stage.
    pub fn stage(&self, stage: Stage) -> PathBuf {
        self.root.join(stage.name())
    }

    /// Folder of a stage's work that is under way or broke off.
    pub fn working(&self, stage: Stage) -> PathBuf {
        self.root.join(format!(".work-{}", stage.name()))
    }

    /// The folder in which to look at a stage: that of its work under way, else that of its result.
    ///
    /// Beside a result, work counts as under way if it was written to since the newest command began (`run.toml` says
    /// when): an attempt with other settings that was given up may stay for long.
    pub fn folder(&self, stage: Stage) -> PathBuf {
        let (finished, working) = (self.stage(stage), self.working(stage));
        let began = files::changed(&self.root.join("run.toml"));
        if working.exists() && (!finished.exists() || files::touched(&working) >= began) {
            working
        } else {
            finished
        }
    }

    /// Content hash of the data that the run is on.
    ///
    /// # Errors
    /// Stage `data` has not finished, or its `meta.json` is damaged.
    pub fn data_sha256(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Meta {
            sha256: String,
        }
        let meta: Meta = read_json(&self.stage(Stage::Data).join("meta.json"))?;
        Ok(meta.sha256)
    }

    /// The record of a finished stage.
    pub fn record(&self, stage: Stage) -> Option<StageRecord> {
        read_json(&self.stage(stage).join("stage.json")).ok()
    }

    /// Runs `work` unless the stage is finished with the same fingerprint; returns whether it ran.
    ///
    /// `work` gets its working folder, which survives an interruption with the same fingerprint.
    ///
    /// # Errors
    /// Those of `work`; the working folder stays for the next attempt.
    pub fn execute(
        &self,
        stage: Stage,
        fingerprint: &str,
        work: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<bool> {
        if self
            .record(stage)
            .is_some_and(|record| record.fingerprint == fingerprint)
        {
            return Ok(false);
        }
        let working = self.working(stage);
        let mark = working.join(".fingerprint");
        let whole: Option<StageRecord> = read_json(&working.join("stage.json")).ok();
        if whole.is_some_and(|record| record.fingerprint == fingerprint) {
            // Killed between the last file and the final name.
            self.publish(stage)?;
            return Ok(true);
        }
        if std::fs::read_to_string(&mark).ok().as_deref() != Some(fingerprint) {
            files::remove_folder(&working)?;
            std::fs::create_dir_all(&working)?;
            write_atomic(&mark, fingerprint.as_bytes())?;
        }
        files::remove_unfinished(&working)?;
        let clock = working.join(".seconds");
        let before: f64 = std::fs::read_to_string(&clock)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0);
        let start = Instant::now();
        let outcome = work(&working).with_context(|| format!("stage {}", stage.name()));
        let seconds = before + start.elapsed().as_secs_f64();
        if let Err(error) = outcome {
            write_atomic(&clock, seconds.to_string().as_bytes())?;
            return Err(error);
        }
        let record = StageRecord {
            stage,
            fingerprint: fingerprint.to_owned(),
            seconds,
            peak_memory_mib: peak_memory_mib(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: crate::machine::commit(),
        };
        write_json(&working.join("stage.json"), &record)?;
        self.publish(stage)?;
        Ok(true)
    }

    /// Gives finished work its final name.
    fn publish(&self, stage: Stage) -> Result<()> {
        let working = self.working(stage);
        checkpoint::remove_all(&working)?;
        for name in [".fingerprint", ".seconds"] {
            // Of use to an interrupted attempt only.
            let _ = std::fs::remove_file(working.join(name));
        }
        files::replace_folder(&working, &self.stage(stage))
    }

    /// Hash of a stage's settings and of the finished stages it reads.
    ///
    /// # Errors
    /// A stage it needs has not finished.
    pub fn fingerprint(
        &self,
        stage: Stage,
        needs: &[Stage],
        settings: &serde_json::Value,
    ) -> Result<String> {
        let mut before = Vec::new();
        for need in needs {
            let record = self.record(*need).with_context(|| {
                format!(
                    "{} has no finished `{}` stage, which `{}` needs; run it first (or `curec run`)",
                    self.root.display(),
                    need.name(),
                    stage.name()
                )
            })?;
            before.push(match need {
                // What later stages see of it, however it was read: the same log copied elsewhere makes the same data.
                Stage::Data => self.data_sha256()?,
                _ => record.fingerprint,
            });
        }
        let whole = json!({
            "stage": stage.name(), "version": env!("CARGO_PKG_VERSION"), "settings": settings, "before": before,
        });
        Ok(format!("{:x}", Sha256::digest(whole.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_stage_is_skipped_until_its_settings_change() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let one = run.fingerprint(Stage::Data, &[], &json!({"a": 1})).unwrap();
        let two = run.fingerprint(Stage::Data, &[], &json!({"a": 2})).unwrap();
        assert_ne!(one, two);
        let write = |text: &'static str| move |out: &Path| Ok(std::fs::write(out.join("x"), text)?);
        assert!(run.execute(Stage::Data, &one, write("first")).unwrap());
        assert!(!run.execute(Stage::Data, &one, write("never")).unwrap());
        assert!(run.execute(Stage::Data, &two, write("second")).unwrap());
        let kept = std::fs::read_to_string(run.stage(Stage::Data).join("x")).unwrap();
        assert_eq!(kept, "second");
    }

    #[test]
    fn a_failed_stage_leaves_no_result_and_goes_on_in_its_working_folder() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let failed = run.execute(Stage::Data, "f", |out| {
            std::fs::write(out.join("half"), "kept")?;
            // As a kill leaves it: the file beside the one that was to be.
            std::fs::create_dir(out.join("model"))?;
            std::fs::write(out.join("model/.unfinished-x1"), "a part")?;
            std::fs::create_dir(out.join(".unfinished-x2"))?;
            bail!("power cut")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("power cut"));
        assert!(run.record(Stage::Data).is_none() && !run.stage(Stage::Data).exists());
        run.execute(Stage::Data, "f", |out| {
            assert_eq!(std::fs::read_to_string(out.join("half"))?, "kept");
            assert!(!out.join("model/.unfinished-x1").exists());
            assert!(!out.join(".unfinished-x2").exists());
            Ok(())
        })
        .unwrap();
        assert!(run.record(Stage::Data).is_some());
        // A kill between the record and the final name: nothing is done again.
        std::fs::rename(run.stage(Stage::Data), run.working(Stage::Data)).unwrap();
        assert!(run.record(Stage::Data).is_none());
        let never = |_: &Path| bail!("done again");
        assert!(run.execute(Stage::Data, "f", never).unwrap());
        assert!(run.record(Stage::Data).is_some() && !run.working(Stage::Data).exists());
    }

    #[test]
    fn checkpoints_stay_whole_until_the_record_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let state = Path::new(".checkpoint-3").join("state");
        let failed = run.execute(Stage::Data, "f", |out| {
            std::fs::create_dir(out.join(".checkpoint-3"))?;
            std::fs::write(out.join(&state), "whole")?;
            bail!("power cut after the last result")
        });
        assert!(failed.is_err());
        run.execute(Stage::Data, "f", |out| {
            assert_eq!(std::fs::read_to_string(out.join(&state))?, "whole");
            Ok(())
        })
        .unwrap();
        let finished = run.stage(Stage::Data);
        assert!(!finished.join(".checkpoint-3").exists());
        // A kill while they are removed: the stage is finished, and nobody goes on from half of one.
        std::fs::create_dir(finished.join(".checkpoint-3")).unwrap();
        std::fs::rename(&finished, run.working(Stage::Data)).unwrap();
        let never = |_: &Path| bail!("done again");
        assert!(run.execute(Stage::Data, "f", never).unwrap());
        assert!(finished.exists() && !finished.join(".checkpoint-3").exists());
    }

    #[test]
    fn work_is_looked_at_before_a_result_unless_it_was_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let (finished, working) = (run.stage(Stage::Data), run.working(Stage::Data));
        assert_eq!(run.folder(Stage::Data), finished);
        let settings = folder.path().join("run.toml");
        std::fs::write(&settings, "").unwrap();
        std::fs::create_dir(&working).unwrap();
        std::fs::write(working.join("metrics.jsonl"), "").unwrap();
        assert_eq!(run.folder(Stage::Data), working);
        std::fs::create_dir(&finished).unwrap();
        assert_eq!(run.folder(Stage::Data), working);
        // A command that began later has not gone on with it.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let file = std::fs::File::options().write(true).open(&settings);
        file.unwrap().set_modified(later).unwrap();
        assert_eq!(run.folder(Stage::Data), finished);
    }

    #[test]
    fn a_stage_that_needs_another_says_which() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path()).unwrap();
        let error = run
            .fingerprint(Stage::Reward, &[Stage::Generate], &json!({}))
            .unwrap_err();
        assert!(error.to_string().contains("`generate`"), "{error}");
    }

    #[test]
    fn a_folder_with_other_things_is_not_taken_for_a_run() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "").unwrap();
        assert!(RunDirectory::create(folder.path()).is_err());
    }
}
