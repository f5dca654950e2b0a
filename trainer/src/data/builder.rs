//! Where readers put what they find: interns users and items, counts what is skipped, and brings the log into its one
//! fixed order: user, then time, then as a hash draws it or, where that is asked for, the source's own order (METHOD §0's tie rule).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::{DataError, LineProblem};
use super::platforms::name_platforms;
use super::titles::make_titles_unique;
use super::{Attribute, Interaction, Item, Log, User};

/// Name under which `Log::skipped` counts exact duplicates.
pub const DUPLICATE: &str = "repeated interaction (same user, item and time)";
/// Name under which `Log::skipped` counts metadata lines for an item already described, where a format allows them.
pub const DESCRIBED_TWICE: &str = "item described twice (the first description is kept)";

/// Collects a log.
pub(crate) struct LogBuilder {
    name: String,
    lenient: bool,
    draws_ties: bool,
    items: Vec<Item>,
    item_of: HashMap<Box<str>, u32>,
    users: Vec<User>,
    user_of: HashMap<Box<str>, u32>,
    interactions: Vec<Interaction>,
    units_per_second: i64,
    skipped: BTreeMap<String, usize>,
}

impl LogBuilder {
    pub(crate) fn new(name: String, lenient: bool) -> Self {
        Self {
            name,
            lenient,
            draws_ties: false,
            items: Vec::new(),
            item_of: HashMap::new(),
            users: Vec::new(),
            user_of: HashMap::new(),
            interactions: Vec::new(),
            units_per_second: 1,
            skipped: BTreeMap::new(),
        }
    }

    /// Says that a hash draws the order of a user's interactions at equal times.
    pub(crate) fn draw_ties(&mut self) {
        self.draws_ties = true;
    }

    /// Says that times are given in milliseconds: they order the log and leave it as seconds.
    pub(crate) fn times_in_milliseconds(&mut self) {
        self.units_per_second = 1000;
    }

    /// A malformed line: an error, or counted when reading leniently.
    pub(crate) fn bad_line(
        &mut self,
        file: &Path,
        line: u64,
        problem: LineProblem,
    ) -> Result<(), DataError> {
        if self.lenient {
            self.count(problem.reason());
            return Ok(());
        }
        Err(DataError::Line {
            file: file.to_path_buf(),
            line,
            problem,
        })
    }

    /// Counts something that every reading leaves out.
    pub(crate) fn count(&mut self, reason: &str) {
        match self.skipped.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.skipped.insert(reason.to_owned(), 1);
            }
        }
    }

    /// Index of an item that the metadata named.
    pub(crate) fn item(&self, key: &str) -> Result<u32, LineProblem> {
        self.item_of
            .get(key)
            .copied()
            .ok_or_else(|| LineProblem::UnknownItem {
                key: LineProblem::shown(key.as_bytes()),
            })
    }

    /// Index of an item, which is added without title and attributes when it is new.
    pub(crate) fn item_or_new(&mut self, key: &str) -> Result<u32, DataError> {
        if let Some(index) = self.item_of.get(key) {
            return Ok(*index);
        }
        self.push_item(key, String::new(), Vec::new())
    }

    /// Adds an item; `Ok(Err(RepeatedItem))` when the key is taken.
    pub(crate) fn add_item(
        &mut self,
        key: &str,
        title: String,
        attributes: Vec<Attribute>,
    ) -> Result<Result<(), LineProblem>, DataError> {
        if self.item_of.contains_key(key) {
            let key = LineProblem::shown(key.as_bytes());
            return Ok(Err(LineProblem::RepeatedItem { key }));
        }
        self.push_item(key, title, attributes)?;
        Ok(Ok(()))
    }

    fn push_item(
        &mut self,
        key: &str,
        title: String,
        attributes: Vec<Attribute>,
    ) -> Result<u32, DataError> {
        let index = index(self.items.len(), "items")?;
        self.item_of.insert(key.into(), index);
        self.items.push(Item {
            key: key.to_owned(),
            title,
            attributes,
        });
        Ok(index)
    }

    /// Index of a user, who is added when new.
    pub(crate) fn user(&mut self, key: &str) -> Result<u32, DataError> {
        if let Some(index) = self.user_of.get(key) {
            return Ok(*index);
        }
        let index = index(self.users.len(), "users")?;
        self.user_of.insert(key.into(), index);
        self.users.push(User {
            key: key.to_owned(),
        });
        Ok(index)
    }

    /// Index of a user who is there already.
    pub(crate) fn known_user(&self, key: &str) -> Option<u32> {
        self.user_of.get(key).copied()
    }

    /// Adds an interaction.
    pub(crate) fn interaction(&mut self, user: u32, item: u32, time: i64, rating: Option<f32>) {
        self.interactions.push(Interaction {
            user,
            item,
            time,
            rating,
        });
    }

    /// All interactions so far, for a reader that reorders them. They must leave sorted by user and time.
    pub(crate) fn interactions_mut(&mut self) -> &mut Vec<Interaction> {
        &mut self.interactions
    }

    pub(crate) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Sorts by user and time (stable: ties keep the source's order unless they are drawn) and drops exact duplicates, which are counted.
    pub(crate) fn sort_and_deduplicate(&mut self) {
        let mut interactions = std::mem::take(&mut self.interactions);
        interactions.sort_by_key(|one| (one.user, one.time));
        if self.draws_ties {
            let tied = |a: &Interaction, b: &Interaction| (a.user, a.time) == (b.user, b.time);
            for ties in interactions.chunk_by_mut(tied) {
                ties.sort_by_cached_key(|one| self.drawn(one));
            }
        }
        self.interactions = interactions;
        let before = self.interactions.len();
        // Per item the number of the last run (same user, same time) that had it.
        let mut last_run = vec![0_usize; self.items.len()];
        let (mut run, mut at) = (0, None);
        self.interactions.retain(|interaction| {
            let now = Some((interaction.user, interaction.time));
            if at != now {
                at = now;
                run += 1;
            }
            let seen = std::mem::replace(&mut last_run[interaction.item as usize], run);
            seen != run
        });
        let dropped = before - self.interactions.len();
        if dropped > 0 {
            *self.skipped.entry(DUPLICATE.to_owned()).or_default() += dropped;
        }
    }

    /// Where a hash puts an interaction among those of its user at the same time.
    fn drawn(&self, interaction: &Interaction) -> [u8; 32] {
        Sha256::new()
            .chain_update(&self.users[interaction.user as usize].key)
            .chain_update([0])
            .chain_update(&self.items[interaction.item as usize].key)
            .finalize()
            .into()
    }

    /// The log, sorted and with unique titles.
    pub(crate) fn finish(mut self, dir: &Path) -> Result<Log, DataError> {
        self.sort_and_deduplicate();
        if self.interactions.is_empty() {
            return Err(DataError::NoInteractions {
                path: dir.to_path_buf(),
                skipped: self.skipped.values().sum(),
            });
        }
        for interaction in &mut self.interactions {
            interaction.time /= self.units_per_second;
        }
        name_platforms(&mut self.items);
        make_titles_unique(&mut self.items);
        Ok(Log {
            name: self.name,
            items: self.items,
            users: self.users,
            interactions: self.interactions,
            causes: None,
            skipped: self.skipped,
        })
    }
}

