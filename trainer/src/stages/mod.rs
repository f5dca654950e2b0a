//! One file per stage. Stages do not call each other: each reads finished stages from the run directory and writes its own.

mod context;
mod correct;
mod data;
mod evaluate;
mod exercises;
mod explanations;
mod export;
mod generate;
mod journal;
mod language;
mod pretrain;
mod reward;
mod standing;
mod warmup;
mod watch;

use anyhow::{Result, bail};
use curec_shared_model::artefact;
use serde_json::{Value, json};

pub use context::{Context, Interrupted};
pub use correct::{Candidate, CorrectionEvent, Parts};
pub use data::{is_source, load_dataset};
pub use evaluate::BEFORE as BEFORE_CORRECTION;
pub use explanations::measure_reasons;
pub use generate::encode;
pub use language::{LlmPointer, load_language_model};
pub use pretrain::{AlignmentReport, typical_prompts};
pub use reward::{
    IDS_ONLY as IDS_ONLY_MODEL, MODEL as RANKING_MODEL, read_model as read_ranking_model,
};

use crate::config::Config;
use crate::data::DataConfig;
use crate::run::{RunDirectory, Stage};

/// The stages a stage reads.
fn needs(stage: Stage) -> &'static [Stage] {
    match stage {
        Stage::Data => &[],
        Stage::Warmup => &[Stage::Data],
        Stage::Pretrain => &[Stage::Data, Stage::Warmup],
        Stage::Generate => &[Stage::Data, Stage::Pretrain],
        Stage::Reward => &[Stage::Data, Stage::Generate],
        Stage::Correct => &[Stage::Data, Stage::Pretrain, Stage::Generate, Stage::Reward],
        Stage::Evaluate | Stage::Export => {
            &[Stage::Data, Stage::Generate, Stage::Reward, Stage::Correct]
        }
    }
}

/// The settings that a stage's result depends on.
fn settings(stage: Stage, config: &Config) -> Result<Value> {
    let (seed, config) = (config.seed, &config.deciding());
    Ok(match stage {
        // What lies in the folder counts, not where it lies.
        Stage::Data => json!([
            seed,
            DataConfig {
                path: None,
                ..config.data.clone()
            }
        ]),
        Stage::Warmup => json!([seed, config.llm, config.prompts, config.warmup]),
        Stage::Pretrain => json!([seed, config.llm, config.prompts, config.pretrain]),
        Stage::Generate => json!([seed, config.prompts, config.generate]),
        Stage::Reward => json!([seed, config.reward]),
        Stage::Correct => json!([
            seed,
            config.prompts,
            config.generate,
            config.correct,
            config.reward
        ]),
        Stage::Evaluate => json!([seed, config.evaluate]),
        // An artefact of another version is none that a reader of today takes.
        Stage::Export => json!([seed, config.evaluate, config.export, artefact::VERSION]),
    })
}

/// Refuses a stage whose inputs are not of these settings: of all stages it reads, directly or not, each must have been
/// run with the settings at hand and on its inputs as they are now.
///
/// # Errors
/// A stage it needs is missing, or stale: its name and what to do.
pub fn ensure_inputs(stage: Stage, context: &Context) -> Result<()> {
    for before in Stage::ALL.into_iter().filter(|before| *before < stage) {
        let Some(record) = context.run.record(before) else {
            bail!(
                "{0} has no finished `{1}` stage, which `{2}` needs; `curec run --out {0}` goes on with the run",
                context.run.root().display(),
                before.name(),
                stage.name()
            );
        };
        if record.fingerprint != fingerprint(before, context)? {
            bail!(
                "`{}` in {1} is of other settings, another version of curec or other inputs than `{2}` would now be; \
                 `curec run --out {1}` with the settings you want brings every stage up to date",
                before.name(),
                context.run.root().display(),
                stage.name()
            );
        }
    }
    // Fails where one that it reads itself is missing.
    fingerprint(stage, context).map(drop)
}

fn fingerprint(stage: Stage, context: &Context) -> Result<String> {
    let mut settings = settings(stage, context.config)?;
    if stage == Stage::Data {
        let source = data::source_fingerprint(context.run, context.config)?;
        settings = json!([settings, source]);
    }
    let mut before = needs(stage).to_vec();
    if stage == Stage::Export {
        before.push(Stage::Evaluate);
    }
    context.run.fingerprint(stage, &before, &settings)
}

