//! Stage `data`: read a log or simulate the built-in world, filter, split, describe.

use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Context;
use crate::config::Config;
use crate::data::{Dataset, Log, load, prepare, read, stats, world, write};
use crate::run::{Stage, write_json};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let config = context.config;
    let log = read_log(config)?;
    let (dataset, dropped) = prepare(&log, &config.data.split_options(config.seed))?;
    write(&dataset, out)?;
    write_json(&out.join("stats.json"), &stats(&log, &dataset, &dropped))?;
    Ok(())
}

fn read_log(config: &Config) -> Result<Log> {
    match &config.data.path {
        Some(folder) => Ok(read(
            folder,
            config.data.format,
            &config.data.read_options(),
        )?),
        None => Ok(world::generate(&config.world)?),
    }
}

/// Names, sizes and times of the source's files: a changed source is read again.
pub(super) fn source_fingerprint(config: &Config) -> Result<Value> {
    let Some(folder) = &config.data.path else {
        return Ok(json!(config.world));
    };
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let about = entry.metadata()?;
        let changed = about
            .modified()?
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        files.push(json!([
            entry.file_name().to_string_lossy(),
            about.len(),
            changed
        ]));
    }
    files.sort_by_key(Value::to_string);
    Ok(json!(files))
}

/// The data set of a run.
///
/// # Errors
/// The stage has not run, or its files are damaged.
pub fn load_dataset(run: &crate::run::RunDirectory) -> Result<Dataset> {
    Ok(load(&run.stage(Stage::Data))?)
}
