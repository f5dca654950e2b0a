//! The `curec` binary. Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.

use std::process::ExitCode;

use clap::Parser;
use curec::stages::Interrupted;

fn main() -> ExitCode {
    let cli = curec::cli::Cli::parse();
    match curec::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref::<Interrupted>().is_some() => {
            eprintln!("{error:#}");
            ExitCode::from(130)
        }
        Err(error) => {
            // `{:#}` joins the causes; a backtrace would tell a user nothing.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
