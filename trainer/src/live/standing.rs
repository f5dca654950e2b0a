//! How far a stage is, in words.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

use super::text::duration;
use crate::logbook::{Logbook, StageLog, State};
use crate::run::Stage;

/// How fast the stage at work goes, as seen while watching: with everything between the steps, and also where no times are
/// written down.
#[derive(Debug, Default)]
pub(super) struct Pace {
    stage: Option<Stage>,
    done: u64,
    /// When how much was done, of the newest changes.
    changes: VecDeque<(Instant, u64)>,
}

/// Changes over which the pace is taken.
const CHANGES: usize = 30;
/// Steps over which written times are averaged.
const STEPS: usize = 10;

impl Pace {
    /// Takes note of how far the run is now.
    pub(super) fn see(&mut self, book: &Logbook, now: Instant) {
        let at_work = |log: &&StageLog| log.state == State::Working && log.goal.is_some();
        let Some(log) = book.stages().iter().rfind(at_work) else {
            *self = Self::default();
            return;
        };
        let done = log.goal.map_or(0, |goal| goal.done);
        if self.stage != Some(log.stage) || done < self.done {
            *self = Self {
                stage: Some(log.stage),
                done,
                changes: VecDeque::new(),
            };
        } else if done > self.done {
            self.done = done;
            self.changes.push_back((now, done));
            if self.changes.len() > CHANGES {
                self.changes.pop_front();
            }
        }
    }

    /// Seconds for one more step or interaction of this stage, once some have been seen.
    pub(super) fn seconds(&self, stage: Stage) -> Option<f64> {
        let (first, last) = (self.changes.front()?, self.changes.back()?);
        let enough = self.stage == Some(stage) && self.changes.len() > 2;
        enough.then(|| (last.0 - first.0).as_secs_f64() / (last.1 - first.1) as f64)
    }
}

/// What there is to say about a stage, the most important first.
pub(super) fn standing(log: &StageLog, pace: Option<f64>, now: SystemTime) -> Vec<String> {
    let steps = log.training.steps();
    let mut said = match &log.state {
        State::Waiting => return vec!["waiting".to_owned()],
        State::Done(record) => {
            let mut said = vec![format!("done in {}", duration(record.seconds))];
            if steps > 0 {
                said.push(format!("{steps} steps"));
            }
            return said;
        }
        State::Working => progress(log),
    };
    let step = step_seconds(log);
    let left = log.goal.and_then(|goal| {
        let unit = pace.or_else(|| Some(step? * steps as f64 / goal.done.max(1) as f64));
        let left = goal.total.saturating_sub(goal.done) as f64;
        unit.filter(|_| goal.done > 0).map(|unit| unit * left)
    });
    let by_steps = log.goal.is_none_or(|goal| goal.unit == "step");
    let shown = if by_steps { pace.or(step) } else { step };
    said.extend(shown.map(|seconds| format!("{} a step", fine(seconds))));
    match left {
        Some(left) if left > 0.0 => said.push(format!("about {} left", duration(left))),
        Some(_) => said.push("finishing".to_owned()),
        None => {}
    }
    said.extend(quiet(log, step.or(pace), now));
    said
}

fn progress(log: &StageLog) -> Vec<String> {
    let steps = log.training.steps();
    match log.goal {
        Some(goal) if goal.unit == "step" => vec![format!("step {steps} of {}", goal.total)],
        Some(goal) => vec![
            format!("step {steps}"),
            format!("{} {} of at most {}", goal.unit, goal.done, goal.total),
        ],
        None if steps > 0 => vec![format!("step {steps}")],
        None => vec!["at work".to_owned()],
    }
}

/// Mean of the newest written times.
fn step_seconds(log: &StageLog) -> Option<f64> {
    let times = log.training.values("step_time");
    let newest = &times[times.len().saturating_sub(STEPS)..];
    let sum: f64 = newest.iter().map(|(_, seconds)| seconds).sum();
    (!newest.is_empty()).then(|| sum / newest.len() as f64)
}

/// Nothing says that a run was killed but its silence.
fn quiet(log: &StageLog, step: Option<f64>, now: SystemTime) -> Option<String> {
    let silence = now.duration_since(log.written?).ok()?.as_secs_f64();
    let usual = 30.0 + 5.0 * step.unwrap_or(0.0);
    (silence > usual).then(|| format!("nothing written for {}", duration(silence)))
}

/// Seconds with enough digits for the steps of a nano model.
fn fine(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{seconds:.2} s")
    } else {
        duration(seconds)
    }
}
