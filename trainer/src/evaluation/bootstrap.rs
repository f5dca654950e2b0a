//! User-level bootstrap: how much a mean over users could have been another with other users.

use std::collections::BTreeMap;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Resamples behind an interval where no setting says how many.
pub const RESAMPLES: usize = 2000;

/// A mean with its 95 % percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over users.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// Mean over all values, with an interval that resamples whole clusters: values of one cluster, e.g. of one user, say much
/// the same and are no independent units. `values` are `(cluster, value)`; what clusters are called changes nothing.
pub fn clustered<K: Ord>(values: &[(K, f64)], seed: u64) -> Estimate {
    let mut places: BTreeMap<&K, usize> = BTreeMap::new();
    let mut clusters: Vec<(f64, f64)> = Vec::new();
    for (cluster, value) in values {
        let place = *places.entry(cluster).or_insert(clusters.len());
        if place == clusters.len() {
            clusters.push((0.0, 0.0));
        }
        let (sum, count) = &mut clusters[place];
        *sum += value;
        *count += 1.0;
    }
    let ratio = |sums: (f64, f64)| sums.0 / sums.1.max(1.0);
    let add = |one: (f64, f64), other: &(f64, f64)| (one.0 + other.0, one.1 + other.1);
    let all = ratio(clusters.iter().fold((0.0, 0.0), add));
    if clusters.is_empty() {
        return estimate(all, &[]);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..clusters.len()).map(|_| &clusters[rng.random_range(0..clusters.len())]);
            ratio(drawn.fold((0.0, 0.0), add))
        })
        .collect();
    estimate(all, &resampled)
}

/// Means of `samples` resamples for each row of `values` (`[rows][users]`). All rows see the same resamples, so a difference of two
/// rows' means is a paired bootstrap.
pub fn resampled_means(values: &[Vec<f64>], samples: usize, seed: u64) -> Vec<Vec<f64>> {
    let users = values.first().map_or(0, Vec::len);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means = vec![Vec::with_capacity(samples); values.len()];
    let mut times = vec![0.0f64; users];
    for _ in 0..samples {
        times.fill(0.0);
        for _ in 0..users {
            times[rng.random_range(0..users)] += 1.0;
        }
        for (row, means) in values.iter().zip(&mut means) {
            let sum: f64 = row
                .iter()
                .zip(&times)
                .map(|(value, times)| value * times)
                .sum();
            means.push(sum / users.max(1) as f64);
        }
    }
    means
}

/// Percentile interval of resampled means around the mean of the real users.
pub fn estimate(mean: f64, resampled: &[f64]) -> Estimate {
    let mut sorted = resampled.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * (sorted.len().max(1) - 1) as f64).round() as usize;
        sorted.get(index).copied().unwrap_or(mean)
    };
    Estimate {
        mean,
        low: at(0.025),
        high: at(0.975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_cluster_are_one_unit() {
        // 20 clusters, half of them all 0 and half all 1, each of 50 values: the standard error is that of 20 coins,
        // √(0.25 / 20) = 0.112, not that of 1000.
        let values: Vec<(usize, f64)> = (0..1000)
            .map(|index| (index / 50, f64::from(index / 50 < 10)))
            .collect();
        let found = clustered(&values, 1);
        assert_eq!(found.mean, 0.5);
        assert!((found.low - 0.28).abs() < 0.06, "{found:?}");
        assert!((found.high - 0.72).abs() < 0.06, "{found:?}");
        let alone: Vec<(usize, f64)> = (values.iter().map(|one| one.1).enumerate()).collect();
        let narrow = clustered(&alone, 1);
        assert!(narrow.high - narrow.low < 0.07, "{narrow:?}");
    }

    #[test]
    fn large_clusters_weigh_by_their_values() {
        // (0 + 0 + 0 + 1) / 4
        let values = [(7, 0.0), (7, 0.0), (7, 0.0), (9, 1.0)];
        assert_eq!(clustered(&values, 1).mean, 0.25);
        let named =
            values.map(|(cluster, value)| (if cluster == 7 { "seven" } else { "nine" }, value));
        assert_eq!(clustered(&named, 1), clustered(&values, 1));
        assert_eq!(clustered::<usize>(&[], 1).mean, 0.0);
    }

    #[test]
    fn the_interval_of_a_fair_coin_is_the_binomial_one() {
        // 400 users, half of them 1: standard error √(0.25 / 400) = 0.025, interval 0.5 ± 0.049
        let values: Vec<f64> = (0..400).map(|user| f64::from(user % 2)).collect();
        let means = resampled_means(&[values], 4000, 1);
        let interval = estimate(0.5, &means[0]);
        assert!((interval.low - 0.451).abs() < 0.004, "{interval:?}");
        assert!((interval.high - 0.549).abs() < 0.004, "{interval:?}");
    }

    #[test]
    fn pairing_removes_what_two_models_share() {
        // The second model is the first plus 0.1 for everybody: the difference has no spread at all.
        let first: Vec<f64> = (0..50).map(f64::from).collect();
        let second = first.iter().map(|value| value + 0.1).collect();
        let means = resampled_means(&[first, second], 100, 1);
        for (left, right) in means[0].iter().zip(&means[1]) {
            assert!((right - left - 0.1).abs() < 1e-9);
        }
    }
}
