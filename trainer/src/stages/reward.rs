//! Stage `reward`: the reward model on patterns and reasons (METHOD §2), and the same model on IDs only beside it.

use std::path::Path;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use curec_shared_model::reward::RewardModel;

use super::data::load_dataset;
use super::{Context, Interrupted};
use crate::fitting::{TrainingEnd, TrainingEvent, TrainingReport};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, RewardTrainingConfig, RewardTrainingError, train, train_identities};
use crate::run::{Bar, JsonLines, Stage, stop_flag, write_atomic, write_json};

/// File of the ranking model in `reward` and `correct`.
pub const MODEL: &str = "model.safetensors";
/// File of the model that knows no texts yet, in `reward`: what the others are trained from.
pub const IDENTITIES: &str = "identities.safetensors";
/// File of the same model on IDs only, in `reward`.
pub const IDS_ONLY: &str = "ids-only.safetensors";

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
    let ids = with_ids(config.clone());
    let name = "IDs, before texts";
    fit_with(context, out, name, IDENTITIES, &mut |observer| {
        let (device, stop) = (context.device, stop_flag());
        train_identities(features, &ids, device, stop, observer)
    })?;
    fit(
        context,
        (out, out),
        features,
        &config,
        "reward model",
        MODEL,
    )?;
    let mut config = with_ids(config);
    config.model.use_reasons = false;
    config.model.use_patterns = false;
    fit(context, (out, out), features, &config, "IDs only", IDS_ONLY)
}

fn with_ids(mut config: RewardTrainingConfig) -> RewardTrainingConfig {
    config.model.use_ids = true;
    config
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

/// Trains one reward model from [`IDENTITIES`] in the folder `from` on, and writes it with its metrics.
pub(super) fn fit(
    context: &Context,
    (from, out): (&Path, &Path),
    features: Features,
    config: &RewardTrainingConfig,
    title: &str,
    file: &str,
) -> Result<()> {
    let identities = || read_model(from, IDENTITIES, context.device);
    let start = config
        .begins_with_identities()
        .then(identities)
        .transpose()?;
    fit_with(context, out, title, file, &mut |observer| {
        let (start, device) = (start.clone(), context.device);
        train(features, config, start, device, stop_flag(), observer)
    })
}

type Observer<'o> = dyn FnMut(&TrainingEvent) + 'o;
type Fitted = Result<(RewardModel, TrainingReport), RewardTrainingError>;

/// Trains one model by `training` and writes it with its metrics.
fn fit_with(
    context: &Context,
    out: &Path,
    title: &str,
    file: &str,
    training: &mut dyn FnMut(&mut Observer) -> Fitted,
) -> Result<()> {
    let path = out.join(file);
    if path.exists() {
        return Ok(());
    }
    let mut metrics = JsonLines::create(&path.with_extension("jsonl"))?;
    let (mut bar, mut all_epochs, mut before) = (None::<Bar>, 0, 0);
    let mut written = Ok(());
    let (mut best, mut done) = (0.0f64, 0);
    let (model, report) = training(&mut |event| {
        if written.is_ok() {
            written = metrics.push(event);
        }
        match event {
            TrainingEvent::Start { epochs, .. } => {
                // A second start is a second phase, whose epochs count on.
                if let Some(bar) = bar.take() {
                    bar.finish(format!("states, validation NDCG@10 {best:.4}"));
                }
                (all_epochs, before, best) = (*epochs, done, 0.0);
            }
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
                    ((epoch - 1 - before) * steps + step) as u64,
                    format!("loss {loss:.4}, validation NDCG@10 {best:.4}"),
                );
            }
            TrainingEvent::Epoch(epoch) => {
                done = epoch.epoch;
                best = best.max(epoch.validation_ndcg_10);
            }
        }
    })?;
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
///
/// # Errors
/// The file is missing or damaged.
pub fn read_model(folder: &Path, file: &str, device: &Device) -> Result<RewardModel> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    RewardModel::from_bytes(&bytes, device)
        .with_context(|| format!("{} is damaged", path.display()))
}
