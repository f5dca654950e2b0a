//! What the runs of one seed found, in a file small enough to be kept or to be carried to another machine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::table::{Cost, Found};
use crate::evaluation::Protocol;
use crate::run::read_json;

/// `seed-N/ranks.json` in the folder of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRanks {
    /// The seed.
    pub seed: u64,
    /// Program version.
    pub version: String,
    /// Commit of the sources, where they lie in git.
    pub commit: Option<String>,
    /// How every run was ranked.
    pub protocol: Protocol,
    /// Content hash of the data set.
    pub data_sha256: String,
    /// What the seed's runs took.
    pub cost: Cost,
    /// By the row's name: rank of each user's held-out item, in user order.
    pub ranks: BTreeMap<String, Vec<u32>>,
}

impl SeedRanks {
    /// Reads a file and holds it against itself.
    ///
    /// # Errors
    /// No such file, not of this form, or a row without a rank for everybody.
    pub fn read(path: &Path) -> Result<Self> {
        let found: Self = read_json(path)?;
        let Protocol { users, items, .. } = found.protocol;
        for (row, ranks) in &found.ranks {
            ensure!(
                ranks.len() == users,
                "{} is damaged: row `{row}` has {} ranks for {users} users",
                path.display(),
                ranks.len()
            );
            ensure!(
                ranks
                    .iter()
                    .all(|&rank| (1..=items).contains(&(rank as usize))),
                "{} is damaged: row `{row}` has ranks that {items} items cannot have",
                path.display()
            );
        }
        Ok(found)
    }

    /// Whether both come of the same program and data.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.version, &self.commit) == (&other.version, &other.commit)
            && self.protocol == other.protocol
            && self.data_sha256 == other.data_sha256
    }

    /// Refuses what cannot stand in one table with `other`.
    fn check_against(&self, other: &Self) -> Result<()> {
        ensure!(
            self.version == other.version,
            "seed {} was run by curec {}, seed {} by {}: they cannot stand in one table",
            self.seed,
            self.version,
            other.seed,
            other.version
        );
        ensure!(
            self.data_sha256 == other.data_sha256
                && self.protocol.users == other.protocol.users
                && self.protocol.items == other.protocol.items
                && self.protocol.target == other.protocol.target
                && self.protocol.seen_items == other.protocol.seen_items,
            "seed {} was run on other data, or ranked otherwise, than seed {}: they cannot stand in one table",
            self.seed,
            other.seed
        );
        Ok(())
    }
}

/// The ranks of `rows` over all `seeds`.
///
/// # Errors
/// Seeds of different data, or one that lacks a row.
pub(super) fn by_row(rows: &[Row], seeds: &[SeedRanks]) -> Result<Vec<Found>> {
    for seed in seeds {
        seed.check_against(&seeds[0])?;
    }
    let of_row = |&row: &Row| {
        let of_seed = |seed: &SeedRanks| {
            seed.ranks.get(row.name).cloned().with_context(|| {
                format!(
                    "seed {} has no row `{}`: leave it out by --only, or run that seed here",
                    seed.seed, row.name
                )
            })
        };
        let ranks = seeds.iter().map(of_seed).collect::<Result<_>>()?;
        Ok(Found { row, ranks })
    };
    rows.iter().map(of_row).collect()
}

/// What all of them took.
pub(super) fn cost(seeds: &[SeedRanks]) -> Cost {
    seeds.iter().fold(Cost::default(), |sum, seed| Cost {
        seconds: sum.seconds + seed.cost.seconds,
        seconds_unshared: sum.seconds_unshared + seed.cost.seconds_unshared,
        peak_memory_mib: sum.peak_memory_mib.max(seed.cost.peak_memory_mib),
    })
}
