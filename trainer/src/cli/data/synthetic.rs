//! `curec data synthetic`: a log of any size, written as it is drawn.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::data::synthetic::{SyntheticConfig, write_synthetic};

/// Size and shape of the log.
#[derive(Debug, Args)]
pub(super) struct SyntheticArgs {
    /// Folder for interactions.csv and items.csv; it must be new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Users
    #[arg(long, value_name = "N", default_value_t = SyntheticConfig::default().users)]
    users: usize,
    /// Items
    #[arg(long, value_name = "N", default_value_t = SyntheticConfig::default().items)]
    items: usize,
    /// Interactions on average, at least three a user
    #[arg(long, value_name = "N", default_value_t = SyntheticConfig::default().interactions)]
    interactions: usize,
    /// Exponent of the Zipf law by which items are drawn; 0 = all alike
    #[arg(long, value_name = "S", default_value_t = SyntheticConfig::default().exponent)]
    exponent: f64,
    /// Seed
    #[arg(long, value_name = "SEED", default_value_t = SyntheticConfig::default().seed)]
    seed: u64,
}

pub(super) fn run(args: SyntheticArgs) -> Result<()> {
    let config = SyntheticConfig {
        users: args.users,
        items: args.items,
        interactions: args.interactions,
        exponent: args.exponent,
        seed: args.seed,
    };
    config.validate()?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create {}", args.out.display()))?;
    ensure!(
        std::fs::read_dir(&args.out)?.next().is_none(),
        "{} is not empty: choose another --out, so that nothing of yours is touched",
        args.out.display()
    );
    let written = write_synthetic(&config, &args.out)?;
    println!(
        "wrote {written} interactions of {} users with {} items to {}",
        config.users,
        config.items,
        args.out.display()
    );
    Ok(())
}
