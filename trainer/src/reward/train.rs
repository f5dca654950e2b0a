//! Training of the reward model: what [`crate::fitting`] needs to know of it.

use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use curec_shared_model::reward::{ConfigError, RewardConfig, RewardModel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::batch::Sampler;
use super::config::{Keep, RewardTrainingConfig};
use super::features::{Features, floats};
use super::score::{ScoreError, Scorer};
use super::step::{Phase, Step};
use crate::evaluation::{Example, RankError, Target, sample_examples};
use crate::fitting::{
    BETA_2, Choice, FitError, FitSettings, Objective, TrainingEnd, TrainingEvent, TrainingReport,
    Window, epoch_batches, fit, initialise, resolve_threads, validation_metrics,
};
use crate::past::LeakError;

/// Why training failed.
#[derive(Debug, Error)]
pub enum RewardTrainingError {
    /// The model's sizes do not work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting of the training itself.
    #[error("reward training: {0}")]
    Setting(String),
    /// Patterns and reasons come from encoders of different width.
    #[error(
        "patterns have vectors of width {patterns} and reasons of width {reasons}; both must come from the same LLM"
    )]
    Widths {
        /// Width in the pattern store.
        patterns: usize,
        /// Width in the reason store.
        reasons: usize,
    },
    /// The time rule was broken: a defect of this program.
    #[error(transparent)]
    Leak(#[from] LeakError),
    /// Nothing to train on, or a loss that is no number any more.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Validation failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Ranking for validation failed.
    #[error(transparent)]
    Rank(#[from] RankError),
}

/// Trains a reward model on `device` (a plain one; gradients are switched on inside), from `start` on: what [`train_identities`] gave
/// for the same items, or nothing, in which case that comes first if the settings ask for it. A model that reads nothing goes through the
/// phases that one with texts goes through: what the two are compared by is texts, not training.
///
/// The returned model is the one with the best validation NDCG@10 (`keep` may say otherwise), without gradients. `stop` ends the training after the
/// current step.
pub fn train(
    features: Features,
    config: &RewardTrainingConfig,
    start: Option<RewardModel>,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(RewardModel, TrainingReport), RewardTrainingError> {
    let mut training = Training::new(features, config, device, stop, observer)?;
    let model = match start {
        Some(start) => {
            training.trained = true;
            start.reading(config.model.use_reasons, config.model.use_patterns)
        }
        None if config.begins_with_identities() => training.identities()?,
        None => training.fresh()?,
    };
    let model = match config.has_auxiliary() {
        true => training.run(Phase::States, model)?,
        false => model,
    };
    let model = training.run(Phase::Whole, model)?;
    Ok((model, training.report))
}

/// Trains encoder and ID embeddings of a fresh model alone (`identity_epochs`); the rest of it is as it was drawn. Models that read
/// texts and models that do not can go on from it.
pub fn train_identities(
    features: Features,
    config: &RewardTrainingConfig,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(RewardModel, TrainingReport), RewardTrainingError> {
    let mut training = Training::new(features, config, device, stop, observer)?;
    let model = training.identities()?;
    Ok((model, training.report))
}

/// The phases of a training, each from the best weights of the one before.
struct Training<'a> {
    objective: RewardObjective<'a>,
    /// Of all phases together.
    sampler: Sampler<'a>,
    /// Whether a phase has gone before.
    trained: bool,
    report: TrainingReport,
    stop: &'a AtomicBool,
    observer: &'a mut dyn FnMut(&TrainingEvent),
}

impl<'a> Training<'a> {
    fn new(
        features: Features<'a>,
        config: &RewardTrainingConfig,
        device: &Device,
        stop: &'a AtomicBool,
        observer: &'a mut dyn FnMut(&TrainingEvent),
    ) -> Result<Self, RewardTrainingError> {
        let config = complete(features, config)?;
        let data = features.timeline.data();
        let sampler = Sampler::new(features, &config);
        let (count, seed) = (config.validation_users, config.seed);
        Ok(Self {
            objective: RewardObjective {
                validation: sample_examples(data, Target::Validation, count, seed),
                step: Step {
                    phase: Phase::Whole,
                    sampler: sampler.clone(),
                    features,
                    threads: resolve_threads(config.threads, device),
                    config,
                    device: device.clone().autodiff(),
                },
                plain: device.clone(),
            },
            sampler,
            trained: false,
            report: TrainingReport::default(),
            stop,
            observer,
        })
    }

    fn config(&self) -> &RewardTrainingConfig {
        &self.objective.step.config
    }

    /// Untrained weights, with the statistics of the texts.
    fn fresh(&self) -> Result<RewardModel, RewardTrainingError> {
        let step = &self.objective.step;
        step.device.seed(step.config.seed);
        let model = step.config.model.init(&step.device)?;
        initialise(&model); // parameters are lazy: draw them now, in order, from the seeded generator
        Ok(match text_statistics(step.features) {
            Some((mean, deviation)) => {
                let width = mean.len();
                model.with_text_statistics(
                    floats(mean, [width], &step.device),
                    floats(deviation, [width], &step.device),
                )
            }
            None => model,
        })
    }

    /// A fresh model after its first phase, with a match that says nothing yet.
    fn identities(&mut self) -> Result<RewardModel, RewardTrainingError> {
        let RewardConfig {
            use_reasons,
            use_patterns,
            ..
        } = self.config().model;
        // Validated as it is trained: what would read texts has learned nothing yet.
        let model = self.fresh()?.reading(false, false);
        let model = self.run(Phase::Identities, model)?;
        let model = match self.trained {
            true => model.with_silent_reasons(),
            false => model,
        };
        Ok(model.reading(use_reasons, use_patterns))
    }

    /// One phase, from `model` on. Nothing where it has no epochs, or where training was interrupted before.
    fn run(
        &mut self,
        phase: Phase,
        model: RewardModel,
    ) -> Result<RewardModel, RewardTrainingError> {
        let config = self.config();
        let (epochs, learning_rate, sampler) = match phase {
            Phase::Identities => (
                config.identity_epochs,
                config.identity_learning_rate,
                self.sampler.of_identities(config.identity_negatives),
            ),
            Phase::States => (
                config.warm_epochs,
                config.warm_learning_rate,
                self.sampler.without_negatives(),
            ),
            Phase::Whole => (config.epochs, config.learning_rate, self.sampler.clone()),
        };
        if epochs == 0 || self.report.end == TrainingEnd::Interrupted {
            return Ok(model);
        }
        let settings = FitSettings {
            epochs,
            min_steps: config.min_steps,
            learning_rate,
            warmup_steps: config.warmup_steps,
            weight_decay: config.weight_decay,
            beta_2: BETA_2,
            patience: config.patience,
            choice: match (config.keep, phase) {
                (Keep::Last, _) => Choice::LastEpoch,
                // What begins to read is to read: that it ranks no better for it is a result, not a reason to stop.
                (Keep::Best, Phase::States) if self.trained && config.model.use_reasons => {
                    Choice::LaterEpochs
                }
                (Keep::Best, _) if self.trained => Choice::EpochsOrStart,
                (Keep::Best, _) => Choice::Epochs,
            },
            threads: self.objective.step.threads,
        };
        // A stream for each phase: what it draws does not depend on what came before.
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(phase as u64);
        (self.trained, self.objective.step.phase) = (true, phase);
        self.objective.step.sampler = sampler;
        let (before, observer) = (self.report.epochs.len(), &mut *self.observer);
        let (model, next) = fit(
            &self.objective,
            model.train(),
            &settings,
            rng,
            self.stop,
            &mut |event| observer(&event.later(before)),
        )?;
        self.report = std::mem::take(&mut self.report).then(next);
        Ok(model)
    }
}

/// Fills in what the data decides and refuses what cannot work.
fn complete(
    features: Features,
    config: &RewardTrainingConfig,
) -> Result<RewardTrainingConfig, RewardTrainingError> {
    let (patterns, reasons) = (features.patterns.width(), features.reasons.width());
    if patterns != reasons {
        return Err(RewardTrainingError::Widths { patterns, reasons });
    }
    let items = features.timeline.data().items.len();
    let mut config = config.clone();
    for (name, field, actual) in [
        ("items", &mut config.model.items, items),
        ("text_width", &mut config.model.text_width, reasons),
    ] {
        if *field != 0 && *field != actual {
            return Err(RewardTrainingError::Setting(format!(
                "`model.{name}` is {field}, but the data has {actual}; leave it out"
            )));
        }
        *field = actual;
    }
    config.validate()?;
    Ok(config)
}

struct RewardObjective<'a> {
    step: Step<'a>,
    validation: Vec<Example>,
    plain: Device,
}

impl Objective for RewardObjective<'_> {
    type Model = RewardModel;
    type Error = RewardTrainingError;

    fn batches(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<Window>> {
        let config = &self.step.config;
        let data = self.step.features.timeline.data();
        epoch_batches(data, config.model.max_history, config.batch_windows, rng)
    }

    fn gradients(
        &self,
        model: &RewardModel,
        batch: &[Window],
        seed: u64,
    ) -> Result<(GradientsParams, f32), RewardTrainingError> {
        Ok(self.step.gradients(model, batch, seed)?)
    }

    fn validate(&self, model: &RewardModel) -> Result<Option<(f64, f64)>, RewardTrainingError> {
        let scorer = Scorer::new(model.clone(), self.step.features, &self.plain)?
            .with_threads(self.step.threads);
        let data = self.step.features.timeline.data();
        Ok(validation_metrics(data, &self.validation, &scorer)?)
    }
}

/// Mean and standard deviation per column over all stored text vectors; both come from training interactions only.
fn text_statistics(features: Features) -> Option<(Vec<f32>, Vec<f32>)> {
    let width = features.reasons.width();
    let rows = || {
        features
            .reasons
            .vectors()
            .chunks_exact(width)
            .chain(features.patterns.vectors().chunks_exact(width))
    };
    let count = rows().count() as f64;
    if count < 2.0 {
        return None;
    }
    let (mut sum, mut squares) = (vec![0f64; width], vec![0f64; width]);
    for row in rows() {
        for (column, &value) in row.iter().enumerate() {
            sum[column] += f64::from(value);
        }
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
    for row in rows() {
        for (column, &value) in row.iter().enumerate() {
            squares[column] += (f64::from(value) - mean[column]).powi(2);
        }
    }
    let deviation = squares
        .iter()
        .map(|square| (square / count).sqrt() as f32)
        .collect();
    Some((
        mean.into_iter().map(|mean| mean as f32).collect(),
        deviation,
    ))
}
