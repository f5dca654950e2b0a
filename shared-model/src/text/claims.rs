//! Which attributes a text claims, and whether an item holds them (EVALUATION, hallucination rate).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::render::clean;
use super::{Attribute, Item};

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

    /// Number of different attribute values.
    pub fn values(&self) -> usize {
        let entries = self.entries.values().flatten();
        entries.filter(|entry| !entry.kinds.is_empty()).count()
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

/// An attribute named at a place of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// What is named.
    pub attribute: Attribute,
    /// First byte of its value in the text.
    pub start: usize,
    /// Byte after its value.
    pub end: usize,
}

/// The attributes that a text names, as often as it names them, in order.
///
/// Whole words; values with a capital letter must agree in case (`Lisbon`, `Quill`), others need not (`Noir` starts a
/// sentence). The longest value wins, and the words of a longer title are skipped. A value of several kinds counts as
/// the first of them in alphabetical order.
pub fn mentions(text: &str, vocabulary: &Vocabulary) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut inside_word = false;
    while let Some(letter) = text[start..].chars().next() {
        let mut step = letter.len_utf8();
        if !inside_word && let Some((entry, length)) = vocabulary.longest(&text[start..]) {
            if let Some(kind) = entry.kinds.first() {
                let attribute = Attribute {
                    kind: kind.clone(),
                    value: entry.text.clone(),
                };
                found.push(Mention {
                    attribute,
                    start,
                    end: start + length,
                });
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
        start += step;
    }
    found
}

/// The attributes that a text names, each once, in order of appearance; see [`mentions`].
pub fn claims(text: &str, vocabulary: &Vocabulary) -> Vec<Attribute> {
    let mut found: Vec<Attribute> = Vec::new();
    for mention in mentions(text, vocabulary) {
        if !found.contains(&mention.attribute) {
            found.push(mention.attribute);
        }
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
}

/// Counts claims made about `item`.
pub fn hallucination(claims: &[Attribute], item: &Item) -> Hallucination {
    let mut counts = Hallucination::default();
    for claim in claims {
        if holds(item, claim) {
            counts.verified += 1;
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

/// Whether the item's metadata has the claimed value, of whatever kind.
pub fn holds(item: &Item, claim: &Attribute) -> bool {
    item.attributes
        .iter()
        .any(|attribute| clean(&attribute.value) == claim.value)
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
        };
        assert_eq!(hallucination(&said, &items[0]), counts);
    }

    #[test]
    fn a_mention_says_where_it_stands() {
        let text = "Été: noir, Noir";
        let found = mentions(text, &Vocabulary::of(&catalogue()));
        let places: Vec<(usize, &str)> = found
            .iter()
            .map(|mention| (mention.start, &text[mention.start..mention.end]))
            .collect();
        // É and é take two bytes each.
        assert_eq!(places, [(7, "noir"), (13, "Noir")]);
        assert!(
            found
                .iter()
                .all(|mention| mention.attribute.value == "noir")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_string_makes_it_panic(text in proptest::prelude::any::<String>()) {
            let _ = claims(&text, &Vocabulary::of(&catalogue()));
        }
    }
}
