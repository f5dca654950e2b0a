//! BPR and the smoothing by hand, and against burn's own gradients.

use std::sync::atomic::AtomicBool;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use super::FactorConfig;
use super::graph::Graph;
use super::sample::{Batch, Pairs};
use super::train::{Vectors, bpr_loss, fit, gradient, penalty};
use crate::baselines::FitContext;
use crate::baselines::tests::dataset;
use crate::data::Dataset;
use crate::evaluation::{Example, Ranker};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn config(layers: usize) -> FactorConfig {
    FactorConfig {
        layers,
        width: 2,
        learning_rate: 0.05,
        regularisation: 0.3,
        batch: 16,
        epochs: 40,
        patience: 40,
    }
}

/// Training: user 0 takes items 0 and 1, user 1 takes 1 (twice), user 2 takes 2. The last two events of each are held out.
fn toy() -> Dataset {
    dataset(4, &[&[0, 1, 3, 2], &[1, 1, 0, 3], &[2, 0, 1]])
}

#[test]
fn the_graph_by_hand() {
    // Degrees: u0 2, u1 1, u2 1; i0 1, i1 2, i2 1, i3 0.
    let graph = Graph::new(&toy());
    assert_eq!(graph.nodes(), 7);
    let half = 0.5f32.sqrt();
    let mut dense = vec![0.0; 49];
    for (user, item, weight) in [(0, 3, half), (0, 4, 0.5), (1, 4, half), (2, 5, 1.0)] {
        dense[user * 7 + item] = weight; // 1/√(2·1), 1/√(2·2), 1/√(1·2), 1/√(1·1)
        dense[item * 7 + user] = weight;
    }
    for (found, expected) in graph.dense().iter().zip(&dense) {
        assert!((found - expected).abs() < 1e-7);
    }
    // One value a node, one layer: (x + A x) / 2. u0: (1 + √½·10 + ½·20) / 2; i3 has nobody: 40 / 2.
    let x = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 40.0];
    let smooth = graph.smooth(&x, 1, 1);
    assert!((smooth[0] - (11.0 + 10.0 * half) / 2.0).abs() < 1e-5);
    assert!((smooth[2] - 16.5).abs() < 1e-5); // (3 + 1·30) / 2
    assert!((smooth[6] - 20.0).abs() < 1e-5);
}

#[test]
fn the_loss_by_hand() {
    let device = Device::flex();
    // u = (1, 2), i = (0.5, 0.25), j = (−1, 0): u·i − u·j = 1 + 1 = 2; ln(1 + e⁻²) = 0.126928
    let table = Tensor::<2>::from_floats([[1.0, 2.0], [0.5, 0.25], [-1.0, 0.0]], &device);
    let batch = Batch {
        users: vec![0],
        taken: vec![1],
        drawn: vec![2],
    };
    let loss = bpr_loss(&table, &batch).into_scalar::<f32>();
    assert!((loss - 0.126_928).abs() < 1e-6, "{loss}");
    // ½ (5 + 0.3125 + 1)
    let penalty = penalty(&table, &batch).into_scalar::<f32>();
    assert!((penalty - 3.156_25).abs() < 1e-6, "{penalty}");
}

/// The gradient that goes through the sparse product is that of burn through the dense adjacency, penalty included.
#[test]
fn gradients_are_those_of_automatic_differentiation() {
    let data = toy();
    let graph = Graph::new(&data);
    let device = Device::flex().autodiff();
    let nodes = graph.nodes();
    let values: Vec<f32> = (0..nodes * 2).map(|at| (at as f32 * 1.7).sin()).collect();
    let batch = Batch {
        users: vec![0, 1, 2, 0],
        taken: vec![3, 4, 5, 4],
        drawn: vec![6, 5, 3, 5],
    };
    for layers in [0, 1, 3] {
        let config = config(layers);
        let values = TensorData::new(values.clone(), [nodes, 2]);
        let vectors = Vectors {
            table: Param::from_tensor(Tensor::from_data(values.clone(), &device)),
        };
        let graph = (layers > 0).then_some(&graph);
        let (found, _) = gradient(&vectors, graph, &batch, &config).unwrap();

        let table = Tensor::<2>::from_data(values, &device).require_grad();
        let dense = TensorData::new(Graph::new(&data).dense(), [nodes, nodes]);
        let dense = Tensor::<2>::from_data(dense, &device);
        let (mut layer, mut sum) = (table.clone(), table.clone());
        for _ in 0..layers {
            layer = dense.clone().matmul(layer);
            sum = sum + layer.clone();
        }
        let scoring = sum.div_scalar((layers + 1) as f64);
        let loss =
            bpr_loss(&scoring, &batch) + penalty(&table, &batch).mul_scalar(config.regularisation);
        let expected = table.grad(&loss.backward()).unwrap();
        let host = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let (found, expected) = (host(found), host(expected));
        assert!(expected.iter().all(|value| *value != 0.0));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "{layers}: {found} {expected}"
            );
        }
    }
}

