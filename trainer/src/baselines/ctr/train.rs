//! DIN's training: mean log-loss, AdamW, the epoch with the best validation AUC.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::DinConfig;
use super::data::{CtrData, Example, Part};
use super::din::{Batch, Catalogue, Din};
use super::metrics::{Scored, auc, log_loss};
use crate::baselines::error::BaselineError;

const STEPS_PER_EVENT: usize = 20;

/// One epoch in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CtrEpoch {
    /// 1-based.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f32,
    /// Wall-clock seconds, validation included.
    pub seconds: f64,
    /// AUC of the validation part.
    pub validation_auc: f64,
    /// Log-loss of the validation part.
    pub validation_log_loss: f64,
}

/// What happens during training.
#[derive(Debug, Clone, PartialEq)]
pub enum CtrEvent {
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
    },
    /// After each epoch's validation.
    Epoch(CtrEpoch),
}

/// A trained DIN.
pub struct CtrFitted<'a> {
    data: &'a CtrData,
    history: usize,
    device: Device,
    model: Din,
    /// Every epoch.
    pub epochs: Vec<CtrEpoch>,
    /// The epoch that was kept.
    pub best_epoch: usize,
    /// Learned values.
    pub parameters: usize,
}

impl CtrFitted<'_> {
    /// Logits of a part.
    ///
    /// # Errors
    /// The device failed, or the stop flag was raised.
    pub fn score(&self, part: Part, stop: &AtomicBool) -> Result<Vec<Scored>, BaselineError> {
        let catalogue = Catalogue::new(self.data, &self.device);
        let examples = self.data.part(part);
        score(
            &self.model,
            &catalogue,
            self.data,
            examples,
            self.history,
            &self.device,
            stop,
        )
    }
}

/// Trains DIN on `device` (a plain one).
///
/// # Errors
/// A loss that diverges, the device, or the stop flag.
pub fn fit<'a>(
    config: &DinConfig,
    data: &'a CtrData,
    device: &Device,
    seed: u64,
    stop: &AtomicBool,
    observer: &mut dyn FnMut(&CtrEvent),
) -> Result<CtrFitted<'a>, BaselineError> {
    let training = device.clone().autodiff();
    training.seed(seed);
    let model = Din::new(config, data, &training);
    initialise(&model);
    let mut fitted = CtrFitted {
        data,
        history: config.history,
        device: device.clone(),
        parameters: model.num_params(),
        model: model.valid(),
        epochs: Vec::new(),
        best_epoch: 0,
    };
    let mut run = Run {
        config,
        data,
        catalogue: Catalogue::new(data, &training),
        model,
        optimizer: AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(config.weight_decay as f32)
            .init(),
        rng: ChaCha8Rng::seed_from_u64(seed),
        device: training,
    };
    let plain = Catalogue::new(data, device);
    let mut best = f64::NEG_INFINITY;
    for epoch in 1..=config.epochs {
        let started = Instant::now();
        let loss = run.epoch(epoch, stop, observer)?;
        let model = run.model.valid();
        let scored = score(
            &model,
            &plain,
            data,
            &data.valid,
            config.history,
            device,
            stop,
        )?;
        let entry = CtrEpoch {
            epoch,
            loss,
            seconds: started.elapsed().as_secs_f64(),
            validation_auc: auc(&scored),
            validation_log_loss: log_loss(&scored),
        };
        observer(&CtrEvent::Epoch(entry.clone()));
        let area = entry.validation_auc;
        fitted.epochs.push(entry);
        if area > best {
            (best, fitted.best_epoch, fitted.model) = (area, epoch, model);
        } else if epoch - fitted.best_epoch >= config.patience {
            break;
        }
    }
    Ok(fitted)
}

struct Run<'a> {
    config: &'a DinConfig,
    data: &'a CtrData,
    catalogue: Catalogue,
    model: Din,
    optimizer: ModuleOptimizer,
    rng: ChaCha8Rng,
    /// With gradients switched on.
    device: Device,
}

impl Run<'_> {
    fn epoch(
        &mut self,
        epoch: usize,
        stop: &AtomicBool,
        observer: &mut dyn FnMut(&CtrEvent),
    ) -> Result<f32, BaselineError> {
        let examples = self.data.training(&mut self.rng);
        let steps = examples.len().div_ceil(self.config.batch);
        let (mut total, mut recent, mut recent_steps) = (0f64, 0f32, 0usize);
        for (step, chunk) in examples.chunks(self.config.batch).enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(BaselineError::Interrupted);
            }
            let loss = self.step(chunk);
            if !loss.is_finite() {
                return Err(BaselineError::Diverged { epoch, loss });
            }
            total += f64::from(loss) * chunk.len() as f64;
            recent += loss;
            recent_steps += 1;
            if recent_steps == STEPS_PER_EVENT || step + 1 == steps {
                observer(&CtrEvent::Step {
                    epoch,
                    step: step + 1,
                    steps,
                    loss: recent / recent_steps as f32,
                });
                (recent, recent_steps) = (0.0, 0);
            }
        }
        Ok((total / examples.len() as f64) as f32)
    }

    fn step(&mut self, examples: &[Example]) -> f32 {
        let batch = Batch::new(self.data, examples, self.config.history, &self.device);
        let kept = (self.config.dropout > 0.0).then(|| self.kept(examples.len()));
        let logits = self.model.forward(&self.catalogue, &batch, kept);
        let loss = mean_log_loss(logits, batch.labels);
        let value = loss.clone().into_scalar::<f32>();
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let rate = self.config.learning_rate;
        self.model = self.optimizer.step(rate, self.model.clone(), gradients);
        value
    }

    /// Dropout: 0, or what keeps the expectation.
    fn kept(&mut self, rows: usize) -> Tensor<2> {
        let inputs = Din::inputs(self.config);
        let (dropout, rng) = (self.config.dropout, &mut self.rng);
        let scale = 1.0 / (1.0 - dropout);
        let one = |_| {
            if rng.random::<f32>() < dropout {
                0.0
            } else {
                scale
            }
        };
        let kept: Vec<f32> = (0..rows * inputs).map(one).collect();
        Tensor::from_data(TensorData::new(kept, [rows, inputs]), &self.device)
    }
}

/// `mean (ln(1 + eᶻ) − y z)`
pub(super) fn mean_log_loss(logits: Tensor<1>, labels: Tensor<1>) -> Tensor<1> {
    (softplus(logits.clone(), 1.0) - logits * labels).mean()
}

fn score(
    model: &Din,
    catalogue: &Catalogue,
    data: &CtrData,
    examples: &[Example],
    history: usize,
    device: &Device,
    stop: &AtomicBool,
) -> Result<Vec<Scored>, BaselineError> {
    let mut scored = Vec::with_capacity(examples.len());
    for chunk in examples.chunks(4096) {
        if stop.load(Ordering::Relaxed) {
            return Err(BaselineError::Interrupted);
        }
        let batch = Batch::new(data, chunk, history, device);
        let logits = model.forward(catalogue, &batch, None).into_data();
        let logits = logits
            .try_to_vec::<f32>()
            .map_err(|error| BaselineError::Device(format!("{error:?}")))?;
        scored.extend(chunk.iter().zip(logits).map(|(example, logit)| Scored {
            user: example.user,
            logit,
            label: example.label,
        }));
    }
    Ok(scored)
}

/// Parameters are lazy: draws them now, in order, from the seeded generator.
fn initialise(model: &Din) {
    struct Touch;
    impl ModuleVisitor for Touch {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    model.visit(&mut Touch);
}
