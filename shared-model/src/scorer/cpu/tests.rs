//! Against the model on tensors.

use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};

use super::*;
use crate::reward::{ActivationKind, ItemBatch, ProjectedReasons, RewardModel};
use crate::scorer::inference_parameters;

const ITEMS: usize = 131;
const REASONS: usize = 70;

fn small() -> RewardConfig {
    RewardConfig {
        width: 8,
        heads: 2,
        layers: 1,
        feed_forward: 16,
        reasons: 3,
        max_history: 6,
        interest_hidden: 5,
        score_hidden: 7,
        ..RewardConfig::new(ITEMS, 4)
    }
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// A model none of whose networks begin at nothing.
fn model(config: &RewardConfig) -> RewardModel {
    let mut model = fresh(config);
    let hidden = config.interest_hidden;
    let redraw = |size: usize| random([size]);
    model.interest.output = model.interest.output.map(|_| redraw(hidden));
    model.interest.output_bias = model.interest.output_bias.map(|_| redraw(1));
    model.interest.bias = model.interest.bias.map(|_| redraw(hidden));
    model.interest.activation.alpha = model.interest.activation.alpha.map(|_| redraw(hidden));
    for table in [
        &mut model.interest.recency_scale,
        &mut model.interest.recency_shift,
    ] {
        *table = table
            .take()
            .map(|param| param.map(|_| random([config.max_history])));
    }
    model
}

fn fresh(config: &RewardConfig) -> RewardModel {
    let device = Device::flex();
    device.seed(11);
    config.init(&device).unwrap()
}

/// Candidate `n` has the reasons `3n, 3n + 1, …`, as many as `n % 4`.
fn list(candidate: usize, rows: &mut Vec<u32>) {
    rows.extend((0..candidate % 4).map(|slot| ((3 * candidate + slot) % REASONS) as u32));
}

fn compare(config: &RewardConfig, events: usize, count: usize) {
    compare_model(&model(config), events, count);
}

fn compare_model(model: &RewardModel, events: usize, count: usize) {
    let (device, config) = (Device::flex(), model.config());
    let fast = CpuModel::of(model).unwrap();
    let (width, both) = (config.width, config.input_width());
    let items: Vec<u32> = (0..count).map(|at| (at * 7 % ITEMS) as u32).collect();
    let (states, pattern) = (random([1, events.max(1), both]), random([1, width]));
    let (keys, table_values) = (random([REASONS, width]), random([REASONS, width]));
    let table = ReasonTable {
        keys: values(keys.clone()),
        values: values(table_values.clone()),
    };
    let projected = ProjectedReasons {
        keys,
        values: table_values,
    };

    let slots = 3;
    let (mut index, mut mask) = (Vec::new(), Vec::new());
    for candidate in 0..count {
        let mut rows = Vec::new();
        list(candidate, &mut rows);
        mask.extend((0..slots).map(|slot| slot < rows.len()));
        rows.resize(slots, 0);
        index.extend(rows.iter().map(|&row| row as i32));
    }
    let ints = |values: Vec<i32>| Tensor::<1, Int>::from_ints(values.as_slice(), &device);
    let batch = ItemBatch {
        items: ints(items.iter().map(|&item| item as i32).collect()).reshape([1, count]),
        reasons: ints(index).reshape([1, count, slots]),
        reason_mask: Tensor::<3, Bool>::from_bool(
            TensorData::new(mask, [1, count, slots]),
            &device,
        ),
    };
    let present = vec![events > 0; events.max(1)];
    let present = TensorData::new(present, [1, events.max(1)]);
    let expected = model.score_candidates(
        states.clone(),
        Tensor::from_bool(present, &device),
        pattern.clone(),
        &batch,
        Some(&projected),
    );

    let states = values(states);
    let moment = Moment {
        states: &states[..events * both],
        pattern: &values(pattern.clone()),
    };
    let evidence = Detail::Evidence { slots };
    let prepared = fast.prepare(moment);
    let found = fast.score(&prepared, &items, &table, list, evidence);
    let near = |found: &[f32], expected: Vec<f32>| {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let apart = (found - expected).abs();
            assert!(apart < 2e-5 * (1.0 + expected.abs()), "{found} {expected}");
        }
    };
    near(&found.logits, values(expected.logits));
    near(&found.attention, values(expected.reason_attention));
    if events > 0 {
        near(&found.event_weights, values(expected.event_weights));
    }
    let gathered = |table: &Tensor<2>| {
        let index = batch.reasons.clone().reshape([count * slots]);
        (table.clone().select(0, index)).reshape([1, count, slots, width])
    };
    let matched = model.match_reasons(
        pattern.clone(),
        gathered(&projected.keys),
        gathered(&projected.values),
        batch.reason_mask.clone(),
    );
    let now = fast.matched(moment.pattern, count, &table, list);
    near(&now, values(matched.vector));
    let alone = fast.score(&prepared, &items, &table, list, Detail::Scores);
    assert_eq!(alone.logits, found.logits);
    assert!(alone.attention.is_empty() && alone.event_weights.is_empty());
}

