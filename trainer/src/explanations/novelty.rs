//! A reward for saying something new, beside [`Rules::grounding`](crate::text::Rules::grounding).

use std::collections::HashSet;

use super::diversity::words;

/// How new each text of a group is, in [0, 1]: 1 less the larger of its likeness to any of `others` (the item's reasons that may
/// be seen) and the share of its fellows in the group that say the very same. Likeness is Dice's coefficient of the sets of
/// neighbouring words, `2 |A ∩ B| / (|A| + |B|)`, which is 1 for equal texts.
pub fn novelty<'t>(group: &[String], others: impl IntoIterator<Item = &'t str>) -> Vec<f64> {
    let others: Vec<Vec<String>> = others.into_iter().map(words).collect();
    let group: Vec<Vec<String>> = group.iter().map(|text| words(text)).collect();
    group
        .iter()
        .map(|own| {
            let likeness = others
                .iter()
                .map(|other| likeness(own, other))
                .fold(0.0, f64::max);
            let same = group.iter().filter(|other| *other == own).count() - 1;
            let fellows = (group.len() - 1).max(1);
            1.0 - likeness.max(same as f64 / fellows as f64)
        })
        .collect()
}

/// Dice's coefficient of the pairs of neighbouring words; of texts without a pair, whether they are equal.
fn likeness(one: &[String], other: &[String]) -> f64 {
    fn pairs(text: &[String]) -> HashSet<&[String]> {
        text.windows(2).collect()
    }
    let (left, right) = (pairs(one), pairs(other));
    if left.is_empty() || right.is_empty() {
        return f64::from(u8::from(one == other));
    }
    2.0 * left.intersection(&right).count() as f64 / (left.len() + right.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn novelty_by_hand() {
        let group = ["a calm noir", "a calm noir.", "for the curious", "noir"].map(str::to_owned);
        // "a calm", "calm noir" and "a calm", "calm comedy": 2 · 1 / 4. Of three fellows one says the same.
        let found = novelty(&group, ["a calm comedy", "Noir!"]);
        assert_eq!(found, [0.5, 0.5, 1.0, 0.0]);
        assert_eq!(
            novelty(&group, []),
            [1.0 - 1.0 / 3.0, 1.0 - 1.0 / 3.0, 1.0, 1.0]
        );
        assert_eq!(novelty(&group[..1], []), [1.0]);
        assert!(novelty(&[], ["a"]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn it_stays_between_0_and_1(reason in "[a-zA-Z ,.:]{0,60}", other in "[a-z ]{0,40}") {
            let new = novelty(&[reason, other.clone()], [other.as_str()]);
            proptest::prop_assert!(new.iter().all(|value| (0.0..=1.0).contains(value)));
            proptest::prop_assert!(new[1] == 0.0);
        }
    }
}
