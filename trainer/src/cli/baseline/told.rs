//! A training as a progress bar per epoch.

use crate::baselines::ctr::CtrEvent;
use crate::fitting::TrainingEvent;
use crate::run::{Bar, Progress};

/// Shows a training.
pub(super) struct Told {
    name: &'static str,
    progress: Progress,
    epochs: usize,
    /// The newest epoch; phases that follow one another count on.
    epoch: usize,
    bar: Option<Bar>,
}

impl Told {
    /// `epochs`: at most, where it is known already.
    pub(super) fn new(name: &'static str, epochs: usize, progress: Progress) -> Self {
        Self {
            name,
            progress,
            epochs,
            epoch: 0,
            bar: None,
        }
    }

    pub(super) fn training(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::Start { epochs, .. } => self.epochs = self.epoch + *epochs,
            TrainingEvent::Step {
                epoch,
                step,
                steps,
                loss,
                ..
            } => self.step(*epoch, (*step, *steps), *loss),
            TrainingEvent::Epoch(report) => self.finish(format!(
                "loss {:.4}, validation NDCG@10 {:.4}",
                report.loss, report.validation_ndcg_10
            )),
        }
    }

    pub(super) fn click(&mut self, event: &CtrEvent) {
        match event {
            CtrEvent::Step {
                epoch,
                step,
                steps,
                loss,
            } => self.step(*epoch, (*step, *steps), *loss),
            CtrEvent::Epoch(report) => self.finish(format!(
                "loss {:.4}, validation AUC {:.4}, log-loss {:.4}",
                report.loss, report.validation_auc, report.validation_log_loss
            )),
        }
    }

    fn step(&mut self, epoch: usize, (step, steps): (usize, usize), loss: f32) {
        self.epoch = epoch;
        let bar = self.bar.get_or_insert_with(|| {
            let title = format!("{} epoch {epoch}/{}", self.name, self.epochs);
            self.progress.bar(&title, steps as u64)
        });
        bar.set(step as u64, format!("loss {loss:.4}"));
    }

    fn finish(&mut self, message: String) {
        if let Some(bar) = self.bar.take() {
            bar.finish(message);
        }
    }
}
