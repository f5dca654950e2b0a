//! The leak tests of METHOD §2: whatever lies at or after `t` may be shuffled or deleted, and nothing known at `t` moves.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::data::{Item, User, UserSplit};
use crate::reward::stores::{PatternEntry, ReasonEntry};

pub(super) const ITEMS: u32 = 6;
pub(super) const WIDTH: usize = 2;

/// A small data set full of ties in time.
pub(super) fn dataset(rng: &mut ChaCha8Rng) -> Dataset {
    let histories: Vec<Vec<Event>> = (0..5)
        .map(|_| {
            let mut events: Vec<Event> = (0..rng.random_range(3..12))
                .map(|_| Event {
                    item: rng.random_range(0..ITEMS),
                    time: rng.random_range(0..15),
                })
                .collect();
            events.sort_by_key(|event| event.time);
            events
        })
        .collect();
    with_histories(
        histories
            .iter()
            .map(|events| (events.clone(), events.len() - 2))
            .collect(),
    )
}

pub(super) fn with_histories(histories: Vec<(Vec<Event>, usize)>) -> Dataset {
    Dataset {
        name: "test".into(),
        items: (0..ITEMS)
            .map(|item| Item {
                key: item.to_string(),
                title: String::new(),
                attributes: vec![],
            })
            .collect(),
        users: (0..histories.len())
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        split: histories
            .iter()
            .map(|(events, train)| UserSplit {
                train: *train,
                valid: events.len().saturating_sub(*train).min(1),
            })
            .collect(),
        histories: histories.into_iter().map(|(events, _)| events).collect(),
        causes: None,
    }
}

fn pattern(data: &Dataset, user: usize, upto: usize) -> PatternEntry {
    let used: Vec<u32> = data.histories[user][..upto]
        .iter()
        .map(|event| event.item)
        .collect();
    PatternEntry {
        user: user as u32,
        upto: upto as u32,
        time: upto
            .checked_sub(1)
            .map(|last| data.histories[user][last].time),
        text: format!("{used:?}"),
        policy_version: 0,
    }
}

fn reason(data: &Dataset, user: usize, position: usize) -> ReasonEntry {
    let Event { item, time } = data.histories[user][position];
    ReasonEntry {
        item,
        user: user as u32,
        position: position as u32,
        time,
        text: format!("{user} took {item} at {time}"),
        policy_version: 0,
    }
}

/// Every text that may be written is written.
pub(super) fn stores(data: &Dataset) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    for user in 0..data.users.len() {
        for upto in 0..=data.split[user].train {
            patterns
                .insert(
                    &timeline,
                    pattern(data, user, upto),
                    &[user as f32, upto as f32],
                )
                .unwrap();
        }
        for position in 0..data.split[user].train {
            let vector = [user as f32, data.histories[user][position].time as f32];
            reasons
                .insert(&timeline, reason(data, user, position), &vector)
                .unwrap();
        }
    }
    (patterns, reasons)
}

#[derive(Debug, PartialEq)]
pub(super) struct Known {
    history: Vec<Event>,
    pub(super) pattern: Option<(String, Vec<f32>)>,
    /// Texts without their source's position: that may move when the source's own later events do.
    pub(super) reasons: Vec<Vec<(String, Vec<f32>)>>,
}

pub(super) fn known(data: &Dataset, user: usize, position: usize) -> Known {
    known_in(data, &stores(data), user, position)
}

/// What may be known of these stores.
pub(super) fn known_in(
    data: &Dataset,
    (patterns, reasons): &(PatternStore, ReasonStore),
    user: usize,
    position: usize,
) -> Known {
    let past = Timeline::new(data).past(user, position).unwrap();
    Known {
        history: past.history().to_vec(),
        pattern: past.pattern(patterns).map(|row| {
            (
                patterns.entry(row).text.clone(),
                patterns.vector(row).to_vec(),
            )
        }),
        reasons: (0..ITEMS)
            .map(|item| {
                past.reasons(reasons, item, 4)
                    .iter()
                    .map(|&row| {
                        (
                            reasons.entry(row).text.clone(),
                            reasons.vector(row).to_vec(),
                        )
                    })
                    .collect()
            })
            .collect(),
    }
}

/// Changes everything at or after `time` (for `user` itself: from `position` on, except that the example keeps its time).
pub(super) fn disturb(
    data: &Dataset,
    user: usize,
    position: usize,
    delete: bool,
    rng: &mut ChaCha8Rng,
) -> Dataset {
    let time = data.histories[user][position].time;
    let histories = data
        .histories
        .iter()
        .enumerate()
        .map(|(other, events)| {
            let first = if other == user {
                position
            } else {
                events.partition_point(|event| event.time < time)
            };
            let mut changed = events.clone();
            if delete {
                changed.truncate(if other == user { position + 1 } else { first });
            } else {
                let mut items: Vec<u32> = (0..ITEMS).cycle().take(events.len() - first).collect();
                items.shuffle(rng);
                for (event, item) in changed[first..].iter_mut().zip(items) {
                    event.item = item;
                }
            }
            if other == user {
                changed[position].item = (events[position].item + 1) % ITEMS;
            }
            let train = data.split[other].train.min(changed.len());
            (changed, train)
        })
        .collect();
    with_histories(histories)
}

