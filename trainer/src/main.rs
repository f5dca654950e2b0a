//! The `curec` binary. Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.

use std::process::ExitCode;

use clap::Parser;
use curec::stages::Interrupted;

fn main() -> ExitCode {
    // `curec … | head` ends when head does, instead of with a panic.
    sigpipe::reset();
    let cli = curec::cli::Cli::parse();
    match curec::device::guard(|| curec::cli::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref::<Interrupted>().is_some() => {
            eprintln!("{error:#}");
            ExitCode::from(130)
        }
        Err(error) => {
            // A backtrace would tell a user nothing.
            eprintln!("error: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

/// The causes joined by colons. Some errors name their cause themselves: it is not said twice.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
