//! Training curves, one chart per number, the runs laid over each other.

use anyhow::Result;
use serde::Serialize;

use super::chart::{Line, lines, range};
use super::files::{FITS, RunFiles};
use crate::fitting::TrainingEvent;
use crate::grpo::LOSS_NEAR_ZERO;
use crate::logbook::Training;
use crate::run::Stage;

/// Charts that stand open; the others are folded away.
const LEADING: usize = 9;

/// The curves of a stage.
#[derive(Debug, Serialize)]
pub(super) struct StageCurves {
    stage: &'static str,
    note: Option<&'static str>,
    leading: Vec<Chart>,
    more: Vec<Chart>,
    /// Runs that have nothing of it.
    missing: Vec<String>,
}

/// A drawn chart.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub title: String,
    pub svg: String,
    /// The last value of each run.
    pub ends: Vec<End>,
}

/// Where a run's line ends.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct End {
    pub run: usize,
    pub value: f64,
}

/// A chart of these lines, if there is anything to draw.
///
/// # Errors
/// It cannot be drawn.
pub(super) fn chart(
    title: &str,
    unit: &str,
    of: &[Line],
    within: Option<(f64, f64)>,
) -> Result<Option<Chart>> {
    let svg = lines(title, unit, of, within)?;
    let last = |line: &Line| {
        let (_, value) = *line.points.last()?;
        (!line.before).then_some(End {
            run: line.run,
            value,
        })
    };
    Ok(svg.map(|svg| Chart {
        title: title.to_owned(),
        svg,
        ends: of.iter().filter_map(last).collect(),
    }))
}

/// Warm-up and both GRPO stages.
pub(super) fn language(runs: &[RunFiles]) -> Result<Vec<StageCurves>> {
    [Stage::Warmup, Stage::Pretrain, Stage::Correct]
        .into_iter()
        .map(|stage| of_stage(stage, runs))
        .collect()
}

fn of_stage(stage: Stage, runs: &[RunFiles]) -> Result<StageCurves> {
    let trainings: Vec<(usize, &Training)> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| Some((place, &run.book.stage(stage)?.training)))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for name in trainings.iter().flat_map(|(_, training)| training.names()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut charts = Vec::new();
    for name in names {
        let line = |(run, training): &(usize, &Training)| Line {
            run: *run,
            before: false,
            points: training.values(name).to_vec(),
        };
        let of: Vec<Line> = trainings.iter().map(line).collect();
        charts.extend(chart(name, "step", &of, None)?);
    }
    let more = charts.split_off(charts.len().min(LEADING));
    let by_rewards = trainings.iter().any(|(_, one)| one.by_rewards());
    let without = runs.iter().enumerate().filter(|(place, _)| {
        let own = trainings.iter().find(|(run, _)| run == place);
        own.is_none_or(|(_, training)| training.steps() == 0)
    });
    Ok(StageCurves {
        stage: stage.name(),
        note: by_rewards.then_some(LOSS_NEAR_ZERO),
        leading: charts,
        more,
        missing: without.map(|(_, run)| lacks(run, stage)).collect(),
    })
}

/// A stage that trains nothing by its settings is not missing.
fn lacks(run: &RunFiles, stage: Stage) -> String {
    if run.has(stage) {
        format!("{} did not train in this stage, by its settings", run.name)
    } else {
        run.lacks(stage)
    }
}

/// Trainings of the ranking model.
#[derive(Debug, Serialize)]
pub(super) struct Fits {
    charts: Vec<Chart>,
    kept: Vec<Kept>,
    missing: Vec<String>,
}

/// The best epoch of a training, whose weights it kept if they were better than those it began with.
#[derive(Debug, Serialize)]
struct Kept {
    run: usize,
    fit: &'static str,
    epoch: usize,
    epochs: usize,
    examples: usize,
    loss: f32,
    ndcg: f64,
    seconds: f64,
}

