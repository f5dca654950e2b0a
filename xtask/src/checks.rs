//! The list of checks of `cargo xtask test`: runs each, counts, and says at the end what took how long and what failed.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::step;
use crate::summary::{Counts, Runner};

/// The checks so far.
#[derive(Default)]
pub struct Checks {
    counts: Counts,
    done: Vec<(String, Duration, Counts)>,
}

impl Checks {
    /// Runs a command that counts as one check (a lint, a build); returns whether it passed.
    pub fn one(&mut self, name: &str, command: &mut Command) -> bool {
        self.record(name, || {
            let status = step::status(command)?;
            Ok(single(status.success()))
        })
    }

    /// Runs something of our own that counts as one check; returns whether it passed.
    pub fn own(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        self.record(name, || work().map(|()| single(true)))
    }

    /// Runs something that counts as one check only if it fails (setting up).
    pub fn need<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let mut made = None;
        self.record(name, || {
            made = Some(work()?);
            Ok(Counts::default())
        });
        made
    }

    /// Runs a test runner and counts its tests; returns whether all passed.
    pub fn tests(&mut self, name: &str, runner: Runner, command: &mut Command) -> bool {
        self.record(name, || {
            let (status, output) = step::run_captured(command)?;
            Ok(judge(status.success(), runner.counts(&output)))
        })
    }

    fn record(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) -> bool {
        step::announce(name);
        let start = Instant::now();
        let counts = work().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            single(false)
        });
        let elapsed = start.elapsed();
        let passed = counts.failed == 0;
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("   {name}: {verdict} ({})", step::seconds(elapsed));
        self.counts += counts;
        self.done.push((name.to_owned(), elapsed, counts));
        passed
    }

    /// Prints the table and, as the very last line, the counts of the whole; returns whether all passed.
    pub fn finish(self) -> bool {
        step::announce("summary (each lint and build counts as one check)");
        for (name, elapsed, counts) in &self.done {
            let verdict = match counts {
                Counts {
                    passed: 0,
                    failed: 0,
                } => "ready".to_owned(),
                Counts { passed, failed: 0 } => format!("{passed} passed"),
                Counts { passed, failed } => format!("{passed} passed, {failed} FAILED"),
            };
            println!("   {:>12}  {name}: {verdict}", step::seconds(*elapsed));
        }
        println!(
            "{} passed, {} failed",
            self.counts.passed, self.counts.failed
        );
        self.counts.failed == 0
    }
}

fn single(passed: bool) -> Counts {
    Counts {
        passed: u64::from(passed),
        failed: u64::from(!passed),
    }
}

/// What a test run amounts to: one that ends badly has a failure, even if its summary is missing or names none.
fn judge(success: bool, counts: Option<Counts>) -> Counts {
    match counts {
        Some(counts) if success || counts.failed > 0 => counts,
        Some(counts) => Counts {
            failed: 1,
            ..counts
        },
        // A run without any summary has not shown that anything works.
        None => single(false),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn a_bad_end_always_has_a_failure() {
        assert_eq!(judge(true, Some(counts(3, 0))), counts(3, 0));
        assert_eq!(judge(false, Some(counts(3, 2))), counts(3, 2));
        assert_eq!(judge(false, Some(counts(3, 0))), counts(3, 1));
        assert_eq!(judge(false, None), counts(0, 1));
        assert_eq!(judge(true, None), counts(0, 1));
    }

    #[test]
    fn checks_add_up() {
        let mut checks = Checks::default();
        let script = |text: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command
        };
        assert!(checks.one("good", &mut script("exit 0")));
        assert!(!checks.one("bad", &mut script("exit 1")));
        assert!(checks.own("fine", || Ok(())));
        assert!(!checks.own("not fine", || bail!("no")));
        let summary = "echo '  Summary [ 0.1s] 4 tests run: 4 passed, 0 skipped' >&2";
        assert!(checks.tests("four", Runner::Nextest, &mut script(summary)));
        assert_eq!(checks.need("ready", || Ok(7)), Some(7));
        assert_eq!(
            checks.need("missing", || -> Result<u8> { bail!("no") }),
            None
        );
        assert_eq!(checks.counts, counts(6, 3));
        assert!(!checks.finish());
    }
}
