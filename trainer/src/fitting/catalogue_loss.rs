//! Cross-entropy of states against the whole catalogue, without ever forming the logits of a batch.
//!
//! A state `h` scores item `i` by `h · w_i`; the loss of an example is `−log softmax(h Wᵀ)[taken]`. For `n` examples and `V`
//! items the logits are `n × V` numbers, which in a general framework exist several times over (logits, softmax, gradient) and are
//! most of what a step costs. Here they exist for [`ROWS`] examples at a time and stay in a core's cache: forward and backward
//! pass of a chunk are three matrix products and one pass of exponentials. Values and gradients are exact; tests compare them with
//! burn's autodiff.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::with_gradients;
use crate::kernels::{Matrix, log_softmax_backward, product, softmax};

/// Examples whose logits exist at once.
const ROWS: usize = 64;

/// `Σ weight · cross-entropy`, with gradients to `states` and `items`.
///
/// # Shapes
/// states `[n, d]`, items `[V, d]`; one `taken` (below `V`) and one weight per state → `[1]`. On a CPU the work is done on this thread.
pub(crate) fn catalogue_loss(
    states: Tensor<2>,
    items: Tensor<2>,
    taken: &[u32],
    weights: &[f32],
) -> Tensor<1> {
    let device = states.device();
    if device.clone().inner() != Device::flex() {
        return by_tensors(states, items, taken, weights);
    }
    let [_, width] = states.dims();
    let (Some(state_values), Some(item_values)) = (floats(&states), floats(&items)) else {
        return by_tensors(states, items, taken, weights);
    };
    let found = by_hand(&state_values, &item_values, width, taken, weights);
    with_gradients(found.loss, [(states, found.states), (items, found.items)])
}

fn floats(tensor: &Tensor<2>) -> Option<Vec<f32>> {
    tensor.clone().detach().try_into_vec_as::<f32>().ok()
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
    weights: &[f32],
) -> Gradients {
    let catalogue = items.len() / width;
    let mut found = Gradients {
        loss: 0.0,
        states: vec![0.0; states.len()],
        items: vec![0.0; items.len()],
    };
    let table = Matrix::new(items, catalogue, width);
    let mut logits = vec![0.0; ROWS.min(taken.len()) * catalogue];
    let chunks = states
        .chunks(ROWS * width)
        .zip(found.states.chunks_mut(ROWS * width))
        .zip(taken.chunks(ROWS).zip(weights.chunks(ROWS)));
    for ((states, slopes), (taken, weights)) in chunks {
        let rows = taken.len();
        let logits = &mut logits[..rows * catalogue];
        let chunk = Matrix::new(states, rows, width);
        product(logits, catalogue, chunk, table.t(), 1.0, false);
        for ((row, &item), &weight) in logits.chunks_exact_mut(catalogue).zip(taken).zip(weights) {
            let own = row[item as usize];
            let all = softmax(row, catalogue);
            found.loss += f64::from(weight) * f64::from(all - own);
            log_softmax_backward(row, item as usize, -weight);
        }
        let slope = Matrix::new(logits, rows, catalogue);
        product(slopes, width, slope, table, 1.0, false);
        product(&mut found.items, width, slope.t(), chunk, 1.0, true);
    }
    found
}

/// The same by burn, on any device; here the logits of all these states exist at once.
fn by_tensors(states: Tensor<2>, items: Tensor<2>, taken: &[u32], weights: &[f32]) -> Tensor<1> {
    let device = states.device();
    let count = taken.len();
    let taken: Vec<i32> = taken.iter().map(|&item| item as i32).collect();
    let taken = Tensor::<2, Int>::from_data(TensorData::new(taken, [count, 1]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [count, 1]), &device);
    let scores = log_softmax(states.matmul(items.transpose()), 1).gather(1, taken);
    (scores * weights).sum().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn the_loss_by_hand() {
        // Logits of h = (1, 2) against (1, 0), (0, 1), (1, 1): 1, 2, 3. −log softmax of the second = log(e⁻¹ + 1 + e), weight ½.
        let device = Device::flex();
        let loss = catalogue_loss(
            Tensor::from_floats([[1.0, 2.0]], &device),
            Tensor::from_floats([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], &device),
            &[1],
            &[0.5],
        );
        let expected = 0.5 * ((-1f32).exp() + 1.0 + 1f32.exp()).ln();
        assert!((loss.into_scalar::<f32>() - expected).abs() < 1e-6);
    }

    #[test]
    fn values_and_gradients_are_those_of_autodiff() {
        let device = Device::flex().autodiff();
        device.seed(3);
        // More rows than a chunk, and one that is no multiple of it.
        for count in [1, ROWS, 2 * ROWS + 7] {
            let draw = |rows: usize| {
                Tensor::<2>::random([rows, 6], Distribution::Normal(0.0, 1.0), &device)
            };
            let (states, items) = (draw(count), draw(90));
            let taken: Vec<u32> = (0..count as u32).map(|row| row * 7 % 90).collect();
            let weights: Vec<f32> = (0..count).map(|row| (row % 3) as f32 * 0.1).collect();
            let run = |hand: bool| {
                let (states, items) = (
                    states.clone().detach().require_grad(),
                    items.clone().detach().require_grad(),
                );
                let (h, w) = (
                    states.clone().mul_scalar(2.0),
                    items.clone().mul_scalar(0.5),
                );
                let loss = if hand {
                    catalogue_loss(h, w, &taken, &weights)
                } else {
                    by_tensors(h, w, &taken, &weights)
                };
                let gradients = loss.backward();
                let values = |tensor: &Tensor<2>| {
                    let gradient = tensor.grad(&gradients).unwrap();
                    gradient.into_data().try_to_vec::<f32>().unwrap()
                };
                let value = loss.into_scalar::<f32>();
                [vec![value], values(&states), values(&items)].concat()
            };
            let (hand, tensors) = (run(true), run(false));
            assert!(tensors.iter().any(|value| value.abs() > 1e-3) || count == 1);
            for (hand, tensor) in hand.iter().zip(&tensors) {
                assert!((hand - tensor).abs() < 1e-4, "{count}: {hand} {tensor}");
            }
        }
    }
}
