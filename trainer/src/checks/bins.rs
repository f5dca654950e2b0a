//! Cutting users into bins of about equal size by a whole number, equal values together.

use std::fmt;

/// A range of values, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    /// Smallest value.
    pub low: usize,
    /// Largest value.
    pub high: usize,
}

impl Bin {
    /// Whether a value lies in it.
    pub fn holds(&self, value: usize) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}–{}", self.low, self.high)
        }
    }
}

/// At most `parts` bins that together hold every value, lowest first. Each holds its part of the values at least, the last
/// one half of that, unless there is only one.
pub fn bins(values: &[usize], parts: usize) -> Vec<Bin> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let (count, parts) = (sorted.len(), parts.max(1));
    let enough = |values: usize| values * parts >= count;
    let mut found = Vec::new();
    let mut start = 0;
    for at in 0..count {
        let end = at + 1;
        let last = end == count;
        if last || (enough(end - start) && enough(2 * (count - end)) && sorted[at] != sorted[end]) {
            found.push(Bin {
                low: sorted[start],
                high: sorted[at],
            });
            start = end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(values: &[usize], parts: usize) -> Vec<(usize, usize)> {
        bins(values, parts)
            .iter()
            .map(|bin| (bin.low, bin.high))
            .collect()
    }

    #[test]
    fn equal_parts_where_values_allow_it() {
        let values: Vec<usize> = (1..=8).rev().collect();
        assert_eq!(ends(&values, 4), [(1, 2), (3, 4), (5, 6), (7, 8)]);
        assert_eq!(ends(&values, 1), [(1, 8)]);
        assert!(bins(&[], 4).is_empty());
    }

    #[test]
    fn equal_values_stay_together() {
        assert_eq!(ends(&[0, 0, 0, 0, 0, 1, 2, 9], 4), [(0, 0), (1, 2), (9, 9)]);
        assert_eq!(ends(&[3; 10], 4), [(3, 3)]);
        assert_eq!(bins(&[3; 10], 4)[0].to_string(), "3");
        assert_eq!(bins(&[1, 5], 1)[0].to_string(), "1–5");
    }

    proptest::proptest! {
        #[test]
        fn every_value_lies_in_exactly_one_bin(values in proptest::collection::vec(0usize..50, 0..80), parts in 1usize..8) {
            let found = bins(&values, parts);
            proptest::prop_assert!(found.len() <= parts);
            for value in values {
                proptest::prop_assert_eq!(found.iter().filter(|bin| bin.holds(value)).count(), 1);
            }
        }
    }
}
