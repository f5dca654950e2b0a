//! Faithfulness of attention (EVALUATION): do the weights shown beside reasons say which of them moved the score?
//!
//! For one person and one item with the reasons `R`, `|R| ≥ 2`, and `s` the ranking logit (probabilities saturate):
//! - comprehensiveness: `|s(R) − s(R without r*)|` for the most attended `r*`; larger is more faithful;
//! - sufficiency: `|s(R) − s({r*})|`; smaller is more faithful (both after DeYoung et al. 2020, arXiv 1911.03429);
//! - Spearman's ρ of attention with the leave-one-out changes `|s(R) − s(R without r)|` (Jain & Wallace 2019, arXiv 1902.10186).
//!
//! Magnitudes, because attention has no sign: a reason that is attended to may speak against the item. Beside them stands the
//! signed `s(R) − s(R without r*)`.
//!
//! **Against permuted attention.** If attention is dealt out anew at random, the most attended reason is any of them with equal
//! probability, so the expected comprehensiveness and sufficiency are the means over all reasons: those of removing (or keeping)
//! a random one. They are computed exactly, not sampled. For ρ permutations are drawn; their expectation is 0.
//!
//! **Ties and short lists.** Equally attended reasons share the place of `r*`: the mean over them. Equal values share the mean
//! of their ranks; where all attentions or all changes are equal ρ has no value and the list is left out of its mean. A list of
//! one reason leaves nothing to choose: it is left out of everything. With two reasons ρ is 1 or −1, which its mean can bear.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// One list's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faithfulness {
    /// Comprehensiveness of the most attended reason, and of a random one.
    pub comprehensiveness: [f64; 2],
    /// Sufficiency of the most attended reason, and of a random one.
    pub sufficiency: [f64; 2],
    /// The signed change without the most attended reason, and without a random one.
    pub signed: [f64; 2],
}

/// One list: attention and scores per reason, `full` with all of them, `without` each, with `only` each. `None` for fewer than
/// two reasons.
pub fn faithfulness(
    attention: &[f64],
    full: f64,
    without: &[f64],
    only: &[f64],
) -> Option<Faithfulness> {
    if attention.len() < 2 {
        return None;
    }
    let best = attention.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let top: Vec<usize> = (0..attention.len())
        .filter(|&index| attention[index] == best)
        .collect();
    let all: Vec<usize> = (0..attention.len()).collect();
    let mean = |indices: &[usize], value: &dyn Fn(usize) -> f64| {
        indices.iter().map(|&index| value(index)).sum::<f64>() / indices.len() as f64
    };
    let both = |value: &dyn Fn(usize) -> f64| [mean(&top, value), mean(&all, value)];
    Some(Faithfulness {
        comprehensiveness: both(&|index| (full - without[index]).abs()),
        sufficiency: both(&|index| (full - only[index]).abs()),
        signed: both(&|index| full - without[index]),
    })
}

/// Spearman's rank correlation with mean ranks for ties; `None` where a side has no two different values.
pub fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    let (one, other) = (ranks(one), ranks(other));
    let mean = (one.len() as f64 + 1.0) / 2.0;
    let moment = |left: &[f64], right: &[f64]| -> f64 {
        let pairs = left.iter().zip(right);
        pairs
            .map(|(left, right)| (left - mean) * (right - mean))
            .sum()
    };
    let spread = (moment(&one, &one) * moment(&other, &other)).sqrt();
    (spread > 0.0).then(|| moment(&one, &other) / spread)
}

/// Mean ρ over `times` random permutations of `attention`; `None` as for [`spearman`].
pub fn permuted_spearman(
    attention: &[f64],
    changes: &[f64],
    times: usize,
    rng: &mut ChaCha8Rng,
) -> Option<f64> {
    let mut dealt = attention.to_vec();
    let mut sum = 0.0;
    for _ in 0..times {
        dealt.shuffle(rng);
        sum += spearman(&dealt, changes)?;
    }
    (times > 0).then(|| sum / times as f64)
}

