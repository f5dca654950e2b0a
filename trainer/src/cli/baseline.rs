//! `curec baseline`: other people's recommenders under the same protocol.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use clap::{Args, ValueEnum};

use crate::baselines::{
    BaselineError, BaselineResult, FitContext, Model, Prepared, ProtocolKind, RankingSettings,
    Seconds, Settings, Setup, fit,
};
use crate::data::{Format, load};
use crate::device::{self, DeviceChoice};
use crate::evaluation::{EvaluationConfig, EvaluationError, Results, SeenItems, evaluate};
use crate::fitting::TrainingEvent;
use crate::run::{Progress, RunDirectory, Stage, on_interrupt, stop_flag, write_json};
use crate::stages::Interrupted;

/// Train and rank other people's recommenders under the same protocol
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: configs/baselines/NAME.toml, over it --config FILE ([settings], [search]), over it --set KEY=VALUE.\n\nExample: the reference of published numbers\n  curec baseline pop --data ml-1m --protocol sasrec --seen kept"
)]
pub struct BaselineArgs {
    /// Which model
    #[arg(value_enum)]
    model: Model,
    /// Folder with the data files
    #[arg(long, value_name = "DIR", required_unless_present = "run")]
    data: Option<PathBuf>,
    /// Format of the files (default: known by their names)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Filters, order and split
    #[arg(long, value_enum, default_value_t = ProtocolKind::Default)]
    protocol: ProtocolKind,
    /// The data of a run instead, filtered and split as it did
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "format", "protocol"])]
    run: Option<PathBuf>,
    /// Whether items taken before the test event compete with it
    #[arg(long, value_enum, default_value_t = Seen::Filtered)]
    seen: Seen,
    /// Settings file, laid over the model's own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Seed of weights, samples and order
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    seed: u64,
    /// Users whose validation event is ranked to choose an epoch (a seeded sample; 0 = all)
    #[arg(long, value_name = "N", default_value_t = 1000)]
    validation_users: usize,
    /// Where tensors live
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Write that object to a file as well
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Add each user's rank to the object, for paired comparisons
    #[arg(long)]
    ranks: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// What `--seen` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Seen {
    /// They are taken out of the ranking
    Filtered,
    /// They stay in
    Kept,
}

impl From<Seen> for SeenItems {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Filtered => Self::Filtered,
            Seen::Kept => Self::Kept,
        }
    }
}

/// Runs `curec baseline …`.
pub fn run(args: BaselineArgs) -> Result<()> {
    on_interrupt();
    let setup = Setup::layered(args.model, args.config.as_deref(), &args.sets)?;
    let Settings::Ranking(settings) = setup.settings;
    let outcome = rank(&args, settings);
    outcome.map_err(|error| match error.downcast_ref::<BaselineError>() {
        Some(
            BaselineError::Interrupted | BaselineError::Evaluation(EvaluationError::Interrupted),
        ) => Interrupted.into(),
        _ => error,
    })
}

fn rank(args: &BaselineArgs, settings: RankingSettings) -> Result<()> {
    let prepared = prepared(args)?;
    let device = device::open(args.device)?;
    let progress = Progress { quiet: args.quiet };
    let (result, table) = evaluated(args, settings, &prepared, &device, progress)?;
    if let Some(out) = &args.out {
        write_json(out, &result)?;
    }
    let text = if args.json {
        serde_json::to_string_pretty(&result)? + "\n"
    } else {
        format!(
            "{}trained in {:.1} s, ranked in {:.1} s; data {} ({} interactions, sha256 {})\n",
            table.table(),
            result.seconds.fit,
            result.seconds.rank,
            result.protocol.name,
            result.protocol.interactions,
            &result.protocol.data_sha256[..12],
        )
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // … | head
        outcome => Ok(outcome?),
    }
}

fn prepared(args: &BaselineArgs) -> Result<Prepared> {
    match (&args.data, &args.run) {
        (Some(folder), _) => Ok(args.protocol.prepare(folder, args.format)?),
        (None, Some(run)) => {
            let folder = RunDirectory::open(run)?.stage(Stage::Data);
            Ok(Prepared::of_run(load(&folder)?))
        }
        (None, None) => bail!("give --data FOLDER or --run RUN"),
    }
}

/// Trains, then ranks every user's test event.
fn evaluated(
    args: &BaselineArgs,
    settings: RankingSettings,
    prepared: &Prepared,
    device: &Device,
    progress: Progress,
) -> Result<(BaselineResult, Results)> {
    let name = args.model.name();
    let context = FitContext {
        data: &prepared.data,
        device,
        seed: args.seed,
        validation_users: args.validation_users,
        stop: stop_flag(),
    };
    let started = Instant::now();
    let mut told = Told::new(name, progress);
    let fitted = fit(&settings, context, &mut |event| told.event(event))?;
    let fit_seconds = started.elapsed().as_secs_f64();
    let config = EvaluationConfig {
        seen_items: args.seen.into(),
        ..EvaluationConfig::default()
    };
    let started = Instant::now();
    let mut bar = progress.bar("ranking", prepared.data.users.len() as u64);
    let models = [(name, &*fitted.ranker)];
    let results = evaluate(&prepared.data, &config, &models, stop_flag(), &mut |now| {
        bar.set(now.done as u64, "");
    })
    .map_err(BaselineError::from)?;
    bar.finish("");
    let seconds = Seconds {
        fit: fit_seconds,
        rank: started.elapsed().as_secs_f64(),
    };
    let device = device::describe(device);
    let result = BaselineResult::new(
        prepared,
        settings,
        args.seed,
        &fitted,
        results.clone(),
        (seconds, device),
    );
    let mut result = result.context("the evaluation ranked no model")?;
    if !args.ranks {
        result.ranks.clear();
    }
    Ok((result, results))
}

/// Shows a training.
struct Told {
    name: &'static str,
    progress: Progress,
    epochs: usize,
    bar: Option<crate::run::Bar>,
}

impl Told {
    fn new(name: &'static str, progress: Progress) -> Self {
        Self {
            name,
            progress,
            epochs: 0,
            bar: None,
        }
    }

    fn event(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::Start { epochs, .. } => {
                self.epochs = *epochs;
            }
            TrainingEvent::Step {
                epoch,
                step,
                steps,
                loss,
                ..
            } => {
                let bar = self.bar.get_or_insert_with(|| {
                    let title = format!("{} epoch {epoch}/{}", self.name, self.epochs);
                    self.progress.bar(&title, *steps as u64)
                });
                bar.set(*step as u64, format!("loss {loss:.4}"));
            }
            TrainingEvent::Epoch(report) => {
                if let Some(bar) = self.bar.take() {
                    bar.finish(format!(
                        "loss {:.4}, validation NDCG@10 {:.4}",
                        report.loss, report.validation_ndcg_10
                    ));
                }
            }
        }
    }
}
