//! The writing side: an [`Artefact`] → bytes by file name.

use super::{
    Artefact, ArtefactError, FORMAT, FileEntry, FileRole, MANIFEST, Manifest, VERSION, check,
    tensors,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Artefact {
    /// All files of the folder by name, the manifest among them. The same artefact gives the same bytes.
    ///
    /// # Errors
    /// What [`Artefact::from_files`] would refuse is refused here already.
    pub fn to_files(&self) -> Result<BTreeMap<String, Vec<u8>>, ArtefactError> {
        check::check(self)?;
        let mut files = BTreeMap::new();
        let mut entries = Vec::new();
        for role in FileRole::ALL {
            let name = role.file_name();
            let bytes = match role {
                FileRole::Comparison => match &self.comparison {
                    Some(comparison) => json(name, comparison)?,
                    None => continue,
                },
                FileRole::Writer | FileRole::Tokenizer | FileRole::WriterModel => {
                    match &self.writer {
                        Some(writer) if role == FileRole::Writer => json(name, &writer.settings)?,
                        Some(writer) if role == FileRole::Tokenizer => {
                            writer.tokenizer.clone().into_bytes()
                        }
                        Some(writer) => tensors::encode(name, &writer.tensors)?,
                        None => continue,
                    }
                }
                FileRole::Catalogue => json(name, &self.catalogue)?,
                FileRole::Users => json(name, &self.users)?,
                FileRole::Reasons => json(name, &self.reasons)?,
                FileRole::Results => json(name, &self.results)?,
                FileRole::Preview => json(name, &self.preview)?,
                FileRole::Model => tensors::encode(name, &self.tensors)?,
            };
            entries.push(FileEntry {
                name: name.to_owned(),
                bytes: bytes.len() as u64,
                sha256: sha256(&bytes),
                role,
            });
            files.insert(name.to_owned(), bytes);
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            created_by: self.created_by.clone(),
            dataset: self.dataset.clone(),
            run: self.run.clone(),
            files: entries,
            model: self.model.clone(),
        };
        let bytes =
            serde_json::to_vec_pretty(&manifest).map_err(|error| ArtefactError::BadManifest {
                message: error.to_string(),
            })?;
        files.insert(MANIFEST.to_owned(), bytes);
        Ok(files)
    }
}

/// SHA-256 as 64 lower-case hex digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn json<T: Serialize>(file: &str, value: &T) -> Result<Vec<u8>, ArtefactError> {
    serde_json::to_vec(value).map_err(|error| ArtefactError::BadJson {
        file: file.to_owned(),
        message: error.to_string(),
    })
}
