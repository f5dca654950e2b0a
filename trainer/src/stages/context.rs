//! What every stage is given.

use std::path::Path;
use std::time::Duration;

use burn::tensor::Device;
use serde_json::json;

use super::language::{LlmPointer, load_language_model};
use crate::config::Config;
use crate::llm::LanguageModel;
use crate::run::{
    Checkpoints, Progress, RunDirectory, Stage, interrupted, write_atomic, write_json,
};

/// A run, its settings, a device, and a way to show progress.
pub struct Context<'a> {
    /// Where stages meet.
    pub run: &'a RunDirectory,
    /// Resolved settings.
    pub config: &'a Config,
    /// Where tensors live.
    pub device: &'a Device,
    /// Bars.
    pub progress: Progress,
}

/// Ctrl-C was pressed; the run can be continued.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; the same command goes on from here")]
pub struct Interrupted;

impl Context<'_> {
    /// Writes `run.toml` and `run.json`: the run's settings as they are now, and who works on it.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn store_settings(&self) -> anyhow::Result<()> {
        let (root, config) = (self.run.root(), self.config);
        write_atomic(&root.join("run.toml"), config.to_toml()?.as_bytes())?;
        write_json(
            &root.join("run.json"),
            &json!({"created_by": format!("curec {}", env!("CARGO_PKG_VERSION")), "seed": config.seed}),
        )
    }

    /// The checkpoints in a stage's working folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn checkpoints(&self, working: &Path) -> anyhow::Result<Checkpoints> {
        let every = Duration::from_secs_f64(self.config.run.checkpoint_seconds);
        Checkpoints::open(working, every)
    }

    /// The language model as `stage` left it, in the precision of the settings.
    ///
    /// # Errors
    /// The stage has not run, or a file is damaged.
    pub fn language_model(&self, stage: Stage) -> anyhow::Result<(LanguageModel, LlmPointer)> {
        load_language_model(self.run, stage, self.config.llm.dtype, self.device)
    }

    /// Returns an error once Ctrl-C was pressed.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> Result<(), Interrupted> {
        if interrupted() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }
}
