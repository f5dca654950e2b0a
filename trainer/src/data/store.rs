//! A data set on disk, and its content hash.
//!
//! | file | per line |
//! |---|---|
//! | `items.jsonl` | `{"key":…,"title":…,"attributes":[{"kind":…,"value":…},…]}`; the line number − 1 is the dense index |
//! | `users.jsonl` | `{"key":…}` |
//! | `histories.jsonl` | `{"train":n,"valid":n,"items":[…],"times":[…],"causes":[[…],…]}`, parallel to `users.jsonl`; `causes` only for the world |
//! | `meta.json` | version, name, counts and the content hash; written last, so that it is only there when the rest is whole |

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::DataError;
use super::lines::Lines;
use super::{Cause, Dataset, Event, Item, User, UserSplit};

const VERSION: u32 = 1;
const ITEMS: &str = "items.jsonl";
const USERS: &str = "users.jsonl";
const HISTORIES: &str = "histories.jsonl";
const META: &str = "meta.json";

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    version: u32,
    name: String,
    users: usize,
    items: usize,
    interactions: usize,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct History {
    train: usize,
    valid: usize,
    items: Vec<u32>,
    times: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causes: Option<Vec<Vec<Cause>>>,
}

/// SHA-256 (hexadecimal) of everything a later stage can see: items, users, histories, split and causes. The name is not
/// part of it. Independent of how the data set is stored.
pub fn content_hash(dataset: &Dataset) -> String {
    let mut hash = Sha256::new();
    let number = |hash: &mut Sha256, value: u64| hash.update(value.to_le_bytes());
    let text = |hash: &mut Sha256, text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    number(&mut hash, dataset.items.len() as u64);
    for item in &dataset.items {
        text(&mut hash, &item.key);
        text(&mut hash, &item.title);
        number(&mut hash, item.attributes.len() as u64);
        for attribute in &item.attributes {
            text(&mut hash, &attribute.kind);
            text(&mut hash, &attribute.value);
        }
    }
    number(&mut hash, dataset.users.len() as u64);
    for (user, (history, split)) in dataset
        .users
        .iter()
        .zip(dataset.histories.iter().zip(&dataset.split))
    {
        text(&mut hash, &user.key);
        number(&mut hash, split.train as u64);
        number(&mut hash, split.valid as u64);
        number(&mut hash, history.len() as u64);
        for event in history {
            hash.update(event.item.to_le_bytes());
            hash.update(event.time.to_le_bytes());
        }
    }
    for cause in dataset.causes.iter().flatten().flatten().map(Vec::as_slice) {
        number(&mut hash, cause.len() as u64);
        for cause in cause {
            match cause {
                Cause::Taste { kind, value } => {
                    text(&mut hash, "taste");
                    text(&mut hash, kind);
                    text(&mut hash, value);
                }
                Cause::Community { id } => {
                    text(&mut hash, "community");
                    number(&mut hash, u64::from(*id));
                }
                Cause::Popularity => text(&mut hash, "popularity"),
                Cause::Sequel { item } => {
                    text(&mut hash, "sequel");
                    number(&mut hash, u64::from(*item));
                }
            }
        }
    }
    format!("{:x}", hash.finalize())
}

/// Writes `dataset` into `dir` (made if it is not there) and returns its content hash.
///
/// A kill at any moment leaves either no `meta.json`, and [`load`] refuses, or a whole data set.
///
/// # Errors
/// What the file system says.
pub fn write(dataset: &Dataset, dir: &Path) -> Result<String, DataError> {
    std::fs::create_dir_all(dir).map_err(DataError::io(dir))?;
    let meta = dir.join(META);
    if meta.exists() {
        std::fs::remove_file(&meta).map_err(DataError::io(&meta))?;
    }
    write_lines(&dir.join(ITEMS), dataset.items.iter())?;
    write_lines(&dir.join(USERS), dataset.users.iter())?;
    let histories = dataset.histories.iter().zip(&dataset.split).enumerate();
    let histories = histories.map(|(user, (history, split))| History {
        train: split.train,
        valid: split.valid,
        items: history.iter().map(|event| event.item).collect(),
        times: history.iter().map(|event| event.time).collect(),
        causes: dataset.causes.as_ref().map(|causes| causes[user].clone()),
    });
    write_lines(&dir.join(HISTORIES), histories)?;
    let sha256 = content_hash(dataset);
    let meta = Meta {
        version: VERSION,
        name: dataset.name.clone(),
        users: dataset.users.len(),
        items: dataset.items.len(),
        interactions: dataset.histories.iter().map(Vec::len).sum(),
        sha256: sha256.clone(),
    };
    write_lines(&dir.join(META), std::iter::once(meta))?;
    Ok(sha256)
}

