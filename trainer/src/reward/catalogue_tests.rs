//! What the state loss of a batch is, computed once more through the inputs that inference uses.

use burn::module::Param;
use burn::tensor::{Device, Distribution, Tensor};
use curec_shared_model::reward::RewardModel;

use super::batch::{HostBatch, Sampler};
use super::features::{bools, floats, ints};
use super::forward::{auxiliary_loss, encode};
use super::stores::{PatternStore, ReasonStore};
use super::tests::{config, data, features, stores, untrained};
use super::*;
use crate::fitting::Window;

const WINDOWS: [Window; 3] = [
    Window {
        user: 0,
        start: 0,
        end: 6,
    },
    Window {
        user: 3,
        start: 2,
        end: 6,
    },
    Window {
        user: 5,
        start: 0,
        end: 2,
    },
];

/// A model in which reasons have a say: fresh ones begin at nothing.
fn model(data: &crate::data::Dataset) -> RewardModel {
    let mut model = untrained(data);
    let device = Device::flex();
    let random = |shape: [usize; 2]| Tensor::random(shape, Distribution::Normal(0.0, 0.5), &device);
    model.matching.output.weight = Param::from_tensor(random([8, 8]));
    model.matching.no_reason = Param::from_tensor(random([1, 8]).reshape([8]));
    model
}

/// Mean of `−log softmax(h · x)[taken]` over `against` and the item taken, every `x` by itself.
fn by_inputs(
    model: &RewardModel,
    features: &Features,
    batch: &HostBatch,
    against: impl Fn(u32) -> bool,
) -> f32 {
    let device = Device::flex();
    let encoded = encode(model, features, batch, 0.0, &device);
    let data = features.timeline.data();
    let (mut sum, mut count) = (0.0, 0);
    for (row, window) in WINDOWS.iter().enumerate() {
        for position in window.start + 1..window.end {
            let past = features.timeline.past(window.user, position).unwrap();
            let moment = position - window.start - 1;
            let state = encoded
                .states
                .clone()
                .slice([row..row + 1, moment..moment + 1])
                .reshape([1, 16]);
            let pattern = match past.pattern(features.patterns) {
                Some(at) => model.encode_text(floats(
                    features.patterns.vector(at).to_vec(),
                    [1, 4],
                    &device,
                )),
                None => model.no_pattern.val().unsqueeze::<2>(),
            };
            let score = |item: u32| {
                let seen = past.reasons(features.reasons, item, 3);
                let matched = if seen.is_empty() {
                    model.no_match(1, 1)
                } else {
                    let vectors = seen
                        .iter()
                        .flat_map(|&at| features.reasons.vector(at).to_vec())
                        .collect();
                    let table = model.project_reasons(floats(vectors, [seen.len(), 4], &device));
                    let shape = [1, 1, seen.len(), 8];
                    model
                        .match_reasons(
                            pattern.clone(),
                            table.keys.reshape(shape),
                            table.values.reshape(shape),
                            bools(vec![true; seen.len()], [1, 1, seen.len()], &device),
                        )
                        .vector
                };
                let input = model.item_input(ints(vec![item as i32], [1, 1], &device), matched);
                (input.reshape([1, 16]) * state.clone())
                    .sum()
                    .into_scalar::<f32>()
            };
            let taken = data.histories[window.user][position].item;
            let others =
                (0..data.items.len() as u32).filter(|&item| item == taken || against(item));
            let total: f32 = others.map(|item| score(item).exp()).sum();
            sum += total.ln() - score(taken);
            count += 1;
        }
    }
    sum / count as f32
}

#[test]
fn the_state_loss_is_cross_entropy_over_inputs_as_they_were_at_each_moment() {
    let mut data = data(8);
    // Ties between users, and so reasons of the very moment, which may not be seen.
    for events in &mut data.histories {
        for event in events {
            event.time = event.time / 20 * 20;
        }
    }
    let stores = stores(&data);
    let features = features(&data, &stores);
    let model = model(&data);
    let device = Device::flex();
    for drawn in [0, 7] {
        let config = RewardTrainingConfig {
            auxiliary_negatives: drawn,
            ..config()
        };
        let batch = Sampler::new(features, &config)
            .gather(&WINDOWS, 0, 9)
            .unwrap();
        let encoded = encode(&model, &features, &batch, 0.0, &device);
        let examples = batch.examples;
        let found = auxiliary_loss(&model, &features, &batch, &encoded, examples, &device)
            .unwrap()
            .into_scalar::<f32>();
        let shared = &batch.catalogue.items[..batch.catalogue.shared];
        assert_eq!(
            shared.len(),
            if drawn == 0 { data.items.len() } else { drawn }
        );
        let known = by_inputs(&model, &features, &batch, |item| shared.contains(&item));
        assert!((found - known).abs() < 1e-4, "{drawn}: {found} {known}");
        let empty = (batch.catalogue.visible.iter()).filter(|(from, to)| from == to);
        assert!(
            empty.count() > 0,
            "an item without reasons is among the cases"
        );
    }
}

#[test]
fn without_embeddings_and_reasons_there_is_nothing_to_learn() {
    let data = data(8);
    let stores = (PatternStore::new(4), ReasonStore::new(4));
    let features = features(&data, &stores);
    let mut config = config();
    config.model.use_ids = false;
    let batch = Sampler::new(features, &config)
        .gather(&WINDOWS, 0, 9)
        .unwrap();
    let mut shape = config.model.clone();
    (shape.items, shape.text_width) = (data.items.len(), 4);
    let device = Device::flex();
    let model = shape.init(&device).unwrap();
    let encoded = encode(&model, &features, &batch, 0.0, &device);
    assert!(auxiliary_loss(&model, &features, &batch, &encoded, 9, &device).is_none());
}
