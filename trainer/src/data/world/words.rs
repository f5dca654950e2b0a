//! The vocabulary of the built-in world: short, common English words, so that a small byte-level BPE holds each as one
//! token, and no word that is both part of a title and an attribute value, so that a claim in a text is unambiguous.

/// First words of titles.
pub const FIRST: [&str; 50] = [
    "Amber", "Ancient", "Autumn", "Bitter", "Borrowed", "Broken", "Burning", "Cedar", "Cobalt",
    "Copper", "Crimson", "Crooked", "Distant", "Dusty", "Eastern", "Electric", "Emerald", "Empty",
    "Fading", "Falling", "Final", "Frozen", "Gentle", "Glass", "Golden", "Hidden", "Hollow",
    "Iron", "Ivory", "Little", "Lost", "Marble", "Midnight", "Northern", "Painted", "Paper",
    "Quiet", "Restless", "Rising", "Scarlet", "Second", "Secret", "Silent", "Silver", "Sleeping",
    "Stolen", "Summer", "Sunken", "Velvet", "Winter",
];

/// Second words of titles; a follow-up keeps the second word of the work it follows.
pub const SECOND: [&str; 60] = [
    "Anthem",
    "Attic",
    "Avenue",
    "Ballad",
    "Bridge",
    "Canyon",
    "Carnival",
    "Cellar",
    "Circus",
    "Comet",
    "Compass",
    "Corridor",
    "Ember",
    "Engine",
    "Falcon",
    "Ferry",
    "Fountain",
    "Fox",
    "Frost",
    "Gambler",
    "Garden",
    "Harbor",
    "Harvest",
    "Horizon",
    "Island",
    "Kingdom",
    "Lantern",
    "Letter",
    "Lighthouse",
    "Market",
    "Meadow",
    "Mirror",
    "Orchard",
    "Painter",
    "Palace",
    "Parade",
    "Pilot",
    "Promise",
    "Puzzle",
    "Railway",
    "Raven",
    "River",
    "Sailor",
    "Shadow",
    "Signal",
    "Soldier",
    "Sparrow",
    "Staircase",
    "Station",
    "Stranger",
    "Tailor",
    "Thunder",
    "Tide",
    "Tiger",
    "Tower",
    "Verdict",
    "Voyage",
    "Widow",
    "Window",
    "Witness",
];

/// Genres: nouns that read well both with an article ("a calm noir") and without one ("drawn to noir").
pub const GENRES: [&str; 12] = [
    "noir",
    "romance",
    "comedy",
    "fantasy",
    "satire",
    "drama",
    "mystery",
    "adventure",
    "tragedy",
    "melodrama",
    "farce",
    "horror",
];

/// Places where a work is set.
pub const PLACES: [&str; 16] = [
    "Lisbon", "Tokyo", "Cairo", "Paris", "Oslo", "Havana", "Berlin", "Mumbai", "Dublin", "Prague",
    "Lagos", "Venice", "Istanbul", "Sydney", "Lima", "Naples",
];

/// Moods: adjectives.
pub const MOODS: [&str; 10] = [
    "calm", "tense", "tender", "bleak", "playful", "dreamy", "wry", "fierce", "eerie", "hopeful",
];

/// Decades; the kind is called `year`, as in real catalogues.
pub const YEARS: [&str; 6] = ["1960s", "1970s", "1980s", "1990s", "2000s", "2010s"];

/// Surnames of the people behind the works, three to a genre.
pub const PEOPLE: [&str; 36] = [
    "Quill", "Marsh", "Okafor", "Tanaka", "Rossi", "Novak", "Lind", "Moreau", "Haas", "Silva",
    "Petrov", "Kaur", "Brandt", "Castro", "Dufour", "Eriksen", "Farouk", "Gallo", "Hsu", "Ibarra",
    "Jansen", "Kovac", "Laurent", "Mendes", "Nakata", "Ortega", "Pereira", "Reyes", "Sato",
    "Torres", "Ueda", "Varga", "Weiss", "Yilmaz", "Zhao", "Dahl",
];

/// Kinds of attributes in the order in which a work lists them.
pub const KINDS: [&str; 5] = ["genre", "place", "mood", "year", "person"];

/// Index of each kind in [`KINDS`].
pub const GENRE: usize = 0;
/// See [`GENRE`].
pub const PLACE: usize = 1;
/// See [`GENRE`].
pub const MOOD: usize = 2;
/// See [`GENRE`].
pub const YEAR: usize = 3;
/// See [`GENRE`].
pub const PERSON: usize = 4;

/// All values of a kind.
pub fn values(kind: usize) -> &'static [&'static str] {
    match kind {
        GENRE => &GENRES,
        PLACE => &PLACES,
        MOOD => &MOODS,
        YEAR => &YEARS,
        _ => &PEOPLE,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_is_used_twice_even_when_case_is_ignored() {
        let mut seen = BTreeSet::new();
        let attributes = (0..KINDS.len()).flat_map(|kind| values(kind).iter());
        for word in FIRST.iter().chain(&SECOND).chain(attributes) {
            assert!(seen.insert(word.to_lowercase()), "{word} appears twice");
            assert!(
                word.chars().all(|letter| letter.is_ascii_alphanumeric()),
                "{word} is not a plain word"
            );
            assert!(word.len() <= 10, "{word} is too long for one token");
        }
    }
}
