//! `curec data`: look at a log, fetch a public one, or simulate the built-in one.

mod synthetic;
mod world;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::data::download::{self, Source};
use crate::data::{DataConfig, Format, Order, ReadOptions, SplitKind, Stats, prepare, read, stats};

/// Look at interaction logs, or fetch public ones
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Print counts, history lengths, popularity, times, and what is dropped and why
    Stats(StatsArgs),
    /// Fetch a public data set from its publisher, after showing its terms
    Download(DownloadArgs),
    /// Simulate the built-in world: describe it, or write it as interactions.csv and items.csv
    World(world::WorldArgs),
    /// Write a log of any size without meaning, to see what the data path can carry
    Synthetic(synthetic::SyntheticArgs),
}

/// The same settings as `[data]` in a run's configuration.
#[derive(Debug, Args)]
struct StatsArgs {
    /// Folder with the data files
    dir: PathBuf,
    /// Format of the files (default: known by their names)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Count and skip malformed lines instead of stopping at the first
    #[arg(long)]
    lenient: bool,
    /// Order of interactions with equal times
    #[arg(long, value_enum, default_value_t = Order::default())]
    order: Order,
    /// Drop users with fewer interactions
    #[arg(long, value_name = "N", default_value_t = DataConfig::default().min_history)]
    min_history: usize,
    /// Drop items with fewer interactions
    #[arg(long, value_name = "N", default_value_t = DataConfig::default().min_item_count)]
    min_item_count: usize,
    /// Keep a sample of at most this many users
    #[arg(long, value_name = "N")]
    max_users: Option<usize>,
    /// Seed of that sample
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// How histories are divided into training, validation and test
    #[arg(long, value_enum, default_value_t = SplitKind::LeaveOneOut)]
    split: SplitKind,
    /// Temporal split: quantile of all times up to which it is training
    #[arg(long, value_name = "FRACTION", default_value_t = DataConfig::default().train_until)]
    train_until: f64,
    /// Temporal split: quantile of all times up to which it is validation
    #[arg(long, value_name = "FRACTION", default_value_t = DataConfig::default().valid_until)]
    valid_until: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DownloadArgs {
    /// Which data set
    #[arg(value_enum)]
    name: Source,
    /// Folder to put it in (default: data/NAME)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Accept the publisher's terms without being asked
    #[arg(long)]
    yes: bool,
}

/// Runs `curec data …`.
pub fn run(args: DataArgs) -> anyhow::Result<()> {
    match args.command {
        DataCommand::Stats(args) => print_stats(args),
        DataCommand::Download(args) => fetch(args),
        DataCommand::World(args) => world::run(args),
        DataCommand::Synthetic(args) => synthetic::run(args),
    }
}

fn print_stats(args: StatsArgs) -> anyhow::Result<()> {
    let stats = described(&args)?;
    let text = if args.json {
        serde_json::to_string_pretty(&stats)? + "\n"
    } else {
        stats.to_string()
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // … | head
        outcome => Ok(outcome?),
    }
}

fn described(args: &StatsArgs) -> anyhow::Result<Stats> {
    let config = DataConfig {
        path: None,
        format: args.format,
        lenient: args.lenient,
        order: args.order,
        min_history: args.min_history,
        min_item_count: args.min_item_count,
        max_users: args.max_users,
        sample_seed: None,
        split: args.split,
        train_until: args.train_until,
        valid_until: args.valid_until,
    };
    config.validate()?;
    let log = read(&args.dir, config.format, &config.read_options())?;
    let (dataset, dropped) = prepare(&log, &config.split_options(args.seed))?;
    let mut found = stats(&log, &dataset, &dropped);
    if config.order == Order::Drawn {
        // What the file's order says of items is looked for in the file's order.
        let options = ReadOptions {
            order: Order::Source,
            ..config.read_options()
        };
        let log = read(&args.dir, config.format, &options)?;
        let (dataset, dropped) = prepare(&log, &config.split_options(args.seed))?;
        found.order_as_in(&stats(&log, &dataset, &dropped));
    }
    Ok(found)
}

fn fetch(args: DownloadArgs) -> anyhow::Result<()> {
    eprintln!("{}", args.name.terms());
    if !args.yes {
        ask()?;
    }
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from("data").join(args.name.name()));
    let style = "{msg}  {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(style).context("the progress bar's template")?;
    let bar = ProgressBar::new(0).with_style(style);
    let fetched = download::fetch(&download::agent(false), &args.name.plan(), &out, &bar);
    bar.finish_and_clear();
    for file in fetched? {
        let from = file.address.as_deref().unwrap_or("was there already");
        eprintln!(
            "{}: {} bytes, {from}; checked: {}",
            file.name, file.bytes, file.checked_by
        );
    }
    eprintln!("\nNext: curec data stats {}", out.display());
    Ok(())
}

fn ask() -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to accept these terms: run the command with --yes to accept them");
    }
    eprint!("Accept these terms? [y/N] ");
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        bail!("the terms were not accepted: nothing was fetched");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        data: DataArgs,
    }

    #[test]
    fn the_interface_is_consistent() {
        use clap::CommandFactory;
        Command::command().debug_assert();
    }

    #[test]
    fn flags_have_the_configuration_s_defaults() {
        let parsed = Command::try_parse_from(["data", "stats", "x"]).unwrap();
        let DataCommand::Stats(args) = parsed.data.command else {
            panic!();
        };
        let default = DataConfig::default();
        assert_eq!(args.min_history, default.min_history);
        assert_eq!(args.split, default.split);
        assert_eq!(args.train_until, default.train_until);
    }

    /// 40 users with five items each, all of one time and in ascending item id.
    fn a_log_of_ties() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let items: String = (100..120)
            .map(|item| format!("{item},Title {item}\n"))
            .collect();
        let events: String = (0..40)
            .flat_map(|user| (0..5).map(move |place| (user, 100 + (user * 7) % 16 + place)))
            .map(|(user, item)| format!("{user},{item},1000\n"))
            .collect();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("items.csv", format!("item_id,title\n{items}"));
        write(
            "interactions.csv",
            format!("user_id,item_id,timestamp\n{events}"),
        );
        folder
    }

    #[test]
    fn stats_look_at_the_file_s_order_of_equal_times_whichever_a_run_would_read() {
        let folder = a_log_of_ties();
        let path = folder.path().to_str().unwrap();
        for order in ["drawn", "source"] {
            let flags = [
                "data",
                "stats",
                path,
                "--order",
                order,
                "--min-history",
                "3",
            ];
            let DataCommand::Stats(args) = Command::try_parse_from(flags).unwrap().data.command
            else {
                panic!();
            };
            let found = described(&args).unwrap();
            for side in [&found.read, &found.kept] {
                let ties = (side.equal_times, side.equal_times_rising);
                assert_eq!(ties, (160, 160), "--order {order}");
            }
            let said = "100 % of the items stand after one with a smaller id";
            assert!(found.to_string().contains(said), "--order {order}");
        }
    }

    #[test]
    fn stats_of_a_folder_that_is_none() {
        let parsed = Command::try_parse_from(["data", "stats", "no/such/folder"]).unwrap();
        let message = run(parsed.data).unwrap_err().to_string();
        assert!(
            message.contains("no/such/folder is not a folder"),
            "{message}"
        );
    }
}
