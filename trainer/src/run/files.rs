//! Files that are whole or absent.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file by way of a temporary one in the same folder: a reader sees the old bytes or the new, never a mixture.
///
/// # Errors
/// The system's, with the path.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Pretty JSON, written atomically.
///
/// # Errors
/// The system's, with the path.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    write_atomic(path, &bytes)
}

/// Reads a JSON file.
///
/// # Errors
/// With the path, and the line where it is not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Reads a file of one JSON value a line.
///
/// # Errors
/// With path and line.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parse = |(number, line): (usize, std::io::Result<String>)| {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&line)
            .with_context(|| format!("{}, line {}", path.display(), number + 1))
    };
    BufReader::new(file)
        .lines()
        .enumerate()
        .map(parse)
        .collect()
}

/// One JSON value a line, appended as the work goes on.
pub struct JsonLines {
    out: BufWriter<File>,
}

impl JsonLines {
    /// Starts the file anew.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            out: BufWriter::new(file),
        })
    }

    /// Appends a value and hands it to the system at once.
    ///
    /// # Errors
    /// The system's.
    pub fn push(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        Ok(())
    }
}

/// Removes a folder if it exists.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Puts `fresh` where `place` is. A kill in between leaves the old folder aside and the stage to be run again.
pub(super) fn replace_folder(fresh: &Path, place: &Path) -> Result<()> {
    let aside = place.with_extension("old");
    remove_folder(&aside)?;
    if place.exists() {
        std::fs::rename(place, &aside)
            .with_context(|| format!("cannot move {}", place.display()))?;
    }
    std::fs::rename(fresh, place).with_context(|| format!("cannot move {}", fresh.display()))?;
    remove_folder(&aside)
}
