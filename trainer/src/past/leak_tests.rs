//! The leak rule where it is easiest to break: under the global temporal split, and while correction rewrites what is stored.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tests::{
    ITEMS, Known, WIDTH, dataset, disturb, known, known_in, stores, with_histories,
};
use super::*;
use crate::data::{Interaction, Item, Log, SplitKind, SplitOptions, User, prepare};
use crate::reward::stores::{PatternEntry, ReasonEntry};

/// A log of six people with many ties in time.
fn log(rng: &mut ChaCha8Rng) -> Log {
    let mut interactions = Vec::new();
    for user in 0..6 {
        let mut times: Vec<i64> = (0..rng.random_range(4..12))
            .map(|_| rng.random_range(0..20))
            .collect();
        times.sort_unstable();
        interactions.extend(times.into_iter().map(|time| Interaction {
            user,
            item: rng.random_range(0..ITEMS),
            time,
            rating: None,
        }));
    }
    let item = |index: u32| Item {
        key: index.to_string(),
        title: String::new(),
        attributes: vec![],
    };
    let user = |index: u32| User {
        key: index.to_string(),
    };
    Log {
        name: "test".into(),
        items: (0..ITEMS).map(item).collect(),
        users: (0..6).map(user).collect(),
        interactions,
        ..Log::default()
    }
}

fn temporal(log: &Log) -> Dataset {
    let options = SplitOptions {
        split: SplitKind::Temporal,
        min_history: 1,
        min_item_count: 1,
        train_until: 0.6,
        valid_until: 0.8,
        ..SplitOptions::default()
    };
    prepare(log, &options).unwrap().0
}

/// First time that is not training, over everybody.
fn split_point(data: &Dataset) -> Option<i64> {
    let held_out = |user: usize| &data.histories[user][data.split[user].train..];
    let times = (0..data.users.len()).flat_map(held_out);
    times.map(|event| event.time).min()
}

#[test]
fn nothing_at_or_after_a_temporal_split_point_reaches_a_text_or_training() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let (mut compared, mut held_out) = (0, 0);
    for _ in 0..80 {
        let log = log(&mut rng);
        let data = temporal(&log);
        let Some(cut) = split_point(&data) else {
            continue;
        };
        let (patterns, reasons) = stores(&data);
        assert!(reasons.entries().iter().all(|entry| entry.time < cut));
        assert!(
            patterns
                .entries()
                .iter()
                .all(|entry| entry.time.is_none_or(|time| time < cut))
        );
        // Whoever has a held-out event has all of them at or after the point, whatever the person.
        for user in 0..data.users.len() {
            let train = data.train_events(user);
            assert!(train.iter().all(|event| event.time < cut));
        }
        // Everything from the point on happens to other items.
        let mut later: Vec<usize> = (0..log.interactions.len())
            .filter(|&index| log.interactions[index].time >= cut)
            .collect();
        let mut changed = log.clone();
        let items: Vec<u32> = later
            .iter()
            .map(|&index| log.interactions[index].item)
            .collect();
        later.shuffle(&mut rng);
        for (&index, item) in later.iter().zip(items) {
            changed.interactions[index].item = item;
        }
        let changed = temporal(&changed);
        assert_eq!(data.split, changed.split);
        // And once more: it never happens at all.
        let ended = with_histories(
            (0..data.users.len())
                .map(|user| (data.train_events(user).to_vec(), data.split[user].train))
                .collect(),
        );
        for user in 0..data.users.len() {
            // The moment of the first held-out event too: all that it shows lies before the point.
            for position in 0..=data.split[user].train {
                let before = known(&data, user, position);
                assert_eq!(before, known(&changed, user, position));
                if data.items.len() == ITEMS as usize {
                    assert_eq!(before, known(&ended, user, position));
                }
                compared += 1;
            }
            // Later ones may show their own history, but no text of it.
            for position in data.split[user].train..data.histories[user].len() {
                let (now, first) = (known(&data, user, position), data.split[user].train);
                assert_eq!(now.pattern, known(&data, user, first).pattern);
                assert_eq!(now.reasons, known(&data, user, first).reasons);
                held_out += 1;
            }
        }
    }
    assert!(compared > 1000 && held_out > 500, "{compared} {held_out}");
}

