//! The training loop of everything that ranks: epochs over batches of history windows, AdamW, validation after each epoch,
//! early stopping, the best weights kept. The reward model and the sequential baselines differ only in their [`Objective`].

mod by_hand;
mod catalogue_loss;
mod dropout;
mod events;
mod parts;
mod softplus;
mod taken;
mod windows;

use std::f64::consts::PI;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

pub(crate) use by_hand::with_gradients;
pub(crate) use catalogue_loss::catalogue_loss;
pub(crate) use dropout::Mask;
pub use events::{EpochReport, TrainingEnd, TrainingEvent, TrainingReport};
pub(crate) use parts::gradients_of_parts;
pub(crate) use softplus::softplus;
pub(crate) use taken::Taken;
pub(crate) use windows::{Window, epoch_batches, example_count};

use crate::evaluation::{Example, RankError, Ranker, SeenItems, rank_examples};

/// Why a training ended without a model.
#[derive(Debug, Error)]
pub enum FitError {
    /// No user has two training events.
    #[error("there is nothing to train on: no user has two training events")]
    NoExamples,
    /// The loss is no number any more.
    #[error("the loss became {loss} in epoch {epoch}, step {step}; lower `learning_rate`")]
    Diverged {
        /// 1-based epoch.
        epoch: usize,
        /// Step within the epoch.
        step: usize,
        /// The loss.
        loss: f32,
    },
}

/// How long and how fast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FitSettings {
    /// Epochs at most.
    pub(crate) epochs: usize,
    /// Optimiser steps at least: an epoch is as many passes over the data as `epochs` of them need for that.
    pub(crate) min_steps: usize,
    /// Peak learning rate; linear warm-up, then cosine down to a tenth.
    pub(crate) learning_rate: f64,
    /// Steps of warm-up, a tenth of all at most.
    pub(crate) warmup_steps: usize,
    /// Decoupled weight decay.
    pub(crate) weight_decay: f64,
    /// AdamW's β₂: how long it remembers squared gradients.
    pub(crate) beta_2: f32,
    /// Epochs without a better validation NDCG@10 before training stops.
    pub(crate) patience: usize,
    /// Which weights validation may choose.
    pub(crate) choice: Choice,
    /// Threads that share a batch, for the record.
    pub(crate) threads: usize,
}

/// Among which weights the ones with the best validation NDCG@10 are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those after any epoch.
    Epochs,
    /// Those that training begins with too: where no epoch is better, nothing has changed.
    EpochsOrStart,
    /// Those after an epoch of the second half, and training lasts until then: for what ranks worse before it ranks better. The
    /// first epoch would often win by having changed least.
    LaterEpochs,
    /// Those after the last epoch and no others: validation decides nothing, and training lasts to its end.
    LastEpoch,
}

/// What is trained, and on what.
pub(crate) trait Objective {
    /// The model.
    type Model: Module;
    /// Why a step or a validation fails.
    type Error: From<FitError>;

