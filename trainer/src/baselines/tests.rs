//! Baselines by hand and under the protocols.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::*;
use crate::data::{Dataset, Event, Item, Order, SplitKind, User, UserSplit};
use crate::evaluation::{EvaluationConfig, Example, Metric, Ranker, SeenItems, evaluate};

/// A data set of `items` items: one history a user, the last event test, the one before it validation.
pub(super) fn dataset(items: usize, histories: &[&[u32]]) -> Dataset {
    let event = |(time, &item): (usize, &u32)| Event {
        item,
        time: time as i64,
    };
    Dataset {
        name: "toy".to_owned(),
        items: (0..items)
            .map(|item| Item {
                key: item.to_string(),
                title: format!("Item {item}"),
                attributes: Vec::new(),
            })
            .collect(),
        users: (0..histories.len())
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        split: histories
            .iter()
            .map(|history| UserSplit {
                train: history.len() - 2,
                valid: 1,
            })
            .collect(),
        histories: histories
            .iter()
            .map(|history| history.iter().enumerate().map(event).collect())
            .collect(),
        causes: None,
    }
}

#[test]
fn neighbours_by_hand() {
    // Training: U0 = {0, 1}, U1 = {0, 1, 2}, U2 = {0}, U3 = {2, 2}. Takers: item 0 three, item 1 two, item 2 two, item 3 none.
    let data = dataset(
        4,
        &[&[0, 1, 2, 3], &[0, 1, 2, 3, 3], &[0, 1, 3], &[2, 2, 0, 1]],
    );
    let knn = |neighbours, shrinkage| {
        ItemKnn::new(
            &data,
            &ItemKnnConfig {
                neighbours,
                shrinkage,
            },
        )
    };
    let scores = |model: &ItemKnn, user, position| {
        model
            .scores(&[Example { user, position }])
            .unwrap()
            .remove(0)
    };
    let close = |found: &[f32], expected: [f32; 4]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    };
    let (s01, s02, s12) = (2.0 / 6.0f32.sqrt(), 1.0 / 6.0f32.sqrt(), 0.5);
    let all = knn(10, 0.0);
    assert_eq!(all.similarities(), 6);
    // User 3's history before the third event is item 2, twice: it counts once.
    close(&scores(&all, 3, 2), [s02, s12, 0.0, 0.0]);
    // … and before the fourth, items 2 and 0: the validation event speaks at test.
    close(&scores(&all, 3, 3), [s02, s12 + s01, s02, 0.0]);
    // One neighbour each: N(0) = {1}, N(1) = {0}, N(2) = {1} (1/2 against 1/√6).
    close(&scores(&knn(1, 0.0), 3, 3), [0.0, s01, 0.0, 0.0]);
    // Shrinkage 2: 2 / (√6 + 2), 1 / (√6 + 2), 1 / (2 + 2)
    let root = 6.0f32.sqrt() + 2.0;
    let shrunk = [1.0 / root, 0.25 + 2.0 / root, 1.0 / root, 0.0];
    close(&scores(&knn(10, 2.0), 3, 3), shrunk);
}

/// EVALUATION.md's reference: popularity under the protocol of published numbers, both ways.
#[test]
fn popularity_has_the_published_numbers() {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/ml-1m"
    ));
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return;
    }
    let prepared = ProtocolKind::Sasrec.prepare(folder, None).unwrap();
    assert_eq!(prepared.order, Some(Order::Sasrec));
    let data = &prepared.data;
    assert_eq!((data.users.len(), data.items.len()), (6040, 3416));
    assert_eq!(prepared.interactions(), 999_611);
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let context = FitContext {
        texts: None,
        data,
        device: &device,
        seed: 1,
        validation_users: 0,
        stop: &stop,
    };
    let settings = RankingSettings::Pop(PopConfig {});
    let fitted = fit(&settings, context, &mut |_| {}).unwrap();
    for (seen_items, hit_rate, ndcg) in [
        (SeenItems::Kept, 0.0162, 0.0079),
        (SeenItems::Filtered, 0.0369, 0.0180),
    ] {
        let config = EvaluationConfig {
            seen_items,
            bootstrap_samples: 10,
            ..EvaluationConfig::default()
        };
        let models = [("pop", &*fitted.ranker)];
        let results = evaluate(data, &config, &models, &stop, &mut |_| {}).unwrap();
        let metric = |metric: Metric| results.models[0].metrics[&metric.name()].mean;
        let found = [Metric::Recall(10), Metric::Ndcg(10)].map(metric);
        for (found, published) in found.iter().zip([hit_rate, ndcg]) {
            assert_eq!(
                format!("{found:.4}"),
                format!("{published:.4}"),
                "{seen_items:?}"
            );
        }
    }
}

#[test]
fn protocols_say_what_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut items = "item_id,title\n".to_owned();
    let mut interactions = "user_id,item_id,timestamp\n".to_owned();
    for item in 0..40 {
        items += &format!("i{item},Title {item}\n");
        for user in 0..item.min(6) {
            interactions += &format!("u{user},i{item},{}\n", 100 + item * 7 + user);
        }
    }
    std::fs::write(folder.path().join("items.csv"), items).unwrap();
    std::fs::write(folder.path().join("interactions.csv"), interactions).unwrap();
    let sasrec = ProtocolKind::Sasrec.prepare(folder.path(), None).unwrap();
    // No sasrec_sequences.txt: the source's order; the five items with fewer than five takers are gone.
    assert_eq!(sasrec.order, Some(Order::Source));
    assert_eq!((sasrec.data.users.len(), sasrec.data.items.len()), (6, 35));
    let temporal = ProtocolKind::Temporal.prepare(folder.path(), None).unwrap();
    assert_eq!(temporal.split, Some(SplitKind::Temporal));
    assert_eq!(temporal.min_history, Some(30));
    assert_eq!(temporal.order, Some(Order::Drawn));
    let default = ProtocolKind::Default.prepare(folder.path(), None).unwrap();
    assert_eq!(default.split, Some(SplitKind::LeaveOneOut));
    assert_eq!(default.data.items.len(), 39);
    assert_ne!(default.sha256, temporal.sha256);
}
