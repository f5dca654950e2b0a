//! Hashes, gzip and zip: is what came whole, and what is in it?

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use md5::Md5;
use sha2::{Digest, Sha256};
use ureq::Agent;
use zip::ZipArchive;

use super::transfer::small_text;
use super::{Check, DownloadError};

/// A member of an archive that unpacks to more is not what it says.
const MEMBER_LIMIT: u64 = 4 << 30;

/// What a file must be.
pub(super) enum Expectation {
    Md5 {
        value: String,
        origin: &'static str,
    },
    /// The publisher's hash cannot be had: the archive's own checksums must do.
    Archive,
    Gzip,
}

/// What a file is.
pub(super) struct Sum {
    pub bytes: u64,
    pub sha256: String,
    pub checked_by: String,
}

/// Fetches the publisher's hash where there is one.
pub(super) fn expectation(
    agent: &Agent,
    check: &Check,
    address: &str,
) -> Result<Expectation, DownloadError> {
    let Check::Md5Beside { pinned } = check else {
        return Ok(Expectation::Gzip);
    };
    let beside = format!("{address}.md5");
    // No connection is no hash here: either the file is there already, or its own transfer fails next and says so.
    let published = match small_text(agent, &beside) {
        Err(DownloadError::Unreachable { .. }) => None,
        outcome => outcome?,
    };
    match (published, pinned) {
        (Some(text), _) => match md5_in(&text) {
            Some(value) => Ok(Expectation::Md5 {
                value,
                origin: "MD5 published beside the file",
            }),
            None => Err(DownloadError::NoHash {
                address: beside,
                text: text.chars().take(60).collect(),
            }),
        },
        (None, Some(value)) => Ok(Expectation::Md5 {
            value: value.clone(),
            origin: "publisher's MD5 as noted in this program",
        }),
        (None, None) => Ok(Expectation::Archive),
    }
}

/// The first word of 32 hexadecimal digits: `MD5 (a.zip) = …` and `…  a.zip` alike.
fn md5_in(text: &str) -> Option<String> {
    let is_hash = |word: &&str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let word = text.split_whitespace().find(is_hash)?;
    Some(word.to_ascii_lowercase())
}

impl Expectation {
    /// As [`Expectation::compare`]; a file that fails is removed, so that nothing goes on from it.
    pub(super) fn compare_or_remove(
        &self,
        path: &Path,
        bar: &ProgressBar,
    ) -> Result<Sum, DownloadError> {
        let outcome = self.compare(path, bar);
        let failed = matches!(
            outcome,
            Err(DownloadError::WrongHash { .. }
                | DownloadError::Gzip { .. }
                | DownloadError::Zip { .. })
        );
        if failed {
            std::fs::remove_file(path).map_err(DownloadError::io(path))?;
        }
        outcome
    }

    /// Is the file at `path` what it must be?
    pub(super) fn compare(&self, path: &Path, bar: &ProgressBar) -> Result<Sum, DownloadError> {
        let (bytes, md5, sha256) = hashes(path, bar)?;
        let checked_by = match self {
            Self::Md5 { value, origin } => {
                if *value != md5 {
                    return Err(DownloadError::WrongHash {
                        path: path.to_path_buf(),
                        expected: value.clone(),
                        found: md5,
                    });
                }
                *origin
            }
            Self::Archive => {
                check_archive(path)?;
                "the archive's own CRC-32 (the publisher's MD5 was not to be had)"
            }
            Self::Gzip => {
                check_gzip(path, bar)?;
                "gzip's own CRC-32 and length (no hash is published)"
            }
        };
        Ok(Sum {
            bytes,
            sha256,
            checked_by: checked_by.to_owned(),
        })
    }
}

fn hashes(path: &Path, bar: &ProgressBar) -> Result<(u64, String, String), DownloadError> {
    let mut file = File::open(path).map_err(DownloadError::io(path))?;
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(DownloadError::io(path))?;
        if count == 0 {
            break;
        }
        md5.update(&buffer[..count]);
        sha256.update(&buffer[..count]);
        bytes += count as u64;
        bar.set_position(bytes);
    }
    Ok((
        bytes,
        format!("{:x}", md5.finalize()),
        format!("{:x}", sha256.finalize()),
    ))
}

fn check_gzip(path: &Path, bar: &ProgressBar) -> Result<(), DownloadError> {
    let file = File::open(path).map_err(DownloadError::io(path))?;
    let input = BufReader::with_capacity(1 << 18, bar.wrap_read(file));
    bar.set_position(0);
    let read = std::io::copy(&mut MultiGzDecoder::new(input), &mut std::io::sink());
    read.map(|_| ()).map_err(|error| DownloadError::Gzip {
        path: path.to_path_buf(),
        problem: error.to_string(),
    })
}

fn zip_error(path: &Path) -> impl Fn(String) -> DownloadError + '_ {
    move |problem| DownloadError::Zip {
        path: path.to_path_buf(),
        problem,
    }
}

fn open_archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, DownloadError> {
    let file = File::open(path).map_err(DownloadError::io(path))?;
    ZipArchive::new(BufReader::new(file))
        .map_err(|error| zip_error(path)(format!("no whole zip archive: {error}")))
}

/// Reads every member to its end, which compares its CRC-32.
fn check_archive(path: &Path) -> Result<(), DownloadError> {
    let mut archive = open_archive(path)?;
    for index in 0..archive.len() {
        let member = archive.by_index(index);
        let member = member.map_err(|error| zip_error(path)(error.to_string()))?;
        std::io::copy(&mut member.take(MEMBER_LIMIT), &mut std::io::sink())
            .map_err(|error| zip_error(path)(error.to_string()))?;
    }
    Ok(())
}

/// Unpacks the named members into `out`, without their folders. Only these names are ever written.
pub(super) fn unpack(path: &Path, names: &[String], out: &Path) -> Result<(), DownloadError> {
    let error = zip_error(path);
    let mut archive = open_archive(path)?;
    let mut missing: Vec<&String> = names.iter().collect();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|e| error(e.to_string()))?;
        let inside = member.enclosed_name().unwrap_or_default();
        let name = inside
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(wanted) = missing.iter().position(|wanted| *wanted == name) else {
            continue;
        };
        if !member.is_file() {
            continue;
        }
        let name = missing.swap_remove(wanted);
        let part = out.join(format!("{name}.part"));
        let mut file = File::create(&part).map_err(DownloadError::io(&part))?;
        let mut input = (&mut member).take(MEMBER_LIMIT + 1);
        let bytes = std::io::copy(&mut input, &mut file)
            .map_err(|e| error(format!("{name} cannot be unpacked: {e}")))?;
        if bytes > MEMBER_LIMIT {
            return Err(error(format!(
                "{name} unpacks to more than {MEMBER_LIMIT} bytes"
            )));
        }
        file.flush().map_err(DownloadError::io(&part))?;
        let target = out.join(name);
        std::fs::rename(&part, &target).map_err(DownloadError::io(&target))?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
    Err(error(format!("the archive has no {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_hashes_in_both_layouts() {
        let value = "c4d9eecfca2ab87c1945afe126590906";
        assert_eq!(
            md5_in(&format!("MD5 (ml-1m.zip) = {value}\n")).as_deref(),
            Some(value)
        );
        let upper = value.to_uppercase();
        assert_eq!(
            md5_in(&format!("{upper}  ml-1m.zip")).as_deref(),
            Some(value)
        );
        assert_eq!(md5_in("<html>not found</html>"), None);
    }
}
