//! Cases with values worked out by hand or by a second, plain formulation.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData, Tolerance};

use super::*;

fn device() -> Device {
    Device::flex()
}

fn small() -> RewardConfig {
    RewardConfig {
        width: 8,
        heads: 2,
        feed_forward: 16,
        reasons: 3,
        max_history: 6,
        interest_hidden: 5,
        score_hidden: 7,
        ..RewardConfig::new(11, 4)
    }
}

fn model(config: &RewardConfig) -> RewardModel {
    device().seed(7);
    config.init(&device()).unwrap()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

fn bools<const D: usize>(values: &[bool], shape: [usize; D]) -> Tensor<D, Bool> {
    Tensor::from_bool(TensorData::new(values.to_vec(), shape), &device())
}

fn close<const D: usize>(left: Tensor<D>, right: Tensor<D>) {
    left.into_data()
        .assert_approx_eq::<f32>(&right.into_data(), Tolerance::absolute(2e-5));
}

fn identity(width: usize) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::eye(width, &device()))
}

/// One head, width 2, identity projections: attention worked out by hand.
#[test]
fn attention_over_two_reasons_by_hand() {
    let config = RewardConfig {
        width: 2,
        heads: 1,
        ..small()
    };
    let mut unit = model(&config).matching;
    for linear in [
        &mut unit.query,
        &mut unit.key,
        &mut unit.value,
        &mut unit.output,
    ] {
        linear.weight = identity(2);
        linear.bias = None;
    }
    // q = (√2, 0); logits q·k/√2 = (ln 3, 0) → weights (3/4, 1/4)
    let pattern = Tensor::from_floats([[2f32.sqrt(), 0.0]], &device());
    let keys = Tensor::from_floats([[[[3f32.ln(), 9.0], [0.0, -5.0], [50.0, 0.0]]]], &device());
    let values = Tensor::from_floats([[[[4.0, 0.0], [0.0, 8.0], [1e3, 1e3]]]], &device());
    let mask = bools(&[true, true, false], [1, 1, 3]);
    let matched = unit.forward(pattern, keys, values, mask);
    close(
        matched.attention,
        Tensor::from_floats([[[[0.75, 0.25, 0.0]]]], &device()),
    );
    close(
        matched.vector,
        Tensor::from_floats([[[3.0, 2.0]]], &device()),
    );
}

/// Each head by itself, computed with loops over plain numbers.
#[test]
fn heads_attend_to_their_own_columns() {
    let config = small();
    let unit = model(&config).matching;
    let (keys, values, pattern) = (
        random([2, 3, 3, 8]),
        random([2, 3, 3, 8]),
        random::<2>([2, 8]),
    );
    let mask = bools(&[true; 18], [2, 3, 3]);
    let matched = unit.forward(pattern.clone(), keys.clone(), values.clone(), mask);
    let query = unit
        .query
        .forward(pattern)
        .into_data()
        .try_to_vec::<f32>()
        .unwrap();
    let (k, v) = (
        keys.into_data().try_to_vec::<f32>().unwrap(),
        values.into_data().try_to_vec::<f32>().unwrap(),
    );
    let mut joined = vec![0f32; 2 * 3 * 8];
    for b in 0..2 {
        for n in 0..3 {
            for head in 0..2 {
                let columns = head * 4..head * 4 + 4;
                let at = |r: usize, c: usize| ((b * 3 + n) * 3 + r) * 8 + c;
                let logits: Vec<f32> = (0..3)
                    .map(|r| {
                        columns
                            .clone()
                            .map(|c| query[b * 8 + c] * k[at(r, c)])
                            .sum::<f32>()
                            / 2.0
                    })
                    .collect();
                let total: f32 = logits.iter().map(|l| l.exp()).sum();
                for c in columns {
                    joined[(b * 3 + n) * 8 + c] =
                        (0..3).map(|r| logits[r].exp() / total * v[at(r, c)]).sum();
                }
            }
        }
    }
    let joined = Tensor::<3>::from_data(TensorData::new(joined, [2, 3, 8]), &device());
    close(matched.vector, unit.output.forward(joined));
}

