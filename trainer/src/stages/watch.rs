//! Nothing trains on silence: a GRPO whose groups are flat, or whose completions are cut off, says so while it runs.

use crate::grpo::StepReport;
use crate::run::Progress;

/// Steps over which shares are averaged before they are judged.
const STRETCH: usize = 4;

/// Watches the steps of one stage; each thing is said once.
pub(super) struct Watch {
    stage: &'static str,
    seen: usize,
    flat: f64,
    truncated: f64,
    told: [bool; 2],
}

impl Watch {
    /// `stage` is the section of its settings.
    pub(super) fn new(stage: &'static str) -> Self {
        Self {
            stage,
            seen: 0,
            flat: 0.0,
            truncated: 0.0,
            told: [false; 2],
        }
    }

    /// Takes in a step; prints what is new.
    pub(super) fn see(&mut self, progress: Progress, report: &StepReport) {
        for warning in self.warnings(report) {
            progress.tell(&format!("warning: {warning}"));
        }
    }

    fn warnings(&mut self, report: &StepReport) -> Vec<String> {
        self.seen += 1;
        self.flat += report.frac_reward_zero_std / STRETCH as f64;
        self.truncated += report.truncated / STRETCH as f64;
        if !self.seen.is_multiple_of(STRETCH) {
            return Vec::new();
        }
        let (flat, truncated) = (
            std::mem::take(&mut self.flat),
            std::mem::take(&mut self.truncated),
        );
        let stage = self.stage;
        let found = [
            (flat >= 0.95).then(|| {
                let better = if stage == "pretrain" {
                    "warmup.steps, "
                } else {
                    ""
                };
                format!(
                    "{stage}: nearly all groups have equal rewards, so nothing is learnt; raise {better}{stage}.grpo.group_size or \
                     {stage}.grpo.temperature"
                )
            }),
            (truncated > 0.3).then(|| {
                format!(
                    "{stage}: {:.0} % of completions are cut off; raise {stage}.grpo.max_new_tokens",
                    100.0 * truncated
                )
            }),
        ];
        let new = found.into_iter().zip(&mut self.told);
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

    #[test]
    fn flat_groups_and_cut_completions_are_told_once_whenever_they_begin() {
        let mut watch = Watch::new("correct");
        let mut told = Vec::new();
        for _ in 0..2 * STRETCH {
            told.extend(watch.warnings(&step(0.3, 0.1)));
        }
        assert!(told.is_empty());
        for _ in 0..3 * STRETCH {
            told.extend(watch.warnings(&step(1.0, 0.5)));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("correct.grpo.group_size"));
        assert!(told[1].contains("50 %") && told[1].contains("correct.grpo.max_new_tokens"));
    }
}
