//! What differences mean when there are many of them: a paired test and Holm's correction (EVALUATION.md).

use rand::RngCore;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Up to this many differences that are not 0, all sign patterns are looked at instead of random ones.
const EXACT: usize = 14;

/// Two-sided p-value of the paired permutation test by sign flips: if both systems were alike, each user's difference could as well have
/// been the other way round. The share of sign patterns whose sum is at least as far from 0 as the sum found.
///
/// All patterns of few differences are counted; of more, `samples` random ones, and the pattern found counts as one of them, so that p is
/// never 0 (Phipson and Smyth 2010). Differences of 0 have no sign and change nothing.
pub fn sign_flip_test(differences: &[f64], samples: usize, seed: u64) -> f64 {
    let found: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sum: f64 = found.iter().sum();
    // Sums that differ by rounding alone are equal.
    let limit = sum.abs() - 1e-12 * found.iter().map(|d| d.abs()).sum::<f64>();
    let signed = |word: u64, values: &[f64]| -> f64 {
        let one = |(at, value): (usize, &f64)| if word >> at & 1 == 1 { -value } else { *value };
        values.iter().enumerate().map(one).sum()
    };
    if found.len() <= EXACT {
        let patterns = 1u64 << found.len();
        let far = (0..patterns).filter(|&word| signed(word, &found).abs() >= limit);
        return far.count() as f64 / patterns as f64;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = || -> f64 {
        let part = |values| signed(rng.next_u64(), values);
        found.chunks(64).map(part).sum()
    };
    let far = (0..samples).filter(|_| drawn().abs() >= limit).count();
    (1 + far) as f64 / (1 + samples) as f64
}

/// Holm's step-down correction (Holm 1979): p-values that may all be held against one level at once. In the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut largest = 0.0f64;
    for (place, &index) in order.iter().enumerate() {
        largest = largest.max((p.len() - place) as f64 * p[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Mean and sample standard deviation (n − 1); no deviation of a single value.
pub fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (
        mean,
        (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn holm_by_hand() {
        // Sorted: 0.005·4 = 0.02, 0.01·3 = 0.03, 0.03·2 = 0.06, 0.04·1 = 0.04, which may not be below the one before it: 0.06
        close(&holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]);
        // 0.6·2 = 1.2 is cut at 1, and what follows cannot be below.
        close(&holm(&[0.7, 0.6]), &[1.0, 1.0]);
        close(&holm(&[0.2]), &[0.2]);
        close(&holm(&[]), &[]);
    }

    #[test]
    fn sign_flips_by_hand() {
        // Sums of ±1 ± 2 ± 3: 6, 4, 2, 0, 0, −2, −4, −6. Two of eight are as far from 0 as 6; six as far as 2 = 3 + 1 − 2.
        assert_eq!(sign_flip_test(&[1.0, 2.0, 3.0], 0, 0), 0.25);
        assert_eq!(sign_flip_test(&[1.0, -2.0, 3.0], 0, 0), 0.75);
        // Zeros change nothing; nothing but zeros is no difference at all.
        assert_eq!(sign_flip_test(&[0.0, 1.0, 0.0, 2.0, 3.0], 0, 0), 0.25);
        assert_eq!(sign_flip_test(&[0.0; 30], 0, 0), 1.0);
        // A sum of 0 is as near as can be.
        assert_eq!(sign_flip_test(&[1.0, -1.0], 0, 0), 1.0);
        // Ten of one sign: 2 of 1,024, although 0.1 is not exact in binary.
        assert_eq!(sign_flip_test(&[0.1; 10], 0, 0), 2.0 / 1024.0);
    }

    #[test]
    fn random_patterns_agree_with_the_binomial_distribution() {
        // 40 differences of 1, 26 of them positive: P(X ≥ 26 or X ≤ 14) for X ~ B(40, ½) = 2 · Σ_{k ≥ 26} C(40, k) / 2⁴⁰ = 0.080687…
        let tail = |from: u32| {
            let mut choose = 1.0f64;
            let mut sum = 0.0;
            for k in 0..=40u32 {
                if k >= from {
                    sum += choose;
                }
                choose = choose * f64::from(40 - k) / f64::from(k + 1);
            }
            sum / 2f64.powi(40)
        };
        let expected = 2.0 * tail(26);
        let mut differences = vec![1.0; 26];
        differences.extend([-1.0; 14]);
        let p = sign_flip_test(&differences, 40_000, 3);
        // Standard error √(0.08 · 0.92 / 40,000) = 0.0014
        assert!((p - expected).abs() < 0.006, "{p}, not {expected}");
        // All of one sign: no random pattern comes near, and p is 1 of 40,001.
        assert_eq!(sign_flip_test(&[1.0; 100], 40_000, 3), 1.0 / 40_001.0);
    }

    #[test]
    fn deviations_by_hand() {
        // Mean 3, squares 4 + 0 + 4 = 8, over two: √4
        assert_eq!(mean_and_deviation(&[1.0, 3.0, 5.0]), (3.0, Some(2.0)));
        assert_eq!(mean_and_deviation(&[7.0]), (7.0, None));
    }

    proptest! {
        #[test]
        fn holm_never_helps_and_keeps_the_order(p in prop::collection::vec(0.0f64..=1.0, 1..20)) {
            let adjusted = holm(&p);
            let count = p.len() as f64;
            for (one, raw) in adjusted.iter().zip(&p) {
                prop_assert!(one >= raw && *one <= 1.0 && *one <= count * raw + 1e-12);
            }
            for a in 0..p.len() {
                for b in 0..p.len() {
                    prop_assert!(p[a] > p[b] || adjusted[a] <= adjusted[b]);
                }
            }
            // Whatever the order they come in.
            let turned: Vec<f64> = p.iter().rev().copied().collect();
            let again: Vec<f64> = holm(&turned).into_iter().rev().collect();
            prop_assert_eq!(adjusted, again);
        }

        #[test]
        fn a_p_value_knows_neither_direction_nor_unit(
            values in prop::collection::vec(-100i32..100, 1..40),
            scale in 1u32..50,
            seed in any::<u64>(),
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let p = sign_flip_test(&values, 200, seed);
            prop_assert!(p > 0.0 && p <= 1.0);
            let turned: Vec<f64> = values.iter().map(|value| -value).collect();
            prop_assert_eq!(p, sign_flip_test(&turned, 200, seed));
            let scaled: Vec<f64> = values.iter().map(|value| value * f64::from(scale)).collect();
            prop_assert_eq!(p, sign_flip_test(&scaled, 200, seed));
        }
    }
}
