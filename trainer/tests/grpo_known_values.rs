//! Every loss of the GRPO family against float64 values and gradients computed elsewhere
//! (`../shared/fixtures/grpo_loss.json`), and what its definition says about completions that take no part.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use burn::tensor::{Device, Tensor, TensorData};
use curec::grpo::{AdvantageScale, LossInputs, LossKind, LossSettings, advantages, grpo_loss, k3};
use serde_json::Value;

fn fixture() -> Option<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/fixtures/grpo_loss.json"
    );
    match std::fs::read(path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            eprintln!("skipped: no ../shared");
            None
        }
    }
}

/// The longest completion allowed, Dr. GRPO's denominator.
const LONGEST: usize = 8;

/// A batch as plain numbers, `[completions][tokens]`.
#[derive(Clone)]
struct Batch {
    log_probs: Vec<Vec<f32>>,
    behaviour: Vec<Vec<f32>>,
    reference: Vec<Vec<f32>>,
    advantages: Vec<f32>,
    mask: Vec<Vec<f32>>,
}

impl Batch {
    fn read(json: &Value) -> Self {
        let table = |name: &str| serde_json::from_value(json[name].clone()).unwrap();
        Self {
            log_probs: table("logp"),
            behaviour: table("logp_old"),
            reference: table("logp_ref"),
            advantages: serde_json::from_value(json["advantage"].clone()).unwrap(),
            mask: table("mask"),
        }
    }

    /// The fixture's batch, written out, for the tests that need no fixture.
    fn small() -> Self {
        Self {
            log_probs: vec![vec![-1.0, -0.5, -2.0], vec![-0.7, -1.2, 0.0]],
            behaviour: vec![vec![-1.2, -0.5, -1.5], vec![-1.1, -1.0, 0.0]],
            reference: vec![vec![-1.1, -0.6, -1.9], vec![-0.9, -1.1, 0.0]],
            advantages: vec![1.0, -1.0],
            mask: vec![vec![1.0, 1.0, 1.0], vec![1.0, 1.0, 0.0]],
        }
    }

    /// (loss, its gradient with respect to the log-probabilities).
    fn loss(&self, settings: &LossSettings) -> (f64, Vec<Vec<f32>>) {
        let device = Device::flex().autodiff();
        let log_probs = table(&self.log_probs, &device).require_grad();
        let advantages: Vec<Vec<f32>> = self.advantages.iter().map(|value| vec![*value]).collect();
        let length = |row: &Vec<f32>| row.iter().sum::<f32>() as usize;
        let lengths: Vec<usize> = self.mask.iter().map(length).collect();
        let weights = settings.weights(&lengths, LONGEST);
        let weights: Vec<Vec<f32>> = weights.iter().map(|weight| vec![*weight as f32]).collect();
        let inputs = LossInputs {
            log_probs: log_probs.clone(),
            behaviour: table(&self.behaviour, &device),
            reference: (settings.beta != 0.0).then(|| table(&self.reference, &device)),
            advantages: table(&advantages, &device),
            weights: table(&weights, &device),
            mask: table(&self.mask, &device),
        };
        let loss = grpo_loss(inputs, settings);
        let gradient = log_probs.grad(&loss.backward()).unwrap();
        let gradient: Vec<f32> = gradient.try_into_vec_as().unwrap();
        let width = self.mask[0].len();
        let rows = gradient.chunks(width).map(<[f32]>::to_vec).collect();
        (f64::from(loss.into_scalar::<f32>()), rows)
    }
}

fn table(rows: &[Vec<f32>], device: &Device) -> Tensor<2> {
    let shape = [rows.len(), rows[0].len()];
    Tensor::from_data(TensorData::new(rows.concat(), shape), device)
}

fn settings_of(case: &Value) -> LossSettings {
    LossSettings {
        kind: serde_json::from_value(case["kind"].clone()).unwrap(),
        epsilon_low: case["el"].as_f64().unwrap(),
        epsilon_high: case["eh"].as_f64().unwrap(),
        beta: case["beta"].as_f64().unwrap(),
        delta: case["delta"].as_f64(),
        cispo_max: case["eps_max"].as_f64().unwrap_or(5.0),
        ..LossSettings::default()
    }
}

fn settings(kind: LossKind, beta: f64) -> LossSettings {
    LossSettings {
        kind,
        beta,
        ..LossSettings::default()
    }
}

#[test]
fn every_loss_and_every_gradient_is_the_known_one() {
    let Some(json) = fixture() else { return };
    let batch = Batch::read(&json);
    assert_eq!(json["max_completion_length"], LONGEST);
    let mut seen = Vec::new();
    for case in json["cases"].as_array().unwrap() {
        let settings = settings_of(case);
        let (loss, gradient) = batch.loss(&settings);
        let known = case["loss"].as_f64().unwrap();
        assert!((loss - known).abs() < 1e-5, "{case}: loss {loss}");
        let known: Vec<Vec<f64>> = serde_json::from_value(case["grad_logprob"].clone()).unwrap();
        assert_eq!(
            (known.len(), known[0].len()),
            (gradient.len(), gradient[0].len())
        );
        for (found, known) in gradient.iter().flatten().zip(known.iter().flatten()) {
            assert!(
                (f64::from(*found) - known).abs() < 1e-5,
                "{case}: {gradient:?}"
            );
        }
        seen.push(settings.kind);
    }
    for kind in LossKind::ALL {
        assert!(seen.contains(&kind), "no known value for {kind:?}");
    }
}

