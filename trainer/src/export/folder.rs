//! An artefact on disk: written as a whole or not at all, read with every check.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use curec_shared_model::artefact::{Artefact, ArtefactError, MANIFEST};

use super::ExportError;
use crate::run::UNFINISHED;

/// Sizes of what was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Name and bytes of every file.
    pub files: Vec<(String, u64)>,
    /// Their sum.
    pub bytes: u64,
}

/// Writes `artefact` as `folder`. The files are complete and on disk in a folder beside it before it takes its place, so a
/// kill leaves the old artefact, the new one, or (for an instant) none, never a mixture.
///
/// # Errors
/// An artefact that its reader would refuse; the file system.
pub fn write_folder(artefact: &Artefact, folder: &Path) -> Result<Written, ExportError> {
    let files = artefact.to_files()?;
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(at(parent))?;
    let draft = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(parent)
        .map_err(at(parent))?;
    let mut written = Written {
        files: Vec::new(),
        bytes: 0,
    };
    for (name, bytes) in &files {
        let path = draft.path().join(name);
        let mut file = fs::File::create(&path).map_err(at(&path))?;
        file.write_all(bytes).map_err(at(&path))?;
        file.sync_all().map_err(at(&path))?;
        written.files.push((name.clone(), bytes.len() as u64));
        written.bytes += bytes.len() as u64;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    readable_by_all(draft.path());
    fs::rename(draft.keep(), folder).map_err(at(folder))?;
    Ok(written)
}

/// Temporary folders are private to their owner; a page's files are not.
fn readable_by_all(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Failing this, the owner can still read it.
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Reads and checks an artefact folder.
///
/// # Errors
/// The file system, and everything [`Artefact::from_files`] refuses.
pub fn read_folder(folder: &Path) -> Result<Artefact, ExportError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            let bytes = fs::read(&path).map_err(at(&path))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    without_twins(&mut files);
    let Some(manifest) = files.get(MANIFEST) else {
        return Err(ExportError::Unusable(ArtefactError::MissingFile {
            file: MANIFEST.to_owned(),
        }));
    };
    let manifest = String::from_utf8_lossy(manifest).into_owned();
    Artefact::from_files(&manifest, &files).map_err(ExportError::Unusable)
}

/// A page's folder holds every file compressed as well, for web servers.
fn without_twins(files: &mut BTreeMap<String, Vec<u8>>) {
    let names: Vec<String> = files.keys().cloned().collect();
    files.retain(|name, _| {
        let plain = name.strip_suffix(".br").or(name.strip_suffix(".gz"));
        plain.is_none_or(|plain| !names.iter().any(|other| other == plain))
    });
}
