//! Stage `evaluate`: full-catalogue ranking of popularity, IDs only, the model before and after correction, and controls.

use std::path::Path;

use anyhow::Result;

use super::Context;
use super::data::load_dataset;
use super::reward::{IDS_ONLY, MODEL, generated_texts, read_model};
use crate::evaluation::{Contenders, EvaluationConfig, Ranker, evaluate_reward_models};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, Scorer};
use crate::run::{Stage, stop_flag, write_atomic, write_json};

/// Name of the model before correction in the results.
pub const BEFORE: &str = "before correction";

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let (rewarded, corrected) = (
        context.run.stage(Stage::Reward),
        context.run.stage(Stage::Correct),
    );
    let (patterns, reasons) = generated_texts(context, &timeline)?;
    let new_patterns = PatternStore::load(&corrected, &timeline)?;
    let new_reasons = ReasonStore::load(&corrected, &timeline)?;
    let old = Features {
        timeline,
        patterns: &patterns,
        reasons: &reasons,
    };
    let new = Features {
        timeline,
        patterns: &new_patterns,
        reasons: &new_reasons,
    };
    let before = Scorer::new(
        read_model(&rewarded, MODEL, context.device)?,
        old,
        context.device,
    )?;
    let ids_only = read_model(&rewarded, IDS_ONLY, context.device)?;
    let full = read_model(&corrected, MODEL, context.device)?;
    let config = EvaluationConfig {
        seed: context.config.seed,
        ..context.config.evaluate.clone()
    };
    let mut bar = None;
    let mut current = String::new();
    let others: [(&str, &dyn Ranker); 1] = [(BEFORE, &before)];
    let contenders = Contenders {
        full: &full,
        ids_only: Some(&ids_only),
        others: &others,
    };
    let results = evaluate_reward_models(
        new,
        contenders,
        &config,
        context.device,
        stop_flag(),
        &mut |at| {
            if current != at.model {
                current = at.model.to_owned();
                bar = Some(
                    context
                        .progress
                        .bar(&format!("rank {current}"), at.users as u64),
                );
            }
            if let Some(bar) = &mut bar {
                bar.set(at.done as u64, "");
            }
        },
    )?;
    drop(bar);
    let table = results.table().to_string();
    context.progress.tell(&table);
    write_json(&out.join("results.json"), &results)?;
    write_atomic(&out.join("results.txt"), table.as_bytes())
}
