//! Files that are whole or absent.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How the names of files and folders begin that are still being written.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Writes a file by way of a temporary one in the same folder: a reader sees the old bytes or the new, never a mixture.
///
/// # Errors
/// The system's, with the path.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Refuses a place that cannot be written to before anything is computed for it.
///
/// # Errors
/// Its folder is missing or closed, or it is a folder itself; and what to do.
pub fn ensure_can_write(path: &Path) -> Result<()> {
    ensure!(
        !path.is_dir(),
        "{} is a folder: name a file",
        path.display()
    );
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    ensure!(
        folder.is_dir(),
        "{} cannot be written: there is no folder {}; make it first",
        path.display(),
        folder.display()
    );
    let trial = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder);
    let closed = || {
        format!(
            "{} cannot be written: {} takes no files",
            path.display(),
            folder.display()
        )
    };
    trial.map(drop).with_context(closed)
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
    length: u64,
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
            length: 0,
        })
    }

    /// Goes on with a file that was `length` bytes long when its stage was last saved: what was appended after that is cut
    /// off.
    ///
    /// # Errors
    /// The system's, with the path; and a file that is shorter than it was.
    pub fn resume(path: &Path, length: u64) -> Result<Self> {
        let open = || -> Result<File> {
            let mut file = File::options().write(true).open(path)?;
            let found = file.metadata()?.len();
            ensure!(
                found >= length,
                "it has {found} bytes of the {length} it had; remove the stage's working folder to start it anew"
            );
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot go on with {}", path.display()))?;
        Ok(Self {
            out: BufWriter::new(file),
            length,
        })
    }

    /// Starts the file anew, or goes on with one of known length.
    ///
    /// # Errors
    /// Those of [`JsonLines::create`] and [`JsonLines::resume`].
    pub fn at(path: &Path, length: Option<u64>) -> Result<Self> {
        match length {
            Some(length) => Self::resume(path, length),
            None => Self::create(path),
        }
    }

    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends a value and hands it to the system at once.
    ///
    /// # Errors
    /// The system's.
    pub fn push(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// When a file or folder was last changed, if it is there.
pub(super) fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// When anything right inside a folder was last changed, if it is there.
pub fn touched(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let inside = entries.filter_map(|entry| changed(&entry.path())).max();
    inside.max(changed(folder))
}

/// Removes what a kill in the middle of [`write_atomic`] left behind, in a folder and in those inside it.
pub(super) fn remove_unfinished(folder: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match (name.starts_with(UNFINISHED), path.is_dir()) {
            (true, true) => remove_folder(&path)?,
            (true, false) => std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?,
            (false, true) => remove_unfinished(&path)?,
            (false, false) => {}
        }
    }
    Ok(())
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
