//! `curec bench sasrec`: how fast a SASRec with cross-entropy over the whole catalogue trains on this machine.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::baselines::sequential::{SequentialConfig, fit};
use crate::data::{Dataset, Order, ReadOptions, SplitOptions, prepare, read};
use crate::device::{self, DeviceChoice};
use crate::fitting::TrainingEvent;
use crate::run::stop_flag;

/// Sizes of the model; the defaults are the yardstick of benches/LOG.md
#[derive(Debug, Clone, Args, Serialize)]
pub struct SasrecArgs {
    /// A log to train on, in any format that `curec data stats` reads
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Width of embeddings and states
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Layers
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Attention heads
    #[arg(long, default_value_t = 2)]
    heads: usize,
    /// Inner width of the feed-forward part
    #[arg(long, default_value_t = 64)]
    feed_forward: usize,
    /// Newest events of each history that are trained on, one less than their number as targets
    #[arg(long, default_value_t = 200)]
    length: usize,
    /// Users per step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Dropout
    #[arg(long, default_value_t = 0.2)]
    dropout: f32,
    /// Epochs that are measured, after one that is not
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// Where tensors live
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// CPU threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// The median epoch.
#[derive(Debug, Serialize)]
struct Measured {
    arguments: SasrecArgs,
    users: usize,
    items: usize,
    epoch_targets: usize,
    epoch_seconds: f64,
    targets_per_second: f64,
    peak_memory_mib: Option<u64>,
}

pub fn run(args: SasrecArgs) -> Result<()> {
    let measured = measure(args)?;
    let mut out = std::io::stdout().lock();
    if measured.arguments.json {
        serde_json::to_writer(&mut out, &measured)?;
        writeln!(out)?;
        return Ok(());
    }
    let memory = measured.peak_memory_mib;
    writeln!(
        out,
        "{} users, {} items: {} targets in {:.1} s, {:.0} a second; {} of memory at most",
        measured.users,
        measured.items,
        measured.epoch_targets,
        measured.epoch_seconds,
        measured.targets_per_second,
        memory.map_or("unknown".to_owned(), |mib| format!("{mib} MiB")),
    )?;
    Ok(())
}

fn measure(args: SasrecArgs) -> Result<Measured> {
    ensure!(args.epochs > 0, "--epochs is 0; it must be at least 1");
    ensure!(args.threads > 0, "--threads is 0; it must be at least 1");
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let device = device::open(args.device)?;
    let data = newest(load(&args)?, args.length + 1);
    let config = SequentialConfig {
        width: args.width,
        layers: args.layers,
        heads: args.heads,
        feed_forward: args.feed_forward,
        max_history: args.length,
        dropout: args.dropout,
        epochs: 1 + args.epochs,
        batch_windows: args.batch,
        learning_rate: 1e-3,
        validation_users: 1,
        patience: usize::MAX,
        threads: args.threads,
        ..SequentialConfig::default()
    };
    let (mut seconds, mut targets) = (Vec::new(), 0);
    fit(&data, &config, &device, stop_flag(), &mut |event| {
        if let TrainingEvent::Epoch(epoch) = event
            && epoch.epoch > 1
        {
            seconds.push(epoch.seconds);
            targets = epoch.examples;
        }
    })?;
    ensure!(!seconds.is_empty(), "interrupted before an epoch was done");
    seconds.sort_by(f64::total_cmp);
    let epoch = seconds[seconds.len() / 2];
    Ok(Measured {
        users: data.users.len(),
        items: data.items.len(),
        epoch_targets: targets,
        epoch_seconds: epoch,
        targets_per_second: targets as f64 / epoch,
        peak_memory_mib: device::memory_mib(&device),
        arguments: args,
    })
}

fn load(args: &SasrecArgs) -> Result<Dataset> {
    let order = if args.data.join("sasrec_sequences.txt").exists() {
        Order::Sasrec
    } else {
        Order::Source
    };
    let options = ReadOptions {
        lenient: false,
        order,
    };
    let log = read(&args.data, None, &options)?;
    let everybody = SplitOptions {
        min_history: 0,
        ..SplitOptions::default()
    };
    Ok(prepare(&log, &everybody)?.0)
}

/// Only each user's newest `count` training events are left, as in implementations that cut histories once.
fn newest(mut data: Dataset, count: usize) -> Dataset {
    for (events, split) in data.histories.iter_mut().zip(&mut data.split) {
        let older = split.train.saturating_sub(count);
        events.drain(..older);
        split.train -= older;
    }
    data.causes = None;
    data
}
