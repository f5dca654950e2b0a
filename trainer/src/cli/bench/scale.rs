//! `curec bench scale`: the path of the data without a language model, from files to a ranking, at any size: time and memory of each
//! phase beside what the sizes of the types promise (docs/scale.md).

use std::io::Write as _;
use std::mem::size_of;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use clap::Args;
use curec_shared_model::reward::{RewardConfig, RewardModel};
use serde::Serialize;

use crate::data::synthetic::{SyntheticConfig, write_synthetic};
use crate::data::{
    DataConfig, Dataset, Event, Interaction, Item, Log, User, UserSplit, load, prepare, read,
    stats, write,
};
use crate::device::{DeviceChoice, open};
use crate::evaluation::{EvaluationConfig, Popularity, Ranker, evaluate};
use crate::fitting::TrainingEvent;
use crate::machine::{peak_memory_mib, reset_peak_memory, resident_mib};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, RewardTrainingConfig, Scorer, train};

/// What is measured; the defaults are those of docs/scale.md's largest run
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct ScaleArgs {
    /// Read the log in this folder instead of writing a synthetic one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["users", "items", "interactions", "exponent"])]
    #[serde(skip)]
    data: Option<PathBuf>,
    /// Users of the synthetic log
    #[arg(long, default_value_t = SyntheticConfig::default().users)]
    users: usize,
    /// Items of the synthetic log
    #[arg(long, default_value_t = SyntheticConfig::default().items)]
    items: usize,
    /// Interactions of the synthetic log, on average
    #[arg(long, default_value_t = SyntheticConfig::default().interactions)]
    interactions: usize,
    /// Exponent of the Zipf law of its items
    #[arg(long, default_value_t = SyntheticConfig::default().exponent)]
    exponent: f64,
    /// Users with fewer interactions are dropped
    #[arg(long, default_value_t = 3)]
    min_history: usize,
    /// Width of the ranking model
    #[arg(long, default_value_t = 16)]
    width: usize,
    /// Steps of its training
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Users who are ranked, by popularity and by the model
    #[arg(long, default_value_t = 16)]
    ranked: usize,
    /// Where the ranking model is computed
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// A folder for the files, which are removed again [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    scratch: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Measured {
    arguments: ScaleArgs,
    name: String,
    users: usize,
    items: usize,
    interactions: usize,
    phases: Vec<Phase>,
    model: Model,
    /// From the measured steps and users, on this machine.
    whole: Whole,
}

#[derive(Debug, Serialize)]
struct Phase {
    name: &'static str,
    seconds: f64,
    /// Largest resident memory during the phase.
    peak_mib: Option<u64>,
    /// Resident memory after it.
    after_mib: Option<u64>,
    /// What the estimate says of the peak.
    estimate_mib: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Model {
    parameters: usize,
    steps: usize,
    steps_per_epoch: usize,
    seconds_per_step: f64,
    first_loss: f32,
    last_loss: f32,
}

#[derive(Debug, Serialize)]
struct Whole {
    epoch_hours: f64,
    ranking_hours: f64,
}

pub(super) fn run(args: ScaleArgs) -> Result<()> {
    let json = args.json;
    let measured = measure(args)?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &measured)?;
        writeln!(out)?;
    } else {
        print(&measured, &mut out)?;
    }
    Ok(())
}

fn print(measured: &Measured, out: &mut impl std::io::Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {} users, {} items, {} interactions",
        measured.name, measured.users, measured.items, measured.interactions
    )?;
    let memory = |mib: Option<u64>| mib.map_or("–".to_owned(), |mib| mib.to_string());
    writeln!(
        out,
        "{:>20}  {:>9}  {:>9}  {:>9}  {:>9}",
        "", "seconds", "peak MiB", "estimate", "after"
    )?;
    for phase in &measured.phases {
        writeln!(
            out,
            "{:>20}  {:>9.2}  {:>9}  {:>9}  {:>9}",
            phase.name,
            phase.seconds,
            memory(phase.peak_mib),
            memory(phase.estimate_mib),
            memory(phase.after_mib)
        )?;
    }
    let (model, whole) = (&measured.model, &measured.whole);
    writeln!(
        out,
        "{} parameters, {:.3} s a step, loss {:.4} to {:.4}; {} steps an epoch: {:.1} h; ranking everybody: {:.1} h",
        model.parameters,
        model.seconds_per_step,
        model.first_loss,
        model.last_loss,
        model.steps_per_epoch,
        whole.epoch_hours,
        whole.ranking_hours
    )
}

/// Phases as they are measured.
#[derive(Default)]
struct Clock {
    phases: Vec<Phase>,
}

