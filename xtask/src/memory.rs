//! Runs a child process and watches how much memory it takes.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::step;

const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// How a watched process ended.
pub struct Watched {
    /// Its exit status.
    pub status: ExitStatus,
    /// How long it ran.
    pub elapsed: Duration,
    /// The most resident memory it ever had, in bytes; `None` where /proc does not tell.
    pub peak: Option<u64>,
}

/// Runs a command with the terminal's own input and output. The kernel keeps the high-water mark itself, so sampling
/// only misses what is allocated in a process's very last moments.
pub fn run_watched(command: &mut Command) -> Result<Watched> {
    let start = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", step::shown(command)))?;
    let file = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            peak = high_water_mark(&text).or(peak);
        }
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(Watched {
                status,
                elapsed: start.elapsed(),
                peak,
            });
        }
        std::thread::sleep(SAMPLE_EVERY);
    }
}

/// `VmHWM:   123 kB` in the text of /proc/PID/status, in bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_in_kilobytes() {
        let status = "VmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 5 kB\n";
        assert_eq!(high_water_mark(status), Some(2 * 1024 * 1024));
        assert_eq!(high_water_mark("State:\tZ (zombie)\n"), None);
    }

    #[test]
    fn a_child_that_takes_memory_is_seen() {
        let script = "x=$(head -c 40000000 /dev/zero | tr '\\0' a); sleep 0.5; exit 3";
        let watched = run_watched(Command::new("sh").args(["-c", script])).expect("sh runs");
        assert_eq!(watched.status.code(), Some(3));
        assert!(watched.peak.expect("proc is there") > 40_000_000);
        assert!(watched.elapsed >= Duration::from_millis(500));
    }
}
