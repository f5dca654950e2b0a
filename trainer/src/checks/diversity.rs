//! How varied texts are (EVALUATION, *diversity and drift*): words are what stands between spaces, in lower case, without
//! punctuation at their ends.

use std::collections::HashSet;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| {
            word.trim_matches(|mark: char| !mark.is_alphanumeric())
                .to_lowercase()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Distinct-n: different runs of `n` words over all such runs; 0 where there is none.
pub fn distinct(texts: &[&str], n: usize) -> f64 {
    let mut runs = HashSet::new();
    let mut count = 0;
    for text in texts {
        for run in words(text).windows(n.max(1)) {
            runs.insert(run.to_vec());
            count += 1;
        }
    }
    share(runs.len(), count)
}

/// Different texts over all texts (USR).
pub fn unique(texts: &[&str]) -> f64 {
    share(texts.iter().collect::<HashSet<_>>().len(), texts.len())
}

/// Share of the runs of `n` words that their own text has said before.
pub fn repeated(texts: &[&str], n: usize) -> f64 {
    let (mut again, mut count) = (0, 0);
    for text in texts {
        let words = words(text);
        let mut seen = HashSet::new();
        for run in words.windows(n.max(1)) {
            count += 1;
            again += usize::from(!seen.insert(run));
        }
    }
    share(again, count)
}

/// Words per text.
pub fn mean_words(texts: &[&str]) -> f64 {
    share(
        texts.iter().map(|text| words(text).len()).sum(),
        texts.len(),
    )
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let texts = ["The cat, the cat.", "the dog"];
        assert_eq!(distinct(&texts, 1), 3.0 / 6.0); // the cat dog
        assert_eq!(distinct(&texts, 2), 3.0 / 4.0); // the cat, cat the, the cat; the dog
        assert_eq!(unique(&["a", "a", "b"]), 2.0 / 3.0);
        assert_eq!(mean_words(&texts), 3.0);
        // "the cat" comes again once among three pairs, none among "the dog".
        assert_eq!(repeated(&texts, 2), 1.0 / 4.0);
        assert_eq!(repeated(&["so so so so"], 3), 0.5);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(
            (
                distinct(&[], 2),
                unique(&[]),
                repeated(&["a"], 3),
                mean_words(&[])
            ),
            (0.0, 0.0, 0.0, 0.0)
        );
    }
}
