//! One stage's result in several runs: the same files under several names, so that nothing is computed or kept twice.
//!
//! A stage's folder is never written to once it has its name: running the stage again fills another folder and removes the names of the
//! old one. So runs that share a result cannot damage each other's, and each can be moved or removed by itself.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::files::{remove_folder, replace_folder};
use super::{RunDirectory, Stage};

const RECORD: &str = "stage.json";

impl RunDirectory {
    /// Takes over a stage that another run has finished with this fingerprint; returns whether it did. Files get a second name in this run
    /// (hard links), or are copied where the file system cannot do that. An attempt of this run's own is given up.
    ///
    /// # Errors
    /// A file can neither be linked nor copied.
    pub fn adopt(&self, stage: Stage, fingerprint: &str, other: &Self) -> Result<bool> {
        let same = |run: &Self| {
            run.record(stage)
                .is_some_and(|record| record.fingerprint == fingerprint)
        };
        if same(self) || !same(other) {
            return Ok(false);
        }
        // The record comes last: what a kill leaves before it is no result, and after it a whole one.
        let (from, working) = (other.stage(stage), self.working(stage));
        remove_folder(&working)?;
        link_folder(&from, &working, true)?;
        link_file(&from.join(RECORD), &working.join(RECORD))?;
        replace_folder(&working, &self.stage(stage))?;
        Ok(true)
    }
}

/// The same files in a new folder; at the top the stage's record is left out.
fn link_folder(from: &Path, to: &Path, top: bool) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries =
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (name, place) = (entry.file_name(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            link_folder(&entry.path(), &place, false)?;
        } else if !top || name != RECORD {
            link_file(&entry.path(), &place)?;
        }
    }
    Ok(())
}

/// A second name for a file; a copy where the file system has none to give (another disk, no hard links, too many of them).
fn link_file(from: &Path, to: &Path) -> Result<()> {
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    std::fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(root: &Path, fingerprint: &str, text: &str) -> RunDirectory {
        let run = RunDirectory::create(root).unwrap();
        std::fs::write(root.join("run.json"), "{}").unwrap();
        run.execute(Stage::Warmup, fingerprint, |out| {
            std::fs::create_dir(out.join("model"))?;
            Ok(std::fs::write(out.join("model/weights"), text)?)
        })
        .unwrap();
        run
    }

    fn weights(run: &RunDirectory) -> String {
        std::fs::read_to_string(run.stage(Stage::Warmup).join("model/weights")).unwrap()
    }

    #[test]
    fn a_result_is_taken_over_only_with_the_same_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let one = finished(&folder.path().join("one"), "f", "trained");
        let two = RunDirectory::create(&folder.path().join("two")).unwrap();
        assert!(!two.adopt(Stage::Warmup, "g", &one).unwrap());
        assert!(!two.stage(Stage::Warmup).exists() && !two.working(Stage::Warmup).exists());
        assert!(two.adopt(Stage::Warmup, "f", &one).unwrap());
        assert_eq!(two.record(Stage::Warmup), one.record(Stage::Warmup));
        assert_eq!(weights(&two), "trained");
        assert!(!two.adopt(Stage::Warmup, "f", &one).unwrap(), "it has it");
        let never = |_: &Path| anyhow::bail!("done again");
        assert!(!two.execute(Stage::Warmup, "f", never).unwrap());
    }

    #[test]
    fn running_a_shared_stage_again_leaves_the_other_run_alone() {
        let folder = tempfile::tempdir().unwrap();
        let one = finished(&folder.path().join("one"), "f", "trained");
        let two = RunDirectory::create(&folder.path().join("two")).unwrap();
        std::fs::write(folder.path().join("two/run.json"), "{}").unwrap();
        two.adopt(Stage::Warmup, "f", &one).unwrap();
        finished(&folder.path().join("two"), "g", "trained otherwise");
        assert_eq!(
            (weights(&one).as_str(), weights(&two).as_str()),
            ("trained", "trained otherwise")
        );
        std::fs::remove_dir_all(folder.path().join("two")).unwrap();
        assert_eq!(weights(&one), "trained");
    }

    #[test]
    fn half_a_link_is_no_result_and_an_attempt_of_its_own_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let one = finished(&folder.path().join("one"), "f", "trained");
        let two = RunDirectory::create(&folder.path().join("two")).unwrap();
        // As a kill leaves it: files, no record.
        link_folder(&one.stage(Stage::Warmup), &two.working(Stage::Warmup), true).unwrap();
        assert!(two.record(Stage::Warmup).is_none());
        two.execute(Stage::Warmup, "f", |out| {
            assert!(
                !out.join("model").exists(),
                "linked files are not written to"
            );
            std::fs::write(out.join("half"), "own")?;
            anyhow::bail!("power cut")
        })
        .unwrap_err();
        assert!(two.adopt(Stage::Warmup, "f", &one).unwrap());
        assert_eq!(weights(&two), "trained");
        assert!(!two.stage(Stage::Warmup).join("half").exists());
        assert_eq!(weights(&one), "trained");
    }
}
