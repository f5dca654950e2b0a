//! Lines of a file that may be gzipped, with their numbers; and fields that are numbers, times or text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::error::{DataError, LineProblem};

/// No real record is longer; a file without line breaks must not fill the memory.
pub(crate) const LINE_LIMIT: usize = 16 << 20;

/// Opens a file, through gzip when it starts with gzip's magic bytes (the name does not matter).
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut plain = BufReader::with_capacity(1 << 18, file);
    let start = plain.fill_buf().map_err(DataError::io(path))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let decoder = Gzip(MultiGzDecoder::new(plain));
        Ok(Box::new(BufReader::with_capacity(1 << 18, decoder)))
    } else {
        Ok(Box::new(plain))
    }
}

/// Unpacks, and says of a broken stream what that means for the file: the decoder's own words do not.
struct Gzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| {
            let kind = error.kind();
            let state = match kind {
                ErrorKind::UnexpectedEof => "cut short",
                ErrorKind::InvalidInput | ErrorKind::InvalidData => "damaged",
                _ => return error, // the system's own
            };
            let message = format!("the file is {state} ({error}): fetch it again");
            io::Error::new(kind, message)
        })
    }
}

/// Walks through a file line by line without allocating per line.
pub(crate) struct Lines {
    path: PathBuf,
    input: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self {
            path: path.to_path_buf(),
            input: open(path)?,
            buffer: Vec::new(),
            number: 0,
        })
    }

    /// The next line without its line break (`\n` or `\r\n`) and, at the start of the file, without a byte-order mark;
    /// its number counts from 1. `Err(TooLong)` for a line over the limit, which is then passed over.
    #[allow(clippy::type_complexity)] // a number with a line or with what is wrong with it: no name would say more
    pub(crate) fn next_line(
        &mut self,
    ) -> Result<Option<(u64, Result<&[u8], LineProblem>)>, DataError> {
        self.buffer.clear();
        let read = (&mut self.input)
            .take(LINE_LIMIT as u64 + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(DataError::io(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read > LINE_LIMIT && self.buffer.last() != Some(&b'\n') {
            self.input
                .skip_until(b'\n')
                .map_err(DataError::io(&self.path))?;
            let problem = LineProblem::TooLong { limit: LINE_LIMIT };
            return Ok(Some((self.number, Err(problem))));
        }
        let mut line = self.buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Ok(Some((self.number, Ok(line))))
    }
}

/// A field as trimmed UTF-8 text that is not empty.
pub(crate) fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, LineProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::InvalidUtf8 { field })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(LineProblem::EmptyField { field });
    }
    Ok(text)
}

/// A field as a finite number.
pub(crate) fn number(bytes: &[u8], field: &'static str) -> Result<f64, LineProblem> {
    let text = text(bytes, field)?;
    let value: f64 = text.parse().map_err(|_| LineProblem::NotANumber {
        field,
        value: LineProblem::shown(bytes),
    })?;
    finite(value, field)
}

/// A rating: a finite number that an `f32` holds.
pub(crate) fn rating(bytes: &[u8], field: &'static str) -> Result<f32, LineProblem> {
    let value = number(bytes, field)? as f32;
    finite(f64::from(value), field)?;
    Ok(value)
}

fn finite(value: f64, field: &'static str) -> Result<f64, LineProblem> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(LineProblem::NotFinite {
            field,
            value: value.to_string(),
        })
    }
}

/// A time: a whole number ≥ 0, or a decimal one (`978300760.0`, `9.78e8`), of which the whole part counts.
pub(crate) fn time(bytes: &[u8], field: &'static str) -> Result<i64, LineProblem> {
    let digits = text(bytes, field)?;
    match digits.parse::<i64>() {
        Ok(value) => time_in_range(value as f64, value, digits),
        Err(_) => {
            let value = number(bytes, field)?;
            time_in_range(value, value as i64, digits)
        }
    }
}

/// The largest time that is taken: 2^53, up to which whole numbers survive a detour through `f64`.
const TIME_LIMIT: f64 = 9_007_199_254_740_992.0;

fn time_in_range(value: f64, whole: i64, shown: &str) -> Result<i64, LineProblem> {
    let shown = || LineProblem::shown(shown.as_bytes());
    if value < 0.0 {
        Err(LineProblem::NegativeTime { value: shown() })
    } else if value > TIME_LIMIT {
        Err(LineProblem::TimeOutOfRange { value: shown() })
    } else {
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_numbered_and_stripped_of_breaks_and_mark() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"\xef\xbb\xbfone\r\n\ntwo").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next_line().unwrap(), Some((1, Ok(b"one".as_slice()))));
        assert_eq!(lines.next_line().unwrap(), Some((2, Ok(b"".as_slice()))));
        assert_eq!(lines.next_line().unwrap(), Some((3, Ok(b"two".as_slice()))));
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn gzip_is_recognised_by_its_bytes_and_a_cut_stream_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no-suffix");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"a\nb\n").unwrap();
        let bytes = encoder.finish().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next_line().unwrap(), Some((1, Ok(b"a".as_slice()))));
        assert_eq!(lines.next_line().unwrap(), Some((2, Ok(b"b".as_slice()))));
        assert_eq!(lines.next_line().unwrap(), None);

        let failure = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut lines = Lines::open(&path).unwrap();
            loop {
                match lines.next_line() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("read to the end"),
                    Err(error) => break error.to_string(),
                }
            }
        };
        for kept in 2..bytes.len() {
            let message = failure(&bytes[..kept]);
            assert!(
                message.contains("cut short") && message.contains("fetch it again"),
                "{kept} bytes: {message}"
            );
        }
        let mut damaged = bytes.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        let message = failure(&damaged);
        assert!(message.contains("the file is damaged"), "{message}");
    }

    #[test]
    fn a_line_over_the_limit_is_reported_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut bytes = vec![b'x'; LINE_LIMIT + 10];
        bytes.extend_from_slice(b"\nnext\n");
        std::fs::write(&path, bytes).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let problem = LineProblem::TooLong { limit: LINE_LIMIT };
        assert_eq!(lines.next_line().unwrap(), Some((1, Err(problem))));
        assert_eq!(
            lines.next_line().unwrap(),
            Some((2, Ok(b"next".as_slice())))
        );
    }

    #[test]
    fn times_are_whole_non_negative_and_in_range() {
        assert_eq!(time(b" 978300760 ", "t"), Ok(978_300_760));
        assert_eq!(time(b"978300760.0", "t"), Ok(978_300_760));
        assert_eq!(time(b"9.783e8", "t"), Ok(978_300_000));
        let reason = |bytes: &[u8]| time(bytes, "t").unwrap_err().reason();
        assert_eq!(reason(b"-1"), "negative time");
        assert_eq!(reason(b"-0.5"), "negative time");
        assert_eq!(reason(b"1e300"), "time out of range");
        assert_eq!(reason(b"9223372036854775807"), "time out of range");
        assert_eq!(reason(b"nan"), "number not finite");
        assert_eq!(reason(b"yesterday"), "not a number");
        assert_eq!(reason(b" "), "empty or missing field");
        assert_eq!(reason(b"\xff"), "not valid UTF-8");
    }

    #[test]
    fn ratings_are_finite() {
        assert_eq!(rating(b"3.5", "r"), Ok(3.5));
        assert_eq!(
            rating(b"NaN", "r").unwrap_err().reason(),
            "number not finite"
        );
        assert_eq!(
            rating(b"1e60", "r").unwrap_err().reason(),
            "number not finite"
        );
    }
}
