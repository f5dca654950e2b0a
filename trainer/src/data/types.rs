//! What every reader produces and every later stage consumes.

use serde::{Deserialize, Serialize};

pub use curec_shared_model::text::{Attribute, Item};

/// A person in the log. Their position in [`Log::users`] / [`Dataset::users`] is their dense index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The source's own identifier.
    pub key: String,
}

/// `user` took `item` at `time`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Index into [`Log::users`].
    pub user: u32,
    /// Index into [`Log::items`].
    pub item: u32,
    /// Seconds since 1970 (or any unit the source orders by).
    pub time: i64,
    /// Explicit rating where the source has one.
    pub rating: Option<f32>,
}

/// Why an interaction of the built-in world happened (METHOD §0 has no such thing: only a simulator can know it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The viewer's current taste for this attribute of the item.
    Taste { kind: String, value: String },
    /// The hidden community the viewer belongs to takes this item more than its metadata explains.
    Community { id: u32 },
    /// Popularity alone.
    Popularity,
    /// The item continues or resembles one just taken (index of that item).
    Sequel { item: u32 },
}

/// A log as read, before any filter: users and items in order of first appearance, interactions in a fixed order
/// (user, then time, then the source's own order: the one tie rule of METHOD §0).
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Short name of the data set, e.g. `ml-1m`.
    pub name: String,
    /// All items that metadata or interactions name.
    pub items: Vec<Item>,
    /// All users.
    pub users: Vec<User>,
    /// Sorted by user, then time, ties as [`Order`](super::Order) says.
    pub interactions: Vec<Interaction>,
    /// True causes, parallel to `interactions`; only the built-in world has them.
    pub causes: Option<Vec<Vec<Cause>>>,
    /// What reading left out, by reason: lines skipped under `--lenient`, exact duplicates, items described twice.
    pub skipped: std::collections::BTreeMap<String, usize>,
}

/// One step of a user's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Index into [`Dataset::items`].
    pub item: u32,
    /// Time of the interaction.
    pub time: i64,
}

/// How a user's events are divided: `[0, train)` training, `[train, train + valid)` validation, the rest test.
/// Leave-one-out: `valid == 1` and one test event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSplit {
    /// Number of training events.
    pub train: usize,
    /// Number of validation events.
    pub valid: usize,
}

/// A filtered, densely re-indexed and split log: what all stages after `data` read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// Short name of the data set.
    pub name: String,
    /// Items with at least one remaining interaction, dense.
    pub items: Vec<Item>,
    /// Remaining users, dense.
    pub users: Vec<User>,
    /// Per user, in order (time, ties in the log's order).
    pub histories: Vec<Vec<Event>>,
    /// Per user.
    pub split: Vec<UserSplit>,
    /// True causes per user and event; only for the built-in world.
    pub causes: Option<Vec<Vec<Vec<Cause>>>>,
}

impl Dataset {
    /// Training events of `user`, in order.
    pub fn train_events(&self, user: usize) -> &[Event] {
        &self.histories[user][..self.split[user].train]
    }

    /// Number of training interactions over all users.
    pub fn train_count(&self) -> usize {
        self.split.iter().map(|part| part.train).sum()
    }

    /// Position of the first validation event of `user`, if the user has one.
    pub fn valid_position(&self, user: usize) -> Option<usize> {
        (self.split[user].valid > 0).then_some(self.split[user].train)
    }

    /// Position of the first test event of `user`, if the user has one.
    pub fn test_position(&self, user: usize) -> Option<usize> {
        let start = self.split[user].train + self.split[user].valid;
        (start < self.histories[user].len()).then_some(start)
    }
}
