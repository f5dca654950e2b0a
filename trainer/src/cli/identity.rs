//! What a printed measurement was made of and by: the program, the data, and every stage of the runs behind it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::config::Config;
use crate::run::{RunDirectory, Stage};

/// Something measured, and what it was measured on and by.
#[derive(Serialize)]
pub(super) struct Printed<'a, T> {
    #[serde(flatten)]
    found: &'a T,
    version: &'static str,
    commit: Option<String>,
    runs: Vec<Identity>,
}

/// Which run: its seed, the hash of its data, and per finished stage the fingerprint of its settings, inputs and program.
#[derive(Serialize)]
struct Identity {
    seed: u64,
    data_sha256: String,
    stages: BTreeMap<&'static str, String>,
}

impl<'a, T> Printed<'a, T> {
    /// # Errors
    /// A run whose settings or data cannot be read.
    pub(super) fn new(found: &'a T, runs: &[&Path]) -> Result<Self> {
        Ok(Self {
            found,
            version: env!("CARGO_PKG_VERSION"),
            commit: crate::machine::commit(),
            runs: runs
                .iter()
                .map(|run| Identity::of(run))
                .collect::<Result<_>>()?,
        })
    }
}

impl Identity {
    fn of(folder: &Path) -> Result<Self> {
        let run = RunDirectory::open(folder)?;
        let stages = Stage::ALL.into_iter().filter_map(|stage| {
            let record = run.record(stage)?;
            Some((stage.name(), record.fingerprint))
        });
        Ok(Self {
            seed: seed(folder)?,
            data_sha256: run.data_sha256()?,
            stages: stages.collect(),
        })
    }
}

/// The seed that a run's settings have.
pub(super) fn seed(run: &Path) -> Result<u64> {
    Ok(Config::layered(None, Some(&run.join("run.toml")), &[])?.seed)
}
