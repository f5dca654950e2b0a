//! Where an unfinished stage stands, so that it can go on as if it had never stopped.
//!
//! A checkpoint is a folder that appears by one rename, whole, and then replaces the one before it: a kill at any moment
//! leaves the old one or the new. Logs are not in it; it remembers how long they were, and what was appended later is cut
//! off when the stage goes on ([`JsonLines::resume`](super::JsonLines::resume)).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::files::remove_folder;

const NAME: &str = ".checkpoint-";
const UNFINISHED: &str = ".unfinished-checkpoint";

/// The checkpoints of one stage, in its working folder.
#[derive(Debug)]
pub struct Checkpoints {
    working: PathBuf,
    every: Duration,
    last: Instant,
    latest: Option<u64>,
}

impl Checkpoints {
    /// Looks for what an interrupted attempt left in the working folder of a stage; further ones are due `every` so often.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(working: &Path, every: Duration) -> Result<Self> {
        let number = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix(NAME)?.parse::<u64>().ok()
        };
        let entries = std::fs::read_dir(working)
            .with_context(|| format!("cannot read {}", working.display()))?;
        Ok(Self {
            working: working.to_owned(),
            every,
            last: Instant::now(),
            latest: entries.filter_map(number).max(),
        })
    }

    /// The folder of the newest checkpoint.
    pub fn latest(&self) -> Option<PathBuf> {
        self.latest.map(|number| self.folder(number))
    }

    /// Whether it is time for another.
    pub fn due(&self) -> bool {
        self.last.elapsed() >= self.every
    }

    /// Lets `write` fill a folder, and makes it the newest checkpoint.
    ///
    /// # Errors
    /// Those of `write`, and the system's.
    pub fn commit(&mut self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let fresh = self.working.join(UNFINISHED);
        remove_folder(&fresh)?;
        std::fs::create_dir(&fresh)
            .with_context(|| format!("cannot create {}", fresh.display()))?;
        write(&fresh)?;
        for entry in std::fs::read_dir(&fresh)? {
            File::open(entry?.path())?.sync_all()?;
        }
        let before = self.latest();
        let number = self.latest.map_or(0, |number| number + 1);
        let place = self.folder(number);
        std::fs::rename(&fresh, &place)
            .with_context(|| format!("cannot move {}", fresh.display()))?;
        self.latest = Some(number);
        if let Some(before) = before {
            remove_folder(&before)?;
        }
        self.last = Instant::now();
        Ok(())
    }

    fn folder(&self, number: u64) -> PathBuf {
        self.working.join(format!("{NAME}{number}"))
    }
}

/// Removes all checkpoints of a stage whose record is written: until then one that is half removed would be gone on from.
///
/// # Errors
/// The system's.
pub(super) fn remove_all(working: &Path) -> Result<()> {
    for entry in std::fs::read_dir(working)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(NAME) || name == UNFINISHED {
            remove_folder(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_checkpoint_is_whole_or_absent_and_the_newest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Checkpoints::open(folder.path(), Duration::ZERO).unwrap();
        let mut checkpoints = open();
        assert!(checkpoints.latest().is_none() && checkpoints.due());
        let put =
            |text: &'static str| move |out: &Path| Ok(std::fs::write(out.join("state"), text)?);
        let newest = |checkpoints: &Checkpoints| {
            std::fs::read_to_string(checkpoints.latest().unwrap().join("state")).unwrap()
        };
        checkpoints.commit(put("one")).unwrap();
        checkpoints.commit(put("two")).unwrap();
        assert_eq!(newest(&open()), "two");
        // A write that stops half-way, and a kill before the older folder was removed.
        let failed = checkpoints.commit(|out| {
            std::fs::write(out.join("state"), "half")?;
            bail!("power cut")
        });
        assert!(failed.is_err());
        std::fs::create_dir(folder.path().join(".checkpoint-0")).unwrap();
        let mut again = open();
        assert_eq!(newest(&again), "two");
        again.commit(put("three")).unwrap();
        assert_eq!(newest(&again), "three");
        remove_all(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
