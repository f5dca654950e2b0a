//! What a log and the data set made of it look like: `curec data stats`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::prepare::Dropped;
use super::{Dataset, Item, Log, calendar, store};

mod table;

/// Everything that `curec data stats` prints; `--json` serialises it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Name of the data set.
    pub name: String,
    /// Content hash of the data set (see [`store::content_hash`]).
    pub sha256: String,
    /// The log as read.
    pub read: Side,
    /// The data set after all filters.
    pub kept: Side,
    /// How the data set is divided.
    pub split: SplitCounts,
    /// What [`prepare`](super::prepare) left out and why.
    pub dropped: Dropped,
    /// What reading left out and why.
    pub skipped: BTreeMap<String, usize>,
}

/// Counts and shapes, the same for the log and for the data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Users.
    pub users: usize,
    /// Items, taken or not.
    pub items: usize,
    /// Items that somebody took.
    pub items_taken: usize,
    /// Items whose source has no usable title.
    pub items_untitled: usize,
    /// Per kind of attribute: items that have it, and different values.
    pub attributes: BTreeMap<String, AttributeCounts>,
    /// Interactions.
    pub interactions: usize,
    /// Different (user, item) pairs / (users · items).
    pub density: f64,
    /// Interactions per user, over users with at least one.
    pub history: Distribution,
    /// Interactions per item, over items with at least one.
    pub item_counts: Distribution,
    /// Gini coefficient of `item_counts`: 0 = all equal, towards 1 = one item has all.
    pub gini: f64,
    /// Share of all interactions that goes to the most-taken 1 % of the taken items (at least one item).
    pub top_1_percent: f64,
    /// The same for 10 %.
    pub top_10_percent: f64,
    /// Interactions with an item that the same user had taken before.
    pub repeats: usize,
    /// Interactions at the same time as the one before in the same history: their order is the source's, or drawn.
    pub equal_times: usize,
    /// Of these, those whose item has the greater key: half of them where their order says nothing of items. Shorter keys come first.
    /// `curec data stats` counts them in the file's order, also where it is drawn over.
    pub equal_times_rising: usize,
    /// First time, as the source has it.
    pub first_time: i64,
    /// Last time.
    pub last_time: i64,
    /// Both as dates (UTC), when the times are seconds since 1970.
    pub dates: Option<(String, String)>,
}

impl Stats {
    /// Counts which of two items at equal times comes first as `written` has them.
    pub fn order_as_in(&mut self, written: &Self) {
        let sides = [&mut self.read, &mut self.kept].into_iter();
        for (side, written) in sides.zip([&written.read, &written.kept]) {
            side.equal_times_rising = written.equal_times_rising;
        }
    }
}

impl Side {
    /// The share of equal times whose item has the greater key, where that is far from one half and such times are not rare.
    fn ties_that_tell(&self) -> Option<f64> {
        let share = self.equal_times_rising as f64 / self.equal_times.max(1) as f64;
        let many = self.equal_times >= 100 && self.equal_times * 100 >= self.interactions;
        (many && (share - 0.5).abs() > 0.1).then_some(share)
    }
}

/// How often a kind of attribute occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AttributeCounts {
    /// Items with at least one.
    pub items: usize,
    /// Different values.
    pub values: usize,
}

/// Shape of a list of counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Smallest.
    pub min: usize,
    /// Mean of the two middle values when their number is even.
    pub median: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Largest.
    pub max: usize,
    /// 10 %, 20 %, … 90 %: the smallest value that at least this share does not exceed (nearest rank).
    pub deciles: [usize; 9],
}

/// Events per part of the split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitCounts {
    /// Training interactions.
    pub train: usize,
    /// Validation interactions.
    pub valid: usize,
    /// Test interactions.
    pub test: usize,
    /// Users with a validation event.
    pub users_with_valid: usize,
    /// Users with a test event.
    pub users_with_test: usize,
}

/// Describes `log`, and what [`prepare`](super::prepare) made of it.
pub fn stats(log: &Log, dataset: &Dataset, dropped: &Dropped) -> Stats {
    let events = log.interactions.iter();
    let read = events.map(|i| (i.user, i.item, i.time));
    let events = dataset.histories.iter().zip(0_u32..);
    let kept =
        events.flat_map(|(history, user)| history.iter().map(move |e| (user, e.item, e.time)));
    Stats {
        name: dataset.name.clone(),
        sha256: store::content_hash(dataset),
        read: side(log.users.len(), &log.items, read),
        kept: side(dataset.users.len(), &dataset.items, kept),
        split: split_counts(dataset),
        dropped: dropped.clone(),
        skipped: log.skipped.clone(),
    }
}

