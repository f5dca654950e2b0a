//! `curec run` and the stages as subcommands: the same settings, layered, stored with the run.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::config::Config;
use crate::device::{DeviceChoice, open};
use crate::run::{Progress, RunDirectory, Stage, on_interrupt, write_atomic, write_json};
use crate::stages::{Context, execute};

/// Settings, in layers: preset < --config < --set and the flags below.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// Start from a preset: world (built-in simulator), small (real logs on two cores), tiny (a smoke test)
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, e.g. --set warmup.steps=400; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder with interaction logs (default: the built-in world)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Hugging Face folder of a Qwen2.5 model (default: a nano model trained from scratch)
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Ablation: no GRPO alignment
    #[arg(long)]
    no_pretrain: bool,
    /// Ablation: no chronological correction
    #[arg(long)]
    no_correction: bool,
    /// Ablation: correction trains the LLM but leaves patterns and reasons as they were
    #[arg(long)]
    no_update: bool,
    /// Ablation: correction visits interactions in a random order
    #[arg(long)]
    shuffled: bool,
    /// Ablation: the reward model sees no reasons
    #[arg(long)]
    no_reasons: bool,
    /// Ablation: the reward model sees no patterns
    #[arg(long)]
    no_patterns: bool,
    /// Ablation: the reward model sees IDs only
    #[arg(long)]
    ids_only: bool,
    /// Ablation: the reward model sees texts only
    #[arg(long)]
    text_only: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

impl SettingsArgs {
    fn given(&self) -> bool {
        self.preset.is_some() || self.config.is_some() || !self.overrides().is_empty()
    }

    /// The flags as assignments, weakest first.
    fn overrides(&self) -> Vec<String> {
        let mut sets = self.set.clone();
        let text = |path: &PathBuf| toml::Value::String(path.display().to_string()).to_string();
        sets.extend(
            self.data
                .as_ref()
                .map(|data| format!("data.path = {}", text(data))),
        );
        sets.extend(
            self.model
                .as_ref()
                .map(|model| format!("llm.model = {}", text(model))),
        );
        sets.extend(self.seed.map(|seed| format!("seed = {seed}")));
        let flags = [
            (self.no_pretrain, "pretrain.steps = 0"),
            (self.no_correction, "correct.interactions = 0"),
            (self.no_update, "correct.freeze_texts = true"),
            (self.shuffled, "correct.shuffled = true"),
            (
                self.no_reasons || self.ids_only,
                "reward.model.use_reasons = false",
            ),
            (
                self.no_patterns || self.ids_only,
                "reward.model.use_patterns = false",
            ),
            (self.text_only, "reward.model.use_ids = false"),
        ];
        sets.extend(
            flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, set)| (*set).to_owned()),
        );
        sets
    }
}

/// Arguments of `curec run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The run directory; an existing run goes on where it stopped
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the settings stored in the run directory
    #[arg(long)]
    resume: bool,
    /// Stop after this stage
    #[arg(long, value_enum, value_name = "STAGE")]
    until: Option<Stage>,
}

/// Arguments of a single stage.
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The run directory; settings stored there are used unless others are given
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// All stages.
///
/// # Errors
/// Bad settings, bad input, a failed stage.
pub fn run(args: RunArgs) -> Result<()> {
    let run = RunDirectory::create(&args.out)?;
    let stored = run.root().join("run.toml");
    if args.resume && args.settings.given() {
        bail!(
            "--resume goes on with the stored settings; leave out --preset, --config, --set and the other settings"
        );
    }
    let config = if args.resume || (!args.settings.given() && stored.exists()) {
        Config::layered(None, Some(&stored), &[])?
    } else {
        resolve(&args.settings)?
    };
    let last = args.until.unwrap_or(Stage::Export);
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| *stage <= last)
        .collect();
    go(&run, &config, &args.settings, &stages)
}

/// One stage.
///
/// # Errors
/// A stage it needs has not run; bad settings; its own failure.
pub fn stage(stage: Stage, args: StageArgs) -> Result<()> {
    let run = RunDirectory::open(&args.run)?;
    let stored = run.root().join("run.toml");
    let config = if args.settings.preset.is_some() || args.settings.config.is_some() {
        resolve(&args.settings)?
    } else {
        Config::layered(None, Some(&stored), &args.settings.overrides())?
    };
    go(&run, &config, &args.settings, &[stage])
}

fn resolve(settings: &SettingsArgs) -> Result<Config> {
    let preset = settings.preset.as_deref().or_else(|| {
        let real = settings.data.is_some();
        settings
            .config
            .is_none()
            .then_some(if real { "small" } else { "world" })
    });
    Config::layered(preset, settings.config.as_deref(), &settings.overrides())
}

fn go(
    run: &RunDirectory,
    config: &Config,
    settings: &SettingsArgs,
    stages: &[Stage],
) -> Result<()> {
    config.data.validate()?;
    on_interrupt();
    let device = open(settings.device)?;
    let progress = Progress {
        quiet: settings.quiet,
    };
    write_atomic(&run.root().join("run.toml"), config.to_toml()?.as_bytes())?;
    write_json(
        &run.root().join("run.json"),
        &json!({"created_by": format!("curec {}", env!("CARGO_PKG_VERSION")), "seed": config.seed}),
    )?;
    let context = Context {
        run,
        config,
        device: &device,
        progress,
    };
    for stage in stages {
        context.check()?;
        execute(*stage, &context)?;
    }
    let seconds: f64 = stages
        .iter()
        .filter_map(|stage| run.record(*stage))
        .map(|record| record.seconds)
        .sum();
    progress.say(&format!(
        "{} stages, {seconds:.0} s of work, in {}",
        stages.len(),
        run.root().display()
    ));
    Ok(())
}