/// `h · m` without `m` is `h · m`.
#[test]
fn a_probe_meets_reasons_as_their_vector_does() {
    let config = small();
    let mut unit = model(&config).matching;
    unit.output.weight = Param::from_tensor(random([8, 8]));
    unit.no_reason = Param::from_tensor(random([8]));
    let (keys, values) = (random([2, 3, 3, 8]), random([2, 3, 3, 8]));
    let (vectors, pattern) = (random::<2>([2, 8]), random::<2>([2, 8]));
    let mask = [
        true, true, true, true, false, false, false, false, false, true, true, false, false, true,
        true, true, true, true,
    ];
    let rectangle = bools(&mask, [2, 3, 3]);
    let matched = unit.forward(pattern.clone(), keys.clone(), values.clone(), rectangle);
    let known = (matched.vector * vectors.clone().unsqueeze_dim::<3>(1)).sum_dim(2);
    let probe = unit.probe(vectors, pattern);
    let host = |tensor: TensorData| tensor.try_to_vec::<f32>().unwrap();
    let (query, gate) = (host(probe.query.into_data()), host(probe.gate.into_data()));
    let (some, none) = (host(probe.some.into_data()), host(probe.none.into_data()));
    let (keys, values) = (host(keys.into_data()), host(values.into_data()));
    let mut found = Vec::new();
    for row in 0..6 {
        let user = row / 3;
        let seen: Vec<usize> = (row * 3..row * 3 + 3).filter(|&at| mask[at]).collect();
        if seen.is_empty() {
            found.push(none[user]);
            continue;
        }
        let mut sum = some[user];
        for head in 0..2 {
            let dot = |left: &[f32], right: &[f32], at: usize| -> f32 {
                let columns = head * 4..head * 4 + 4;
                columns
                    .map(|c| left[user * 8 + c] * right[at * 8 + c])
                    .sum()
            };
            let weights: Vec<f32> = seen
                .iter()
                .map(|&at| dot(&query, &keys, at).exp())
                .collect();
            let total: f32 = weights.iter().sum();
            let inner = seen.iter().map(|&at| dot(&gate, &values, at));
            sum += weights
                .iter()
                .zip(inner)
                .map(|(w, v)| w / total * v)
                .sum::<f32>();
        }
        found.push(sum);
    }
    close(
        Tensor::<1>::from_floats(found.as_slice(), &device()),
        known.reshape([6]),
    );
}

#[test]
fn an_all_masked_row_is_the_learned_vector() {
    let config = small();
    let model = model(&config);
    let mask = bools(&[false, false, false, true, false, false], [1, 2, 3]);
    let keys = Tensor::full([1, 2, 3, 8], 1e6, &device());
    let matched = model.match_reasons(random([1, 8]), keys.clone(), keys, mask);
    close(
        matched.vector.clone().narrow(1, 0, 1),
        model.matching.no_reason.val().unsqueeze::<3>(),
    );
    assert!(matched.vector.is_finite().all().into_scalar::<bool>());
    let attention = matched.attention.into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(attention, [0., 0., 0., 0., 0., 0., 1., 0., 0., 1., 0., 0.]);
}

#[test]
fn a_silent_match_says_of_every_list_that_it_is_empty() {
    let config = small();
    let unit = model(&config).with_silent_reasons().matching;
    let (keys, values) = (random([2, 3, 3, 8]), random([2, 3, 3, 8]));
    let mask = bools(&[true; 18], [2, 3, 3]);
    let matched = unit.forward(random([2, 8]), keys, values, mask);
    close(matched.vector, unit.empty().expand([2, 3, 8]));
}

#[test]
fn masked_reasons_change_nothing() {
    let model = model(&small());
    let (keys, values, pattern) = (random([1, 2, 3, 8]), random([1, 2, 3, 8]), random([1, 8]));
    let mask = bools(&[true, true, false, true, true, false], [1, 2, 3]);
    let masked = model.match_reasons(pattern.clone(), keys.clone(), values.clone(), mask);
    let two = bools(&[true; 4], [1, 2, 2]);
    let plain = model.match_reasons(pattern, keys.narrow(2, 0, 2), values.narrow(2, 0, 2), two);
    close(masked.vector, plain.vector);
}

