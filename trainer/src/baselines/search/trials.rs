//! The trials of a search in one file of JSON lines: what was searched, then every finished trial. An interrupted search goes
//! on with the trials that are missing.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::baselines::Setup;
use crate::run::{JsonLines, read_lines};

/// What all trials of a file have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the model.
    pub model: String,
    /// Hash of the data and their division.
    pub data_sha256: String,
    /// Seed of what is drawn, and of every training.
    pub seed: u64,
    /// What chooses, e.g. `validation ndcg@10`.
    pub objective: String,
    /// Users or examples that it is measured on.
    pub measured_on: usize,
    /// Settings that are not drawn.
    pub settings: toml::Table,
    /// What is drawn, as declared.
    pub space: toml::Table,
    /// Version of this program.
    pub version: String,
}

/// One finished trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Counted from 1; decides what is drawn.
    pub trial: u64,
    /// What was drawn.
    pub drawn: toml::Table,
    /// The objective; none where the loss diverged.
    pub score: Option<f64>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Trial(Trial),
    Plan(Plan),
}

/// Runs the trials `1..=count` that `file` does not have yet; all of them, in order. `measure` trains with a setup and gives the
/// objective (larger is better), or none where the loss diverged.
///
/// # Errors
/// A file of another search, what the disk refuses, or what `measure` fails with; finished trials stay in the file.
pub fn search(
    setup: &Setup,
    plan: &Plan,
    count: u64,
    file: &Path,
    measure: &mut dyn FnMut(u64, &Setup) -> Result<Option<f64>>,
) -> Result<Vec<Trial>> {
    ensure!(
        !setup.space.is_empty(),
        "{} has no [search]: there is nothing to draw",
        plan.model
    );
    let (mut trials, mut lines) = open(plan, file)?;
    for trial in 1..=count {
        if trials.iter().any(|done| done.trial == trial) {
            continue;
        }
        let drawn = setup.space.draw(plan.seed, trial - 1);
        let started = Instant::now();
        let score = measure(trial, &setup.with(&drawn)?)?;
        let done = Trial {
            trial,
            drawn,
            score,
            seconds: started.elapsed().as_secs_f64(),
        };
        lines.push(&done)?;
        trials.push(done);
    }
    trials.retain(|done| done.trial <= count);
    trials.sort_by_key(|done| done.trial);
    Ok(trials)
}

/// Finished trials, and the file ready for more. A half-written last line is cut off.
fn open(plan: &Plan, file: &Path) -> Result<(Vec<Trial>, JsonLines)> {
    if !file.exists() {
        let mut lines = JsonLines::create(file)?;
        lines.push(plan)?;
        return Ok((Vec::new(), lines));
    }
    let bytes = std::fs::read(file)?;
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    if whole == 0 {
        std::fs::remove_file(file)?;
        return open(plan, file);
    }
    let lines = JsonLines::resume(file, whole as u64)?;
    let mut trials = Vec::new();
    for (number, line) in read_lines::<Line>(file)?.into_iter().enumerate() {
        match line {
            Line::Trial(trial) if number > 0 && trial.trial > 0 => trials.push(trial),
            Line::Plan(found) if number == 0 => ensure!(
                found == *plan,
                "{} holds a search with other settings, data, seed or version; give another --trials FILE",
                file.display()
            ),
            _ => anyhow::bail!(
                "{} is no file of trials; give another --trials FILE",
                file.display()
            ),
        }
    }
    Ok((trials, lines))
}

/// The best of the trials; the earlier one of equals. None if all diverged.
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    let scored = trials
        .iter()
        .filter_map(|trial| Some((trial.score?, trial)));
    let better = |best: (f64, _), next: (f64, _)| if next.0 > best.0 { next } else { best };
    Some(scored.reduce(better)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::Model;

    fn plan(seed: u64) -> Plan {
        Plan {
            model: "item-knn".to_owned(),
            data_sha256: "x".to_owned(),
            seed,
            objective: "validation ndcg@10".to_owned(),
            measured_on: 10,
            settings: toml::Table::new(),
            space: toml::Table::new(),
            version: "1".to_owned(),
        }
    }

    /// More neighbours are better here; the trial numbers that were asked for.
    fn run(file: &Path, count: u64, seed: u64) -> (Result<Vec<Trial>>, Vec<u64>) {
        let setup = Setup::layered(Model::ItemKnn, None, &[]).unwrap();
        let mut asked = Vec::new();
        let trials = search(&setup, &plan(seed), count, file, &mut |trial, setup| {
            asked.push(trial);
            let neighbours = setup.table["neighbours"].as_integer().unwrap() as f64;
            Ok((trial != 2).then_some(neighbours))
        });
        (trials, asked)
    }

    #[test]
    fn a_search_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
        let (all, asked) = run(&whole, 6, 4);
        let all = all.unwrap();
        assert_eq!(asked, [1, 2, 3, 4, 5, 6]);
        run(&cut, 3, 4).0.unwrap();
        let mut text = std::fs::read_to_string(&cut).unwrap();
        text.truncate(text.len() - 5); // killed while the third was written
        std::fs::write(&cut, text).unwrap();
        let (resumed, asked) = run(&cut, 6, 4);
        assert_eq!(asked, [3, 4, 5, 6]);
        let without_times = |trials: &[Trial]| -> Vec<(u64, toml::Table, Option<f64>)> {
            let plain = |trial: &Trial| (trial.trial, trial.drawn.clone(), trial.score);
            trials.iter().map(plain).collect()
        };
        assert_eq!(without_times(&resumed.unwrap()), without_times(&all));
        assert_eq!(run(&cut, 6, 4).1, [0u64; 0]);
        assert_eq!(run(&cut, 2, 4).0.unwrap().len(), 2);
        let top = best(&all).unwrap();
        assert!(top.trial != 2 && all.iter().all(|trial| trial.score <= top.score));
    }

    #[test]
    fn another_search_s_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials");
        run(&file, 1, 4).0.unwrap();
        let message = run(&file, 1, 5).0.unwrap_err().to_string();
        assert!(message.contains("another --trials FILE"), "{message}");
        std::fs::write(
            &file,
            "{\"trial\":1,\"drawn\":{},\"score\":1.0,\"seconds\":1.0}\n",
        )
        .unwrap();
        let message = run(&file, 1, 4).0.unwrap_err().to_string();
        assert!(message.contains("no file of trials"), "{message}");
    }

    #[test]
    fn a_failure_keeps_what_was_finished() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials");
        let setup = Setup::layered(Model::ItemKnn, None, &[]).unwrap();
        let mut measure = |trial, _: &Setup| {
            ensure!(trial < 3, "interrupted");
            Ok(Some(1.0))
        };
        search(&setup, &plan(1), 5, &file, &mut measure).unwrap_err();
        assert_eq!(run(&file, 5, 1).1, [3, 4, 5]);
    }
}
