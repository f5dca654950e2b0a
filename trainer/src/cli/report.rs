//! `curec report`: runs as one HTML file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::report::Report;
use crate::run::{RunDirectory, ensure_can_write, write_atomic};

/// Arguments of `curec report`.
#[derive(Debug, Args)]
#[command(
    after_help = "One run's report is written into its folder. With several runs the first is the one that the others are compared with.\nRuns of different data or measured in different ways stand in one file and are never compared."
)]
pub struct ReportArgs {
    /// Run directories; runs may still be going on
    #[arg(value_name = "RUN", required_unless_present = "run")]
    runs: Vec<PathBuf>,
    /// A run directory, as other commands name it
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// The file to write [default: report.html in the run directory; of several runs, in the folder at hand]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

/// Writes the report and says where.
///
/// # Errors
/// There is no run; a file of one is damaged; the report cannot be written, or would replace something else.
pub fn run(args: ReportArgs) -> Result<()> {
    let folders: Vec<PathBuf> = args.run.into_iter().chain(args.runs).collect();
    let runs = folders
        .iter()
        .map(|folder| RunDirectory::open(folder))
        .collect::<Result<Vec<_>>>()?;
    let out = args.out.unwrap_or_else(|| match runs.as_slice() {
        [one] => one.root().join("report.html"),
        _ => PathBuf::from("report.html"),
    });
    ensure_can_write(&out)?;
    write_atomic(&out, Report::read(&runs)?.html()?.as_bytes())?;
    eprintln!("wrote {}", out.display());
    Ok(())
}
