//! A training step of a sequential baseline: a batch of windows, cut into parts of similar length.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{SequentialConfig, SequentialLoss};
use super::model::SequentialModel;
use super::sampled::{Weights, sampled_loss};
use crate::data::Dataset;
use crate::fitting::{Mask, Taken, Window, catalogue_loss, example_count, gradients_of_parts};

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
    negatives: Vec<u32>,
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
            loss => sampled_loss(
                states,
                model.item.weight.val(),
                &examples.taken,
                &examples.negatives,
                Weights::of(loss, self.data.items.len(), total),
            ),
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
                    examples.negatives.push(self.taken.other(window.user, rng));
                }
            }
        }
        examples
    }
}

pub(super) fn ints<const D: usize>(
    values: Vec<i32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