/// The correction pass (METHOD §3) with a writer whose texts tell everything that it was shown: in global time order the known
/// pattern is written from the events it was written from before, and the reason from the pattern and the item's reasons.
fn corrected(data: &Dataset) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = stores(data);
    for (user, position) in timeline.training_order() {
        let past = timeline.past(user, position).unwrap();
        let known = past
            .pattern(&patterns)
            .map(|row| patterns.entry(row).clone());
        if let Some(entry) = known {
            let shown: Vec<u32> = past.history()[..entry.upto as usize]
                .iter()
                .map(|event| event.item)
                .collect();
            let text = format!("{shown:?}");
            patterns
                .insert(&timeline, PatternEntry { text, ..entry }, &[0.5, 0.25])
                .unwrap();
        }
        let Event { item, time } = data.histories[user][position];
        let pattern = past.pattern(&patterns).map(|row| &patterns.entry(row).text);
        let seen: Vec<&String> = past
            .reasons(&reasons, item, 3)
            .iter()
            .map(|&row| &reasons.entry(row).text)
            .collect();
        let entry = ReasonEntry {
            item,
            user: user as u32,
            position: position as u32,
            time,
            text: format!("{pattern:?} after {seen:?}"),
            policy_version: 1,
        };
        reasons
            .insert(&timeline, entry, &[1.0, seen.len() as f32])
            .unwrap();
    }
    (patterns, reasons)
}

fn known_corrected(data: &Dataset, user: usize, position: usize) -> Known {
    known_in(data, &corrected(data), user, position)
}

#[test]
fn a_corrected_text_knows_nothing_of_its_moment_or_later() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut seen = 0;
    for _ in 0..8 {
        let data = dataset(&mut rng);
        for user in 0..data.users.len() {
            for position in 0..data.histories[user].len() {
                let before = texts(known_corrected(&data, user, position));
                seen += before.1.iter().map(Vec::len).sum::<usize>();
                for delete in [true, false] {
                    let disturbed = disturb(&data, user, position, delete, &mut rng);
                    assert_eq!(before, texts(known_corrected(&disturbed, user, position)));
                }
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

/// The words alone: a pattern has the vector of its newest writing, and a later event of the same person may write it again from
/// the same events.
fn texts(known: Known) -> (Option<String>, Vec<Vec<String>>) {
    let text = |(text, _): (String, Vec<f32>)| text;
    let list = |list: Vec<_>| list.into_iter().map(text).collect();
    (
        known.pattern.map(text),
        known.reasons.into_iter().map(list).collect(),
    )
}

#[test]
fn a_reason_written_in_correction_is_seen_after_its_moment_only() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut changed = 0;
    for _ in 0..10 {
        let data = dataset(&mut rng);
        let timeline = Timeline::new(&data);
        let (patterns, reasons) = stores(&data);
        for (user, position) in timeline.training_order() {
            let Event { item, time } = data.histories[user][position];
            let mut moved = reasons.clone();
            let row = reasons.of_source(user as u32, position as u32).unwrap();
            let entry = ReasonEntry {
                text: "written anew".into(),
                policy_version: 9,
                ..reasons.entry(row).clone()
            };
            assert_eq!(moved.insert(&timeline, entry, &[9.0; WIDTH]).unwrap(), row);
            for other in 0..data.users.len() {
                for place in 0..=data.histories[other].len() {
                    let past = timeline.past(other, place).unwrap();
                    let seen = past.reasons(&moved, item, usize::MAX).contains(&row);
                    assert_eq!(seen, past.time > time, "user {other}, event {place}");
                    let stores = [
                        (patterns.clone(), reasons.clone()),
                        (patterns.clone(), moved.clone()),
                    ];
                    let [old, new] = stores.map(|stores| known_in(&data, &stores, other, place));
                    if past.time <= time {
                        assert_eq!(old, new);
                    } else {
                        changed += usize::from(old != new);
                    }
                }
            }
        }
    }
    assert!(
        changed > 1000,
        "what is written must be seen at all: {changed}"
    );
}
