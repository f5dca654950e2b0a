//! What a shown history repeats: attributes weighed by how often, how recently and how unexpectedly they occur.

use std::collections::{BTreeMap, HashMap};

use super::render::{RenderOptions, shown_attributes, shown_title};
use super::{Attribute, Item};

/// Kind given to the words of a title where an item has no metadata at all.
pub const TITLE: &str = "title";

/// How common each attribute is in a catalogue (metadata alone, nobody's behaviour).
#[derive(Debug, Clone, Default)]
pub struct Frequencies {
    items: usize,
    counts: HashMap<Attribute, usize>,
}

impl Frequencies {
    /// Counts the features (see [`features`]) of the items of a catalogue.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>, options: &RenderOptions) -> Self {
        let mut frequencies = Self::default();
        for item in items {
            frequencies.items += 1;
            for feature in features(item, options) {
                *frequencies.counts.entry(feature).or_insert(0) += 1;
            }
        }
        frequencies
    }

    /// Share of the items that hold the feature, in (0, 1]; one tenth where no catalogue was counted.
    pub fn share(&self, feature: &Attribute) -> f64 {
        if self.items == 0 {
            return 0.1;
        }
        let count = self.counts.get(feature).copied().unwrap_or(0).max(1);
        (count as f64 / self.items as f64).min(1.0)
    }
}

/// What can be said of an item: its shown attributes, or, where it has none, the names in its shown title.
pub fn features(item: &Item, options: &RenderOptions) -> Vec<Attribute> {
    let shown = shown_attributes(item, options);
    if shown.is_empty() {
        title_features(&shown_title(item, options))
    } else {
        shown
    }
}

/// The telling words of a title and the names of two of them in a row: `Xbox`, `Xbox One`, `Call of Duty`.
fn title_features(title: &str) -> Vec<Attribute> {
    let mut found: Vec<Attribute> = Vec::new();
    let mut add = |value: &str| {
        let feature = Attribute {
            kind: TITLE.to_string(),
            value: value.to_string(),
        };
        if !found.contains(&feature) {
            found.push(feature);
        }
    };
    let raw: Vec<&str> = title.split(' ').collect();
    let words: Vec<&str> = raw
        .iter()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()))
        .collect();
    for (place, &word) in words.iter().enumerate() {
        if !telling(word) {
            continue;
        }
        add(word);
        // A name goes on over "of" or "of the", but over no punctuation.
        let link = words[place + 1..]
            .iter()
            .take_while(|next| ["of", "the"].contains(next))
            .count()
            .min(2);
        let Some(next) = words.get(place + 1 + link) else {
            continue;
        };
        let name = raw[place..=place + 1 + link].join(" ");
        let plain = name.trim_matches(|letter: char| !letter.is_alphanumeric());
        let unbroken = !plain.contains(|letter: char| ",:;-()[]/".contains(letter));
        let number = !next.is_empty() && next.chars().all(|letter| letter.is_ascii_digit());
        if unbroken && (telling(next) || number || ["One", "U"].contains(next)) {
            add(plain);
        }
    }
    found
}

/// A word that can be what two titles share: with a capital letter, three letters or more unless all are capitals.
fn telling(word: &str) -> bool {
    const EMPTY: [&str; 24] = [
        "the",
        "and",
        "for",
        "with",
        "from",
        "edition",
        "new",
        "pack",
        "game",
        "games",
        "set",
        "black",
        "white",
        "standard",
        "limited",
        "digital",
        "code",
        "version",
        "online",
        "collection",
        "one",
        "two",
        "of",
        "in",
    ];
    let capitals = word.chars().filter(|letter| letter.is_uppercase()).count();
    let letters = word.chars().count();
    capitals > 0
        && (letters >= 3 || capitals == letters && letters == 2)
        && !EMPTY.contains(&word.to_lowercase().as_str())
}

/// A feature that runs through a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Strand {
    /// The feature.
    pub feature: Attribute,
    /// History items that hold it.
    pub count: usize,
    /// Recency-weighted evidence that it is no accident; strands are sorted by it, largest first.
    pub weight: f64,
    /// At least two of the last three items hold it and none before them does.
    pub rising: bool,
    /// None of the last three items holds it, though there are more than three.
    pub fading: bool,
}

/// The features of at least two history items (oldest first), strongest first; where nothing repeats, the one feature
/// with the largest weight; empty only if no item has any feature.
///
/// The weight is `c · ln(c / (n f))`: `c` of `n` items hold the feature, counted with recency weights from 0.6 for the
/// oldest to 1 for the latest, and a share `f` of the catalogue does. Exact years (`1995`) count for a third of it.
pub fn strands(
    history: &[&Item],
    frequencies: &Frequencies,
    options: &RenderOptions,
) -> Vec<Strand> {
    let last_three = history.len().saturating_sub(3);
    let mut places: BTreeMap<Attribute, Vec<usize>> = BTreeMap::new();
    for (place, item) in history.iter().enumerate() {
        for feature in features(item, options) {
            places.entry(feature).or_default().push(place);
        }
    }
    let recency = |place: usize| 0.6 + 0.4 * (place as f64 + 1.0) / history.len() as f64;
    let total: f64 = (0..history.len()).map(recency).sum();
    let mut found: Vec<Strand> = places
        .into_iter()
        .map(|(feature, places)| {
            let count: f64 = places.iter().map(|&place| recency(place)).sum();
            let late = places.iter().filter(|&&place| place >= last_three).count();
            Strand {
                weight: trust(&feature)
                    * count
                    * (count / (total * frequencies.share(&feature))).ln(),
                rising: last_three > 0 && late >= 2 && late == places.len(),
                fading: last_three > 0 && late == 0,
                count: places.len(),
                feature,
            }
        })
        .collect();
    found.sort_by(|one, other| {
        other
            .weight
            .total_cmp(&one.weight)
            .then(other.feature.value.len().cmp(&one.feature.value.len()))
            .then(one.feature.cmp(&other.feature))
    });
    if found.iter().any(|strand| strand.count >= 2) {
        found.retain(|strand| strand.count >= 2);
    } else {
        found.truncate(1);
    }
    without_echoes(found)
}

