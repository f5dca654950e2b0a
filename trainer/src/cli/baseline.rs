//! `curec baseline`: other people's recommenders under the same protocol.

mod click;
mod ranking;
mod told;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::baselines::ctr::Clicks;
use crate::baselines::search::{Plan, best, search};
use crate::baselines::{BaselineError, Chosen, Model, ProtocolKind, Settings, Setup};
use crate::data::Format;
use crate::device::DeviceChoice;
use crate::evaluation::{EvaluationError, SeenItems};
use crate::run::{Progress, ensure_can_write, on_interrupt, write_json};
use crate::stages::Interrupted;

/// Train and rank other people's recommenders under the same protocol
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: configs/baselines/NAME.toml, over it --config FILE ([settings], [search]), over it --set KEY=VALUE.\n\nExamples:\n  curec baseline pop --data ml-1m --protocol sasrec                      beside published numbers\n  curec baseline bpr-mf --data ml-1m --search 20 --trials bpr.jsonl > bpr.toml\n  curec baseline bpr-mf --data ml-1m --config bpr.toml --ranks --out bpr.json   what the search chose, on test\n  curec baseline sasrec --data ml-1m --against bpr.json                  how much better, paired over users"
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
    /// Filters, order and split [default: default; din-ctr has its own]
    #[arg(long, value_enum)]
    protocol: Option<ProtocolKind>,
    /// The data of a run instead, filtered and split as it did
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "format", "protocol"])]
    run: Option<PathBuf>,
    /// What a click model is asked [default: labeled]
    #[arg(long, value_enum)]
    clicks: Option<Clicks>,
    /// Whether items taken before the test event compete with it [default: filtered]
    #[arg(long, value_enum)]
    seen: Option<Seen>,
    /// Settings file, laid over the model's own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Seed of weights, samples and order
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    seed: u64,
    /// Users whose validation event is ranked to choose epoch and settings (a seeded sample; 0 = all)
    #[arg(long, value_name = "N", default_value_t = 1000)]
    validation_users: usize,
    /// Train with N random draws of the settings that the file declares under [search], and print the best by validation as a
    /// settings file; test is not looked at
    #[arg(long, value_name = "N", requires = "trials", conflicts_with_all = ["seen", "json", "out", "ranks", "against"])]
    search: Option<u64>,
    /// JSON lines of the search: every trial; finished ones are not run again
    #[arg(long, value_name = "FILE", requires = "search")]
    trials: Option<PathBuf>,
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
    /// Compare with an earlier result (--out FILE --ranks) of the same users, paired; may be repeated
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// What `--seen` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Seen {
    /// They are taken out of the ranking
    #[default]
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
    for file in args.out.iter().chain(&args.trials) {
        ensure_can_write(file)?;
    }
    let setup = Setup::layered(args.model, args.config.as_deref(), &args.sets)?;
    ensure!(
        args.clicks.is_none() || matches!(setup.settings, Settings::ClickThrough(_)),
        "{} is no click model and takes no --clicks",
        args.model.name()
    );
    let outcome = match (setup.settings.clone(), args.search) {
        (Settings::Ranking(settings), None) => ranking::run(&args, settings, setup.chosen),
        (Settings::Ranking(_), Some(trials)) => ranking::search(&args, &setup, trials),
        (Settings::ClickThrough(settings), None) => click::run(&args, settings, setup.chosen),
        (Settings::ClickThrough(_), Some(trials)) => click::search(&args, &setup, trials),
    };
    outcome.map_err(|error| match error.downcast_ref::<BaselineError>() {
        Some(
            BaselineError::Interrupted | BaselineError::Evaluation(EvaluationError::Interrupted),
        ) => Interrupted.into(),
        _ => error,
    })
}

impl BaselineArgs {
    fn progress(&self) -> Progress {
        Progress { quiet: self.quiet }
    }

    /// What a click model has no use for.
    fn only_for_rankings(&self) -> Result<&Path> {
        let given = [
            ("--protocol", self.protocol.is_some()),
            ("--seen", self.seen.is_some()),
            ("--ranks", self.ranks),
            ("--against", !self.against.is_empty()),
            ("--run", self.run.is_some()),
        ];
        for (flag, given) in given {
            ensure!(
                !given,
                "{} has protocols of its own (--clicks) and takes no {flag}",
                self.model.name()
            );
        }
        match &self.data {
            Some(folder) => Ok(folder),
            None => bail!("give --data FOLDER"),
        }
    }

    /// Writes a result where it was asked for and prints it, or `table` instead.
    fn show(&self, result: &impl Serialize, table: impl FnOnce() -> String) -> Result<()> {
        if let Some(out) = &self.out {
            write_json(out, result)?;
        }
        if self.json {
            print(&(serde_json::to_string_pretty(result)? + "\n"))
        } else {
            print(&table())
        }
    }

