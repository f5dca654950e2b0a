//! Which attributes a text claims, and whether an item holds them (EVALUATION, hallucination rate).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::render::clean;
use crate::data::{Attribute, Item};

/// The attribute values of a catalogue, to be recognised in texts, and its titles, whose words are no claims.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// First word in lower case → entries that start with it, longest first.
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: String,
    /// Must upper and lower case agree? True for every entry with a capital letter.
    exact: bool,
    /// Empty for a title.
    kinds: Vec<String>,
}

impl Vocabulary {
    /// All attribute values and all titles of two or more words of these items.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in items {
            let title = clean(&item.title);
            if title.contains(' ') {
                values.entry(title).or_default();
            }
            for attribute in &item.attributes {
                let kinds = values.entry(clean(&attribute.value)).or_default();
                if !kinds.contains(&attribute.kind) {
                    kinds.push(attribute.kind.clone());
                }
            }
        }
        let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (text, mut kinds) in values {
            kinds.sort();
            let exact = text.chars().any(char::is_uppercase);
            if let Some(first) = first_word(&text) {
                entries
                    .entry(first)
                    .or_default()
                    .push(Entry { text, exact, kinds });
            }
        }
        for list in entries.values_mut() {
            list.sort_by(|one, other| {
                other
                    .text
                    .len()
                    .cmp(&one.text.len())
                    .then(one.text.cmp(&other.text))
            });
        }
        Self { entries }
    }

    /// The longest entry that `text` starts with and that ends at a word boundary, and its length in bytes.
    fn longest(&self, text: &str) -> Option<(&Entry, usize)> {
        let list = self.entries.get(&first_word(text)?)?;
        list.iter().find_map(|entry| {
            let length = entry.text.len();
            let found = text.get(..length)?;
            let same = if entry.exact {
                found == entry.text
            } else {
                found.to_lowercase() == entry.text
            };
            let ends = !text[length..]
                .chars()
                .next()
                .is_some_and(char::is_alphanumeric);
            (same && ends).then_some((entry, length))
        })
    }
}

/// Letters and digits up to the first other character, in lower case.
fn first_word(text: &str) -> Option<String> {
    let word: String = text
        .chars()
        .take_while(|letter| letter.is_alphanumeric())
        .collect();
    (!word.is_empty()).then(|| word.to_lowercase())
}

/// The attributes that a text names, each once, in order of appearance.
///
/// Whole words; values with a capital letter must agree in case (`Lisbon`, `Quill`), others need not (`Noir` starts a
/// sentence). The longest value wins, and the words of a longer title are skipped. A value of several kinds counts as
/// the first of them in alphabetical order.
pub fn claims(text: &str, vocabulary: &Vocabulary) -> Vec<Attribute> {
    let mut found: Vec<Attribute> = Vec::new();
    let mut rest = text;
    let mut inside_word = false;
    while let Some(letter) = rest.chars().next() {
        let mut step = letter.len_utf8();
        if !inside_word && let Some((entry, length)) = vocabulary.longest(rest) {
            if let Some(kind) = entry.kinds.first() {
                let claim = Attribute {
                    kind: kind.clone(),
                    value: entry.text.clone(),
                };
                if !found.contains(&claim) {
                    found.push(claim);
                }
            }
            step = length;
            inside_word = entry
                .text
                .chars()
                .next_back()
                .is_some_and(char::is_alphanumeric);
        } else {
            inside_word = letter.is_alphanumeric();
        }
        rest = &rest[step..];
    }
    found
}

/// Claims about an item, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hallucination {
    /// The item holds the value.
    pub verified: usize,
    /// The item has this kind of attribute, but not this value.
    pub wrong: usize,
    /// The item's metadata says nothing of this kind.
    pub unverifiable: usize,
    /// The item does not hold the value, but it was said of the reader, who does.
    pub about_reader: usize,
}

/// Counts claims made about `item`.
pub fn hallucination(claims: &[Attribute], item: &Item) -> Hallucination {
    hallucination_given(claims, item, &[])
}

/// Counts claims of a text that speaks about an item *and* about a reader whose pattern holds `reader`: a value that the
/// item lacks and the reader's pattern names is taken to be said of the reader.
pub fn hallucination_given(
    claims: &[Attribute],
    item: &Item,
    reader: &[Attribute],
) -> Hallucination {
    let mut counts = Hallucination::default();
    for claim in claims {
        let holds = |attribute: &Attribute| clean(&attribute.value) == claim.value;
        if item.attributes.iter().any(holds) {
            counts.verified += 1;
        } else if reader.iter().any(holds) {
            counts.about_reader += 1;
        } else if item
            .attributes
            .iter()
            .any(|attribute| attribute.kind == claim.kind)
        {
            counts.wrong += 1;
        } else {
            counts.unverifiable += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::render::tests::item;
    use super::*;

    fn catalogue() -> Vec<Item> {
        vec![
            item(
                "Amber Ferry",
                &[
                    ("genre", "noir"),
                    ("place", "Lisbon"),
                    ("mood", "calm"),
                    ("person", "Quill"),
                ],
            ),
            item(
                "Iron Tide",
                &[("genre", "western"), ("place", "Oslo"), ("year", "1970s")],
            ),
            item(
                "Comedy of Errors",
                &[
                    ("genre", "Comedy"),
                    ("genre", "Film-Noir"),
                    ("brand", "Big Fish Games"),
                ],
            ),
            item("Heat", &[("brand", "Big Fish")]),
        ]
    }

    fn values(text: &str) -> Vec<String> {
        claims(text, &Vocabulary::of(&catalogue()))
            .into_iter()
            .map(|claim| claim.value)
            .collect()
    }

    #[test]
    fn whole_words_in_order_each_once() {
        assert_eq!(
            values("Noir set in Lisbon, calm noir of the 1970s."),
            ["noir", "Lisbon", "calm", "1970s"]
        );
        assert_eq!(
            values("calmer, noirish, Lisbonne, 1970sx and quill or lisbon"),
            [""; 0]
        );
        assert_eq!(values("(Quill)-calm"), ["Quill", "calm"]);
    }

    #[test]
    fn the_longest_value_wins_and_titles_are_no_claims() {
        assert_eq!(values("Big Fish Games"), ["Big Fish Games"]);
        assert_eq!(values("Big Fish Gamesters"), ["Big Fish"]);
        assert_eq!(values("A Film-Noir"), ["Film-Noir"]);
        assert_eq!(values("Comedy of Errors is a Comedy"), ["Comedy"]);
        assert_eq!(values("Comedy of Errors"), [""; 0]);
    }

    #[test]
    fn claims_are_true_false_or_not_to_be_checked() {
        let items = catalogue();
        let said = claims(
            "A calm western in Lisbon, from the 1970s.",
            &Vocabulary::of(&items),
        );
        // Amber Ferry: calm and Lisbon hold, it is no western, and its metadata has no year.
        let counts = Hallucination {
            verified: 2,
            wrong: 1,
            unverifiable: 1,
            about_reader: 0,
        };
        assert_eq!(hallucination(&said, &items[0]), counts);
        let western = Attribute {
            kind: "genre".into(),
            value: "western".into(),
        };
        let counts = Hallucination {
            verified: 2,
            wrong: 0,
            unverifiable: 1,
            about_reader: 1,
        };
        assert_eq!(hallucination_given(&said, &items[0], &[western]), counts);
    }

    proptest::proptest! {
        #[test]
        fn no_string_makes_it_panic(text in proptest::prelude::any::<String>()) {
            let _ = claims(&text, &Vocabulary::of(&catalogue()));
        }
    }
}
