//! Stage `reward`: the reward model on patterns and reasons (METHOD §2), and the same model on IDs only beside it.

use std::path::Path;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;

use super::data::load_dataset;
use super::{Context, Interrupted};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, RewardTrainingConfig, TrainingEnd, TrainingEvent, train};
use crate::run::{JsonLines, Stage, stop_flag, write_atomic, write_json};

pub(super) const MODEL: &str = "model.safetensors";
pub(super) const IDS_ONLY: &str = "ids-only.safetensors";

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let (patterns, reasons) = generated_texts(context, &timeline)?;
    let features = Features {
        timeline,
        patterns: &patterns,
        reasons: &reasons,
    };
    let mut config = context.config.reward.clone();
    config.seed = context.config.seed;
    fit(context, out, features, &config, "reward model", MODEL)?;
    config.model.use_ids = true;
    config.model.use_reasons = false;
    config.model.use_patterns = false;
    fit(context, out, features, &config, "IDs only", IDS_ONLY)
}

/// What `generate` wrote, as the ranking model is to see it: with `reward.random_texts` the vectors are dealt anew, the same way in
/// every stage that asks.
pub(super) fn generated_texts(
    context: &Context,
    timeline: &Timeline,
) -> Result<(PatternStore, ReasonStore)> {
    let generated = context.run.stage(Stage::Generate);
    let patterns = PatternStore::load(&generated, timeline)?;
    let reasons = ReasonStore::load(&generated, timeline)?;
    if !context.config.reward.random_texts {
        return Ok((patterns, reasons));
    }
    let seed = context.config.seed ^ 0x64_65_61_6c;
    Ok((
        patterns.with_swapped_users(seed),
        reasons.with_shuffled_vectors(seed),
    ))
}

/// Trains one reward model and writes it with its metrics.
pub(super) fn fit(
    context: &Context,
    out: &Path,
    features: Features,
    config: &RewardTrainingConfig,
    title: &str,
    file: &str,
) -> Result<()> {
    let path = out.join(file);
    if path.exists() {
        return Ok(());
    }
    let mut metrics = JsonLines::create(&path.with_extension("jsonl"))?;
    let (mut bar, mut all_epochs) = (None, 0);
    let mut written = Ok(());
    let mut best = 0.0f64;
    let (model, report) = train(
        features,
        config,
        context.device,
        stop_flag(),
        &mut |event| {
            if written.is_ok() {
                written = metrics.push(event);
            }
            match event {
                TrainingEvent::Start { epochs, .. } => all_epochs = *epochs,
                TrainingEvent::Step {
                    epoch,
                    step,
                    steps,
                    loss,
                    ..
                } => {
                    let all = (all_epochs * steps) as u64;
                    let bar = bar.get_or_insert_with(|| context.progress.bar(title, all));
                    bar.set(
                        ((epoch - 1) * steps + step) as u64,
                        format!("loss {loss:.4}, validation NDCG@10 {best:.4}"),
                    );
                }
                TrainingEvent::Epoch(epoch) => best = best.max(epoch.validation_ndcg_10),
            }
        },
    )?;
    written?;
    if report.end == TrainingEnd::Interrupted {
        return Err(Interrupted.into());
    }
    if let Some(bar) = bar {
        bar.finish(format!("validation NDCG@10 {best:.4}"));
    }
    write_json(&path.with_extension("report.json"), &report)?;
    write_atomic(&path, &model.to_bytes()?)
}

/// Reads a reward model of a stage.
pub(super) fn read_model(folder: &Path, file: &str, device: &Device) -> Result<RewardModel> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    RewardModel::from_bytes(&bytes, device)
        .with_context(|| format!("{} is damaged", path.display()))
}
