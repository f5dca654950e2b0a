//! Metrics of probabilities: area under the ROC curve and log-loss, with intervals over users.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::evaluation::{Estimate, estimate};

/// One scored example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Whose it is: the unit that is resampled.
    pub user: u32,
    /// Logit of the label.
    pub logit: f32,
    /// What happened.
    pub label: bool,
}

/// Probability that a random positive scores above a random negative, a tie counting half. 0.5 where there are not both.
pub fn auc(scored: &[Scored]) -> f64 {
    Curve::new(scored).auc(|_| 1.0)
}

/// `mean −ln p(label)`, computed from logits: never infinite. 0 for no example.
pub fn log_loss(scored: &[Scored]) -> f64 {
    let total: f64 = scored.iter().map(one_log_loss).sum();
    total / scored.len().max(1) as f64
}

/// `ln(1 + e⁻ᶻ)` for a positive, `ln(1 + eᶻ)` for a negative.
fn one_log_loss(one: &Scored) -> f64 {
    let logit = f64::from(one.logit);
    let against = if one.label { -logit } else { logit };
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

/// Examples by ascending score.
struct Curve<'a> {
    sorted: Vec<&'a Scored>,
}

impl<'a> Curve<'a> {
    fn new(scored: &'a [Scored]) -> Self {
        let mut sorted: Vec<&Scored> = scored.iter().collect();
        sorted.sort_by(|a, b| a.logit.total_cmp(&b.logit));
        Self { sorted }
    }

    /// Every example counts as often as `weight` says of its user.
    fn auc(&self, weight: impl Fn(u32) -> f64) -> f64 {
        let (mut above, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        // −0 and 0 are a tie, though `total_cmp` orders them.
        for tied in self.sorted.chunk_by(|a, b| a.logit == b.logit) {
            let of = |label: bool| -> f64 {
                let same = tied.iter().filter(|one| one.label == label);
                same.map(|one| weight(one.user)).sum()
            };
            let (positive, negative) = (of(true), of(false));
            above += positive * (negatives + negative / 2.0);
            positives += positive;
            negatives += negative;
        }
        if positives * negatives == 0.0 {
            return 0.5;
        }
        above / (positives * negatives)
    }
}

/// AUC and log-loss with 95 % intervals from `samples` resamples of the users, who are numbered below `users`.
pub fn estimates(scored: &[Scored], users: usize, samples: usize, seed: u64) -> [Estimate; 2] {
    let curve = Curve::new(scored);
    let (mut losses, mut counts) = (vec![0.0; users], vec![0.0; users]);
    for one in scored {
        losses[one.user as usize] += one_log_loss(one);
        counts[one.user as usize] += 1.0;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut areas, mut means) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        let mut times = vec![0.0; users];
        for _ in 0..users {
            times[rng.random_range(0..users)] += 1.0;
        }
        areas.push(curve.auc(|user| times[user as usize]));
        let sum = |values: &[f64]| -> f64 { values.iter().zip(&times).map(|(a, b)| a * b).sum() };
        means.push(sum(&losses) / sum(&counts).max(1.0));
    }
    [
        estimate(auc(scored), &areas),
        estimate(log_loss(scored), &means),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scored(values: &[(f32, bool)]) -> Vec<Scored> {
        let one = |(user, &(logit, label)): (usize, &(f32, bool))| Scored {
            user: user as u32,
            logit,
            label,
        };
        values.iter().enumerate().map(one).collect()
    }

    #[test]
    fn five_examples_by_hand() {
        // Positives 2, 1, 0; negatives 1, −1: pairs (2,1) (2,−1) (1,1)½ (1,−1) (0,1)✗ (0,−1): 4.5 of 6.
        let examples = scored(&[
            (2.0, true),
            (1.0, false),
            (1.0, true),
            (0.0, true),
            (-1.0, false),
        ]);
        assert!((auc(&examples) - 0.75).abs() < 1e-12);
        // ln(1+e⁻²) + ln(1+e) + ln(1+e⁻¹) + ln 2 + ln(1+e⁻¹) = 0.126928 + 1.313262 + 0.313262 + 0.693147 + 0.313262
        assert!((log_loss(&examples) - 2.759_860_6 / 5.0).abs() < 1e-6);
        assert_eq!(auc(&scored(&[(1.0, true), (2.0, true)])), 0.5);
        assert_eq!(auc(&scored(&[(0.0, true), (-0.0, false)])), 0.5);
    }

    #[test]
    fn sure_and_wrong_is_a_large_number_and_not_infinity() {
        assert_eq!(log_loss(&scored(&[(-1000.0, true)])), 1000.0);
        assert_eq!(log_loss(&scored(&[(1000.0, true)])), 0.0);
    }

    #[test]
    fn intervals_hold_the_mean_and_follow_the_users() {
        // One user has all that is wrong: resamples with and without differ.
        let mut examples = scored(&[(1.0, true), (-1.0, false), (1.0, true), (-1.0, false)]);
        examples.extend(
            [(3, -2.0, true), (3, 2.0, false)].map(|(user, logit, label)| Scored {
                user,
                logit,
                label,
            }),
        );
        let [area, loss] = estimates(&examples, 4, 500, 1);
        assert!(area.low < area.mean && area.mean <= area.high, "{area:?}");
        assert!(loss.low < loss.mean && loss.mean < loss.high, "{loss:?}");
        assert_eq!(area.high, 1.0);
    }

    proptest! {
        /// Against the definition: every positive with every negative.
        #[test]
        fn the_area_is_the_share_of_ordered_pairs(
            values in proptest::collection::vec((-4i8..4, any::<bool>()), 0..60)
        ) {
            let values: Vec<(f32, bool)> = values.iter().map(|&(logit, label)| (f32::from(logit), label)).collect();
            let (mut above, mut pairs) = (0.0, 0.0);
            for (positive, _) in values.iter().filter(|(_, label)| *label) {
                for (negative, _) in values.iter().filter(|(_, label)| !label) {
                    pairs += 1.0;
                    above += match positive.total_cmp(negative) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let expected = if pairs == 0.0 { 0.5 } else { above / pairs };
            prop_assert!((auc(&scored(&values)) - expected).abs() < 1e-12);
        }
    }
}
