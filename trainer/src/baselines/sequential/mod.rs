//! Sequential recommenders on item IDs alone: SASRec (with binary cross-entropy, cross-entropy over the whole catalogue, or
//! gSASRec's loss) and GRU4Rec. They share the history encoder, the windows and the training loop with the reward model.

mod config;
mod model;
mod sampled;
mod step;

use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use thiserror::Error;

pub use config::{Architecture, SequentialConfig, SequentialLoss};
pub use model::SequentialModel;

use self::step::{Step, ints};
use super::error::BaselineError;
use super::registry::FitContext;
use crate::data::Dataset;
use crate::evaluation::{Example, RankError, Ranker, Target, sample_examples};
use crate::fitting::{
    Choice, FitError, FitSettings, Objective, Taken, TrainingEnd, TrainingEvent, TrainingReport,
    Window, epoch_batches, fit as run, initialise, resolve_threads, validation_metrics,
};

/// Why a sequential baseline could not be trained.
#[derive(Debug, Error)]
pub enum SequentialError {
    /// A setting that cannot work.
    #[error("sequential baseline: {0}")]
    Setting(String),
    /// Nothing to train on, or a loss that is no number any more.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Ranking for validation failed.
    #[error(transparent)]
    Rank(#[from] RankError),
}

/// Trains on the training events of `data`, on `device` (a plain one; gradients are switched on inside). The model with the best
/// validation NDCG@10 is returned, without gradients.
pub fn fit(
    data: &Dataset,
    config: &SequentialConfig,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(SequentialModel, TrainingReport), SequentialError> {
    config.validate().map_err(SequentialError::Setting)?;
    let training = device.clone().autodiff();
    training.seed(config.seed);
    let model = SequentialModel::new(config, data.items.len(), &training);
    initialise(&model);
    let threads = resolve_threads(config.threads, device);
    let objective = Sequential {
        validation: sample_examples(
            data,
            Target::Validation,
            config.validation_users,
            config.seed,
        ),
        plain: device.clone(),
        step: Step {
            data,
            config,
            taken: Taken::new(data),
            device: training,
            threads,
        },
    };
    let settings = FitSettings {
        epochs: config.epochs,
        min_steps: 0,
        learning_rate: config.learning_rate,
        warmup_steps: config.warmup_steps,
        weight_decay: config.weight_decay,
        beta_2: config.beta_2,
        patience: config.patience,
        choice: Choice::Epochs,
        threads,
    };
    let rng = ChaCha8Rng::seed_from_u64(config.seed);
    run(&objective, model, &settings, rng, stop, observer)
}

/// [`fit`] as the registry of baselines wants it: the ranker, its epochs, and how many values it learned.
pub(super) fn ranker<'a>(
    config: &SequentialConfig,
    context: FitContext<'a>,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(SequentialRanker<'a>, TrainingReport, usize), BaselineError> {
    let config = SequentialConfig {
        seed: context.seed,
        validation_users: context.validation_users,
        ..config.clone()
    };
    let (model, report) = fit(
        context.data,
        &config,
        context.device,
        context.stop,
        observer,
    )?;
    if report.end == TrainingEnd::Interrupted {
        return Err(BaselineError::Interrupted);
    }
    let parameters = model.num_params();
    let ranker = SequentialRanker {
        model,
        data: context.data,
        device: context.device.clone(),
    };
    Ok((ranker, report, parameters))
}

struct Sequential<'a> {
    step: Step<'a>,
    validation: Vec<Example>,
    plain: Device,
}

impl Objective for Sequential<'_> {
    type Model = SequentialModel;
    type Error = SequentialError;

    fn batches(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<Window>> {
        let config = self.step.config;
        epoch_batches(
            self.step.data,
            config.max_history,
            config.batch_windows,
            rng,
        )
    }

    fn gradients(
        &self,
        model: &SequentialModel,
        batch: &[Window],
        seed: u64,
    ) -> Result<(GradientsParams, f32), SequentialError> {
        Ok(self.step.gradients(model, batch, seed))
    }

    fn validate(&self, model: &SequentialModel) -> Result<Option<(f64, f64)>, SequentialError> {
        let ranker = SequentialRanker {
            model: model.clone(),
            data: self.step.data,
            device: self.plain.clone(),
        };
        Ok(validation_metrics(
            self.step.data,
            &self.validation,
            &ranker,
        )?)
    }
}

/// A trained model over the histories of a data set.
#[derive(Debug)]
pub struct SequentialRanker<'a> {
    /// Without gradients.
    pub model: SequentialModel,
    /// Whose histories.
    pub data: &'a Dataset,
    /// Where the model lies.
    pub device: Device,
}

/// Examples that are encoded together; on a CPU one thread takes so many.
const TOGETHER: usize = 16;

impl Ranker for SequentialRanker<'_> {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        if self.device != Device::flex() {
            return self.encoded(examples);
        }
        let parts: Vec<_> = examples
            .par_chunks(TOGETHER)
            .map(|part| self.encoded(part))
            .collect::<Result<_, _>>()?;
        Ok(parts.into_iter().flatten().collect())
    }
}

impl SequentialRanker<'_> {
    fn encoded(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        let kept = self.model.max_history();
        let histories: Vec<_> = examples
            .iter()
            .map(|example| {
                let past = &self.data.histories[example.user][..example.position];
                &past[past.len().saturating_sub(kept)..]
            })
            .collect();
        let length = histories
            .iter()
            .map(|past| past.len())
            .max()
            .unwrap_or(0)
            .max(1);
        let (rows, items) = (examples.len(), self.data.items.len());
        let mut inputs = vec![0i32; rows * length];
        let mut newest = Vec::with_capacity(rows);
        for (row, past) in histories.iter().enumerate() {
            for (input, event) in inputs[row * length..].iter_mut().zip(*past) {
                *input = event.item as i32;
            }
            newest.push((row * length + past.len().saturating_sub(1)) as i32);
        }
        let states = self
            .model
            .states(ints(inputs, [rows, length], &self.device), &mut |part| part);
        let [_, _, width] = states.dims();
        let states: Tensor<2> = states
            .reshape([rows * length, width])
            .select(0, ints(newest, [rows], &self.device));
        let scores = states.matmul(self.model.item.weight.val().transpose());
        let scores = scores
            .try_into_vec_as::<f32>()
            .map_err(|error| RankError::Scores {
                user: examples.first().map_or(0, |example| example.user),
                message: error.to_string(),
            })?;
        Ok(scores.chunks_exact(items).map(<[f32]>::to_vec).collect())
    }
}

#[cfg(test)]
mod tests;