#[test]
fn nothing_at_or_after_a_moment_reaches_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut seen_reasons = 0;
    for round in 0..60 {
        let data = dataset(&mut rng);
        for user in 0..data.users.len() {
            for position in 0..data.histories[user].len() {
                let before = known(&data, user, position);
                seen_reasons += before.reasons.iter().map(Vec::len).sum::<usize>();
                for delete in [true, false] {
                    let disturbed = disturb(&data, user, position, delete, &mut rng);
                    assert_eq!(
                        before,
                        known(&disturbed, user, position),
                        "round {round}, user {user}, event {position}"
                    );
                }
            }
        }
    }
    assert!(
        seen_reasons > 1000,
        "the test must see reasons at all: {seen_reasons}"
    );
}

#[test]
fn visible_reasons_are_exactly_the_strictly_earlier_training_ones() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..40 {
        let data = dataset(&mut rng);
        let (_, reasons) = stores(&data);
        for user in 0..data.users.len() {
            for position in 0..=data.histories[user].len() {
                let past = Timeline::new(&data).past(user, position).unwrap();
                for item in 0..ITEMS {
                    let mut expected: Vec<(i64, usize, usize)> = (0..data.users.len())
                        .flat_map(|source| {
                            data.train_events(source)
                                .iter()
                                .enumerate()
                                .filter(|(_, event)| event.item == item && event.time < past.time)
                                .map(move |(at, event)| (event.time, source, at))
                        })
                        .collect();
                    expected.sort_unstable();
                    let newest = expected.split_off(expected.len().saturating_sub(3));
                    let found: Vec<_> = past
                        .reasons(&reasons, item, 3)
                        .iter()
                        .map(|&row| reasons.entry(row))
                        .map(|entry| (entry.time, entry.user as usize, entry.position as usize))
                        .collect();
                    assert_eq!(found, newest);
                    assert!(!found.contains(&(past.time, user, position)));
                }
            }
        }
    }
}

#[test]
fn a_pattern_is_the_newest_one_from_earlier_events() {
    let data = with_histories(vec![(
        (0..8).map(|time| Event { item: 0, time }).collect(),
        6,
    )]);
    let timeline = Timeline::new(&data);
    let mut patterns = PatternStore::new(WIDTH);
    for upto in [6, 2, 4] {
        patterns
            .insert(&timeline, pattern(&data, 0, upto), &[0.0, 0.0])
            .unwrap();
    }
    let upto = |position| {
        timeline
            .past(0, position)
            .unwrap()
            .pattern(&patterns)
            .map(|row| patterns.entry(row).upto)
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map(upto),
        [
            None,
            None,
            Some(2),
            Some(2),
            Some(4),
            Some(4),
            Some(6),
            Some(6),
            Some(6)
        ]
    );
}

#[test]
fn held_out_events_are_no_sources() {
    let data = with_histories(vec![(
        (0..5).map(|time| Event { item: 1, time }).collect(),
        3,
    )]);
    let timeline = Timeline::new(&data);
    assert_eq!(timeline.check_source(0, 2, 1, 2), Ok(()));
    assert_eq!(
        timeline.check_source(0, 3, 1, 3),
        Err(LeakError::AfterSplit {
            user: 0,
            position: 3,
            train: 3
        })
    );
    assert!(matches!(
        timeline.check_source(0, 2, 1, 1),
        Err(LeakError::OtherData { .. })
    ));
    assert!(matches!(
        timeline.check_source(1, 0, 1, 1),
        Err(LeakError::NoSuchEvent { .. })
    ));
    assert_eq!(timeline.check_pattern(0, 3, Some(2)), Ok(()));
    assert_eq!(timeline.check_pattern(0, 0, None), Ok(()));
    assert!(matches!(
        timeline.check_pattern(0, 4, Some(3)),
        Err(LeakError::AfterSplit { .. })
    ));
    assert!(matches!(
        timeline.check_pattern(0, 2, Some(9)),
        Err(LeakError::PatternTime { .. })
    ));
}

#[test]
fn training_order_is_global_time() {
    let events = |times: [i64; 4]| times.map(|time| Event { item: 0, time }).to_vec();
    let data = with_histories(vec![(events([5, 5, 9, 9]), 2), (events([1, 5, 6, 7]), 3)]);
    assert_eq!(
        Timeline::new(&data).training_order(),
        [(1, 0), (0, 0), (0, 1), (1, 1), (1, 2)]
    );
}

#[test]
fn the_moment_after_everything_sees_everything() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let data = dataset(&mut rng);
    let (_, reasons) = stores(&data);
    let past = Timeline::new(&data)
        .past(0, data.histories[0].len())
        .unwrap();
    let seen: usize = (0..ITEMS)
        .map(|item| past.reasons(&reasons, item, 1000).len())
        .sum();
    assert_eq!(seen, data.train_count());
    assert_eq!(
        past.recent(2),
        &data.histories[0][data.histories[0].len() - 2..]
    );
    assert!(
        Timeline::new(&data)
            .past(0, data.histories[0].len() + 1)
            .is_err()
    );
}