    /// The batches of one pass over the data.
    fn batches(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<Window>>;

    /// Gradients of the mean loss over a batch, and that loss. All that is drawn comes from `seed`.
    fn gradients(
        &self,
        model: &Self::Model,
        batch: &[Window],
        seed: u64,
    ) -> Result<(GradientsParams, f32), Self::Error>;

    /// Validation NDCG@10 and HR@10 of a model without gradients; `None` without validation users.
    fn validate(&self, model: &Self::Model) -> Result<Option<(f64, f64)>, Self::Error>;
}

/// AdamW's β₂ where nothing else is asked for.
pub(crate) const BETA_2: f32 = 0.999;

const STEPS_PER_EVENT: usize = 20;

/// Trains `model` (with gradients switched on); returns the weights with the best validation NDCG@10, without gradients. `stop`
/// ends the training after the current step.
pub(crate) fn fit<O: Objective>(
    objective: &O,
    model: O::Model,
    settings: &FitSettings,
    mut rng: ChaCha8Rng,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(O::Model, TrainingReport), O::Error> {
    let once = objective.batches(&mut rng.clone());
    let examples: usize = once.iter().map(|batch| example_count(batch)).sum();
    if examples == 0 {
        return Err(FitError::NoExamples.into());
    }
    let steps = (settings.epochs * once.len()).max(1);
    let passes = settings.min_steps.div_ceil(steps).max(1);
    observer(&TrainingEvent::Start {
        epochs: settings.epochs,
        examples: examples * passes,
        parameters: model.num_params(),
        threads: settings.threads,
    });
    let mut optimizer = AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_beta_2(settings.beta_2)
        .with_weight_decay(settings.weight_decay as f32)
        .init();
    let mut report = TrainingReport {
        epochs: Vec::new(),
        best_epoch: 0,
        end: TrainingEnd::Completed,
        threads: settings.threads,
    };
    let mut best: Option<(f64, O::Model)> = None;
    if settings.choice == Choice::EpochsOrStart {
        let start = model.valid();
        best = objective.validate(&start)?.map(|(ndcg, _)| (ndcg, start));
    }
    let first = match settings.choice {
        Choice::LaterEpochs => settings.epochs / 2 + 1,
        Choice::LastEpoch => settings.epochs,
        Choice::Epochs | Choice::EpochsOrStart => 1,
    };
    let mut model = model;
    for epoch in 1..=settings.epochs {
        let started = Instant::now();
        let batches: Vec<_> = (0..passes)
            .flat_map(|_| objective.batches(&mut rng))
            .collect();
        let mut one = Epoch {
            settings,
            epoch,
            batches,
            optimizer: &mut optimizer,
            rng: &mut rng,
        };
        let Some((trained, loss)) = one.run(objective, model.clone(), stop, observer)? else {
            report.end = TrainingEnd::Interrupted;
            break;
        };
        model = trained;
        let seconds = started.elapsed().as_secs_f64();
        let frozen = model.valid();
        let found = objective.validate(&frozen)?;
        let (ndcg, hit_rate) = found.unwrap_or_default();
        let entry = EpochReport {
            epoch,
            loss,
            examples: examples * passes,
            seconds,
            validation_seconds: started.elapsed().as_secs_f64() - seconds,
            validation_ndcg_10: ndcg,
            validation_hr_10: hit_rate,
        };
        observer(&TrainingEvent::Epoch(entry.clone()));
        report.epochs.push(entry);
        if epoch < first {
            continue;
        }
        if found.is_none() || best.as_ref().is_none_or(|(score, _)| ndcg > *score) {
            report.best_epoch = epoch;
            best = Some((ndcg, frozen));
        } else if epoch - report.best_epoch >= settings.patience {
            report.end = TrainingEnd::EarlyStopped;
            break;
        }
    }
    let model = best.map_or_else(|| model.valid(), |(_, model)| model);
    Ok((model, report))
}

struct Epoch<'a> {
    settings: &'a FitSettings,
    /// 1-based.
    epoch: usize,
    batches: Vec<Vec<Window>>,
    optimizer: &'a mut ModuleOptimizer,
    rng: &'a mut ChaCha8Rng,
}

impl Epoch<'_> {
    /// The model after this epoch and the epoch's mean loss; `None` when the stop flag was raised.
    fn run<O: Objective>(
        &mut self,
        objective: &O,
        mut model: O::Model,
        stop: &AtomicBool,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<Option<(O::Model, f32)>, O::Error> {
        let (epoch, steps) = (self.epoch, self.batches.len());
        let (mut total, mut examples, mut recent, mut recent_steps) = (0f64, 0usize, 0f32, 0usize);
        for (index, batch) in self.batches.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let done = (epoch - 1) * steps + index;
            let rate = learning_rate(self.settings, done, self.settings.epochs * steps);
            let (gradients, loss) = objective.gradients(&model, batch, self.rng.random())?;
            let step = index + 1;
            if !loss.is_finite() {
                return Err(FitError::Diverged { epoch, step, loss }.into());
            }
            model = self.optimizer.step(rate, model, gradients);
            let count = example_count(batch);
            total += f64::from(loss) * count as f64;
            examples += count;
            recent += loss;
            recent_steps += 1;
            if step % STEPS_PER_EVENT == 0 || step == steps {
                observer(&TrainingEvent::Step {
                    epoch,
                    step,
                    steps,
                    loss: recent / recent_steps as f32,
                    learning_rate: rate,
                });
                (recent, recent_steps) = (0.0, 0);
            }
        }
        Ok(Some((model, (total / examples as f64) as f32)))
    }
}

fn learning_rate(settings: &FitSettings, step: usize, steps: usize) -> f64 {
    let peak = settings.learning_rate;
    let warmup = settings.warmup_steps.min(steps / 10);
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    let done = (step - warmup) as f64 / (steps - warmup).max(1) as f64;
    peak * (0.1 + 0.9 * 0.5 * (1.0 + (PI * done).cos()))
}

/// NDCG@10 and HR@10 of `ranker` on `examples`, seen items filtered; `None` without examples.
pub(crate) fn validation_metrics(
    data: &crate::data::Dataset,
    examples: &[Example],
    ranker: &dyn Ranker,
) -> Result<Option<(f64, f64)>, RankError> {
    if examples.is_empty() {
        return Ok(None);
    }
    let ranks = rank_examples(data, examples, SeenItems::Filtered, ranker)?;
    let count = ranks.len() as f64;
    let hits = ranks.iter().filter(|&&rank| rank <= 10);
    let ndcg: f64 = hits
        .clone()
        .map(|&rank| 1.0 / f64::from(rank + 1).log2())
        .sum();
    Ok(Some((ndcg / count, hits.count() as f64 / count)))
}

