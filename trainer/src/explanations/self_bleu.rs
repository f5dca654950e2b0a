//! Self-BLEU (Zhu et al. 2018, arXiv 1802.01886): the mean BLEU-4 of each text with all others as its references. High means
//! that texts repeat each other.
//!
//! As in NLTK's `sentence_bleu` with `SmoothingFunction().method1` (what the paper's code calls): clipped n-gram precisions for
//! n = 1 to 4 of equal weight; an order without a match counts 0.1 instead of 0; no matching word at all is 0; the brevity
//! penalty is by the reference of the closest length, the shorter of two. Of each n-gram the two largest counts in any text are
//! kept, so the largest among the *others* is known at once, and the whole takes linear time.

use std::collections::{BTreeMap, HashMap};

const ORDERS: usize = 4;
/// What an order without a match counts.
const SMOOTH: f64 = 0.1;

type Gram = [u32; ORDERS];
/// How often each n-gram of one length occurs.
type Counts = HashMap<Gram, u32>;

/// The largest count of an n-gram in any text, the text that has it, and the largest in any other.
#[derive(Default)]
struct Most {
    first: u32,
    owner: usize,
    second: u32,
}

/// Mean BLEU of each text (as words) against the others; `None` for fewer than two texts.
pub fn self_bleu<W: AsRef<str>>(texts: &[Vec<W>]) -> Option<f64> {
    if texts.len() < 2 {
        return None;
    }
    let mut ids: HashMap<&str, u32> = HashMap::new();
    let mut most: Vec<HashMap<Gram, Most>> = (0..ORDERS).map(|_| HashMap::new()).collect();
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    let mut counted = Vec::with_capacity(texts.len());
    for (owner, text) in texts.iter().enumerate() {
        let words: Vec<u32> = text
            .iter()
            .map(|word| {
                let next = ids.len() as u32;
                *ids.entry(word.as_ref()).or_insert(next)
            })
            .collect();
        *lengths.entry(words.len()).or_default() += 1;
        let grams: Vec<Counts> = (1..=ORDERS).map(|n| grams(&words, n)).collect();
        for (most, grams) in most.iter_mut().zip(&grams) {
            for (gram, &count) in grams {
                let most = most.entry(*gram).or_default();
                if count > most.first {
                    (most.second, most.first, most.owner) = (most.first, count, owner);
                } else {
                    most.second = most.second.max(count);
                }
            }
        }
        counted.push((words.len(), grams));
    }
    let bleu = |(owner, (length, grams)): (usize, &(usize, Vec<Counts>))| {
        let mut sum = 0.0;
        for (order, (most, grams)) in most.iter().zip(grams).enumerate() {
            let matched: u32 = grams
                .iter()
                .map(|(gram, &count)| {
                    let most = &most[gram];
                    let others = if most.owner == owner {
                        most.second
                    } else {
                        most.first
                    };
                    count.min(others)
                })
                .sum();
            let all: u32 = grams.values().sum();
            if matched == 0 && order == 0 {
                return 0.0;
            }
            let matched = if matched > 0 {
                f64::from(matched)
            } else {
                SMOOTH
            };
            sum += (matched / f64::from(all.max(1))).ln() / ORDERS as f64;
        }
        brevity(*length, closest(&lengths, *length)) * sum.exp()
    };
    let sum: f64 = counted.iter().enumerate().map(bleu).sum();
    Some(sum / texts.len() as f64)
}

/// How often each run of `n` words occurs.
fn grams(words: &[u32], n: usize) -> Counts {
    let mut found = Counts::new();
    for window in words.windows(n) {
        let mut gram = [u32::MAX; ORDERS];
        gram[..n].copy_from_slice(window);
        *found.entry(gram).or_default() += 1;
    }
    found
}

/// The length closest to `length` among the other texts, the shorter of two.
fn closest(lengths: &BTreeMap<usize, usize>, length: usize) -> usize {
    if lengths.get(&length).is_some_and(|count| *count > 1) {
        return length;
    }
    let shorter = lengths
        .range(..length)
        .next_back()
        .map(|(length, _)| *length);
    let longer = lengths
        .range(length + 1..)
        .next()
        .map(|(length, _)| *length);
    match (shorter, longer) {
        (Some(shorter), Some(longer)) if longer - length < length - shorter => longer,
        (Some(shorter), _) => shorter,
        (None, longer) => longer.unwrap_or(length),
    }
}

