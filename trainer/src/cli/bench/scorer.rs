//! `curec bench scorer`: how long this machine takes to score a whole catalogue for one viewer, as the page does it on a CPU.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use curec_shared_model::artefact::Artefact;
use curec_shared_model::reward::RewardConfig;
use curec_shared_model::scorer::Scorer;
use serde::Serialize;

use super::made_up;
use crate::export::{read_folder, write_folder};

/// What is scored; the defaults are the yardstick of benches/LOG.md
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct ScorerArgs {
    /// An artefact to score instead of a made-up one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["write", "items", "events", "reasons", "viewers", "seed"])]
    #[serde(skip)]
    artefact: Option<PathBuf>,
    /// Write the made-up artefact there, and score what is read back
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    write: Option<PathBuf>,
    /// Items of the made-up catalogue
    #[arg(long, default_value_t = 3706)]
    items: usize,
    /// Events of every history
    #[arg(long, default_value_t = 50)]
    events: usize,
    /// Reasons of every item
    #[arg(long, default_value_t = 8)]
    reasons: usize,
    /// Viewers
    #[arg(long, default_value_t = 64)]
    viewers: usize,
    /// What its numbers are drawn from
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Scorings that are measured, of one viewer after another
    #[arg(long, default_value_t = 64)]
    calls: usize,
    /// Scorings before them that are not
    #[arg(long, default_value_t = 8)]
    warm_up: usize,
    /// Recommendations of a list
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Print one JSON object instead of a table
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Measured {
    arguments: ScorerArgs,
    model: RewardConfig,
    items: usize,
    viewers: usize,
    /// The scorer from a checked artefact.
    load_ms: f64,
    /// The score of every item.
    scores: Percentiles,
    /// The same, and the best of them explained.
    recommend: Percentiles,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
    /// Of the processor, on average: what a busy machine changes least.
    cpu_ms: Option<f64>,
}

impl Percentiles {
    /// The smallest measured value that at least so many in a hundred do not exceed.
    fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (milliseconds.len() * percent).div_ceil(100);
            milliseconds[rank.saturating_sub(1)]
        };
        Self {
            p50: at(50),
            p95: at(95),
            cpu_ms: None,
        }
    }
}

pub(super) fn run(args: ScorerArgs) -> Result<()> {
    let json = args.json;
    let measured = measure(args)?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &measured)?;
        writeln!(out)?;
        return Ok(());
    }
    let Percentiles { p50, p95, .. } = measured.scores;
    writeln!(
        out,
        "{} items for one of {} viewers on one thread: {p50:.1} ms, 95 % within {p95:.1} ms; with the list of the best {:.1} and \
         {:.1} ms; loaded in {:.0} ms",
        measured.items,
        measured.viewers,
        measured.recommend.p50,
        measured.recommend.p95,
        measured.load_ms
    )?;
    Ok(())
}

fn measure(args: ScorerArgs) -> Result<Measured> {
    ensure!(args.calls > 0, "--calls is 0; it must be at least 1");
    ensure!(args.viewers > 0, "--viewers is 0; it must be at least 1");
    let artefact = artefact(&args)?;
    let start = Instant::now();
    let scorer = Scorer::on_cpu(&artefact)?;
    let load_ms = milliseconds(start);
    let viewers = artefact.users.len();
    let time = |question: &dyn Fn(u32) -> Result<()>| -> Result<Percentiles> {
        let mut found = Vec::with_capacity(args.calls);
        let mut before = None;
        for call in 0..args.warm_up + args.calls {
            if call == args.warm_up {
                before = cpu_ms();
            }
            let start = Instant::now();
            question((call % viewers) as u32)?;
            if call >= args.warm_up {
                found.push(milliseconds(start));
            }
        }
        let spent = before.zip(cpu_ms()).map(|(before, after)| after - before);
        Ok(Percentiles {
            cpu_ms: spent.map(|spent| spent / args.calls as f64),
            ..Percentiles::of(found)
        })
    };
    let scores = time(&|viewer| {
        std::hint::black_box(pollster::block_on(scorer.score(viewer))?);
        Ok(())
    })?;
    let recommend = time(&|viewer| {
        let taste = scorer.taste(viewer)?;
        std::hint::black_box(pollster::block_on(scorer.recommend(&taste, args.count))?);
        Ok(())
    })?;
    Ok(Measured {
        model: artefact.reward_config()?,
        items: artefact.catalogue.len(),
        viewers,
        load_ms,
        scores,
        recommend,
        arguments: args,
    })
}

/// What this thread has had of a processor so far, where the kernel (Linux) says it; scoring has no other thread.
fn cpu_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

fn artefact(args: &ScorerArgs) -> Result<Artefact> {
    if let Some(folder) = &args.artefact {
        return Ok(read_folder(folder)?);
    }
    let config = RewardConfig {
        max_history: args.events,
        reasons: args.reasons,
        ..RewardConfig::new(args.items, RewardConfig::default().width)
    };
    let made = made_up::artefact(&config, args.viewers, args.seed)?;
    match &args.write {
        Some(folder) => {
            write_folder(&made, folder)?;
            Ok(read_folder(folder)?)
        }
        None => Ok(made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let found = Percentiles::of((1..=60).rev().map(f64::from).collect());
        assert_eq!((found.p50, found.p95), (30.0, 57.0));
        let alone = Percentiles::of(vec![2.5]);
        assert_eq!((alone.p50, alone.p95), (2.5, 2.5));
    }
}
