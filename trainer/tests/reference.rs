//! Metrics and neighbours against other people's code: `reference/reference.json` is made by `reference/make_reference.py`
//! with ranx, scikit-learn and numpy.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use curec::baselines::ctr::{Scored, auc, log_loss};
use curec::baselines::{ItemKnn, ItemKnnConfig};
use curec::data::{Dataset, Event, Item, User, UserSplit};
use curec::evaluation::{EvaluationConfig, Example, Ranker, SeenItems, evaluate};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    rankings: Vec<Ranking>,
    clicks: Clicks,
    neighbours: Neighbours,
}

#[derive(Deserialize)]
struct Ranking {
    seen_items: SeenItems,
    scores: Vec<Vec<f32>>,
    histories: Vec<Vec<u32>>,
    targets: Vec<u32>,
    metrics: BTreeMap<String, f64>,
    coverage: f64,
    gini: f64,
}

#[derive(Deserialize)]
struct Clicks {
    logits: Vec<f32>,
    labels: Vec<u8>,
    auc: f64,
    log_loss: f64,
}

#[derive(Deserialize)]
struct Neighbours {
    taken: Vec<Vec<u8>>,
    scores: Vec<Vec<f64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/reference.json")).unwrap()
}

/// Histories end with the test event; what is before it is training.
fn dataset(items: usize, histories: &[Vec<u32>]) -> Dataset {
    let event = |(time, &item): (usize, &u32)| Event {
        item,
        time: time as i64,
    };
    Dataset {
        name: "reference".to_owned(),
        items: (0..items)
            .map(|item| Item {
                key: item.to_string(),
                title: item.to_string(),
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
                train: history.len() - 1,
                valid: 0,
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
fn every_ranking_metric_is_that_of_ranx() {
    for ranking in reference().rankings {
        let histories: Vec<Vec<u32>> = ranking
            .histories
            .iter()
            .zip(&ranking.targets)
            .map(|(history, &target)| [history.as_slice(), &[target]].concat())
            .collect();
        let data = dataset(ranking.scores[0].len(), &histories);
        let scores = &ranking.scores;
        let ranker = |examples: &[Example]| -> Vec<Vec<f32>> {
            let row = |example: &Example| scores[example.user].clone();
            examples.iter().map(row).collect()
        };
        let config = EvaluationConfig {
            seen_items: ranking.seen_items,
            bootstrap_samples: 20,
            ..EvaluationConfig::default()
        };
        let stop = AtomicBool::new(false);
        let models = [("fixed", &ranker as &dyn Ranker)];
        let results = evaluate(&data, &config, &models, &stop, &mut |_| {}).unwrap();
        let found = &results.models[0];
        assert_eq!(found.metrics.len(), ranking.metrics.len());
        for (name, expected) in &ranking.metrics {
            let value = found.metrics[name].mean;
            assert!(
                (value - expected).abs() < TOLERANCE,
                "{:?} {name}: {value}, ranx {expected}",
                ranking.seen_items
            );
        }
        assert!((found.coverage - ranking.coverage).abs() < TOLERANCE);
        assert!((found.gini - ranking.gini).abs() < TOLERANCE);
    }
}

#[test]
fn auc_and_log_loss_are_those_of_scikit_learn() {
    let clicks = reference().clicks;
    let scored: Vec<Scored> = clicks
        .logits
        .iter()
        .zip(&clicks.labels)
        .map(|(&logit, &label)| Scored {
            user: 0,
            logit,
            label: label == 1,
        })
        .collect();
    assert!((auc(&scored) - clicks.auc).abs() < TOLERANCE);
    assert!((log_loss(&scored) - clicks.log_loss).abs() < TOLERANCE);
}

#[test]
fn neighbours_are_those_of_scikit_learn_s_cosines() {
    let neighbours = reference().neighbours;
    let items = neighbours.taken[0].len();
    // Training is what was taken; the event after it does not matter.
    let histories: Vec<Vec<u32>> = neighbours
        .taken
        .iter()
        .map(|taken| {
            let items = (0..).zip(taken).filter(|(_, taken)| **taken == 1);
            items.map(|(item, _)| item).chain([0]).collect()
        })
        .collect();
    let data = dataset(items, &histories);
    let config = ItemKnnConfig {
        neighbours: items,
        shrinkage: 0.0,
    };
    let model = ItemKnn::new(&data, &config);
    for (user, expected) in neighbours.scores.iter().enumerate() {
        let position = data.split[user].train;
        let found = model.scores(&[Example { user, position }]).unwrap();
        for (found, expected) in found[0].iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < TOLERANCE,
                "{user}: {found} {expected}"
            );
        }
    }
}
