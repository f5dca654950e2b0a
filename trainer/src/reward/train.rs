//! Training of the reward model: what [`crate::fitting`] needs to know of it.

use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use curec_shared_model::reward::{ConfigError, RewardModel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::batch::Sampler;
use super::config::RewardTrainingConfig;
use super::features::{Features, floats};
use super::score::{ScoreError, Scorer};
use super::step::{Phase, Step};
use crate::evaluation::{Example, RankError, Target, sample_examples};
use crate::fitting::{
    FitError, FitSettings, Objective, TrainingEnd, TrainingEvent, TrainingReport, Window,
    epoch_batches, fit, initialise, resolve_threads, validation_metrics,
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

/// Trains a reward model from scratch on `device` (a plain one; gradients are switched on inside).
///
/// The returned model is the one with the best validation NDCG@10, without gradients. `stop` ends the training after the
/// current step.
pub fn train(
    features: Features,
    config: &RewardTrainingConfig,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(RewardModel, TrainingReport), RewardTrainingError> {
    let config = complete(features, config)?;
    let training = device.clone().autodiff();
    training.seed(config.seed);
    let mut model = config.model.init(&training)?;
    initialise(&model); // parameters are lazy: draw them now, in order, from the seeded generator
    if let Some((mean, deviation)) = text_statistics(features) {
        let width = mean.len();
        model = model.with_text_statistics(
            floats(mean, [width], &training),
            floats(deviation, [width], &training),
        );
    }
    let data = features.timeline.data();
    let threads = resolve_threads(config.threads, device);
    let mut settings = FitSettings {
        epochs: config.warm_epochs,
        min_steps: config.min_steps,
        learning_rate: config.warm_learning_rate,
        warmup_steps: config.warmup_steps,
        weight_decay: config.weight_decay,
        patience: config.patience,
        threads,
    };
    let rng = ChaCha8Rng::seed_from_u64(config.seed);
    let (count, seed) = (config.validation_users, config.seed);
    let sampler = Sampler::new(features, &config);
    let mut objective = RewardObjective {
        validation: sample_examples(data, Target::Validation, count, seed),
        step: Step {
            phase: Phase::States,
            sampler: sampler.without_negatives(),
            features,
            threads,
            config,
            device: training,
        },
        plain: device.clone(),
    };
    let config = &objective.step.config;
    let mut warm = TrainingReport::default();
    if config.has_auxiliary() && config.warm_epochs > 0 {
        // A stream of its own: what follows draws the same with and without it.
        let mut rng = rng.clone();
        rng.set_stream(1);
        let (warmed, report) = fit(&objective, model, &settings, rng, stop, observer)?;
        if report.end == TrainingEnd::Interrupted {
            return Ok((warmed, report));
        }
        (model, warm) = (warmed.train(), report);
    }
    settings.epochs = config.epochs;
    settings.learning_rate = config.learning_rate;
    objective.step.phase = Phase::Whole;
    objective.step.sampler = sampler;
    let before = warm.epochs.len();
    let (model, report) = fit(&objective, model, &settings, rng, stop, &mut |event| {
        observer(&event.later(before));
    })?;
    Ok((model, warm.then(report)))
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
