//! Readers against small hand-made files, bad files, arbitrary bytes, and the real data sets where they are at hand.

mod formats;
mod hostile;
mod problems;
mod real;

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::data::{Interaction, LineProblem};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// As the source has it, equal times too.
const AS_WRITTEN: ReadOptions = ReadOptions {
    lenient: false,
    order: Order::Source,
};

fn strict(dir: &Path) -> Result<Log, DataError> {
    read(dir, None, &AS_WRITTEN)
}

fn lenient(dir: &Path) -> Result<Log, DataError> {
    let options = ReadOptions {
        lenient: true,
        ..AS_WRITTEN
    };
    read(dir, None, &options)
}

/// (user key, item key, time) of every interaction.
fn events(log: &Log) -> Vec<(&str, &str, i64)> {
    let event = |i: &Interaction| {
        let user = log.users[i.user as usize].key.as_str();
        (user, log.items[i.item as usize].key.as_str(), i.time)
    };
    log.interactions.iter().map(event).collect()
}

/// `kind: value` of an item's attributes.
fn attributes(log: &Log, item: usize) -> Vec<String> {
    let all = log.items[item].attributes.iter();
    all.map(|a| format!("{}: {}", a.kind, a.value)).collect()
}

fn titles(log: &Log) -> Vec<&str> {
    log.items.iter().map(|item| item.title.as_str()).collect()
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