/// h = (1, 0), x = (2, 3), one hidden unit with PReLU slope 1/4.
#[test]
fn interest_weight_by_hand() {
    let config = RewardConfig {
        width: 1,
        heads: 1,
        interest_hidden: 1,
        ..small()
    };
    let mut unit = model(&config).interest;
    let row = |a: f32, b: f32| Param::from_tensor(Tensor::from_floats([[a, b]], &device()));
    let one = |a: f32| Param::from_tensor(Tensor::from_floats([a], &device()));
    unit.state = row(1.0, 1.0); // 1
    unit.candidate = row(0.5, -1.0); // 1 − 3 = −2
    unit.difference = row(2.0, 1.0); // h − x = (−1, −3): −2 − 3 = −5
    unit.product = row(3.0, 7.0); // h ⊙ x = (2, 0): 6
    unit.bias = one(-2.0); // 1 − 2 − 5 + 6 − 2 = −2 → prelu −1/2
    unit.output = one(4.0);
    unit.output_bias = one(0.5); // a = −2 + 1/2 = −3/2
    unit.recency_shift = Some(Param::from_tensor(Tensor::zeros([6], &device())));
    let states = Tensor::from_floats([[[1.0, 0.0], [5.0, 5.0]]], &device());
    let candidates = Tensor::from_floats([[[[2.0, 3.0]]]], &device());
    let visible = bools(&[true, false], [1, 1, 2]);
    let ages = Tensor::<3, Int>::zeros([1, 1, 2], &device());
    let interest = unit.forward(states.clone(), candidates.clone(), visible.clone(), ages);
    close(
        interest.weights,
        Tensor::from_floats([[[[-1.5, 0.0]]]], &device()),
    );
    close(
        interest.vector,
        Tensor::from_floats([[[[-1.5, 0.0]]]], &device()),
    );
    // Age 2 scales by 3 and shifts by 1: −4.5 + 1
    unit.recency_scale = Some(Param::from_tensor(Tensor::from_floats(
        [1.0, 1.0, 3.0, 1.0, 1.0, 1.0],
        &device(),
    )));
    unit.recency_shift = Some(Param::from_tensor(Tensor::from_floats(
        [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        &device(),
    )));
    let ages = Tensor::<3, Int>::full([1, 1, 2], 2, &device());
    let interest = unit.forward(states, candidates, visible, ages);
    close(
        interest.weights,
        Tensor::from_floats([[[[-3.5, 0.0]]]], &device()),
    );
}

#[test]
fn the_decomposed_unit_equals_the_concatenation() {
    for activation in [ActivationKind::Prelu, ActivationKind::Dice] {
        let config = RewardConfig {
            activation,
            use_recency: false,
            ..small()
        };
        let unit = model(&config).interest;
        let (b, p, n, t, c) = (2, 3, 4, 6, 16);
        let (states, candidates) = (random([b, t, c]), random([b, p, n, c]));
        let visible = bools(&[true; 36], [b, p, t]);
        let ages = Tensor::<3, Int>::zeros([1, p, t], &device());
        let fast = unit.forward(states.clone(), candidates.clone(), visible, ages);

        let shape = [b, p, n, t, c];
        let h = states.reshape([b, 1, 1, t, c]).expand(shape);
        let x = candidates.reshape([b, p, n, 1, c]).expand(shape);
        let pair = Tensor::<5>::cat(vec![h.clone(), x.clone(), h.clone() - x.clone(), h * x], 4)
            .reshape([b * p * n * t, 4 * c]);
        let weight = Tensor::cat(
            vec![
                unit.state.val(),
                unit.candidate.val(),
                unit.difference.val(),
                unit.product.val(),
            ],
            1,
        );
        let hidden = unit
            .activation
            .forward(pair.matmul(weight.transpose()) + unit.bias.val().unsqueeze::<2>());
        let plain = hidden.matmul(unit.output.val().unsqueeze_dim::<2>(1))
            + unit.output_bias.val().unsqueeze::<2>();
        close(fast.weights, plain.reshape([b, p, n, t]));
    }
}

/// An MLP of zeros leaves `z · x`: (1, 2) · (3, 4) = 11.
#[test]
fn the_product_is_added_to_the_network() {
    let vector = |a: f32, b: f32| Tensor::from_floats([[[[a, b]]]], &device());
    for (use_product, expected) in [(true, 11.0), (false, 0.0)] {
        let config = RewardConfig {
            width: 1,
            heads: 1,
            use_product,
            ..small()
        };
        let mut model = model(&config);
        model.head = model.head.map(&mut Zero);
        let logits = model.logits(
            vector(1.0, 2.0),
            vector(3.0, 4.0),
            Tensor::ones([1, 1, 1], &device()),
        );
        assert_eq!(logits.into_scalar::<f32>(), expected);
    }
}

struct Zero;

impl ModuleMapper for Zero {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like())
    }
}