    /// Runs the missing trials and prints the best settings; `measured`: hash of the data, what chooses, and on how many.
    fn searched(
        &self,
        setup: &Setup,
        count: u64,
        (data_sha256, objective, measured_on): (String, &str, usize),
        measure: &mut dyn FnMut(&Setup) -> Result<f64, BaselineError>,
    ) -> Result<()> {
        let Some(file) = &self.trials else {
            bail!("give --trials FILE");
        };
        let plan = Plan {
            model: self.model.name().to_owned(),
            data_sha256,
            seed: self.seed,
            objective: objective.to_owned(),
            measured_on,
            settings: setup.table.clone(),
            space: setup.declared.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let progress = self.progress();
        let trials = search(setup, &plan, count, file, &mut |trial, setup| {
            let score = match measure(setup) {
                Ok(score) => Some(score),
                Err(BaselineError::Diverged { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let shown = score.map_or("diverged".to_owned(), |score| format!("{score:.4}"));
            progress.say(&format!("trial {trial} of {count}: {objective} {shown}"));
            Ok(score)
        })?;
        let Some(top) = best(&trials) else {
            bail!("every trial diverged; give a [search] with lower learning rates in --config");
        };
        let chosen = Chosen {
            model: Some(self.model),
            trials: trials.len() as u64,
            trial: top.trial,
            objective: plan.objective,
            score: top.score.unwrap_or(f64::NAN),
            measured_on,
            seed: plan.seed,
            data_sha256: plan.data_sha256,
        };
        let found = Setup {
            chosen: Some(chosen),
            ..setup.with(&top.drawn)?
        };
        let head = format!("# {}, as a search chose it.\n\n", plan.model);
        print(&(head + &found.to_toml()?))
    }
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // … | head
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        baseline: BaselineArgs,
    }

    fn parse(arguments: &[&str]) -> Result<BaselineArgs, clap::Error> {
        let arguments = ["baseline"].iter().chain(arguments);
        Ok(Command::try_parse_from(arguments)?.baseline)
    }

    #[test]
    fn data_comes_from_a_folder_or_a_run_and_a_search_needs_a_file() {
        parse(&["pop"]).unwrap_err();
        parse(&["pop", "--data", "x", "--run", "y"]).unwrap_err();
        parse(&["item-knn", "--data", "x", "--search", "3"]).unwrap_err();
        parse(&["item-knn", "--data", "x", "--search", "3", "--trials", "t"]).unwrap();
        parse(&["nobody", "--data", "x"]).unwrap_err();
    }

    #[test]
    fn a_click_model_takes_no_flags_of_rankings() {
        for flags in [["--seen", "kept"], ["--protocol", "sasrec"]] {
            let arguments = [&["din-ctr", "--data", "no/such/folder"][..], &flags].concat();
            let message = run(parse(&arguments).unwrap()).unwrap_err().to_string();
            assert!(message.contains("protocols of its own"), "{message}");
        }
        let clicks = ["pop", "--data", "no/such/folder", "--clicks", "uni100"];
        let message = run(parse(&clicks).unwrap()).unwrap_err().to_string();
        assert!(message.contains("no click model"), "{message}");
    }

    /// Six users, forty items, all read and ranked by the command itself.
    #[test]
    fn a_result_file_says_how_it_was_made_and_a_search_keeps_its_trials() {
        let folder = tempfile::tempdir().unwrap();
        let [data, out, trials] =
            ["data", "out.json", "trials"].map(|name| folder.path().join(name));
        std::fs::create_dir(&data).unwrap();
        let mut items = "item_id,title\n".to_owned();
        let mut interactions = "user_id,item_id,timestamp\n".to_owned();
        for item in 0..40 {
            items += &format!("i{item},Title {item}\n");
            for user in 0..item.min(6) {
                interactions += &format!("u{user},i{item},{}\n", 100 + (item * 7 + user * 3) % 40);
            }
        }
        std::fs::write(data.join("items.csv"), items).unwrap();
        std::fs::write(data.join("interactions.csv"), interactions).unwrap();
        let [data, out, trials] = [&data, &out, &trials].map(|path| path.to_str().unwrap());
        let common = ["item-knn", "--data", data, "-q"];
        let ranked = ["--seen", "kept", "--out", out, "--ranks"];
        run(parse(&[&common[..], &ranked].concat()).unwrap()).unwrap();
        let text = std::fs::read_to_string(out).unwrap();
        let result: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(result["model"], "item-knn");
        assert_eq!(result["settings"]["neighbours"], 200);
        let protocol = &result["protocol"];
        assert_eq!(protocol["name"], "default");
        assert_eq!(protocol["seen_items"], "kept");
        assert_eq!(protocol["split"], "leave-one-out");
        assert_eq!(protocol["users"], 6);
        assert_eq!(protocol["data_sha256"].as_str().unwrap().len(), 64);
        assert_eq!(result["metrics"].as_object().unwrap().len(), 8);
        assert_eq!(result["ranks"].as_array().unwrap().len(), 6);
        let searched = ["--search", "3", "--trials", trials];
        run(parse(&[&common[..], &searched].concat()).unwrap()).unwrap();
        let lines = std::fs::read_to_string(trials).unwrap();
        assert_eq!(lines.lines().count(), 4); // the plan and three trials
        run(parse(&[&common[..], &searched].concat()).unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(trials).unwrap(), lines);

        let beside = |flags: &[&str]| {
            let pop = ["pop", "--data", data, "-q", "--against", out];
            run(parse(&[&pop[..], flags].concat()).unwrap())
        };
        let message = beside(&[]).unwrap_err().to_string(); // --seen filtered
        assert!(message.contains("--seen"), "{message}");
        let second = folder.path().join("second.json");
        let second = second.to_str().unwrap();
        beside(&["--seen", "kept", "--out", second]).unwrap();
        let text = std::fs::read_to_string(second).unwrap();
        let compared: serde_json::Value = serde_json::from_str(&text).unwrap();
        let against = &compared["against"][0];
        assert_eq!(against["model"], "item-knn");
        let mean =
            |value: &serde_json::Value| value["metrics"]["ndcg@10"]["mean"].as_f64().unwrap();
        let difference = against["difference"]["ndcg@10"]["mean"].as_f64().unwrap();
        assert!((difference - (mean(&compared) - mean(&result))).abs() < 1e-12);
        assert!(compared.get("ranks").is_none());
    }
}
