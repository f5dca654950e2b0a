//! `curec check`: the paper's own checks and its open questions, each as a verdict with its numbers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use clap::{Args, Subcommand};

use super::identity::{Printed, seed};
use crate::checks::{
    Material, Outcome, Verdict, attention, chronology, cold_start, drift, pretrain, reward,
    sparse_text,
};
use crate::device::{DeviceChoice, open};
use crate::run::{Progress, RunDirectory, Stage, on_interrupt, read_json};
use crate::study::{Key, analyse, join, parse};

/// Arguments of `curec check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(subcommand)]
    check: Check,
    /// Print the verdict as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Exit with 1 unless the verdict is a pass
    #[arg(long, global = true)]
    strict: bool,
    /// Where to compute
    #[arg(long, global = true, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// Show no progress
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Alignment: format, legal and more than half right, on users never trained on, before and after GRPO
    Pretrain(RunArgs),
    /// Reward model: held-out items with their real reasons against random ones, several times dealt
    Reward(RewardArgs),
    /// Correction: two runs, one in the order of time and one --shuffled, paired by user
    Chronology(ChronologyArgs),
    /// Attention: do patterns attend to the reasons that name their tastes, against permuted weights and other patterns
    Attention(RunArgs),
    /// Open question: do texts help short histories and rare items
    ColdStart(RunArgs),
    /// Open question: what is left without titles, and with neither titles nor attributes (writes all texts again: minutes)
    SparseText(SparseArgs),
    /// Open question: reward, diversity, repetition and held-out ranking along the correction
    Drift(RunArgs),
    /// Human study: preference, relevance and coherence with intervals, and Krippendorff's alpha, from exported ratings
    Study(StudyArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

#[derive(Debug, Args)]
struct RewardArgs {
    #[command(flatten)]
    run: RunArgs,
    /// How many times texts are dealt anew
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    shuffles: u16,
    /// Check the model refitted after correction instead of the one that gives the rewards
    #[arg(long)]
    corrected: bool,
}

#[derive(Debug, Args)]
struct ChronologyArgs {
    /// The run that corrected in the order of time
    chronological: PathBuf,
    /// The run with the same settings and --shuffled
    shuffled: PathBuf,
}

#[derive(Debug, Args)]
struct SparseArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Where the two runs on poorer text are made; an interrupted check goes on there [default: beside the run, as RUN-sparse]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct StudyArgs {
    /// What raters exported
    #[arg(required = true, value_name = "RATINGS.json")]
    ratings: Vec<PathBuf>,
    /// The key that `curec study` wrote beside the page
    #[arg(long, value_name = "FILE.key.json")]
    key: PathBuf,
    /// Seed of the resamples
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Checks and prints the verdict.
///
/// # Errors
/// What the check needs is missing; with `--strict` any verdict but a pass.
pub fn run(args: CheckArgs) -> Result<()> {
    on_interrupt();
    let progress = Progress { quiet: args.quiet };
    let device = || open(args.device);
    let verdict = match &args.check {
        Check::Pretrain(one) => {
            let run = RunDirectory::open(&one.run)?;
            pretrain::check(&run, seed(&one.run)?)?
        }
        Check::Reward(one) => {
            let stage = if one.corrected {
                Stage::Correct
            } else {
                Stage::Reward
            };
            let material = Material::open(&one.run.run, &[Stage::Generate, stage])?;
            reward::check(
                &material,
                stage,
                usize::from(one.shuffles),
                &device()?,
                progress,
            )?
        }
        Check::Chronology(one) => {
            let side = |folder: &Path| chronology::Side::read(&RunDirectory::open(folder)?);
            chronology::check(&side(&one.chronological)?, &side(&one.shuffled)?)?
        }
        Check::Attention(one) => with(
            &one.run,
            &[Stage::Correct],
            device()?,
            progress,
            attention::check,
        )?,
        Check::ColdStart(one) => {
            let needed = [Stage::Reward, Stage::Correct, Stage::Evaluate];
            with(&one.run, &needed, device()?, progress, cold_start::check)?
        }
        Check::SparseText(one) => {
            let needed = [
                Stage::Warmup,
                Stage::Pretrain,
                Stage::Generate,
                Stage::Reward,
            ];
            let material = Material::open(&one.run.run, &needed)?;
            let work = one.work.clone().unwrap_or_else(|| beside(&one.run.run));
            sparse_text::check(&material, &work, &device()?, progress)?
        }
        Check::Drift(one) => {
            let needed = [
                Stage::Pretrain,
                Stage::Generate,
                Stage::Reward,
                Stage::Correct,
            ];
            with(&one.run, &needed, device()?, progress, drift::check)?
        }
        Check::Study(one) => study(one)?,
    };
    print(&verdict, &args.check.runs(), args.json)?;
    if args.strict && verdict.outcome != Outcome::Pass {
        bail!(
            "check {}: {} (--strict)",
            verdict.check,
            verdict.outcome.words().to_lowercase()
        );
    }
    Ok(())
}

fn study(args: &StudyArgs) -> Result<Verdict> {
    let key: Key = read_json(&args.key)?;
    let sheets = args
        .ratings
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            let sheet = parse(&name, &text)?;
            Ok((name, sheet))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(analyse(&join(&sheets, &key)?, &key.study, args.seed))
}

/// `RUN` → `RUN-sparse`.
fn beside(run: &Path) -> PathBuf {
    let run = run.components().as_path();
    let mut name = run.as_os_str().to_owned();
    name.push("-sparse");
    name.into()
}

fn with(
    run: &Path,
    needed: &[Stage],
    device: Device,
    progress: Progress,
    check: fn(&Material, &Device, Progress) -> Result<Verdict>,
) -> Result<Verdict> {
    check(&Material::open(run, needed)?, &device, progress)
}

impl Check {
    /// The runs that are looked at.
    fn runs(&self) -> Vec<&Path> {
        match self {
            Self::Pretrain(one)
            | Self::Attention(one)
            | Self::ColdStart(one)
            | Self::Drift(one) => {
                vec![&one.run]
            }
            Self::Reward(one) => vec![&one.run.run],
            Self::SparseText(one) => vec![&one.run.run],
            Self::Chronology(one) => vec![&one.chronological, &one.shuffled],
            Self::Study(_) => Vec::new(),
        }
    }
}

fn print(verdict: &Verdict, runs: &[&Path], json: bool) -> Result<()> {
    if json {
        let printed = Printed::new(verdict, runs)?;
        println!("{}", serde_json::to_string_pretty(&printed)?);
    } else {
        print!("{verdict}");
    }
    Ok(())
}
