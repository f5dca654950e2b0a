//! MovieLens-1M: `movies.dat` (`MovieID::Title (Year)::Genre|Genre`, Latin-1) and `ratings.dat`
//! (`UserID::MovieID::Rating::Timestamp`). `users.dat` is not read here, see `ml_1m_users.rs`.
//!
//! Half of all ratings share their time with another of the same user, so that the order of ties decides test items. Under
//! `order = "sasrec"` it comes from `sasrec_sequences.txt` (per line a user, then that user's movies in order), and what
//! that file does not have is left out: the 6,040 users, 3,416 items and 999,611 interactions of published numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use crate::data::builder::LogBuilder;
use crate::data::config::{Format, Order};
use crate::data::error::{DataError, LineProblem};
use crate::data::lines::{self, Lines};
use crate::data::{Interaction, Log};

/// Name under which `Log::skipped` counts what `order = "sasrec"` leaves out.
const NOT_IN_SEQUENCES: &str = "not in sasrec_sequences.txt";

pub(super) fn read(dir: &Path, mut builder: LogBuilder, order: Order) -> Result<Log, DataError> {
    let movies = super::required(dir, Format::Ml1m, "movies.dat")?;
    let ratings = super::required(dir, Format::Ml1m, "ratings.dat")?;
    let sequences = match order {
        Order::Source | Order::Drawn => None,
        Order::Sasrec => Some(super::required(dir, Format::Ml1m, "sasrec_sequences.txt")?),
    };
    read_movies(&movies, &mut builder)?;
    read_ratings(&ratings, &mut builder)?;
    if let Some(sequences) = sequences {
        builder.sort_and_deduplicate();
        reorder(&sequences, &mut builder)?;
    }
    builder.finish(dir)
}

fn read_movies(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        let parsed = line.and_then(|line| {
            let [key, title, genres] = fields(line)?;
            let key = id(key, "MovieID")?;
            let title = decoded(title);
            if title.trim().is_empty() {
                return Err(LineProblem::EmptyField { field: "Title" });
            }
            Ok((key.to_owned(), super::movie(&title, &decoded(genres))))
        });
        let added = match parsed {
            Ok((key, (title, attributes))) => builder.add_item(&key, title, attributes)?,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = added {
            builder.bad_line(path, number, problem)?;
        }
    }
    Ok(())
}

fn read_ratings(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        let parsed = line.and_then(|line| {
            let [user, item, rating, time] = fields(line)?;
            let user = id(user, "UserID")?;
            let item = builder.item(id(item, "MovieID")?)?;
            let rating = lines::rating(rating, "Rating")?;
            Ok((user, item, rating, lines::time(time, "Timestamp")?))
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

/// Exactly `N` fields between `::`.
pub(super) fn fields<const N: usize>(line: &[u8]) -> Result<[&[u8]; N], LineProblem> {
    let mut fields = [line; N];
    let mut found = 0;
    let mut start = 0;
    let mut at = 0;
    while at <= line.len() {
        if line[at..].starts_with(b"::") || at == line.len() {
            if found < N {
                fields[found] = &line[start..at];
            }
            found += 1;
            at += 2;
            start = at;
        } else {
            at += 1;
        }
    }
    if found == N {
        Ok(fields)
    } else {
        Err(LineProblem::FieldCount { expected: N, found })
    }
}

/// A MovieLens identifier: digits only.
pub(super) fn id<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, LineProblem> {
    let text = lines::text(bytes, field)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        let value = LineProblem::shown(bytes);
        Err(LineProblem::NotANumber { field, value })
    }
}

/// Latin-1, as published; a copy that somebody has re-encoded is UTF-8, which Latin-1 text with accents never is.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Brings the (sorted) interactions into the sequences' order and leaves out what they do not have.
fn reorder(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut sequences: Vec<Option<Vec<Interaction>>> = vec![None; builder.user_count()];
    let old = std::mem::take(builder.interactions_mut());
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        let parsed = line.and_then(|line| sequence(line, builder, &old));
        let problem = match parsed {
            Ok((user, _)) if sequences[user as usize].is_some() => LineProblem::RepeatedSequence {
                key: user.to_string(),
            },
            Ok((user, events)) => {
                sequences[user as usize] = Some(events);
                continue;
            }
            Err(problem) => problem,
        };
        builder.bad_line(path, number, problem)?;
    }
    let kept: Vec<Interaction> = sequences.into_iter().flatten().flatten().collect();
    for _ in kept.len()..old.len() {
        builder.count(NOT_IN_SEQUENCES);
    }
    *builder.interactions_mut() = kept;
    Ok(())
}

/// One line: a user and that user's interactions in the line's order.
fn sequence(
    line: &[u8],
    builder: &LogBuilder,
    sorted: &[Interaction],
) -> Result<(u32, Vec<Interaction>), LineProblem> {
    let mut words = line
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    let key = id(words.next().unwrap_or_default(), "UserID")?;
    let user = builder
        .known_user(key)
        .ok_or_else(|| LineProblem::UnknownUser {
            key: LineProblem::shown(key.as_bytes()),
        })?;
    let start = sorted.partition_point(|event| event.user < user);
    let end = sorted.partition_point(|event| event.user <= user);
    // Per item the times at which the user took it, the earliest last, so that `pop` gives them in order.
    let mut taken: HashMap<u32, Vec<Interaction>> = HashMap::with_capacity(end - start);
    for event in sorted[start..end].iter().rev() {
        taken.entry(event.item).or_default().push(*event);
    }
    let mut events: Vec<Interaction> = Vec::with_capacity(end - start);
    for word in words {
        let key = || LineProblem::shown(word);
        let item = builder.item(id(word, "MovieID")?)?;
        let event = taken.get_mut(&item).and_then(Vec::pop);
        let event = event.ok_or_else(|| LineProblem::NotTaken { key: key() })?;
        if events.last().is_some_and(|last| last.time > event.time) {
            return Err(LineProblem::BackInTime { key: key() });
        }
        events.push(event);
    }
    Ok((user, events))
}
