//! `curec evaluate --reasons`: a finished run's explanations, measured before and after correction. Not a stage: it changes
//! nothing of the run but the file beside the stages.

use anyhow::Result;

use super::Context;
use super::correct::CorrectionEvent;
use super::data::load_dataset;
use super::reward::{MODEL, read_model};
use crate::explanations::{ExplanationError, Explanations, Rewritten, Settings, Side, measure};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, Scorer};
use crate::run::{Stage, read_lines, stop_flag};

/// Best unseen items a person whose lists are looked at.
const ITEMS: usize = 5;
/// Own reasons a person for the personalisation margin, each against so many others.
const REASONS: usize = 2;
const OTHERS: usize = 8;
/// Permutations of attention.
const PERMUTATIONS: usize = 20;

/// Measures the explanations of a run whose stages up to `correct` are finished.
///
/// # Errors
/// A file that is missing or damaged, a model that does not fit, Ctrl-C.
pub fn measure_reasons(context: &Context) -> Result<Explanations> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let (generated, corrected) = (
        context.run.stage(Stage::Generate),
        context.run.stage(Stage::Correct),
    );
    let patterns = [&generated, &corrected].map(|folder| PatternStore::load(folder, &timeline));
    let [old_patterns, new_patterns] = patterns;
    let (old_patterns, new_patterns) = (old_patterns?, new_patterns?);
    let old_reasons = ReasonStore::load(&generated, &timeline)?;
    let new_reasons = ReasonStore::load(&corrected, &timeline)?;
    let before = Features {
        timeline,
        patterns: &old_patterns,
        reasons: &old_reasons,
    };
    let after = Features {
        timeline,
        patterns: &new_patterns,
        reasons: &new_reasons,
    };
    let models = [
        read_model(&context.run.stage(Stage::Reward), MODEL, context.device)?,
        read_model(&corrected, MODEL, context.device)?,
    ];
    let [old, new] = models;
    let old = Scorer::new(old, before, context.device)?;
    let new = Scorer::new(new, after, context.device)?;
    let path = corrected.join("events.jsonl");
    let events: Vec<CorrectionEvent> = if path.exists() {
        read_lines(&path)?
    } else {
        Vec::new()
    };
    let pass: Vec<Rewritten> = events
        .iter()
        .map(|event| Rewritten {
            item: &dataset.items[event.item as usize],
            text: &event.reason[1],
            reward: event.reward(),
        })
        .collect();
    let config = context.config;
    let settings = Settings {
        target: config.evaluate.target,
        items: ITEMS,
        reasons: REASONS,
        others: OTHERS,
        permutations: PERMUTATIONS,
        bootstrap_samples: config.evaluate.bootstrap_samples,
        seed: config.seed,
    };
    let mut bar = context
        .progress
        .bar("explanations", 2 * dataset.users.len() as u64);
    let sides = [
        Side {
            features: before,
            scorer: &old,
        },
        Side {
            features: after,
            scorer: &new,
        },
    ];
    let found = measure(
        sides,
        &pass,
        &config.prompts.render,
        &settings,
        stop_flag(),
        &mut |done, _| bar.set(done as u64, ""),
    );
    if matches!(found, Err(ExplanationError::Interrupted)) {
        return Err(super::Interrupted.into());
    }
    bar.finish("");
    Ok(found?)
}