/// `events`: user, item, time; grouped by user and in order.
fn side(users: usize, items: &[Item], events: impl Iterator<Item = (u32, u32, i64)>) -> Side {
    let mut per_user = vec![0_usize; users];
    let mut per_item = vec![0_usize; items.len()];
    // Users come one after another, so an item's newest taker says whether this one had it before.
    let mut taker = vec![None; items.len()];
    let (mut interactions, mut repeats) = (0, 0);
    let (mut equal_times, mut equal_times_rising) = (0, 0);
    let key = |item: u32| (items[item as usize].key.len(), &items[item as usize].key);
    let mut before: Option<(u32, u32, i64)> = None;
    let mut range: Option<(i64, i64)> = None;
    for (user, item, time) in events {
        interactions += 1;
        per_user[user as usize] += 1;
        per_item[item as usize] += 1;
        repeats += usize::from(taker[item as usize].replace(user) == Some(user));
        if let Some((_, last, _)) = before.filter(|last| (last.0, last.2) == (user, time)) {
            equal_times += 1;
            equal_times_rising += usize::from(key(item) > key(last));
        }
        before = Some((user, item, time));
        let (first, last) = range.unwrap_or((time, time));
        range = Some((first.min(time), last.max(time)));
    }
    let (first_time, last_time) = range.unwrap_or_default();
    let pairs = interactions - repeats;
    per_user.retain(|count| *count > 0);
    per_item.retain(|count| *count > 0);
    per_user.sort_unstable();
    per_item.sort_unstable();
    Side {
        users,
        items: items.len(),
        items_taken: per_item.len(),
        items_untitled: items.iter().filter(|i| is_untitled(i)).count(),
        attributes: attribute_counts(items),
        interactions,
        density: pairs as f64 / (users as f64 * items.len() as f64).max(1.0),
        history: distribution(&per_user),
        gini: gini(&per_item),
        top_1_percent: top_share(&per_item, 0.01),
        top_10_percent: top_share(&per_item, 0.10),
        item_counts: distribution(&per_item),
        repeats,
        equal_times,
        equal_times_rising,
        first_time,
        last_time,
        dates: calendar::date(first_time).zip(calendar::date(last_time)),
    }
}

fn is_untitled(item: &Item) -> bool {
    let rest = item.title.strip_prefix("Untitled #");
    rest.is_some_and(|rest| rest == item.key)
}

fn attribute_counts(items: &[Item]) -> BTreeMap<String, AttributeCounts> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<String, AttributeCounts> = BTreeMap::new();
    for item in items {
        let mut kinds = BTreeSet::new();
        for attribute in &item.attributes {
            kinds.insert(attribute.kind.as_str());
            values
                .entry(&attribute.kind)
                .or_default()
                .insert(&attribute.value);
        }
        for kind in kinds {
            counts.entry(kind.to_owned()).or_default().items += 1;
        }
    }
    for (kind, values) in values {
        counts.entry(kind.to_owned()).or_default().values = values.len();
    }
    counts
}

/// `sorted`: ascending.
fn distribution(sorted: &[usize]) -> Distribution {
    let n = sorted.len();
    let at = |position: usize| sorted.get(position).copied().unwrap_or_default();
    let total: usize = sorted.iter().sum();
    let middle = n / 2;
    let median = match n % 2 {
        1 => at(middle) as f64,
        _ => (at(middle.saturating_sub(1)) + at(middle)) as f64 / 2.0,
    };
    Distribution {
        min: at(0),
        median,
        mean: total as f64 / n.max(1) as f64,
        max: at(n.saturating_sub(1)),
        deciles: std::array::from_fn(|tenth| at((n * (tenth + 1)).div_ceil(10).saturating_sub(1))),
    }
}

/// G = 2 Σ i·x_i / (n Σ x_i) − (n + 1) / n, with x ascending and i from 1.
fn gini(sorted: &[usize]) -> f64 {
    let n = sorted.len() as f64;
    let total: f64 = sorted.iter().map(|x| *x as f64).sum();
    if total == 0.0 {
        return 0.0;
    }
    let weighted: f64 = sorted
        .iter()
        .zip(1_u64..)
        .map(|(x, i)| i as f64 * *x as f64)
        .sum();
    2.0 * weighted / (n * total) - (n + 1.0) / n
}

fn top_share(sorted: &[usize], share: f64) -> f64 {
    let total: usize = sorted.iter().sum();
    let top = (sorted.len() as f64 * share).ceil() as usize;
    let taken: usize = sorted.iter().rev().take(top).sum();
    taken as f64 / total.max(1) as f64
}

