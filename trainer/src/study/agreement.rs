//! Krippendorff's alpha: how far raters agree beyond chance (K. Krippendorff, *Computing Krippendorff's Alpha-Reliability*,
//! 2011). 1 = they agree fully, 0 = as if they had drawn from what all of them said; missing ratings are allowed.

/// How far apart two values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal or not: categories.
    Nominal,
    /// By the ranks between them: ordered grades.
    Ordinal,
    /// By the square of their difference.
    Interval,
}

/// Alpha of units, each with the values that its raters gave (any number of raters, in any order).
///
/// `None` where nothing can be said: no unit with two ratings, or one value throughout.
pub fn alpha(units: &[Vec<f64>], scale: Scale) -> Option<f64> {
    let mut values: Vec<f64> = units.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let place = |value: f64| values.partition_point(|known| known.total_cmp(&value).is_lt());
    // Coincidences o_ck: each ordered pair of ratings of one unit counts 1 / (m_u − 1).
    let size = values.len();
    let mut together = vec![0.0; size * size];
    for unit in units.iter().filter(|unit| unit.len() > 1) {
        let weight = 1.0 / (unit.len() - 1) as f64;
        for (one, &left) in unit.iter().enumerate() {
            for (other, &right) in unit.iter().enumerate() {
                if one != other {
                    together[place(left) * size + place(right)] += weight;
                }
            }
        }
    }
    let totals: Vec<f64> = (0..size)
        .map(|row| together[row * size..(row + 1) * size].iter().sum())
        .collect();
    let all: f64 = totals.iter().sum();
    let distance = |one: usize, other: usize| scale.distance(&values, &totals, one, other);
    let (mut observed, mut expected) = (0.0, 0.0);
    for one in 0..size {
        for other in 0..size {
            let far = distance(one, other);
            observed += together[one * size + other] * far;
            expected += totals[one] * totals[other] * far;
        }
    }
    (expected > 0.0).then(|| 1.0 - (all - 1.0) * observed / expected)
}

impl Scale {
    /// Squared distance of two values by their places among all values, whose counts are `totals`.
    fn distance(self, values: &[f64], totals: &[f64], one: usize, other: usize) -> f64 {
        let (low, high) = (one.min(other), one.max(other));
        match self {
            Scale::Nominal => f64::from(u8::from(low != high)),
            Scale::Interval => (values[high] - values[low]).powi(2),
            Scale::Ordinal if low == high => 0.0,
            Scale::Ordinal => {
                let between: f64 = totals[low..=high].iter().sum();
                (between - (totals[low] + totals[high]) / 2.0).powi(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four observers, twelve units, missing values: Krippendorff (2011), section C and D.
    fn published() -> Vec<Vec<f64>> {
        const MISSING: u8 = 0;
        let observers: [[u8; 12]; 4] = [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, MISSING, MISSING, MISSING],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, MISSING, 3],
            [MISSING, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, MISSING],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, MISSING],
        ];
        let unit = |unit: usize| -> Vec<f64> {
            let given = observers.iter().map(|values| values[unit]);
            given
                .filter(|value| *value != MISSING)
                .map(f64::from)
                .collect()
        };
        (0..12).map(unit).collect()
    }

    #[test]
    fn the_published_example_gives_the_published_alphas() {
        for (scale, expected) in [
            (Scale::Nominal, 0.743),
            (Scale::Ordinal, 0.815),
            (Scale::Interval, 0.849),
        ] {
            let found = alpha(&published(), scale).unwrap();
            assert!((found - expected).abs() < 5.1e-4, "{scale:?}: {found}");
        }
    }

    /// Krippendorff (2011), section A: two observers, ten units of binary data, alpha = 0.095.
    #[test]
    fn two_observers_and_binary_data() {
        let one = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0];
        let other = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
        let units: Vec<Vec<f64>> = one
            .iter()
            .zip(other)
            .map(|(left, right)| vec![f64::from(*left), f64::from(right)])
            .collect();
        let found = alpha(&units, Scale::Nominal).unwrap();
        assert!((found - 0.095).abs() < 5e-4, "{found}");
        // Two categories are as far apart on every scale.
        assert_eq!(alpha(&units, Scale::Interval), Some(found));
    }

    #[test]
    fn full_agreement_is_one_and_nothing_is_nothing() {
        let units = vec![vec![1.0, 1.0, 1.0], vec![4.0, 4.0]];
        for scale in [Scale::Nominal, Scale::Ordinal, Scale::Interval] {
            assert_eq!(alpha(&units, scale), Some(1.0));
        }
        assert_eq!(
            alpha(&[vec![2.0, 2.0], vec![2.0, 2.0]], Scale::Nominal),
            None
        );
        assert_eq!(alpha(&[vec![1.0], vec![5.0]], Scale::Interval), None);
        assert_eq!(alpha(&[], Scale::Interval), None);
    }

    #[test]
    fn systematic_disagreement_is_below_zero() {
        // Each unit gets both values: o_01 = o_10 = 2 of n = 4; D_o = 1, D_e = 2·2·2 / (4 · 3) = 2/3; 1 − 3/2.
        let units = vec![vec![0.0, 1.0], vec![1.0, 0.0]];
        assert_eq!(alpha(&units, Scale::Nominal), Some(-0.5));
    }
}