/// One JSON value per line, into a file beside the final one that then takes its name.
fn write_lines<T: Serialize>(path: &Path, rows: impl Iterator<Item = T>) -> Result<(), DataError> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = BufWriter::new(File::create(&part)?);
        for row in rows {
            serde_json::to_writer(&mut file, &row)?;
            file.write_all(b"\n")?;
        }
        file.into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(DataError::io(path))
}

/// Reads what [`write()`] wrote and checks all of it: counts, indices, order, split and hash.
///
/// # Errors
/// [`DataError::Stored`] says which file does not fit, [`DataError::Io`] what cannot be read.
pub fn load(dir: &Path) -> Result<Dataset, DataError> {
    let meta_path = dir.join(META);
    let stored = |path: &Path, problem: String| DataError::Stored {
        path: path.to_path_buf(),
        problem,
    };
    let text = std::fs::read(&meta_path).map_err(DataError::io(&meta_path))?;
    let meta: Meta =
        serde_json::from_slice(&text).map_err(|error| stored(&meta_path, error.to_string()))?;
    if meta.version != VERSION {
        let problem = format!("version {}, this program reads {VERSION}", meta.version);
        return Err(stored(&meta_path, problem));
    }
    let items: Vec<Item> = read_lines(&dir.join(ITEMS), meta.items)?;
    let users: Vec<User> = read_lines(&dir.join(USERS), meta.users)?;
    let path = dir.join(HISTORIES);
    let mut dataset = Dataset {
        name: meta.name,
        items,
        histories: Vec::with_capacity(users.len()),
        split: Vec::with_capacity(users.len()),
        users,
        causes: None,
    };
    // One history at a time: all of them as they are in the file would be as large again.
    visit_lines(&path, meta.users, |row: History| {
        if dataset.split.is_empty() && row.causes.is_some() {
            dataset.causes = Some(Vec::new());
        }
        check(&row, dataset.items.len(), dataset.causes.is_some())?;
        dataset.split.push(UserSplit {
            train: row.train,
            valid: row.valid,
        });
        let events = row.items.iter().zip(&row.times);
        let events = events.map(|(item, time)| Event {
            item: *item,
            time: *time,
        });
        dataset.histories.push(events.collect());
        if let (Some(causes), Some(row)) = (&mut dataset.causes, row.causes) {
            causes.push(row);
        }
        Ok(())
    })?;
    if content_hash(&dataset) != meta.sha256 {
        let problem = "the content does not have the hash that meta.json gives".to_owned();
        return Err(stored(dir, problem));
    }
    Ok(dataset)
}

fn check(row: &History, items: usize, with_causes: bool) -> Result<(), &'static str> {
    let length = row.items.len();
    if row.times.len() != length {
        return Err("items and times differ in length");
    }
    if row.items.iter().any(|item| *item as usize >= items) {
        return Err("an item's index is beyond the catalogue");
    }
    if row.times.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err("times go backwards");
    }
    if row
        .train
        .checked_add(row.valid)
        .is_none_or(|sum| sum > length)
    {
        return Err("training and validation are longer than the history");
    }
    if row.causes.is_some() != with_causes
        || row
            .causes
            .as_ref()
            .is_some_and(|causes| causes.len() != length)
    {
        return Err("causes are not parallel to the items");
    }
    Ok(())
}

fn read_lines<T: DeserializeOwned>(path: &Path, expected: usize) -> Result<Vec<T>, DataError> {
    let mut rows = Vec::new();
    visit_lines(path, expected, |row| {
        rows.push(row);
        Ok(())
    })?;
    rows.shrink_to_fit();
    Ok(rows)
}

