//! Files with a header line and one record per line (CSV or tab-separated), columns found by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::data::error::{DataError, LineProblem};
use crate::data::lines;

/// A table with its header.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    reader: Reader<Box<dyn std::io::BufRead>>,
    record: ByteRecord,
}

/// One line that could be split into as many fields as the header has.
pub(super) struct Row<'a> {
    record: &'a ByteRecord,
}

impl Table {
    /// Opens a table. `quoted`: fields may stand in double quotes (CSV); else quotes are ordinary characters, and a
    /// column's type follows its name (RecBole's `item_id:token`).
    pub(super) fn open(path: &Path, delimiter: u8, quoted: bool) -> Result<Self, DataError> {
        let input = lines::open(path)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(quoted)
            .flexible(true)
            .has_headers(false)
            .from_reader(input);
        let mut record = ByteRecord::new();
        let read = reader.read_byte_record(&mut record);
        if let Err(error) = read {
            return Err(
                broken(path, error).unwrap_or_else(|problem| DataError::Line {
                    file: path.to_path_buf(),
                    line: 1,
                    problem,
                }),
            );
        }
        let header: Vec<String> = record
            .iter()
            .map(|name| {
                String::from_utf8_lossy(name)
                    .trim()
                    .trim_start_matches('\u{feff}')
                    .to_owned()
            })
            .collect();
        if let Some(column) = repeated(&header, quoted) {
            return Err(DataError::RepeatedColumn {
                file: path.to_path_buf(),
                column,
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            header,
            reader,
            record,
        })
    }

    /// Column names as they are.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Position of the first of `names` that the header has (case does not matter).
    pub(super) fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| {
            self.header
                .iter()
                .position(|h| h.eq_ignore_ascii_case(name))
        })
    }

    /// As [`Table::find`], but the column must be there.
    pub(super) fn column(&self, names: &[&str]) -> Result<usize, DataError> {
        self.find(names).ok_or_else(|| DataError::MissingColumn {
            file: self.path.clone(),
            column: names.join("` or `"),
            found: self.header.join(", "),
        })
    }

    /// The next line with its number. Empty lines are passed over (as CSV has it).
    #[allow(clippy::type_complexity)] // a number with a row or with what is wrong with it
    pub(super) fn next_row(
        &mut self,
    ) -> Result<Option<(u64, Result<Row<'_>, LineProblem>)>, DataError> {
        let read = self.reader.read_byte_record(&mut self.record);
        let number = |record: &ByteRecord, reader: &Reader<_>| {
            record
                .position()
                .map_or(reader.position().line(), |at| at.line())
        };
        match read {
            Ok(false) => Ok(None),
            Ok(true) => {
                let number = number(&self.record, &self.reader);
                let (expected, found) = (self.header.len(), self.record.len());
                if self.record.as_slice().len() > lines::LINE_LIMIT {
                    let limit = lines::LINE_LIMIT;
                    return Ok(Some((number, Err(LineProblem::TooLong { limit }))));
                }
                if expected != found {
                    let problem = LineProblem::FieldCount { expected, found };
                    return Ok(Some((number, Err(problem))));
                }
                Ok(Some((
                    number,
                    Ok(Row {
                        record: &self.record,
                    }),
                )))
            }
            Err(error) => {
                let number = number(&self.record, &self.reader);
                match broken(&self.path, error) {
                    Ok(error) => Err(error),
                    Err(problem) => Ok(Some((number, Err(problem)))),
                }
            }
        }
    }
}

/// The first name that stands in the header a second time, whatever its case (and its type, where names have one).
/// Columns without a name, which spreadsheets like to append, are passed over.
fn repeated(header: &[String], quoted: bool) -> Option<String> {
    let mut seen = HashSet::new();
    let names = header.iter().map(|column| match column.split_once(':') {
        Some((name, _)) if !quoted => name,
        _ => column,
    });
    names
        .filter(|name| !name.is_empty())
        .find(|name| !seen.insert(name.to_ascii_lowercase()))
        .map(str::to_owned)
}

/// `Ok` with an I/O error, `Err` with what is wrong with the text.
fn broken(path: &Path, error: csv::Error) -> Result<DataError, LineProblem> {
    let message = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Ok(DataError::Io {
            path: path.to_path_buf(),
            source,
        }),
        _ => Err(LineProblem::Csv { message }),
    }
}

impl<'a> Row<'a> {
    /// Bytes of a column.
    pub(super) fn bytes(&self, column: usize) -> &'a [u8] {
        self.record.get(column).unwrap_or_default()
    }

    /// Text of a column, not empty.
    pub(super) fn text(&self, column: usize, field: &'static str) -> Result<&'a str, LineProblem> {
        lines::text(self.bytes(column), field)
    }

    /// Text of a column that may be empty.
    pub(super) fn optional(
        &self,
        column: usize,
        field: &'static str,
    ) -> Result<Option<&'a str>, LineProblem> {
        match self.text(column, field) {
            Ok(text) => Ok(Some(text)),
            Err(LineProblem::EmptyField { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}
