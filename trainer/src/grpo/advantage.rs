//! Group-relative advantages, `A_i = (r_i − mean r) / (std r + ε)` (METHOD §1).

/// Advantages of one group, and whether the group teaches anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Advantages {
    /// One per completion.
    pub values: Vec<f64>,
    /// Mean reward of the group.
    pub mean: f64,
    /// Sample standard deviation (n − 1) of the rewards.
    pub std: f64,
}

impl Advantages {
    /// All rewards equal: every advantage is zero and the group moves nothing.
    pub fn is_flat(&self) -> bool {
        self.std == 0.0
    }
}

/// Normalises the rewards of one group with the sample standard deviation (n − 1) and `epsilon` in the denominator.
///
/// A group of one, or of equal rewards, has zero advantages.
pub fn group_advantages(rewards: &[f64], epsilon: f64) -> Advantages {
    let count = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / count.max(1.0);
    let equal = rewards.windows(2).all(|pair| pair[0] == pair[1]);
    if equal {
        return Advantages {
            values: vec![0.0; rewards.len()],
            mean,
            std: 0.0,
        };
    }
    let squares: f64 = rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
    let std = (squares / (count - 1.0)).sqrt();
    Advantages {
        values: rewards
            .iter()
            .map(|reward| (reward - mean) / (std + epsilon))
            .collect(),
        mean,
        std,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_winner_of_four_has_the_known_advantages() {
        // mean 1/4, squared deviations 9/16 + 3 · 1/16 = 3/4, variance 1/4, std 1/2: ±(3/4, 1/4) / (1/2 + 1e-4).
        let found = group_advantages(&[1.0, 0.0, 0.0, 0.0], 1e-4);
        assert!((found.values[0] - 0.75 / 0.5001).abs() < 1e-12);
        assert!((found.values[1] + 0.25 / 0.5001).abs() < 1e-12);
        assert!(!found.is_flat());
    }

    #[test]
    fn equal_rewards_and_single_completions_are_flat_and_finite() {
        for rewards in [&[0.3, 0.3, 0.3][..], &[1.0][..], &[][..]] {
            let found = group_advantages(rewards, 1e-4);
            assert!(found.is_flat());
            assert!(found.values.iter().all(|value| *value == 0.0));
        }
    }
}
