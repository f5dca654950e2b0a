//! The training loop of the reward model.

use std::f64::consts::PI;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use curec_shared_model::reward::{ConfigError, RewardModel};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::batch::{Sampler, epoch_batches};
use super::config::RewardTrainingConfig;
use super::events::{EpochReport, TrainingEnd, TrainingEvent, TrainingReport};
use super::features::{Features, floats};
use super::score::{ScoreError, Scorer};
use super::step::{Step, example_count};
use crate::evaluation::{Example, RankError, SeenItems, Target, rank_examples, sample_examples};
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
    /// No user has two training events.
    #[error("there is nothing to train on: no user has two training events")]
    NoExamples,
    /// The time rule was broken: a defect of this program.
    #[error(transparent)]
    Leak(#[from] LeakError),
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
    /// Validation failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Ranking for validation failed.
    #[error(transparent)]
    Rank(#[from] RankError),
}

const STEPS_PER_EVENT: usize = 20;

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
    let mut run = Run::new(features, config, training, device.clone())?;
    observer(&TrainingEvent::Start {
        epochs: run.step.config.epochs,
        examples: run.examples,
        parameters: model.num_params(),
        threads: run.step.threads,
    });
    run.train(model, stop, observer)
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

struct Run<'a> {
    step: Step<'a>,
    validation: Vec<Example>,
    plain: Device,
    examples: usize,
    /// Passes over the data that make an epoch.
    passes: usize,
    rng: ChaCha8Rng,
}

impl<'a> Run<'a> {
    fn new(
        features: Features<'a>,
        config: RewardTrainingConfig,
        training: Device,
        plain: Device,
    ) -> Result<Self, RewardTrainingError> {
        let data = features.timeline.data();
        let examples: usize = data
            .split
            .iter()
            .map(|split| split.train.saturating_sub(1))
            .sum();
        if examples == 0 {
            return Err(RewardTrainingError::NoExamples);
        }
        let rng = ChaCha8Rng::seed_from_u64(config.seed);
        let batches = epoch_batches(
            data,
            config.model.max_history,
            config.batch_windows,
            &mut rng.clone(),
        );
        let steps = (config.epochs * batches.len()).max(1);
        let passes = config.min_steps.div_ceil(steps).max(1);
        Ok(Self {
            validation: sample_examples(
                data,
                Target::Validation,
                config.validation_users,
                config.seed,
            ),
            rng,
            step: Step {
                sampler: Sampler::new(features, &config),
                features,
                threads: resolve_threads(config.threads, &plain),
                config,
                device: training,
            },
            plain,
            examples: examples * passes,
            passes,
        })
    }

    fn train(
        &mut self,
        mut model: RewardModel,
        stop: &AtomicBool,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<(RewardModel, TrainingReport), RewardTrainingError> {
        let mut optimizer = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(self.step.config.weight_decay as f32)
            .init();
        let mut report = TrainingReport {
            epochs: Vec::new(),
            best_epoch: 0,
            end: TrainingEnd::Completed,
        };
        let mut best: Option<(f64, RewardModel)> = None;
        for epoch in 1..=self.step.config.epochs {
            let started = Instant::now();
            let Some((trained, loss)) =
                self.epoch(epoch, model.clone(), &mut optimizer, stop, observer)?
            else {
                report.end = TrainingEnd::Interrupted;
                break;
            };
            model = trained;
            let seconds = started.elapsed().as_secs_f64();
            let frozen = model.valid();
            let (ndcg, hit_rate) = self.validate(&frozen)?;
            let entry = EpochReport {
                epoch,
                loss,
                examples: self.examples,
                seconds,
                validation_seconds: started.elapsed().as_secs_f64() - seconds,
                validation_ndcg_10: ndcg,
                validation_hr_10: hit_rate,
            };
            observer(&TrainingEvent::Epoch(entry.clone()));
            report.epochs.push(entry);
            if best.as_ref().is_none_or(|(score, _)| ndcg > *score) {
                report.best_epoch = epoch;
                best = Some((ndcg, frozen));
            } else if epoch - report.best_epoch >= self.step.config.patience
                && !self.validation.is_empty()
            {
                report.end = TrainingEnd::EarlyStopped;
                break;
            }
        }
        Ok((
            best.map_or_else(|| model.valid(), |(_, model)| model),
            report,
        ))
    }

    /// One epoch; `None` when the stop flag was raised.
    fn epoch(
        &mut self,
        epoch: usize,
        mut model: RewardModel,
        optimizer: &mut ModuleOptimizer,
        stop: &AtomicBool,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<Option<(RewardModel, f32)>, RewardTrainingError> {
        let data = self.step.features.timeline.data();
        let mut batches = Vec::new();
        for _ in 0..self.passes {
            batches.extend(epoch_batches(
                data,
                self.step.config.model.max_history,
                self.step.config.batch_windows,
                &mut self.rng,
            ));
        }
        let steps = batches.len();
        let (mut total, mut examples, mut recent, mut recent_steps) = (0f64, 0usize, 0f32, 0usize);
        for (index, windows) in batches.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let learning_rate =
                self.learning_rate((epoch - 1) * steps + index, self.step.config.epochs * steps);
            let (gradients, loss) = self.step.gradients(&model, windows, self.rng.random())?;
            let count = example_count(windows);
            if !loss.is_finite() {
                return Err(RewardTrainingError::Diverged {
                    epoch,
                    step: index + 1,
                    loss,
                });
            }
            model = optimizer.step(learning_rate, model, gradients);
            total += f64::from(loss) * count as f64;
            examples += count;
            recent += loss;
            recent_steps += 1;
            if (index + 1) % STEPS_PER_EVENT == 0 || index + 1 == steps {
                let loss = recent / recent_steps as f32;
                observer(&TrainingEvent::Step {
                    epoch,
                    step: index + 1,
                    steps,
                    loss,
                    learning_rate,
                });
                (recent, recent_steps) = (0.0, 0);
            }
        }
        Ok(Some((model, (total / examples as f64) as f32)))
    }

    fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        let peak = self.step.config.learning_rate;
        let warmup = self.step.config.warmup_steps.min(steps / 10);
        if step < warmup {
            return peak * (step + 1) as f64 / warmup as f64;
        }
        let done = (step - warmup) as f64 / (steps - warmup).max(1) as f64;
        peak * (0.1 + 0.9 * 0.5 * (1.0 + (PI * done).cos()))
    }

    fn validate(&self, model: &RewardModel) -> Result<(f64, f64), RewardTrainingError> {
        let scorer = Scorer::new(model.clone(), self.step.features, &self.plain)?
            .with_threads(self.step.threads);
        let ranks = rank_examples(
            self.step.features.timeline.data(),
            &self.validation,
            SeenItems::Filtered,
            &scorer,
        )?;
        let count = ranks.len().max(1) as f64;
        let hits = ranks.iter().filter(|&&rank| rank <= 10);
        let ndcg: f64 = hits
            .clone()
            .map(|&rank| 1.0 / f64::from(rank + 1).log2())
            .sum();
        Ok((ndcg / count, hits.count() as f64 / count))
    }
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

fn initialise(model: &RewardModel) {
    struct Touch;
    impl ModuleVisitor for Touch {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    model.visit(&mut Touch);
}