/// Takes a stage over from the first of `others` that has finished it with the same settings and inputs; returns which one that was, and
/// `None` too where this run has it already.
///
/// # Errors
/// A stage it needs is missing, or the files can neither be linked nor copied.
pub fn share(stage: Stage, context: &Context, others: &[RunDirectory]) -> Result<Option<usize>> {
    let fingerprint = fingerprint(stage, context)?;
    for (index, other) in others.iter().enumerate() {
        if context.run.adopt(stage, &fingerprint, other)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Runs one stage unless it is finished with these settings.
///
/// # Errors
/// A stage it needs is missing, or its own error; nothing half-written becomes visible.
pub fn execute(stage: Stage, context: &Context) -> Result<()> {
    let fingerprint = fingerprint(stage, context)?;
    let ran = context
        .run
        .execute(stage, &fingerprint, |out| match stage {
            Stage::Data => data::run(context, out),
            Stage::Warmup => warmup::run(context, out),
            Stage::Pretrain => pretrain::run(context, out),
            Stage::Generate => generate::run(context, out),
            Stage::Reward => reward::run(context, out),
            Stage::Correct => correct::run(context, out),
            Stage::Evaluate => evaluate::run(context, out),
            Stage::Export => export::run(context, out),
        })?;
    let record = context.run.record(stage);
    match record {
        Some(record) if ran => {
            let memory = record
                .peak_memory_mib
                .map(|mib| format!(", at most {mib} MiB so far"));
            context.progress.say(&format!(
                "{:>22} done in {:.1} s{}",
                stage.name(),
                record.seconds,
                memory.unwrap_or_default()
            ));
            Ok(())
        }
        Some(_) => {
            context
                .progress
                .say(&format!("{:>22} is up to date", stage.name()));
            Ok(())
        }
        None => bail!("stage {} left no record", stage.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation;

    /// Runs share what lies before the first stage that an ablation concerns: no earlier stage may know of its settings.
    #[test]
    fn an_ablation_changes_no_stage_before_the_one_it_is_about() {
        let base = Config::layered(Some("tiny"), None, &[]).unwrap();
        for (sets, first) in [
            (ablation::NO_PRETRAIN, Stage::Pretrain),
            (ablation::NO_REASONS, Stage::Reward),
            (ablation::NO_PATTERNS, Stage::Reward),
            (ablation::ONLY_IDS, Stage::Reward),
            (ablation::TEXT_ONLY, Stage::Reward),
            (ablation::RANDOM_TEXTS, Stage::Reward),
            (ablation::NO_CORRECTION, Stage::Correct),
            (ablation::NO_UPDATE, Stage::Correct),
            (ablation::SHUFFLED, Stage::Correct),
            (&["evaluate.controls = []"], Stage::Evaluate),
            (&["evaluate.max_users = 5"], Stage::Evaluate),
            (&["export.max_users = 5"], Stage::Export),
        ] {
            let config = base.with(sets).unwrap();
            let changed = Stage::ALL.into_iter().find(|&stage| {
                settings(stage, &base).unwrap() != settings(stage, &config).unwrap()
            });
            assert_eq!(changed, Some(first), "{sets:?}");
        }
    }

    /// Settings that were added later and are not used leave the fingerprints of older runs as they were.
    #[test]
    fn an_artefact_of_another_version_is_exported_again() {
        let base = Config::layered(Some("tiny"), None, &[]).unwrap();
        let now = settings(Stage::Export, &base).unwrap();
        let mut older = now.clone();
        let version = older.as_array_mut().and_then(|parts| parts.last_mut());
        *version.unwrap() = json!(artefact::VERSION - 1);
        let run = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(run.path()).unwrap();
        let print = |settings| run.fingerprint(Stage::Export, &[], settings).unwrap();
        assert_ne!(print(&now), print(&older));
    }

    #[test]
    fn settings_that_are_off_are_not_spelled_out_in_a_fingerprint() {
        let base = Config::layered(Some("tiny"), None, &[]).unwrap();
        for (stage, later) in [
            (Stage::Data, "sample_seed"),
            (Stage::Reward, "random_texts"),
            (Stage::Evaluate, "max_users"),
        ] {
            let text = settings(stage, &base).unwrap().to_string();
            assert!(!text.contains(later), "{later}: {text}");
        }
    }
}