/// Losses and validation NDCG@10 of every training; the charts of a kind have the same range.
pub(super) fn fits(runs: &[RunFiles]) -> Result<Fits> {
    let mut charts = Vec::new();
    for (what, unit, points) in [
        (
            "loss",
            "step",
            losses as fn(&[TrainingEvent]) -> Vec<(f64, f64)>,
        ),
        ("validation NDCG@10", "epoch", validation),
    ] {
        let of = |fit: usize| -> Vec<Line> {
            let all = runs.iter().enumerate();
            all.map(|(run, files)| Line {
                run,
                before: false,
                points: points(&files.fits[fit]),
            })
            .collect()
        };
        let all: Vec<Line> = (0..FITS.len()).flat_map(of).collect();
        for (fit, (_, _, name)) in FITS.iter().enumerate() {
            charts.extend(chart(
                &format!("{what}, {name}"),
                unit,
                &of(fit),
                range(&all),
            )?);
        }
    }
    let mut kept = Vec::new();
    for (fit, (_, _, name)) in FITS.iter().enumerate() {
        for (run, files) in runs.iter().enumerate() {
            kept.extend(best(run, name, &files.fits[fit]));
        }
    }
    let without = (runs.iter()).filter(|run| run.fits.iter().all(Vec::is_empty));
    Ok(Fits {
        charts,
        kept,
        missing: without.map(|run| lacks(run, Stage::Reward)).collect(),
    })
}

fn losses(events: &[TrainingEvent]) -> Vec<(f64, f64)> {
    let point = |event: &TrainingEvent| match event {
        TrainingEvent::Step {
            epoch,
            step,
            steps,
            loss,
            ..
        } => Some((
            ((epoch.saturating_sub(1)) * steps + step) as f64,
            f64::from(*loss),
        )),
        _ => None,
    };
    events.iter().filter_map(point).collect()
}

fn validation(events: &[TrainingEvent]) -> Vec<(f64, f64)> {
    let point = |event: &TrainingEvent| match event {
        TrainingEvent::Epoch(epoch) => Some((epoch.epoch as f64, epoch.validation_ndcg_10)),
        _ => None,
    };
    events.iter().filter_map(point).collect()
}

/// The first epoch of the highest validation NDCG@10.
fn best(run: usize, fit: &'static str, events: &[TrainingEvent]) -> Option<Kept> {
    let epochs: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            TrainingEvent::Epoch(epoch) => Some(epoch),
            _ => None,
        })
        .collect();
    let best = epochs.iter().copied().reduce(|best, epoch| {
        if epoch.validation_ndcg_10 > best.validation_ndcg_10 {
            epoch
        } else {
            best
        }
    })?;
    Some(Kept {
        run,
        fit,
        epoch: best.epoch,
        epochs: epochs.len(),
        examples: best.examples,
        loss: best.loss,
        ndcg: best.validation_ndcg_10,
        seconds: epochs
            .iter()
            .map(|one| one.seconds + one.validation_seconds)
            .sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitting::EpochReport;

    #[test]
    fn steps_count_on_over_epochs_and_the_best_epoch_is_the_first_of_its_kind() {
        let step = |epoch, step, loss| TrainingEvent::Step {
            epoch,
            step,
            steps: 10,
            loss,
            learning_rate: 1.0,
        };
        let epoch = |epoch, ndcg| {
            TrainingEvent::Epoch(EpochReport {
                epoch,
                loss: 0.5,
                examples: 7,
                seconds: 2.0,
                validation_seconds: 0.5,
                validation_ndcg_10: ndcg,
                validation_hr_10: 0.0,
            })
        };
        let events = [
            step(1, 10, 2.0),
            epoch(1, 0.1),
            step(2, 5, 1.0),
            epoch(2, 0.3),
            epoch(3, 0.3),
        ];
        assert_eq!(losses(&events), [(10.0, 2.0), (15.0, 1.0)]);
        assert_eq!(validation(&events), [(1.0, 0.1), (2.0, 0.3), (3.0, 0.3)]);
        let kept = best(0, "with texts", &events).unwrap();
        assert_eq!((kept.epoch, kept.epochs, kept.seconds), (2, 3, 7.5));
        assert!(best(0, "with texts", &[]).is_none());
    }
}
