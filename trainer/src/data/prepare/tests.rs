//! Filters and splits by hand.

use super::*;
use crate::data::{Attribute, Interaction, Item, User};

/// A log from (user, item, time), users and items numbered densely.
fn log(events: &[(u32, u32, i64)]) -> Log {
    let users = events.iter().map(|e| e.0 + 1).max().unwrap_or(0);
    let items = events.iter().map(|e| e.1 + 1).max().unwrap_or(0);
    let mut interactions: Vec<Interaction> = events
        .iter()
        .map(|&(user, item, time)| Interaction {
            user,
            item,
            time,
            rating: None,
        })
        .collect();
    interactions.sort_by_key(|i| (i.user, i.time));
    Log {
        name: "tiny".to_owned(),
        items: (0..items)
            .map(|i| Item {
                key: format!("i{i}"),
                title: format!("T{i}"),
                attributes: Vec::<Attribute>::new(),
            })
            .collect(),
        users: (0..users)
            .map(|u| User {
                key: format!("u{u}"),
            })
            .collect(),
        interactions,
        ..Log::default()
    }
}

fn options(min_history: usize) -> SplitOptions {
    SplitOptions {
        min_history,
        ..SplitOptions::default()
    }
}

fn keys(dataset: &Dataset) -> (Vec<&str>, Vec<&str>) {
    let users = dataset.users.iter().map(|user| user.key.as_str()).collect();
    (
        users,
        dataset.items.iter().map(|item| item.key.as_str()).collect(),
    )
}

fn step(why: &str, users: usize, items: usize, interactions: usize) -> DropStep {
    DropStep {
        why: why.to_owned(),
        users,
        items,
        interactions,
    }
}

#[test]
fn leave_one_out_with_dense_indices() {
    let log = log(&[
        (0, 0, 1),
        (0, 1, 2), // too short
        (1, 3, 1),
        (1, 1, 2),
        (1, 4, 2),
        (1, 3, 3),
    ]);
    let (dataset, dropped) = prepare(&log, &options(4)).unwrap();
    assert_eq!(keys(&dataset), (vec!["u1"], vec!["i1", "i3", "i4"]));
    let items: Vec<u32> = dataset.histories[0]
        .iter()
        .map(|event| event.item)
        .collect();
    assert_eq!(items, [1, 0, 2, 1]);
    assert_eq!(dataset.split, [UserSplit { train: 2, valid: 1 }]);
    assert_eq!(dataset.test_position(0), Some(3));
    assert_eq!(
        dropped.steps,
        [
            step("history under 4", 1, 0, 2),
            step("no interaction left", 0, 2, 0)
        ]
    );
}

#[test]
fn leave_one_out_needs_three() {
    let log = log(&[(0, 0, 1), (0, 1, 2), (1, 0, 1), (1, 1, 2), (1, 0, 3)]);
    let (dataset, _) = prepare(&log, &options(0)).unwrap();
    assert_eq!(keys(&dataset).0, ["u1"]);
    assert_eq!(dataset.split, [UserSplit { train: 1, valid: 1 }]);
}

#[test]
fn users_and_items_are_filtered_until_both_hold() {
    // i2 has two takers; when u2 leaves (2 events left after i3 goes) it has one; then u1 is short, and so on.
    let log = log(&[
        (0, 0, 1),
        (0, 1, 2),
        (0, 0, 3),
        (1, 0, 1),
        (1, 1, 2),
        (1, 2, 3),
        (2, 2, 1),
        (2, 3, 2),
        (2, 1, 3),
        (3, 0, 1),
        (3, 1, 2),
        (3, 1, 3),
    ]);
    let settings = SplitOptions {
        min_item_count: 2,
        ..options(3)
    };
    let (dataset, dropped) = prepare(&log, &settings).unwrap();
    // i3 (1) goes → u2 has 2 → goes → i2 has 1 → goes → u1 has 2 → goes; u0 and u3 stay.
    assert_eq!(keys(&dataset), (vec!["u0", "u3"], vec!["i0", "i1"]));
    assert_eq!(
        dropped.steps,
        [
            step("item taken under 2 times", 0, 2, 2),
            step("history under 3", 2, 0, 4)
        ]
    );
}

