//! Which of a file's encodings is sent, and by what tag a client knows it again (RFC 9110, sections 8.8.3, 12.5.3 and 13.1.2).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::build_list::Hash;
use crate::compress::Encoding;

/// The file that is sent for another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Representation {
    /// What is read.
    pub file: PathBuf,
    /// How it is encoded.
    pub encoding: Option<Encoding>,
}

impl Representation {
    /// The best twin of `path` that the client takes; a twin older than its file is of another one.
    pub fn choose(path: &Path, accepted: &str) -> Self {
        let modified = |path: &Path| {
            std::fs::metadata(path)
                .and_then(|metadata| metadata.modified())
                .ok()
        };
        let encoding = Encoding::ALL.into_iter().find(|encoding| {
            accepts(accepted, encoding.token())
                && modified(&encoding.twin(path)).is_some_and(|twin| Some(twin) >= modified(path))
        });
        Self {
            file: encoding.map_or_else(|| path.to_owned(), |encoding| encoding.twin(path)),
            encoding,
        }
    }
}

/// Whether an `Accept-Encoding` takes this encoding: named, or by `*`, and not with a weight of zero.
fn accepts(header: &str, token: &str) -> bool {
    let weight_of = |wanted: &str| {
        header.split(',').find_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let weight =
                parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0)))
        })
    };
    weight_of(token)
        .or_else(|| weight_of("*"))
        .is_some_and(|weight: f32| weight > 0.0)
}

/// Whether an `If-None-Match` names this tag.
pub fn is_fresh(header: &str, tag: &str) -> bool {
    let weakly = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header
        .split(',')
        .any(|one| one.trim() == "*" || weakly(one) == weakly(tag))
}

/// Strong tags: a hash of what is sent, read once for as long as size and time of a file stay the same.
#[derive(Default)]
pub struct Tags {
    known: Mutex<HashMap<PathBuf, (u64, SystemTime, String)>>,
}

impl Tags {
    /// The tag of a file, in quotes.
    pub fn of(&self, file: &Path) -> std::io::Result<String> {
        let metadata = std::fs::metadata(file)?;
        let (length, modified) = (metadata.len(), metadata.modified()?);
        let known = |tags: &Self| {
            let known = tags.known.lock().ok()?;
            let (bytes, time, tag) = known.get(file)?;
            (*bytes == length && *time == modified).then(|| tag.clone())
        };
        if let Some(tag) = known(self) {
            return Ok(tag);
        }
        let hash = Hash::of_file(file).map_err(std::io::Error::other)?;
        let tag = format!("\"{}\"", &hash.hex()[..32]);
        if let Ok(mut known) = self.known.lock() {
            known.insert(file.to_owned(), (length, modified, tag.clone()));
        }
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_as_the_client_says() {
        for (header, takes_brotli, takes_gzip) in [
            ("", false, false),
            ("gzip, deflate, br", true, true),
            ("gzip;q=1.0, br;q=0", false, true),
            ("*", true, true),
            ("*;q=0, gzip", false, true),
            ("BR", true, false),
            ("brotli", false, false),
            ("br;q=x", false, false),
        ] {
            assert_eq!(accepts(header, "br"), takes_brotli, "{header}");
            assert_eq!(accepts(header, "gzip"), takes_gzip, "{header}");
        }
    }

    #[test]
    fn the_best_twin_that_is_there_and_no_older_is_sent() {
        let folder = tempfile::tempdir().expect("made");
        let file = folder.path().join("a.js");
        let write = |name: &str, age: u64| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").expect("written");
            let time = SystemTime::now() - std::time::Duration::from_secs(age);
            let file = std::fs::File::options()
                .write(true)
                .open(path)
                .expect("opened");
            file.set_modified(time).expect("set");
        };
        let sent = |accepted| Representation::choose(&file, accepted).encoding;
        write("a.js", 60);
        assert_eq!(sent("gzip, br"), None, "no twin is there");
        write("a.js.gz", 50);
        assert_eq!(sent("gzip, br"), Some(Encoding::Gzip));
        write("a.js.br", 50);
        assert_eq!(sent("gzip, br"), Some(Encoding::Brotli));
        assert_eq!(sent("gzip"), Some(Encoding::Gzip));
        assert_eq!(sent(""), None);
        write("a.js", 10);
        assert_eq!(sent("gzip, br"), None, "the file is newer than its twins");
    }

    #[test]
    fn tags_follow_the_content() {
        let folder = tempfile::tempdir().expect("made");
        let file = folder.path().join("a");
        let tags = Tags::default();
        std::fs::write(&file, "abc").expect("written");
        let first = tags.of(&file).expect("read");
        // FIPS 180-2, example B.1, its first half.
        assert_eq!(first, "\"ba7816bf8f01cfea414140de5dae2223\"");
        std::fs::write(&file, "abcd").expect("written");
        assert_ne!(tags.of(&file).expect("read"), first);
    }

    #[test]
    fn a_client_that_has_it_names_its_tag() {
        assert!(is_fresh("\"a\", W/\"b\"", "\"b\""));
        assert!(is_fresh("*", "\"b\""));
        assert!(!is_fresh("\"a\"", "\"b\""));
        assert!(!is_fresh("", "\"b\""));
    }
}
