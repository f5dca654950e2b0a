//! The vocabulary of the built-in world: short, common English words, so that a small byte-level BPE holds each as one
//! token, and no word that is both part of a title and an attribute value, so that a claim in a text is unambiguous.

/// First words of titles.
pub const FIRST: [&str; 130] = [
    "Amber", "Ancient", "Arctic", "Autumn", "Azure", "Bitter", "Blazing", "Blue", "Borrowed",
    "Brass", "Brief", "Brittle", "Broken", "Bronze", "Burning", "Carved", "Cedar", "Coastal",
    "Cobalt", "Copper", "Crimson", "Crooked", "Crystal", "Dancing", "Dark", "Dawn", "Deep",
    "Desert", "Distant", "Divine", "Double", "Dusty", "Early", "Eastern", "Electric", "Emerald",
    "Empty", "Endless", "Fading", "Falling", "Famous", "Far", "Final", "Flying", "Fragile",
    "Fresh", "Frozen", "Gentle", "Giant", "Gilded", "Glass", "Golden", "Green", "Grey", "Haunted",
    "Heavy", "Hidden", "Hollow", "Holy", "Honest", "Humble", "Iron", "Ivory", "Little", "Long",
    "Lost", "Lucky", "Lunar", "Magnetic", "Marble", "Mellow", "Midnight", "Mortal", "Noble",
    "Northern", "Open", "Painted", "Pale", "Paper", "Polar", "Proud", "Purple", "Quiet", "Rapid",
    "Rare", "Red", "Remote", "Restless", "Rising", "Royal", "Rusty", "Sacred", "Sandy", "Scarlet",
    "Second", "Secret", "Shallow", "Shining", "Silent", "Silver", "Sleeping", "Slow", "Smoke",
    "Solar", "Southern", "Spare", "Spiral", "Steel", "Stolen", "Stone", "Strange", "Sudden",
    "Sugar", "Summer", "Sunken", "Tangled", "Tin", "Torn", "Twin", "Upper", "Vacant", "Vast",
    "Velvet", "Wasted", "Western", "White", "Winter", "Wooden", "Yellow", "Young",
];

/// Second words of titles; a follow-up keeps the second word of the work it follows.
pub const SECOND: [&str; 110] = [
    "Angel",
    "Anthem",
    "Atlas",
    "Attic",
    "Avenue",
    "Balcony",
    "Ballad",
    "Bandit",
    "Beacon",
    "Bishop",
    "Breeze",
    "Bridge",
    "Candle",
    "Canyon",
    "Carnival",
    "Cellar",
    "Chapel",
    "Chapter",
    "Chess",
    "Circus",
    "Cloud",
    "Comet",
    "Compass",
    "Corridor",
    "Cradle",
    "Crown",
    "Doctor",
    "Ember",
    "Engine",
    "Fable",
    "Falcon",
    "Ferry",
    "Field",
    "Fountain",
    "Fox",
    "Frost",
    "Gambler",
    "Garden",
    "Guest",
    "Hammer",
    "Harbor",
    "Harvest",
    "Hero",
    "Highway",
    "Horizon",
    "Hotel",
    "Island",
    "Jacket",
    "King",
    "Kingdom",
    "Lantern",
    "Letter",
    "Lighthouse",
    "Locket",
    "Map",
    "Market",
    "Mason",
    "Maze",
    "Meadow",
    "Melody",
    "Menu",
    "Merchant",
    "Mirror",
    "Monument",
    "Motel",
    "Nephew",
    "Ocean",
    "Oracle",
    "Orchard",
    "Owl",
    "Painter",
    "Palace",
    "Parade",
    "Pilot",
    "Poet",
    "Portrait",
    "Promise",
    "Puzzle",
    "Railway",
    "Rain",
    "Raven",
    "River",
    "Sailor",
    "Shadow",
    "Signal",
    "Soldier",
    "Song",
    "Sparrow",
    "Staircase",
    "Station",
    "Stranger",
    "Sunday",
    "Table",
    "Tailor",
    "Thunder",
    "Tide",
    "Tiger",
    "Tower",
    "Treasure",
    "Valley",
    "Vault",
    "Verdict",
    "Voyage",
    "Wagon",
    "Wall",
    "Water",
    "Widow",
    "Window",
    "Witness",
    "Yard",
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
