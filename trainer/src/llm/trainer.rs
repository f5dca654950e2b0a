//! A model under training: AdamW, one global gradient norm, one learning rate.

use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{
    AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig, OptimizerRecord,
};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;
use curec_shared_model::qwen2::Qwen2;
use serde::{Deserialize, Serialize};

use super::cpu;
use super::gradient::{Gradient, GradientSettings, gradient};
use super::sequence::{Sequence, TokenScores};
use crate::device::read;

/// How a model is trained, whatever the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerSettings {
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm; 0 leaves them as they are.
    pub max_grad_norm: f64,
    /// Orthogonalised momentum (Muon, scaled to AdamW's step size) for the matrices of the blocks, AdamW for the rest.
    pub muon: bool,
    /// Hand-written CPU kernels where they serve the model (`llm::cpu`); burn's autodiff otherwise.
    pub cpu_kernels: bool,
    /// Compute each block's activations again in the backward pass instead of keeping them: the same gradients in less memory,
    /// for one more forward pass. The CPU kernels have no use for it.
    pub recompute: bool,
    /// Steps in a row whose gradient is not finite (each is left out and counted) after which GRPO stops.
    pub max_skipped: usize,
}

impl Default for TrainerSettings {
    fn default() -> Self {
        Self {
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            muon: false,
            cpu_kernels: true,
            recompute: false,
            max_skipped: 5,
        }
    }
}

/// Files of a saved [`Trainer`].
const WEIGHTS: &str = "weights.bpk";
const MOMENTS: &str = "moments.bpk";
const COUNTS: &str = "steps.json";

/// The network with gradients switched on, and its optimiser state.
pub struct Trainer {
    model: Option<Qwen2>,
    optimizer: ModuleOptimizer,
    max_grad_norm: f64,
    gradients: GradientSettings,
    taken: usize,
    skipped: usize,
    /// The last of them in a row.
    skipped_in_a_row: usize,
}

impl Trainer {
    /// Takes a model and prepares it for training on its device; frozen parameters stay frozen.
    pub fn new(model: Qwen2, settings: &TrainerSettings) -> Self {
        let adam = AdamWConfig::new()
            .with_beta_2(0.98)
            .with_epsilon(1e-8)
            .with_weight_decay(settings.weight_decay as f32);
        let mut optimizer = adam.init();
        if settings.muon {
            let matrices = ParamGroup::from_predicate("_proj.weight");
            let muon = MuonConfig::new()
                .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                .build();
            optimizer = optimizer.with_group(matrices, muon, None);
        }
        Self {
            gradients: GradientSettings {
                cpu_kernels: settings.cpu_kernels && cpu::serves(&model),
                recompute: settings.recompute,
            },
            model: Some(model.train()),
            optimizer,
            max_grad_norm: settings.max_grad_norm,
            taken: 0,
            skipped: 0,
            skipped_in_a_row: 0,
        }
    }

    /// Whether the hand-written kernels compute the gradients.
    pub fn cpu_kernels(&self) -> bool {
        self.gradients.cpu_kernels
    }

    /// [`gradient()`] of the model under training.
    pub fn gradient(
        &self,
        sequences: &[Sequence],
        temperature: f64,
        slope: impl Fn(usize, &TokenScores) -> Vec<f32> + Sync,
    ) -> Gradient {
        gradient(self.model(), sequences, temperature, self.gradients, slope)
    }

    /// The network, gradients on.
    pub fn model(&self) -> &Qwen2 {
        match &self.model {
            Some(model) => model,
            None => unreachable!("the model is only absent inside apply"),
        }
    }

    /// A snapshot without gradients, for sampling and scoring.
    pub fn policy(&self) -> Qwen2 {
        self.model().valid()
    }

    /// Optimiser steps so far, those left out included.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Steps whose gradient was not finite and that were therefore left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// How many of the newest steps in a row were left out.
    pub fn skipped_in_a_row(&self) -> usize {
        self.skipped_in_a_row
    }

