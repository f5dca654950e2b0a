//! `curec bench`: what training and scoring cost on this machine.

mod grpo;
mod made_up;
mod sasrec;
mod scale;
mod scorer;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measure what training and scoring cost on this machine
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One GRPO step of a Qwen2 with random weights: sampling, forward, backward, optimiser, memory
    Grpo(grpo::GrpoArgs),
    /// Epochs of SASRec with cross-entropy over the whole catalogue
    Sasrec(sasrec::SasrecArgs),
    /// The data's way from files to a ranking on IDs, without a language model, at any size: time and memory of each phase
    Scale(scale::ScaleArgs),
    /// A whole catalogue scored for one viewer, as the page does it on a CPU
    Scorer(scorer::ScorerArgs),
}

pub fn run(args: BenchArgs) -> Result<()> {
    match args.what {
        What::Grpo(args) => grpo::run(args),
        What::Sasrec(args) => sasrec::run(args),
        What::Scale(args) => scale::run(args),
        What::Scorer(args) => scorer::run(args),
    }
}
