//! `curec run` and the stages as subcommands: the same settings, layered, stored with the run.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::ablation;
use crate::config::Config;
use crate::device::{DeviceChoice, open_for};
use crate::llm::hub;
use crate::run::{Progress, RunDirectory, Stage, on_interrupt};
use crate::stages::{Context, ensure_inputs, execute, is_source};

/// Settings that every run has, in layers: preset < --config < --set and the flags.
#[derive(Debug, Args)]
pub(super) struct BaseArgs {
    /// Start from a preset: world (built-in simulator), small (real logs on two cores; medium: of a million interactions), tiny (a smoke test)
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
    /// Hugging Face folder of a Qwen2.5 model, or hf:OWNER/NAME to fetch one (default: a nano model trained from scratch)
    #[arg(long, value_name = "DIR|hf:NAME")]
    model: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    pub(super) device: DeviceChoice,
    /// Show no progress, only results, warnings and errors
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Settings of one run.
#[derive(Debug, Args)]
struct SettingsArgs {
    #[command(flatten)]
    base: BaseArgs,
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
    /// Control: the reward model is trained on texts dealt at random, without correction
    #[arg(long)]
    random_texts: bool,
}

impl BaseArgs {
    /// Whether any setting is given.
    pub(super) fn given(&self) -> bool {
        self.restarts() || !self.overrides().is_empty()
    }

    /// Whether the settings start from a preset or a file, not from those stored in the run directory.
    pub(super) fn restarts(&self) -> bool {
        self.preset.is_some() || self.config.is_some()
    }

    /// The flags as assignments, weakest first.
    pub(super) fn overrides(&self) -> Vec<String> {
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
        sets
    }
}

impl SettingsArgs {
    fn given(&self) -> bool {
        self.base.restarts() || !self.overrides().is_empty()
    }

    /// All flags as assignments, weakest first.
    fn overrides(&self) -> Vec<String> {
        let mut sets = self.base.overrides();
        sets.extend(self.own());
        sets
    }

    /// Those that only a single run has.
    fn own(&self) -> Vec<String> {
        let mut sets: Vec<String> = self
            .seed
            .iter()
            .map(|seed| format!("seed = {seed}"))
            .collect();
        let flags = [
            (self.no_pretrain, ablation::NO_PRETRAIN),
            (self.no_correction, ablation::NO_CORRECTION),
            (self.no_update, ablation::NO_UPDATE),
            (self.shuffled, ablation::SHUFFLED),
            (self.no_reasons, ablation::NO_REASONS),
            (self.no_patterns, ablation::NO_PATTERNS),
            (self.ids_only, ablation::ONLY_IDS),
            (self.text_only, ablation::TEXT_ONLY),
            (self.random_texts, ablation::RANDOM_TEXTS),
        ];
        for (_, settings) in flags.iter().filter(|(on, _)| *on) {
            sets.extend(settings.iter().map(|&set| set.to_owned()));
        }
        sets
    }
}

/// Arguments of `curec run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The run directory; an existing run goes on where it stopped, with its stored settings unless --preset or --config is given
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
    pub(super) run: PathBuf,
}

impl StageArgs {
    /// Whether any setting is given beside those stored with the run.
    pub(super) fn given(&self) -> bool {
        self.settings.given()
    }
}

/// Arguments of `curec pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    #[command(flatten)]
    stage: StageArgs,
    /// Train nothing: say what memory the stage needs and how long it will take, measured on this machine with a few blocks of
    /// the model's shape
    #[arg(long)]
    dry_run: bool,
}

/// All stages.
///
/// # Errors
/// Bad settings, bad input, a failed stage.
pub fn run(args: RunArgs) -> Result<()> {
    let run = if args.resume {
        RunDirectory::open(&args.out)?
    } else {
        RunDirectory::create(&args.out)?
    };
    let stored = run.root().join("run.toml");
    if args.resume && args.settings.given() {
        bail!(
            "--resume goes on with the stored settings; leave out --preset, --config, --set and the other settings"
        );
    }
    let config = if args.resume || (!args.settings.base.restarts() && stored.exists()) {
        layer(None, Some(&stored), &args.settings.overrides())?
    } else {
        layered(&args.settings.base, &args.settings.own())?
    };
    keep_data(&run, &config)?;
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
    let (run, config) = open_run(&args)?;
    go(&run, &config, &args.settings, &[stage])
}

