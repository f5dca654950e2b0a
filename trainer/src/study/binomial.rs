//! The exact sign test: could so lopsided a count come from a fair coin?

/// Two-sided p-value of `wins` of `count` under a fair coin: the probability of a count at least as far from the half.
pub fn two_sided(wins: usize, count: usize) -> f64 {
    let tail = wins.min(count - wins.min(count));
    // log C(count, k) − count log 2, term by term.
    let mut log = -(count as f64) * std::f64::consts::LN_2;
    let mut sum = log.exp();
    for k in 1..=tail {
        log += ((count - k + 1) as f64).ln() - (k as f64).ln();
        sum += log.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // 2 · (1 + 10) / 2¹⁰ and 2 / 2¹⁰
        assert!((two_sided(9, 10) - 22.0 / 1024.0).abs() < 1e-12);
        assert!((two_sided(1, 10) - 22.0 / 1024.0).abs() < 1e-12);
        assert!((two_sided(10, 10) - 2.0 / 1024.0).abs() < 1e-12);
        assert_eq!(
            (two_sided(5, 10), two_sided(0, 0), two_sided(1, 1)),
            (1.0, 1.0, 1.0)
        );
        // 2 · (1 + 3) / 8 = 1
        assert_eq!(two_sided(1, 3), 1.0);
    }

    #[test]
    fn many_are_no_trouble() {
        // 1050 of 2000: z = (1050 − 1000 − ½) / √500 = 2.2137, p = 0.0269 by the normal curve with its correction.
        let found = two_sided(1050, 2000);
        assert!((found - 0.0269).abs() < 3e-4, "{found}");
        assert!(two_sided(0, 5000) >= 0.0);
    }
}
