//! The reading side: bytes → a checked [`Artefact`]. Order: manifest, presence, sizes, hashes, shapes, then meaning
//! ([`super::check`]); the first thing that is wrong is what is reported.

use super::{
    Artefact, ArtefactError, CatalogueItem, Comparison, FORMAT, FileRole, MANIFEST, Manifest, Part,
    Reason, UserRecord, VERSION, WriterPart, check, tensors, write::sha256,
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
        for part in [Part::Core, Part::Comparison, Part::Writer] {
            let lacks = |role: &FileRole| !manifest.has(*role);
            let begun = FileRole::of(part).any(|role| manifest.has(role));
            if (begun || part == Part::Core)
                && let Some(role) = FileRole::of(part).find(lacks)
            {
                return Err(ArtefactError::MissingRole { role });
            }
        }
        Ok(manifest)
    }

    /// Whether a file with this role is listed.
    pub fn has(&self, role: FileRole) -> bool {
        self.files.iter().any(|entry| entry.role == role)
    }

    /// Presence, size and hash of the files with these roles, as far as they are listed.
    fn verify(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        wanted: impl Fn(FileRole) -> bool,
    ) -> Result<(), ArtefactError> {
        for entry in self.files.iter().filter(|entry| wanted(entry.role)) {
            let file = || entry.name.clone();
            let Some(bytes) = files.get(&entry.name) else {
                return Err(ArtefactError::MissingFile { file: file() });
            };
            if bytes.len() as u64 != entry.bytes {
                return Err(ArtefactError::WrongSize {
                    file: file(),
                    expected: entry.bytes,
                    found: bytes.len() as u64,
                });
            }
            if sha256(bytes) != entry.sha256 {
                return Err(ArtefactError::WrongHash { file: file() });
            }
        }
        Ok(())
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
        Self::read(manifest_json, files, |_| true)
    }

    /// The same of the [core](Part::Core) alone; the other parts' files may be absent and are not looked at.
    ///
    /// # Errors
    /// As [`Artefact::from_files`].
    pub fn core_from_files(
        manifest_json: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ArtefactError> {
        Self::read(manifest_json, files, |part| part == Part::Core)
    }

    fn read(
        manifest_json: &str,
        files: &BTreeMap<String, Vec<u8>>,
        wanted: impl Fn(Part) -> bool,
    ) -> Result<Self, ArtefactError> {
        let manifest = Manifest::parse(manifest_json)?;
        manifest.verify(files, |role| wanted(role.part()))?;
        for name in files.keys() {
            if name != MANIFEST && !manifest.files.iter().any(|entry| entry.name == *name) {
                return Err(ArtefactError::UnlistedFile { file: name.clone() });
            }
        }
        let there = |part: Part| wanted(part) && FileRole::of(part).all(|role| manifest.has(role));
        let comparison = match there(Part::Comparison) {
            true => Some(json(files, FileRole::Comparison)?),
            false => None,
        };
        let writer = match there(Part::Writer) {
            true => Some(writer(files)?),
            false => None,
        };
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
            comparison,
            writer,
            created_by: manifest.created_by,
            dataset: manifest.dataset,
            run: manifest.run,
            model: manifest.model,
        };
        check::check(&artefact)?;
        Ok(artefact)
    }
}

impl Comparison {
    /// Checks and parses the comparison of an artefact; `files` holds it and what it is about: catalogue, users and reasons.
    ///
    /// # Errors
    /// As [`Artefact::from_files`]; [`ArtefactError::MissingRole`] where the artefact has none.
    pub fn from_files(
        manifest_json: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ArtefactError> {
        const NEEDED: [FileRole; 4] = [
            FileRole::Catalogue,
            FileRole::Users,
            FileRole::Reasons,
            FileRole::Comparison,
        ];
        let manifest = Manifest::parse(manifest_json)?;
        lists(&manifest, FileRole::Comparison)?;
        manifest.verify(files, |role| NEEDED.contains(&role))?;
        let catalogue: Vec<CatalogueItem> = json(files, FileRole::Catalogue)?;
        let users: Vec<UserRecord> = json(files, FileRole::Users)?;
        let reasons: Vec<Vec<Reason>> = json(files, FileRole::Reasons)?;
        let comparison: Self = json(files, FileRole::Comparison)?;
        comparison.check(catalogue.len(), &users, &reasons)?;
        Ok(comparison)
    }
}

impl WriterPart {
    /// Checks and parses the writer of an artefact, and the items it writes about; `files` holds its files and the catalogue.
    ///
    /// # Errors
    /// As [`Artefact::from_files`]; [`ArtefactError::MissingRole`] where the artefact has none.
    pub fn from_files(
        manifest_json: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(Self, Vec<CatalogueItem>), ArtefactError> {
        let manifest = Manifest::parse(manifest_json)?;
        lists(&manifest, FileRole::Writer)?;
        manifest.verify(files, |role| {
            role.part() == Part::Writer || role == FileRole::Catalogue
        })?;
        let part = writer(files)?;
        part.check(&manifest.model.reward_config(manifest.dataset.items)?)?;
        Ok((part, json(files, FileRole::Catalogue)?))
    }
}

fn lists(manifest: &Manifest, role: FileRole) -> Result<(), ArtefactError> {
    match manifest.has(role) {
        true => Ok(()),
        false => Err(ArtefactError::MissingRole { role }),
    }
}

fn writer(files: &BTreeMap<String, Vec<u8>>) -> Result<WriterPart, ArtefactError> {
    let tokenizer = content(files, FileRole::Tokenizer)?;
    let bad = |error: std::str::Utf8Error| ArtefactError::BadJson {
        file: FileRole::Tokenizer.file_name().to_owned(),
        message: error.to_string(),
    };
    Ok(WriterPart {
        settings: json(files, FileRole::Writer)?,
        tokenizer: std::str::from_utf8(tokenizer).map_err(bad)?.to_owned(),
        tensors: tensors::decode(
            FileRole::WriterModel.file_name(),
            content(files, FileRole::WriterModel)?,
        )?,
    })
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
