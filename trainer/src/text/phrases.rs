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

/// A title of more than five words is called by what stands before its first colon, dash or bracket, and if that is
/// still long, by its first four words, less small words at the end.
pub fn brief(title: &str) -> String {
    const SMALL: [&str; 14] = [
        "of", "the", "and", "a", "an", "in", "to", "for", "with", "on", "at", "from", "&", "or",
    ];
    let long = |text: &str| text.split(' ').count() > 5;
    if !long(title) {
        return title.to_string();
    }
    let marks = [": ", " - ", " (", " [", "; "];
    let head = marks
        .iter()
        .filter_map(|mark| title.find(mark))
        .filter(|&place| place >= 3)
        .min();
    let head = head.and_then(|place| title.get(..place)).unwrap_or(title);
    if !long(head) {
        return head.to_string();
    }
    let mut words: Vec<&str> = head.split(' ').take(4).collect();
    while words.len() > 1
        && words
            .last()
            .is_some_and(|word| SMALL.contains(&word.to_lowercase().as_str()))
    {
        words.pop();
    }
    words
        .join(" ")
        .trim_end_matches(|mark: char| !mark.is_alphanumeric() && !"!?)".contains(mark))
        .to_string()
}

/// A noun phrase that says of one item what all these attributes say: `a calm noir set in Lisbon by Quill`.
/// A place that the sentence has just named can become `there`. `title` is used where the attributes give no noun
/// phrase (items known by title only).
pub fn describe(
    rng: &mut ChaCha8Rng,
    attributes: &[&Attribute],
    title: &str,
    there: Option<&str>,
) -> String {
    let known = ["genre", "mood", "place", "year", "person", TITLE];
    let of = |kind: &str| -> Vec<String> {
        let same = attributes.iter().filter(|attribute| attribute.kind == kind);
        same.map(|attribute| attribute.value.clone()).collect()
    };
    if attributes.iter().all(|attribute| attribute.kind == TITLE) {
        return brief(title);
    }
    let (genres, people) = (of("genre"), of("person"));
    let noun = match genres.as_slice() {
        [] => pick(rng, &["title", "pick", "choice"]).to_string(),
        // Lower-case genres are nouns of their own (a noir), capitalised ones are labels (a Drama title).
        [genre] if !genre.chars().any(char::is_uppercase) => genre.clone(),
        _ => format!("{} title", list(&genres)),
    };
    let mut before = of("mood");
    let others = attributes
        .iter()
        .filter(|attribute| !known.contains(&attribute.kind.as_str()));
    before.extend(others.map(|attribute| attribute.value.clone()));
    let mut after = Vec::new();
    place(rng, &of("place"), there, &mut before, &mut after);
    match of("year").first() {
        Some(year) if year.ends_with('s') => after.push(format!("from the {year}")),
        Some(year) if once_in(rng, 2) => after.push(format!("from {year}")),
        Some(year) => before.insert(0, year.clone()),
        None => {}
    }
    if !people.is_empty() {
        after.push(format!("by {}", list(&people)));
    }
    before.push(noun);
    before.extend(after);
    let phrase = before.join(" ");
    format!("{} {phrase}", article(&phrase))
}

/// Where it is set: `a Lisbon noir`, `a noir in Lisbon`, `a noir set in Lisbon`, `a noir set there`.
fn place(
    rng: &mut ChaCha8Rng,
    places: &[String],
    there: Option<&str>,
    before: &mut Vec<String>,
    after: &mut Vec<String>,
) {
    match places {
        [] => {}
        [only] if there == Some(only) && once_in(rng, 2) => after.push("set there".to_string()),
        [only] => match below(rng, 4) {
            0 => before.push(only.clone()),
            1 => after.push(format!("in {only}")),
            _ => after.push(format!("set in {only}")),
        },
        several => after.push(format!("set in {}", list(several))),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::super::item;
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
        let titles = [
            "Heat",
            "The Lord of the Rings: The Two Towers",
            "Harry Potter and the Goblet of Fire",
        ];
        assert_eq!(
            titles.map(brief),
            ["Heat", "The Lord of the Rings", "Harry Potter"]
        );
        assert_eq!(
            brief("Misfortunates, The (De helaasheid der dingen)"),
            "Misfortunates, The"
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
            let phrase = describe(&mut ChaCha8Rng::seed_from_u64(seed), &all, "A", None);
            let forms = [
                "an eerie noir set in Lisbon from the 1970s by Quill",
                "an eerie noir in Lisbon from the 1970s by Quill",
                "an eerie Lisbon noir from the 1970s by Quill",
            ];
            assert!(forms.contains(&phrase.as_str()), "{phrase}");
        }
        let place = [&work.attributes[1], &work.attributes[0]];
        let there: Vec<String> = (0..20)
            .map(|seed| {
                describe(
                    &mut ChaCha8Rng::seed_from_u64(seed),
                    &place,
                    "A",
                    Some("Lisbon"),
                )
            })
            .collect();
        assert!(
            there.iter().any(|phrase| phrase == "a noir set there"),
            "{there:?}"
        );
        let film = item(
            "B",
            &[("genre", "Comedy"), ("genre", "Romance"), ("year", "1995")],
        );
        let all: Vec<&Attribute> = film.attributes.iter().collect();
        let phrase = describe(&mut ChaCha8Rng::seed_from_u64(1), &all, "B", None);
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