#[test]
fn a_sample_is_seeded_and_keeps_the_order() {
    let events: Vec<(u32, u32, i64)> = (0..40)
        .flat_map(|user| (0..3).map(move |at| (user, at, i64::from(at))))
        .collect();
    let log = log(&events);
    let sampled = |seed, most| {
        let settings = SplitOptions {
            max_users: Some(most),
            seed,
            ..options(3)
        };
        let (dataset, dropped) = prepare(&log, &settings).unwrap();
        let users: Vec<usize> = dataset
            .users
            .iter()
            .map(|u| u.key[1..].parse().unwrap())
            .collect();
        (users, dropped)
    };
    let (users, dropped) = sampled(1, 10);
    assert_eq!(users.len(), 10);
    assert!(users.is_sorted());
    assert_eq!(
        dropped.steps,
        [step("not in the sample of 10 users", 30, 0, 90)]
    );
    assert_eq!(sampled(1, 10).0, users);
    assert_ne!(sampled(2, 10).0, users);
    assert_eq!(sampled(1, 40).1, Dropped::default());
}

#[test]
fn temporal_cuts_at_quantiles_and_never_divides_equal_times() {
    // Ten times: 0..=9, of which 7 and 8 are replaced by another 7: sorted 0 1 2 3 4 5 6 7 7 9.
    let log = log(&[
        (0, 0, 0),
        (0, 1, 2),
        (0, 2, 4),
        (0, 3, 7),
        (0, 0, 9),
        (1, 0, 1),
        (1, 1, 3),
        (1, 2, 5),
        (1, 3, 6),
        (1, 4, 7),
    ]);
    let settings = SplitOptions {
        split: SplitKind::Temporal,
        ..options(2)
    };
    let (dataset, dropped) = prepare(&log, &settings).unwrap();
    // 0.8 · 10 → position 8: time 7, so validation begins with both 7s; 0.9 → position 9: time 9.
    assert_eq!(
        dataset.split,
        [
            UserSplit { train: 3, valid: 1 },
            UserSplit { train: 4, valid: 1 }
        ]
    );
    assert_eq!(dataset.test_position(0), Some(4));
    assert_eq!(dataset.test_position(1), None);
    assert_eq!(dropped, Dropped::default());
}

#[test]
fn temporal_drops_users_without_a_past() {
    let log = log(&[
        (0, 0, 0),
        (0, 0, 1),
        (0, 0, 2),
        (0, 0, 3),
        (0, 0, 4),
        (0, 0, 5),
        (0, 0, 6),
        (0, 0, 7),
        (1, 1, 8),
        (1, 1, 9),
    ]);
    let settings = SplitOptions {
        split: SplitKind::Temporal,
        ..options(2)
    };
    let (dataset, dropped) = prepare(&log, &settings).unwrap();
    assert_eq!(keys(&dataset), (vec!["u0"], vec!["i0"]));
    assert_eq!(
        dropped.steps,
        [
            step("no interaction before the split point", 1, 0, 2),
            step("no interaction left", 0, 1, 0)
        ]
    );
    assert_eq!(dataset.split, [UserSplit { train: 8, valid: 0 }]);
}

#[test]
fn causes_follow_their_interactions_and_forget_dropped_items() {
    let mut log = log(&[(0, 0, 1), (1, 1, 1), (1, 2, 2), (1, 1, 3)]);
    log.causes = Some(vec![
        vec![Cause::Popularity],
        vec![Cause::Community { id: 7 }],
        vec![Cause::Sequel { item: 1 }, Cause::Popularity],
        vec![Cause::Sequel { item: 0 }],
    ]);
    let (dataset, _) = prepare(&log, &options(3)).unwrap();
    assert_eq!(keys(&dataset).1, ["i1", "i2"]);
    assert_eq!(
        dataset.causes,
        Some(vec![vec![
            vec![Cause::Community { id: 7 }],
            vec![Cause::Sequel { item: 0 }, Cause::Popularity],
            vec![],
        ]])
    );
}

#[test]
fn nothing_left() {
    let log = log(&[(0, 0, 1)]);
    let message = prepare(&log, &options(30)).unwrap_err().to_string();
    assert!(
        message.contains("history under 30: 1 users, 0 items, 1 interactions"),
        "{message}"
    );
    // All times equal: nothing lies before the split point.
    let log = self::log(&[(0, 0, 1), (0, 1, 1), (0, 2, 1)]);
    let settings = SplitOptions {
        split: SplitKind::Temporal,
        ..options(1)
    };
    assert!(matches!(
        prepare(&log, &settings),
        Err(DataError::NothingLeft { .. })
    ));
}

#[test]
fn setting() {
    let log = log(&[(0, 0, 1)]);
    let settings = SplitOptions {
        train_until: 2.0,
        ..options(1)
    };
    assert!(matches!(
        prepare(&log, &settings),
        Err(DataError::Setting { .. })
    ));
}