/// Of names that share a word (`Xbox`, `Xbox One`) only the strongest stays.
fn without_echoes(strands: Vec<Strand>) -> Vec<Strand> {
    let mut kept: Vec<Strand> = Vec::new();
    for strand in strands {
        let echo = |other: &Strand| {
            let mut words = strand.feature.value.split(' ').filter(|word| telling(word));
            other.feature.kind == TITLE
                && words.any(|word| other.feature.value.split(' ').any(|own| own == word))
        };
        if strand.feature.kind != TITLE || !kept.iter().any(echo) {
            kept.push(strand);
        }
    }
    kept
}

/// Exact years repeat by chance in any short history: they count for a third.
fn trust(feature: &Attribute) -> f64 {
    if feature.kind == "year" && !feature.value.ends_with('s') {
        1.0 / 3.0
    } else {
        1.0
    }
}

/// The strands worth naming, at most `most`: the strongest, and of the others those with at least a quarter of its
/// weight.
pub fn telling_strands(strands: &[Strand], most: usize) -> &[Strand] {
    let best = strands.first().map_or(0.0, |strand| strand.weight);
    let telling = strands
        .iter()
        .take_while(|strand| strand.weight >= 0.25 * best)
        .count();
    &strands[..telling.max(1).min(most).min(strands.len())]
}

#[cfg(test)]
mod tests {
    use super::super::render::tests::item;
    use super::*;

    fn values(strands: &[Strand]) -> Vec<&str> {
        strands
            .iter()
            .map(|strand| strand.feature.value.as_str())
            .collect()
    }

    #[test]
    fn what_repeats_beyond_its_frequency_comes_first() {
        let noir = |place| item("A", &[("genre", "noir"), ("place", place)]);
        let comedy = |place| item("B", &[("genre", "comedy"), ("place", place)]);
        let history = [
            noir("Lisbon"),
            comedy("Oslo"),
            noir("Lisbon"),
            comedy("Cairo"),
            noir("Paris"),
        ];
        let history: Vec<&Item> = history.iter().collect();
        // Comedies are half of this catalogue, noir a tenth, every place a tenth.
        let mut catalogue: Vec<Item> = ["Lisbon", "Oslo", "Cairo", "Paris", "Rome"]
            .map(comedy)
            .to_vec();
        catalogue.extend(
            ["Lisbon", "Oslo", "Cairo", "Paris"].map(|place| item("C", &[("place", place)])),
        );
        catalogue.push(noir("Rome"));
        let options = RenderOptions::default();
        let frequencies = Frequencies::of(&catalogue, &options);
        let found = strands(&history, &frequencies, &options);
        assert_eq!(values(&found), ["noir", "Lisbon", "comedy"]);
        assert_eq!(found[0].count, 3);
        // c = 0.68 + 0.84 + 1, n = 0.68 + 0.76 + 0.84 + 0.92 + 1, f = 1/10.
        assert!((found[0].weight - 2.52 * (2.52_f64 / 0.42).ln()).abs() < 1e-9);
        // Lisbon: 1.52 ln(1.52 / (4.2 / 5)) = 0.90, less than a quarter of noir's 4.52.
        assert_eq!(values(telling_strands(&found, 3)), ["noir"]);
    }

    #[test]
    fn drift_shows_in_the_last_three() {
        let history = ["noir", "noir", "comedy", "western", "drama", "western"]
            .map(|genre| item("A", &[("genre", genre)]));
        let history: Vec<&Item> = history.iter().collect();
        let found = strands(&history, &Frequencies::default(), &RenderOptions::default());
        assert_eq!(values(&found), ["western", "noir"]);
        assert!(found[0].rising && !found[0].fading);
        assert!(found[1].fading && !found[1].rising);
    }

    #[test]
    fn items_without_metadata_share_words_of_their_titles() {
        let history = [
            "Super Mario Galaxy (Wii)",
            "Halo 3",
            "Mario Kart 8",
            "The Sims",
        ]
        .map(|title| item(title, &[]));
        let history: Vec<&Item> = history.iter().collect();
        let found = strands(&history, &Frequencies::default(), &RenderOptions::default());
        assert_eq!(values(&found), ["Mario"]);
        let history = [
            "Call of Duty: Ghosts - Xbox One",
            "FIFA 15 - Xbox One",
            "Call of Duty 2",
        ]
        .map(|title| item(title, &[]));
        let history: Vec<&Item> = history.iter().collect();
        let found = strands(&history, &Frequencies::default(), &RenderOptions::default());
        assert_eq!(values(&found), ["Call of Duty", "Xbox One"]);
    }
}