/// Ranks from 1, equal values sharing the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &other| values[one].total_cmp(&values[other]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&one, &other| values[one] == values[other]) {
        let rank = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        for &index in tied {
            ranks[index] = rank;
        }
        start += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn removing_and_keeping_the_most_attended_reason() {
        // s(R) = 2. Without the first 1.5, the second 2.25, the third 2; alone 1, 0, 2.5. The first is attended to most.
        let found =
            faithfulness(&[0.5, 0.3, 0.2], 2.0, &[1.5, 2.25, 2.0], &[1.0, 0.0, 2.5]).unwrap();
        assert_eq!(found.comprehensiveness, [0.5, 0.25]); // (0.5 + 0.25 + 0) / 3
        assert_eq!(found.sufficiency, [1.0, 3.5 / 3.0]); // (1 + 2 + 0.5) / 3
        let signed = [0.5, 0.25 / 3.0]; // (0.5 − 0.25 + 0) / 3
        assert_eq!(found.signed, signed);
    }

    #[test]
    fn ties_share_the_first_place_and_one_reason_is_no_choice() {
        let found =
            faithfulness(&[0.4, 0.4, 0.2], 1.0, &[0.0, 0.5, 0.0], &[1.0, 1.0, 0.0]).unwrap();
        assert_eq!(found.comprehensiveness[0], 0.75); // (1 + 0.5) / 2
        assert_eq!(found.sufficiency[0], 0.0);
        assert_eq!(faithfulness(&[1.0], 1.0, &[0.0], &[1.0]), None);
        assert_eq!(faithfulness(&[], 1.0, &[], &[]), None);
    }

    #[test]
    fn spearman_by_hand() {
        // Ranks 1 2 3 4 and 1 3 2 4: d² = 0 1 1 0, ρ = 1 − 6 · 2 / (4 · 15) = 4/5.
        let rho = spearman(&[0.1, 0.2, 0.3, 0.4], &[5.0, 7.0, 6.0, 9.0]).unwrap();
        assert!((rho - 0.8).abs() < 1e-12, "{rho}");
        assert!((spearman(&[1.0, 2.0, 9.0], &[3.0, 2.0, -1.0]).unwrap() + 1.0).abs() < 1e-12);
        // Ties: ranks 1.5 1.5 3 and 1 2 3: covariance 1.5, variances 1.5 and 2: 1.5 / √3.
        let rho = spearman(&[4.0, 4.0, 5.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!((rho - 1.5 / 3f64.sqrt()).abs() < 1e-12, "{rho}");
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
        assert_eq!(spearman(&[], &[]), None);
    }

    #[test]
    fn permuted_attention_says_nothing() {
        // Over all six orders of three values the covariance of ranks adds up to 0.
        let changes = [0.3, 0.1, 0.7];
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        let sum: f64 = orders
            .iter()
            .map(|order| spearman(&order.map(f64::from), &changes).unwrap())
            .sum();
        assert!(sum.abs() < 1e-12, "{sum}");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let attention = [0.5, 0.3, 0.2];
        let mean = permuted_spearman(&attention, &changes, 20_000, &mut rng).unwrap();
        // A ρ of three values has standard deviation 1/√2: a mean of 20,000 one of 0.005.
        assert!(mean.abs() < 0.02, "{mean}");
        assert_eq!(
            permuted_spearman(&[1.0, 1.0], &[1.0, 2.0], 5, &mut rng),
            None
        );
    }

    proptest::proptest! {
        /// Against the textbook formula `1 − 6 Σ d² / (n (n² − 1))`, which holds where no values are equal.
        #[test]
        fn without_ties_it_is_the_textbook_formula(order in proptest::collection::vec(0u32..1000, 2..12)) {
            let mut one: Vec<u32> = order.clone();
            one.sort_unstable();
            one.dedup();
            proptest::prop_assume!(one.len() == order.len());
            let place = |value: &u32| one.iter().position(|other| other == value).unwrap() as f64;
            let n = order.len() as f64;
            let d: f64 = order.iter().enumerate().map(|(index, value)| (place(value) - index as f64).powi(2)).sum();
            let expected = 1.0 - 6.0 * d / (n * (n * n - 1.0));
            let values: Vec<f64> = order.iter().map(|&value| f64::from(value)).collect();
            let index: Vec<f64> = (0..order.len()).map(|index| index as f64).collect();
            let found = spearman(&values, &index).unwrap();
            proptest::prop_assert!((found - expected).abs() < 1e-9, "{} {}", found, expected);
        }
    }
}
