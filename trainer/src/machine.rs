//! What this machine has, as far as the system tells, and what this program was built from.

use std::process::Command;

/// Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Built in.
    pub total: u64,
    /// Free, or freed at once when asked for.
    pub available: u64,
}

/// Memory of this machine, where the system tells (Linux).
pub fn memory() -> Option<Memory> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = meminfo.lines().find(|line| line.starts_with(name))?;
        let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some(Memory {
        total: field("MemTotal:")?,
        available: field("MemAvailable:")?,
    })
}

/// Largest resident set of this process so far in MiB, where the system tells.
pub fn peak_memory_mib() -> Option<u64> {
    status_mib("VmHWM:")
}

/// The commit of the sources that this program was built from, with `-dirty` if they have changed since.
pub fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR")])
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn status_mib(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Resident set of this process now in MiB, where the system tells.
pub fn resident_mib() -> Option<u64> {
    status_mib("VmRSS:")
}

/// Lets [`peak_memory_mib`] count from now on; whether the system does that (Linux).
pub fn reset_peak_memory() -> bool {
    // proc(5): 5 resets the peak resident set.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let text =
            "MemTotal:       4194304 kB\nMemFree:         100000 kB\nMemAvailable:   1048576 kB\n";
        let known = Memory {
            total: 4 << 30,
            available: 1 << 30,
        };
        assert_eq!(parse(text), Some(known));
        assert_eq!(parse(""), None);
        assert_eq!(parse("MemTotal: much\n"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        if cfg!(target_os = "linux") {
            assert!(peak_memory_mib().is_some_and(|mib| mib > 0));
            assert!(memory().is_some_and(|memory| memory.available <= memory.total));
        }
    }
}
