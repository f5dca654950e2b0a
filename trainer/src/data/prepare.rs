//! From a log to a filtered, densely re-indexed and split data set (METHOD §0, EVALUATION's two protocols).
//!
//! Order of the filters, each counted in [`Dropped`]:
//! 1. users with a history under `min_history` and items taken less than `min_item_count` times, again and again until both
//!    hold for what remains (without an item minimum one pass over the users does);
//! 2. a seeded sample of `max_users` of the remaining users. Items are not filtered again after it, so that with both
//!    settings an item may end below `min_item_count`;
//! 3. temporal split only: users without an interaction before the split point, whom nothing is known about;
//! 4. items that nobody is left to have taken.
//!
//! Indices of users and items keep the log's order. Leave-one-out needs three events of a user (training, validation, test),
//! so that `min_history` counts as at least 3 there. Under the temporal split the first point in time is where the
//! `train_until` quantile of all remaining interactions lies: strictly before it is training, from the second point on test;
//! interactions of equal time are never divided. A user may then have no validation or no test event.

use std::fmt;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::config::{SplitKind, SplitOptions};
use super::error::DataError;
use super::{Cause, Dataset, Event, Log, UserSplit};

/// One filter and what it took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropStep {
    /// Why, in words for a table.
    pub why: String,
    /// Users that left here.
    pub users: usize,
    /// Items that left here.
    pub items: usize,
    /// Interactions that left here.
    pub interactions: usize,
}

/// Everything that [`prepare`] left out, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Filters that took something away.
    pub steps: Vec<DropStep>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(
                f,
                "  {}: {} users, {} items, {} interactions",
                step.why, step.users, step.items, step.interactions
            )?;
        }
        Ok(())
    }
}

/// Who and what is still in.
struct Remaining<'a> {
    log: &'a Log,
    /// Users with an interaction that are still in.
    users: Vec<bool>,
    /// Items with an interaction that are still in.
    items: Vec<bool>,
    interactions: usize,
    dropped: Dropped,
}

/// Filters, re-indexes and splits `log`.
///
/// # Errors
/// Settings that contradict each other; nothing left after filtering.
pub fn prepare(log: &Log, options: &SplitOptions) -> Result<(Dataset, Dropped), DataError> {
    options.validate()?;
    let mut remaining = Remaining::new(log);
    let min_history = match options.split {
        SplitKind::LeaveOneOut => options.min_history.max(3),
        SplitKind::Temporal => options.min_history.max(1),
    };
    remaining.filter_counts(min_history, options.min_item_count);
    if let Some(most) = options.max_users {
        remaining.sample(most, options.seed);
    }
    let cuts = match options.split {
        SplitKind::LeaveOneOut => None,
        SplitKind::Temporal => {
            let cuts = remaining.cuts(options);
            remaining.drop_unknown_users(cuts.0);
            Some(cuts)
        }
    };
    remaining.drop_untaken_items();
    if remaining.interactions == 0 {
        return Err(DataError::NothingLeft {
            dropped: remaining.dropped,
        });
    }
    Ok(remaining.into_dataset(cuts))
}

impl<'a> Remaining<'a> {
    fn new(log: &'a Log) -> Self {
        let mut remaining = Self {
            log,
            users: vec![true; log.users.len()],
            items: vec![true; log.items.len()],
            interactions: log.interactions.len(),
            dropped: Dropped::default(),
        };
        let counts = remaining.user_counts();
        remaining.keep_users("no interaction", |user| counts[user] > 0);
        remaining
    }

    fn has(&self, interaction: &super::Interaction) -> bool {
        self.users[interaction.user as usize] && self.items[interaction.item as usize]
    }