#[test]
fn advantages_are_the_known_ones() {
    let Some(json) = fixture() else { return };
    let rewards: Vec<f64> = serde_json::from_value(json["advantages"]["rewards"].clone()).unwrap();
    let known: Vec<f64> = serde_json::from_value(json["advantages"]["advantage"].clone()).unwrap();
    let found = advantages(&[&rewards], AdvantageScale::Group, 1e-4);
    let found = &found[0].values;
    assert_eq!(found.len(), known.len());
    for (found, known) in found.iter().zip(&known) {
        assert!((found - known).abs() < 1e-12, "{found} against {known}");
    }
}

/// A completion without tokens adds nothing to any sum. Where the loss averages over sequences it counts as one, so that
/// two become three; where it averages over tokens nothing changes.
#[test]
fn a_fully_masked_completion_counts_as_a_sequence_and_not_as_tokens() {
    for kind in LossKind::ALL {
        for beta in [0.0, 0.04] {
            let settings = settings(kind, beta);
            let (loss, gradient) = Batch::small().loss(&settings);
            let mut more = Batch::small();
            more.log_probs.push(vec![-3.0, -90.0, -0.1]);
            more.behaviour.push(vec![-80.0, -2.0, -7.0]);
            more.reference.push(vec![-90.0, -1.0, -60.0]);
            more.advantages.push(2.0);
            more.mask.push(vec![0.0; 3]);
            let (more_loss, more_gradient) = more.loss(&settings);
            let share = match kind {
                LossKind::Bnpo | LossKind::Dapo | LossKind::Cispo => 1.0,
                _ => 2.0 / 3.0,
            };
            assert!(
                (more_loss - share * loss).abs() < 1e-6,
                "{kind:?}: {more_loss} of {loss}"
            );
            for (found, before) in more_gradient.iter().zip(&gradient) {
                for (found, before) in found.iter().zip(before) {
                    let gap = f64::from(*found) - share * f64::from(*before);
                    assert!(gap.abs() < 1e-6, "{kind:?}");
                }
            }
            assert_eq!(more_gradient[2], [0.0; 3], "{kind:?} moves masked tokens");
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for kind in LossKind::ALL {
        let settings = settings(kind, 0.04);
        let (loss, gradient) = Batch::small().loss(&settings);
        let mut wider = Batch::small();
        for (rows, value) in [
            (&mut wider.log_probs, -50.0),
            (&mut wider.behaviour, -0.5),
            (&mut wider.reference, -70.0),
            (&mut wider.mask, 0.0),
        ] {
            rows.iter_mut().for_each(|row| row.push(value));
        }
        let (wider_loss, wider_gradient) = wider.loss(&settings);
        assert!((wider_loss - loss).abs() < 1e-6, "{kind:?}");
        for (wider, row) in wider_gradient.iter().zip(&gradient) {
            assert_eq!(wider[3], 0.0, "{kind:?}");
            for (found, before) in wider.iter().zip(row) {
                assert!((found - before).abs() < 1e-6, "{kind:?}");
            }
        }
    }
}

/// On policy every ratio is 1: nothing is clipped, and the gradient is the plain policy gradient −A, averaged.
#[test]
fn on_policy_the_gradient_is_the_plain_policy_gradient() {
    let mut batch = Batch::small();
    batch.behaviour = batch.log_probs.clone();
    for kind in LossKind::ALL {
        let (_, gradient) = batch.loss(&settings(kind, 0.0));
        // Lengths 3 and 2; advantages 1 and −1; 5 tokens; 2 completions of at most 8 tokens.
        let (first, second) = match kind {
            LossKind::Grpo | LossKind::Gspo | LossKind::Sapo => (-1.0 / 6.0, 1.0 / 4.0),
            LossKind::Bnpo | LossKind::Dapo | LossKind::Cispo => (-1.0 / 5.0, 1.0 / 5.0),
            LossKind::DrGrpo => (-1.0 / 16.0, 1.0 / 16.0),
        };
        let known = [[first; 3], [second, second, 0.0]];
        for (found, known) in gradient.iter().flatten().zip(known.iter().flatten()) {
            assert!((found - known).abs() < 1e-6, "{kind:?}: {gradient:?}");
        }
    }
}

/// Ratios 0.5, 1, 2 and 8: what the clip of each kind holds back, by the sign of the advantage.
#[test]
fn clipped_tokens_are_those_without_a_gradient() {
    let log_ratios = [0.5f64, 1.0, 2.0, 8.0].map(f64::ln);
    for kind in LossKind::ALL {
        let settings = settings(kind, 0.0);
        let found =
            [-1.0, 0.0, 1.0].map(|advantage| settings.clipped_tokens(&log_ratios, advantage));
        let known = match kind {
            LossKind::Grpo | LossKind::Bnpo | LossKind::Dapo | LossKind::DrGrpo => {
                [[1, 0], [0, 0], [0, 2]]
            }
            // The sequence's ratio is (0.5 · 1 · 2 · 8)^(1/4) = 1.68.
            LossKind::Gspo => [[0, 0], [0, 0], [0, 4]],
            LossKind::Cispo => [[0, 0], [0, 0], [0, 1]],
            LossKind::Sapo => [[0, 0]; 3],
        };
        assert_eq!(found, known, "{kind:?}");
    }
}

#[test]
fn k3_is_zero_for_equal_policies_and_positive_otherwise() {
    let device = Device::flex();
    let ours = Tensor::<2>::from_floats([[-1.0, -1.0, -1.0]], &device);
    let theirs = Tensor::<2>::from_floats([[-1.0, -0.5, -3.0]], &device);
    let found: Vec<f32> = k3(ours, theirs).try_into_vec_as().unwrap();
    // e^0.5 − 0.5 − 1 and e^−2 + 2 − 1
    let known = [0.0, 0.148_721_27, 1.135_335_3];
    for (found, known) in found.iter().zip(known) {
        assert!((found - known).abs() < 1e-6, "{found} against {known}");
    }
}
