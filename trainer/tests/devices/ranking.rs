//! The reward model: scores with given weights, and training.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use curec::data::{Dataset, Event, Item, User, UserSplit};
use curec::device::DeviceChoice;
use curec::evaluation::Example;
use curec::past::Timeline;
use curec::reward::stores::{PatternEntry, PatternStore, ReasonEntry, ReasonStore};
use curec::reward::{Features, RewardTrainingConfig, Scorer, train};
use curec_shared_model::reward::{RewardConfig, RewardModel};
use curec_shared_model::weights::{from_bytes, to_bytes};

use crate::{close, device, on_devices};

on_devices!(
    scores_and_reason_rewards_are_those_of_flex,
    training_finds_the_next_item,
);

const ITEMS: u32 = 8;
const WIDTH: usize = 4;

/// Users step through the catalogue by 1.
fn data() -> Dataset {
    let history = |user: u32| -> Vec<Event> {
        let event = |step: u32| Event {
            item: (user * 3 + step) % ITEMS,
            time: i64::from(step * 10 + user),
        };
        (0..7).map(event).collect()
    };
    Dataset {
        name: "toy".into(),
        items: (0..ITEMS)
            .map(|item| Item {
                key: item.to_string(),
                title: String::new(),
                attributes: vec![],
            })
            .collect(),
        users: (0..12)
            .map(|user| User {
                key: user.to_string(),
            })
            .collect(),
        split: (0..12).map(|_| UserSplit { train: 5, valid: 1 }).collect(),
        histories: (0..12).map(history).collect(),
        causes: None,
    }
}

fn stores(data: &Dataset) -> (PatternStore, ReasonStore) {
    let timeline = Timeline::new(data);
    let (mut patterns, mut reasons) = (PatternStore::new(WIDTH), ReasonStore::new(WIDTH));
    for (user, position) in timeline.training_order() {
        let Event { item, time } = data.histories[user][position];
        let value = |k: usize| ((user * 31 + position * 7 + k * 3) as f32).sin();
        let vector: Vec<f32> = (0..WIDTH).map(value).collect();
        let (user, position) = (user as u32, position as u32);
        let reason = ReasonEntry {
            item,
            user,
            position,
            time,
            text: String::new(),
            policy_version: 0,
        };
        reasons.insert(&timeline, reason, &vector).unwrap();
        if position % 3 == 2 {
            let pattern = PatternEntry {
                user,
                upto: position + 1,
                time: Some(time),
                text: String::new(),
                policy_version: 0,
            };
            patterns.insert(&timeline, pattern, &vector).unwrap();
        }
    }
    (patterns, reasons)
}

fn model_config() -> RewardConfig {
    RewardConfig {
        width: 8,
        heads: 2,
        layers: 1,
        feed_forward: 16,
        reasons: 2,
        max_history: 5,
        interest_hidden: 4,
        score_hidden: 8,
        ..RewardConfig::new(ITEMS as usize, WIDTH)
    }
}

fn scores_and_reason_rewards_are_those_of_flex(choice: DeviceChoice) {
    let data = data();
    let (patterns, reasons) = stores(&data);
    let features = Features {
        timeline: Timeline::new(&data),
        patterns: &patterns,
        reasons: &reasons,
    };
    let flex = Device::flex();
    flex.seed(3);
    let known = model_config().init(&flex).unwrap();
    let bytes = to_bytes(&known, HashMap::new()).unwrap();
    let device = device(choice);
    let found: RewardModel = from_bytes(model_config().init(&device).unwrap(), &bytes).unwrap();
    let scores = |model: RewardModel, device: &Device| {
        let scorer = Scorer::new(model, features, device).unwrap();
        let example = Example {
            user: 4,
            position: 6,
        };
        let catalogue = scorer.catalogue(example).unwrap();
        let vectors: Vec<Vec<f32>> = vec![vec![0.5, -0.2, 0.1, 0.9], vec![-1.0, 0.3, 0.2, 0.4]];
        let item = data.histories[4][3].item;
        let rewards = scorer.reason_rewards(4, 3, item, &vectors).unwrap();
        [catalogue, rewards.scores, vec![rewards.baseline]].concat()
    };
    let known = scores(known, &flex);
    assert!(known.iter().any(|score| (score - known[0]).abs() > 1e-3));
    close(&scores(found, &device), &known, 1e-4, "scores");
}

fn training_finds_the_next_item(choice: DeviceChoice) {
    let data = data();
    let (patterns, reasons) = stores(&data);
    let features = Features {
        timeline: Timeline::new(&data),
        patterns: &patterns,
        reasons: &reasons,
    };
    let config = RewardTrainingConfig {
        model: RewardConfig {
            items: 0,
            text_width: 0,
            ..model_config()
        },
        identity_epochs: 0,
        warm_epochs: 3,
        epochs: 6,
        patience: 9,
        batch_windows: 6,
        warm_learning_rate: 2e-2,
        learning_rate: 2e-2,
        warmup_steps: 2,
        threads: 1,
        ..RewardTrainingConfig::default()
    };
    let stop = AtomicBool::new(false);
    let (_, report) = train(features, &config, None, &device(choice), &stop, &mut |_| {}).unwrap();
    let (warm, whole) = report.epochs.split_at(3);
    for phase in [warm, whole] {
        let (first, last) = (&phase[0], &phase[phase.len() - 1]);
        assert!(last.loss < 0.8 * first.loss, "{report:?}");
    }
}
