//! Models that are the reward model, or part of it: DIN on IDs, DIN with frozen text vectors, and CURec's own, so that a search
//! gives each the same budget as it gives the others.
//!
//! - *DIN* (Zhou et al. 2018) is the reward model without encoder layers, texts and additions: events are weighed by their embeddings.
//! - *DIN with frozen text vectors* has the shape of KAR (Xi et al. 2023): a language model's text about the user and one about
//!   the item, each through a learned map, as further inputs. The user's text is the pattern, the item's the newest reason that is
//!   visible; with one reason there is nothing to attend to.

use std::sync::LazyLock;

use super::error::BaselineError;
use super::registry::FitContext;
use crate::evaluation::Ranker;
use crate::fitting::{TrainingEnd, TrainingEvent, TrainingReport};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, RewardTrainingConfig, Scorer, train};

/// What a run's language model wrote.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Of users.
    pub patterns: &'a PatternStore,
    /// Of items.
    pub reasons: &'a ReasonStore,
}

/// For models that read no texts.
static NOTHING: LazyLock<(PatternStore, ReasonStore)> =
    LazyLock::new(|| (PatternStore::new(1), ReasonStore::new(1)));

/// Trains it on the texts of `context`.
///
/// # Errors
/// Settings that cannot work, texts that are asked for and are not there, a loss that diverges, or the stop flag.
pub(super) fn fit<'a>(
    config: &RewardTrainingConfig,
    context: FitContext<'a>,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<(Box<dyn Ranker + 'a>, TrainingReport, usize), BaselineError> {
    let reads = config.model.use_reasons || config.model.use_patterns;
    let (patterns, reasons) = match context.texts {
        Some(Texts { patterns, reasons }) => (patterns, reasons),
        // A model that is to read texts and is given none would be another model under its name.
        None if reads => return Err(BaselineError::NoTexts),
        None => (&NOTHING.0, &NOTHING.1),
    };
    let features = Features {
        timeline: Timeline::new(context.data),
        patterns,
        reasons,
    };
    let config = RewardTrainingConfig {
        seed: context.seed,
        validation_users: context.validation_users,
        ..config.clone()
    };
    let mut parameters = 0;
    let (model, report) = train(
        features,
        &config,
        None,
        context.device,
        context.stop,
        &mut |event| {
            if let TrainingEvent::Start {
                parameters: count, ..
            } = event
            {
                parameters = *count;
            }
            observer(event);
        },
    )?;
    if report.end == TrainingEnd::Interrupted {
        return Err(BaselineError::Interrupted);
    }
    let scorer = Scorer::new(model, features, context.device)?;
    Ok((Box::new(scorer), report, parameters))
}
