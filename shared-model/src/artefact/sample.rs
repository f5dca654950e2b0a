//! A tiny artefact for tests: 3 users, 5 items, a real (random) reward model.

use super::tensors::{
    HISTORY_MATCHED, NO_PATTERN, PATTERNS, REASON_COUNT, REASON_KEYS, REASON_VALUES, StoredTensor,
};
use super::*;
use crate::reward::{ActivationKind, RewardConfig, RewardModel};
use burn::tensor::Device;

pub(crate) const USERS: usize = 3;
pub(crate) const ITEMS: usize = 5;

pub(crate) fn config() -> RewardConfig {
    RewardConfig {
        items: ITEMS,
        text_width: 6,
        width: 4,
        heads: 2,
        layers: 1,
        feed_forward: 8,
        reasons: 3,
        max_history: 2,
        interest_hidden: 3,
        score_hidden: 5,
        activation: ActivationKind::Dice,
        ..RewardConfig::default()
    }
}

/// Numbers in (−1, 1) without pattern or repetition.
pub(crate) fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

pub(crate) fn artefact() -> Artefact {
    let config = config();
    let device = Device::flex();
    device.seed(7);
    let model = config.init(&device).unwrap();
    with_model(&config, &model)
}

pub(crate) fn with_model(config: &RewardConfig, model: &RewardModel) -> Artefact {
    let event = |item, time| HistoryEvent { item, time };
    let reason = |user, time| Reason {
        text: format!("told by {user} at {time}"),
        user: Some(user),
        time,
    };
    let histories = [
        vec![event(0, 10), event(1, 20), event(2, 30)],
        vec![event(3, 15)],
        vec![],
    ];
    let users = histories
        .into_iter()
        .zip([Some(4), Some(0), None])
        .enumerate()
        .map(|(index, (history, held_out))| UserRecord {
            key: format!("u{index}"),
            history,
            held_out,
            pattern: (index == 0).then(|| "likes odd numbers".to_owned()),
        })
        .collect();
    let reasons = vec![
        vec![reason(0, 10)],
        vec![reason(0, 20)],
        vec![reason(0, 30)],
        vec![reason(1, 15)],
        vec![],
    ];
    let mut tensors = crate::scorer::inference_parameters(model).unwrap();
    let lists = [ITEMS, config.reasons, config.width];
    let size = lists.iter().product();
    let counts = reasons.iter().map(|list: &Vec<_>| list.len() as f32);
    for (name, tensor) in [
        (REASON_KEYS, StoredTensor::f16(lists, noise(size, 1))),
        (REASON_VALUES, StoredTensor::f16(lists, noise(size, 2))),
        (REASON_COUNT, StoredTensor::f32([ITEMS], counts.collect())),
        (
            PATTERNS,
            StoredTensor::f32([USERS, config.width], noise(USERS * config.width, 3)),
        ),
        (
            NO_PATTERN,
            StoredTensor::f32([config.width], noise(config.width, 5)),
        ),
        (
            HISTORY_MATCHED, // windows of 2, 1 and 0 events
            StoredTensor::f16([3, config.width], noise(3 * config.width, 4)),
        ),
    ] {
        tensors.insert(name.to_owned(), tensor);
    }
    let catalogue: Vec<CatalogueItem> = (0..ITEMS)
        .map(|index| CatalogueItem {
            key: format!("i{index}"),
            title: format!("Item “{index}”"),
            attributes: vec![Attribute {
                kind: "genre".to_owned(),
                value: "noir".to_owned(),
            }],
            count: 1,
        })
        .collect();
    let shown = |index: usize| PreviewItem::of(index as u32, &catalogue[index]);
    let preview = Preview {
        user: 1,
        key: "u1".to_owned(),
        pattern: None,
        history: vec![shown(3)],
        recommendations: vec![PreviewRow {
            item: shown(1),
            score: 0.75,
            reason: Some("told by 0 at 20".to_owned()),
            carried_by: vec![shown(3).title],
        }],
    };
    Artefact {
        comparison: None,
        writer: None,
        created_by: "curec test".to_owned(),
        dataset: DatasetSummary {
            name: "sample".to_owned(),
            users: USERS,
            items: ITEMS,
            interactions: 6,
            split: "leave-one-out".to_owned(),
        },
        run: RunSummary {
            seed: 1,
            hash: "00".to_owned(),
            config_hash: "11".to_owned(),
        },
        model: ModelConfigs {
            reward: serde_json::to_value(config).unwrap(),
        },
        catalogue,
        users,
        reasons,
        results: Results {
            models: vec![ModelMetrics {
                name: "reward".to_owned(),
                metrics: [("HR@10".to_owned(), MetricValue::Plain(0.25))].into(),
            }],
            notes: vec!["a note".to_owned()],
            ..Results::default()
        },
        preview,
        tensors,
    }
}
