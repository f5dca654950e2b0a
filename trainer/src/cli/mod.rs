//! The `curec` command: one file per subcommand.

mod ablate;
mod baseline;
mod bench;
mod check;
mod data;
mod doctor;
mod dry_run;
mod evaluate;
mod explain;
mod identity;
mod llm;
mod measure;
mod report;
mod run;
mod study;
mod watch;

use clap::{Parser, Subcommand};

use crate::run::Stage;

/// Recommendations that can say why: train, evaluate and export (CURec, arXiv 2508.07595)
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Start here:\n  curec run --preset world --out runs/world      the whole method on the built-in world, no download\n  curec watch --run runs/world                   its curves while it runs, in another terminal\n  curec explain --run runs/world --user v0007    explained recommendations in the terminal\n  curec run --data FOLDER --preset small --out runs/mine    your own logs (`curec data stats FOLDER` first)"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all stages into a run directory (finished ones are skipped)
    Run(run::RunArgs),
    /// Stage: train a nano LLM from scratch on metadata-derived rationales
    Warmup(run::StageArgs),
    /// Stage: align the LLM by GRPO with rule rewards
    Pretrain(run::PretrainArgs),
    /// Stage: write user patterns and item reasons
    Generate(run::StageArgs),
    /// Stage: train the reward model on them
    Reward(run::StageArgs),
    /// Stage: correct LLM and texts in chronological order, then refit the reward model
    Correct(run::StageArgs),
    /// Stage: rank the full catalogue, with baselines and controls
    Evaluate(evaluate::EvaluateArgs),
    /// Stage: write the web artefact
    Export(run::StageArgs),
    /// Train and rank other people's recommenders under the same protocol
    Baseline(baseline::BaselineArgs),
    /// Take parts of the method away one by one: runs, controls and one table of what each is worth
    Ablate(ablate::AblateArgs),
    /// Look at logs, download public ones, simulate the built-in world
    Data(data::DataArgs),
    /// Inspect any Qwen2 model folder: score, generate, info
    Llm(llm::LlmArgs),
    /// Print explained recommendations for one user
    Explain(explain::ExplainArgs),
    /// Check a run: the paper's own checks and its open questions, each a verdict with its numbers
    Check(check::CheckArgs),
    /// Make a blind human study of a run's reasons: a page for raters, and the key to it
    Study(study::StudyArgs),
    /// Write any number of runs as one HTML file: results with intervals, curves, explanations, protocol, cost
    Report(report::ReportArgs),
    /// Follow a run in the terminal: stages, live curves, newest samples
    Watch(watch::WatchArgs),
    /// Show what this machine and this build can do
    Doctor(doctor::DoctorArgs),
    /// Measure what training and scoring cost on this machine
    Bench(bench::BenchArgs),
}

/// Runs a parsed command line.
///
/// # Errors
/// Whatever the command could not do, with what to do about it.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Run(args) => run::run(args),
        Command::Warmup(args) => run::stage(Stage::Warmup, args),
        Command::Pretrain(args) => run::pretrain(args),
        Command::Generate(args) => run::stage(Stage::Generate, args),
        Command::Reward(args) => run::stage(Stage::Reward, args),
        Command::Correct(args) => run::stage(Stage::Correct, args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Export(args) => run::stage(Stage::Export, args),
        Command::Baseline(args) => baseline::run(args),
        Command::Ablate(args) => ablate::run(args),
        Command::Data(args) => data::run(args),
        Command::Llm(args) => llm::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(args),
        Command::Study(args) => study::run(args),
        Command::Report(args) => report::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::Config;
    use crate::data::{prepare, world};

    #[test]
    fn the_interface_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_user_in_the_help_is_one_of_the_world() {
        let help = Cli::command().get_after_help().unwrap().to_string();
        let mut words = help.split_whitespace().skip_while(|word| *word != "--user");
        let named = words.nth(1).unwrap();
        let config = Config::layered(Some("world"), None, &[]).unwrap();
        let log = world::generate(&config.world).unwrap();
        let (data, _) = prepare(&log, &config.data.split_options(config.seed)).unwrap();
        assert!(
            data.users.iter().any(|user| user.key == named),
            "no user {named} among {:?}, …",
            &data.users[..3]
        );
        assert_eq!(config.export.max_users, None, "all of them are exported");
    }
}
