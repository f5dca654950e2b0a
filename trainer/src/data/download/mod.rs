//! Fetches the public data sets from their publishers: with resume, a check of what came, and the terms shown first.
//!
//! Nothing is redistributed: the addresses are GroupLens' and the McAuley lab's own, the terms are theirs. Each file is
//! loaded into `NAME.part` (a later call goes on where the last one stopped, by an HTTP range), checked, and only then
//! given its name. GroupLens publishes an MD5 beside each archive, which is fetched and compared; the McAuley lab publishes
//! none, so that the length the server announced and gzip's own CRC-32 over the whole content are what can be checked.

mod catalogue;
mod transfer;
mod verify;

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;
use thiserror::Error;

pub use catalogue::{Check, Plan, RemoteFile, Source};
pub use transfer::agent;

/// Why a download failed. What has come so far stays in `NAME.part`, except after a failed check.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No connection: no internet, a wrong name, a refusing host, a timeout.
    #[error("cannot reach {address}: {problem}")]
    Unreachable {
        /// The address.
        address: String,
        /// What the connection said.
        problem: String,
    },
    /// The server answered, but not with the file.
    #[error("{address}: the server answered {status}")]
    Status {
        /// The address.
        address: String,
        /// HTTP status.
        status: u16,
    },
    /// The connection ended before the file did.
    #[error(
        "{address}: the connection ended after {have} of {expected} bytes; run the same command again to go on from there"
    )]
    Truncated {
        /// The address.
        address: String,
        /// Bytes on disk.
        have: u64,
        /// Bytes announced.
        expected: u64,
    },
    /// The file is not the one that the publisher's hash describes.
    #[error("{}: its MD5 is {found}, the publisher's is {expected}: the file was removed, try again", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Published.
        expected: String,
        /// Of what came.
        found: String,
    },
    /// The publisher's hash file holds no hash.
    #[error("{address} holds no MD5 (it begins `{text}`)")]
    NoHash {
        /// Address of the hash.
        address: String,
        /// Its beginning.
        text: String,
    },
    /// Not gzip, or a broken stream.
    #[error("{}: no whole gzip file ({problem}): it was removed, try again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// Not a zip archive, a broken one, or one without the files it should hold.
    #[error("{}: {problem}", path.display())]
    Zip {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// None of the addresses worked.
    #[error(
        "could not download {name}:\n{attempts}\nThis command needs the internet. To do it by hand: fetch {name} from there \
         in a browser, put it into {}, and run the command again.",
        out.display()
    )]
    NoAddressWorked {
        /// The file.
        name: String,
        /// One line per address.
        attempts: String,
        /// Where the file belongs.
        out: PathBuf,
    },
}

impl DownloadError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// A file that is there and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Name in the output folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// What was compared.
    pub checked_by: String,
    /// Where it came from; none when it was there already.
    pub address: Option<String>,
}

/// Fetches all files of `plan` into `out` (made if it is not there) and unpacks archives; writes what came, from where and
/// with which hash to `download.json`. Files that are there and pass their check are not fetched again; those that do not pass
/// are replaced.
///
/// `bar` shows the bytes of the present file.
///
/// # Errors
/// The first file that no address gives, with the reason per address.
pub fn fetch(
    agent: &ureq::Agent,
    plan: &Plan,
    out: &Path,
    bar: &ProgressBar,
) -> Result<Vec<Fetched>, DownloadError> {
    std::fs::create_dir_all(out).map_err(DownloadError::io(out))?;
    let mut fetched = Vec::new();
    for file in &plan.files {
        bar.set_message(file.name.clone());
        fetched.push(fetch_file(agent, file, out, bar)?);
        if !file.unpack.is_empty() {
            bar.set_message(format!("unpacking {}", file.name));
            verify::unpack(&out.join(&file.name), &file.unpack, out)?;
        }
    }
    let path = out.join("download.json");
    let text = serde_json::to_string_pretty(&fetched).map_err(std::io::Error::from);
    text.and_then(|text| std::fs::write(&path, text + "\n"))
        .map_err(DownloadError::io(&path))?;
    Ok(fetched)
}

fn fetch_file(
    agent: &ureq::Agent,
    file: &RemoteFile,
    out: &Path,
    bar: &ProgressBar,
) -> Result<Fetched, DownloadError> {
    let path = out.join(&file.name);
    let part = out.join(format!("{}.part", file.name));
    let mut attempts = Vec::new();
    for address in &file.addresses {
        let attempt = || {
            let check = verify::expectation(agent, &file.check, address)?;
            if path.is_file()
                && let Ok(sum) = check.compare(&path, bar)
            {
                return Ok((sum, None));
            }
            transfer::transfer(agent, address, &part, bar)?;
            let sum = check.compare_or_remove(&part, bar)?;
            std::fs::rename(&part, &path).map_err(DownloadError::io(&path))?;
            Ok((sum, Some(address.clone())))
        };
        match attempt() {
            Ok((sum, address)) => {
                return Ok(Fetched {
                    name: file.name.clone(),
                    bytes: sum.bytes,
                    sha256: sum.sha256,
                    checked_by: sum.checked_by,
                    address,
                });
            }
            Err(error @ DownloadError::Io { .. }) => return Err(error), // no other address mends a full disk
            Err(error) => attempts.push(error),
        }
    }
    if attempts.len() == 1
        && let Some(error) = attempts.pop_if(|error| !error.is_about_the_connection())
    {
        return Err(error);
    }
    let lines: Vec<String> = attempts.iter().map(|error| format!("  {error}")).collect();
    Err(DownloadError::NoAddressWorked {
        name: file.name.clone(),
        attempts: lines.join("\n"),
        out: out.to_path_buf(),
    })
}

impl DownloadError {
    fn is_about_the_connection(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Status { .. })
    }
}

#[cfg(test)]
mod tests;
