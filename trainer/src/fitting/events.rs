//! What a training run tells while it goes and when it is over; written as JSON lines and into the run directory.

use serde::{Deserialize, Serialize};

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

impl TrainingEvent {
    /// The same with epochs counted on from `before` earlier ones.
    pub(crate) fn later(&self, before: usize) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::Start { .. } => {}
            Self::Step { epoch, .. } => *epoch += before,
            Self::Epoch(report) => report.epoch += before,
        }
        event
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingEnd {
    /// All epochs ran.
    #[default]
    Completed,
    /// Validation stopped improving.
    EarlyStopped,
    /// The stop flag was raised; the model is the best so far.
    Interrupted,
}

/// The story of a training run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Every finished epoch.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept (0: those that training began with).
    pub best_epoch: usize,
    /// How it ended.
    pub end: TrainingEnd,
    /// Parts that each batch was divided into: another number rounds differently, and training carries that on. 0 in files from before this
    /// was written.
    #[serde(default)]
    pub threads: usize,
}

impl TrainingReport {
    /// The story of this training and of one that went on from it, whose weights are the ones kept.
    pub(crate) fn then(mut self, next: Self) -> Self {
        let before = self.epochs.len();
        self.epochs.extend(next.epochs.into_iter().map(|mut epoch| {
            epoch.epoch += before;
            epoch
        }));
        let best_epoch = match next.best_epoch {
            0 => self.best_epoch,
            best => before + best,
        };
        Self {
            best_epoch,
            end: next.end,
            threads: next.threads,
            ..self
        }
    }
}
