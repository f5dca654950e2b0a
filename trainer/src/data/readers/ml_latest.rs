//! MovieLens latest (small or full): `movies.csv` (`movieId,title,genres`) and `ratings.csv`
//! (`userId,movieId,rating,timestamp`), UTF-8 CSV with quotes.
//!
//! `tags.csv` is not read. Its tags would make good attributes, but each has a time, and a tag given after the split point
//! would carry the future into a prompt (METHOD §2); an item's attributes here are timeless. `links.csv` has only foreign ids.

use std::path::Path;

use super::table::Table;
use crate::data::Log;
use crate::data::builder::LogBuilder;
use crate::data::config::Format;
use crate::data::error::DataError;
use crate::data::lines;

pub(super) fn read(dir: &Path, mut builder: LogBuilder) -> Result<Log, DataError> {
    let movies = super::required(dir, Format::MlLatest, "movies.csv")?;
    let ratings = super::required(dir, Format::MlLatest, "ratings.csv")?;
    read_movies(&movies, &mut builder)?;
    read_ratings(&ratings, &mut builder)?;
    builder.finish(dir)
}

fn read_movies(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b',', true)?;
    let key = table.column(&["movieId"])?;
    let title = table.column(&["title"])?;
    let genres = table.column(&["genres"])?;
    while let Some((number, row)) = table.next_row()? {
        let parsed = row.and_then(|row| {
            let genres = row.optional(genres, "genres")?.unwrap_or_default();
            let movie = super::movie(row.text(title, "title")?, genres);
            Ok((row.text(key, "movieId")?, movie))
        });
        let added = match parsed {
            Ok((key, (title, attributes))) => builder.add_item(key, title, attributes)?,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = added {
            builder.bad_line(path, number, problem)?;
        }
    }
    Ok(())
}

fn read_ratings(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut table = Table::open(path, b',', true)?;
    let user = table.column(&["userId"])?;
    let item = table.column(&["movieId"])?;
    let rating = table.column(&["rating"])?;
    let time = table.column(&["timestamp"])?;
    while let Some((number, row)) = table.next_row()? {
        let parsed = row.and_then(|row| {
            let user = row.text(user, "userId")?;
            let item = builder.item(row.text(item, "movieId")?)?;
            let rating = lines::rating(row.bytes(rating), "rating")?;
            Ok((
                user,
                item,
                rating,
                lines::time(row.bytes(time), "timestamp")?,
            ))
        });
        match parsed {
            Ok((user, item, rating, time)) => {
                let user = builder.user(user)?;
                builder.interaction(user, item, time, Some(rating));
            }
            Err(problem) => builder.bad_line(path, number, problem)?,
        }
    }
    Ok(())
}
