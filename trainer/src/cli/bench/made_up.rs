//! A whole artefact of any size with random weights: what scoring costs depends on its sizes alone.
//!
//! Every history is as long, and every item has as many reasons, as the model reads, so nothing is cheaper than it can be. A fresh
//! model begins with networks that give nothing, which a scorer leaves out; here all parameters are those of a model that has
//! learned something.

use anyhow::Result;
use burn::tensor::Device;
use curec_shared_model::artefact::{
    Artefact, Attribute, CatalogueItem, DatasetSummary, HistoryEvent, ModelConfigs, Preview,
    Reason, Results, RunSummary, StoredTensor, UserRecord, tensors,
};
use curec_shared_model::reward::RewardConfig;
use curec_shared_model::scorer::inference_parameters;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Largest number added to parameters that a fresh model has the same throughout.
const LEARNED: f32 = 0.2;

/// An artefact of `viewers` viewers; sizes are the model's.
pub(super) fn artefact(config: &RewardConfig, viewers: usize, seed: u64) -> Result<Artefact> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (items, events, slots) = (config.items, config.max_history, config.reasons);
    let catalogue: Vec<CatalogueItem> = (0..items).map(item).collect();
    let users: Vec<UserRecord> = (0..viewers)
        .map(|user| viewer(user, config, &mut rng))
        .collect();
    let reasons = (0..items).map(|item| {
        let told = |slot: usize| Reason {
            text: format!("Made-up reason {slot} of title {item}."),
            user: None,
            time: slot as i64,
        };
        (0..slots).map(told).collect()
    });
    let preview = Preview {
        user: 0,
        key: users
            .first()
            .map_or_else(String::new, |user| user.key.clone()),
        ..Preview::default()
    };
    Ok(Artefact {
        created_by: concat!("curec ", env!("CARGO_PKG_VERSION"), " bench").to_owned(),
        dataset: DatasetSummary {
            name: "made-up".to_owned(),
            users: viewers,
            items,
            interactions: viewers * events,
            split: "none".to_owned(),
        },
        run: RunSummary {
            seed,
            hash: "made-up".to_owned(),
            config_hash: "made-up".to_owned(),
        },
        model: ModelConfigs {
            reward: serde_json::to_value(config)?,
        },
        reasons: reasons.collect(),
        results: Results {
            notes: vec!["Weights and texts are made up, to measure what scoring costs.".to_owned()],
            ..Results::default()
        },
        tensors: stored(config, viewers, seed, &mut rng)?,
        catalogue,
        users,
        preview,
        comparison: None,
        writer: None,
    })
}

fn item(index: usize) -> CatalogueItem {
    CatalogueItem {
        key: format!("i{index}"),
        title: format!("Made-up title {index}"),
        attributes: vec![Attribute {
            kind: "genre".to_owned(),
            value: format!("genre {}", index % 18),
        }],
        count: 1,
    }
}

fn viewer(user: usize, config: &RewardConfig, rng: &mut ChaCha8Rng) -> UserRecord {
    let event = |time| HistoryEvent {
        item: rng.random_range(0..config.items as u32),
        time,
    };
    UserRecord {
        key: format!("v{user}"),
        history: (0..config.max_history as i64).map(event).collect(),
        held_out: None,
        pattern: Some(format!("Made-up pattern of viewer {user}.")),
    }
}

type Stored = std::collections::BTreeMap<String, StoredTensor>;

fn stored(
    config: &RewardConfig,
    viewers: usize,
    seed: u64,
    rng: &mut ChaCha8Rng,
) -> Result<Stored> {
    let device = Device::flex();
    device.seed(seed);
    let mut found = inference_parameters(&config.init(&device)?)?;
    for tensor in found.values_mut() {
        let first = tensor.values.first().copied();
        if tensor.values.iter().all(|value| Some(*value) == first) {
            (tensor.values.iter_mut())
                .for_each(|value| *value += rng.random_range(-LEARNED..LEARNED));
        }
    }
    let mut noise =
        |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let (items, slots, width) = (config.items, config.reasons, config.width);
    let (lists, rows) = ([items, slots, width], items * slots * width);
    let events = viewers * config.max_history;
    let counts = vec![slots as f32; items];
    for (name, tensor) in [
        (tensors::REASON_KEYS, StoredTensor::f16(lists, noise(rows))),
        (
            tensors::REASON_VALUES,
            StoredTensor::f16(lists, noise(rows)),
        ),
        (tensors::REASON_COUNT, StoredTensor::f32([items], counts)),
        (
            tensors::PATTERNS,
            StoredTensor::f32([viewers, width], noise(viewers * width)),
        ),
        (
            tensors::NO_PATTERN,
            StoredTensor::f32([width], noise(width)),
        ),
        (
            tensors::HISTORY_MATCHED,
            StoredTensor::f16([events, width], noise(events * width)),
        ),
    ] {
        found.insert(name.to_owned(), tensor);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use curec_shared_model::scorer::Scorer;

    fn config() -> RewardConfig {
        RewardConfig {
            width: 8,
            heads: 2,
            layers: 1,
            feed_forward: 8,
            reasons: 3,
            max_history: 4,
            interest_hidden: 3,
            score_hidden: 5,
            ..RewardConfig::new(20, 8)
        }
    }

    #[test]
    fn it_can_be_written_and_scored_and_no_part_of_it_is_silent() {
        let made = artefact(&config(), 2, 7).expect("made");
        assert!(made.to_files().is_ok(), "whole");
        let scorer = Scorer::on_cpu(&made).expect("weights that fit");
        let scores = pollster::block_on(scorer.score(1)).expect("scores");
        let first = scores.event_weights[..4].to_vec();
        let differ = (scores.event_weights.chunks_exact(4)).any(|weights| weights != first);
        assert!(differ, "a silent interest unit weighs events alike");
        let weights = &made.tensors["weights.head.output.weight"].values;
        assert!(weights.iter().all(|weight| *weight != 0.0));
        assert!(scores.attention.iter().all(|weight| *weight > 0.0));
    }

    #[test]
    fn a_seed_gives_the_same_one_again() {
        let made = |seed| artefact(&config(), 2, seed).expect("made");
        assert_eq!(made(7), made(7));
        assert_ne!(made(7).tensors, made(8).tensors);
    }
}
