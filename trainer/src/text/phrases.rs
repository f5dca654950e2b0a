//! Small pieces of English for rationales: lists, labels of attributes, noun phrases, and drawing among phrasings.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::strands::TITLE;
use crate::data::Attribute;

/// One of several phrasings.
pub fn pick<'a>(rng: &mut ChaCha8Rng, phrasings: &[&'a str]) -> &'a str {
    phrasings
        .get(below(rng, phrasings.len()))
        .copied()
        .unwrap_or("")
}

/// Uniform in `0..count` as `u32`, the same on every machine.
pub fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    if count < 2 {
        0
    } else {
        rng.random_range(0..count as u32) as usize
    }
}

/// True once in `times`.
pub fn once_in(rng: &mut ChaCha8Rng, times: usize) -> bool {
    below(rng, times) == 0
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// How an attribute is called in a list of likings: `noir`, `Lisbon`, `a calm mood`, `the 1970s`, `Quill`.
pub fn label(attribute: &Attribute) -> String {
    let value = &attribute.value;
    match attribute.kind.as_str() {
        "mood" => format!("{} {value} mood", article(value)),
        "year" if value.ends_with('s') => format!("the {value}"),
        _ => value.clone(),
    }
}

/// The labels of several attributes as a list.
pub fn labels<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> String {
    list(&attributes.into_iter().map(label).collect::<Vec<_>>())
}

/// `a` or `an`, by the first letter (numbers: 8, 11 and 18 begin with a vowel sound).
pub fn article(word: &str) -> &'static str {
    let vowel = word
        .chars()
        .next()
        .is_some_and(|letter| "aeiouAEIO8".contains(letter));
    let sounds = vowel || word.starts_with("11") || word.starts_with("18");
    if sounds { "an" } else { "a" }
}

/// The first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Words as a reader counts them.
pub fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A title of more than five words is called by its first four.
pub fn brief(title: &str) -> String {
    let all: Vec<&str> = title.split(' ').collect();
    if all.len() <= 5 {
        return title.to_string();
    }
    all[..4]
        .join(" ")
        .trim_end_matches(|mark: char| !mark.is_alphanumeric() && mark != ')')
        .to_string()
}

/// A noun phrase that says of one item what all these attributes say: `a calm noir set in Lisbon, by Quill`.
/// `title` is used where the attributes give no noun phrase (items known by title only).
pub fn describe(rng: &mut ChaCha8Rng, attributes: &[&Attribute], title: &str) -> String {
    let of = |kind: &str| -> Vec<&str> {
        attributes
            .iter()
            .filter(|attribute| attribute.kind == kind)
            .map(|attribute| attribute.value.as_str())
            .collect()
    };
    let (genres, moods, places, years, people) = (
        of("genre"),
        of("mood"),
        of("place"),
        of("year"),
        of("person"),
    );
    let known = ["genre", "mood", "place", "year", "person", TITLE];
    let others: Vec<&str> = attributes
        .iter()
        .filter(|attribute| !known.contains(&attribute.kind.as_str()))
        .map(|attribute| attribute.value.as_str())
        .collect();
    if genres.is_empty()
        && moods.is_empty()
        && places.is_empty()
        && years.is_empty()
        && people.is_empty()
        && others.is_empty()
    {
        return brief(title);
    }
    let noun = match genres.as_slice() {
        [] => pick(rng, &["title", "pick", "choice"]).to_string(),
        // Lower-case genres are nouns of their own (a noir), capitalised ones are labels (a Drama title).
        [genre] if genre.chars().all(|letter| !letter.is_uppercase()) => (*genre).to_string(),
        _ => format!(
            "{} title",
            list(&genres.iter().map(ToString::to_string).collect::<Vec<_>>())
        ),
    };
    let mut before: Vec<String> = moods.iter().map(ToString::to_string).collect();
    before.extend(others.iter().map(ToString::to_string));
    let mut after = Vec::new();
    if let [place] = places.as_slice() {
        // "a calm Lisbon noir" or "a calm noir set in Lisbon"
        match below(rng, 4) {
            0 => before.push((*place).to_string()),
            1 => after.push(format!("in {place}")),
            _ => after.push(format!("set in {place}")),
        }
    } else if !places.is_empty() {
        after.push(format!(
            "set in {}",
            list(&places.iter().map(ToString::to_string).collect::<Vec<_>>())
        ));
    }
    if let Some(year) = years.first() {
        if year.ends_with('s') {
            after.push(format!("from the {year}"));
        } else if once_in(rng, 2) {
            after.push(format!("from {year}"));
        } else {
            before.insert(0, (*year).to_string());
        }
    }
    if !people.is_empty() {
        after.push(format!(
            "by {}",
            list(&people.iter().map(ToString::to_string).collect::<Vec<_>>())
        ));
    }
    let mut phrase = before.join(" ");
    if !phrase.is_empty() {
        phrase.push(' ');
    }
    phrase += &noun;
    for part in after {
        phrase.push(' ');
        phrase += &part;
    }
    format!("{} {phrase}", article(&phrase))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::super::render::tests::item;
    use super::*;

    #[test]
    fn lists_and_articles_are_english() {
        let parts = ["a", "b", "c"].map(str::to_string);
        assert_eq!(
            [list(&parts[..1]), list(&parts[..2]), list(&parts)],
            ["a", "a and b", "a, b and c"]
        );
        assert_eq!(
            [
                article("eerie"),
                article("calm"),
                article("1970s"),
                article("80s")
            ],
            ["an", "a", "a", "an"]
        );
        assert_eq!(
            brief("The Lord of the Rings: The Two Towers"),
            "The Lord of the"
        );
        assert_eq!(capital("élan"), "Élan");
    }

    #[test]
    fn an_item_is_described_by_all_that_is_given() {
        let work = item(
            "A",
            &[
                ("genre", "noir"),
                ("place", "Lisbon"),
                ("mood", "eerie"),
                ("year", "1970s"),
                ("person", "Quill"),
            ],
        );
        let all: Vec<&Attribute> = work.attributes.iter().collect();
        for seed in 0..20 {
            let phrase = describe(&mut ChaCha8Rng::seed_from_u64(seed), &all, "A");
            let forms = [
                "an eerie noir set in Lisbon from the 1970s by Quill",
                "an eerie noir in Lisbon from the 1970s by Quill",
                "an eerie Lisbon noir from the 1970s by Quill",
            ];
            assert!(forms.contains(&phrase.as_str()), "{phrase}");
        }
        let film = item(
            "B",
            &[("genre", "Comedy"), ("genre", "Romance"), ("year", "1995")],
        );
        let all: Vec<&Attribute> = film.attributes.iter().collect();
        let phrase = describe(&mut ChaCha8Rng::seed_from_u64(1), &all, "B");
        assert!(
            [
                "a Comedy and Romance title from 1995",
                "a 1995 Comedy and Romance title"
            ]
            .contains(&phrase.as_str()),
            "{phrase}"
        );
    }
}
