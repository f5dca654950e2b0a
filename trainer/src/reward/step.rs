//! Gradients of one batch, its parts on threads of their own.

use burn::optim::GradientsParams;
use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;

use super::batch::Sampler;
use super::config::RewardTrainingConfig;
use super::features::Features;
use super::forward::{auxiliary_loss, encode, logits, loss};
use crate::fitting::{Window, example_count, gradients_of_parts};
use crate::past::LeakError;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Encoder and ID embeddings alone: no texts are read.
    Identities,
    /// Encoder, ID embeddings and the match of reasons, by the auxiliary loss.
    States,
    /// Everything.
    Whole,
}

/// What every step needs.
pub(crate) struct Step<'a> {
    pub(crate) phase: Phase,
    pub(crate) sampler: Sampler<'a>,
    pub(crate) features: Features<'a>,
    pub(crate) config: RewardTrainingConfig,
    /// With gradients switched on.
    pub(crate) device: Device,
    pub(crate) threads: usize,
}

impl Step<'_> {
    /// Gradients of the mean loss over a batch, and that loss (without its auxiliary part, where there is another).
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
        gradients_of_parts(model, &parts, self.threads, |model, &(first, windows)| {
            self.part(model, windows, first, seed, total)
        })
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
        let config = &self.config;
        let batch = self.sampler.gather(windows, first, seed)?;
        let output = encode(model, &self.features, &batch, config.dropout, &self.device);
        let auxiliary = (self.phase == Phase::Identities || config.has_auxiliary())
            .then(|| auxiliary_loss(model, &self.features, &batch, &output, total, &self.device))
            .flatten();
        let main = (self.phase == Phase::Whole).then(|| {
            let logits = logits(model, &self.features, &batch, &output);
            loss(logits, output.weight.clone(), config.loss, total)
        });
        let reported = main.clone().or(auxiliary.clone());
        let value = reported.map_or(0.0, |loss| loss.into_scalar::<f32>());
        let auxiliary = auxiliary.map(|loss| match self.phase {
            Phase::Identities | Phase::States => loss,
            Phase::Whole => loss.mul_scalar(config.auxiliary_weight),
        });
        let objective = match (main, auxiliary) {
            (Some(main), Some(auxiliary)) => main + auxiliary,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Ok((GradientsParams::new(), 0.0)),
        };
        Ok((
            GradientsParams::from_grads(objective.backward(), model),
            value,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::fitting::epoch_batches;
    use crate::reward::batch::Hidden;
    use crate::reward::features::floats;
    use crate::reward::stores::{PatternStore, ReasonStore};
    use crate::reward::tests::{config, data, features, stores, untrained};
    use burn::module::Module;
    use burn::tensor::Tensor;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn toy() -> (Dataset, (PatternStore, ReasonStore)) {
        let data = data(40);
        let stores = stores(&data);
        (data, stores)
    }

    fn model_and_batch(data: &Dataset) -> (RewardModel, Vec<Window>) {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let batch = epoch_batches(data, 6, 8, &mut rng).remove(0);
        (untrained(data).train(), batch)
    }

    /// What trains `phase`, on one thread.
    fn step(phase: Phase, features: Features<'_>, config: RewardTrainingConfig) -> Step<'_> {
        let sampler = Sampler::new(features, &config);
        Step {
            phase,
            sampler: match phase {
                Phase::Identities => sampler.of_identities(0),
                Phase::States => sampler.without_negatives(),
                Phase::Whole => sampler,
            },
            features,
            config,
            device: Device::flex().autodiff(),
            threads: 1,
        }
    }

    /// Gradients of a batch are those of its parts together, whatever the number of parts.
    #[test]
    fn threads_change_nothing() {
        let (data, stores) = toy();
        let features = features(&data, &stores);
        let (model, batch) = model_and_batch(&data);
        let hiding = RewardTrainingConfig {
            identity_dropout: 0.3,
            ..config()
        };
        let run = |threads: usize| {
            let mut step = step(Phase::Whole, features, hiding.clone());
            step.threads = threads;
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

    /// A step that hides items is the step of a model whose embeddings of them are zero, and teaches these embeddings nothing; states
    /// without texts never miss one.
    #[test]
    fn hidden_items_are_known_by_their_texts_alone() {
        let (data, stores) = toy();
        let features = features(&data, &stores);
        let (model, batch) = model_and_batch(&data);
        let run = |phase: Phase, model: &RewardModel, identity_dropout: f32| {
            let config = RewardTrainingConfig {
                identity_dropout,
                ..config()
            };
            let step = step(phase, features, config);
            let (gradients, loss) = step.gradients(model, &batch, 9).unwrap();
            let slopes = gradients.get::<2>(model.item.weight.id).unwrap();
            (slopes.into_data().try_to_vec::<f32>().unwrap(), loss)
        };
        let items = data.items.len();
        let seen = Hidden::new(0.5, 9).seen(0..items as u64).unwrap();
        let without = {
            let mut model = model.clone();
            let seen = floats(seen.clone(), [items, 1], &Device::flex());
            model.item.weight = model
                .item
                .weight
                .map(|weight| Tensor::from_inner(weight.inner() * seen).require_grad());
            model
        };
        for phase in [Phase::States, Phase::Whole] {
            let (slopes, loss) = run(phase, &model, 0.5);
            assert_ne!(loss, run(phase, &model, 0.0).1);
            let (others, expected) = run(phase, &without, 0.0);
            assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
            let width = slopes.len() / items;
            for (item, seen) in seen.iter().enumerate() {
                let row = item * width..(item + 1) * width;
                if *seen == 0.0 {
                    assert!(slopes[row].iter().all(|&slope| slope == 0.0));
                } else {
                    assert_eq!(slopes[row.clone()], others[row]);
                }
            }
        }
        let alone = run(Phase::Identities, &model, 0.5);
        assert_eq!(alone, run(Phase::Identities, &model, 0.0));
    }

    /// Gradients of the first phase are the same whatever the texts are, and none goes to what reads texts.
    #[test]
    fn identities_know_no_texts() {
        let (data, texts) = toy();
        let others = (
            texts.0.with_swapped_users(3),
            texts.1.with_shuffled_vectors(3),
        );
        let (model, batch) = model_and_batch(&data);
        let run = |phase: Phase, stores: &(PatternStore, ReasonStore)| {
            let step = step(phase, features(&data, stores), config());
            let (gradients, loss) = step.gradients(&model, &batch, 9).unwrap();
            let slope = gradients.get::<2>(model.item.weight.id).unwrap();
            let reads = gradients.get::<2>(model.text.weight.id).is_some();
            (slope.into_data().try_to_vec::<f32>().unwrap(), loss, reads)
        };
        let alone = run(Phase::Identities, &texts);
        assert!(alone.1 > 0.0 && !alone.2 && alone.0.iter().any(|&slope| slope != 0.0));
        assert_eq!(alone, run(Phase::Identities, &others));
        assert!(run(Phase::States, &texts).1 != run(Phase::States, &others).1);
    }
}
