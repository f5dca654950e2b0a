//! A training step of a sequential baseline: a batch of windows, cut into parts of similar length.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{SequentialConfig, SequentialLoss};
use super::model::SequentialModel;
use crate::data::Dataset;
use crate::fitting::{
    Mask, Taken, Window, catalogue_loss, example_count, gradients_of_parts, softplus,
};

/// Positions that a part holds, padding included: small enough for a core's cache.
const PART: usize = 2048;

/// What every step needs.
pub(super) struct Step<'a> {
    pub(super) data: &'a Dataset,
    pub(super) config: &'a SequentialConfig,
    pub(super) taken: Taken,
    /// With gradients switched on.
    pub(super) device: Device,
    pub(super) threads: usize,
}

/// Windows of similar length and where in the batch they stand.
type Part = Vec<(usize, Window)>;

/// The examples of a part: input items right-padded, and for each real position the item taken next.
struct Examples {
    rows: usize,
    length: usize,
    inputs: Vec<i32>,
    /// Indices into the `rows · length` positions.
    positions: Vec<i32>,
    taken: Vec<u32>,
    /// `[examples, negatives]`
    negatives: Vec<i32>,
}

impl Step<'_> {
    /// Gradients of the mean loss over a batch, and that loss.
    pub(super) fn gradients(
        &self,
        model: &SequentialModel,
        windows: &[Window],
        seed: u64,
    ) -> (GradientsParams, f32) {
        let total = example_count(windows);
        let parts = self.parts(windows);
        let found = gradients_of_parts(model, &parts, self.threads, |model, part| {
            Ok::<_, std::convert::Infallible>(self.part(model, part, seed, total))
        });
        match found {
            Ok(found) => found,
            Err(never) => match never {},
        }
    }

    /// Windows sorted by length and cut where a part is full: what is padded is what differs inside a part.
    fn parts(&self, windows: &[Window]) -> Vec<Part> {
        let mut sorted: Part = windows.iter().copied().enumerate().collect();
        sorted.sort_by_key(|(index, window)| (window.end - window.start, *index));
        let longest = |window: &Window| window.end - window.start - 1;
        let mut parts: Vec<Part> = Vec::new();
        for (index, window) in sorted.into_iter().rev() {
            match parts.last_mut() {
                Some(part) if (part.len() + 1) * longest(&part[0].1) <= PART => {
                    part.push((index, window));
                }
                _ => parts.push(vec![(index, window)]),
            }
        }
        parts
    }

    fn part(
        &self,
        model: &SequentialModel,
        part: &Part,
        seed: u64,
        total: usize,
    ) -> (GradientsParams, f32) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1 + part[0].0 as u64);
        let examples = self.examples(part, &mut rng);
        let (rows, length, width) = (examples.rows, examples.length, self.config.width);
        let inputs = ints(examples.inputs.clone(), [rows, length], &self.device);
        let mut mask = Mask::new(self.config.dropout, vec![rng.random()]);
        let states = model.states(inputs, &mut |part| mask.apply(part));
        let positions = examples.positions.clone();
        let count = positions.len();
        let positions =
            Tensor::<1, Int>::from_data(TensorData::new(positions, [count]), &self.device);
        let states = states.reshape([rows * length, width]).select(0, positions);
        let loss = match self.config.loss {
            SequentialLoss::CrossEntropy => {
                let weights = vec![1.0 / total as f32; count];
                catalogue_loss(states, model.item.weight.val(), &examples.taken, &weights)
            }
            _ => self
                .sampled(model, states, &examples)
                .div_scalar(total as f32),
        };
        let value = loss.clone().into_scalar::<f32>();
        (GradientsParams::from_grads(loss.backward(), model), value)
    }

    fn examples(&self, part: &Part, rng: &mut ChaCha8Rng) -> Examples {
        let length = part
            .iter()
            .map(|(_, window)| window.end - window.start - 1)
            .max()
            .unwrap_or(0);
        let mut examples = Examples {
            rows: part.len(),
            length,
            inputs: vec![0; part.len() * length],
            positions: Vec::new(),
            taken: Vec::new(),
            negatives: Vec::new(),
        };
        for (row, (_, window)) in part.iter().enumerate() {
            let events = &self.data.histories[window.user][window.start..window.end];
            for (index, pair) in events.windows(2).enumerate() {
                let place = row * length + index;
                examples.inputs[place] = pair[0].item as i32;
                examples.positions.push(place as i32);
                examples.taken.push(pair[1].item);
                for _ in 0..self.config.loss.negatives() {
                    examples
                        .negatives
                        .push(self.taken.other(window.user, rng) as i32);
                }
            }
        }
        examples
    }

    /// Sum over examples of `−β log σ(s⁺) − mean or sum of log σ(−s⁻)`.
    fn sampled(
        &self,
        model: &SequentialModel,
        states: Tensor<2>,
        examples: &Examples,
    ) -> Tensor<1> {
        let [count, width] = states.dims();
        let drawn = self.config.loss.negatives();
        let taken: Vec<i32> = examples.taken.iter().map(|&item| item as i32).collect();
        let own = model
            .item
            .forward(ints(taken, [count, 1], &self.device))
            .reshape([count, width]);
        let others = model.item.forward(ints(
            examples.negatives.clone(),
            [count, drawn],
            &self.device,
        ));
        let own = (states.clone() * own).sum_dim(1); // [n, 1]
        let others = others
            .matmul(states.unsqueeze_dim::<3>(2))
            .reshape([count, drawn]);
        sampled_loss(own, others, self.config.loss, self.data.items.len())
    }
}

