//! One file per on-disk format, and the choice between them.
//!
//! Rules that all readers share:
//! - A malformed line is [`DataError::Line`], or counted in [`Log::skipped`] when reading leniently; nothing is guessed.
//! - Interactions with the same user, item and time are one: the first is kept, the others are counted in
//!   [`Log::skipped`]. The same item taken again at another time is a repeat and stays.
//! - Titles are cleaned and made unique (see `titles.rs`): years and articles, HTML entities, 80 characters.

mod amazon;
mod csv;
mod ml_1m;
mod ml_1m_users;
mod ml_latest;
mod recbole;
mod table;

use std::path::{Path, PathBuf};

pub use ml_1m_users::{Demographics, demographics};

use super::builder::LogBuilder;
use super::config::{Format, Order, ReadOptions};
use super::error::DataError;
use super::{Attribute, Log, titles};

/// Reads a folder: `format` as given, or found out by [`detect`].
///
/// # Errors
/// The first malformed line unless `options.lenient`; missing files or columns; no interactions at all.
pub fn read(dir: &Path, format: Option<Format>, options: &ReadOptions) -> Result<Log, DataError> {
    let format = match format {
        Some(format) => {
            names(dir)?;
            format
        }
        None => detect(dir)?,
    };
    if options.order == Order::Sasrec && format != Format::Ml1m {
        return Err(DataError::OrderNotAvailable { format });
    }
    let mut builder = LogBuilder::new(name_of(dir), options.lenient);
    if options.order == Order::Drawn {
        builder.draw_ties();
    }
    match format {
        Format::Ml1m => ml_1m::read(dir, builder, options.order),
        Format::MlLatest => ml_latest::read(dir, builder),
        Format::Amazon => amazon::read(dir, builder),
        Format::Csv => csv::read(dir, builder),
        Format::RecBole => recbole::read(dir, builder),
    }
}

/// Finds out the format by the names of the files in `dir`.
///
/// # Errors
/// [`DataError::UnknownFormat`] says what was looked for, [`DataError::AmbiguousFormat`] which formats fit.
pub fn detect(dir: &Path) -> Result<Format, DataError> {
    let names = names(dir)?;
    let has = |name: &str| names.iter().any(|other| other == name);
    let fits = |format: &Format| match format {
        Format::Ml1m => has("movies.dat") && has("ratings.dat"),
        Format::MlLatest => has("movies.csv") && has("ratings.csv"),
        Format::Amazon => !amazon::pairs(&names).is_empty(),
        Format::Csv => has("interactions.csv") && has("items.csv"),
        Format::RecBole => {
            let with = |ending: &str| names.iter().any(|name| name.ends_with(ending));
            with(".inter") && with(".item")
        }
    };
    let fitting: Vec<Format> = Format::ALL.into_iter().filter(fits).collect();
    match fitting.as_slice() {
        [format] => Ok(*format),
        [] => Err(DataError::UnknownFormat {
            path: dir.to_path_buf(),
            found: listed(&names),
        }),
        several => Err(DataError::AmbiguousFormat {
            path: dir.to_path_buf(),
            formats: several
                .iter()
                .map(|f| f.name())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Names of the files (not folders) in `dir`, sorted.
fn names(dir: &Path) -> Result<Vec<String>, DataError> {
    if !dir.is_dir() {
        return Err(DataError::NotAFolder {
            path: dir.to_path_buf(),
        });
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(DataError::io(dir))? {
        let entry = entry.map_err(DataError::io(dir))?;
        if entry.path().is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The first few names, for an error message.
fn listed(names: &[String]) -> String {
    match names {
        [] => "no files".to_owned(),
        few if few.len() <= 12 => few.join(", "),
        many => format!("{}, … ({} files)", many[..12].join(", "), many.len()),
    }
}

/// The folder's own name names the data set.
fn name_of(dir: &Path) -> String {
    let full = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    match full.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "data".to_owned(),
    }
}

/// The path of a file that the format cannot do without.
fn required(dir: &Path, format: Format, name: &str) -> Result<PathBuf, DataError> {
    let path = dir.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(DataError::MissingFile {
            path: dir.to_path_buf(),
            format,
            what: name.to_owned(),
        })
    }
}

/// Title and attributes of a film as MovieLens writes them: `Matrix, The (1999)`, `Action|Sci-Fi`.
fn movie(title: &str, genres: &str) -> (String, Vec<Attribute>) {
    let clean = titles::clean_title(title);
    let mut attributes = Vec::new();
    if let Some(year) = &clean.year {
        titles::push_attribute(&mut attributes, "year", year);
    }
    for genre in genres
        .split('|')
        .filter(|genre| *genre != "(no genres listed)")
    {
        titles::push_attribute(&mut attributes, "genre", genre);
    }
    (clean.title, attributes)
}

/// The attribute kind that a column's name stands for: lower case, one of a thing, years called `year`.
fn kind(column: &str) -> String {
    let name = column.trim().to_lowercase().replace('_', " ");
    let known = match name.as_str() {
        "genres" => "genre",
        "categories" => "category",
        "tags" => "tag",
        "brands" | "store" => "brand",
        "persons" | "people" => "person",
        "places" => "place",
        "moods" => "mood",
        "release year" => "year",
        _ => return name,
    };
    known.to_owned()
}

#[cfg(test)]
mod tests;