    fn user_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.users.len()];
        for interaction in self.log.interactions.iter().filter(|i| self.has(i)) {
            counts[interaction.user as usize] += 1;
        }
        counts
    }

    fn item_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.items.len()];
        for interaction in self.log.interactions.iter().filter(|i| self.has(i)) {
            counts[interaction.item as usize] += 1;
        }
        counts
    }

    /// Adds to the step of the same reason, or a new step; nothing for nothing.
    fn note(&mut self, why: &str, users: usize, items: usize) {
        let left = self.user_counts().iter().sum();
        let interactions = self.interactions - left;
        self.interactions = left;
        if users + items + interactions == 0 {
            return;
        }
        match self.dropped.steps.iter_mut().find(|step| step.why == why) {
            Some(step) => {
                step.users += users;
                step.items += items;
                step.interactions += interactions;
            }
            None => self.dropped.steps.push(DropStep {
                why: why.to_owned(),
                users,
                items,
                interactions,
            }),
        }
    }

    /// Drops users for whom `keep` is false; says whether there were any.
    fn keep_users(&mut self, why: &str, keep: impl Fn(usize) -> bool) -> bool {
        let mut lost = 0;
        for (user, present) in self.users.iter_mut().enumerate() {
            if *present && !keep(user) {
                *present = false;
                lost += 1;
            }
        }
        self.note(why, lost, 0);
        lost > 0
    }

    /// Drops items for which `keep` is false; says whether there were any.
    fn keep_items(&mut self, why: &str, keep: impl Fn(usize) -> bool) -> bool {
        let mut lost = 0;
        for (item, present) in self.items.iter_mut().enumerate() {
            if *present && !keep(item) {
                *present = false;
                lost += 1;
            }
        }
        self.note(why, 0, lost);
        lost > 0
    }

    fn filter_counts(&mut self, min_history: usize, min_item_count: usize) {
        let short = format!("history under {min_history}");
        let rare = format!("item taken under {min_item_count} times");
        loop {
            let counts = self.item_counts();
            let items =
                min_item_count > 1 && self.keep_items(&rare, |item| counts[item] >= min_item_count);
            let counts = self.user_counts();
            let users = self.keep_users(&short, |user| counts[user] >= min_history);
            if !(users || items) || min_item_count <= 1 {
                return;
            }
        }
    }

    fn sample(&mut self, most: usize, seed: u64) {
        let present: Vec<usize> = (0..self.users.len())
            .filter(|user| self.users[*user])
            .collect();
        if present.len() <= most {
            return;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut chosen = vec![false; self.users.len()];
        for position in index::sample(&mut random, present.len(), most) {
            chosen[present[position]] = true;
        }
        let why = format!("not in the sample of {most} users");
        self.keep_users(&why, |user| chosen[user]);
    }

    /// First times of validation and of test.
    fn cuts(&self, options: &SplitOptions) -> (i64, i64) {
        let kept = self.log.interactions.iter().filter(|i| self.has(i));
        let mut times: Vec<i64> = kept.map(|interaction| interaction.time).collect();
        times.sort_unstable();
        let at = |fraction: f64| {
            let position = (fraction * times.len() as f64) as usize;
            times.get(position).copied().unwrap_or(i64::MAX)
        };
        (at(options.train_until), at(options.valid_until))
    }

    fn drop_unknown_users(&mut self, first_valid: i64) {
        let mut known = vec![false; self.users.len()];
        for interaction in self.log.interactions.iter().filter(|i| self.has(i)) {
            known[interaction.user as usize] |= interaction.time < first_valid;
        }
        self.keep_users("no interaction before the split point", |user| known[user]);
    }

    fn drop_untaken_items(&mut self) {
        let counts = self.item_counts();
        self.keep_items("no interaction left", |item| counts[item] > 0);
    }

    fn into_dataset(self, cuts: Option<(i64, i64)>) -> (Dataset, Dropped) {
        let (log, users, items) = (self.log, dense(&self.users), dense(&self.items));
        let user_count = users.iter().flatten().count();
        // At their final size from the start: grown step by step, histories would hold up to twice as much.
        let counts = self.user_counts();
        let mut histories: Vec<Vec<Event>> = Vec::with_capacity(user_count);
        histories.extend(
            (users.iter().zip(&counts))
                .filter(|(user, _)| user.is_some())
                .map(|(_, &count)| Vec::with_capacity(count)),
        );
        let mut causes: Option<Vec<Vec<Vec<Cause>>>> =
            log.causes.as_ref().map(|_| vec![Vec::new(); user_count]);
        let dense_cause = |cause: &Cause| match cause {
            // A sequel of an item that was dropped has lost its cause's object.
            Cause::Sequel { item } => items[*item as usize].map(|item| Cause::Sequel { item }),
            other => Some(other.clone()),
        };
        for (position, interaction) in log.interactions.iter().enumerate() {
            let user = users[interaction.user as usize];
            let item = items[interaction.item as usize];
            if let (Some(user), Some(item)) = (user, item) {
                let time = interaction.time;
                histories[user as usize].push(Event { item, time });
                if let (Some(causes), Some(all)) = (&mut causes, &log.causes) {
                    let kept = all[position].iter().filter_map(dense_cause).collect();
                    causes[user as usize].push(kept);
                }
            }
        }
        let split = histories
            .iter()
            .map(|history| split(history, cuts))
            .collect();
        let dataset = Dataset {
            name: log.name.clone(),
            items: kept(&log.items, &self.items),
            users: kept(&log.users, &self.users),
            histories,
            split,
            causes,
        };
        (dataset, self.dropped)
    }
}

fn split(history: &[Event], cuts: Option<(i64, i64)>) -> UserSplit {
    match cuts {
        None => UserSplit {
            train: history.len() - 2,
            valid: 1,
        },
        Some((first_valid, first_test)) => {
            let train = history.partition_point(|event| event.time < first_valid);
            let valid = history[train..].partition_point(|event| event.time < first_test);
            UserSplit { train, valid }
        }
    }
}

/// New index of everything that is still in.
fn dense(present: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0;
    present
        .iter()
        .map(|present| {
            present.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn kept<T: Clone>(all: &[T], present: &[bool]) -> Vec<T> {
    let pairs = all.iter().zip(present);
    pairs
        .filter(|(_, present)| **present)
        .map(|(one, _)| one.clone())
        .collect()
}

#[cfg(test)]
mod tests;
