//! Cause accuracy (EVALUATION), which only the built-in world can tell: its log holds the true causes of every choice.
//!
//! A reason gives an attribute as a cause where it says it of the person *and* of the item ("for someone fond of noir: a calm
//! noir" gives noir, not calm, which only describes; "someone used to Crime might try a Drama title" gives none). Precision is
//! the share of such claims that are true causes of the very interaction the reason was written for; recall is the share of
//! true causes that are claimed. Communities, follow-ups and popularity are true causes too, which no claimed attribute can
//! name: recall is therefore also counted over true tastes alone. Chance is the share of the item's attributes that are true
//! causes: the precision of naming any of them.

use serde::{Deserialize, Serialize};

use crate::data::{Cause, Item};
use crate::text::Said;

/// One reason's causes, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCounts {
    /// Attributes given as causes.
    pub claimed: usize,
    /// Of them those that are true causes.
    pub right: usize,
    /// True causes of any kind.
    pub causes: usize,
    /// Of them tastes for an attribute.
    pub tastes: usize,
    /// Attributes of the item.
    pub attributes: usize,
}

/// Compares the causes that a reason gives with the true ones.
pub fn cause_counts(said: &Said, truth: &[Cause], item: &Item) -> CauseCounts {
    let tastes: Vec<(&str, &str)> = truth
        .iter()
        .filter_map(|cause| match cause {
            Cause::Taste { kind, value } => Some((kind.as_str(), value.as_str())),
            _ => None,
        })
        .collect();
    let right = |(kind, value): (&str, &str)| tastes.contains(&(kind, value));
    let claimed: Vec<_> = said.causes().collect();
    CauseCounts {
        claimed: claimed.len(),
        right: claimed
            .iter()
            .filter(|cause| right((&cause.kind, &cause.value)))
            .count(),
        causes: truth.len(),
        tastes: tastes.len(),
        attributes: item.attributes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Attribute;

    #[test]
    fn claimed_causes_against_true_ones() {
        let attribute = |kind: &str, value: &str| Attribute {
            kind: kind.into(),
            value: value.into(),
        };
        let (noir, calm, oslo) = (
            attribute("genre", "noir"),
            attribute("mood", "calm"),
            attribute("place", "Oslo"),
        );
        let item = Item {
            key: String::new(),
            title: String::new(),
            attributes: vec![noir.clone(), calm.clone(), oslo.clone()],
        };
        // Noir and Oslo are said of both; calm describes; the other genre is a taste that the item has nothing of.
        let said = Said {
            item: vec![noir.clone(), calm, oslo.clone()],
            taste: vec![oslo, noir, attribute("genre", "western")],
            repeated: 0,
        };
        let truth = [
            Cause::Taste {
                kind: "genre".into(),
                value: "noir".into(),
            },
            Cause::Taste {
                kind: "mood".into(),
                value: "calm".into(),
            },
            Cause::Community { id: 3 },
        ];
        let expected = CauseCounts {
            claimed: 2,
            right: 1,
            causes: 3,
            tastes: 2,
            attributes: 3,
        };
        assert_eq!(cause_counts(&said, &truth, &item), expected);
        let none = CauseCounts {
            attributes: 3,
            ..CauseCounts::default()
        };
        assert_eq!(cause_counts(&Said::default(), &[], &item), none);
    }
}
