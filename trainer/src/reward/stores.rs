//! The texts a run has written and their vectors: user patterns and reasons (METHOD §2), with time, source and policy version.
//!
//! On disk a store is two files of one folder, each replaced atomically: `NAME.jsonl` (one entry per line) and `NAME.safetensors`
//! (f32 vectors `[entries, width]`, whose header holds the hash of the first file, so that halves of two versions are noticed).

mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::past::{LeakError, Timeline};
use table::Table;

/// A user's interest pattern as written at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternEntry {
    /// User index.
    pub user: u32,
    /// It was written from the user's first `upto` events.
    pub upto: u32,
    /// Time of the last of them.
    pub time: Option<i64>,
    /// What the LLM wrote.
    pub text: String,
    /// Version of the policy that wrote it.
    pub policy_version: u64,
}

/// Why a user took an item, from the user's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonEntry {
    /// The item it is a reason for.
    pub item: u32,
    /// Source: the user who took it …
    pub user: u32,
    /// … at this position of their history …
    pub position: u32,
    /// … at this time.
    pub time: i64,
    /// What the LLM wrote.
    pub text: String,
    /// Version of the policy that wrote it.
    pub policy_version: u64,
}

/// Why a store refuses an entry or a file.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The time and self-leak rule forbids the entry.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// The vector does not fit the store.
    #[error("a text vector has {found} values; this store holds vectors of {expected}")]
    Width {
        /// Width of the store.
        expected: usize,
        /// Length of the vector.
        found: usize,
    },
    /// A vector with NaN or infinity.
    #[error("the text vector of {0} holds a value that is not finite")]
    NotFinite(String),
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// A line of the entries' file is unreadable.
    #[error("{path}, line {line}: {message}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The vectors' file is unreadable or belongs to other entries.
    #[error("{path}: {message}")]
    Vectors {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
}

/// All patterns of a run; per user the snapshots in order of the history they were written from.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternStore {
    table: Table<PatternEntry>,
    by_user: HashMap<u32, Vec<u32>>,
}

/// All reasons of a run; per item sorted by time.
#[derive(Debug, Clone, PartialEq)]
pub struct ReasonStore {
    table: Table<ReasonEntry>,
    by_item: HashMap<u32, Vec<u32>>,
    by_source: HashMap<(u32, u32), u32>,
}

macro_rules! table_access {
    ($entry:ty) => {
        /// Number of entries.
        pub fn len(&self) -> usize {
            self.table.entries.len()
        }

        /// Whether nothing was written yet.
        pub fn is_empty(&self) -> bool {
            self.table.entries.is_empty()
        }

        /// Width of a text vector.
        pub fn width(&self) -> usize {
            self.table.width
        }

        /// All entries; a row number is an index into them.
        pub fn entries(&self) -> &[$entry] {
            &self.table.entries
        }

        /// The entry of a row.
        pub fn entry(&self, row: u32) -> &$entry {
            &self.table.entries[row as usize]
        }

        /// The text vector of a row.
        pub fn vector(&self, row: u32) -> &[f32] {
            self.table.vector(row)
        }

        /// All text vectors, row by row.
        pub fn vectors(&self) -> &[f32] {
            &self.table.vectors
        }
    };
}

impl PatternStore {
    /// File name without extension.
    pub const NAME: &str = "patterns";

    /// An empty store for vectors of `width`.
    pub fn new(width: usize) -> Self {
        Self {
            table: Table::new(width),
            by_user: HashMap::new(),
        }
    }

    table_access!(PatternEntry);

    /// Adds a pattern, or replaces the one written from the same events. Returns its row.
    pub fn insert(
        &mut self,
        timeline: &Timeline,
        entry: PatternEntry,
        vector: &[f32],
    ) -> Result<u32, StoreError> {
        timeline.check_pattern(entry.user as usize, entry.upto as usize, entry.time)?;
        self.table
            .check(vector, || format!("the pattern of user {}", entry.user))?;
        let rows = self.by_user.entry(entry.user).or_default();
        let entries = &self.table.entries;
        match rows.binary_search_by_key(&entry.upto, |&row| entries[row as usize].upto) {
            Ok(at) => {
                let row = rows[at];
                self.table.replace(row, entry, vector);
                Ok(row)
            }
            Err(at) => {
                let row = self.table.push(entry, vector);
                rows.insert(at, row);
                Ok(row)
            }
        }
    }

    /// Newest pattern of `user` written from the first `position` events or fewer. [`Past::pattern`](crate::past::Past::pattern) is the
    /// way to ask for it.
    pub fn newest(&self, user: usize, position: usize) -> Option<u32> {
        let rows = self.by_user.get(&(user as u32))?;
        let entries = &self.table.entries;
        let known = rows.partition_point(|&row| entries[row as usize].upto as usize <= position);
        known.checked_sub(1).map(|last| rows[last])
    }

    /// The control *another user's pattern*: each row gets the vector (not the text) of another user's pattern.
    pub fn with_swapped_users(&self, seed: u64) -> Self {
        let mut users: Vec<u32> = self.by_user.keys().copied().collect();
        users.sort_unstable();
        let others = derangement(users.len(), seed);
        let mut swapped = self.clone();
        for (index, user) in users.iter().enumerate() {
            let (own, other) = (&self.by_user[user], &self.by_user[&users[others[index]]]);
            swapped.table.take_over(own, &self.table, other);
        }
        swapped
    }

