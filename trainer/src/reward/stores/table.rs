//! Entries with a vector each, and the two files they are kept in.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::StoreError;

/// Entries with one vector each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table<E> {
    pub(super) width: usize,
    pub(super) entries: Vec<E>,
    pub(super) vectors: Vec<f32>,
}

impl<E> Table<E> {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            entries: Vec::new(),
            vectors: Vec::new(),
        }
    }

    pub(super) fn vector(&self, row: u32) -> &[f32] {
        &self.vectors[row as usize * self.width..][..self.width]
    }

    pub(super) fn vector_mut(&mut self, row: u32) -> &mut [f32] {
        &mut self.vectors[row as usize * self.width..][..self.width]
    }

    pub(super) fn check(
        &self,
        vector: &[f32],
        name: impl Fn() -> String,
    ) -> Result<(), StoreError> {
        if vector.len() != self.width {
            return Err(StoreError::Width {
                expected: self.width,
                found: vector.len(),
            });
        }
        if vector.iter().any(|value| !value.is_finite()) {
            return Err(StoreError::NotFinite(name()));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, entry: E, vector: &[f32]) -> u32 {
        self.entries.push(entry);
        self.vectors.extend_from_slice(vector);
        (self.entries.len() - 1) as u32
    }

    /// The rows `own` get the vectors of the rows `other` of `from`, one by one; the last of these again where they run out.
    pub(super) fn take_over(&mut self, own: &[u32], from: &Self, other: &[u32]) {
        let Some(last) = other.len().checked_sub(1) else {
            return;
        };
        for (at, &row) in own.iter().enumerate() {
            let vector = from.vector(other[at.min(last)]);
            self.vector_mut(row).copy_from_slice(vector);
        }
    }

    pub(super) fn replace(&mut self, row: u32, entry: E, vector: &[f32]) {
        self.entries[row as usize] = entry;
        self.vector_mut(row).copy_from_slice(vector);
    }
}

const HASH_KEY: &str = "entries_sha256";

impl<E: Serialize + DeserializeOwned> Table<E> {
    pub(super) fn save(&self, folder: &Path, name: &str) -> Result<(), StoreError> {
        let (lines_path, vectors_path) = paths(folder, name);
        let mut lines = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            serde_json::to_writer(&mut lines, entry).map_err(|error| StoreError::Line {
                path: lines_path.clone(),
                line: index + 1,
                message: error.to_string(),
            })?;
            lines.push(b'\n');
        }
        let bytes: Vec<u8> = self
            .vectors
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let unusable = |error: safetensors::SafeTensorError| StoreError::Vectors {
            path: vectors_path.clone(),
            message: error.to_string(),
        };
        let view = TensorView::new(Dtype::F32, vec![self.entries.len(), self.width], &bytes)
            .map_err(unusable)?;
        let header = HashMap::from([(HASH_KEY.to_owned(), hash(&lines))]);
        let vectors =
            safetensors::serialize([("vectors", view)], Some(header)).map_err(unusable)?;
        write_atomically(&vectors_path, &vectors)?;
        write_atomically(&lines_path, &lines)
    }

    pub(super) fn load(folder: &Path, name: &str) -> Result<Self, StoreError> {
        let (lines_path, vectors_path) = paths(folder, name);
        let lines = read(&lines_path)?;
        let vectors = read(&vectors_path)?;
        let bad = |message: String| StoreError::Vectors {
            path: vectors_path.clone(),
            message,
        };
        let (_, header) =
            SafeTensors::read_metadata(&vectors).map_err(|error| bad(error.to_string()))?;
        let file = SafeTensors::deserialize(&vectors).map_err(|error| bad(error.to_string()))?;
        let stored = header.metadata().as_ref().and_then(|map| map.get(HASH_KEY));
        if stored != Some(&hash(&lines)) {
            return Err(bad(format!(
                "belongs to another version of {}; run the stage that writes both again",
                lines_path.display()
            )));
        }
        let mut entries = Vec::new();
        for (index, line) in lines.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            entries.push(
                serde_json::from_slice(line).map_err(|error| StoreError::Line {
                    path: lines_path.clone(),
                    line: index + 1,
                    message: error.to_string(),
                })?,
            );
        }
        let view = file
            .tensor("vectors")
            .map_err(|error| bad(error.to_string()))?;
        let &[rows, width] = view.shape() else {
            return Err(bad(format!(
                "`vectors` has shape {:?}; [entries, width] is expected",
                view.shape()
            )));
        };
        if view.dtype() != Dtype::F32 || rows != entries.len() {
            return Err(bad(format!(
                "holds {rows} vectors of {:?} for {} entries",
                view.dtype(),
                entries.len()
            )));
        }
        let vectors = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        Ok(Self {
            width,
            entries,
            vectors,
        })
    }
}

fn paths(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (
        folder.join(format!("{name}.jsonl")),
        folder.join(format!("{name}.safetensors")),
    )
}

fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Replaces `path` as a whole: what a reader sees after a crash is the old file or the new one.
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| StoreError::Io {
        path: path.to_owned(),
        source,
    })
}
