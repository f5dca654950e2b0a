//! Nothing trains on silence: a GRPO whose groups are flat, or whose completions are cut off, says so while it runs.

use serde::{Deserialize, Serialize};

use crate::grpo::StepReport;
use crate::run::Progress;

/// Steps over which shares are averaged before they are judged.
const STRETCH: usize = 4;

/// Watches the steps of one stage; each thing is said once.
pub(super) struct Watch {
    progress: Progress,
    stage: &'static str,
    on_flat: &'static str,
    seen: Seen,
}

/// What a watch has seen, to be saved with the stage.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    steps: usize,
    flat: f64,
    truncated: f64,
    told: [bool; 2],
}

impl Watch {
    /// `stage` is the section of its settings, `on_flat` what to raise where all rewards of a group are equal.
    pub(super) fn new(progress: Progress, stage: &'static str, on_flat: &'static str) -> Self {
        Self {
            progress,
            stage,
            on_flat,
            seen: Seen::default(),
        }
    }

    /// Goes on with what was seen before an interruption.
    pub(super) fn resume(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// What has been seen.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Takes in a step; prints what is new.
    pub(super) fn see(&mut self, report: &StepReport) {
        let warnings = self.add(report);
        self.tell(&warnings);
    }

    /// Judges the steps that did not fill a stretch.
    pub(super) fn finish(mut self) {
        let warnings = self.judge();
        self.tell(&warnings);
    }

    fn tell(&self, warnings: &[String]) {
        for warning in warnings {
            self.progress.tell(&format!("warning: {warning}"));
        }
    }

    fn add(&mut self, report: &StepReport) -> Vec<String> {
        self.seen.steps += 1;
        self.seen.flat += report.frac_reward_zero_std;
        self.seen.truncated += report.truncated;
        if self.seen.steps < STRETCH {
            return Vec::new();
        }
        self.judge()
    }

    fn judge(&mut self) -> Vec<String> {
        let steps = std::mem::take(&mut self.seen.steps).max(1) as f64;
        let flat = std::mem::take(&mut self.seen.flat) / steps;
        let truncated = std::mem::take(&mut self.seen.truncated) / steps;
        let (stage, on_flat) = (self.stage, self.on_flat);
        let found = [
            (flat >= 0.95).then(|| {
                format!("{stage}: nearly all groups have equal rewards, so nothing is learnt; raise {on_flat}")
            }),
            (truncated > 0.3).then(|| {
                format!(
                    "{stage}: {:.0} % of completions are cut off; raise {stage}.grpo.max_new_tokens",
                    100.0 * truncated
                )
            }),
        ];
        let new = found.into_iter().zip(&mut self.seen.told);
        new.filter_map(|(warning, told)| warning.filter(|_| !std::mem::replace(told, true)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(flat: f64, truncated: f64) -> StepReport {
        StepReport {
            frac_reward_zero_std: flat,
            truncated,
            ..StepReport::default()
        }
    }

    fn watch() -> Watch {
        Watch::new(Progress::default(), "correct", "correct.grpo.group_size")
    }

    #[test]
    fn a_run_shorter_than_a_stretch_is_judged_at_its_end() {
        let mut watch = watch();
        assert!(watch.add(&step(1.0, 0.0)).is_empty());
        let told = watch.judge();
        assert!(
            told.len() == 1 && told[0].contains("equal rewards"),
            "{told:?}"
        );
        assert!(watch.judge().is_empty());
    }

    #[test]
    fn flat_groups_and_cut_completions_are_told_once_whenever_they_begin() {
        let mut watch = watch();
        let mut told = Vec::new();
        for _ in 0..2 * STRETCH {
            told.extend(watch.add(&step(0.3, 0.1)));
        }
        assert!(told.is_empty());
        for _ in 0..3 * STRETCH {
            told.extend(watch.add(&step(1.0, 0.5)));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("correct.grpo.group_size"));
        assert!(told[1].contains("50 %") && told[1].contains("correct.grpo.max_new_tokens"));
    }
}
