//! The runs behind the table: one run directory per row and seed, stages they have in common done once; seeds that were run elsewhere
//! are joined by their ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;

use super::rows::{REFERENCE, ROWS, Row, Source};
use super::seed::{SeedRanks, by_row, cost};
use super::table::{AblationReport, Cost};
use crate::config::Config;
use crate::evaluation::{Control, Protocol, Results};
use crate::run::{Progress, RunDirectory, Stage, read_json, write_atomic, write_json};
use crate::stages::{Context, execute, share};

const SETTINGS: &str = "ablate.toml";
const RANKS: &str = "ranks.json";

/// The folder of an ablation: `ablate.toml`, `seed-N/ROW/` for every run, `seed-N/ranks.json` once a seed is done, `ablation.json` and
/// `ablation.txt`.
#[derive(Debug, Clone)]
pub struct AblationDirectory {
    root: PathBuf,
}

impl AblationDirectory {
    /// Opens or creates the folder; refuses one that holds something else.
    ///
    /// # Errors
    /// The folder cannot be made, or is not empty and no ablation's.
    pub fn create(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot create {}", root.display()))?;
        let empty = std::fs::read_dir(root)?.next().is_none();
        ensure!(
            empty || root.join(SETTINGS).exists(),
            "{} is not empty and holds no {SETTINGS}: choose another --out, so that nothing of yours is touched",
            root.display()
        );
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Opens the folder of an ablation that is there.
    ///
    /// # Errors
    /// It is none.
    pub fn open(root: &Path) -> Result<Self> {
        ensure!(
            root.join(SETTINGS).exists(),
            "{} is no folder of an ablation: it holds no {SETTINGS}",
            root.display()
        );
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The settings of its full run, if some were stored.
    ///
    /// # Errors
    /// The file is of another version.
    pub fn settings(&self) -> Result<Option<Config>> {
        let path = self.root.join(SETTINGS);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(Config::layered(None, Some(&path), &[])?))
    }

    /// Stores the settings of the full run; other ones than are there would replace every result.
    ///
    /// # Errors
    /// Others are stored, or the file cannot be written.
    pub fn keep_settings(&self, config: &Config) -> Result<()> {
        match self.settings()? {
            Some(stored) if stored.deciding() != config.deciding() => bail!(
                "{} holds an ablation with other settings; leave the settings out to go on with it, or choose another --out",
                self.root.display()
            ),
            _ => write_atomic(&self.root.join(SETTINGS), config.to_toml()?.as_bytes()),
        }
    }

    /// The run directory of a row and seed.
    pub fn run(&self, seed: u64, row: &str) -> PathBuf {
        self.seed(seed).join(row)
    }

    /// What a seed found, if all of it is done.
    ///
    /// # Errors
    /// The file is damaged.
    fn ranks(&self, seed: u64) -> Result<Option<SeedRanks>> {
        let path = self.seed(seed).join(RANKS);
        if !path.exists() {
            return Ok(None);
        }
        let found = SeedRanks::read(&path)?;
        ensure!(
            found.seed == seed,
            "{} is of seed {}, not of {seed}",
            path.display(),
            found.seed
        );
        Ok(Some(found))
    }

    fn seed(&self, seed: u64) -> PathBuf {
        self.root.join(format!("seed-{seed}"))
    }
}

/// Without the places of data and checkpoint, which may be others on another machine: the data's hash is looked at anyway, and a
/// checkpoint keeps its name.
fn anywhere(config: &Config) -> (Config, Option<String>) {
    let mut config = config.deciding();
    let name = |model: &PathBuf| Some(model.file_name()?.to_string_lossy().into_owned());
    let model = config.llm.model.as_ref().and_then(name);
    (config.data.path, config.llm.model) = (None, None);
    (config, model)
}

/// What is to be computed.
pub struct Plan<'a> {
    /// Where.
    pub directory: &'a AblationDirectory,
    /// Settings of the full run; every run has its own seed in place of theirs.
    pub config: &'a Config,
    /// Seeds.
    pub seeds: &'a [u64],
    /// Folders of ablations with the same settings: seeds that are done there are not run here.
    pub joined: &'a [AblationDirectory],
    /// Rows, the full one first.
    pub rows: &'a [Row],
    /// Where tensors live.
    pub device: &'a Device,
    /// Bars.
    pub progress: Progress,
}

