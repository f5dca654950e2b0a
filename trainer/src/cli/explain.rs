//! `curec explain`: the recommendations of an exported run with their reasons, in the terminal or as JSON.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::device::{DeviceChoice, open};
use crate::explain::{dump_scores, explain};
use crate::run::{RunDirectory, Stage};

/// Arguments of `curec explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A run directory whose `export` stage has finished
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// An artefact folder instead of a run
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    artefact: Option<PathBuf>,
    /// The user's own identifier in the data
    #[arg(long, value_name = "ID", required_unless_present = "scores")]
    user: Option<String>,
    /// How many recommendations
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the scores of the whole catalogue for N users as JSON instead (for parity checks)
    #[arg(long, value_name = "N")]
    scores: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
}

/// Explains.
///
/// # Errors
/// No artefact, an unknown user, a device that fails.
pub fn run(args: ExplainArgs) -> Result<()> {
    let folder = match (args.artefact, args.run) {
        (Some(folder), _) => folder,
        (None, Some(run)) => {
            let run = RunDirectory::open(&run)?;
            let folder = run.stage(Stage::Export).join("artefact");
            if !folder.is_dir() {
                bail!(
                    "{} has no artefact yet; `curec export --run {0}` makes one",
                    run.root().display()
                );
            }
            folder
        }
        (None, None) => bail!("say which run: --run DIR (or --artefact DIR)"),
    };
    let device = open(args.device)?;
    if let Some(users) = args.scores {
        println!(
            "{}",
            serde_json::to_string(&dump_scores(&folder, users, &device)?)?
        );
        return Ok(());
    }
    let user = args.user.unwrap_or_default();
    let explained = explain(&folder, &user, args.count, &device)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print!("{explained}");
    }
    Ok(())
}