/// The stage `pretrain`, or what it would take.
///
/// # Errors
/// Those of [`stage`].
pub fn pretrain(args: PretrainArgs) -> Result<()> {
    if !args.dry_run {
        return stage(Stage::Pretrain, args.stage);
    }
    let (run, config) = open_run(&args.stage)?;
    config.validate()?;
    let device = open_for(args.stage.settings.base.device, config.llm.dtype)?;
    super::dry_run::pretrain(&run, &config, &device)
}

/// Looks at a finished run with `ask`, after the checks that `stage` would have made; nothing of the run is written.
///
/// # Errors
/// A stage that `stage` needs is missing or stale; bad settings; what `ask` says.
pub(super) fn look<T>(
    stage: Stage,
    args: &StageArgs,
    ask: impl FnOnce(&Context) -> Result<T>,
) -> Result<T> {
    let (run, config) = open_run(args)?;
    config.validate()?;
    on_interrupt();
    let device = open_for(args.settings.base.device, config.llm.dtype)?;
    let context = Context {
        run: &run,
        config: &config,
        device: &device,
        progress: Progress {
            quiet: args.settings.base.quiet,
        },
    };
    ensure_inputs(stage, &context)?;
    ask(&context)
}

fn open_run(args: &StageArgs) -> Result<(RunDirectory, Config)> {
    let run = RunDirectory::open(&args.run)?;
    let stored = run.root().join("run.toml");
    let config = if args.settings.base.restarts() {
        layered(&args.settings.base, &args.settings.own())?
    } else {
        layer(None, Some(&stored), &args.settings.overrides())?
    };
    keep_data(&run, &config)?;
    Ok((run, config))
}

/// Settings from preset, file and flags, and the assignments `more` over them.
pub(super) fn layered(base: &BaseArgs, more: &[String]) -> Result<Config> {
    let preset = base.preset.as_deref().or_else(|| {
        let real = base.data.is_some();
        base.config
            .is_none()
            .then_some(if real { "small" } else { "world" })
    });
    let sets = [base.overrides(), more.to_vec()].concat();
    layer(preset, base.config.as_deref(), &sets)
}

/// The layers, with paths that mean the same from every working folder.
fn layer(preset: Option<&str>, file: Option<&Path>, sets: &[String]) -> Result<Config> {
    let mut config = Config::layered(preset, file, sets)?;
    let paths = [&mut config.data.path, &mut config.llm.model];
    let folders = paths.into_iter().flatten();
    for path in folders.filter(|path| !hub::is_remote(path)) {
        *path = std::path::absolute(&path)?;
    }
    Ok(config)
}

/// A run directory belongs to one log: other data would replace all it holds.
fn keep_data(run: &RunDirectory, config: &Config) -> Result<()> {
    let stored = std::fs::read_to_string(run.root().join("run.toml")).unwrap_or_default();
    // Of settings that an older version stored, only this one matters here.
    let Ok(stored) = stored.parse::<toml::Table>() else {
        return Ok(());
    };
    let stored = stored.get("data").and_then(|data| data.get("path"));
    let stored = match stored.and_then(toml::Value::as_str) {
        Some(path) => Some(std::path::absolute(path)?),
        None => None,
    };
    if run.record(Stage::Data).is_none() || stored == config.data.path {
        return Ok(());
    }
    if (config.data.path.as_ref()).is_some_and(|folder| is_source(run, folder)) {
        return Ok(()); // the same log, moved
    }
    let name = |path: &Option<PathBuf>| match path {
        Some(path) => path.display().to_string(),
        None => "the built-in world".to_owned(),
    };
    bail!(
        "{} holds a run on {}, not on {}; choose another directory, so that nothing of it is lost",
        run.root().display(),
        name(&stored),
        name(&config.data.path)
    );
}

fn go(
    run: &RunDirectory,
    config: &Config,
    settings: &SettingsArgs,
    stages: &[Stage],
) -> Result<()> {
    config.validate()?;
    on_interrupt();
    let device = open_for(settings.base.device, config.llm.dtype)?;
    let progress = Progress {
        quiet: settings.base.quiet,
    };
    let context = Context {
        run,
        config,
        device: &device,
        progress,
    };
    if let Some(first) = stages.first() {
        ensure_inputs(*first, &context)?;
    }
    context.store_settings()?;
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