fn split_counts(dataset: &Dataset) -> SplitCounts {
    let total: usize = dataset.histories.iter().map(Vec::len).sum();
    let train = dataset.train_count();
    let valid: usize = dataset.split.iter().map(|part| part.valid).sum();
    let users = 0..dataset.users.len();
    SplitCounts {
        train,
        valid,
        test: total - train - valid,
        users_with_valid: users
            .clone()
            .filter(|u| dataset.valid_position(*u).is_some())
            .count(),
        users_with_test: users
            .filter(|u| dataset.test_position(*u).is_some())
            .count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Interaction, SplitOptions, User, prepare};

    #[test]
    fn gini_by_hand() {
        assert_eq!(gini(&[]), 0.0);
        assert!(gini(&[5, 5, 5, 5]).abs() < 1e-12);
        // (1, 3): mean absolute difference 2 over all pairs with themselves = 1, / (2 · mean 2) = 1/4
        assert!((gini(&[1, 3]) - 0.25).abs() < 1e-12);
        // (1, 2, 3): Σ|xi − xj| = 8, / (2 · 9 · 2) = 2/9
        assert!((gini(&[1, 2, 3]) - 2.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn distribution_by_hand() {
        let ten: Vec<usize> = (1..=10).collect();
        let shape = distribution(&ten);
        assert_eq!(shape.deciles, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(
            (shape.min, shape.median, shape.mean, shape.max),
            (1, 5.5, 5.5, 10)
        );
        let three = distribution(&[2, 4, 9]);
        // nearest rank of 3: 0.3 → 1st, 0.6, 0.9 → 1st, 1.2 … 1.8 → 2nd, 2.1 … 2.7 → 3rd
        assert_eq!(three.deciles, [2, 2, 2, 4, 4, 4, 9, 9, 9]);
        assert_eq!((three.median, three.mean), (4.0, 5.0));
        assert_eq!(distribution(&[]).max, 0);
    }

    #[test]
    fn shares() {
        assert!((top_share(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 11], 0.1) - 0.55).abs() < 1e-12);
    }

    #[test]
    fn an_order_of_equal_times_that_says_something_of_the_items_is_told() {
        // Pairs of equal time, of which so many of a hundred stand by id: "9" is smaller than "10".
        let told = |rising: usize| {
            let items: Vec<Item> = (1..=200)
                .map(|key| Item {
                    key: key.to_string(),
                    title: String::new(),
                    attributes: Vec::new(),
                })
                .collect();
            let pairs = (0..100_u32).flat_map(|pair| {
                let (first, second) = (2 * pair, 2 * pair + 1);
                let by_id = (pair as usize) < rising;
                let pair_of = if by_id {
                    [first, second]
                } else {
                    [second, first]
                };
                pair_of.map(|item| (0, item, i64::from(pair)))
            });
            let side = side(1, &items, pairs);
            assert_eq!((side.equal_times, side.equal_times_rising), (100, rising));
            side.ties_that_tell()
        };
        assert_eq!(told(50), None);
        assert_eq!(told(81), Some(0.81));
        assert_eq!(told(20), Some(0.2));
    }

    #[test]
    fn a_small_log_by_hand() {
        let item = |key: &str| Item {
            key: key.to_owned(),
            title: if key == "c" {
                "Untitled #c".to_owned()
            } else {
                key.to_owned()
            },
            attributes: Vec::new(),
        };
        let user = |key: &str| User {
            key: key.to_owned(),
        };
        let event = |user, item, time| Interaction {
            user,
            item,
            time,
            rating: None,
        };
        let log = Log {
            name: "tiny".to_owned(),
            items: ["a", "b", "c", "d"].map(item).to_vec(),
            users: ["u", "v"].map(user).to_vec(),
            interactions: vec![
                event(0, 0, 0),
                event(0, 1, 86_400),
                event(0, 0, 86_400), // taken before, and at the time of the last
                event(0, 2, 172_800),
                event(1, 0, 5),
            ],
            ..Log::default()
        };
        let options = SplitOptions {
            min_history: 3,
            ..SplitOptions::default()
        };
        let (dataset, dropped) = prepare(&log, &options).unwrap();
        let stats = stats(&log, &dataset, &dropped);
        let read = &stats.read;
        assert_eq!(
            (
                read.users,
                read.items,
                read.items_taken,
                read.items_untitled
            ),
            (2, 4, 3, 1)
        );
        assert_eq!(
            (read.interactions, read.repeats, read.equal_times),
            (5, 1, 1)
        );
        assert_eq!(read.equal_times_rising, 0, "b stands before a");
        assert!((read.density - 4.0 / 8.0).abs() < 1e-12);
        assert_eq!(stats.kept.users, 1);
        assert!((stats.kept.density - 1.0).abs() < 1e-12);
        let dates = stats.kept.dates.clone().unwrap();
        assert_eq!(
            dates,
            ("1970-01-01 00:00".to_owned(), "1970-01-03 00:00".to_owned())
        );
        assert_eq!(
            (stats.split.train, stats.split.valid, stats.split.test),
            (2, 1, 1)
        );
        let shown = stats.to_string();
        assert!(
            shown.contains("history under 3: 1 users, 0 items, 1 interactions"),
            "{shown}"
        );
        assert!(
            shown.contains("no interaction left: 0 users, 1 items, 0 interactions"),
            "{shown}"
        );
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["read"]["interactions"], 5);
    }
}
