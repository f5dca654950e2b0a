//! `curec ablate`: what each part of the method is worth, as one table.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use super::run::{BaseArgs, layered};
use crate::ablation::{AblationDirectory, Plan, selected};
use crate::device::open_for;
use crate::run::{Progress, on_interrupt};

/// Arguments of `curec ablate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Rows: full, no-pretrain, no-correction, no-update, shuffled, no-reasons, no-patterns, ids-only, text-only, random-texts-retrained;\ncontrols on the trained full model: random-texts, random-reasons, swapped-reasons, other-patterns, no-history; and popularity.\nEvery run lies in DIR/seed-N/ROW and is a run directory like any other; what runs have in common is computed once.\nAfter a kill the same command goes on. More seeds or rows may be added later, and seeds may be run on several machines: DIR/ablate.toml and\nDIR/seed-N/ranks.json are all that --join needs."
)]
pub struct AblateArgs {
    #[command(flatten)]
    base: BaseArgs,
    /// The folder of the ablation; one that is there goes on with its stored settings unless some are given
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seeds, each a whole set of runs; a claim needs at least three
    #[arg(
        long,
        value_name = "N,N,…",
        value_delimiter = ',',
        default_value = "1,2,3"
    )]
    seeds: Vec<u64>,
    /// Some of the rows only (the full one is always there); p-values are then corrected over these
    #[arg(long, value_name = "ROW,ROW,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Folder of an ablation with the same settings, run elsewhere: seeds that are done there are taken over by their ranks; may be repeated
    #[arg(long, value_name = "DIR")]
    join: Vec<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// Runs what is missing and prints the table.
///
/// # Errors
/// Bad settings; a folder with something else in it; a failed stage.
pub fn run(args: AblateArgs) -> Result<()> {
    let rows = selected(&args.only)?;
    let mut seeds = args.seeds.clone();
    seeds.sort_unstable();
    seeds.dedup();
    ensure!(
        seeds.len() == args.seeds.len(),
        "--seeds names a seed twice; each stands for a set of runs of its own"
    );
    let joined = (args.join.iter())
        .map(|folder| AblationDirectory::open(folder))
        .collect::<Result<Vec<_>>>()?;
    let directory = AblationDirectory::create(&args.out)?;
    let joined_settings = match joined.first() {
        Some(first) => first.settings()?,
        None => None,
    };
    let config = match (directory.settings()?, joined_settings) {
        (Some(stored), _) if !args.base.given() => stored,
        // Data or checkpoint may lie elsewhere on this machine.
        (_, Some(theirs)) if !args.base.restarts() => {
            let sets = args.base.overrides();
            theirs.with(&sets.iter().map(String::as_str).collect::<Vec<_>>())?
        }
        _ => layered(&args.base, &[])?,
    };
    on_interrupt();
    let device = open_for(args.base.device, config.llm.dtype)?;
    let plan = Plan {
        directory: &directory,
        config: &config,
        seeds: &args.seeds,
        joined: &joined,
        rows: &rows,
        device: &device,
        progress: Progress {
            quiet: args.base.quiet,
        },
    };
    plan.validate()?;
    directory.keep_settings(&config)?;
    let report = plan.run()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
