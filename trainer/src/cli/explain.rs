//! `curec explain`: the recommendations of an exported run with their reasons, in the terminal or as JSON.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::data::User;
use crate::device::{DeviceChoice, open};
use crate::explain::{Question, UnknownUser, dump_scores, explain};
use crate::run::{RunDirectory, Stage, read_lines};

/// Arguments of `curec explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A run directory whose `export` stage has finished
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// An artefact folder instead of a run
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    artefact: Option<PathBuf>,
    /// The user's own identifier in the data
    #[arg(long, value_name = "ID", required_unless_present_any = ["scores", "history"])]
    user: Option<String>,
    /// Another history, oldest first, by the items' own identifiers: ITEM for one that is added, ITEM@POSITION for an event of
    /// the user's history (from 0), read with what was known at it; may be repeated
    #[arg(long, value_name = "ITEM[@POSITION],…", value_delimiter = ',')]
    history: Option<Vec<String>>,
    /// Read this user's pattern instead; `none` reads none
    #[arg(long, value_name = "ID|none")]
    pattern_of: Option<String>,
    /// Let the artefact's language model write a pattern for this history with this seed, and read that, as the page does
    #[arg(long, value_name = "SEED", conflicts_with = "pattern_of")]
    write_pattern: Option<u64>,
    /// Leave a reason out: its place on the item's list, from 0; may be repeated
    #[arg(long = "mute", value_name = "ITEM@PLACE,…", value_delimiter = ',')]
    muted: Vec<String>,
    /// How many recommendations
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the scores of the whole catalogue for N users as JSON instead (for parity checks)
    #[arg(long, value_name = "N")]
    scores: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
}

/// Explains.
///
/// # Errors
/// No artefact, an unknown user, a device that fails.
pub fn run(args: ExplainArgs) -> Result<()> {
    let run = args.run.as_deref().map(RunDirectory::open).transpose()?;
    let folder = match (args.artefact, &run) {
        (Some(folder), _) => folder,
        (None, Some(run)) => {
            let folder = run.stage(Stage::Export).join("artefact");
            if !folder.is_dir() {
                bail!(
                    "{} has no artefact yet; `curec export --run {0}` makes one",
                    run.root().display()
                );
            }
            folder
        }
        (None, None) => bail!("say which run: --run DIR (or --artefact DIR)"),
    };
    let device = open(args.device)?;
    if let Some(users) = args.scores {
        println!(
            "{}",
            serde_json::to_string(&dump_scores(&folder, users, &device)?)?
        );
        return Ok(());
    }
    let question = Question {
        user: args.user,
        history: (args.history).map(|entries| {
            entries
                .into_iter()
                .filter(|entry| !entry.is_empty())
                .collect()
        }),
        pattern_of: args.pattern_of,
        written: args.write_pattern,
        muted: args.muted,
    };
    let explained = explain(&folder, &question, args.count, &device).map_err(|error| {
        let told = error.downcast_ref::<UnknownUser>();
        let told = told.zip(run.as_ref());
        match told.and_then(|(unknown, run)| not_exported(unknown, run)) {
            Some(message) => anyhow!(message),
            None => error,
        }
    })?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print!("{explained}");
    }
    Ok(())
}

/// What to do about a user whom the run has and its artefact does not; nothing if the run does not have them either.
fn not_exported(unknown: &UnknownUser, run: &RunDirectory) -> Option<String> {
    let users: Vec<User> = read_lines(&run.stage(Stage::Data).join("users.jsonl")).ok()?;
    let UnknownUser {
        user, users: some, ..
    } = unknown;
    let left_out = *some < users.len() && users.iter().any(|one| one.key == *user);
    left_out.then(|| {
        let (root, all) = (run.root().display(), users.len());
        format!(
            "user {user:?} is in {root}, but only {some} of its {all} users were exported, among them {}; export all with \
             `curec export --run {root} --set export.max_users={all}`",
            unknown.some.join(", ")
        )
    })
}
