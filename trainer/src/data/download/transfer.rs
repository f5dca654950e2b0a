//! One file over HTTP into `NAME.part`, going on where an earlier call stopped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use ureq::Agent;
use ureq::http::header::{CONTENT_RANGE, RANGE};

use super::DownloadError;

/// How often a broken connection is taken up again within one call, each time only after new bytes have come.
const RESUMES: usize = 5;

/// The client of all downloads: patient with slow servers, not with silent ones. Proxies are taken from the environment
/// unless `direct`.
pub fn agent(direct: bool) -> Agent {
    let mut config = Agent::config_builder()
        .user_agent(concat!("curec/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity") // bytes as they are: lengths and ranges must mean the file
        .http_status_as_error(false)
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)));
    if direct {
        config = config.proxy(None);
    }
    config.build().into()
}

/// Loads `address` into `part`, which is complete afterwards.
pub(super) fn transfer(
    agent: &Agent,
    address: &str,
    part: &Path,
    bar: &ProgressBar,
) -> Result<(), DownloadError> {
    let mut resumes = RESUMES;
    loop {
        let before = size(part);
        match continue_once(agent, address, part, bar) {
            Err(DownloadError::Truncated { have, .. }) if have > before && resumes > 0 => {
                resumes -= 1;
            }
            outcome => return outcome,
        }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

fn continue_once(
    agent: &Agent,
    address: &str,
    part: &Path,
    bar: &ProgressBar,
) -> Result<(), DownloadError> {
    let have = size(part);
    let mut request = agent.get(address);
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let mut response = request
        .call()
        .map_err(|error| unreachable(address, &error))?;
    let status = response.status().as_u16();
    let range = response.headers().get(CONTENT_RANGE);
    let range = range
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let start = match status {
        200 => 0, // the server knows no ranges, or nothing was there
        206 if range_start(range) == Some(have) => have,
        // Nothing lies behind what is there: it is whole, or not a part of this file.
        416 if range_total(range) == Some(have) => return Ok(()),
        206 | 416 if have > 0 => {
            std::fs::remove_file(part).map_err(DownloadError::io(part))?;
            return continue_once(agent, address, part, bar);
        }
        _ => {
            return Err(DownloadError::Status {
                address: address.to_owned(),
                status,
            });
        }
    };
    let length = response.body().content_length();
    let expected = length.map(|length| start + length);
    bar.set_length(expected.unwrap_or_default());
    bar.set_position(start);
    let mut file = open_at(part, start).map_err(DownloadError::io(part))?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut at = start;
    let ended = loop {
        match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(count) => {
                file.write_all(&buffer[..count])
                    .map_err(DownloadError::io(part))?;
                at += count as u64;
                bar.set_position(at);
            }
            Err(error) => break Some(error),
        }
    };
    file.sync_all().map_err(DownloadError::io(part))?;
    match (ended, expected) {
        (None, Some(expected)) if at >= expected => Ok(()),
        (None, None) => Ok(()),
        (_, Some(expected)) => Err(DownloadError::Truncated {
            address: address.to_owned(),
            have: at,
            expected,
        }),
        (Some(error), None) => Err(DownloadError::Unreachable {
            address: address.to_owned(),
            problem: error.to_string(),
        }),
    }
}

fn open_at(part: &Path, start: u64) -> std::io::Result<File> {
    if start == 0 {
        File::create(part)
    } else {
        OpenOptions::new().append(true).open(part)
    }
}

/// `bytes 100-199/200` → 100.
fn range_start(range: &str) -> Option<u64> {
    let (start, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    start.parse().ok()
}

/// `bytes */200` → 200.
fn range_total(range: &str) -> Option<u64> {
    range.strip_prefix("bytes */")?.parse().ok()
}

/// A small text, or nothing when the server has no such file.
pub(super) fn small_text(agent: &Agent, address: &str) -> Result<Option<String>, DownloadError> {
    let response = agent.get(address).call();
    let mut response = response.map_err(|error| unreachable(address, &error))?;
    match response.status().as_u16() {
        200 => {
            let body = response
                .body_mut()
                .with_config()
                .limit(4096)
                .lossy_utf8(true);
            let text = body.read_to_string();
            text.map(Some).map_err(|error| unreachable(address, &error))
        }
        403 | 404 | 410 => Ok(None),
        status => Err(DownloadError::Status {
            address: address.to_owned(),
            status,
        }),
    }
}

fn unreachable(address: &str, error: &ureq::Error) -> DownloadError {
    DownloadError::Unreachable {
        address: address.to_owned(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(range_start("bytes 100-199/200"), Some(100));
        assert_eq!(range_start("bytes */200"), None);
        assert_eq!(range_total("bytes */200"), Some(200));
        assert_eq!(range_total("bytes 100-199/200"), None);
        assert_eq!(range_start("items 1-2/3"), None);
    }
}
