//! What may be known at a moment: the one place that enforces METHOD §2's time and self-leak rule.
//!
//! For an example at time `t`, position `p` of its user's history:
//! - the history is the user's own events before `p` (ties in time are settled by the user's own order);
//! - an item's reasons are those whose interaction is **strictly** earlier than `t`, so never the example's own;
//! - the pattern is the newest one written from the user's first `p` events or fewer;
//! - an interaction at or after its user's validation event never becomes a source of a reason, and no pattern is written from one:
//!   [`Timeline::check_source`] and [`Timeline::check_pattern`], which the stores call for every entry they take or load.
//!
//! A user's own history may include the validation event when the test event is ranked (as in EVALUATION.md's references); texts may not.

use std::ops::Range;

use thiserror::Error;

use crate::data::{Dataset, Event};
use crate::reward::stores::{PatternStore, ReasonStore};

/// Why something may not be used as a source of text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LeakError {
    /// No such interaction.
    #[error("user {user} has {events} events; there is no event {position}")]
    NoSuchEvent {
        /// User index.
        user: usize,
        /// Position asked for.
        position: usize,
        /// Length of the history.
        events: usize,
    },
    /// The interaction belongs to validation or test.
    #[error(
        "event {position} of user {user} is at or after the split point ({train} training events): no text may come from it"
    )]
    AfterSplit {
        /// User index.
        user: usize,
        /// Position asked for.
        position: usize,
        /// Number of the user's training events.
        train: usize,
    },
    /// An entry says something else about its interaction than the data.
    #[error(
        "an entry for event {position} of user {user} names item {item} at time {time}; the data says item {true_item} at time {true_time}"
    )]
    OtherData {
        /// User index.
        user: usize,
        /// Position.
        position: usize,
        /// Item in the entry.
        item: u32,
        /// Time in the entry.
        time: i64,
        /// Item in the data.
        true_item: u32,
        /// Time in the data.
        true_time: i64,
    },
    /// A pattern's time is not that of the last event it was written from.
    #[error(
        "a pattern of user {user} written from {upto} events says time {time:?}; the last of them has {true_time:?}"
    )]
    PatternTime {
        /// User index.
        user: usize,
        /// Number of events used.
        upto: usize,
        /// Time in the entry.
        time: Option<i64>,
        /// Time of the last event used.
        true_time: Option<i64>,
    },
}

/// A data set seen as time passing.
#[derive(Debug, Clone, Copy)]
pub struct Timeline<'a> {
    data: &'a Dataset,
}

/// Everything that may be known when `user` is about to take the event at `position`.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// User index.
    pub user: usize,
    /// Number of the user's events that lie before.
    pub position: usize,
    /// Time of the example; `i64::MAX` for the moment after a user's last event.
    pub time: i64,
    history: &'a [Event],
}

impl<'a> Timeline<'a> {
    /// The timeline of `data`.
    pub fn new(data: &'a Dataset) -> Self {
        Self { data }
    }

    /// The data set behind it.
    pub fn data(&self) -> &'a Dataset {
        self.data
    }

    /// The past of event `position` of `user`; `position` may be the history's length, the moment after the last event.
    pub fn past(&self, user: usize, position: usize) -> Result<Past<'a>, LeakError> {
        let events = self.events(user, position)?;
        Ok(Past {
            user,
            position,
            time: events.get(position).map_or(i64::MAX, |event| event.time),
            history: &events[..position],
        })
    }

    /// Accepts `(user, position)` as the source of a reason only if it is a training event with this item and time.
    pub fn check_source(
        &self,
        user: usize,
        position: usize,
        item: u32,
        time: i64,
    ) -> Result<(), LeakError> {
        let events = self.events(user, position)?;
        let train = self.data.split[user].train;
        if position >= train {
            return Err(LeakError::AfterSplit {
                user,
                position,
                train,
            });
        }
        let Event {
            item: true_item,
            time: true_time,
        } = events[position];
        if (item, time) != (true_item, true_time) {
            return Err(LeakError::OtherData {
                user,
                position,
                item,
                time,
                true_item,
                true_time,
            });
        }
        Ok(())
    }

    /// Accepts a pattern written from the first `upto` events of `user` only if all of them are training events and `time` is that of
    /// the last one (`None` for a pattern written from nothing).
    pub fn check_pattern(
        &self,
        user: usize,
        upto: usize,
        time: Option<i64>,
    ) -> Result<(), LeakError> {
        let events = self.events(user, upto)?;
        let train = self.data.split[user].train;
        if upto > train {
            return Err(LeakError::AfterSplit {
                user,
                position: upto - 1,
                train,
            });
        }
        let true_time = upto.checked_sub(1).map(|last| events[last].time);
        if time != true_time {
            return Err(LeakError::PatternTime {
                user,
                upto,
                time,
                true_time,
            });
        }
        Ok(())
    }

    /// All training interactions `(user, position)` in global time order; ties by user, then position.
    pub fn training_order(&self) -> Vec<(usize, usize)> {
        let mut order: Vec<(i64, usize, usize)> = (0..self.data.users.len())
            .flat_map(|user| {
                let events = self.data.train_events(user);
                events
                    .iter()
                    .enumerate()
                    .map(move |(position, event)| (event.time, user, position))
            })
            .collect();
        order.sort_unstable();
        order
            .into_iter()
            .map(|(_, user, position)| (user, position))
            .collect()
    }

    fn events(&self, user: usize, position: usize) -> Result<&'a [Event], LeakError> {
        let events = self.data.histories.get(user).map_or(&[][..], Vec::as_slice);
        if user >= self.data.histories.len() || position > events.len() {
            return Err(LeakError::NoSuchEvent {
                user,
                position,
                events: events.len(),
            });
        }
        Ok(events)
    }
}

impl<'a> Past<'a> {
    /// The user's own events before, oldest first.
    pub fn history(&self) -> &'a [Event] {
        self.history
    }

    /// The newest `count` of them, oldest first.
    pub fn recent(&self, count: usize) -> &'a [Event] {
        &self.history[self.history.len().saturating_sub(count)..]
    }

    /// The newest pattern written from these events or fewer: its row in the store.
    pub fn pattern(&self, patterns: &PatternStore) -> Option<u32> {
        patterns.newest(self.user, self.position)
    }

    /// The newest `count` reasons of `item` from strictly before this moment, oldest first: rows in the store.
    pub fn reasons<'s>(&self, reasons: &'s ReasonStore, item: u32, count: usize) -> &'s [u32] {
        &reasons.of_item(item)[self.reason_range(reasons, item, count)]
    }

    /// Where those stand among [all reasons](ReasonStore::of_item) of `item`.
    pub fn reason_range(&self, reasons: &ReasonStore, item: u32, count: usize) -> Range<usize> {
        let end = reasons.earlier(item, self.time);
        end.saturating_sub(count)..end
    }
}

#[cfg(test)]
mod leak_tests;
#[cfg(test)]
mod tests;
