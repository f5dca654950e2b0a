//! An artefact with random weights that says who it is about, and its scorers: what the tests of tastes and of probes begin with.

use super::{Scorer, Taste};
use crate::artefact::tensors::{
    HISTORY_MATCHED, NO_PATTERN, PATTERNS, REASON_COUNT, REASON_KEYS, REASON_VALUES,
};
use crate::artefact::{Artefact, HistoryEvent, Preview, Reason, StoredTensor, UserRecord, sample};
use crate::explain::UserScores;
use crate::reward::RewardConfig;
use burn::tensor::{Device, Distribution, Tensor};

pub(super) const ITEMS: usize = 60;
pub(super) const WIDTH: usize = 8;
pub(super) const SLOTS: usize = 3;
pub(super) const WINDOW: usize = 6;

pub(super) fn config() -> RewardConfig {
    RewardConfig {
        width: WIDTH,
        heads: 2,
        layers: 1,
        feed_forward: 16,
        reasons: SLOTS,
        max_history: WINDOW,
        interest_hidden: 5,
        score_hidden: 7,
        ..RewardConfig::new(ITEMS, 4)
    }
}

/// Four viewers with histories of 9, 4, 6 and 0 events; item `n` has `n % 4` reasons; no network begins at nothing.
pub(super) fn artefact(seed: u64) -> Artefact {
    let (config, device) = (config(), Device::flex());
    device.seed(seed);
    let mut model = config.init(&device).unwrap();
    let random = |size: usize| Tensor::random([size], Distribution::Normal(0.0, 1.0), &device);
    let hidden = config.interest_hidden;
    model.interest.output = model.interest.output.map(|_| random(hidden));
    model.interest.bias = model.interest.bias.map(|_| random(hidden));
    let mut artefact =
        sample::with_model(&sample::config(), &sample::config().init(&device).unwrap());
    artefact.tensors = crate::scorer::inference_parameters(&model).unwrap();
    artefact.model.reward = serde_json::to_value(&config).unwrap();
    (artefact.dataset.users, artefact.dataset.items) = (4, ITEMS);
    let item = artefact.catalogue[0].clone();
    artefact.catalogue = (0..ITEMS)
        .map(|index| crate::artefact::CatalogueItem {
            key: format!("i{index}"),
            ..item.clone()
        })
        .collect();
    let history = |viewer: usize, length: usize| {
        let event = |at: usize| HistoryEvent {
            item: ((at * 11 + viewer * 5) % ITEMS) as u32,
            time: at as i64,
        };
        (0..length).map(event).collect()
    };
    artefact.users = [9, 4, 6, 0]
        .into_iter()
        .enumerate()
        .map(|(viewer, length)| UserRecord {
            key: format!("u{viewer}"),
            history: history(viewer, length),
            held_out: None,
            pattern: Some("likes".to_owned()),
        })
        .collect();
    let reason = |time: usize| Reason {
        text: "for it".to_owned(),
        user: None,
        time: time as i64,
    };
    artefact.reasons = (0..ITEMS)
        .map(|item| (0..item % 4).map(reason).collect())
        .collect();
    let counts = (0..ITEMS).map(|item| (item % 4) as f32).collect();
    let noise = |count: usize, seed: u32| {
        let values = sample::noise(count, seed).into_iter();
        values.map(|value| 2.0 * value).collect::<Vec<f32>>()
    };
    let lists = [ITEMS, SLOTS, WIDTH];
    let size = ITEMS * SLOTS * WIDTH;
    let seen = WINDOW + 4 + 6;
    for (name, tensor) in [
        (REASON_KEYS, StoredTensor::f16(lists, noise(size, 1))),
        (REASON_VALUES, StoredTensor::f16(lists, noise(size, 2))),
        (REASON_COUNT, StoredTensor::f32([ITEMS], counts)),
        (PATTERNS, StoredTensor::f32([4, WIDTH], noise(4 * WIDTH, 3))),
        (NO_PATTERN, StoredTensor::f32([WIDTH], noise(WIDTH, 4))),
        (
            HISTORY_MATCHED,
            StoredTensor::f16([seen, WIDTH], noise(seen * WIDTH, 5)),
        ),
    ] {
        artefact.tensors.insert(name.to_owned(), tensor);
    }
    artefact.preview = Preview {
        key: "u0".to_owned(),
        ..Preview::default()
    };
    let head = artefact.tensors.get_mut("weights.head.output.weight");
    head.unwrap().values = noise(7, 6);
    artefact
}

/// By hand, and by tensors on the same CPU.
pub(super) fn both(artefact: &Artefact) -> [Scorer; 2] {
    [
        Scorer::on_cpu(artefact).unwrap(),
        Scorer::by_tensors(artefact, &Device::flex()).unwrap(),
    ]
}

pub(super) fn scores(scorer: &Scorer, taste: &Taste) -> UserScores {
    pollster::block_on(scorer.score_taste(taste)).unwrap()
}

pub(super) fn logits(scorer: &Scorer, taste: &Taste) -> Vec<f32> {
    scores(scorer, taste).logits
}

pub(super) fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let apart = (found - expected).abs();
        assert!(apart < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
    }
}

pub(super) fn apart(found: &[f32], other: &[f32]) -> bool {
    found.iter().zip(other).any(|(a, b)| (a - b).abs() > 1e-3)
}

pub(super) fn without(taste: &Taste, place: usize) -> Taste {
    let mut taste = taste.clone();
    taste.history.remove(place);
    taste
}
