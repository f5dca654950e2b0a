//! Binary cross-entropy of states against the item taken and sampled ones, each by itself (SASRec's loss, and gSASRec's).
//!
//! In a general framework the embeddings of all sampled items are gathered into a tensor of their own, `n × k × d` numbers, and their
//! gradients into another. On a CPU both passes are done here example by example, on the table itself.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::SequentialLoss;
use crate::fitting::{softplus, with_gradients};

/// What the two halves of the loss weigh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    /// Of `−log σ(s⁺)`.
    taken: f32,
    /// Of each `−log σ(−s⁻)`.
    sampled: f32,
}

impl Weights {
    /// Of one of `total` examples: sampled items are averaged for plain binary cross-entropy and summed for gSASRec's.
    pub(super) fn of(loss: SequentialLoss, items: usize, total: usize) -> Self {
        let drawn = loss.negatives() as f32;
        let (taken, sampled) = match loss {
            SequentialLoss::Generalised { calibration, .. } => {
                (beta(drawn / (items as f32 - 1.0), calibration), 1.0)
            }
            _ => (1.0, 1.0 / drawn),
        };
        Self {
            taken: taken / total as f32,
            sampled: sampled / total as f32,
        }
    }
}

/// gSASRec, Eq. 21: `β = α (t (1 − 1/α) + 1/α)` for a sampling rate `α` and a calibration `t`.
fn beta(alpha: f32, calibration: f32) -> f32 {
    alpha * (calibration * (1.0 - 1.0 / alpha) + 1.0 / alpha)
}

/// `Σ (−w⁺ log σ(s⁺) − w⁻ Σ log σ(−s⁻))`, with gradients to `states` and `items`.
///
/// # Shapes
/// states `[n, d]`, items `[V, d]`, taken `[n]`, sampled `[n, k]` → `[1]`.
pub(super) fn sampled_loss(
    states: Tensor<2>,
    items: Tensor<2>,
    taken: &[u32],
    sampled: &[u32],
    weights: Weights,
) -> Tensor<1> {
    let device = states.device();
    let values = |tensor: &Tensor<2>| tensor.clone().detach().try_into_vec_as::<f32>().ok();
    let on_cpu = device.clone().inner() == Device::flex();
    let (true, Some(state_values), Some(item_values)) = (on_cpu, values(&states), values(&items))
    else {
        return by_tensors(states, items, taken, sampled, weights);
    };
    let [_, width] = states.dims();
    let found = by_hand(&state_values, &item_values, width, taken, sampled, weights);
    with_gradients(found.loss, [(states, found.states), (items, found.items)])
}

struct Gradients {
    loss: f64,
    /// `[n, d]`
    states: Vec<f32>,
    /// `[V, d]`
    items: Vec<f32>,
}

fn by_hand(
    states: &[f32],
    items: &[f32],
    width: usize,
    taken: &[u32],
    sampled: &[u32],
    weights: Weights,
) -> Gradients {
    let drawn = sampled.len() / taken.len().max(1);
    let mut found = Gradients {
        loss: 0.0,
        states: vec![0.0; states.len()],
        items: vec![0.0; items.len()],
    };
    let examples = (states.chunks_exact(width))
        .zip(found.states.chunks_exact_mut(width))
        .zip(taken.iter().zip(sampled.chunks(drawn.max(1))));
    for ((state, slope), (&own, others)) in examples {
        // −log σ(s) for the item taken, −log σ(−s) for the others.
        let signed = std::iter::once((own, -1.0, weights.taken))
            .chain(others.iter().map(|&item| (item, 1.0, weights.sampled)));
        for (item, sign, weight) in signed {
            let row = item as usize * width..(item as usize + 1) * width;
            let vector = &items[row.clone()];
            let score: f32 = sign * dot(state, vector);
            let scale = (-score.abs()).exp();
            found.loss += f64::from(weight * (score.max(0.0) + scale.ln_1p()));
            let probability = if score > 0.0 { 1.0 } else { scale } / (1.0 + scale);
            let gradient = sign * weight * probability;
            for (slope, value) in slope.iter_mut().zip(vector) {
                *slope += gradient * value;
            }
            for (slope, value) in found.items[row].iter_mut().zip(state) {
                *slope += gradient * value;
            }
        }
    }
    found
}