#[test]
fn drawn_items_were_not_taken_and_every_pair_comes_once() {
    let data = toy();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut pairs = Pairs::new(&data);
    assert_eq!(pairs.len(), 4);
    for _ in 0..20 {
        pairs.shuffle(&mut rng);
        let batch = pairs.batch(0, 10, &mut rng);
        let mut seen: Vec<(i32, i32)> = batch.users.iter().copied().zip(batch.taken).collect();
        for (user, drawn) in batch.users.iter().zip(&batch.drawn) {
            let taken = data.train_events(*user as usize);
            assert!((3..7).contains(drawn));
            assert!(taken.iter().all(|event| event.item as i32 + 3 != *drawn));
        }
        seen.sort_unstable();
        assert_eq!(seen, [(0, 3), (0, 4), (1, 4), (2, 5)]);
    }
}

/// Two circles of users who take the even or the odd items: what a user has not taken yet of the own circle's items scores
/// above the other's. And a second training gives the same numbers.
#[test]
fn both_models_learn_who_belongs_together_and_repeat_themselves() {
    let histories: Vec<Vec<u32>> = (0..24u32)
        .map(|user| {
            let mut items: Vec<u32> = (0..12)
                .map(|step| 2 * ((step + user / 2) % 12) + user % 2)
                .collect();
            items.truncate(10); // eight in training, two held out, two never taken
            items
        })
        .collect();
    let histories: Vec<&[u32]> = histories.iter().map(Vec::as_slice).collect();
    let data = dataset(24, &histories);
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    for layers in [0, 2] {
        let config = FactorConfig {
            width: 8,
            regularisation: 1e-3,
            ..config(layers)
        };
        let context = FitContext {
            texts: None,
            data: &data,
            device: &device,
            seed: 5,
            validation_users: 0,
            stop: &stop,
        };
        let train = || fit(&config, context, &mut |_| {}).unwrap();
        let (ranker, report, _) = train();
        assert!(report.best_epoch > 0);
        let example = |user| Example { user, position: 8 };
        let examples: Vec<Example> = (0..24).map(example).collect();
        let scores = ranker.scores(&examples).unwrap();
        for (user, scores) in scores.iter().enumerate() {
            let mean = |items: Vec<usize>| {
                items.iter().map(|&item| scores[item]).sum::<f32>() / items.len() as f32
            };
            let events = data.train_events(user);
            let taken = |item: usize| events.iter().any(|event| event.item as usize == item);
            let own = |item: usize| item % 2 == user % 2;
            let ahead = mean((0..24).filter(|&item| own(item) && !taken(item)).collect());
            let others = mean((0..24).filter(|&item| !own(item)).collect());
            assert!(
                ahead > others,
                "{layers} layers, user {user}: {ahead} {others}"
            );
        }
        assert_eq!(train().0.scores(&examples).unwrap(), scores);
    }
}

#[test]
fn a_raised_flag_ends_the_training() {
    let data = toy();
    let (device, stop) = (Device::flex(), AtomicBool::new(true));
    let context = FitContext {
        texts: None,
        data: &data,
        device: &device,
        seed: 5,
        validation_users: 0,
        stop: &stop,
    };
    let error = fit(&config(0), context, &mut |_| {}).err().unwrap();
    assert!(error.to_string().contains("interrupted"));
}