impl Clock {
    fn phase<T>(
        &mut self,
        name: &'static str,
        estimate: Option<usize>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        eprintln!("{name} …");
        let resets = reset_peak_memory();
        let start = Instant::now();
        let outcome = work()?;
        self.phases.push(Phase {
            name,
            seconds: start.elapsed().as_secs_f64(),
            peak_mib: peak_memory_mib().filter(|_| resets),
            after_mib: resident_mib(),
            estimate_mib: estimate.map(|bytes| (bytes >> 20) as u64),
        });
        Ok(outcome)
    }
}

fn measure(args: ScaleArgs) -> Result<Measured> {
    ensure!(args.steps > 0, "--steps is 0; it must be at least 1");
    ensure!(args.ranked > 0, "--ranked is 0; it must be at least 1");
    let device = open(args.device)?;
    let scratch = match &args.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let mut clock = Clock::default();
    let stored = scratch.path().join("data");
    prepare_data(&args, &mut clock, scratch.path(), &stored)?;
    let data = clock.phase("load", None, || Ok(load(&stored)?))?;
    let sizes = Sizes::of(&data);
    if let Some(phase) = clock.phases.last_mut() {
        phase.estimate_mib = Some((sizes.dataset() >> 20) as u64);
    }
    let rows = EvaluationConfig {
        max_users: Some(args.ranked),
        bootstrap_samples: 100,
        ..EvaluationConfig::default()
    };
    let rank = |name: &str, ranker: &dyn Ranker| {
        let never = AtomicBool::new(false);
        let models = [(name, ranker)];
        Ok(evaluate(&data, &rows, &models, &never, &mut |_| {})?)
    };
    let estimate = sizes.dataset() + sizes.scores();
    clock.phase("rank by popularity", Some(estimate), || {
        rank("popularity", &Popularity::new(&data))
    })?;
    let (patterns, reasons) = (PatternStore::new(1), ReasonStore::new(1));
    let features = Features {
        timeline: Timeline::new(&data),
        patterns: &patterns,
        reasons: &reasons,
    };
    let estimate = sizes.dataset() + sizes.training(args.width);
    let (trained, model) = clock.phase("train on IDs", Some(estimate), || {
        train_some(features, &args, &device)
    })?;
    let estimate = sizes.dataset() + sizes.scores() + sizes.weights(args.width);
    let results = clock.phase("rank by the model", Some(estimate), || {
        rank("IDs only", &Scorer::new(trained, features, &device)?)
    })?;
    let ranking = clock.phases.last().map_or(0.0, |phase| phase.seconds);
    let per_user = ranking / results.protocol.users.max(1) as f64;
    Ok(Measured {
        name: data.name.clone(),
        users: sizes.users,
        items: sizes.items,
        interactions: sizes.interactions,
        whole: Whole {
            epoch_hours: model.seconds_per_step * model.steps_per_epoch as f64 / 3600.0,
            ranking_hours: per_user * sizes.users as f64 / 3600.0,
        },
        phases: clock.phases,
        model,
        arguments: args,
    })
}

/// From files to a stored data set; nothing of it stays in memory.
fn prepare_data(
    args: &ScaleArgs,
    clock: &mut Clock,
    scratch: &std::path::Path,
    stored: &std::path::Path,
) -> Result<()> {
    let source = match &args.data {
        Some(folder) => folder.clone(),
        None => {
            let config = SyntheticConfig {
                users: args.users,
                items: args.items,
                interactions: args.interactions,
                exponent: args.exponent,
                ..SyntheticConfig::default()
            };
            let folder = scratch.join("synthetic");
            clock.phase("write the log", None, || {
                Ok(write_synthetic(&config, &folder)?)
            })?;
            folder
        }
    };
    let config = DataConfig {
        min_history: args.min_history,
        ..DataConfig::default()
    };
    let log = clock.phase("read", None, || {
        Ok(read(&source, None, &config.read_options())?)
    })?;
    let found = log_bytes(&log);
    set_estimate(clock, found.reading);
    let (data, dropped) = clock.phase("filter and split", None, || {
        Ok(prepare(&log, &config.split_options(1))?)
    })?;
    let both = found.log + Sizes::of(&data).dataset();
    set_estimate(clock, both);
    clock.phase("describe", Some(both), || Ok(stats(&log, &data, &dropped)))?;
    drop(log);
    let estimate = Some(Sizes::of(&data).dataset());
    clock.phase("store", estimate, || Ok(write(&data, stored)?))?;
    Ok(())
}

fn set_estimate(clock: &mut Clock, bytes: usize) {
    if let Some(phase) = clock.phases.last_mut() {
        phase.estimate_mib = Some((bytes >> 20) as u64);
    }
}

