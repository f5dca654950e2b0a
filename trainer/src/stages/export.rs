//! Stage `export`: the web artefact (METHOD §4).

use std::path::Path;

use anyhow::Result;
use curec_shared_model::artefact::{RunSummary, WriterPart};
use curec_shared_model::reward::RewardModel;
use sha2::{Digest, Sha256};

use super::Context;
use super::data::load_dataset;
use super::reward::{IDS_ONLY, MODEL, generated_texts, read_model};
use crate::data::content_hash;
use crate::evaluation::Results;
use crate::export::{
    Earlier, ExportInput, Others, build, may_travel, page_results, write_folder, writer_part,
};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::run::{Stage, read_json, write_json};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let corrected = context.run.stage(Stage::Correct);
    let patterns = PatternStore::load(&corrected, &timeline)?;
    let reasons = ReasonStore::load(&corrected, &timeline)?;
    let model = read_model(&corrected, MODEL, context.device)?;
    let results: Results = read_json(&context.run.stage(Stage::Evaluate).join("results.json"))?;
    // Where data and checkpoint lie on this machine is no part of what was computed.
    let mut settings = context.config.clone();
    (settings.data.path, settings.llm.model) = (None, None);
    let settings = settings.to_toml()?;
    let digest = Sha256::digest(settings.as_bytes());
    let rewarded = context.run.stage(Stage::Reward);
    let ids_only = read_model(&rewarded, IDS_ONLY, context.device)?;
    let earlier = match context.config.correct.interactions {
        0 => None,
        _ => Some((
            read_model(&rewarded, MODEL, context.device)?,
            generated_texts(context, &timeline)?,
        )),
    };
    let before = earlier
        .as_ref()
        .map(|(model, (patterns, reasons))| Earlier {
            model,
            patterns,
            reasons,
        });
    let input = ExportInput {
        others: Some(Others {
            before,
            ids_only: &ids_only,
        }),
        writer: writer(context, &model)?,
        data: &dataset,
        split: context.config.data.split.name().to_owned(),
        patterns: &patterns,
        reasons: &reasons,
        model: &model,
        results: page_results(&results)?,
        run: RunSummary {
            seed: context.config.seed,
            hash: content_hash(&dataset),
            config_hash: format!("{digest:x}"),
        },
        max_users: context.config.export.max_users,
    };
    let artefact = build(&input, context.device)?;
    let written = write_folder(&artefact, &out.join("artefact"))?;
    let megabytes = written.bytes as f64 / 1e6;
    context.progress.say(&format!(
        "        artefact: {} files, {megabytes:.2} MB",
        written.files.len()
    ));
    let sizes: std::collections::BTreeMap<_, _> = written.files.iter().cloned().collect();
    write_json(&out.join("sizes.json"), &sizes)
}

/// The run's own language model, where the artefact can carry it; says why where it cannot.
fn writer(context: &Context, reward: &RewardModel) -> Result<Option<WriterPart>> {
    let written = match may_travel(context.config) {
        Ok(()) => {
            let (language, pointer) = context.language_model(Stage::Correct)?;
            writer_part(&language, pointer.policy_version, context.config, reward)?
        }
        Err(why) => Err(why),
    };
    if let Err(why) = &written {
        context
            .progress
            .say(&format!("        no writer in the artefact: {why}"));
    }
    Ok(written.ok())
}
