//! Gradients of one batch, its parts on threads of their own.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use curec_shared_model::reward::RewardModel;

use super::batch::{Sampler, Window};
use super::config::RewardTrainingConfig;
use super::features::Features;
use super::forward::{auxiliary_loss, batch_logits, loss};
use crate::past::LeakError;

/// What every step needs.
pub(crate) struct Step<'a> {
    pub(crate) sampler: Sampler<'a>,
    pub(crate) features: Features<'a>,
    pub(crate) config: RewardTrainingConfig,
    /// With gradients switched on.
    pub(crate) device: Device,
    pub(crate) threads: usize,
}

/// Examples in these windows: every event that has one before it.
pub(crate) fn example_count(windows: &[Window]) -> usize {
    windows
        .iter()
        .map(|window| window.end - window.start - 1)
        .sum()
}

impl Step<'_> {
    /// Gradients of the mean loss over a batch, and that loss (without its auxiliary part).
    pub(crate) fn gradients(
        &self,
        model: &RewardModel,
        windows: &[Window],
        seed: u64,
    ) -> Result<(GradientsParams, f32), LeakError> {
        let total = example_count(windows);
        let size = windows.len().div_ceil(self.threads);
        let parts: Vec<(usize, &[Window])> = windows
            .chunks(size)
            .enumerate()
            .map(|(part, windows)| (part * size, windows))
            .collect();
        let work =
            |&(first, windows): &(usize, &[Window])| self.part(model, windows, first, seed, total);
        if let [only] = parts.as_slice() {
            return work(only);
        }
        let own = |part: &(usize, &[Window])| {
            let model = model.clone().map(&mut OwnLeaves);
            self.part(&model, part.1, part.0, seed, total)
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let own = &own;
            let handles: Vec<_> = parts
                .iter()
                .map(|part| scope.spawn(move || own(part)))
                .collect();
            let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            handles.into_iter().map(join).collect()
        });
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        for result in results {
            let (gradients, value) = result?;
            accumulator.accumulate(model, gradients);
            loss += value;
        }
        Ok((accumulator.grads(), loss))
    }

    /// The part of a batch that begins with its window `first`.
    fn part(
        &self,
        model: &RewardModel,
        windows: &[Window],
        first: usize,
        seed: u64,
        total: usize,
    ) -> Result<(GradientsParams, f32), LeakError> {
        let batch = self.sampler.gather(windows, first, seed)?;
        let output = batch_logits(
            model,
            &self.features,
            &batch,
            self.config.dropout,
            &self.device,
        );
        let auxiliary =
            (!batch.shared.is_empty()).then(|| auxiliary_loss(model, &output, &batch, total));
        let loss = loss(output, self.config.loss, total);
        let value = loss.clone().into_scalar::<f32>();
        let objective = match auxiliary {
            Some(auxiliary) => loss + auxiliary.mul_scalar(self.config.auxiliary_weight),
            None => loss,
        };
        Ok((
            GradientsParams::from_grads(objective.backward(), model),
            value,
        ))
    }
}

/// Gives a thread's copy of the model leaves of its own, so that threads' graphs stay apart; gradients keep the parameters' identities.
/// (`Module::fork` would do the same, but each of its device moves leaves a node in burn 0.22.1's graph registry, and steps slow down.)
struct OwnLeaves;

impl ModuleMapper for OwnLeaves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let tracked = tensor.is_require_grad();
            Tensor::from_inner(tensor.inner()).set_require_grad(tracked)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::batch::epoch_batches;
    use crate::reward::tests::{config, data, features, stores, untrained};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Gradients of a batch are those of its parts together, whatever the number of parts.
    #[test]
    fn threads_change_nothing() {
        let data = data(40);
        let stores = stores(&data);
        let features = features(&data, &stores);
        let device = Device::flex().autodiff();
        let model = untrained(&data).train();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let batch = epoch_batches(&data, 6, 8, &mut rng).remove(0);
        let run = |threads: usize| {
            let step = Step {
                sampler: Sampler::new(features, &config()),
                features,
                config: config(),
                device: device.clone(),
                threads,
            };
            let (gradients, loss) = step.gradients(&model, &batch, 9).unwrap();
            let embedding = gradients.get::<2>(model.item.weight.id).unwrap();
            let output = gradients.get::<1>(model.interest.output.id).unwrap();
            let values = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
            (
                loss,
                values(embedding.into_data()),
                values(output.into_data()),
            )
        };
        let (loss, embedding, output) = run(1);
        assert!(
            embedding.iter().any(|&value| value != 0.0) && output.iter().any(|&value| value != 0.0)
        );
        for threads in [2, 3, 8, 20] {
            let other = run(threads);
            assert!(
                (loss - other.0).abs() < 1e-5,
                "{threads}: {loss} {}",
                other.0
            );
            for (one, many) in embedding
                .iter()
                .chain(&output)
                .zip(other.1.iter().chain(&other.2))
            {
                assert!((one - many).abs() < 1e-5, "{threads}: {one} {many}");
            }
        }
    }
}
