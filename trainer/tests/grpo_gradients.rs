//! The gradients of the GRPO losses against finite differences, in the places where they have one and where they may not;
//! and what each KL penalty's gradient is, by adding up every token of a small vocabulary.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use curec::grpo::{KlPenalty, LossInputs, LossKind, LossSettings, grpo_loss};
use proptest::prelude::*;

const PENALTIES: [KlPenalty; 3] = [KlPenalty::K3, KlPenalty::K2, KlPenalty::WeightedK3];

/// Longest completion, in the data and allowed.
const WIDTH: usize = 5;

/// Completions as plain numbers.
#[derive(Debug, Clone)]
struct Completion {
    advantage: f64,
    /// `[log π, log π_old, log π_ref]` of each token.
    tokens: Vec<[f64; 3]>,
}

fn table(rows: Vec<Vec<f64>>, device: &Device) -> Tensor<2> {
    let shape = [rows.len(), rows[0].len()];
    let values: Vec<f32> = rows.concat().iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Loss and gradient of some completions that are weighted as parts of a batch.
fn loss_of(
    completions: &[Completion],
    weights: &[f64],
    width: usize,
    settings: &LossSettings,
) -> (f64, Vec<Vec<f64>>) {
    let device = Device::flex().autodiff();
    // What padding holds must not matter, however wild.
    let padded = |part: usize| {
        let row = |one: &Completion| {
            let value = |t: usize| {
                one.tokens
                    .get(t)
                    .map_or(-300.0 + part as f64, |token| token[part])
            };
            (0..width).map(value).collect()
        };
        table(completions.iter().map(row).collect(), &device)
    };
    let mask = |one: &Completion| {
        let value = |t: usize| f64::from(u8::from(t < one.tokens.len()));
        (0..width).map(value).collect()
    };
    let advantages = completions.iter().map(|one| vec![one.advantage]).collect();
    let log_probs = padded(0).require_grad();
    let inputs = LossInputs {
        log_probs: log_probs.clone(),
        behaviour: padded(1),
        reference: (settings.beta != 0.0).then(|| padded(2)),
        advantages: table(advantages, &device),
        weights: table(
            weights.iter().map(|weight| vec![*weight]).collect(),
            &device,
        ),
        mask: table(completions.iter().map(mask).collect(), &device),
    };
    let loss = grpo_loss(inputs, settings);
    let gradient = log_probs.grad(&loss.backward()).unwrap();
    let gradient: Vec<f32> = gradient.try_into_vec_as().unwrap();
    let rows = gradient.chunks(width).zip(completions);
    let rows = rows.map(|(row, one)| {
        let (seen, padding) = row.split_at(one.tokens.len());
        assert!(padding.iter().all(|value| *value == 0.0), "padding moves");
        seen.iter().map(|value| f64::from(*value)).collect()
    });
    (f64::from(loss.into_scalar::<f32>()), rows.collect())
}

fn weights(completions: &[Completion], settings: &LossSettings) -> Vec<f64> {
    let lengths: Vec<usize> = completions.iter().map(|one| one.tokens.len()).collect();
    settings.weights(&lengths, WIDTH)
}

/// The same losses in float64, written from their papers' formulas, without tensors: what the finite differences differ.
fn plain(completions: &[Completion], settings: &LossSettings, frozen: Option<&[Vec<f64>]>) -> f64 {
    let total: usize = completions.iter().map(|one| one.tokens.len()).sum();
    let mut loss = 0.0;
    for (index, one) in completions.iter().enumerate() {
        let length = one.tokens.len() as f64;
        let mean_gap = one.tokens.iter().map(|t| t[0] - t[1]).sum::<f64>() / length.max(1.0);
        for (t, [ours, old, reference]) in one.tokens.iter().enumerate() {
            let ratio = (ours - old).exp();
            let clipped = |ratio: f64| {
                let capped = settings.delta.map_or(ratio, |delta| ratio.min(delta));
                let inside = ratio.clamp(1.0 - settings.epsilon_low, 1.0 + settings.epsilon_high);
                (capped * one.advantage).min(inside * one.advantage)
            };
            let surrogate = match settings.kind {
                LossKind::Grpo | LossKind::Bnpo | LossKind::Dapo | LossKind::DrGrpo => {
                    clipped(ratio)
                }
                LossKind::Gspo => clipped(mean_gap.exp()),
                LossKind::Cispo => {
                    let weight = frozen.map_or(ratio, |frozen| frozen[index][t]);
                    weight.min(settings.cispo_max) * one.advantage * ours
                }
                LossKind::Sapo => {
                    let tau = if one.advantage > 0.0 {
                        settings.sapo_positive
                    } else {
                        settings.sapo_negative
                    };
                    4.0 / tau / (1.0 + (-tau * (ratio - 1.0)).exp()) * one.advantage
                }
            };
            let gap = reference - ours;
            let penalty = match settings.kl {
                KlPenalty::K3 => gap.exp() - gap - 1.0,
                KlPenalty::K2 => gap * gap / 2.0,
                KlPenalty::WeightedK3 => ratio * (gap.exp() - gap - 1.0),
            };
            let divisor = match settings.kind {
                LossKind::Grpo | LossKind::Gspo | LossKind::Sapo => {
                    completions.len() as f64 * length
                }
                LossKind::Bnpo | LossKind::Dapo | LossKind::Cispo => total as f64,
                LossKind::DrGrpo => (completions.len() * WIDTH) as f64,
            };
            loss += (settings.beta * penalty - surrogate) / divisor;
        }
    }
    loss
}

/// Whether a small change of any log-probability stays on one side of every kink.
fn smooth(completions: &[Completion], settings: &LossSettings) -> bool {
    let edges = [
        Some(1.0 - settings.epsilon_low),
        Some(1.0 + settings.epsilon_high),
        settings.delta,
        Some(settings.cispo_max),
    ];
    completions.iter().all(|one| {
        let gaps: Vec<f64> = one.tokens.iter().map(|t| t[0] - t[1]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
        let ratios = gaps.iter().chain([&mean]).map(|gap| gap.exp());
        ratios.into_iter().all(|ratio| {
            let mut edges = edges.iter().flatten();
            edges.all(|edge| (ratio - edge).abs() > 1e-3)
        })
    })
}

fn completion() -> impl Strategy<Value = Completion> {
    let token = (-3.0..-0.05f64, -0.7..0.7f64, -0.7..0.7f64)
        .prop_map(|(ours, old, reference)| [ours, ours + old, ours + reference]);
    let tokens = prop::collection::vec(token, 0..=WIDTH);
    (-2.0..2.0f64, tokens).prop_map(|(advantage, tokens)| Completion { advantage, tokens })
}

fn settings() -> impl Strategy<Value = LossSettings> {
    let penalty = (
        prop::sample::select(vec![0.0, 0.1]),
        prop::sample::select(PENALTIES.to_vec()),
    );
    let delta = prop::sample::select(vec![None, Some(1.5)]);
    (
        prop::sample::select(LossKind::ALL.to_vec()),
        penalty,
        delta,
        1.2..3.0f64,
    )
        .prop_map(|(kind, (beta, kl), delta, cispo_max)| LossSettings {
            kind,
            beta,
            kl,
            delta,
            cispo_max,
            ..LossSettings::default()
        })
}

fn batch() -> impl Strategy<Value = Vec<Completion>> {
    prop::collection::vec(completion(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Values and gradients of every kind, penalty and clip are those of the formulas.
    #[test]
    fn gradients_are_finite_differences(batch in batch(), settings in settings()) {
        prop_assume!(smooth(&batch, &settings));
        let (loss, gradient) = loss_of(&batch, &weights(&batch, &settings), WIDTH, &settings);
        let known = plain(&batch, &settings, None);
        prop_assert!((loss - known).abs() < 1e-5 * known.abs().max(1.0), "{loss} {known}");
        // CISPO's weight is a constant of the gradient.
        let ratios = |one: &Completion| one.tokens.iter().map(|t| (t[0] - t[1]).exp()).collect();
        let frozen: Vec<Vec<f64>> = batch.iter().map(ratios).collect();
        for (row, found) in gradient.iter().enumerate() {
            for (t, found) in found.iter().enumerate() {
                let at = |step: f64| {
                    let mut moved = batch.clone();
                    moved[row].tokens[t][0] += step;
                    plain(&moved, &settings, Some(&frozen))
                };
                let known = (at(1e-5) - at(-1e-5)) / 2e-5;
                prop_assert!(
                    (found - known).abs() < 1e-4 * known.abs().max(0.1),
                    "{:?}: {found} against {known}", settings.kind
                );
            }
        }
    }

    /// A batch in parts, rows in another order, wider padding, and a completion without tokens: the same loss, the same
    /// gradient of every token.
    #[test]
    fn parts_add_up_and_padding_changes_nothing(
        batch in batch(), settings in settings(), cut in 0usize..6, wider in 0usize..4
    ) {
        let weights = weights(&batch, &settings);
        let (loss, gradient) = loss_of(&batch, &weights, WIDTH, &settings);
        let cut = cut.min(batch.len() - 1);
        let mut sum = 0.0;
        let mut rows = Vec::new();
        let halves = [(0..cut, WIDTH), (cut..batch.len(), WIDTH + wider)];
        for (part, width) in halves.into_iter().filter(|(part, _)| !part.is_empty()) {
            let (loss, gradient) = loss_of(&batch[part.clone()], &weights[part], width, &settings);
            sum += loss;
            rows.extend(gradient);
        }
        prop_assert!((sum - loss).abs() < 1e-6 * loss.abs().max(1.0), "{sum} {loss}");
        for (found, known) in rows.iter().flatten().zip(gradient.iter().flatten()) {
            prop_assert!((found - known).abs() < 1e-6 * known.abs().max(1.0), "{found} {known}");
        }
    }

    /// Beyond the clip range a token that would go further out has no gradient, whatever the kind that clips.
    #[test]
    fn no_gradient_flows_where_the_clip_forbids(
        advantage in 0.1..2.0f64, up in any::<bool>(), gap in 0.3..1.0f64
    ) {
        let (advantage, gap) = if up { (advantage, gap) } else { (-advantage, -gap) };
        let token = [-1.0, -1.0 - gap, -1.0];
        let one = Completion { advantage, tokens: vec![token; 3] };
        let back = Completion { advantage: -advantage, tokens: vec![token; 3] };
        for kind in LossKind::ALL {
            let settings = LossSettings { kind, ..LossSettings::default() };
            let batch = [one.clone(), back.clone()];
            let (_, gradient) = loss_of(&batch, &weights(&batch, &settings), WIDTH, &settings);
            let clips = !matches!(kind, LossKind::Cispo | LossKind::Sapo);
            prop_assert!(gradient[0].iter().all(|value| (*value == 0.0) == clips), "{kind:?}");
            prop_assert!(gradient[1].iter().all(|value| *value != 0.0), "{kind:?}");
        }
        // The two-sided cap also stops what comes back from too far above.
        let settings = LossSettings { delta: Some(1.2), ..LossSettings::default() };
        let (_, gradient) = loss_of(&[back], &[1.0], WIDTH, &settings);
        prop_assert!(gradient[0].iter().all(|value| (*value == 0.0) == up));
    }
}

/// Every token of a vocabulary of four as a batch of four completions of one token, each weighted by the probability with
/// which `sampler` draws it: the mean gradient of a penalty, in the logits of the policy.
fn mean_gradient(
    kl: KlPenalty,
    logits: [f32; 4],
    sampler: [f32; 4],
    reference: [f32; 4],
) -> [f64; 4] {
    let device = Device::flex().autodiff();
    let logs = |logits: [f32; 4]| -> Tensor<2> {
        log_softmax(Tensor::<2>::from_floats([logits], &device), 1).transpose()
    };
    let leaf = Tensor::<2>::from_floats([logits], &device).require_grad();
    let log_probs = log_softmax(leaf.clone(), 1).transpose();
    let settings = LossSettings {
        beta: 1.0,
        kl,
        ..LossSettings::default()
    };
    let inputs = LossInputs {
        log_probs,
        behaviour: logs(sampler),
        reference: Some(logs(reference)),
        advantages: Tensor::zeros([4, 1], &device),
        weights: logs(sampler).exp(),
        mask: Tensor::ones([4, 1], &device),
    };
    let loss = grpo_loss(inputs, &settings);
    let gradient: Vec<f32> = leaf
        .grad(&loss.backward())
        .unwrap()
        .try_into_vec_as()
        .unwrap();
    [0, 1, 2, 3].map(|index| f64::from(gradient[index]))
}

/// `d KL(p ‖ q) / d logits of p`, by finite differences in float64.
fn divergence_gradient(logits: [f32; 4], reference: [f32; 4]) -> [f64; 4] {
    let normalised = |logits: [f64; 4]| {
        let total: f64 = logits.iter().map(|z| z.exp()).sum();
        logits.map(|z| z - total.ln())
    };
    let q = normalised(reference.map(f64::from));
    let divergence = |logits: [f64; 4]| -> f64 {
        let p = normalised(logits);
        p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum()
    };
    [0, 1, 2, 3].map(|index| {
        let at = |step: f64| {
            let mut moved = logits.map(f64::from);
            moved[index] += step;
            divergence(moved)
        };
        (at(1e-6) - at(-1e-6)) / 2e-6
    })
}

#[test]
fn only_k2_and_weighted_k3_have_the_gradient_of_the_divergence() {
    let logits = [0.3, -0.8, 1.1, 0.0];
    let (reference, other) = ([-0.5, 0.9, 0.4, 0.1], [0.9, -0.2, 0.2, -0.7]);
    let known = divergence_gradient(logits, reference);
    let far = |found: [f64; 4]| {
        let gaps = found
            .iter()
            .zip(known)
            .map(|(found, known)| (found - known).abs());
        gaps.fold(0.0, f64::max)
    };
    // On policy.
    let found = |kl| mean_gradient(kl, logits, logits, reference);
    assert!(
        far(found(KlPenalty::K2)) < 1e-5,
        "{:?} {known:?}",
        found(KlPenalty::K2)
    );
    assert!(far(found(KlPenalty::WeightedK3)) < 1e-5);
    assert!(
        far(found(KlPenalty::K3)) > 0.02,
        "{:?} {known:?}",
        found(KlPenalty::K3)
    );
    // Off policy only the weighted one.
    let found = |kl| mean_gradient(kl, logits, other, reference);
    assert!(far(found(KlPenalty::WeightedK3)) < 1e-5);
    assert!(far(found(KlPenalty::K2)) > 0.02);
}