/// Several sums at once, so that the compiler may use vectors.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = (ones.remainder().iter().zip(others.remainder()))
        .map(|(a, b)| a * b)
        .sum();
    for (ones, others) in ones.zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(ones.iter().zip(others)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The same by burn, on any device; here the vectors of all sampled items exist at once.
fn by_tensors(
    states: Tensor<2>,
    items: Tensor<2>,
    taken: &[u32],
    sampled: &[u32],
    weights: Weights,
) -> Tensor<1> {
    let [count, width] = states.dims();
    let drawn = sampled.len() / count.max(1);
    let device = states.device();
    let rows = |rows: &[u32]| {
        let rows: Vec<i32> = rows.iter().map(|&item| item as i32).collect();
        let shape = [rows.len()];
        let index = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), &device);
        items.clone().select(0, index)
    };
    let own = (states.clone() * rows(taken)).sum_dim(1); // [n, 1]
    let others = rows(sampled)
        .reshape([count, drawn, width])
        .matmul(states.unsqueeze_dim::<3>(2))
        .reshape([count, drawn]);
    softplus(own.neg()).sum().mul_scalar(weights.taken)
        + softplus(others).sum().mul_scalar(weights.sampled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn losses_by_hand() {
        // One state (1) against items ln 3 (taken), 0 and −ln 4 (sampled):
        // −log σ(ln 3) = ln 4/3; −log σ(−0) = ln 2, −log σ(ln 4) = ln 5/4.
        let device = Device::flex();
        let loss = |loss: SequentialLoss| {
            let states = Tensor::from_floats([[1.0]], &device);
            let items = Tensor::from_floats([[3f32.ln()], [0.0], [-(4f32.ln())]], &device);
            sampled_loss(states, items, &[0], &[1, 2], Weights::of(loss, 9, 1)).into_scalar::<f32>()
        };
        let expected = (4f32 / 3.0).ln() + 0.5 * (2f32.ln() + (5f32 / 4.0).ln());
        let found = loss(SequentialLoss::BinaryCrossEntropy { negatives: 2 });
        assert!((found - expected).abs() < 1e-6);
        // α = 2/8, t = ½: β = ¼ (½ (1 − 4) + 4) = 0.625.
        let found = loss(SequentialLoss::Generalised {
            negatives: 2,
            calibration: 0.5,
        });
        let expected = 0.625 * (4f32 / 3.0).ln() + 2f32.ln() + (5f32 / 4.0).ln();
        assert!((found - expected).abs() < 1e-6);
    }

    #[test]
    fn calibration_runs_from_plain_to_the_sampling_rate() {
        assert!((beta(0.1, 0.0) - 1.0).abs() < 1e-6);
        assert!((beta(0.1, 1.0) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn values_and_gradients_are_those_of_autodiff() {
        let device = Device::flex().autodiff();
        device.seed(3);
        let (count, drawn, catalogue) = (9u32, 5u32, 7u32);
        let taken: Vec<u32> = (0..count).map(|row| row * 3 % catalogue).collect();
        let sampled: Vec<u32> = (0..count * drawn).map(|at| at * 5 % catalogue).collect();
        let weights = Weights {
            taken: 0.3,
            sampled: 0.7,
        };
        for width in [3, 16, 37] {
            let drawn = |rows: u32| {
                let wide = Distribution::Normal(0.0, 2.0);
                Tensor::<2>::random([rows as usize, width], wide, &device)
            };
            let inputs = [drawn(count), drawn(catalogue)];
            let run = |hand: bool| {
                let leaves = inputs.clone().map(|tensor| tensor.detach().require_grad());
                let [states, items] = leaves.clone().map(|leaf| leaf.mul_scalar(1.5));
                let loss = if hand {
                    sampled_loss(states, items, &taken, &sampled, weights)
                } else {
                    by_tensors(states, items, &taken, &sampled, weights)
                };
                let gradients = loss.clone().backward();
                let slopes = leaves.map(|leaf| {
                    let slope = leaf.grad(&gradients).unwrap();
                    slope.try_into_vec_as::<f32>().unwrap()
                });
                (loss.into_scalar::<f32>(), slopes.concat())
            };
            let (hand, burn) = (run(true), run(false));
            assert!((hand.0 - burn.0).abs() < 1e-4 * burn.0, "{width}");
            for (hand, burn) in hand.1.iter().zip(&burn.1) {
                assert!(
                    (hand - burn).abs() < 1e-4 * (1.0 + burn.abs()),
                    "{hand} {burn}"
                );
            }
        }
    }
}
