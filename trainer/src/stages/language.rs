//! Where a run's language model lies: each stage that changes it leaves `llm.json`, a pointer to a folder and an adapter.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::llm::{LanguageModel, Trainer};
use crate::run::{RunDirectory, Stage, read_json, write_json};

const FILE: &str = "llm.json";

/// A model folder and its adapter; relative paths start at the run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LlmPointer {
    /// A Hugging Face folder.
    pub model: PathBuf,
    /// A PEFT adapter on top of it.
    pub adapter: Option<PathBuf>,
    /// Policy updates (warm-up and GRPO steps) that made this policy, over all stages.
    pub policy_version: u64,
}

impl LlmPointer {
    pub(super) fn read(run: &RunDirectory, stage: Stage) -> Result<Self> {
        read_json(&run.stage(stage).join(FILE))
    }

    pub(super) fn write(&self, out: &Path) -> Result<()> {
        write_json(&out.join(FILE), self)
    }

    pub(super) fn load(&self, run: &RunDirectory, device: &Device) -> Result<LanguageModel> {
        let place = |path: &PathBuf| run.root().join(path);
        let adapter = self.adapter.as_ref().map(place);
        let model = LanguageModel::load(&place(&self.model), adapter.as_deref(), device);
        model.with_context(|| format!("cannot load the language model {}", self.model.display()))
    }
}

/// The language model as `stage` left it.
///
/// # Errors
/// The stage has not run, or a file is damaged.
pub fn load_language_model(
    run: &RunDirectory,
    stage: Stage,
    device: &Device,
) -> Result<(LanguageModel, LlmPointer)> {
    let pointer = LlmPointer::read(run, stage)?;
    Ok((pointer.load(run, device)?, pointer))
}

/// Fails when more than a tenth of a stage's optimiser steps had to be left out; `setting` is what to lower.
pub(super) fn ensure_finite(trainer: &Trainer, setting: &str) -> Result<()> {
    let (skipped, taken) = (trainer.skipped(), trainer.taken());
    ensure!(
        skipped * 10 <= taken,
        "{skipped} of {taken} optimiser steps had a gradient that is not finite; lower {setting}"
    );
    Ok(())
}
