//! What every stage is given.

use std::path::Path;
use std::time::Duration;

use burn::tensor::Device;

use crate::config::Config;
use crate::run::{Checkpoints, Progress, RunDirectory, interrupted};

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
    /// The checkpoints in a stage's working folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn checkpoints(&self, working: &Path) -> anyhow::Result<Checkpoints> {
        let every = Duration::from_secs_f64(self.config.run.checkpoint_seconds);
        Checkpoints::open(working, every)
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
