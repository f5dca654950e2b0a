//! `curec evaluate`: the stage, or the explanations of a finished run, measured.

use anyhow::Result;
use clap::Args;

use super::identity::Printed;
use super::run::{StageArgs, look, stage};
use crate::run::{Stage, write_json};
use crate::stages::measure_reasons;

/// Name of the file in the run directory.
const FILE: &str = "explanations.json";

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
}

/// The stage `evaluate`, or what the explanations are worth.
///
/// # Errors
/// A stage it needs has not run; bad settings; its own failure.
pub fn run(args: EvaluateArgs) -> Result<()> {
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
