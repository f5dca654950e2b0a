//! The training loop of the reward model.

use std::f64::consts::PI;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use curec_shared_model::reward::{ConfigError, RewardModel};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::batch::{Sampler, Window, epoch_batches};
use super::config::RewardTrainingConfig;
use super::features::{Features, floats};
use super::forward::{auxiliary_loss, batch_logits, loss};
use super::score::{ScoreError, Scorer};
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

/// What happens during training: feed a progress bar with it, and write it out as JSON lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainingEvent {
    /// Once, before the first step.
    Start {
        /// Epochs at most.
        epochs: usize,
        /// Training examples per epoch.
        examples: usize,
        /// Learned values in the model.
        parameters: usize,
        /// Threads that share a batch.
        threads: usize,
    },
    /// After some steps.
    Step {
        /// 1-based.
        epoch: usize,
        /// 1-based within the epoch.
        step: usize,
        /// Steps in this epoch.
        steps: usize,
        /// Loss, averaged since the last event.
        loss: f32,
        /// Learning rate now.
        learning_rate: f64,
    },
    /// After each epoch's validation.
    Epoch(EpochReport),
}

/// One epoch in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// 1-based.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f32,
    /// Examples trained on.
    pub examples: usize,
    /// Wall-clock seconds of training.
    pub seconds: f64,
    /// Wall-clock seconds of validation.
    pub validation_seconds: f64,
    /// Full-catalogue NDCG@10 of the validation sample, seen items filtered.
    pub validation_ndcg_10: f64,
    /// HR@10 of the same.
    pub validation_hr_10: f64,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingEnd {
    /// All epochs ran.
    Completed,
    /// Validation stopped improving.
    EarlyStopped,
    /// The stop flag was raised; the model is the best so far.
    Interrupted,
}

/// The story of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Every finished epoch.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept (0 = none was finished).
    pub best_epoch: usize,
    /// How it ended.
    pub end: TrainingEnd,
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
        epochs: run.config.epochs,
        examples: run.examples,
        parameters: model.num_params(),
        threads: run.threads,
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
    for (name, value) in [
        ("epochs", config.epochs),
        ("batch_windows", config.batch_windows),
        ("negatives", config.negatives),
    ] {
        if value == 0 {
            return Err(RewardTrainingError::Setting(format!(
                "`{name}` is 0; it must be at least 1"
            )));
        }
    }
    if !(0.0..1.0).contains(&config.dropout) {
        return Err(RewardTrainingError::Setting(format!(
            "`dropout` is {}; it must lie in [0, 1)",
            config.dropout
        )));
    }
    config.model.validate()?;
    Ok(config)
}

struct Run<'a> {
    config: RewardTrainingConfig,
    features: Features<'a>,
    sampler: Sampler<'a>,
    validation: Vec<Example>,
    training: Device,
    plain: Device,
    threads: usize,
    examples: usize,
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
        let examples = data
            .split
            .iter()
            .map(|split| split.train.saturating_sub(1))
            .sum();
        if examples == 0 {
            return Err(RewardTrainingError::NoExamples);
        }
        Ok(Self {
            sampler: Sampler::new(features, &config),
            validation: sample_examples(
                data,
                Target::Validation,
                config.validation_users,
                config.seed,
            ),
            threads: resolve_threads(config.threads, &plain),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            examples,
            features,
            config,
            training,
            plain,
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
            .with_weight_decay(self.config.weight_decay as f32)
            .init();
        let mut report = TrainingReport {
            epochs: Vec::new(),
            best_epoch: 0,
            end: TrainingEnd::Completed,
        };
        let mut best: Option<(f64, RewardModel)> = None;
        for epoch in 1..=self.config.epochs {
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
            } else if epoch - report.best_epoch >= self.config.patience
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

    /// One pass; `None` when the stop flag was raised.
    fn epoch(
        &mut self,
        epoch: usize,
        mut model: RewardModel,
        optimizer: &mut ModuleOptimizer,
        stop: &AtomicBool,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<Option<(RewardModel, f32)>, RewardTrainingError> {
        let data = self.features.timeline.data();
        let batches = epoch_batches(
            data,
            self.config.model.max_history,
            self.config.batch_windows,
            &mut self.rng,
        );
        let steps = batches.len();
        let (mut total, mut examples, mut recent, mut recent_steps) = (0f64, 0usize, 0f32, 0usize);
        for (index, windows) in batches.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let learning_rate =
                self.learning_rate((epoch - 1) * steps + index, self.config.epochs * steps);
            let (gradients, loss, count) = self.gradients(&model, windows)?;
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

    /// Gradients of a batch, its parts on threads of their own.
    fn gradients(
        &mut self,
        model: &RewardModel,
        windows: &[Window],
    ) -> Result<(GradientsParams, f32, usize), RewardTrainingError> {
        let total: usize = windows
            .iter()
            .map(|window| window.end - window.start - 1)
            .sum();
        let part = windows.len().div_ceil(self.threads);
        let parts: Vec<(&[Window], u64)> = windows
            .chunks(part)
            .map(|part| (part, self.rng.random()))
            .collect();
        let (this, shared) = (&*self, parts.len() > 1);
        let work =
            |&(windows, seed): &(&[Window], u64)| -> Result<(GradientsParams, f32), LeakError> {
                let model = if shared {
                    model.clone().map(&mut OwnLeaves)
                } else {
                    model.clone()
                };
                let batch = this.sampler.gather(windows, seed)?;
                let output = batch_logits(
                    &model,
                    &this.features,
                    &batch,
                    this.config.dropout,
                    &this.training,
                );
                let auxiliary = (!batch.shared.is_empty())
                    .then(|| auxiliary_loss(&model, &output, &batch, total));
                let loss = loss(output, this.config.loss, total);
                let value = loss.clone().into_scalar::<f32>();
                let objective = match auxiliary {
                    Some(auxiliary) => loss + auxiliary.mul_scalar(this.config.auxiliary_weight),
                    None => loss,
                };
                Ok((
                    GradientsParams::from_grads(objective.backward(), &model),
                    value,
                ))
            };
        let results: Vec<_> = if let [only] = parts.as_slice() {
            vec![work(only)]
        } else {
            std::thread::scope(|scope| {
                let work = &work;
                let handles: Vec<_> = parts
                    .iter()
                    .map(|part| scope.spawn(move || work(part)))
                    .collect();
                handles
                    .into_iter()
                    .map(|handle| {
                        handle
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    })
                    .collect()
            })
        };
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        for result in results {
            let (gradients, value) = result?;
            accumulator.accumulate(model, gradients);
            loss += value;
        }
        Ok((accumulator.grads(), loss, total))
    }

    fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        let peak = self.config.learning_rate;
        let warmup = self.config.warmup_steps.min(steps / 10);
        if step < warmup {
            return peak * (step + 1) as f64 / warmup as f64;
        }
        let done = (step - warmup) as f64 / (steps - warmup).max(1) as f64;
        peak * (0.1 + 0.9 * 0.5 * (1.0 + (PI * done).cos()))
    }

    fn validate(&self, model: &RewardModel) -> Result<(f64, f64), RewardTrainingError> {
        let scorer =
            Scorer::new(model.clone(), self.features, &self.plain)?.with_threads(self.threads);
        let ranks = rank_examples(
            self.features.timeline.data(),
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

fn initialise(model: &RewardModel) {
    struct Touch;
    impl ModuleVisitor for Touch {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    model.visit(&mut Touch);
}
