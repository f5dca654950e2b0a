//! Which epoch is kept: the one with the best NDCG@10 of the validation event, seen items filtered. Nothing else may choose.

use std::time::Instant;

use super::error::BaselineError;
use super::registry::FitContext;
use crate::data::Dataset;
use crate::evaluation::{
    Example, Metric, Ranker, SeenItems, Target, rank_examples, sample_examples,
};
use crate::fitting::{EpochReport, TrainingEnd, TrainingEvent, TrainingReport};

/// Whether another epoch is worth its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Validation may still improve.
    GoOn,
    /// It has not for as many epochs as was asked for.
    Stop,
}

/// NDCG@10 of the validation events that choose a model, seen items filtered, and how many they are.
///
/// # Errors
/// There are none, or the ranker failed.
pub fn validation_ndcg(
    ranker: &dyn Ranker,
    context: &FitContext,
) -> Result<(f64, usize), BaselineError> {
    let examples = sampled(context)?;
    let ranks = rank_examples(context.data, &examples, SeenItems::Filtered, ranker)?;
    Ok((Metric::Ndcg(10).mean(&ranks), examples.len()))
}

fn sampled(context: &FitContext) -> Result<Vec<Example>, BaselineError> {
    let examples = sample_examples(
        context.data,
        Target::Validation,
        context.validation_users,
        context.seed,
    );
    if examples.is_empty() {
        return Err(BaselineError::NoValidation);
    }
    Ok(examples)
}

/// The best epoch so far.
pub(super) struct Validation<'a, R> {
    data: &'a Dataset,
    examples: Vec<Example>,
    patience: usize,
    best: Option<(f64, R)>,
    report: TrainingReport,
}

impl<'a, R: Ranker> Validation<'a, R> {
    /// Samples the users.
    pub(super) fn new(context: &FitContext<'a>, patience: usize) -> Result<Self, BaselineError> {
        let examples = sampled(context)?;
        Ok(Self {
            data: context.data,
            examples,
            patience,
            best: None,
            report: TrainingReport {
                epochs: Vec::new(),
                best_epoch: 0,
                end: TrainingEnd::Completed,
                threads: 1,
            },
        })
    }

    /// Ranks the model of an epoch `(number, loss, examples)` that took `seconds`, and keeps it if it is the best.
    pub(super) fn epoch(
        &mut self,
        (epoch, loss, examples): (usize, f32, usize),
        seconds: f64,
        ranker: R,
        observer: &mut dyn FnMut(&TrainingEvent),
    ) -> Result<Choice, BaselineError> {
        let started = Instant::now();
        let ranks = rank_examples(self.data, &self.examples, SeenItems::Filtered, &ranker)?;
        let ndcg = Metric::Ndcg(10).mean(&ranks);
        let entry = EpochReport {
            epoch,
            loss,
            examples,
            seconds,
            validation_seconds: started.elapsed().as_secs_f64(),
            validation_ndcg_10: ndcg,
            validation_hr_10: Metric::HitRate(10).mean(&ranks),
        };
        observer(&TrainingEvent::Epoch(entry.clone()));
        self.report.epochs.push(entry);
        if self.best.as_ref().is_none_or(|(best, _)| ndcg > *best) {
            self.report.best_epoch = epoch;
            self.best = Some((ndcg, ranker));
        } else if epoch - self.report.best_epoch >= self.patience {
            self.report.end = TrainingEnd::EarlyStopped;
            return Ok(Choice::Stop);
        }
        Ok(Choice::GoOn)
    }

    /// The best model and the story.
    pub(super) fn finish(self) -> Result<(R, TrainingReport), BaselineError> {
        let (_, ranker) = self.best.ok_or(BaselineError::NoTraining)?;
        Ok((ranker, self.report))
    }
}
