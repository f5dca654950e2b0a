//! Nothing trains on silence: what is wrong with a GRPO is said while it runs, with the setting to change, and what cannot
//! come right stops it.
//!
//! The first stretch of steps is the preflight; the watch goes on to the end.

use anyhow::{Result, bail};
use curec_shared_model::qwen2::Precision;
use serde::{Deserialize, Serialize};

use crate::grpo::StepReport;
use crate::run::Progress;

/// Steps over which shares are averaged before they are judged.
const STRETCH: usize = 4;
/// |ρ − 1| on fresh samples beyond which sampler and trainer compute different things; rounding stays far below.
fn widest_gap(precision: Precision) -> f64 {
    match precision {
        Precision::Float32 => 0.02,
        // Twenty-odd blocks of products with three digits, and with two to three.
        Precision::Float16 => 0.1,
        Precision::BFloat16 => 0.5,
    }
}

/// Watches the steps of one stage; each warning is given once.
pub(super) struct Watch {
    progress: Progress,
    settings: Advice,
    seen: Seen,
}

/// What to turn, by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advice {
    /// The section of the stage's settings.
    pub(super) stage: &'static str,
    /// Where all rewards of a group are equal.
    pub(super) flat: &'static str,
    /// Steps in a row without a finite gradient after which the stage stops.
    pub(super) max_skipped: usize,
    /// Of the frozen weights.
    pub(super) precision: Precision,
}

/// What a watch has seen, to be saved with the stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Steps that trained on something.
    trained: usize,
    /// The last of them in a row that had no finite gradient.
    skipped: usize,
    /// Of the stretch under way.
    stretch: Stretch,
    /// Mean entropy of the first stretch.
    entropy: Option<f64>,
    told: [bool; 7],
}

/// Sums over the steps of a stretch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Stretch {
    steps: usize,
    flat: f64,
    truncated: f64,
    legal: f64,
    /// Of these steps those that trained on something, with finite numbers: the three sums below are theirs.
    trained: usize,
    kl: f64,
    clipped: f64,
    entropy: f64,
    /// Steps whose rewards differ and whose gradient is zero.
    dead: usize,
}

