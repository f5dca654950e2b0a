//! The scorer against the reward model's own inference path, which it does not use.

use super::tensors::{bools, float, ints};
use super::*;
use crate::artefact::tensors::{HISTORY_MATCHED, PATTERNS, REASON_KEYS, REASON_VALUES};
use crate::artefact::{StoredTensor, sample};
use burn::tensor::{Tensor, TensorData, Tolerance};

fn device() -> Device {
    Device::flex()
}

#[test]
fn scores_equal_the_models_own_inference_path() {
    // `score_candidates` gathers reasons from a table and knows no chunks; user 1 has one event, so its history input is
    // row 2 of the stored matches.
    let (config, device) = (sample::config(), device());
    device.seed(3);
    let model = config.init(&device).unwrap();
    let artefact = sample::with_model(&config, &model);

    let stored = |name: &str| artefact.tensors[name].values.clone();
    let rows = sample::ITEMS * config.reasons;
    let table = crate::reward::ProjectedReasons {
        keys: float(stored(REASON_KEYS), [rows, config.width], &device),
        values: float(stored(REASON_VALUES), [rows, config.width], &device),
    };
    let candidates = crate::reward::ItemBatch {
        items: ints((0..sample::ITEMS as i32).collect(), &device),
        reasons: ints((0..rows as i32).collect(), &device).reshape([
            1,
            sample::ITEMS,
            config.reasons,
        ]),
        reason_mask: bools(
            (0..rows).map(|row| row % 3 == 0 && row / 3 < 4).collect(),
            [1, sample::ITEMS, config.reasons],
            &device,
        ),
    };
    let matched = stored(HISTORY_MATCHED)[2 * config.width..].to_vec();
    let pattern = stored(PATTERNS)[config.width..2 * config.width].to_vec();
    let present = bools::<2>(vec![true], [1, 1], &device);
    let inputs = model.item_input(
        ints(vec![3], &device),
        float(matched, [1, 1, config.width], &device),
    );
    let states = model.encode_history(inputs);
    let expected = model.score_candidates(
        states.clone(),
        present,
        float(pattern, [1, config.width], &device),
        &candidates,
        Some(&table),
    );
    let states = norms(states);
    let close = Tolerance::absolute(1e-5);
    for scorer in both(&artefact) {
        let scores = pollster::block_on(scorer.score(1)).unwrap();
        let same = |found: &[f32], shape: &[usize], expected: TensorData| {
            TensorData::new(found.to_vec(), shape).assert_approx_eq::<f32>(&expected, close);
        };
        let expected = expected.clone();
        same(&scores.logits, &[1, 5], expected.logits.into_data());
        same(&scores.scores, &[1, 5], expected.scores.into_data());
        let weights = expected.event_weights.into_data();
        same(&scores.event_weights, &[1, 5, 1], weights);
        let attention = expected.reason_attention.into_data();
        same(&scores.attention, &[1, 5, 2, 3], attention);
        same(&scores.state_norms, &[1], states.clone());
    }
}

/// By hand, and by tensors on the same CPU.
fn both(artefact: &Artefact) -> [Scorer; 2] {
    [
        Scorer::on_cpu(artefact).unwrap(),
        Scorer::by_tensors(artefact, &device()).unwrap(),
    ]
}

fn norms(states: Tensor<3>) -> TensorData {
    let squares = states.powf_scalar(2.0).sum_dim(2).sqrt();
    squares.reshape([1]).into_data()
}

#[test]
fn a_single_reason_gets_all_attention_and_no_reason_none() {
    for scorer in both(&sample::artefact()) {
        let scores = pollster::block_on(scorer.score(0)).unwrap();
        assert_eq!(scores.reason_attention(0), [1.0, 0.0, 0.0]);
        assert_eq!(scores.head_attention(0, 1), [1.0, 0.0, 0.0]);
        assert_eq!(scores.reason_attention(4), [0.0, 0.0, 0.0]);
    }
}

#[test]
fn only_the_newest_window_is_seen_and_positions_are_of_the_whole_history() {
    for scorer in both(&sample::artefact()) {
        let scores = pollster::block_on(scorer.score(0)).unwrap();
        assert_eq!(scores.window, [(1, 1), (2, 2)]);
        let shares = scores.event_shares(4);
        assert!((shares.iter().map(|s| s.abs()).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_user_without_history_is_scored() {
    for scorer in both(&sample::artefact()) {
        let scores = pollster::block_on(scorer.score(2)).unwrap();
        assert_eq!(scores.logits.len(), sample::ITEMS);
        assert!(scores.window.is_empty());
        let shown = scores.recommend(&[], None, 3);
        assert_eq!(shown.recommendations.len(), 3);
        assert!(shown.recommendations[0].history.is_empty());
    }
}

#[test]
fn weights_of_another_model_are_refused() {
    let mut artefact = sample::artefact();
    let name = "weights.head.output.weight";
    let stored = artefact.tensors.remove(name).unwrap();
    refused(&artefact, "missing-tensor");

    let turned = StoredTensor::f32([1, 5], stored.values.clone());
    artefact.tensors.insert(name.into(), turned);
    refused(&artefact, "wrong-shape");

    artefact.tensors.insert(name.into(), stored);
    let extra = StoredTensor::f32([1], vec![0.0]);
    artefact.tensors.insert("weights.extra".into(), extra);
    refused(&artefact, "unexpected-tensor");
}

fn refused(artefact: &Artefact, kind: &str) {
    let device = device();
    for scorer in [
        Scorer::on_cpu(artefact),
        Scorer::by_tensors(artefact, &device),
    ] {
        assert_eq!(scorer.unwrap_err().kind(), kind);
    }
}

#[test]
fn an_unknown_user_is_an_error() {
    let scorer = Scorer::new(&sample::artefact(), &device()).unwrap();
    let error = pollster::block_on(scorer.score(3)).unwrap_err();
    assert_eq!(error.kind(), "no-such-user");
}

#[test]
fn a_score_that_overflows_is_an_error() {
    let mut artefact = sample::artefact();
    for name in ["weights.head.output.weight", "weights.head.output.bias"] {
        for value in &mut artefact.tensors.get_mut(name).unwrap().values {
            *value = f32::MAX;
        }
    }
    let bias = artefact.tensors.get_mut("weights.head.interest.bias");
    bias.unwrap().values.fill(1e6);
    let scorer = Scorer::new(&artefact, &device()).unwrap();
    let error = pollster::block_on(scorer.score(0)).unwrap_err();
    assert_eq!(error.kind(), "score-not-finite");
}
