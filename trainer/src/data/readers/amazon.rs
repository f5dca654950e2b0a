//! Amazon reviews as published by the McAuley lab, JSON lines, gzipped or not, one category per folder:
//! - 2018: reviews `reviewerID, asin, unixReviewTime, overall`; metadata `asin, title, brand, category`;
//! - 2023: reviews `user_id, parent_asin, timestamp` (milliseconds)`, rating`; metadata `parent_asin, title, store, categories`.
//!
//! Known traits of these files, handled here: fields that are a string, a list or a list of lists; titles that are pieces of
//! page source (such an item has no title); products described twice (the first is kept, the others counted); products that
//! are reviewed and not described (they have no title); `by\n\n Brand`. The first category names the whole file and is left out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::data::builder::{DESCRIBED_TWICE, LogBuilder};
use crate::data::config::Format;
use crate::data::error::{DataError, LineProblem};
use crate::data::lines::{self, Lines};
use crate::data::{Attribute, Log, titles};

/// Most categories of an item.
const CATEGORY_LIMIT: usize = 4;
/// Categories that are headings of the shop's pages.
const HEADINGS: [&str; 5] = [
    "Genre for Featured Categories",
    "Featured Categories",
    "All Titles",
    "All",
    "Studio Specials",
];

pub(super) fn read(dir: &Path, mut builder: LogBuilder) -> Result<Log, DataError> {
    let pairs = pairs(&super::names(dir)?);
    let (meta, reviews) = match pairs.as_slice() {
        [pair] => pair,
        [] => {
            return Err(DataError::MissingFile {
                path: dir.to_path_buf(),
                format: Format::Amazon,
                what: Format::Amazon.signature().to_owned(),
            });
        }
        several => {
            return Err(DataError::AmbiguousFile {
                path: dir.to_path_buf(),
                format: Format::Amazon,
                what: "pair of metadata and reviews".to_owned(),
                found: several
                    .iter()
                    .map(|(meta, reviews)| format!("{meta} with {reviews}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
    };
    builder.times_in_milliseconds();
    read_items(&dir.join(meta), &mut builder)?;
    read_reviews(&dir.join(reviews), &mut builder)?;
    builder.finish(dir)
}

/// `meta_X` with each of `X`, `X_5`, `reviews_X`, `reviews_X_5`; of a file with and without `.gz` the latter.
pub(super) fn pairs(names: &[String]) -> Vec<(String, String)> {
    let mut files: BTreeMap<&str, &String> = BTreeMap::new();
    for name in names {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        let stem = plain
            .strip_suffix(".json")
            .or_else(|| plain.strip_suffix(".jsonl"));
        if let Some(stem) = stem {
            let known = files.entry(stem).or_insert(name);
            if name.len() < known.len() {
                *known = name;
            }
        }
    }
    let mut pairs = Vec::new();
    for (stem, meta) in &files {
        let Some(category) = stem.strip_prefix("meta_") else {
            continue;
        };
        for review in ["", "_5"].map(|ending| format!("{category}{ending}")) {
            for review in [review.clone(), format!("reviews_{review}")] {
                if let Some(reviews) = files.get(review.as_str()) {
                    pairs.push(((*meta).clone(), (*reviews).clone()));
                }
            }
        }
    }
    pairs
}

#[derive(Deserialize)]
struct Product {
    asin: Option<String>,
    parent_asin: Option<String>,
    #[serde(default)]
    title: Texts,
    #[serde(default)]
    brand: Texts,
    #[serde(default)]
    store: Texts,
    #[serde(default)]
    category: Texts,
    #[serde(default)]
    categories: Texts,
}

fn read_items(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        let parsed = line.and_then(|line| {
            let product: Product = object(line)?;
            let key = product.parent_asin.as_ref().or(product.asin.as_ref());
            let key = key.map_or("", String::as_str);
            let key = lines::text(key.as_bytes(), "asin")?.to_owned();
            Ok((key, product))
        });
        match parsed {
            Ok((key, product)) => {
                let (title, attributes) = describe(&product);
                if builder.add_item(&key, title, attributes)?.is_err() {
                    builder.count(DESCRIBED_TWICE);
                }
            }
            Err(problem) => builder.bad_line(path, number, problem)?,
        }
    }
    Ok(())
}

fn describe(product: &Product) -> (String, Vec<Attribute>) {
    let raw = product.title.0.first().map_or("", String::as_str);
    let is_page_source = raw.contains("getTime(") || raw.contains("function(");
    let clean = titles::clean_title(if is_page_source { "" } else { raw });
    let mut attributes = Vec::new();
    if let Some(year) = &clean.year {
        titles::push_attribute(&mut attributes, "year", year);
    }
    for brand in product.brand.0.iter().chain(&product.store.0).take(1) {
        let brand = titles::plain_text(brand);
        let brand = brand.strip_prefix("by ").unwrap_or(&brand);
        titles::push_attribute(&mut attributes, "brand", brand);
    }
    let room = attributes.len() + CATEGORY_LIMIT;
    let categories = product.category.0.iter().chain(&product.categories.0);
    for category in categories.skip(1) {
        if attributes.len() < room && !HEADINGS.contains(&category.trim()) {
            titles::push_attribute(&mut attributes, "category", category);
        }
    }
    (clean.title, attributes)
}

#[derive(Deserialize)]
struct Review {
    #[serde(rename = "reviewerID")]
    reviewer_id: Option<String>,
    user_id: Option<String>,
    asin: Option<String>,
    parent_asin: Option<String>,
    #[serde(rename = "unixReviewTime")]
    unix_review_time: Option<i64>,
    timestamp: Option<i64>,
    overall: Option<f64>,
    rating: Option<f64>,
}

/// User, item, milliseconds since 1970, rating.
type Event = (String, String, i64, f32);

fn event(line: &[u8]) -> Result<Event, LineProblem> {
    let review: Review = object(line)?;
    let text = |value: Option<String>, field| match value {
        Some(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        _ => Err(LineProblem::EmptyField { field }),
    };
    let user = text(
        review.reviewer_id.or(review.user_id),
        "reviewerID or user_id",
    )?;
    let item = text(review.parent_asin.or(review.asin), "asin or parent_asin")?;
    let rating = review
        .overall
        .or(review.rating)
        .ok_or(LineProblem::EmptyField {
            field: "overall or rating",
        })? as f32;
    if !rating.is_finite() {
        let value = rating.to_string();
        let field = "overall or rating";
        return Err(LineProblem::NotFinite { field, value });
    }
    let time = match (review.unix_review_time, review.timestamp) {
        (Some(seconds), _) => {
            let shown = || seconds.to_string();
            seconds
                .checked_mul(1000)
                .ok_or_else(|| LineProblem::TimeOutOfRange { value: shown() })?
        }
        (None, Some(milliseconds)) => milliseconds,
        (None, None) => {
            return Err(LineProblem::EmptyField {
                field: "unixReviewTime or timestamp",
            });
        }
    };
    if time < 0 {
        return Err(LineProblem::NegativeTime {
            value: (time / 1000).to_string(),
        });
    }
    Ok((user, item, time, rating))
}

fn read_reviews(path: &Path, builder: &mut LogBuilder) -> Result<(), DataError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        match line.and_then(event) {
            Ok((user, item, time, rating)) => {
                let (user, item) = (builder.user(&user)?, builder.item_or_new(&item)?);
                builder.interaction(user, item, time, Some(rating));
            }
            Err(problem) => builder.bad_line(path, number, problem)?,
        }
    }
    Ok(())
}

fn object<'de, T: Deserialize<'de>>(line: &'de [u8]) -> Result<T, LineProblem> {
    if std::str::from_utf8(line).is_err() {
        return Err(LineProblem::InvalidUtf8 { field: "line" });
    }
    serde_json::from_slice(line).map_err(|error| LineProblem::Json {
        message: error.to_string(),
    })
}

/// The texts of a field that is a string, a list (of lists) of strings, null, or something else (then none).
#[derive(Default)]
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Texts, A::Error> {
        let mut all = Vec::new();
        while let Some(Texts(mut texts)) = sequence.next_element()? {
            all.append(&mut texts);
        }
        Ok(Texts(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Texts::default())
    }

    fn visit_unit<E>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts, E> {
        Ok(Texts::default())
    }
}