#[test]
fn later_events_leave_earlier_states_unchanged() {
    let model = model(&small());
    let inputs = random([1, 6, 16]);
    let changed = inputs
        .clone()
        .slice_assign([0..1, 4..6, 0..16], random([1, 2, 16]));
    let first = model.encode_history(inputs);
    let second = model.encode_history(changed);
    close(
        first.clone().narrow(1, 0, 4),
        second.clone().narrow(1, 0, 4),
    );
    let moved = (first - second).narrow(1, 4, 2).abs().max();
    assert!(moved.into_scalar::<f32>() > 1e-2);
}

fn items(values: &[i32], shape: [usize; 2]) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

fn batch(rows: &[i32], reasons: usize, valid: usize) -> ItemBatch {
    let count = rows.len();
    let index: Vec<i32> = (0..count * reasons).map(|i| (i % 5) as i32).collect();
    let mask: Vec<bool> = (0..count * reasons).map(|i| i % reasons < valid).collect();
    ItemBatch {
        items: items(rows, [1, count]),
        reasons: Tensor::from_data(TensorData::new(index, [1, count, reasons]), &device()),
        reason_mask: bools(&mask, [1, count, reasons]),
    }
}

#[test]
fn padding_equals_no_padding_and_one_user_equals_a_batch() {
    let model = model(&small());
    let table = model.project_reasons(random([5, 4]));
    let pattern = model.pattern(random([1, 4]), bools(&[true], [1]));
    let patterns = |length: usize| pattern.clone().unsqueeze_dim::<3>(1).repeat_dim(1, length);
    let short = HistoryBatch {
        events: batch(&[3, 1, 4], 2, 2),
        present: bools(&[true; 3], [1, 3]),
        patterns: patterns(3),
    };
    let long = HistoryBatch {
        events: batch(&[3, 1, 4, 9, 9, 9], 2, 2),
        present: bools(&[true, true, true, false, false, false], [1, 6]),
        patterns: patterns(6),
    };
    let candidates = batch(&[0, 5, 10], 2, 1);
    let score = |history: &HistoryBatch| {
        model.score_candidates(
            model.states(history, Some(&table)),
            history.present.clone(),
            pattern.clone(),
            &candidates,
            Some(&table),
        )
    };
    let (plain, padded) = (score(&short), score(&long));
    close(plain.logits.clone(), padded.logits.clone());
    close(
        plain.event_weights.clone(),
        padded.event_weights.clone().narrow(2, 0, 3),
    );
    assert_eq!(
        padded
            .event_weights
            .narrow(2, 3, 3)
            .abs()
            .max()
            .into_scalar::<f32>(),
        0.0
    );
    close(
        plain.scores,
        plain.logits.neg().exp().add_scalar(1.0).recip(),
    );
}

#[test]
fn an_empty_history_has_a_finite_score() {
    let model = model(&small());
    let history = HistoryBatch {
        events: batch(&[0], 1, 0),
        present: bools(&[false], [1, 1]),
        patterns: Tensor::zeros([1, 1, 8], &device()),
    };
    let pattern = model.pattern(Tensor::zeros([1, 4], &device()), bools(&[false], [1]));
    close(pattern.clone(), model.no_pattern.val().unsqueeze());
    let scored = model.score_candidates(
        model.states(&history, None),
        history.present.clone(),
        pattern,
        &batch(&[1, 2], 1, 0),
        None,
    );
    assert!(scored.logits.is_finite().all().into_scalar::<bool>());
}

