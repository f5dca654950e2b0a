//! `curec watch`: a run followed in the terminal.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::live::watch;
use crate::run::RunDirectory;

/// Arguments of `curec watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Keys: Tab or ← → another stage, ↑ ↓ and PgUp PgDn more metrics, s the newest samples, q quits.\nIt only reads: the run goes on by itself, in whichever terminal it was started."
)]
pub struct WatchArgs {
    /// The run directory; the run may be going on, be finished, or not have begun its first stage
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Print how things stand as plain text and end, as it also does where the output is no terminal
    #[arg(long)]
    once: bool,
}

/// Follows the run until it is told to quit.
///
/// # Errors
/// There is no run; the terminal cannot be used; with `--once`, a file of the run that is damaged.
pub fn run(args: WatchArgs) -> Result<()> {
    watch(&RunDirectory::open(&args.run)?, args.once)
}
