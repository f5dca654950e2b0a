//! Where a run's language model lies: each stage that changes it leaves `llm.json`, a pointer to a folder and an adapter.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use curec_shared_model::qwen2::{PeftConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::config::Config;
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
    /// What `stage` left.
    ///
    /// # Errors
    /// The stage has not run.
    pub fn read(run: &RunDirectory, stage: Stage) -> Result<Self> {
        read_json(&run.stage(stage).join(FILE))
    }

    /// The model folder.
    pub fn folder(&self, run: &RunDirectory) -> PathBuf {
        run.root().join(&self.model)
    }

    pub(super) fn write(&self, out: &Path) -> Result<()> {
        write_json(&out.join(FILE), self)
    }

    pub(super) fn load(
        &self,
        run: &RunDirectory,
        precision: Precision,
        device: &Device,
    ) -> Result<LanguageModel> {
        let place = |path: &PathBuf| run.root().join(path);
        let adapter = self.adapter.as_ref().map(place);
        let folder = place(&self.model);
        let model = LanguageModel::load(&folder, adapter.as_deref(), precision, device);
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
    precision: Precision,
    device: &Device,
) -> Result<(LanguageModel, LlmPointer)> {
    let pointer = LlmPointer::read(run, stage)?;
    Ok((pointer.load(run, precision, device)?, pointer))
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

/// Fails once so many optimiser steps in a row had to be left out; `setting` is what to lower.
pub(super) fn ensure_goes_on(trainer: &Trainer, most: usize, setting: &str) -> Result<()> {
    let skipped = trainer.skipped_in_a_row();
    ensure!(
        skipped < most.max(1),
        "{skipped} optimiser steps in a row had a gradient that is not finite; lower {setting}"
    );
    Ok(())
}

/// The adapter that GRPO trains in this run: with a checkpoint, unless all its weights are to be trained.
fn lora(config: &Config) -> Option<PeftConfig> {
    (config.llm.model.is_some() && config.llm.lora_rank > 0).then(|| PeftConfig {
        r: config.llm.lora_rank,
        lora_alpha: config.llm.lora_alpha,
        use_rslora: config.llm.lora_rslora,
        target_modules: config.llm.lora_targets.clone(),
    })
}

/// Puts a fresh adapter on a model that GRPO is to train by one and that has none.
pub(super) fn attach_lora(mut language: LanguageModel, config: &Config) -> LanguageModel {
    if let Some(peft) = lora(config).filter(|_| !language.model.has_lora()) {
        // Whatever ran before in this process or did not: the same adapter.
        language.model.device().seed(config.seed ^ 0x6c_6f_72_61);
        language.model = language.model.with_lora(
            peft.r,
            peft.lora_alpha,
            peft.use_rslora,
            &peft.target_modules,
        );
    }
    language
}

/// Writes what `stage` trained, adapter or whole model, and the pointer to it.
pub(super) fn save_policy(
    policy: &LanguageModel,
    stage: Stage,
    out: &Path,
    before: &LlmPointer,
    policy_version: u64,
    config: &Config,
) -> Result<()> {
    let folder = |name: &str| PathBuf::from(stage.name()).join(name);
    let pointer = if let Some(peft) = lora(config) {
        let base = before.model.display().to_string();
        policy.save_adapter(&out.join("adapter"), &peft, &base)?;
        LlmPointer {
            model: before.model.clone(),
            adapter: Some(folder("adapter")),
            policy_version,
        }
    } else {
        policy.save(&out.join("model"))?;
        LlmPointer {
            model: folder("model"),
            adapter: None,
            policy_version,
        }
    };
    pointer.write(out)
}
