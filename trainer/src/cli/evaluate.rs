//! `curec evaluate`: the stage, or the explanations of a finished run, measured.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::identity::Printed;
use super::run::{StageArgs, look, stage};
use crate::baselines::{Earlier, RunAgainst};
use crate::evaluation::Results;
use crate::run::{RunDirectory, Stage, read_json, write_json};
use crate::stages::measure_reasons;

/// Name of the file in the run directory.
const FILE: &str = "explanations.json";
/// The same of what stands beside baselines.
const AGAINST: &str = "against.json";

/// Arguments of `curec evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    stage: StageArgs,
    /// Measure the explanations instead: hallucination, causes (built-in world), faithfulness of attention, personalisation and
    /// diversity, before and after correction; writes explanations.json into the run directory
    #[arg(long)]
    reasons: bool,
    /// With --reasons: print explanations.json instead of a table
    #[arg(long, requires = "reasons")]
    json: bool,
    /// Instead: the run's models less results of `curec baseline --run RUN --out FILE --ranks`, paired over users; writes against.json
    /// into the run directory. May be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reasons", "json"])]
    against: Vec<PathBuf>,
}

/// The stage `evaluate`, or what the explanations are worth.
///
/// # Errors
/// A stage it needs has not run; bad settings; its own failure.
pub fn run(args: EvaluateArgs) -> Result<()> {
    if !args.against.is_empty() {
        ensure!(
            !args.stage.given(),
            "--against pairs results that are there, and nothing is set for it: leave out --preset, --config, --set and the other settings"
        );
        return against(&args.stage.run, &args.against);
    }
    if !args.reasons {
        return stage(Stage::Evaluate, args.stage);
    }
    let found = look(Stage::Evaluate, &args.stage, |context| {
        let found = measure_reasons(context)?;
        let run = context.run.root();
        let printed = Printed::new(&found, &[run])?;
        write_json(&run.join(FILE), &printed)?;
        Ok(match args.json {
            true => serde_json::to_string_pretty(&printed)? + "\n",
            false => found.to_string(),
        })
    })?;
    print!("{found}");
    Ok(())
}

/// `against.json`.
#[derive(Serialize)]
struct Beside {
    models: Vec<RunAgainst>,
}

fn against(run: &Path, files: &[PathBuf]) -> Result<()> {
    let run = RunDirectory::open(run)?;
    ensure!(
        run.record(Stage::Evaluate).is_some(),
        "{} has no results yet: `curec evaluate --run {0}` makes them",
        run.root().display()
    );
    let results: Results = read_json(&run.stage(Stage::Evaluate).join("results.json"))?;
    let earlier = files.iter().map(|file| Earlier::read(file));
    let earlier = earlier.collect::<Result<Vec<_>>>()?;
    let found = Beside {
        models: RunAgainst::of(&results, &run.data_sha256()?, &earlier)?,
    };
    write_json(
        &run.root().join(AGAINST),
        &Printed::new(&found, &[run.root()])?,
    )?;
    for one in &found.models {
        println!("{}", one.model);
        for less in &one.against {
            print!("  {less}");
        }
    }
    Ok(())
}
