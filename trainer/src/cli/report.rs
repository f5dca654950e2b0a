//! `curec report`: a run as one HTML file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::report::Report;
use crate::run::{RunDirectory, write_atomic};

/// Arguments of `curec report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run directory; the run may still be going on
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The file to write [default: report.html in the run directory]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

/// Writes the report and says where.
///
/// # Errors
/// There is no run; a file of it is damaged; the report cannot be written.
pub fn run(args: ReportArgs) -> Result<()> {
    let run = RunDirectory::open(&args.run)?;
    let out = args.out.unwrap_or_else(|| run.root().join("report.html"));
    write_atomic(&out, Report::read(&run)?.html().as_bytes())?;
    eprintln!("wrote {}", out.display());
    Ok(())
}