/// Threads for a device: the setting, or one per core on the CPU and one on anything else.
pub(crate) fn resolve_threads(setting: usize, device: &Device) -> usize {
    match setting {
        0 if *device == Device::flex() => {
            std::thread::available_parallelism().map_or(1, NonZero::get)
        }
        0 => 1,
        set => set,
    }
}

/// Draws a model's lazy parameters now, in order, from the device's seeded generator.
pub(crate) fn initialise<M: Module>(model: &M) {
    struct Touch;
    impl ModuleVisitor for Touch {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    model.visit(&mut Touch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_learning_rate_rises_then_falls_to_a_tenth() {
        let settings = FitSettings {
            epochs: 1,
            min_steps: 0,
            learning_rate: 1.0,
            warmup_steps: 10,
            weight_decay: 0.0,
            beta_2: BETA_2,
            patience: 1,
            choice: Choice::Epochs,
            threads: 1,
        };
        let rate = |step: usize| learning_rate(&settings, step, 110);
        assert_eq!((rate(0), rate(4), rate(9), rate(10)), (0.1, 0.5, 1.0, 1.0));
        // Half of the way down: 0.1 + 0.9 · ½ (1 + cos 90°)
        assert!((rate(60) - 0.55).abs() < 1e-12);
        assert!((rate(110) - 0.1).abs() < 1e-12);
        // Warm-up is a tenth of all steps at most.
        assert_eq!(learning_rate(&settings, 0, 20), 0.5);
    }

    /// Validated by a script; nothing is learnt.
    struct Scripted {
        scores: Vec<f64>,
        next: std::cell::Cell<usize>,
    }

    impl Objective for Scripted {
        type Model = burn::nn::Linear;
        type Error = FitError;

        fn batches(&self, _: &mut ChaCha8Rng) -> Vec<Vec<Window>> {
            let (start, end) = (0, 3);
            vec![vec![Window {
                user: 0,
                start,
                end,
            }]]
        }

        fn gradients(
            &self,
            _: &Self::Model,
            _: &[Window],
            _: u64,
        ) -> Result<(GradientsParams, f32), FitError> {
            Ok((GradientsParams::new(), 1.0))
        }

        fn validate(&self, _: &Self::Model) -> Result<Option<(f64, f64)>, FitError> {
            let at = self.next.replace(self.next.get() + 1);
            Ok(Some((self.scores[at], 0.0)))
        }
    }

    /// Best epoch and number of epochs.
    fn chosen(scores: &[f64], epochs: usize, patience: usize, choice: Choice) -> (usize, usize) {
        let settings = FitSettings {
            epochs,
            min_steps: 0,
            learning_rate: 1e-3,
            warmup_steps: 0,
            weight_decay: 0.0,
            beta_2: BETA_2,
            patience,
            choice,
            threads: 1,
        };
        let objective = Scripted {
            scores: scores.to_vec(),
            next: 0.into(),
        };
        let device = burn::tensor::Device::flex().autodiff();
        let (_, report) = fit(
            &objective,
            burn::nn::LinearConfig::new(2, 2).init(&device),
            &settings,
            ChaCha8Rng::seed_from_u64(1),
            &AtomicBool::new(false),
            &mut |_| {},
        )
        .unwrap();
        (report.best_epoch, report.epochs.len())
    }

    #[test]
    fn validation_chooses_among_the_weights_it_may() {
        let dip = [0.9, 0.2, 0.3, 0.4, 0.6, 0.5];
        assert_eq!(chosen(&dip, 6, 6, Choice::Epochs), (1, 6));
        assert_eq!(chosen(&dip, 6, 3, Choice::Epochs), (1, 4));
        // The start comes first: here it is better than what follows.
        assert_eq!(chosen(&dip, 5, 2, Choice::EpochsOrStart), (0, 2));
        // Nothing before the fourth of six, and no patience is lost before it either.
        assert_eq!(chosen(&dip, 6, 3, Choice::LaterEpochs), (5, 6));
        assert_eq!(chosen(&dip, 6, 1, Choice::LaterEpochs), (5, 6));
        assert_eq!(
            chosen(&[0.9, 0.8, 0.7, 0.6], 4, 1, Choice::LaterEpochs),
            (3, 4)
        );
        assert_eq!(chosen(&[0.9], 1, 1, Choice::LaterEpochs), (1, 1));
        assert_eq!(chosen(&dip, 6, 1, Choice::LastEpoch), (6, 6));
    }
}