    /// Writes what training has changed into a folder: trained parameters, moments, counts.
    ///
    /// # Errors
    /// [`RecordError`], the system's included.
    pub fn save(&self, folder: &Path) -> Result<(), RecordError> {
        struct Trained(Vec<ParamId>);
        impl ModuleVisitor for Trained {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.is_require_grad() {
                    self.0.push(param.id);
                }
            }
        }
        let mut trained = Trained(Vec::new());
        self.model().visit(&mut trained);
        let group = ParamGroup::from_ids(trained.0);
        let weights = self.model().clone().into_record_group(group);
        weights.save(folder.join(WEIGHTS))?;
        self.optimizer.to_record().save(folder.join(MOMENTS))?;
        let counts = serde_json::to_vec(&[self.taken, self.skipped]).map_err(io)?;
        std::fs::write(folder.join(COUNTS), counts).map_err(io)
    }

    /// Goes on where [`Trainer::save`] was called, given the same model and settings as then.
    ///
    /// # Errors
    /// [`RecordError`]: a file is missing, damaged, or of another model.
    pub fn restore(mut self, folder: &Path) -> Result<Self, RecordError> {
        let weights = ModuleRecord::load(folder.join(WEIGHTS))?.allow_partial(true);
        let Some(model) = self.model.take() else {
            unreachable!("the model is only absent inside apply")
        };
        self.model = Some(model.try_load_record(weights)?);
        let moments = OptimizerRecord::load(folder.join(MOMENTS))?;
        self.optimizer = self.optimizer.load_record(moments);
        let counts = std::fs::read(folder.join(COUNTS)).map_err(io)?;
        [self.taken, self.skipped] = serde_json::from_slice(&counts).map_err(io)?;
        Ok(self)
    }

    /// Clips by the global norm and takes one AdamW step. Returns the norm before clipping.
    ///
    /// A gradient that is not finite changes nothing and is counted.
    pub fn apply(&mut self, mut gradients: GradientsParams, learning_rate: f64) -> f64 {
        self.taken += 1;
        let mut squares = Squares {
            gradients: &gradients,
            sums: Vec::new(),
        };
        self.model().visit(&mut squares);
        let norm = squares.norm();
        if !norm.is_finite() {
            self.skipped += 1;
            self.skipped_in_a_row += 1;
            return norm;
        }
        self.skipped_in_a_row = 0;
        let Some(mut model) = self.model.take() else {
            unreachable!("the model is only absent inside apply")
        };
        if self.max_grad_norm > 0.0 && norm > self.max_grad_norm {
            model = model.map(&mut Scale {
                gradients: &mut gradients,
                factor: self.max_grad_norm / norm,
            });
        }
        self.model = Some(self.optimizer.step(learning_rate, model, gradients));
        norm
    }
}

fn io(error: impl std::fmt::Display) -> RecordError {
    RecordError::Io(error.to_string())
}

/// Σ x² of each gradient, left on the device: one number is fetched a step, not one a parameter.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl Squares<'_> {
    /// The global norm.
    fn norm(self) -> f64 {
        if self.sums.is_empty() {
            return 0.0;
        }
        let sums = read(Tensor::cat(self.sums, 0));
        sums.into_iter().map(f64::from).sum::<f64>().sqrt()
    }
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum());
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleMapper for Scale<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients
                .register(param.id, gradient.mul_scalar(self.factor));
        }
        param
    }
}

/// Linear warm-up over the first `warmup` share of the steps, then cosine decay to a tenth.
pub fn learning_rate(peak: f64, step: usize, steps: usize, warmup: f64) -> f64 {
    let done = step as f64 / steps.max(1) as f64;
    if done < warmup {
        return peak * (step + 1) as f64 / (warmup * steps as f64).max(1.0);
    }
    let rest = ((done - warmup) / (1.0 - warmup)).min(1.0);
    peak * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * rest).cos()))
}
