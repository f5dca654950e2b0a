//! `curec data world`: the built-in world described, or written as the plain files that `curec run --data` (and anything
//! else) reads.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use tempfile::NamedTempFile;

use crate::data::world::{WorldConfig, report, simulate};
use crate::data::{DataConfig, Log, read};

/// The files of a written world.
const ITEMS: &str = "items.csv";
const INTERACTIONS: &str = "interactions.csv";
const CAUSES: &str = "causes.jsonl";

/// The same settings as `[world]` in a run's configuration.
#[derive(Debug, Args)]
pub(super) struct WorldArgs {
    /// Seed of the simulation
    #[arg(long, value_name = "SEED", default_value_t = WorldConfig::default().seed)]
    seed: u64,
    /// Works in the catalogue
    #[arg(long, value_name = "N", default_value_t = WorldConfig::default().works)]
    works: usize,
    /// Viewers
    #[arg(long, value_name = "N", default_value_t = WorldConfig::default().viewers)]
    viewers: usize,
    /// Write interactions.csv, items.csv and causes.jsonl into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files of these names
    #[arg(long, requires = "out")]
    force: bool,
    /// Print the table of docs/world.md; with a folder, beside the log in it
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    stats: Option<Option<PathBuf>>,
}

pub(super) fn run(args: WorldArgs) -> Result<()> {
    let config = WorldConfig {
        seed: args.seed,
        works: args.works,
        viewers: args.viewers,
        ..WorldConfig::default()
    };
    if let (Some(folder), false) = (&args.out, args.force) {
        refuse_taken(folder)?;
    }
    let simulated = simulate(&config)?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        write(&simulated.log, folder, args.force)?;
        println!("wrote {}", folder.display());
    }
    let other = match &args.stats {
        Some(Some(folder)) => Some(read(folder, None, &DataConfig::default().read_options())?),
        _ => None,
    };
    if args.stats.is_some() || args.out.is_none() {
        println!("{}", report(&simulated, &other.iter().collect::<Vec<_>>()));
    }
    Ok(())
}

/// A log that is there already may be somebody's own.
fn refuse_taken(folder: &Path) -> Result<()> {
    let taken: Vec<&str> = [ITEMS, INTERACTIONS, CAUSES]
        .into_iter()
        .filter(|name| folder.join(name).symlink_metadata().is_ok())
        .collect();
    if !taken.is_empty() {
        bail!(
            "{} holds {} already, so nothing was written: choose another --out, or overwrite with --force",
            folder.display(),
            taken.join(", ")
        );
    }
    Ok(())
}

/// All files are whole and on disk beside their places before the first takes its name.
fn write(log: &Log, folder: &Path, force: bool) -> Result<()> {
    let files = [
        (ITEMS, items(log)?),
        (INTERACTIONS, interactions(log)?),
        (CAUSES, causes(log)?),
    ];
    let mut drafts = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        let draft = draft(folder, &bytes);
        drafts.push((draft.with_context(|| cannot_write(&path))?, path));
    }
    for (draft, path) in drafts {
        let placed = if force {
            draft.persist(&path)
        } else {
            draft.persist_noclobber(&path)
        };
        placed.with_context(|| cannot_write(&path))?;
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn draft(folder: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // Temporary files are private to their owner; a log is as readable as any file the user makes (the umask applies).
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn items(log: &Log) -> Result<Vec<u8>> {
    let kinds = ["genre", "place", "mood", "year", "person"];
    let mut items = csv::Writer::from_writer(Vec::new());
    items.write_record(["item_id", "title"].iter().chain(&kinds))?;
    for item in &log.items {
        let value = |kind: &&str| {
            let found = item
                .attributes
                .iter()
                .find(|attribute| attribute.kind == **kind);
            found.map_or("", |attribute| attribute.value.as_str())
        };
        let row = [item.key.as_str(), &item.title]
            .into_iter()
            .chain(kinds.iter().map(value));
        items.write_record(row)?;
    }
    Ok(items.into_inner()?)
}

fn interactions(log: &Log) -> Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["user_id", "item_id", "timestamp"])?;
    for event in &log.interactions {
        let (user, item) = (
            &log.users[event.user as usize].key,
            &log.items[event.item as usize].key,
        );
        rows.write_record([user, item, &event.time.to_string()])?;
    }
    Ok(rows.into_inner()?)
}

fn causes(log: &Log) -> Result<Vec<u8>> {
    let mut causes = Vec::new();
    for cause in log.causes.iter().flatten() {
        serde_json::to_writer(&mut causes, cause)?;
        causes.push(b'\n');
    }
    Ok(causes)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        world: WorldArgs,
    }

    fn small(out: &Path, more: &[&str]) -> Result<()> {
        let words = ["world", "--works", "320", "--viewers", "12", "--out"];
        let out = [out.to_str().unwrap()];
        let words = words.iter().chain(&out).chain(more);
        run(Command::try_parse_from(words).unwrap().world)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_written_world_is_read_as_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new");
        small(&out, &[]).unwrap();
        assert_eq!(names(&out), [CAUSES, INTERACTIONS, ITEMS]);
        let log = read(&out, None, &DataConfig::default().read_options()).unwrap();
        assert_eq!((log.users.len(), log.items.len()), (12, 320));
        let causes = std::fs::read_to_string(out.join(CAUSES)).unwrap();
        assert_eq!(causes.lines().count(), log.interactions.len());
    }

    #[test]
    fn files_of_one_s_own_are_kept_unless_forced() {
        for name in [ITEMS, INTERACTIONS, CAUSES] {
            let folder = tempfile::tempdir().unwrap();
            let own = folder.path().join(name);
            std::fs::write(&own, "mine").unwrap();
            let message = small(folder.path(), &[]).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("--force"),
                "{message}"
            );
            assert_eq!(std::fs::read_to_string(&own).unwrap(), "mine");
            assert_eq!(names(folder.path()), [name], "nothing beside it");
            small(folder.path(), &["--force"]).unwrap();
            assert_ne!(std::fs::read_to_string(&own).unwrap(), "mine");
            assert_eq!(names(folder.path()), [CAUSES, INTERACTIONS, ITEMS]);
        }
        let alone = Command::try_parse_from(["world", "--force"]);
        assert!(alone.is_err(), "--force without --out");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let log = simulate(&WorldConfig::default()).unwrap().log;
        std::fs::write(folder.path().join(INTERACTIONS), "mine").unwrap();
        assert!(write(&log, folder.path(), false).is_err());
        let kept = std::fs::read_to_string(folder.path().join(INTERACTIONS)).unwrap();
        assert_eq!(kept, "mine");
    }
}
