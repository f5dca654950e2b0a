//! Plain CSV that anybody can write: `interactions.csv` with the columns `user_id`, `item_id`, `timestamp` and optionally
//! `rating` (others are ignored), `items.csv` with `item_id`, `title` and any further columns, which become attributes: the
//! column's name is the kind (`genres` → `genre`), values between `|` are several. Columns are found by name, in any order.

use std::path::Path;

use super::table::{Row, Table};
use crate::data::builder::LogBuilder;
use crate::data::config::Format;
use crate::data::error::{DataError, LineProblem};
use crate::data::{Attribute, Log, lines, titles};

/// Name under which errors report any of the free columns of `items.csv`.
const FREE_COLUMN: &str = "attribute";

pub(super) fn read(dir: &Path, mut builder: LogBuilder) -> Result<Log, DataError> {
    let items = super::required(dir, Format::Csv, "items.csv")?;
    let interactions = super::required(dir, Format::Csv, "interactions.csv")?;
    read_items(&items, &mut builder)?;
    read_interactions(&interactions, &mut builder)?;
    builder.finish(dir)
}

fn read_items(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b',', true)?;
    let key = table.column(&["item_id"])?;
    let title = table.column(&["title"])?;
    let free: Vec<(usize, String)> = table
        .header()
        .iter()
        .enumerate()
        .filter(|(column, _)| *column != key && *column != title)
        .map(|(column, name)| (column, super::kind(name)))
        .collect();
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

fn item(
    row: &Row<'_>,
    title: usize,
    free: &[(usize, String)],
) -> Result<(String, Vec<Attribute>), LineProblem> {
    let clean = titles::clean_title(row.text(title, "title")?);
    let mut attributes = Vec::new();
    let has_year_column = free.iter().any(|(_, kind)| kind == "year");
    if let Some(year) = clean.year.filter(|_| !has_year_column) {
        titles::push_attribute(&mut attributes, "year", &year);
    }
    for (column, kind) in free {
        for value in row
            .optional(*column, FREE_COLUMN)?
            .unwrap_or_default()
            .split('|')
        {
            titles::push_attribute(&mut attributes, kind, value);
        }
    }
    Ok((clean.title, attributes))
}

fn read_interactions(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b',', true)?;
    let user = table.column(&["user_id"])?;
    let item = table.column(&["item_id"])?;
    let time = table.column(&["timestamp"])?;
    let rating = table.find(&["rating"]);
    while let Some((number, row)) = table.next_row()? {
        let parsed = row.and_then(|row| {
            let user = row.text(user, "user_id")?;
            let item = builder.item(row.text(item, "item_id")?)?;
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
                let user = builder.user(user)?;
                builder.interaction(user, item, time, rating);
            }
            Err(problem) => builder.bad_line(path, number, problem)?,
        }
    }
    Ok(())
}
