//! Group-relative advantages, `A_i = (r_i − mean r) / (std r + ε)` (METHOD §1).

use serde::{Deserialize, Serialize};

/// What a centred reward is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageScale {
    /// The standard deviation of its own group (DeepSeekMath, arXiv 2402.03300).
    #[default]
    Group,
    /// That of all rewards of the batch: hard and easy prompts keep their sizes (arXiv 2508.08221).
    Batch,
    /// Nothing (Dr. GRPO, arXiv 2503.20783).
    None,
}

/// Advantages of one group, and whether the group teaches anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Advantages {
    /// One per completion.
    pub values: Vec<f64>,
    /// Mean reward of the group.
    pub mean: f64,
    /// Sample standard deviation (n − 1) of the group's rewards, whatever they are scaled by.
    pub std: f64,
}

impl Advantages {
    /// All rewards equal: every advantage is zero and the group moves nothing.
    pub fn is_flat(&self) -> bool {
        self.std == 0.0
    }
}

/// Rewards of the groups of one batch, centred by their group's mean and divided by `scale`'s deviation plus `epsilon`.
///
/// Deviations are sample deviations (n − 1). A group of one, or of equal rewards, has zero advantages.
pub fn advantages(groups: &[&[f64]], scale: AdvantageScale, epsilon: f64) -> Vec<Advantages> {
    let batch = match scale {
        AdvantageScale::Batch => moments(&groups.concat()).1,
        AdvantageScale::Group | AdvantageScale::None => 0.0,
    };
    let one = |rewards: &&[f64]| {
        let (mean, std) = moments(rewards);
        let divisor = match scale {
            AdvantageScale::Group => std + epsilon,
            AdvantageScale::Batch => batch + epsilon,
            AdvantageScale::None => 1.0,
        };
        let value = |reward: &f64| {
            if std == 0.0 {
                0.0
            } else {
                (reward - mean) / divisor
            }
        };
        Advantages {
            values: rewards.iter().map(value).collect(),
            mean,
            std,
        }
    };
    groups.iter().map(one).collect()
}

/// Mean and sample deviation (n − 1); equal values have a deviation of exactly zero.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_group(rewards: &[f64]) -> Advantages {
        advantages(&[rewards], AdvantageScale::Group, 1e-4).remove(0)
    }

    #[test]
    fn one_winner_of_four_has_the_known_advantages() {
        // mean 1/4, squared deviations 9/16 + 3 · 1/16 = 3/4, variance 1/4, std 1/2: ±(3/4, 1/4) / (1/2 + 1e-4).
        let found = by_group(&[1.0, 0.0, 0.0, 0.0]);
        assert!((found.values[0] - 0.75 / 0.5001).abs() < 1e-12);
        assert!((found.values[1] + 0.25 / 0.5001).abs() < 1e-12);
        assert!(!found.is_flat());
    }

    #[test]
    fn equal_rewards_and_single_completions_are_flat_and_finite() {
        let scales = [
            AdvantageScale::Group,
            AdvantageScale::Batch,
            AdvantageScale::None,
        ];
        for scale in scales {
            for rewards in [&[0.3, 0.3, 0.3][..], &[1.0][..], &[][..]] {
                let found = &advantages(&[rewards, &[0.0, 1.0]], scale, 0.0)[0];
                assert!(found.is_flat(), "{scale:?}");
                assert!(found.values.iter().all(|value| *value == 0.0));
            }
        }
    }

    #[test]
    fn a_batch_shares_its_deviation_and_keeps_the_means_of_its_groups() {
        // All rewards 0, 1, 0, 3: mean 1, squares 1 + 0 + 1 + 4 = 6, variance 2.
        let groups: [&[f64]; 2] = [&[0.0, 1.0], &[0.0, 3.0]];
        let found = advantages(&groups, AdvantageScale::Batch, 0.0);
        for (found, known) in found.iter().zip([0.5, 1.5]) {
            assert!((found.values[1] - known / 2f64.sqrt()).abs() < 1e-12);
            assert_eq!(found.values[0], -found.values[1]);
        }
        let plain = advantages(&groups, AdvantageScale::None, 0.0);
        assert_eq!(plain[1].values, [-1.5, 1.5]);
        assert_eq!(plain[1].std, (4.5f64).sqrt());
    }
}
