//! The reading side: bytes → a checked [`Artefact`]. Order: manifest, presence, sizes, hashes, shapes, then meaning
//! ([`super::check`]); the first thing that is wrong is what is reported.

use super::{
    Artefact, ArtefactError, FORMAT, FileRole, MANIFEST, Manifest, VERSION, check, tensors,
    write::sha256,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// What is read before anything else, so that another version is named as such and not as a parse error.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

impl Manifest {
    /// Parses and checks `manifest.json` on its own: a reader that must fetch files learns their names here.
    pub fn parse(json: &str) -> Result<Self, ArtefactError> {
        let bad = |error: serde_json::Error| ArtefactError::BadManifest {
            message: error.to_string(),
        };
        let header: Header = serde_json::from_str(json).map_err(bad)?;
        if header.format != FORMAT {
            return Err(ArtefactError::WrongFormat {
                found: header.format,
            });
        }
        if header.version != VERSION {
            return Err(ArtefactError::UnsupportedVersion {
                found: header.version,
            });
        }
        let manifest: Self = serde_json::from_str(json).map_err(bad)?;
        for (index, entry) in manifest.files.iter().enumerate() {
            if manifest.files[..index].iter().any(|e| e.role == entry.role) {
                return Err(ArtefactError::DuplicateRole { role: entry.role });
            }
            if entry.name != entry.role.file_name() {
                return Err(ArtefactError::BadFileName {
                    role: entry.role,
                    file: entry.name.clone(),
                });
            }
            let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if entry.sha256.len() != 64 || !entry.sha256.bytes().all(digit) {
                return Err(ArtefactError::BadHash {
                    file: entry.name.clone(),
                });
            }
        }
        for role in FileRole::ALL {
            if !manifest.files.iter().any(|entry| entry.role == role) {
                return Err(ArtefactError::MissingRole { role });
            }
        }
        Ok(manifest)
    }
}

impl Artefact {
    /// Checks and parses an artefact. `files` holds every file of the folder by name; `manifest.json` may be among them
    /// and is then ignored in favour of `manifest_json`.
    ///
    /// # Errors
    /// One variant of [`ArtefactError`] per way the folder can be bad. No input panics.
    pub fn from_files(
        manifest_json: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ArtefactError> {
        let manifest = Manifest::parse(manifest_json)?;
        for entry in &manifest.files {
            let Some(bytes) = files.get(&entry.name) else {
                return Err(ArtefactError::MissingFile {
                    file: entry.name.clone(),
                });
            };
            if bytes.len() as u64 != entry.bytes {
                return Err(ArtefactError::WrongSize {
                    file: entry.name.clone(),
                    expected: entry.bytes,
                    found: bytes.len() as u64,
                });
            }
            if sha256(bytes) != entry.sha256 {
                return Err(ArtefactError::WrongHash {
                    file: entry.name.clone(),
                });
            }
        }
        for name in files.keys() {
            if name != MANIFEST && !manifest.files.iter().any(|entry| entry.name == *name) {
                return Err(ArtefactError::UnlistedFile { file: name.clone() });
            }
        }
        let artefact = Self {
            catalogue: json(files, FileRole::Catalogue)?,
            users: json(files, FileRole::Users)?,
            reasons: json(files, FileRole::Reasons)?,
            results: json(files, FileRole::Results)?,
            preview: json(files, FileRole::Preview)?,
            tensors: tensors::decode(
                FileRole::Model.file_name(),
                content(files, FileRole::Model)?,
            )?,
            created_by: manifest.created_by,
            dataset: manifest.dataset,
            run: manifest.run,
            model: manifest.model,
        };
        check::check(&artefact)?;
        Ok(artefact)
    }
}

fn content(files: &BTreeMap<String, Vec<u8>>, role: FileRole) -> Result<&[u8], ArtefactError> {
    files
        .get(role.file_name())
        .map(Vec::as_slice)
        .ok_or_else(|| ArtefactError::MissingFile {
            file: role.file_name().to_owned(),
        })
}

fn json<T: DeserializeOwned>(
    files: &BTreeMap<String, Vec<u8>>,
    role: FileRole,
) -> Result<T, ArtefactError> {
    let file = role.file_name().to_owned();
    serde_json::from_slice(content(files, role)?).map_err(|error| {
        let message = error.to_string();
        if error.is_data() {
            ArtefactError::BadShape { file, message }
        } else {
            ArtefactError::BadJson { file, message }
        }
    })
}
