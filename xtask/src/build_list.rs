//! `build.json`: every file of the built page with its size and SHA-256, and the hash of the artefact's manifest. The service worker
//! keeps a page by this list, holds every file to it, and learns from it that there is a newer one.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::layout::{ARTEFACT, CODE, ROOT_FILES, code_id};

/// The list's own name in the page's folder.
pub const NAME: &str = "build.json";
const FORMAT: &str = "curec-build";
const VERSION: u32 = 1;

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of a file.
    pub fn of_file(path: &Path) -> Result<Self> {
        let hash = || -> std::io::Result<Self> {
            let mut file = std::fs::File::open(path)?;
            let mut hasher = Sha256::new();
            let mut part = vec![0; 1 << 16];
            loop {
                match file.read(&mut part)? {
                    0 => return Ok(Self(hasher.finalize().into())),
                    length => hasher.update(&part[..length]),
                }
            }
        };
        hash().with_context(|| format!("cannot read {}", path.display()))
    }

    /// As 64 small hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As it is.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One file of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Path below the page's folder, with slashes.
    pub name: String,
    /// Bytes as stored, without any encoding.
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// What it belongs to: [`group`].
    pub group: String,
}

#[derive(Serialize)]
struct BuildList {
    format: &'static str,
    version: u32,
    /// The code's folder.
    code: String,
    files: Vec<Listed>,
    /// The artefact's manifest, which lists the other files of the artefact by hash.
    artefact: Listed,
}

/// Writes the list of a page whose code is arranged and whose artefact is there.
pub fn write(out: &Path) -> Result<()> {
    let manifest = format!("{ARTEFACT}/manifest.json");
    let code = code_id(out)?;
    let mut files = Vec::new();
    for (name, path) in files_below(out)? {
        let is_code = name.starts_with(&format!("{CODE}/"));
        // The service worker's own line is the browser's to keep.
        let is_root = ROOT_FILES.contains(&name.as_str()) && name != "sw.js";
        if is_code || is_root {
            files.push(listed(name, &path)?);
        }
    }
    let list = BuildList {
        format: FORMAT,
        version: VERSION,
        code,
        files,
        artefact: listed(manifest.clone(), &out.join(&manifest))?,
    };
    let text = serde_json::to_string(&list).context("the list of files cannot be written")?;
    std::fs::write(out.join(NAME), text).with_context(|| format!("cannot write {NAME}"))
}

fn listed(name: String, path: &Path) -> Result<Listed> {
    let bytes = std::fs::metadata(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .len();
    Ok(Listed {
        sha256: Hash::of_file(path)?.hex(),
        group: group(&name),
        bytes,
        name,
    })
}

/// What a file of the page belongs to, which is also what is fetched together: the `page`; the scorer on the `cpu`, which every
/// visitor gets; each further module of WebAssembly (`gpu`, `writer`), fetched where it is wanted; the artefact's `model` and its
/// `texts`, its `comparison` and its `language model`.
pub fn group(name: &str) -> String {
    if let Some(file) = name.strip_prefix(&format!("{ARTEFACT}/")) {
        let what = match file {
            "comparison.json" => "comparison",
            "writer.json" | "tokenizer.json" | "writer.safetensors" => LANGUAGE_MODEL,
            _ if file.ends_with(".json") => "texts",
            _ => "model",
        };
        return what.to_owned();
    }
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.strip_prefix("curec-web") {
        Some(".js" | "_bg.wasm") => "cpu".to_owned(),
        Some(rest) => rest
            .trim_start_matches('-')
            .trim_end_matches(".js")
            .trim_end_matches("_bg.wasm")
            .to_owned(),
        None => "page".to_owned(),
    }
}

/// The artefact's language model, fetched when somebody asks for a text; [`WRITER`] is the code for it.
pub const LANGUAGE_MODEL: &str = "language model";
/// The module that writes.
pub const WRITER: &str = "writer";

/// Whether a file is another one, compressed.
pub fn is_compressed(name: &str) -> bool {
    name.ends_with(".br") || name.ends_with(".gz")
}

/// Every file below a folder by its path there (with slashes), sorted, without compressed twins.
pub fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    collect(root, "", &mut files).with_context(|| format!("cannot list {}", root.display()))?;
    files.retain(|(name, _)| !is_compressed(name));
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, example B.1: the SHA-256 of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_are_the_standards() {
        assert_eq!(Hash::of(b"abc").hex(), ABC);
        let folder = tempfile::tempdir().expect("made");
        std::fs::write(folder.path().join("a"), "abc").expect("written");
        let file = Hash::of_file(&folder.path().join("a")).expect("read");
        assert_eq!(file, Hash::of(b"abc"));
    }

    #[test]
    fn every_file_has_its_group() {
        for (name, expected) in [
            ("index.html", "page"),
            ("code/1/js/main.js", "page"),
            ("code/1/worker.js", "page"),
            ("code/1/curec-web.js", "cpu"),
            ("code/1/curec-web_bg.wasm", "cpu"),
            ("code/1/curec-web-gpu.js", "gpu"),
            ("code/1/curec-web-gpu_bg.wasm", "gpu"),
            ("artefact/model.safetensors", "model"),
            ("artefact/users.json", "texts"),
        ] {
            assert_eq!(group(name), expected, "{name}");
        }
    }

    #[test]
    fn the_list_has_every_file_but_the_artefacts_the_compressed_and_itself() {
        let out = tempfile::tempdir().expect("made");
        for name in [
            "index.html",
            "index.html.br",
            "favicon.svg",
            "sw.js",
            "code/0123/worker.js",
            "code/0123/worker.js.gz",
            "artefact/manifest.json",
            "artefact/users.json",
        ] {
            let path = out.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "abc").expect("written");
        }
        for time in ["first", "again"] {
            write(out.path()).expect(time);
            let text = std::fs::read_to_string(out.path().join(NAME)).expect("written");
            let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(list["code"], "0123");
            let files: Vec<Listed> = serde_json::from_value(list["files"].clone()).expect("a list");
            let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, ["code/0123/worker.js", "favicon.svg", "index.html"]);
            assert!(
                files
                    .iter()
                    .all(|file| file.sha256 == ABC && file.bytes == 3)
            );
            assert_eq!(list["artefact"]["sha256"], ABC);
        }
    }
}
