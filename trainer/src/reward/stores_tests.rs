//! Stores on disk, replacement, and the controls that deal vectors anew.

use std::fs;

use super::*;
use crate::data::{Dataset, Event, Item, User, UserSplit};

fn data() -> Dataset {
    let history: Vec<Event> = (0..6)
        .map(|at| Event {
            item: at % 3,
            time: i64::from(at) * 10,
        })
        .collect();
    Dataset {
        name: "test".into(),
        items: (0..3)
            .map(|item| Item {
                key: item.to_string(),
                title: String::new(),
                attributes: vec![],
            })
            .collect(),
        users: (0..3)
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        histories: vec![history; 3],
        split: vec![UserSplit { train: 4, valid: 1 }; 3],
        causes: None,
    }
}

fn reason(user: u32, position: u32, text: &str) -> ReasonEntry {
    ReasonEntry {
        item: position % 3,
        user,
        position,
        time: i64::from(position) * 10,
        text: text.into(),
        policy_version: 3,
    }
}

fn filled(data: &Dataset) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(2), ReasonStore::new(2));
    for user in [2u32, 0, 1] {
        for position in [3u32, 0, 2] {
            let text = format!("“{user}” – line\nbreak {position}");
            let vector = [user as f32, position as f32 + 0.1];
            reasons
                .insert(&timeline, reason(user, position, &text), &vector)
                .unwrap();
        }
        for upto in [4u32, 2] {
            let entry = PatternEntry {
                user,
                upto,
                time: Some(i64::from(upto - 1) * 10),
                text: String::new(),
                policy_version: 1,
            };
            patterns
                .insert(&timeline, entry, &[user as f32, upto as f32])
                .unwrap();
        }
    }
    (patterns, reasons)
}

#[test]
fn reasons_are_sorted_by_time_whatever_the_order_of_writing() {
    let data = data();
    let (_, reasons) = filled(&data);
    let of_zero: Vec<_> = reasons
        .of_item(0)
        .iter()
        .map(|&row| (reasons.entry(row).time, reasons.entry(row).user))
        .collect();
    assert_eq!(of_zero, [(0, 0), (0, 1), (0, 2), (30, 0), (30, 1), (30, 2)]);
    assert_eq!(reasons.earlier(0, 30), 3);
    assert_eq!(reasons.earlier(0, 0), 0);
    assert_eq!(reasons.earlier(1, 99), 0);
}

#[test]
fn a_rewritten_reason_replaces_the_old_one() {
    let data = data();
    let (_, mut reasons) = filled(&data);
    let before = reasons.len();
    let row = reasons
        .insert(&Timeline::new(&data), reason(1, 3, "new"), &[7.0, 8.0])
        .unwrap();
    assert_eq!(reasons.len(), before);
    assert_eq!(reasons.of_source(1, 3), Some(row));
    assert_eq!(
        (reasons.entry(row).text.as_str(), reasons.vector(row)),
        ("new", &[7.0, 8.0][..])
    );
}

#[test]
fn stores_come_back_from_disk_bit_for_bit() {
    let data = data();
    let (patterns, reasons) = filled(&data);
    let folder = tempfile::tempdir().unwrap();
    patterns.save(folder.path()).unwrap();
    reasons.save(folder.path()).unwrap();
    let timeline = Timeline::new(&data);
    assert_eq!(
        PatternStore::load(folder.path(), &timeline).unwrap(),
        patterns
    );
    assert_eq!(
        ReasonStore::load(folder.path(), &timeline).unwrap(),
        reasons
    );
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 4, "no temporary file is left: {names:?}");
}

#[test]
fn an_empty_store_comes_back_with_its_width() {
    let folder = tempfile::tempdir().unwrap();
    ReasonStore::new(5).save(folder.path()).unwrap();
    let read = ReasonStore::load(folder.path(), &Timeline::new(&data())).unwrap();
    assert_eq!((read.len(), read.width()), (0, 5));
}