impl Plan<'_> {
    /// Refuses settings that cannot work before anything is computed.
    ///
    /// # Errors
    /// Names the setting, and the row that cannot have it.
    pub fn validate(&self) -> Result<()> {
        for row in self.rows {
            let config = self.settings(self.config.seed, row)?;
            config
                .validate()
                .with_context(|| format!("row `{}`", row.label))?;
        }
        let own = self.directory.root.canonicalize()?;
        let mut joined = Vec::new();
        for other in self.joined {
            let place = other.root.display();
            ensure!(
                other.root.canonicalize()? != own,
                "{place} is the folder of --out: leave out --join to go on with it"
            );
            let same = (other.settings()?).is_some_and(|it| anywhere(&it) == anywhere(self.config));
            ensure!(
                same,
                "{place} holds an ablation with other settings: its seeds cannot be joined to these"
            );
            for &seed in self.seeds {
                joined.extend(other.ranks(seed)?);
            }
        }
        by_row(self.rows, &joined).map(drop)
    }

    /// Runs whatever is missing, and writes the table after every seed; returns it.
    ///
    /// # Errors
    /// A stage's; Ctrl-C, after which the same call goes on; joined seeds of other data.
    pub fn run(&self) -> Result<AblationReport> {
        let mut done = Vec::new();
        let mut report = None;
        for &seed in self.seeds {
            let found = match self.found_elsewhere(seed)? {
                Some(found) => found,
                None => self.run_seed(seed)?,
            };
            done.push(found);
            report = Some(self.write_table(&done)?);
        }
        report.context("an ablation needs at least one seed")
    }

    /// What a joined folder has of a seed that was not run here.
    fn found_elsewhere(&self, seed: u64) -> Result<Option<SeedRanks>> {
        if self.directory.seed(seed).exists() {
            return Ok(None);
        }
        for other in self.joined {
            if let Some(found) = other.ranks(seed)? {
                let place = other.root.display();
                (self.progress).say(&format!("— seed {seed} is that of {place}"));
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Settings of a row's run. Controls run in the full one only.
    fn settings(&self, seed: u64, row: &Row) -> Result<Config> {
        let mut config = match row.source {
            Source::Run(settings) => self.config.with(settings)?,
            Source::Model(_) | Source::Control(_) => self.config.clone(),
        };
        config.evaluate.controls = match row.name {
            REFERENCE => Control::ALL.to_vec(),
            _ => Vec::new(),
        };
        // Differences are between the same users.
        if config.data.max_users.is_some() && config.data.sample_seed.is_none() {
            config.data.sample_seed = Some(config.seed);
        }
        config.seed = seed;
        Ok(config)
    }

    /// All stages up to the evaluation, taken over from other runs of the seed where they have them.
    fn run_one(&self, seed: u64, row: &Row) -> Result<()> {
        let run = RunDirectory::create(&self.directory.run(seed, row.name))?;
        let config = self.settings(seed, row)?;
        let context = Context {
            run: &run,
            config: &config,
            device: self.device,
            progress: self.progress,
        };
        self.progress.say(&format!("— {}, seed {seed}", row.label));
        context.store_settings()?;
        let (names, others): (Vec<&str>, Vec<RunDirectory>) = ROWS
            .iter()
            .filter(|other| other.name != row.name)
            .filter_map(|other| {
                let found = RunDirectory::open(&self.directory.run(seed, other.name)).ok()?;
                Some((other.label, found))
            })
            .unzip();
        for stage in Stage::ALL
            .into_iter()
            .filter(|stage| *stage <= Stage::Evaluate)
        {
            context.check()?;
            match share(stage, &context, &others)? {
                Some(other) => self.progress.say(&format!(
                    "{:>22} is that of `{}`",
                    stage.name(),
                    names[other]
                )),
                None => execute(stage, &context)?,
            }
        }
        Ok(())
    }

    /// All rows of a seed, and their ranks as a file.
    fn run_seed(&self, seed: u64) -> Result<SeedRanks> {
        let path = self.directory.seed(seed).join(RANKS);
        let before = self.directory.ranks(seed)?;
        // What is being computed anew is not done.
        if before.is_some() {
            std::fs::remove_file(&path)?;
        }
        for row in self.rows {
            if let Source::Run(_) = row.source {
                self.run_one(seed, row)?;
            }
        }
        let mut same: Option<(Protocol, String)> = None;
        let mut read: BTreeMap<&str, Results> = BTreeMap::new();
        let mut ranks = BTreeMap::new();
        for row in self.rows {
            let folder = self.directory.run(seed, row.run());
            if !read.contains_key(row.run()) {
                let run = RunDirectory::open(&folder)?;
                read.insert(row.run(), read_results(&run, &mut same)?);
            }
            let model = read[row.run()].model(row.model()).with_context(|| {
                let place = folder.display();
                format!("the evaluation in {place} ranks no model `{}`", row.model())
            })?;
            ranks.insert(row.name.to_owned(), model.ranks.clone());
        }
        let (protocol, data_sha256) = same.context("an ablation needs at least one row")?;
        let mut found = SeedRanks {
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: crate::machine::commit(),
            protocol,
            data_sha256,
            cost: Cost::default(),
            ranks,
        };
        // Rows of an earlier call are still there.
        if let Some(before) = before.filter(|before| before.is_like(&found)) {
            for (row, ranks) in before.ranks {
                found.ranks.entry(row).or_insert(ranks);
            }
        }
        found.cost = self.cost(seed, &found)?;
        write_json(&path, &found)?;
        Ok(found)
    }

    /// What the runs behind these ranks took.
    fn cost(&self, seed: u64, found: &SeedRanks) -> Result<Cost> {
        let rows = ROWS.iter().filter(|row| found.ranks.contains_key(row.name));
        let runs: BTreeSet<&str> = rows.map(Row::run).collect();
        let mut bill = Bill::default();
        for run in runs {
            bill.add(&RunDirectory::open(&self.directory.run(seed, run))?);
        }
        Ok(bill.cost())
    }

    /// The table of these seeds, also as `ablation.json` and `ablation.txt`.
    fn write_table(&self, seeds: &[SeedRanks]) -> Result<AblationReport> {
        let found = by_row(self.rows, seeds)?;
        let first = &seeds[0];
        let (numbers, same): (Vec<u64>, bool) = (
            seeds.iter().map(|found| found.seed).collect(),
            seeds.iter().all(|found| found.commit == first.commit),
        );
        let mut report = AblationReport::new(
            &found,
            &numbers,
            first.protocol.clone(),
            first.data_sha256.clone(),
            cost(seeds),
            self.config,
        );
        report.commit = same.then(|| first.commit.clone()).flatten();
        report.commits = seeds.iter().map(|found| found.commit.clone()).collect();
        if !same {
            report.verdict.push(different_programs(seeds));
        }
        let root = &self.directory.root;
        write_json(&root.join("ablation.json"), &report)?;
        write_atomic(&root.join("ablation.txt"), report.to_string().as_bytes())?;
        Ok(report)
    }
}

/// That the seeds are of several commits: differences between them may be the program's.
fn different_programs(seeds: &[SeedRanks]) -> String {
    let of = |found: &SeedRanks| {
        let commit = found.commit.as_deref().unwrap_or("an unknown commit");
        format!("seed {} by {commit}", found.seed)
    };
    let all: Vec<String> = seeds.iter().map(of).collect();
    format!(
        "The seeds were run by different programs ({}): what differs between seeds may be the program's.",
        all.join(", ")
    )
}

/// Reads a run's evaluation; all of them must have ranked the same users of the same data.
fn read_results(run: &RunDirectory, same: &mut Option<(Protocol, String)>) -> Result<Results> {
    let results: Results = read_json(&run.stage(Stage::Evaluate).join("results.json"))?;
    let found = run.data_sha256()?;
    let (protocol, sha256) = same.get_or_insert_with(|| (results.protocol.clone(), found.clone()));
    ensure!(
        *sha256 == found && protocol.users == results.protocol.users,
        "{} was run on other data than the runs before it: the log changed meanwhile; choose another --out",
        run.root().display()
    );
    Ok(results)
}

/// What the stages of several runs took; shared ones are counted once.
#[derive(Default)]
struct Bill {
    stages: BTreeMap<String, f64>,
    unshared: f64,
    memory: Option<u64>,
}

impl Bill {
    fn add(&mut self, run: &RunDirectory) {
        // An artefact that somebody had exported from the run is no part of the table.
        let stages = Stage::ALL
            .into_iter()
            .filter(|stage| *stage <= Stage::Evaluate);
        for record in stages.filter_map(|stage| run.record(stage)) {
            self.unshared += record.seconds;
            self.memory = self.memory.max(record.peak_memory_mib);
            self.stages.insert(record.fingerprint, record.seconds);
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            seconds: self.stages.values().sum(),
            seconds_unshared: self.unshared,
            peak_memory_mib: self.memory,
        }
    }
}
