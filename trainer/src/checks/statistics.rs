//! Means with intervals where the units are not independent, and trends: resampling as in [`crate::evaluation`].

use std::collections::BTreeMap;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::evaluation::{Estimate, RESAMPLES, estimate, resampled_means};

/// Arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Mean of independent values with its interval.
pub fn mean_of(values: &[f64], seed: u64) -> Estimate {
    let rows = [values.to_vec()];
    let resampled = resampled_means(&rows, RESAMPLES, seed);
    estimate(mean(values), &resampled[0])
}

/// Mean of `left − right` over the same units with its interval.
pub fn paired(left: &[f64], right: &[f64], seed: u64) -> Estimate {
    let differences: Vec<f64> = left.iter().zip(right).map(|(a, b)| a - b).collect();
    mean_of(&differences, seed)
}

/// Number of different clusters.
pub fn clusters(values: &[(usize, f64)]) -> usize {
    let mut found: Vec<usize> = values.iter().map(|(cluster, _)| *cluster).collect();
    found.sort_unstable();
    found.dedup();
    found.len()
}

/// Change of `values` from first to last along the least-squares line, with the interval of resampled points.
pub fn trend(values: &[f64], seed: u64) -> Estimate {
    trend_within(values, &vec![0; values.len()], seed)
}

/// The same among values of one kind: one slope for all, each kind with a level of its own (fixed effects), so that a change in what the
/// values are about is no trend. `kinds` has one for each value.
pub fn trend_within(values: &[f64], kinds: &[usize], seed: u64) -> Estimate {
    let points: Vec<Point> = values
        .iter()
        .zip(kinds)
        .enumerate()
        .map(|(index, (value, kind))| Point {
            kind: *kind,
            x: index as f64 / (values.len().max(2) - 1) as f64,
            y: *value,
        })
        .collect();
    let whole = slope(&points);
    if points.is_empty() {
        return estimate(0.0, &[]);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<Point> = (0..points.len())
                .map(|_| points[rng.random_range(0..points.len())])
                .collect();
            slope(&drawn)
        })
        .collect();
    estimate(whole, &resampled)
}

#[derive(Clone, Copy)]
struct Point {
    kind: usize,
    x: f64,
    y: f64,
}

/// Slope of the least-squares lines through the points of each kind; 0 where all of a kind have the same abscissa.
fn slope(points: &[Point]) -> f64 {
    let mut sums: BTreeMap<usize, (f64, f64, f64)> = BTreeMap::new();
    for point in points {
        let (count, x, y) = sums.entry(point.kind).or_default();
        *count += 1.0;
        *x += point.x;
        *y += point.y;
    }
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        let (count, x, y) = sums[&point.kind];
        let (x, y) = (point.x - x / count, point.y - y / count);
        (above + x * y, below + x * x)
    });
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_the_change_from_first_to_last() {
        // A straight line from 2 to 5 has no spread.
        let line: Vec<f64> = (0..31).map(|index| 2.0 + 0.1 * f64::from(index)).collect();
        let found = trend(&line, 1);
        assert!((found.mean - 3.0).abs() < 1e-9, "{found:?}");
        assert!((found.low - 3.0).abs() < 1e-9 && (found.high - 3.0).abs() < 1e-9);
        // By hand: x = 0, ½, 1 and y = 0, 0, 3: Σ(x−½)(y−1) = ½ + 1 = 1.5 over Σ(x−½)² = ½ gives 3.
        assert!((trend(&[0.0, 0.0, 3.0], 1).mean - 3.0).abs() < 1e-12);
        assert_eq!(trend(&[1.0], 1).mean, 0.0);
        assert_eq!(trend(&[], 1).mean, 0.0);
    }

    #[test]
    fn a_trend_within_kinds_is_no_change_of_kinds() {
        // Two levels, 1 and 0, flat each; the high one is common at first.
        let kinds: Vec<usize> = (0..40)
            .map(|index| usize::from(index % 10 < index / 10 * 3))
            .collect();
        let flat: Vec<f64> = kinds.iter().map(|&kind| 1.0 - kind as f64).collect();
        assert!(trend(&flat, 1).high < -0.3);
        let found = trend_within(&flat, &kinds, 1);
        assert_eq!((found.mean, found.low, found.high), (0.0, 0.0, 0.0));
        // The same with a slope of 2 beneath it.
        let sloped: Vec<f64> = (flat.iter().enumerate())
            .map(|(index, level)| level + 2.0 * index as f64 / 39.0)
            .collect();
        assert!((trend_within(&sloped, &kinds, 1).mean - 2.0).abs() < 1e-9);
    }

    #[test]
    fn pairing_keeps_the_sign() {
        let found = paired(&[1.0, 2.0, 3.0], &[0.5, 1.5, 2.5], 1);
        assert_eq!((found.mean, found.low, found.high), (0.5, 0.5, 0.5));
    }
}
