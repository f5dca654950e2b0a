//! `curec study`: the page of a blind human study, and its key beside it.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::checks::Material;
use crate::device::{DeviceChoice, open};
use crate::past::Timeline;
use crate::reward::{Features, Scorer};
use crate::run::{
    Progress, Stage, ensure_can_write, on_interrupt, read_json, write_atomic, write_json,
};
use crate::study::{Settings, build, html};

/// Arguments of `curec study`.
#[derive(Debug, Args)]
pub struct StudyArgs {
    /// The run directory; its stage `correct` must be finished
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The page to write; the key is written beside it, under the same name with .key.json, and is not for raters
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Recommendations to compare, each of another person; half of them with each baseline; a verdict needs 30 with each, of which
    /// raters can tell
    #[arg(long, value_name = "N", default_value_t = 72)]
    pairs: usize,
    /// Titles of each person's history that are shown
    #[arg(long, value_name = "N", default_value_t = 8)]
    history: usize,
    /// Seed of the choice of people and of everything random in the page
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
}

/// Writes page and key.
///
/// # Errors
/// The run is not finished or its model reads no reasons; too few people with a reason to show.
pub fn run(args: StudyArgs) -> Result<()> {
    on_interrupt();
    let key_path = key_path(&args.out)?;
    ensure_can_write(&args.out)?;
    let material = Material::open(&args.run, &[Stage::Correct])?;
    let device = open(args.device)?;
    let model = material.ranking_model(Stage::Correct, &device)?;
    ensure!(
        model.config().use_reasons,
        "the ranking model of this run reads no reasons (reward.model.use_reasons = false): there is nothing to show"
    );
    let texts = material.texts(Stage::Correct)?;
    let features = Features {
        timeline: Timeline::new(&material.dataset),
        patterns: &texts.patterns,
        reasons: &texts.reasons,
    };
    let scorer = Scorer::new(model, features, &device)?;
    let settings = Settings {
        pairs: args.pairs,
        history: args.history,
        seed: args.seed,
    };
    let (dataset, config) = (&material.dataset, &material.config);
    let (study, key) = build(
        dataset,
        config,
        &scorer,
        &texts.reasons,
        settings,
        Progress::default(),
    )?;
    keeps_ratings_readable(&key_path, &key.study)?;
    write_atomic(&args.out, html(&study)?.as_bytes())?;
    write_json(&key_path, &key)?;
    let (page, key_path) = (args.out.display(), key_path.display());
    eprintln!(
        "wrote {page} ({} pairs, study {}): give it to raters\nwrote {key_path}: keep it; `curec check study RATINGS.json \
         --key {key_path}` needs it",
        study.pairs.len(),
        key.study
    );
    Ok(())
}

/// Ratings of a study are nothing without its key.
fn keeps_ratings_readable(path: &Path, study: &str) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    #[derive(Deserialize)]
    struct Known {
        study: String,
    }
    let known = read_json::<Known>(path).ok();
    ensure!(
        known.is_some_and(|known| known.study == study),
        "{} is the key of another study, whose ratings cannot be read without it: give --out another name, or move the key away",
        path.display()
    );
    Ok(())
}

/// `study.html` → `study.key.json`.
fn key_path(page: &Path) -> Result<PathBuf> {
    ensure!(
        page.extension()
            .is_some_and(|extension| extension == "html"),
        "{} must end in .html: the key is written beside it under the same name",
        page.display()
    );
    Ok(page.with_extension("key.json"))
}
