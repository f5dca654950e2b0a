//! Do reasons differ? (EVALUATION, *Diversity and drift*)
//!
//! Over a set of texts: *Distinct-n* (Li et al. 2016, arXiv 1510.03055), different runs of n words / all runs; *USR*, different
//! texts / all texts; *FCR*, attribute values that any text names / all values of the catalogue; *DIV*, the mean number of
//! values that two texts both name, lower is more diverse (all three: Li et al. 2020, NETE). DIV over all pairs is
//! `Σ_f C(c_f, 2) / C(N, 2)` where `c_f` texts name the value `f`: each pair is counted once for every value it shares, so it
//! takes linear time and is exact. [`self_bleu`](super::self_bleu) joins them.
//!
//! Texts are compared as words: runs of letters and digits in lower case.

use std::collections::{HashMap, HashSet};

pub use crate::text::words;

use serde::{Deserialize, Serialize};

use super::self_bleu::self_bleu;
use crate::data::Attribute;
use crate::text::{Vocabulary, claims};

/// Numbers of a set of texts; `None` where a set is too small to have them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diversity {
    /// Different words / words.
    pub distinct_1: Option<f64>,
    /// Different pairs of neighbouring words / such pairs.
    pub distinct_2: Option<f64>,
    /// Unique-sentence ratio.
    pub usr: Option<f64>,
    /// Mean BLEU of each text with all others as references.
    pub self_bleu: Option<f64>,
    /// Feature coverage ratio.
    pub fcr: Option<f64>,
    /// Mean number of values that two texts share.
    pub div: Option<f64>,
}

/// Lists of reasons, one an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lists {
    /// Lists of three reasons or more: the others are not counted.
    pub lists: usize,
    /// Of them those in which no two reasons are the same.
    pub all_different: usize,
    /// Their reasons.
    pub reasons: usize,
    /// Different reasons, each list by itself.
    pub different: usize,
}

/// Shortest list that [`lists`] looks at.
const LIST: usize = 3;

/// All numbers of a set of texts.
pub fn diversity(texts: &[&str], vocabulary: &Vocabulary) -> Diversity {
    let split = split(texts.iter().copied());
    let named: Vec<Vec<Attribute>> = texts.iter().map(|text| claims(text, vocabulary)).collect();
    Diversity {
        distinct_1: distinct(&split, 1),
        distinct_2: distinct(&split, 2),
        usr: unique(&split),
        self_bleu: self_bleu(&split),
        fcr: coverage(&named, vocabulary.values()),
        div: shared_features(&named),
    }
}

/// Each of these texts as words.
pub fn split<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<Vec<String>> {
    texts.into_iter().map(words).collect()
}

/// Distinct-n; `None` where no text has `n` words.
pub fn distinct(texts: &[Vec<String>], n: usize) -> Option<f64> {
    let runs = || texts.iter().flat_map(|text| text.windows(n));
    let all = runs().count();
    (all > 0).then(|| runs().collect::<HashSet<_>>().len() as f64 / all as f64)
}

/// Different texts / all texts.
pub fn unique(texts: &[Vec<String>]) -> Option<f64> {
    let different: HashSet<&Vec<String>> = texts.iter().collect();
    (!texts.is_empty()).then(|| different.len() as f64 / texts.len() as f64)
}

/// Share of the runs of `n` words that their own text has said before; `None` where no text has `n` words.
pub fn repeated(texts: &[Vec<String>], n: usize) -> Option<f64> {
    let (mut again, mut all) = (0, 0usize);
    for text in texts {
        let mut said = HashSet::new();
        for run in text.windows(n) {
            all += 1;
            again += usize::from(!said.insert(run));
        }
    }
    (all > 0).then(|| again as f64 / all as f64)
}

/// Words of a text, on average.
pub fn mean_words(texts: &[Vec<String>]) -> Option<f64> {
    let words: usize = texts.iter().map(Vec::len).sum();
    (!texts.is_empty()).then(|| words as f64 / texts.len() as f64)
}

/// Values that any text names / `values` in all.
pub fn coverage(named: &[Vec<Attribute>], values: usize) -> Option<f64> {
    let found: HashSet<&str> = named
        .iter()
        .flatten()
        .map(|one| one.value.as_str())
        .collect();
    (values > 0).then(|| found.len() as f64 / values as f64)
}

/// DIV: the mean number of values that two texts share. `named` holds each value once a text.
pub fn shared_features(named: &[Vec<Attribute>]) -> Option<f64> {
    let mut counts: HashMap<&Attribute, u64> = HashMap::new();
    for feature in named.iter().flatten() {
        *counts.entry(feature).or_default() += 1;
    }
    let pairs = |count: u64| count * count.saturating_sub(1) / 2;
    let all = pairs(named.len() as u64);
    let shared: u64 = counts.into_values().map(pairs).sum();
    (all > 0).then(|| shared as f64 / all as f64)
}

