//! RecBole atomic files: `NAME.inter` and `NAME.item`, tab-separated, with typed headers (`item_id:token`,
//! `rating:float`, `genre:token_seq`; sequences are separated by spaces, or written as a list of quoted strings).
//!
//! The title is the first column called `title`, `…_title`, `name` or `…_name`. Other `token` and `token_seq` columns become
//! attributes, `float` columns (prices, ranks) do not: a sentence does not say them. `token_seq` in the interactions' and
//! `float_seq` anywhere are ignored. As in RecBole, an item that only interactions name is allowed: it has no title.

use std::path::{Path, PathBuf};

use super::table::{Row, Table};
use crate::data::builder::LogBuilder;
use crate::data::config::Format;
use crate::data::error::{DataError, LineProblem};
use crate::data::{Attribute, Log, lines, titles};

const FREE_COLUMN: &str = "attribute";

pub(super) fn read(dir: &Path, mut builder: LogBuilder) -> Result<Log, DataError> {
    let items = only(dir, ".item")?;
    let interactions = only(dir, ".inter")?;
    read_items(&items, &mut builder)?;
    read_interactions(&interactions, &mut builder)?;
    builder.finish(dir)
}

/// The one file with this ending.
fn only(dir: &Path, ending: &str) -> Result<PathBuf, DataError> {
    let names: Vec<String> = super::names(dir)?
        .into_iter()
        .filter(|name| name.ends_with(ending))
        .collect();
    match names.as_slice() {
        [name] => Ok(dir.join(name)),
        [] => Err(DataError::MissingFile {
            path: dir.to_path_buf(),
            format: Format::RecBole,
            what: format!("NAME{ending}"),
        }),
        several => Err(DataError::AmbiguousFile {
            path: dir.to_path_buf(),
            format: Format::RecBole,
            what: format!("NAME{ending}"),
            found: several.join(", "),
        }),
    }
}

/// A column that becomes attributes.
struct Free {
    column: usize,
    kind: String,
    sequence: bool,
}

fn read_items(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b'\t', false)?;
    let key = table.column(&["item_id:token"])?;
    let title = title_column(path, table.header())?;
    let mut free = Vec::new();
    for (column, name) in table.header().iter().enumerate() {
        let (name, kind) = name.split_once(':').unwrap_or((name, ""));
        if column != key && column != title && matches!(kind, "token" | "token_seq") {
            free.push(Free {
                column,
                kind: super::kind(if name == "class" { "genre" } else { name }),
                sequence: kind == "token_seq",
            });
        }
    }
    while let Some((number, row)) = table.next_row()? {
        let parsed = row.and_then(|row| {
            let (title, attributes) = item(&row, title, &free)?;
            Ok((row.text(key, "item_id")?, title, attributes))
        });
        let added = match parsed {
            Ok((key, title, attributes)) => builder.add_item(key, title, attributes)?,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = added {
            builder.bad_line(path, number, problem)?;
        }
    }
    Ok(())
}

fn title_column(path: &Path, header: &[String]) -> Result<usize, DataError> {
    let name = |column: &String| column.split(':').next().unwrap_or_default().to_lowercase();
    let ends = |ending: &str| {
        header.iter().position(|column| {
            let name = name(column);
            name.strip_suffix(ending)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
        })
    };
    ends("title")
        .or_else(|| ends("name"))
        .ok_or_else(|| DataError::MissingColumn {
            file: path.to_path_buf(),
            column: "title:token` or `name:token".to_owned(),
            found: header.join(", "),
        })
}

fn item(
    row: &Row<'_>,
    title: usize,
    free: &[Free],
) -> Result<(String, Vec<Attribute>), LineProblem> {
    let clean = titles::clean_title(row.optional(title, "title")?.unwrap_or_default());
    let mut attributes = Vec::new();
    let has_year_column = free.iter().any(|free| free.kind == "year");
    if let Some(year) = clean.year.filter(|_| !has_year_column) {
        titles::push_attribute(&mut attributes, "year", &year);
    }
    for free in free {
        let text = row.optional(free.column, FREE_COLUMN)?.unwrap_or_default();
        match free.sequence {
            true => sequence(text, |value| {
                titles::push_attribute(&mut attributes, &free.kind, value);
            }),
            false => titles::push_attribute(&mut attributes, &free.kind, text),
        }
    }
    Ok((clean.title, attributes))
}

/// `Action Sci-Fi`, or `'Video Games', 'PC'` with or without brackets around it.
fn sequence(text: &str, each: impl FnMut(&str)) {
    let list = text.trim_start_matches('[').trim_end_matches(']');
    let quote = list.chars().next().filter(|c| matches!(c, '\'' | '"'));
    match quote {
        Some(quote) => {
            let separator = format!("{quote}, {quote}");
            list.trim_matches(quote).split(&separator).for_each(each);
        }
        None => text.split(' ').for_each(each),
    }
}

fn read_interactions(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b'\t', false)?;
    let user = table.column(&["user_id:token"])?;
    let item = table.column(&["item_id:token"])?;
    let time = table.column(&["timestamp:float", "timestamp:token"])?;
    let rating = table.find(&["rating:float"]);
    while let Some((number, row)) = table.next_row()? {
        let parsed = row.and_then(|row| {
            let user = row.text(user, "user_id")?;
            let item = row.text(item, "item_id")?;
            let time = lines::time(row.bytes(time), "timestamp")?;
            let rating = match rating {
                Some(column) if !row.bytes(column).trim_ascii().is_empty() => {
                    Some(lines::rating(row.bytes(column), "rating")?)
                }
                _ => None,
            };
            Ok((user, item, time, rating))
        });
        match parsed {
            Ok((user, item, time, rating)) => {
                let (user, item) = (builder.user(user)?, builder.item_or_new(item)?);
                builder.interaction(user, item, time, rating);
            }
            Err(problem) => builder.bad_line(path, number, problem)?,
        }
    }
    Ok(())
}