fn index(length: usize, what: &'static str) -> Result<u32, DataError> {
    u32::try_from(length).map_err(|_| DataError::TooMany { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_ties_depend_on_no_order_of_the_source_and_times_stay_in_order() {
        let read = |keys: &[&str]| {
            let mut builder = LogBuilder::new("x".to_owned(), false);
            builder.draw_ties();
            let user = builder.user("u").unwrap();
            for key in keys {
                let item = builder.item_or_new(key).unwrap();
                builder.interaction(user, item, i64::from(key.len() > 1), None);
            }
            let log = builder.finish(Path::new("x")).unwrap();
            let taken = log.interactions.iter();
            taken
                .map(|one| log.items[one.item as usize].key.clone())
                .collect::<Vec<_>>()
        };
        let letters = ["a", "b", "c", "d", "e", "f", "later"];
        let drawn = read(&letters);
        let mut turned = letters;
        turned.reverse();
        assert_eq!(read(&turned), drawn);
        assert_eq!(drawn[6], "later");
        assert_ne!(drawn, letters);
    }

    #[test]
    fn order_is_user_then_time_then_source_and_duplicates_are_counted() {
        let mut builder = LogBuilder::new("x".to_owned(), false);
        for key in ["a", "b", "c"] {
            builder
                .add_item(key, key.to_owned(), Vec::new())
                .unwrap()
                .unwrap();
        }
        let second = builder.user("u2").unwrap();
        let first = builder.user("u1").unwrap();
        for (user, item, time) in [
            (first, 2, 5),
            (second, 1, 9),
            (first, 0, 5),
            (first, 2, 5), // exact duplicate, not adjacent
            (second, 1, 3),
            (second, 1, 10), // taken again later: kept
        ] {
            builder.interaction(user, item, time, None);
        }
        let log = builder.finish(Path::new("dir")).unwrap();
        let order: Vec<(u32, u32, i64)> = log
            .interactions
            .iter()
            .map(|i| (i.user, i.item, i.time))
            .collect();
        assert_eq!(
            order,
            [(0, 1, 3), (0, 1, 9), (0, 1, 10), (1, 2, 5), (1, 0, 5)]
        );
        assert_eq!(log.skipped.get(DUPLICATE), Some(&1));
        assert_eq!(log.users[0].key, "u2");
    }

    #[test]
    fn no_interactions() {
        let builder = LogBuilder::new("x".to_owned(), false);
        let error = builder.finish(Path::new("dir")).unwrap_err();
        assert!(matches!(error, DataError::NoInteractions { .. }));
    }
}
