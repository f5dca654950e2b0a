//! A JSON-lines file that is followed while another process writes it.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// What reading on brings.
#[derive(Debug, PartialEq)]
pub enum News {
    /// The file is not the one that was read so far: what was heard of it is void, and it is read from its start.
    Anew,
    /// The next line.
    Line(Map<String, Value>),
}

/// How far a file has been read.
///
/// It may grow, be renamed with its folder, be cut back by a run that goes on from a checkpoint, or be replaced. A line
/// that is being written is not yet a line.
#[derive(Debug, Default)]
pub struct Lines {
    offset: u64,
    number: usize,
    /// The last bytes that were read: another file is known by having others there.
    tail: Vec<u8>,
}

/// Bytes by which a file is known again. Metrics of two runs do not agree in so many.
const TAIL: usize = 256;

impl Lines {
    /// Tells what has been written since the last call; a file that is not there has no lines.
    ///
    /// # Errors
    /// The system's, with the path; a line that is no JSON object, with its number. What stands before it has been told.
    pub fn read(&mut self, path: &Path, mut tell: impl FnMut(News)) -> Result<()> {
        let cannot = || format!("cannot read {}", path.display());
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.forget(&mut tell);
                return Ok(());
            }
            Err(error) => return Err(error).with_context(cannot),
        };
        if !self.recognises(&mut file).with_context(cannot)? {
            self.forget(&mut tell);
        }
        file.seek(SeekFrom::Start(self.offset))
            .with_context(cannot)?;
        let mut rest = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            rest.read_until(b'\n', &mut line).with_context(cannot)?;
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            let parsed = serde_json::from_slice(&line);
            tell(News::Line(parsed.with_context(|| {
                format!("{}, line {}", path.display(), self.number + 1)
            })?));
            self.offset += line.len() as u64;
            self.number += 1;
            self.tail.extend_from_slice(&line);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
    }

    /// Whether the file still holds what was last read of it, where it stood.
    fn recognises(&self, file: &mut File) -> std::io::Result<bool> {
        file.seek(SeekFrom::Start(self.offset - self.tail.len() as u64))?;
        let mut found = vec![0; self.tail.len()];
        match file.read_exact(&mut found) {
            Ok(()) => Ok(found == self.tail),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn forget(&mut self, tell: &mut impl FnMut(News)) {
        if self.offset > 0 {
            *self = Self::default();
            tell(News::Anew);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of the lines that are news, -1 where the file is read anew.
    fn news(lines: &mut Lines, path: &Path) -> Vec<i64> {
        let mut found = Vec::new();
        let tell = |news| match news {
            News::Anew => found.push(-1),
            News::Line(line) => found.push(line["step"].as_i64().unwrap()),
        };
        lines.read(path, tell).unwrap();
        found
    }

    #[test]
    fn a_half_written_line_waits_for_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut lines = Lines::default();
        assert!(news(&mut lines, &path).is_empty(), "there is no file yet");
        std::fs::write(&path, "{\"step\":0}\n{\"st").unwrap();
        assert_eq!(news(&mut lines, &path), [0]);
        assert!(news(&mut lines, &path).is_empty());
        std::fs::write(&path, "{\"step\":0}\n{\"step\":1}\n{\"step\":2}\n").unwrap();
        assert_eq!(news(&mut lines, &path), [1, 2]);
    }

    #[test]
    fn a_file_that_was_cut_back_is_read_anew_even_if_it_has_grown_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut lines = Lines::default();
        std::fs::write(&path, "{\"step\":0}\n{\"step\":1}\n{\"step\":2}\n").unwrap();
        assert_eq!(news(&mut lines, &path), [0, 1, 2]);
        std::fs::write(&path, "{\"step\":0}\n").unwrap();
        assert_eq!(news(&mut lines, &path), [-1, 0]);
        // As long as before and longer, with other numbers.
        std::fs::write(&path, "{\"step\":5}\n{\"step\":6}\n").unwrap();
        assert_eq!(news(&mut lines, &path), [-1, 5, 6]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(news(&mut lines, &path), [-1]);
        assert!(news(&mut lines, &path).is_empty());
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut lines = Lines::default();
        std::fs::write(&path, "{\"step\":0}\n{\"step\":1\n").unwrap();
        for told in [1, 0] {
            let mut found = 0;
            let error = lines.read(&path, |_| found += 1).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error:#}");
            assert_eq!(found, told, "what stands before it is told once");
        }
    }
}