/// Hands over one value a line; what `take` refuses is reported with the line's number.
fn visit_lines<T: DeserializeOwned>(
    path: &Path,
    expected: usize,
    mut take: impl FnMut(T) -> Result<(), &'static str>,
) -> Result<(), DataError> {
    let stored = |problem: String| DataError::Stored {
        path: path.to_path_buf(),
        problem,
    };
    let mut lines = Lines::open(path)?;
    let mut found = 0;
    while let Some((number, line)) = lines.next_line()? {
        let line = line.map_err(|problem| stored(format!("line {number}: {problem}")))?;
        let row = serde_json::from_slice(line)
            .map_err(|error| stored(format!("line {number}: {error}")))?;
        take(row).map_err(|problem| stored(format!("line {number}: {problem}")))?;
        found += 1;
    }
    if found != expected {
        return Err(stored(format!(
            "{found} lines where meta.json says {expected}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Attribute;

    fn example() -> Dataset {
        let item = |key: &str| Item {
            key: key.to_owned(),
            title: format!("Title {key}"),
            attributes: vec![Attribute {
                kind: "genre".to_owned(),
                value: "noir".to_owned(),
            }],
        };
        let event = |item, time| Event { item, time };
        Dataset {
            name: "tiny".to_owned(),
            items: vec![item("a"), item("b")],
            users: vec![User {
                key: "u".to_owned(),
            }],
            histories: vec![vec![event(0, 1), event(1, 2), event(0, 2)]],
            split: vec![UserSplit { train: 1, valid: 1 }],
            causes: Some(vec![vec![
                vec![Cause::Popularity],
                vec![
                    Cause::Taste {
                        kind: "genre".to_owned(),
                        value: "noir".to_owned(),
                    },
                    Cause::Sequel { item: 0 },
                ],
                vec![Cause::Community { id: 3 }],
            ]]),
        }
    }

    #[test]
    fn what_is_written_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let hash = write(&example(), dir.path()).unwrap();
        assert_eq!(load(dir.path()).unwrap(), example());
        assert_eq!(hash, content_hash(&example()));
        let mut plain = example();
        plain.causes = None;
        write(&plain, dir.path()).unwrap();
        assert_eq!(load(dir.path()).unwrap(), plain);
    }

    #[test]
    fn the_hash_sees_everything_but_the_name() {
        let changes: [fn(&mut Dataset); 8] = [
            |d| d.items[0].key.push('x'),
            |d| d.items[1].title.push('x'),
            |d| d.items[1].attributes[0].value.push('x'),
            |d| d.users[0].key.push('x'),
            |d| d.histories[0][2].item = 1,
            |d| d.histories[0][2].time = 3,
            |d| d.split[0].train = 2,
            |d| d.causes = None,
        ];
        let base = content_hash(&example());
        for change in changes {
            let mut dataset = example();
            change(&mut dataset);
            assert_ne!(content_hash(&dataset), base);
        }
        let mut renamed = example();
        renamed.name.push('x');
        assert_eq!(content_hash(&renamed), base);
    }

    #[test]
    fn the_hash_of_the_smallest_data_set() {
        let empty = Dataset {
            name: String::new(),
            items: Vec::new(),
            users: Vec::new(),
            histories: Vec::new(),
            split: Vec::new(),
            causes: None,
        };
        // sha256 of sixteen zero bytes (no items, no users): printf '\0%.0s' {1..16} | sha256sum
        let known = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb";
        assert_eq!(content_hash(&empty), known);
    }

    /// Writes the example, replaces `from` by `to` in `file`, and gives what `load` complains about.
    fn damaged(file: &str, from: &str, to: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        write(&example(), dir.path()).unwrap();
        let path = dir.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        match load(dir.path()) {
            Err(DataError::Stored { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn stored() {
        assert!(damaged(META, "\"version\":1", "\"version\":9").contains("version 9"));
        assert!(damaged(META, "\"items\":2", "\"items\":3").contains("3"));
        assert!(damaged(ITEMS, "Title a", "Title z").contains("hash"));
        assert!(damaged(ITEMS, "\"title\"", "\"tilte\"").contains("line 1"));
        let histories = |from, to| damaged(HISTORIES, from, to);
        assert!(histories("\"items\":[0,1,0]", "\"items\":[0,2,0]").contains("beyond"));
        assert!(histories("\"items\":[0,1,0]", "\"items\":[0,1]").contains("length"));
        assert!(histories("\"times\":[1,2,2]", "\"times\":[3,2,2]").contains("backwards"));
        assert!(histories("\"train\":1", "\"train\":3").contains("longer"));
        assert!(histories("\"train\":1", "\"train\":18446744073709551615").contains("longer"));
        assert!(histories("[{\"cause\":\"popularity\"}],", "").contains("parallel"));
    }

    #[test]
    fn a_missing_meta_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        write(&example(), dir.path()).unwrap();
        std::fs::remove_file(dir.path().join(META)).unwrap();
        assert!(matches!(load(dir.path()), Err(DataError::Io { .. })));
    }
}
