//! Whether what a reason claims holds, against the metadata of its item and what was known of its reader.

use serde::Serialize;

use crate::data::{Attribute, Item};
use crate::text::{Hallucination, Vocabulary, claims, hallucination, said};

/// A text with its claims judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Judged {
    pub text: String,
    mark: Mark,
    claims: Vec<Claim>,
}

/// What the claims make of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    /// It claims something of the item, and all it claims holds.
    Good,
    /// It claims something that does not hold.
    Bad,
    /// Nothing it claims can be checked against the item.
    Open,
}

/// An attribute that a text names.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Claim {
    kind: String,
    value: String,
    found: Found,
}

/// What the metadata say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Holds,
    Wrong,
    Unknown,
    Reader,
}

/// Judges a reason for `item`; `pattern` is what the model knew of the reader.
pub(super) fn judge(
    text: &str,
    item: &Item,
    pattern: Option<&str>,
    vocabulary: &Vocabulary,
) -> Judged {
    let reader = pattern
        .map(|text| claims(text, vocabulary))
        .unwrap_or_default();
    let said = said(text, vocabulary);
    let claim = |claim: Attribute, found: Found| Claim {
        found,
        kind: claim.kind,
        value: claim.value,
    };
    let of_item = said.item.into_iter().map(|one| {
        let found = of_item(&one, item);
        claim(one, found)
    });
    let of_reader = said.taste.into_iter().map(|one| {
        let known = reader.contains(&one);
        claim(one, if known { Found::Reader } else { Found::Unknown })
    });
    let claims: Vec<Claim> = of_item.chain(of_reader).collect();
    let any = |kind: Found| claims.iter().any(|claim| claim.found == kind);
    let mark = if any(Found::Wrong) {
        Mark::Bad
    } else if any(Found::Holds) && !any(Found::Unknown) {
        Mark::Good
    } else {
        Mark::Open
    };
    Judged {
        text: text.to_owned(),
        mark,
        claims,
    }
}

fn of_item(claim: &Attribute, item: &Item) -> Found {
    let one = hallucination(std::slice::from_ref(claim), item);
    let Hallucination {
        verified, wrong, ..
    } = one;
    match (verified, wrong) {
        (1, _) => Found::Holds,
        (_, 1) => Found::Wrong,
        _ => Found::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(title: &str, attributes: &[(&str, &str)]) -> Item {
        Item {
            key: title.to_owned(),
            title: title.to_owned(),
            attributes: attributes
                .iter()
                .map(|(kind, value)| Attribute {
                    kind: (*kind).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_reason_is_as_good_as_its_worst_claim() {
        let ferry = item("Amber Ferry", &[("genre", "noir"), ("place", "Lisbon")]);
        let tide = item("Iron Tide", &[("genre", "western"), ("mood", "calm")]);
        let vocabulary = Vocabulary::of([&ferry, &tide]);
        let mark = |text: &str, pattern| judge(text, &ferry, pattern, &vocabulary).mark;
        assert_eq!(mark("Noir set in Lisbon.", None), Mark::Good);
        assert_eq!(mark("A western set in Lisbon.", None), Mark::Bad);
        // The reader is known to like westerns: that may be said of them.
        assert_eq!(
            mark(
                "Someone used to western takes this noir.",
                Some("Loves western.")
            ),
            Mark::Good
        );
        // The ferry's metadata say nothing of moods.
        assert_eq!(mark("Calm noir.", None), Mark::Open);
        assert_eq!(mark("A fine film.", None), Mark::Open);
        let judged = judge("Noir, western.", &ferry, None, &vocabulary);
        let found: Vec<Found> = judged.claims.iter().map(|claim| claim.found).collect();
        assert_eq!(found, [Found::Holds, Found::Wrong]);
    }
}