#[test]
fn halves_of_two_versions_are_noticed() {
    let data = data();
    let (_, mut reasons) = filled(&data);
    let timeline = Timeline::new(&data);
    let folder = tempfile::tempdir().unwrap();
    reasons.save(folder.path()).unwrap();
    let old = fs::read(folder.path().join("reasons.jsonl")).unwrap();
    reasons
        .insert(&timeline, reason(1, 3, "new"), &[7.0, 8.0])
        .unwrap();
    reasons.save(folder.path()).unwrap();
    fs::write(folder.path().join("reasons.jsonl"), old).unwrap();
    let error = ReasonStore::load(folder.path(), &timeline).unwrap_err();
    assert!(error.to_string().contains("another version of"), "{error}");
}

#[test]
fn a_stored_leak_is_refused_on_loading() {
    let data = data();
    let (_, reasons) = filled(&data);
    let folder = tempfile::tempdir().unwrap();
    reasons.save(folder.path()).unwrap();
    let mut earlier_split = data.clone();
    earlier_split.split[2].train = 2;
    let error = ReasonStore::load(folder.path(), &Timeline::new(&earlier_split)).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Leak(LeakError::AfterSplit { user: 2, .. })
        ),
        "{error}"
    );
}

#[test]
fn vectors_of_another_width_or_with_nan_are_refused() {
    let data = data();
    let timeline = Timeline::new(&data);
    let mut reasons = ReasonStore::new(2);
    let error = reasons
        .insert(&timeline, reason(0, 0, ""), &[1.0])
        .unwrap_err();
    assert!(matches!(
        error,
        StoreError::Width {
            expected: 2,
            found: 1
        }
    ));
    let error = reasons
        .insert(&timeline, reason(0, 0, ""), &[1.0, f32::NAN])
        .unwrap_err();
    assert!(matches!(error, StoreError::NotFinite(_)));
    assert!(reasons.is_empty());
}

#[test]
fn controls_move_vectors_and_nothing_else() {
    let data = data();
    let (patterns, reasons) = filled(&data);
    let shuffled = reasons.with_shuffled_vectors(1);
    assert_eq!(shuffled.entries(), reasons.entries());
    let mut dealt: Vec<_> = (0..9).map(|row| shuffled.vector(row).to_vec()).collect();
    assert!((0..9).all(|row| dealt[row as usize] != reasons.vector(row)));
    let mut original: Vec<_> = (0..9).map(|row| reasons.vector(row).to_vec()).collect();
    dealt.sort_by(|a, b| a.partial_cmp(b).unwrap());
    original.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(dealt, original);

    let swapped = patterns.with_swapped_users(1);
    for (row, entry) in patterns.entries().iter().enumerate() {
        let vector = swapped.vector(row as u32);
        assert_ne!(
            vector[0], entry.user as f32,
            "row {row} has its own user's vector"
        );
        assert_eq!(
            vector[1], entry.upto as f32,
            "row {row}: same moment of another user"
        );
    }
}

/// Item 0 has reasons of users 0, 1, 2 at positions 0 and 3, item 2 at position 2, item 1 none: the two lists change places.
#[test]
fn lists_of_reasons_are_swapped_between_items_as_a_whole() {
    let data = data();
    let (_, reasons) = filled(&data);
    let swapped = reasons.with_swapped_items(1);
    assert_eq!(swapped.entries(), reasons.entries());
    let list = |item: u32| -> Vec<&[f32]> {
        let rows = swapped.of_item(item).iter();
        rows.map(|&row| swapped.vector(row)).collect()
    };
    // Six rows get a list of three: its newest fills the rest. Three rows get the oldest three of six.
    let last = [2.0, 2.1];
    assert_eq!(list(0), [[0.0, 2.1], [1.0, 2.1], last, last, last, last]);
    assert_eq!(list(2), [[0.0, 0.1], [1.0, 0.1], [2.0, 0.1]]);
    assert!(list(1).is_empty());
    let nothing = ReasonStore::new(2).with_swapped_items(1);
    assert!(nothing.is_empty());
}
