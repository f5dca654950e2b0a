//! Training on a toy catalogue where the next item follows from the last one.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::evaluation::{SeenItems, examples, rank_examples};
use crate::fitting::TrainingEnd;
use crate::reward::toy_data;

fn config(architecture: Architecture, loss: SequentialLoss) -> SequentialConfig {
    SequentialConfig {
        architecture,
        loss,
        width: 16,
        layers: 1,
        heads: 2,
        feed_forward: 32,
        max_history: 6,
        dropout: 0.1,
        epochs: 20,
        batch_windows: 16,
        learning_rate: 2e-2,
        warmup_steps: 5,
        threads: 1,
        ..SequentialConfig::default()
    }
}

fn trained(data: &Dataset, config: &SequentialConfig) -> (SequentialModel, TrainingReport) {
    let stop = AtomicBool::new(false);
    fit(data, config, &Device::flex(), &stop, &mut |_| {}).unwrap()
}

#[test]
fn every_kind_learns_the_next_item() {
    let data = toy_data(150);
    let losses = [
        SequentialLoss::CrossEntropy,
        SequentialLoss::BinaryCrossEntropy { negatives: 2 },
        SequentialLoss::Generalised {
            negatives: 8,
            calibration: 0.75,
        },
    ];
    for architecture in [Architecture::Transformer, Architecture::Gru] {
        for loss in losses {
            let (model, report) = trained(&data, &config(architecture, loss));
            assert_ne!(report.end, TrainingEnd::Interrupted);
            let ranker = SequentialRanker {
                model,
                data: &data,
                device: Device::flex(),
            };
            let test = examples(&data, Target::Test);
            let ranks = rank_examples(&data, &test, SeenItems::Kept, &ranker).unwrap();
            let first = ranks.iter().filter(|&&rank| rank == 1).count() as f64 / ranks.len() as f64;
            // Nine of ten next items are certain; guessing finds one of twenty.
            assert!(first > 0.5, "{architecture:?} {loss:?}: {first}");
        }
    }
}

#[test]
fn threads_and_seeds() {
    let data = toy_data(40);
    let base = SequentialConfig {
        epochs: 2,
        ..config(Architecture::Transformer, SequentialLoss::CrossEntropy)
    };
    let weights = |config: &SequentialConfig| {
        let (model, report) = trained(&data, config);
        let loss = report.epochs[0].loss;
        let weights = model.item.weight.val().into_data();
        (loss, weights.try_to_vec::<f32>().unwrap())
    };
    let (loss, one) = weights(&base);
    assert_eq!(weights(&base), (loss, one.clone()));
    let threads = SequentialConfig {
        threads: 3,
        ..base.clone()
    };
    let (_, many) = weights(&threads);
    for (one, many) in one.iter().zip(&many) {
        assert!((one - many).abs() < 1e-4, "{one} {many}");
    }
    let other = SequentialConfig { seed: 1, ..base };
    assert_ne!(weights(&other).1, one);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let good = SequentialConfig::default();
    assert_eq!(good.validate(), Ok(()));
    let refused = |config: SequentialConfig| config.validate().unwrap_err();
    let heads = SequentialConfig {
        heads: 3,
        ..good.clone()
    };
    assert!(refused(heads).contains("`heads` (3)"));
    let dropout = SequentialConfig {
        dropout: 1.0,
        ..good.clone()
    };
    assert!(refused(dropout).contains("`dropout` is 1"));
    let loss = SequentialLoss::BinaryCrossEntropy { negatives: 0 };
    assert!(refused(SequentialConfig { loss, ..good }).contains("`loss.negatives`"));
}

#[test]
fn a_history_longer_than_the_model_s_and_an_empty_one_are_ranked() {
    let data = toy_data(20);
    let model = SequentialModel::new(
        &config(Architecture::Transformer, SequentialLoss::CrossEntropy),
        data.items.len(),
        &Device::flex(),
    );
    let ranker = SequentialRanker {
        model,
        data: &data,
        device: Device::flex(),
    };
    let long = data.histories[0].len();
    let of = |position: usize| Example { user: 0, position };
    let together = ranker.scores(&[of(long), of(2), of(0)]).unwrap();
    for (one, position) in together.iter().zip([long, 2, 0]) {
        let alone = ranker.scores(&[of(position)]).unwrap();
        assert_eq!(one.len(), data.items.len());
        for (one, alone) in one.iter().zip(&alone[0]) {
            assert!(one.is_finite() && (one - alone).abs() < 1e-5);
        }
    }
}
