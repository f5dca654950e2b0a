//! Stage `data`: read a log or simulate the built-in world, filter, split, describe.

use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Context;
use crate::config::Config;
use crate::data::{Dataset, Log, load, prepare, read, stats, world, write};
use crate::run::{RunDirectory, Stage, read_json, write_json};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let config = context.config;
    if let Some(folder) = &config.data.path {
        // Before the log is read: what changes meanwhile counts as changed.
        write_json(&out.join(SOURCE), &source_files(folder, &[])?)?;
    }
    let log = read_log(config)?;
    let (dataset, dropped) = prepare(&log, &config.data.split_options(config.seed))?;
    write(&dataset, out)?;
    write_json(&out.join("stats.json"), &stats(&log, &dataset, &dropped))?;
    Ok(())
}

fn read_log(config: &Config) -> Result<Log> {
    match &config.data.path {
        Some(folder) => Ok(read(
            folder,
            config.data.format,
            &config.data.read_options(),
        )?),
        None => Ok(world::generate(&config.world)?),
    }
}

/// Name of the file that says what the source was.
const SOURCE: &str = "source.json";

/// A file of the source's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SourceFile {
    name: String,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    sha256: String,
}

/// The files of `folder` by name. The hash of one that `known` has with the same size and time is not computed again.
fn source_files(folder: &Path, known: &[SourceFile]) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let about = std::fs::metadata(&path)
            .with_context(|| format!("cannot look at {}", path.display()))?;
        if !about.is_file() {
            continue;
        }
        let since = about.modified()?.duration_since(UNIX_EPOCH);
        let mut file = SourceFile {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            bytes: about.len(),
            modified: since.map_or(0, |since| since.as_nanos() as u64),
            sha256: String::new(),
        };
        let same = |one: &&SourceFile| {
            (&one.name, one.bytes, one.modified) == (&file.name, file.bytes, file.modified)
        };
        file.sha256 = match known.iter().find(same) {
            Some(known) => known.sha256.clone(),
            None => sha256_of(&path).with_context(|| format!("cannot read {}", path.display()))?,
        };
        files.push(file);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// What the data set is made from: the world's settings, or names and contents of the files in the source's folder, wherever it lies.
pub(super) fn source_fingerprint(run: &RunDirectory, config: &Config) -> Result<Value> {
    let Some(folder) = &config.data.path else {
        return Ok(json!(config.world));
    };
    let known: Vec<SourceFile> =
        read_json(&run.stage(Stage::Data).join(SOURCE)).unwrap_or_default();
    let files = source_files(folder, &known)?;
    let names = files.iter().map(|file| json!([file.name, file.sha256]));
    Ok(names.collect())
}

/// Whether `folder` holds, file by file, what the run's data were read from.
pub fn is_source(run: &RunDirectory, folder: &Path) -> bool {
    let known: Vec<SourceFile> =
        read_json(&run.stage(Stage::Data).join(SOURCE)).unwrap_or_default();
    let what = |files: &[SourceFile]| -> Vec<(String, String)> {
        let pairs = files
            .iter()
            .map(|file| (file.name.clone(), file.sha256.clone()));
        pairs.collect()
    };
    let found = source_files(folder, &known).unwrap_or_default();
    !found.is_empty() && what(&found) == what(&known)
}

/// The data set of a run.
///
/// # Errors
/// The stage has not run, or its files are damaged.
pub fn load_dataset(run: &RunDirectory) -> Result<Dataset> {
    Ok(load(&run.stage(Stage::Data))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "one").unwrap();
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let first = source_files(folder.path(), &[]).unwrap();
        assert_eq!(first.len(), 1);
        // sha256sum of "one".
        let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert_eq!(first[0].sha256, one);
        // Of the same size and time it is not read again.
        let claimed = SourceFile {
            sha256: "claimed".into(),
            ..first[0].clone()
        };
        let again = source_files(folder.path(), std::slice::from_ref(&claimed)).unwrap();
        assert_eq!(again, std::slice::from_ref(&claimed));
        // Of another time it is, and found to be the same.
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1000))
            .unwrap();
        let touched = source_files(folder.path(), &[claimed]).unwrap();
        assert_eq!(
            (touched[0].sha256.as_str(), touched[0].modified),
            (one, 1_000_000_000_000)
        );
    }
}