    /// Writes both files into `folder`.
    pub fn save(&self, folder: &Path) -> Result<(), StoreError> {
        self.table.save(folder, Self::NAME)
    }

    /// Reads both files from `folder`; every entry passes the leak rule again.
    pub fn load(folder: &Path, timeline: &Timeline) -> Result<Self, StoreError> {
        let table = Table::<PatternEntry>::load(folder, Self::NAME)?;
        let mut store = Self::new(table.width);
        for (row, entry) in table.entries.iter().enumerate() {
            store.insert(timeline, entry.clone(), table.vector(row as u32))?;
        }
        Ok(store)
    }
}

impl ReasonStore {
    /// File name without extension.
    pub const NAME: &str = "reasons";

    /// An empty store for vectors of `width`.
    pub fn new(width: usize) -> Self {
        Self {
            table: Table::new(width),
            by_item: HashMap::new(),
            by_source: HashMap::new(),
        }
    }

    table_access!(ReasonEntry);

    /// Adds a reason, or replaces the one of the same interaction. Returns its row.
    pub fn insert(
        &mut self,
        timeline: &Timeline,
        entry: ReasonEntry,
        vector: &[f32],
    ) -> Result<u32, StoreError> {
        timeline.check_source(
            entry.user as usize,
            entry.position as usize,
            entry.item,
            entry.time,
        )?;
        self.table.check(vector, || {
            format!("the reason of user {} for item {}", entry.user, entry.item)
        })?;
        if let Some(&row) = self.by_source.get(&(entry.user, entry.position)) {
            self.table.replace(row, entry, vector);
            return Ok(row);
        }
        let (item, source) = (entry.item, (entry.user, entry.position));
        let key = order(&entry);
        let row = self.table.push(entry, vector);
        let entries = &self.table.entries;
        let rows = self.by_item.entry(item).or_default();
        let at = rows.partition_point(|&other| order(&entries[other as usize]) < key);
        rows.insert(at, row);
        self.by_source.insert(source, row);
        Ok(row)
    }

    /// Rows of all reasons of `item`, oldest first, whatever the moment: [`Past::reasons`](crate::past::Past::reasons) is the way to
    /// ask for those that may be seen.
    pub fn of_item(&self, item: u32) -> &[u32] {
        self.by_item.get(&item).map_or(&[], Vec::as_slice)
    }

    /// How many of them have an interaction strictly earlier than `time`.
    pub fn earlier(&self, item: u32, time: i64) -> usize {
        let entries = &self.table.entries;
        self.of_item(item)
            .partition_point(|&row| entries[row as usize].time < time)
    }

    /// Row of the reason written for event `position` of `user`.
    pub fn of_source(&self, user: u32, position: u32) -> Option<u32> {
        self.by_source.get(&(user, position)).copied()
    }

    /// The control *random reasons*: every row gets the vector (not the text) of another row, of whatever item.
    pub fn with_shuffled_vectors(&self, seed: u64) -> Self {
        let others = derangement(self.len(), seed);
        let mut shuffled = self.clone();
        for (row, &other) in others.iter().enumerate() {
            shuffled
                .table
                .vector_mut(row as u32)
                .copy_from_slice(self.vector(other as u32));
        }
        shuffled
    }

    /// The control *swapped between items*: each item's list gets the vectors (not the texts) of another item's list as a whole, oldest
    /// to oldest; where that list is shorter, its newest again. Only items with reasons take part.
    pub fn with_swapped_items(&self, seed: u64) -> Self {
        let mut items: Vec<u32> = self.by_item.keys().copied().collect();
        items.sort_unstable();
        let others = derangement(items.len(), seed);
        let mut swapped = self.clone();
        for (index, item) in items.iter().enumerate() {
            let (own, other) = (&self.by_item[item], &self.by_item[&items[others[index]]]);
            swapped.table.take_over(own, &self.table, other);
        }
        swapped
    }

    /// Writes both files into `folder`.
    pub fn save(&self, folder: &Path) -> Result<(), StoreError> {
        self.table.save(folder, Self::NAME)
    }

    /// Reads both files from `folder`; every entry passes the leak rule again.
    pub fn load(folder: &Path, timeline: &Timeline) -> Result<Self, StoreError> {
        let table = Table::<ReasonEntry>::load(folder, Self::NAME)?;
        let mut store = Self::new(table.width);
        for (row, entry) in table.entries.iter().enumerate() {
            store.insert(timeline, entry.clone(), table.vector(row as u32))?;
        }
        Ok(store)
    }
}

/// Order of an item's reasons: time, then a rule that does not depend on the order of writing.
fn order(entry: &ReasonEntry) -> (i64, u32, u32) {
    (entry.time, entry.user, entry.position)
}

/// A random cyclic permutation (Sattolo): nobody keeps their own, unless there is only one.
fn derangement(count: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut others: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        others.swap(last, rng.random_range(0..last));
    }
    others
}

#[cfg(test)]
#[path = "stores_tests.rs"]
mod tests;