/// Some steps of training on IDs alone.
fn train_some(
    features: Features,
    args: &ScaleArgs,
    device: &Device,
) -> Result<(RewardModel, Model)> {
    let config = RewardTrainingConfig {
        model: RewardConfig {
            width: args.width,
            use_reasons: false,
            use_patterns: false,
            ..RewardConfig::default()
        },
        epochs: 1,
        identity_epochs: 0,
        warm_epochs: 0,
        ..RewardTrainingConfig::default()
    };
    let enough = AtomicBool::new(false);
    let (mut parameters, mut losses, mut done, mut all) = (0, Vec::new(), 0, 0);
    let mut begun: Option<Instant> = None;
    let mut seconds = 0.0;
    let observe = &mut |event: &TrainingEvent| match event {
        TrainingEvent::Start {
            parameters: found, ..
        } => {
            parameters = *found;
            begun = Some(Instant::now());
        }
        TrainingEvent::Step {
            step, steps, loss, ..
        } => {
            losses.push(*loss);
            (done, all) = (*step, *steps);
            seconds = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
            enough.store(*step >= args.steps, Ordering::Relaxed);
        }
        TrainingEvent::Epoch(_) => {}
    };
    let (model, _) = train(features, &config, None, device, &enough, observe)?;
    let model = (
        model,
        Model {
            parameters,
            steps: done,
            steps_per_epoch: all,
            seconds_per_step: seconds / done.max(1) as f64,
            first_loss: losses.first().copied().unwrap_or(f32::NAN),
            last_loss: losses.last().copied().unwrap_or(f32::NAN),
        },
    );
    Ok(model)
}

/// A small piece of memory from the allocator: its bytes, 8 more, in steps of 16 and 32 at least.
fn heap(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => (bytes + 8).next_multiple_of(16).max(32),
    }
}

fn item_bytes(item: &Item) -> usize {
    let attributes: usize = item
        .attributes
        .iter()
        .map(|one| heap(one.kind.len()) + heap(one.value.len()))
        .sum();
    let list = heap(size_of_val(item.attributes.as_slice()));
    size_of::<Item>() + heap(item.key.len()) + heap(item.title.len()) + list + attributes
}

fn user_bytes(user: &User) -> usize {
    size_of::<User>() + heap(user.key.len())
}

/// A hash table with this many entries: a power of two of places, at most 7 of 8 taken, a byte beside each.
fn table(entries: usize, entry: usize) -> usize {
    (entries * 8).div_ceil(7).next_power_of_two() * (entry + 1)
}

struct LogBytes {
    log: usize,
    reading: usize,
}

fn log_bytes(log: &Log) -> LogBytes {
    let items: usize = log.items.iter().map(item_bytes).sum();
    let users: usize = log.users.iter().map(user_bytes).sum();
    let interactions = log.interactions.len() * size_of::<Interaction>();
    // Keys are looked up in tables while reading, and a stable sort needs half as much again.
    let names = |count: usize, keys: usize| table(count, size_of::<(Box<str>, u32)>()) + keys;
    let item_keys = log.items.iter().map(|item| heap(item.key.len())).sum();
    let user_keys = log.users.iter().map(|user| heap(user.key.len())).sum();
    let tables = names(log.items.len(), item_keys) + names(log.users.len(), user_keys);
    LogBytes {
        log: items + users + interactions,
        reading: items + users + interactions + interactions / 2 + tables,
    }
}

/// What the estimate is made of.
struct Sizes {
    users: usize,
    items: usize,
    interactions: usize,
    catalogue: usize,
    people: usize,
}

impl Sizes {
    fn of(data: &Dataset) -> Self {
        Self {
            users: data.users.len(),
            items: data.items.len(),
            interactions: data.histories.iter().map(Vec::len).sum(),
            catalogue: data.items.iter().map(item_bytes).sum(),
            people: data.users.iter().map(user_bytes).sum(),
        }
    }

    /// Catalogue, users, histories, split.
    fn dataset(&self) -> usize {
        let histories = self.users * (size_of::<Vec<Event>>() + 16 + size_of::<UserSplit>());
        self.catalogue + self.people + histories + self.interactions * size_of::<Event>()
    }

    /// The rows of scores that one call of a ranker returns, and one list of candidates.
    fn scores(&self) -> usize {
        let rows = crate::evaluation::rows_at_once(self.items);
        (rows + 1) * self.items * size_of::<f32>()
    }

    /// Item embeddings: all else in the model is small beside them.
    fn weights(&self, width: usize) -> usize {
        self.items * width * size_of::<f32>()
    }

    /// Weights and gradients, the optimiser's two moments, and what each user has taken.
    fn training(&self, width: usize) -> usize {
        let taken =
            self.users * (size_of::<Vec<u32>>() + 16) + self.interactions * size_of::<u32>();
        TENSORS * self.weights(width) + taken
    }
}

/// Tensors of the size of the item embeddings that are alive at once in a step of training.
const TENSORS: usize = 10;