#[test]
fn scores_are_those_of_the_model_on_tensors() {
    for count in [1, 2, 48, 131] {
        compare(&small(), 6, count);
    }
    for events in [0, 1, 3] {
        compare(&small(), events, 50);
    }
}

#[test]
fn networks_that_begin_at_nothing_are_left_out_and_change_nothing() {
    let model = fresh(&small());
    assert!(
        CpuModel::of(&model)
            .unwrap()
            .weights
            .interest
            .bend
            .is_silent()
    );
    assert!(CpuModel::of(&model).unwrap().weights.head.bend.is_silent());
    compare_model(&model, 4, 120);
}

#[test]
fn so_they_are_with_every_switch() {
    type Change = fn(&mut RewardConfig);
    let changes: [Change; 8] = [
        |config| config.activation = ActivationKind::Dice,
        |config| config.use_recency = false,
        |config| config.use_product = false,
        |config| config.use_ids = false,
        |config| config.use_reasons = false,
        |config| (config.width, config.heads, config.score_hidden) = (12, 3, 8),
        |config| (config.width, config.heads) = (6, 1),
        |config| (config.interest_hidden, config.layers) = (16, 0),
    ];
    for change in changes {
        let mut config = small();
        change(&mut config);
        compare(&config, 5, 60);
    }
}

#[test]
fn states_are_those_of_the_model_on_tensors() {
    for (layers, heads, events, ids) in [(2, 2, 6, true), (1, 1, 1, false), (3, 4, 5, true)] {
        let config = RewardConfig {
            layers,
            heads,
            use_ids: ids,
            ..small()
        };
        let model = model(&config);
        let items: Vec<u32> = (0..events).map(|at| at * 17 % ITEMS as u32).collect();
        let matched = random([1, events as usize, config.width]);
        let found = (CpuModel::of(&model).unwrap()).encode(&items, &values(matched.clone()));
        let items: Vec<i32> = items.into_iter().map(|item| item as i32).collect();
        let items = Tensor::<1, Int>::from_ints(items.as_slice(), &Device::flex());
        let inputs = model.item_input(items.unsqueeze(), matched);
        let expected = values(model.encode_history(inputs));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn a_parameter_that_does_not_fit_is_named() {
    let config = small();
    let mut parameters = inference_parameters(&model(&config)).unwrap();
    let wider = RewardConfig {
        score_hidden: 9,
        ..config.clone()
    };
    let error = CpuModel::new(&wider, &parameters).unwrap_err();
    assert_eq!(error.kind(), "wrong-shape");
    parameters.remove("weights.item.weight");
    let error = CpuModel::new(&config, &parameters).unwrap_err();
    assert_eq!(error.kind(), "missing-tensor");
}