impl Watch {
    pub(super) fn new(progress: Progress, settings: Advice) -> Self {
        progress.say(&format!(
            "        {}: the loss of GRPO is near 0 while samples are fresh, by construction; the reward is what should rise",
            settings.stage
        ));
        Self {
            progress,
            settings,
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

    /// Takes in a step and, where answers have candidates, the share of legal ones; prints and returns what is new.
    ///
    /// # Errors
    /// Going on would be in vain: what is wrong and what to change.
    pub(super) fn see(&mut self, report: &StepReport, legal: Option<f64>) -> Result<Vec<String>> {
        let warnings = self.add(report, legal)?;
        self.tell(&warnings);
        Ok(warnings)
    }

    /// Judges the steps that did not fill a stretch; prints and returns what is new.
    pub(super) fn finish(mut self) -> Vec<String> {
        let warnings = self.judge();
        self.tell(&warnings);
        warnings
    }

    fn tell(&self, warnings: &[String]) {
        for warning in warnings {
            self.progress.tell(&format!("warning: {warning}"));
        }
    }

    fn add(&mut self, report: &StepReport, legal: Option<f64>) -> Result<Vec<String>> {
        let (stage, seen) = (self.settings.stage, &mut self.seen);
        let trained = report.tokens > 0;
        seen.trained += usize::from(trained);
        // The first steps are on policy whatever the settings; written so that what is not a number counts as too far.
        let agrees = report.max_ratio_gap <= widest_gap(self.settings.precision);
        if trained && seen.trained <= STRETCH && !agrees {
            bail!(
                "{stage}: sampling and training disagree about probabilities that should be equal: step {} has a ratio that is off by \
                 {:.3} on fresh samples. Nothing learnt from them would be right. Try {stage}.trainer.cpu_kernels = false or \
                 --device cpu, and report which of them helps",
                seen.trained,
                report.max_ratio_gap
            );
        }
        seen.skipped = if trained && !report.stepped {
            seen.skipped + 1
        } else {
            0
        };
        if seen.skipped >= self.settings.max_skipped.max(1) {
            bail!(
                "{stage}: {} steps in a row had a gradient that is not finite; lower {stage}.learning_rate or \
                 {stage}.trainer.max_grad_norm",
                seen.skipped
            );
        }
        let stretch = &mut seen.stretch;
        stretch.steps += 1;
        stretch.flat += report.frac_reward_zero_std;
        stretch.truncated += report.truncated;
        stretch.legal += legal.unwrap_or(1.0);
        let known = [report.kl, report.clip_ratio, report.entropy];
        if trained && known.iter().all(|value| value.is_finite()) {
            stretch.trained += 1;
            stretch.kl += report.kl;
            stretch.clipped += report.clip_ratio;
            stretch.entropy += report.entropy;
        }
        stretch.dead += usize::from(trained && report.grad_norm == 0.0);
        Ok(if stretch.steps < STRETCH {
            Vec::new()
        } else {
            self.judge()
        })
    }

    fn judge(&mut self) -> Vec<String> {
        let sums = std::mem::take(&mut self.seen.stretch);
        if sums.steps == 0 {
            return Vec::new();
        }
        let mean = |sum: f64| sum / sums.steps as f64;
        let trained = |sum: f64| sum / sums.trained.max(1) as f64;
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let Advice { stage, flat, .. } = self.settings;
        let entropy = (sums.trained > 0).then(|| trained(sums.entropy));
        self.seen.entropy = self.seen.entropy.or(entropy);
        let (first, entropy) = self.seen.entropy.zip(entropy).unwrap_or((0.0, 0.0));
        let found = [
            (mean(sums.flat) >= 0.95).then(|| {
                format!("{stage}: nearly all groups have equal rewards, so nothing is learnt; raise {flat}")
            }),
            (mean(sums.truncated) > 0.3).then(|| {
                format!(
                    "{stage}: {} of completions are cut off; raise {stage}.grpo.max_new_tokens",
                    percent(mean(sums.truncated))
                )
            }),
            (mean(sums.legal) < 0.02).then(|| {
                format!(
                    "{stage}: {} of answers name a candidate, so there is hardly a reward to learn from; raise warmup.steps, or \
                     take a model that follows instructions",
                    percent(mean(sums.legal))
                )
            }),
            (trained(sums.kl) > 1.0).then(|| {
                format!(
                    "{stage}: the policy is {:.1} nats a token from the reference and runs away; lower {stage}.learning_rate or raise \
                     {stage}.grpo.loss.beta",
                    trained(sums.kl)
                )
            }),
            (trained(sums.clipped) > 0.5).then(|| {
                format!(
                    "{stage}: the clip takes {} of tokens out of the gradient; lower {stage}.grpo.iterations or \
                     {stage}.learning_rate",
                    percent(trained(sums.clipped))
                )
            }),
            (sums.dead == sums.steps).then(|| {
                format!(
                    "{stage}: rewards differ and the gradient is zero; nothing is trainable (llm.lora_rank) or all is clipped \
                     ({stage}.grpo.loss.epsilon_high)"
                )
            }),
            (first > 0.0 && entropy < 0.05 * first).then(|| {
                format!(
                    "{stage}: entropy fell from {first:.3} to {entropy:.3} nats a token, so completions hardly differ; lower \
                     {stage}.learning_rate or raise {stage}.grpo.temperature"
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

    /// A step with nothing wrong.
    fn healthy() -> StepReport {
        StepReport {
            frac_reward_zero_std: 0.3,
            truncated: 0.1,
            entropy: 2.0,
            grad_norm: 0.5,
            tokens: 100,
            stepped: true,
            ..StepReport::default()
        }
    }

    fn watch() -> Watch {
        let settings = Advice {
            stage: "correct",
            flat: "correct.grpo.group_size",
            max_skipped: 3,
            precision: Precision::Float32,
        };
        Watch::new(Progress { quiet: true }, settings)
    }

    /// All that is said over some stretches of equal steps after one healthy stretch.
    fn told(change: impl Fn(&mut StepReport), legal: Option<f64>) -> Vec<String> {
        let mut watch = watch();
        for _ in 0..STRETCH {
            assert!(
                watch
                    .add(&healthy(), legal.map(|_| 1.0))
                    .unwrap()
                    .is_empty()
            );
        }
        let mut step = healthy();
        change(&mut step);
        let steps = 0..3 * STRETCH;
        steps
            .flat_map(|_| watch.add(&step, legal).unwrap())
            .collect()
    }

    #[test]
    fn a_healthy_run_is_not_disturbed() {
        assert!(told(|_| (), Some(0.5)).is_empty());
        assert!(told(|_| (), None).is_empty());
    }

    #[test]
    fn each_ailment_is_told_once_with_the_setting_to_change() {
        let told = |change: &dyn Fn(&mut StepReport), legal, setting: &str| {
            let told = told(change, legal);
            assert!(told.len() == 1 && told[0].contains(setting), "{told:?}");
        };
        told(
            &|step| step.frac_reward_zero_std = 1.0,
            None,
            "correct.grpo.group_size",
        );
        told(
            &|step| step.truncated = 0.5,
            None,
            "correct.grpo.max_new_tokens",
        );
        told(&|_| (), Some(0.01), "warmup.steps");
        told(&|step| step.kl = 3.0, None, "correct.grpo.loss.beta");
        told(
            &|step| step.clip_ratio = 0.8,
            None,
            "correct.grpo.iterations",
        );
        told(&|step| step.grad_norm = 0.0, None, "llm.lora_rank");
        told(
            &|step| step.entropy = 0.01,
            None,
            "correct.grpo.temperature",
        );
    }

    /// What `grpo_step` says of groups of equal rewards.
    fn flat() -> StepReport {
        StepReport {
            frac_reward_zero_std: 1.0,
            ..StepReport::default()
        }
    }

    #[test]
    fn steps_that_train_nothing_say_nothing_about_entropy_and_use_up_no_preflight() {
        let mut watch = watch();
        let mut told = Vec::new();
        for _ in 0..3 * STRETCH {
            told.extend(watch.add(&flat(), None).unwrap());
        }
        assert!(
            told.len() == 1 && told[0].contains("equal rewards"),
            "{told:?}"
        );
        let off = StepReport {
            max_ratio_gap: 0.3,
            ..healthy()
        };
        let error = watch.add(&off, None).unwrap_err().to_string();
        assert!(error.contains("step 1 "), "{error}");
        // The first entropy that is known is the measure of later ones.
        for entropy in [2.0, 0.01] {
            for _ in 0..STRETCH {
                let step = StepReport {
                    entropy,
                    ..healthy()
                };
                told.extend(watch.add(&step, None).unwrap());
            }
            for _ in 0..STRETCH {
                told.extend(watch.add(&flat(), None).unwrap());
            }
        }
        assert!(
            told.len() == 2 && told[1].contains("from 2.000 to 0.010"),
            "{told:?}"
        );
    }

    #[test]
    fn a_step_that_is_no_number_leaves_a_watch_that_can_be_saved() {
        let mut watch = watch();
        let broken = StepReport {
            stepped: false,
            kl: f64::NAN,
            entropy: f64::INFINITY,
            ..healthy()
        };
        watch.add(&broken, None).unwrap();
        let text = serde_json::to_string(&watch.seen()).unwrap();
        let again: Seen = serde_json::from_str(&text).unwrap();
        assert_eq!(again, watch.seen());
    }

    #[test]
    fn a_run_shorter_than_a_stretch_is_judged_at_its_end() {
        let mut watch = watch();
        let step = StepReport {
            frac_reward_zero_std: 1.0,
            ..healthy()
        };
        assert!(watch.add(&step, None).unwrap().is_empty());
        let told = watch.judge();
        assert!(
            told.len() == 1 && told[0].contains("equal rewards"),
            "{told:?}"
        );
        assert!(watch.judge().is_empty());
    }

    #[test]
    fn what_cannot_come_right_stops_the_stage() {
        for gap in [0.3, f64::NAN, f64::INFINITY] {
            let off = StepReport {
                max_ratio_gap: gap,
                ..healthy()
            };
            let error = watch().add(&off, None).unwrap_err().to_string();
            assert!(error.contains("cpu_kernels"), "{error}");
            // Only the first steps are the preflight.
            let mut later = watch();
            for _ in 0..STRETCH {
                later.add(&healthy(), None).unwrap();
            }
            assert!(later.add(&off, None).is_ok());
        }
        let broken = StepReport {
            stepped: false,
            grad_norm: f64::NAN,
            ..healthy()
        };
        let mut watch = watch();
        for _ in 0..2 {
            watch.add(&broken, None).unwrap();
        }
        watch.add(&healthy(), None).unwrap();
        for _ in 0..2 {
            watch.add(&broken, None).unwrap();
        }
        let error = watch.add(&broken, None).unwrap_err().to_string();
        assert!(
            error.contains("correct.learning_rate") && error.contains("3 steps"),
            "{error}"
        );
    }

    #[test]
    fn a_saved_watch_goes_on_where_it_was() {
        let step = StepReport {
            truncated: 0.9,
            ..healthy()
        };
        let (mut one, mut other) = (watch(), watch());
        for _ in 0..2 {
            one.add(&step, None).unwrap();
        }
        let saved = serde_json::to_string(&one.seen()).unwrap();
        other.resume(serde_json::from_str(&saved).unwrap());
        for _ in 0..2 * STRETCH {
            assert_eq!(
                one.add(&step, None).unwrap(),
                other.add(&step, None).unwrap()
            );
        }
        assert_eq!(one.seen(), other.seen());
    }
}
