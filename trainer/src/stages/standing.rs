//! Saving and resuming a stage that trains the language model: its own standing, the trainer's, and whatever else it
//! changes, in one checkpoint.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::llm::Trainer;
use crate::run::{Checkpoints, read_json, write_json};

const FILE: &str = "standing.json";

/// The trainer and the standing of the newest checkpoint; without one, the trainer as it is.
pub(super) fn resume<Standing: DeserializeOwned>(
    checkpoints: &Checkpoints,
    trainer: Trainer,
) -> Result<(Trainer, Option<Standing>)> {
    let Some(folder) = checkpoints.latest() else {
        return Ok((trainer, None));
    };
    let damaged = || {
        format!(
            "cannot go on from {}; remove this folder to start the stage anew",
            folder.display()
        )
    };
    let standing = read_json(&folder.join(FILE)).with_context(damaged)?;
    let trainer = trainer.restore(&folder);
    let trainer = trainer.map_err(|error| anyhow::anyhow!("{error:?}"));
    Ok((trainer.with_context(damaged)?, Some(standing)))
}

/// Commits the trainer, a standing, and what `more` writes, at once.
pub(super) fn save(
    checkpoints: &mut Checkpoints,
    trainer: &Trainer,
    standing: &impl Serialize,
    more: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    checkpoints.commit(|folder| {
        let saved = trainer.save(folder);
        saved.map_err(|error| anyhow::anyhow!("cannot write a checkpoint: {error:?}"))?;
        more(folder)?;
        write_json(&folder.join(FILE), standing)
    })
}
