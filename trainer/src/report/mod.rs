//! `curec report`: any number of runs as one HTML file, without scripts and without anything from elsewhere.
//!
//! Every number comes from the runs' files: what stages wrote down, intervals of per-user ranks and answers, and, where a
//! reader wants to see what a model looks at, what the run's own models say. One file per section; each makes a value that
//! `template/` turns into HTML, where everything is escaped but the charts.

mod attention;
mod chart;
mod claims;
mod compare;
mod curves;
mod drift;
mod exam;
mod files;
mod identity;
mod measures;
mod page;
mod ranking;
mod samples;
mod settings;
#[cfg(test)]
mod tests;
mod texts;
mod verdict;

use anyhow::Result;

use crate::run::RunDirectory;
use files::{RunFiles, names};

/// Seed of what is drawn to be shown: runs over the same data show the same people, questions and interactions.
const SEED: u64 = 0;

/// What some runs left to be looked at.
pub struct Report {
    runs: Vec<RunFiles>,
}

impl Report {
    /// Reads runs, finished or under way.
    ///
    /// # Errors
    /// No run, a run twice, a file that is there and cannot be read.
    pub fn read(runs: &[RunDirectory]) -> Result<Self> {
        let named = names(runs)?.into_iter().zip(runs);
        let runs = named.map(|(name, run)| RunFiles::read(name, run));
        Ok(Self {
            runs: runs.collect::<Result<_>>()?,
        })
    }

    /// The page.
    ///
    /// # Errors
    /// A model, store or artefact that is there and cannot be read.
    pub fn html(&self) -> Result<String> {
        page::html(&self.runs)
    }
}
