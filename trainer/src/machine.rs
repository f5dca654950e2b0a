//! What this machine has, as far as the system tells, and what this program was built from.

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

/// The commit that was checked out when this program was built, with `-dirty` if its sources were not as they are there (build.rs). None: they were in no
/// repository.
pub fn commit() -> Option<String> {
    option_env!("CUREC_COMMIT").map(str::to_owned)
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
#[path = "../build.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod build;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

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

    fn git(at: &Path, arguments: &[&str]) {
        let output = Command::new("git")
            .arg("-C")
            .arg(at)
            .args([
                "-c",
                "user.name=nobody",
                "-c",
                "user.email=nobody@example.org",
            ])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_WORK_TREE")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
    }

    /// A folder with one source and one document, in no repository.
    fn sources(root: PathBuf) -> PathBuf {
        std::fs::create_dir_all(root.join("trainer/src")).unwrap();
        std::fs::write(root.join("trainer/src/lib.rs"), "").unwrap();
        std::fs::write(root.join("README.md"), "").unwrap();
        root
    }

    #[test]
    fn a_build_names_its_commit_and_says_whether_its_sources_are_as_they_are_there() {
        if Command::new("git").arg("--version").output().is_err() {
            eprintln!("skipped: no git");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = sources(folder.path().join("main"));
        assert_eq!(build::commit(&root), None);
        assert_eq!(build::watched(&root), [root.join("trainer/src")]);
        git(&root, &["init", "--quiet"]);
        git(&root, &["add", "."]);
        git(&root, &["commit", "--quiet", "--message=first"]);
        let first = build::commit(&root).unwrap();
        let hexadecimal = first.chars().all(|letter| letter.is_ascii_hexdigit());
        assert!(first.len() == 12 && hexadecimal, "{first}");

        std::fs::write(root.join("README.md"), "other words").unwrap();
        assert_eq!(build::commit(&root).unwrap(), first);
        std::fs::write(root.join("trainer/src/lib.rs"), "// other code").unwrap();
        assert_eq!(build::commit(&root).unwrap(), format!("{first}-dirty"));

        // A worktree has a commit and changes of its own.
        let other = folder.path().join("other");
        git(
            &root,
            &["worktree", "add", "--quiet", other.to_str().unwrap()],
        );
        assert_eq!(build::commit(&other).unwrap(), first);
        git(
            &other,
            &["commit", "--quiet", "--allow-empty", "--message=second"],
        );
        let second = build::commit(&other).unwrap();
        assert!(second != first && !second.contains("dirty"), "{second}");
        assert_eq!(build::commit(&root).unwrap(), format!("{first}-dirty"));
    }
}
