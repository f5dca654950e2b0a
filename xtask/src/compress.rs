//! Compressed twins of the page's files, `NAME.br` and `NAME.gz`, for hosts that hand out such files as they are: they are smaller
//! than what a host compresses while somebody waits. Compressing takes longer than building the page, so what was compressed
//! once is kept by its hash.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::build_list::{Hash, files_below, is_compressed};

/// A twin is worth a file if it takes at most this share of the original.
const WORTH: f64 = 0.95;
/// The largest window that browsers take.
const WINDOW: i32 = 24;

/// An encoding as HTTP names it, with the end of its files' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli, quality 11.
    Brotli,
    /// gzip, level 9.
    Gzip,
}

impl Encoding {
    /// Best first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// In `Content-Encoding`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The twin of a file.
    pub fn twin(self, file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(self.suffix());
        name.into()
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }

    fn compress(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let settings = BrotliEncoderParams {
                    quality: 11,
                    lgwin: WINDOW,
                    size_hint: bytes.len(),
                    ..BrotliEncoderParams::default()
                };
                let mut compressed = Vec::new();
                brotli::BrotliCompress(&mut &*bytes, &mut compressed, &settings)?;
                Ok(compressed)
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Gives every file below `out` its twins where they are worth it, and removes twins of files that changed or are gone.
pub fn compress_all(out: &Path, kept: &Path) -> Result<()> {
    remove_twins(out)?;
    std::fs::create_dir_all(kept).with_context(|| format!("cannot create {}", kept.display()))?;
    let mut work: Vec<(u64, PathBuf, Encoding)> = Vec::new();
    for (_, path) in files_below(out)? {
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        work.extend(Encoding::ALL.map(|encoding| (bytes, path.clone(), encoding)));
    }
    // Taken from the end: the largest first, so that no core waits long for the last one.
    work.sort_by_key(|(bytes, ..)| *bytes);
    let work = Mutex::new(work);
    let next = || work.lock().ok()?.pop();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    while let Some((_, path, encoding)) = next() {
                        compress(&path, encoding, kept)?;
                    }
                    Ok(())
                })
            })
            .collect();
        let results = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(anyhow!("compressing panicked")))
        });
        results.collect::<Result<()>>()
    })
}

fn compress(path: &Path, encoding: Encoding, kept: &Path) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let known = kept.join(format!("{}{}", Hash::of(&bytes).hex(), encoding.suffix()));
    let compressed = match std::fs::read(&known) {
        Ok(compressed) => compressed,
        Err(_) => {
            let compressed = encoding
                .compress(&bytes)
                .with_context(|| format!("cannot compress {}", path.display()))?;
            // Under its name only once it is whole.
            let begun =
                known.with_extension(format!("{}-{}", std::process::id(), encoding.token()));
            std::fs::write(&begun, &compressed)
                .and_then(|()| std::fs::rename(&begun, &known))
                .with_context(|| format!("cannot write {}", known.display()))?;
            compressed
        }
    };
    if compressed.len() as f64 <= bytes.len() as f64 * WORTH {
        let twin = encoding.twin(path);
        std::fs::write(&twin, compressed)
            .with_context(|| format!("cannot write {}", twin.display()))?;
    }
    Ok(())
}

fn remove_twins(folder: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            remove_twins(&path)?;
        } else if is_compressed(&path.to_string_lossy()) {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn twins_hold_the_same_and_only_where_they_are_worth_it() {
        let (out, kept) = (
            tempfile::tempdir().expect("made"),
            tempfile::tempdir().expect("made"),
        );
        let text = "curec says why. ".repeat(500);
        // What has been compressed does not shrink again.
        let dense = Encoding::Brotli
            .compress(Hash::of(b"seed").bytes())
            .expect("compressed");
        std::fs::create_dir(out.path().join("js")).expect("made");
        std::fs::write(out.path().join("js/a.js"), &text).expect("written");
        std::fs::write(out.path().join("dense.bin"), &dense).expect("written");
        std::fs::write(out.path().join("gone.js.br"), "old").expect("written");
        compress_all(out.path(), kept.path()).expect("compressed");

        let read = |name: &str| std::fs::read(out.path().join(name));
        let mut plain = String::new();
        brotli::Decompressor::new(&*read("js/a.js.br").expect("there"), 4096)
            .read_to_string(&mut plain)
            .expect("brotli");
        assert_eq!(plain, text);
        plain.clear();
        flate2::read::GzDecoder::new(&*read("js/a.js.gz").expect("there"))
            .read_to_string(&mut plain)
            .expect("gzip");
        assert_eq!(plain, text);
        assert!(read("dense.bin.br").is_err() && read("dense.bin.gz").is_err());
        assert!(read("gone.js.br").is_err(), "its file is gone");
    }

    #[test]
    fn what_was_compressed_is_not_compressed_again() {
        let (out, kept) = (
            tempfile::tempdir().expect("made"),
            tempfile::tempdir().expect("made"),
        );
        std::fs::write(out.path().join("a.js"), "a".repeat(1000)).expect("written");
        compress_all(out.path(), kept.path()).expect("compressed");
        let name = format!("{}.br", Hash::of("a".repeat(1000).as_bytes()).hex());
        std::fs::write(kept.path().join(name), "kept").expect("the file is known by its hash");
        compress_all(out.path(), kept.path()).expect("compressed");
        assert_eq!(
            std::fs::read_to_string(out.path().join("a.js.br")).expect("read"),
            "kept"
        );
    }
}
