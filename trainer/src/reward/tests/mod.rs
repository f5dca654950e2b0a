//! Training and scoring on a toy catalogue where the next item follows from the last one.

mod batches;
mod scoring;
mod training;

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use curec_shared_model::reward::{RewardConfig, RewardModel};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::batch::{Hidden, Sampler};
use super::forward::{encode, logits};
use super::stores::{PatternEntry, PatternStore, ReasonEntry, ReasonStore};
use super::*;
use crate::data::{Dataset, Event, Item, User, UserSplit};
use crate::evaluation::{Contenders, Control, EvaluationConfig, Example, evaluate_reward_models};
use crate::fitting::{TrainingEnd, TrainingEvent, TrainingReport, Window, epoch_batches};
use crate::past::Timeline;

const ITEMS: u32 = 20;
const WIDTH: usize = 4;

/// Users step through the catalogue by 1, mostly.
pub(crate) fn data(users: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let histories: Vec<Vec<Event>> = (0..users)
        .map(|_| {
            let mut item = rng.random_range(0..ITEMS);
            (0..rng.random_range(8..16))
                .map(|step| {
                    item = (item + if rng.random_bool(0.9) { 1 } else { 7 }) % ITEMS;
                    Event {
                        item,
                        time: step * 10 + rng.random_range(0..10),
                    }
                })
                .collect()
        })
        .collect();
    Dataset {
        name: "toy".into(),
        items: (0..ITEMS)
            .map(|item| Item {
                key: item.to_string(),
                title: String::new(),
                attributes: vec![],
            })
            .collect(),
        users: (0..users)
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        split: histories
            .iter()
            .map(|events| UserSplit {
                train: events.len() - 2,
                valid: 1,
            })
            .collect(),
        histories,
        causes: None,
    }
}

/// A text for every training event, every third one a pattern; vectors depend on the source alone.
pub(super) fn stores(data: &Dataset) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    for (user, position) in timeline.training_order() {
        let Event { item, time } = data.histories[user][position];
        let mut rng =
            ChaCha8Rng::seed_from_u64((user * 1000 + position) as u64 * 100 + u64::from(item));
        let vector: Vec<f32> = (0..WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect();
        let (user, position) = (user as u32, position as u32);
        let text = String::new();
        let entry = ReasonEntry {
            item,
            user,
            position,
            time,
            text: text.clone(),
            policy_version: 0,
        };
        reasons.insert(&timeline, entry, &vector).unwrap();
        if position % 3 == 2 {
            let entry = PatternEntry {
                user,
                upto: position + 1,
                time: Some(time),
                text,
                policy_version: 0,
            };
            patterns.insert(&timeline, entry, &vector).unwrap();
        }
    }
    (patterns, reasons)
}

pub(super) fn features<'a>(
    data: &'a Dataset,
    (patterns, reasons): &'a (PatternStore, ReasonStore),
) -> Features<'a> {
    Features {
        timeline: Timeline::new(data),
        patterns,
        reasons,
    }
}

pub(super) fn config() -> RewardTrainingConfig {
    RewardTrainingConfig {
        model: RewardConfig {
            width: 8,
            heads: 2,
            layers: 1,
            feed_forward: 16,
            reasons: 3,
            max_history: 6,
            interest_hidden: 4,
            score_hidden: 8,
            ..RewardConfig::default()
        },
        epochs: 12,
        identity_epochs: 0,
        warm_epochs: 0,
        auxiliary_negatives: 256,
        batch_windows: 8,
        learning_rate: 1e-2,
        warmup_steps: 5,
        threads: 1,
        ..RewardTrainingConfig::default()
    }
}

fn run(features: Features, config: &RewardTrainingConfig) -> (RewardModel, TrainingReport) {
    train(
        features,
        config,
        None,
        &Device::flex(),
        &AtomicBool::new(false),
        &mut |_| {},
    )
    .unwrap()
}

/// One model for the tests that only read it; its networks do not begin at nothing.
pub(super) fn untrained(data: &Dataset) -> RewardModel {
    let device = Device::flex();
    device.seed(3);
    RewardConfig {
        items: data.items.len(),
        text_width: WIDTH,
        use_recency: false,
        ..config().model
    }
    .init(&device)
    .unwrap()
}
