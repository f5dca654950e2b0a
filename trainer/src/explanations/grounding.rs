//! Hallucination (EVALUATION): what a reason claims, against what there is.
//!
//! *Of the item* (see [`text::said`](crate::text::said)): a claimed value is verified if the metadata holds it, wrong if the
//! metadata has this kind of attribute and not this value, unverifiable if it has nothing of this kind. The hallucination
//! rate is wrong / (verified + wrong); unverifiable claims are counted apart.
//! *Of the person*: metadata cannot refute a taste. A taste is in the pattern if the pattern that stood in the prompt names it
//! (all that the writer knew), and in the history if at least two events before the interaction hold it, more often than the
//! catalogue does. A taste with neither is unfounded.

use serde::{Deserialize, Serialize};

use crate::data::{Attribute, Item};
use crate::text::{Frequencies, Hallucination, Said, hallucination, holds};

/// Events of a history that must hold a value before it counts as a taste.
const EVENTS: usize = 2;

/// Claimed tastes, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tastes {
    /// All.
    pub claimed: usize,
    /// The pattern names it.
    pub in_pattern: usize,
    /// The history shows it.
    pub in_history: usize,
    /// Neither.
    pub unfounded: usize,
}

/// What one reason claims.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grounding {
    /// Of the item.
    pub item: Hallucination,
    /// Of the person.
    pub taste: Tastes,
}

/// Counts the claims of a reason for `item` by a person whose pattern claims `pattern` and whose events before were
/// `history`; `catalogue` says how common a value is.
pub fn ground(
    said: &Said,
    item: &Item,
    pattern: &[Attribute],
    history: &[&Item],
    catalogue: &Frequencies,
) -> Grounding {
    let mut taste = Tastes::default();
    for claim in &said.taste {
        let named = pattern.iter().any(|other| other.value == claim.value);
        let count = history.iter().filter(|past| holds(past, claim)).count();
        let shown = count >= EVENTS && count as f64 > history.len() as f64 * catalogue.share(claim);
        taste.claimed += 1;
        taste.in_pattern += usize::from(named);
        taste.in_history += usize::from(shown);
        taste.unfounded += usize::from(!named && !shown);
    }
    Grounding {
        item: hallucination(&said.item, item),
        taste,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::RenderOptions;

    fn attribute(kind: &str, value: &str) -> Attribute {
        Attribute {
            kind: kind.into(),
            value: value.into(),
        }
    }

    fn item(values: &[(&str, &str)]) -> Item {
        Item {
            key: String::new(),
            title: String::new(),
            attributes: values.iter().map(|(k, v)| attribute(k, v)).collect(),
        }
    }

    #[test]
    fn item_claims_meet_metadata_and_tastes_meet_pattern_and_history() {
        let noir = item(&[("genre", "noir"), ("place", "Oslo")]);
        let comedy = item(&[("genre", "comedy"), ("place", "Oslo")]);
        let bare = item(&[("genre", "noir")]);
        // Noir: half of the catalogue; Oslo: two of four; comedy: a quarter; western: a quarter.
        let catalogue = [&noir, &comedy, &bare, &item(&[("genre", "western")])].map(Clone::clone);
        let shares = Frequencies::of(&catalogue, &RenderOptions::default());
        let said = Said {
            item: vec![
                attribute("genre", "noir"),
                attribute("genre", "comedy"),
                attribute("place", "Oslo"),
            ],
            taste: vec![
                attribute("genre", "noir"),
                attribute("place", "Oslo"),
                attribute("genre", "comedy"),
                attribute("genre", "western"),
            ],
            repeated: 0,
        };
        let pattern = [attribute("genre", "comedy"), attribute("genre", "noir")];
        // Three of four events are noir, more than half; two of four are set in Oslo, no more than the catalogue; one comedy.
        let history = [&noir, &bare, &bare, &comedy];
        let found = ground(&said, &bare, &pattern, &history, &shares);
        // Bare: noir holds, comedy does not, and of places nothing is known.
        let expected = Hallucination {
            verified: 1,
            wrong: 1,
            unverifiable: 1,
        };
        assert_eq!(found.item, expected);
        let expected = Tastes {
            claimed: 4,
            in_pattern: 2,
            in_history: 1,
            unfounded: 2,
        };
        assert_eq!(found.taste, expected);
    }
}
