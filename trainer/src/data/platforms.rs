//! Platforms that the titles of games name (`Tomb Raider - PlayStation 2`), as attributes of kind `platform`.
//!
//! Shops put the platform into the title, and the plain Amazon files have nothing else that a sentence could say about a
//! game. Only what stands in the title, word for word, is taken. A catalogue counts as one of games when at least a fifth of
//! its titles name a platform; any other stays as it is (`Mac and Me` is no software).

use super::Item;
use super::titles::push_attribute;

/// Share of titles that must name a platform.
const GAMES: f64 = 0.2;

/// What titles write → the platform. A longer name stands before the shorter one that it contains.
const PLATFORMS: [(&str, &str); 37] = [
    ("PlayStation Portable", "PlayStation Portable"),
    ("PlayStation Vita", "PlayStation Vita"),
    ("PlayStation 2", "PlayStation 2"),
    ("PlayStation 3", "PlayStation 3"),
    ("PlayStation 4", "PlayStation 4"),
    ("Playstation 2", "PlayStation 2"),
    ("Playstation 3", "PlayStation 3"),
    ("Playstation 4", "PlayStation 4"),
    ("PlayStation", "PlayStation"),
    ("Playstation", "PlayStation"),
    ("PS Vita", "PlayStation Vita"),
    ("PSP", "PlayStation Portable"),
    ("PS2", "PlayStation 2"),
    ("PS3", "PlayStation 3"),
    ("PS4", "PlayStation 4"),
    ("Xbox 360", "Xbox 360"),
    ("Xbox One", "Xbox One"),
    ("Xbox", "Xbox"),
    ("Nintendo 3DS", "Nintendo 3DS"),
    ("Nintendo DS", "Nintendo DS"),
    ("Nintendo 64", "Nintendo 64"),
    ("Nintendo Switch", "Nintendo Switch"),
    ("Super Nintendo", "Super Nintendo"),
    ("SNES", "Super Nintendo"),
    ("NES", "Nintendo NES"),
    ("3DS", "Nintendo 3DS"),
    ("DS", "Nintendo DS"),
    ("Wii U", "Wii U"),
    ("Wii", "Wii"),
    ("GameCube", "GameCube"),
    ("Game Boy Advance", "Game Boy Advance"),
    ("Game Boy Color", "Game Boy Color"),
    ("Game Boy", "Game Boy"),
    ("Dreamcast", "Dreamcast"),
    ("Sega Genesis", "Sega Genesis"),
    ("PC", "PC"),
    ("Mac", "Mac"),
];

/// Adds the platforms that titles name, when this is a catalogue of games without a `platform` of its own.
pub(crate) fn name_platforms(items: &mut [Item]) {
    let has_own = |item: &Item| item.attributes.iter().any(|a| a.kind == "platform");
    if items.iter().any(has_own) {
        return;
    }
    let named: Vec<Vec<&str>> = items.iter().map(|item| platforms(&item.title)).collect();
    let naming = named
        .iter()
        .filter(|platforms| !platforms.is_empty())
        .count();
    if (naming as f64) < GAMES * items.len() as f64 {
        return;
    }
    for (item, platforms) in items.iter_mut().zip(named) {
        for platform in platforms {
            push_attribute(&mut item.attributes, "platform", platform);
        }
    }
}

/// The platforms in a title, in the title's order, each once.
fn platforms(title: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = title.get(at..).filter(|rest| !rest.is_empty()) {
        let starts_word = !title[..at].ends_with(char::is_alphanumeric);
        let hit = PLATFORMS.iter().find(|(written, _)| {
            let behind = rest.strip_prefix(*written);
            starts_word && behind.is_some_and(|text| !text.starts_with(char::is_alphanumeric))
        });
        match hit {
            Some((written, platform)) => {
                if !found.contains(platform) {
                    found.push(*platform);
                }
                at += written.len();
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Attribute;

    #[test]
    fn platforms_are_whole_words_and_the_longest_wins() {
        assert_eq!(platforms("Tomb Raider - PlayStation 2"), ["PlayStation 2"]);
        assert_eq!(
            platforms("USB Microphone (PS3, Wii, Xbox360)"),
            ["PlayStation 3", "Wii"]
        );
        assert_eq!(platforms("Xbox 360 / Xbox"), ["Xbox 360", "Xbox"]);
        assert_eq!(platforms("HITMAN ABSOLUTION (PC)"), ["PC"]);
        assert_eq!(platforms("PSP Charger for PSP"), ["PlayStation Portable"]);
        assert_eq!(platforms("Pokémon 3DS"), ["Nintendo 3DS"]);
        for nothing in ["DSi case", "Macbeth", "ONES", "", "Tomb Raider"] {
            assert!(platforms(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn only_a_catalogue_of_games_without_platforms_of_its_own() {
        let item = |title: &str, attributes: Vec<Attribute>| Item {
            key: title.to_owned(),
            title: title.to_owned(),
            attributes,
        };
        let plain = |titles: &[&str]| -> Vec<Item> {
            titles.iter().map(|title| item(title, Vec::new())).collect()
        };
        let platform = |value: &str| Attribute {
            kind: "platform".to_owned(),
            value: value.to_owned(),
        };
        let mut games = plain(&["A - PC", "B", "C", "D", "E"]);
        name_platforms(&mut games);
        assert_eq!(games[0].attributes, [platform("PC")]);
        assert!(games[1].attributes.is_empty());
        let mut films = plain(&["Mac and Me", "B", "C", "D", "E", "F"]);
        name_platforms(&mut films);
        assert!(films[0].attributes.is_empty());
        let mut own = plain(&["A - PC"]);
        own.push(item("B - Wii", vec![platform("Nintendo Wii")]));
        name_platforms(&mut own);
        assert!(own[0].attributes.is_empty());
    }
}
