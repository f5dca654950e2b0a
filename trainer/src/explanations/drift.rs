//! Drift along the correction pass (EVALUATION): the pass cut into ten parts of equal length, each with its mean reward beside
//! the quality and the diversity of the reasons that it wrote. Reward that rises while the rest falls is reward hacking.

use serde::{Deserialize, Serialize};

use super::diversity::{Diversity, diversity, words};
use crate::data::Item;
use crate::text::{Vocabulary, hallucination, said, stutters};

/// A reason as correction wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Rewritten<'a> {
    /// What it is a reason for.
    pub item: &'a Item,
    /// The reason after correction.
    pub text: &'a str,
    /// Mean reward of the interaction's candidates.
    pub reward: f64,
}

/// One part of the pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decile {
    /// Interactions corrected.
    pub events: usize,
    /// Their mean reward.
    pub reward: f64,
    /// Mean words a reason.
    pub words: f64,
    /// Wrong claims about the item / those that metadata can verify or refute; `None` without any.
    pub hallucination: Option<f64>,
    /// Share of the reasons that say the same words twice in a row.
    pub stutters: f64,
    /// Of the reasons.
    #[serde(flatten)]
    pub diversity: Diversity,
}

/// Parts of a pass.
pub const PARTS: usize = 10;

/// The pass in ten parts, in its own order; fewer where there are fewer reasons.
pub fn deciles(pass: &[Rewritten], vocabulary: &Vocabulary) -> Vec<Decile> {
    (0..PARTS)
        .map(|part| &pass[part * pass.len() / PARTS..(part + 1) * pass.len() / PARTS])
        .filter(|part| !part.is_empty())
        .map(|part| decile(part, vocabulary))
        .collect()
}

fn decile(part: &[Rewritten], vocabulary: &Vocabulary) -> Decile {
    let mean =
        |value: &dyn Fn(&Rewritten) -> f64| part.iter().map(value).sum::<f64>() / part.len() as f64;
    let (mut verified, mut wrong) = (0, 0);
    let mut twice = 0;
    for one in part {
        let said = said(one.text, vocabulary);
        twice += usize::from(said.repeated > 0 || stutters(one.text));
        let found = hallucination(&said.item, one.item);
        verified += found.verified;
        wrong += found.wrong;
    }
    let texts: Vec<&str> = part.iter().map(|one| one.text).collect();
    let claimed = verified + wrong;
    Decile {
        events: part.len(),
        reward: mean(&|one| one.reward),
        words: mean(&|one| words(one.text).len() as f64),
        hallucination: (claimed > 0).then(|| wrong as f64 / claimed as f64),
        stutters: twice as f64 / part.len() as f64,
        diversity: diversity(&texts, vocabulary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Attribute;

    #[test]
    fn the_pass_is_cut_evenly_and_in_order() {
        let item = Item {
            key: String::new(),
            title: String::new(),
            attributes: [("genre", "noir"), ("mood", "calm")]
                .map(|(kind, value)| Attribute {
                    kind: kind.into(),
                    value: value.into(),
                })
                .to_vec(),
        };
        let other = Item {
            attributes: vec![Attribute {
                kind: "genre".into(),
                value: "comedy".into(),
            }],
            ..item.clone()
        };
        let vocabulary = Vocabulary::of([&item, &other]);
        let pass: Vec<Rewritten> = (0..25)
            .map(|index| Rewritten {
                item: &item,
                text: if index < 3 {
                    "A calm noir."
                } else {
                    "A comedy comedy, noir."
                },
                reward: f64::from(index),
            })
            .collect();
        let found = deciles(&pass, &vocabulary);
        let events: Vec<usize> = found.iter().map(|part| part.events).collect();
        assert_eq!(events, [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]);
        assert_eq!((found[0].reward, found[9].reward), (0.5, 23.0));
        // Events 2, 3, 4: calm and noir hold, then twice noir holds and comedy does not.
        assert_eq!(found[1].hallucination, Some(2.0 / 6.0));
        assert_eq!(found[1].stutters, 2.0 / 3.0);
        assert_eq!(found[1].words, (3.0 + 4.0 + 4.0) / 3.0);
        assert_eq!(found[0].hallucination, Some(0.0));
        assert_eq!(found[9].diversity.usr, Some(1.0 / 3.0));
        assert_eq!(deciles(&pass[..3], &vocabulary).len(), 3);
        assert!(deciles(&[], &vocabulary).is_empty());
    }
}