#[test]
fn ages_count_back_from_the_newest_event() {
    let present = bools(
        &[true, true, true, false, true, false, false, false],
        [2, 4],
    );
    let ages = ages(present).into_data().convert::<i32>();
    assert_eq!(ages.try_to_vec::<i32>().unwrap(), [2, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn switched_off_features_do_not_reach_the_score() {
    let config = RewardConfig {
        use_reasons: false,
        use_patterns: false,
        ..small()
    };
    let model = model(&config);
    let score = |seed: u64, valid: usize| {
        device().seed(seed);
        let table = model.project_reasons(random([5, 4]));
        let pattern = model.pattern(random([1, 4]), bools(&[true], [1]));
        let history = HistoryBatch {
            events: batch(&[3, 1], 2, valid),
            present: bools(&[true; 2], [1, 2]),
            patterns: pattern.clone().unsqueeze_dim::<3>(1).repeat_dim(1, 2),
        };
        model
            .score_candidates(
                model.states(&history, Some(&table)),
                history.present.clone(),
                pattern,
                &batch(&[4, 2], 2, valid),
                Some(&table),
            )
            .logits
    };
    close(score(1, 2), score(2, 1));
}

#[test]
fn text_statistics_centre_and_scale() {
    let model = model(&small());
    let plain = model.encode_text(Tensor::from_floats([[1.0, -1.0, 0.5, 0.0]], &device()));
    let shifted = model.with_text_statistics(
        Tensor::from_floats([10.0, 20.0, 30.0, 40.0], &device()),
        Tensor::from_floats([2.0, 2.0, 4.0, 1.0], &device()),
    );
    let same = shifted.encode_text(Tensor::from_floats([[12.0, 18.0, 32.0, 40.0]], &device()));
    close(plain, same);
}

mod storage {
    use std::collections::HashMap;

    use super::*;
    use crate::weights::WeightsError;

    #[test]
    fn a_model_comes_back_equal() {
        let config = RewardConfig {
            activation: ActivationKind::Dice,
            ..small()
        };
        let written = model(&config);
        let bytes = written.to_bytes().unwrap();
        let read = RewardModel::from_bytes(&bytes, &device()).unwrap();
        assert_eq!(read.config(), &config);
        let inputs = random([1, 6, 16]);
        close(
            written.encode_history(inputs.clone()),
            read.encode_history(inputs),
        );
        assert_eq!(bytes, read.to_bytes().unwrap());
    }

    #[test]
    fn another_shape_is_refused_with_its_name() {
        let bytes = model(&small()).to_bytes().unwrap();
        let other = RewardConfig {
            items: 12,
            ..small()
        };
        let error = crate::weights::from_bytes(model(&other), &bytes).unwrap_err();
        let WeightsError::Shape {
            name,
            expected,
            found,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(name, "item.weight");
        assert_eq!((expected, found), (vec![12, 8], vec![11, 8]));
    }

    #[test]
    fn more_or_fewer_tensors_are_refused() {
        let plain = model(&small());
        let config = RewardConfig {
            use_recency: false,
            ..small()
        };
        let without = model(&config);
        let error = crate::weights::from_bytes(plain.clone(), &without.to_bytes().unwrap());
        assert!(
            matches!(error, Err(WeightsError::Missing(name)) if name == "interest.recency_scale")
        );
        let error = crate::weights::from_bytes(without, &plain.to_bytes().unwrap());
        assert!(
            matches!(error, Err(WeightsError::Unexpected(name)) if name == "interest.recency_scale")
        );
    }

    #[test]
    fn garbage_is_refused() {
        let error = RewardModel::from_bytes(b"not a model", &device());
        assert!(matches!(error, Err(WeightsError::Format(_))));
        let mut bytes = model(&small()).to_bytes().unwrap();
        bytes.truncate(bytes.len() - 5);
        assert!(matches!(
            RewardModel::from_bytes(&bytes, &device()),
            Err(WeightsError::Format(_))
        ));
    }

    #[test]
    fn sizes_beyond_the_file_are_refused_before_they_are_allocated() {
        let hostile = RewardConfig {
            score_hidden: 700_000_000_000,
            ..small()
        };
        let header = HashMap::from([(
            "reward_config".to_owned(),
            serde_json::to_string(&hostile).unwrap(),
        )]);
        let bytes = crate::weights::to_bytes(&model(&small()), header).unwrap();
        let error = RewardModel::from_bytes(&bytes, &device()).unwrap_err();
        assert!(error.to_string().contains("`score_hidden`"), "{error}");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let mut bytes = model(&small()).to_bytes().unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(matches!(
            RewardModel::from_bytes(&bytes, &device()),
            Err(WeightsError::NotFinite(_))
        ));
    }
}