fn brevity(length: usize, reference: usize) -> f64 {
    if length == 0 {
        0.0
    } else if length > reference {
        1.0
    } else {
        (1.0 - reference as f64 / length as f64).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(texts: &[&str]) -> Vec<Vec<String>> {
        let words = |text: &&str| text.split_whitespace().map(str::to_owned).collect();
        texts.iter().map(words).collect()
    }

    #[test]
    fn by_hand() {
        // Equal texts: every precision is 1.
        assert_eq!(self_bleu(&split(&["a b c d e", "a b c d e"])), Some(1.0));
        // Nothing in common.
        assert_eq!(self_bleu(&split(&["a b c d", "e f g h"])), Some(0.0));
        assert_eq!(self_bleu(&split(&["a b"])), None);
        // "a b c d e": 4/5, 3/4, 2/3, 1/2 match "a b c d f", and so the other way round: (1/5)^(1/4).
        let found = self_bleu(&split(&["a b c d e", "a b c d f"])).unwrap();
        assert!((found - 0.2f64.powf(0.25)).abs() < 1e-12, "{found}");
        // "a b" in "a b c": 1, 1, then no three words: 0.1 / 1 twice; exp(1 − 3/2). "a b c" in "a b": 2/3, 1/2, 0.1 / 1
        // (one run of three, no match), 0.1 / 1 (no run of four); no penalty.
        let found = self_bleu(&split(&["a b", "a b c"])).unwrap();
        let short = 0.01f64.powf(0.25) * (-0.5f64).exp();
        let long = (2.0 / 3.0 * 0.5 * 0.01f64).powf(0.25);
        assert!((found - (short + long) / 2.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn counts_are_clipped_by_the_best_single_reference() {
        // "a a a": at most two of its three "a" stand in one other text, and one of its two "a a". Then 0.1/1 and 0.1/1.
        // Length 3, closest other 2: no penalty.
        let texts = split(&["a a a", "a a", "a b"]);
        let first = (2.0 / 3.0 * 0.5 * 0.01f64).powf(0.25);
        // "a a": 2/2, 1/1, 0.1, 0.1; closest other length 2. "a b": 1/2, 0.1/1, 0.1, 0.1.
        let second = 0.01f64.powf(0.25);
        let third = (0.5 * 0.001f64).powf(0.25);
        let found = self_bleu(&texts).unwrap();
        assert!(
            (found - (first + second + third) / 3.0).abs() < 1e-12,
            "{found}"
        );
    }

    /// Every text against every other, from the definition.
    fn naive(texts: &[Vec<String>]) -> f64 {
        let count = |text: &[String], gram: &[String]| {
            text.windows(gram.len())
                .filter(|window| *window == gram)
                .count()
        };
        let bleu = |own: usize| {
            let text = &texts[own];
            let others: Vec<&Vec<String>> = (0..texts.len())
                .filter(|&other| other != own)
                .map(|other| &texts[other])
                .collect();
            let mut product = 1.0;
            for n in 1..=4 {
                let mut seen: Vec<&[String]> = Vec::new();
                let mut matched = 0;
                for gram in text.windows(n) {
                    if !seen.contains(&gram) {
                        seen.push(gram);
                        let best = others.iter().map(|other| count(other, gram)).max().unwrap();
                        matched += count(text, gram).min(best);
                    }
                }
                if n == 1 && matched == 0 {
                    return 0.0;
                }
                let all = (text.len() + 1).saturating_sub(n).max(1) as f64;
                product *= if matched == 0 { 0.1 } else { matched as f64 } / all;
            }
            let gap = |other: &&Vec<String>| (other.len().abs_diff(text.len()), other.len());
            let reference = others.iter().copied().min_by_key(gap).unwrap().len();
            let penalty = if text.len() > reference {
                1.0
            } else {
                (1.0 - reference as f64 / text.len() as f64).exp()
            };
            penalty * f64::powf(product, 0.25)
        };
        (0..texts.len()).map(bleu).sum::<f64>() / texts.len() as f64
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_is_the_slow_way(texts in proptest::collection::vec(proptest::collection::vec("[a-d]", 0..9), 2..12)) {
            let (fast, slow) = (self_bleu(&texts).unwrap(), naive(&texts));
            proptest::prop_assert!((fast - slow).abs() < 1e-9, "{} {}", fast, slow);
        }
    }
}