/// Counts what is different within each list of three reasons or more.
pub fn lists<'t>(lists: impl IntoIterator<Item = Vec<&'t str>>) -> Lists {
    let mut found = Lists::default();
    for list in lists.into_iter().filter(|list| list.len() >= LIST) {
        let different: HashSet<Vec<String>> = list.iter().map(|text| words(text)).collect();
        found.lists += 1;
        found.all_different += usize::from(different.len() == list.len());
        found.reasons += list.len();
        found.different += different.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Item;

    fn attribute(value: &str) -> Attribute {
        Attribute {
            kind: "genre".into(),
            value: value.into(),
        }
    }

    #[test]
    fn words_and_runs_by_hand() {
        let texts = ["A noir, a noir!", "Noir again", "noir AGAIN."]
            .map(words)
            .to_vec();
        assert_eq!(texts[0], ["a", "noir", "a", "noir"]);
        // a, noir, again of 8 words; "a noir", "noir a", "noir again" of 5 pairs; two texts of three differ.
        assert_eq!(distinct(&texts, 1), Some(3.0 / 8.0));
        assert_eq!(distinct(&texts, 2), Some(3.0 / 5.0));
        assert_eq!(unique(&texts), Some(2.0 / 3.0));
        assert_eq!(distinct(&texts, 5), None);
        assert_eq!(unique(&[]), None);
    }

    #[test]
    fn repetition_and_length_by_hand() {
        let texts = split(["The cat, the cat.", "the dog"]);
        assert_eq!(mean_words(&texts), Some(3.0));
        // "the cat" comes again once among three pairs, none among "the dog".
        assert_eq!(repeated(&texts, 2), Some(1.0 / 4.0));
        assert_eq!(repeated(&split(["so so so so"]), 3), Some(0.5));
        assert_eq!((repeated(&split(["a"]), 3), mean_words(&[])), (None, None));
    }

    #[test]
    fn shared_features_by_hand() {
        let (noir, calm, oslo) = (attribute("noir"), attribute("calm"), attribute("Oslo"));
        let named = [
            vec![noir.clone(), calm.clone()],
            vec![noir.clone(), calm],
            vec![noir, oslo],
            vec![],
        ];
        // Noir three times, calm twice: 3 + 1 shared in C(4, 2) = 6 pairs.
        assert_eq!(shared_features(&named), Some(4.0 / 6.0));
        assert_eq!(coverage(&named, 5), Some(3.0 / 5.0));
        assert_eq!(shared_features(&named[..1]), None);
    }

    #[test]
    fn lists_of_three_or_more() {
        let found = lists([
            vec!["a", "b", "c"],
            vec!["a", "B", "b.", "c"],
            vec!["a", "a"],
            vec![],
        ]);
        let expected = Lists {
            lists: 2,
            all_different: 1,
            reasons: 7,
            different: 6,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn all_of_it_together() {
        let item = Item {
            key: String::new(),
            title: String::new(),
            attributes: ["noir", "calm", "Oslo", "Quill"].map(attribute).to_vec(),
        };
        let found = diversity(&["a calm noir", "a noir"], &Vocabulary::of([&item]));
        assert_eq!(found.distinct_1, Some(3.0 / 5.0));
        assert_eq!(found.distinct_2, Some(1.0));
        assert_eq!(found.usr, Some(1.0));
        assert_eq!(found.fcr, Some(0.5));
        assert_eq!(found.div, Some(1.0));
        assert!(found.self_bleu.is_some());
        assert_eq!(diversity(&[], &Vocabulary::default()), Diversity::default());
    }

    proptest::proptest! {
        /// DIV from its definition: every pair of texts, every value.
        #[test]
        fn linear_time_counts_every_pair(sets in proptest::collection::vec(proptest::collection::btree_set("[a-f]", 0..5), 0..12)) {
            let named: Vec<Vec<Attribute>> = sets.iter().map(|set| set.iter().map(|value| attribute(value)).collect()).collect();
            let (mut shared, mut pairs) = (0, 0);
            for left in 0..sets.len() {
                for right in 0..left {
                    shared += sets[left].intersection(&sets[right]).count();
                    pairs += 1;
                }
            }
            let naive = (pairs > 0).then(|| shared as f64 / pairs as f64);
            proptest::prop_assert_eq!(shared_features(&named), naive);
        }
    }
}