/// Sum over examples of `−β log σ(s⁺) − Σ log σ(−s⁻)`, negatives averaged for plain binary cross-entropy.
///
/// # Shapes
/// own `[n, 1]`, others `[n, negatives]` → `[1]`.
fn sampled_loss(
    own: Tensor<2>,
    others: Tensor<2>,
    loss: SequentialLoss,
    items: usize,
) -> Tensor<1> {
    let drawn = loss.negatives() as f32;
    let (beta, share) = match loss {
        SequentialLoss::Generalised { calibration, .. } => {
            (beta(drawn / (items as f32 - 1.0), calibration), 1.0)
        }
        _ => (1.0, 1.0 / drawn),
    };
    softplus(own.neg()).sum().mul_scalar(beta) + softplus(others).sum().mul_scalar(share)
}

/// gSASRec, Eq. 21: `β = α (t (1 − 1/α) + 1/α)` for a sampling rate `α` and a calibration `t`.
fn beta(alpha: f32, calibration: f32) -> f32 {
    alpha * (calibration * (1.0 - 1.0 / alpha) + 1.0 / alpha)
}

pub(super) fn ints<const D: usize>(
    values: Vec<i32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_losses_by_hand() {
        let device = Device::flex();
        let own = || Tensor::<2>::from_floats([[3f32.ln()]], &device);
        let others = || Tensor::<2>::from_floats([[0.0, -(4f32.ln())]], &device);
        // −log σ(ln 3) = ln 4/3; −log σ(−0) = ln 2, −log σ(ln 4) = ln 5/4.
        let loss = sampled_loss(
            own(),
            others(),
            SequentialLoss::BinaryCrossEntropy { negatives: 2 },
            9,
        );
        let expected = (4f32 / 3.0).ln() + 0.5 * (2f32.ln() + (5f32 / 4.0).ln());
        assert!((loss.into_scalar::<f32>() - expected).abs() < 1e-6);
        // α = 2/8, t = ½: β = ¼ (½ (1 − 4) + 4) = 0.625.
        let loss = SequentialLoss::Generalised {
            negatives: 2,
            calibration: 0.5,
        };
        let loss = sampled_loss(own(), others(), loss, 9);
        let expected = 0.625 * (4f32 / 3.0).ln() + 2f32.ln() + (5f32 / 4.0).ln();
        assert!((loss.into_scalar::<f32>() - expected).abs() < 1e-6);
    }

    #[test]
    fn calibration_runs_from_plain_to_the_sampling_rate() {
        assert!((beta(0.1, 0.0) - 1.0).abs() < 1e-6);
        assert!((beta(0.1, 1.0) - 0.1).abs() < 1e-6);
    }
}
