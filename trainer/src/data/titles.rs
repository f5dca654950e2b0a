//! Titles and attributes as a sentence can say them: entities decoded, markup removed, years taken out of titles
//! (`Toy Story (1995)` → `Toy Story`, year 1995), articles put back in front (`Matrix, The` → `The Matrix`), lengths
//! bounded, and no two items of a catalogue with the same title.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;

use super::{Attribute, Item};

/// Longest title in characters; what is longer is cut at a word and ends in `…`.
pub(crate) const TITLE_LIMIT: usize = 80;
/// Longest attribute value in characters: what is longer is no phrase and is left out.
const PHRASE_LIMIT: usize = 40;
/// Most words of an attribute value.
const PHRASE_WORDS: usize = 6;
/// Most attributes of an item: a prompt has no room for more.
const ATTRIBUTE_LIMIT: usize = 12;

/// Articles that catalogues put behind the title, in the languages that MovieLens has. `L'` takes no space.
const ARTICLES: [&str; 28] = [
    "The", "A", "An", "La", "Le", "Les", "L'", "L’", "Un", "Une", "Il", "Lo", "I", "Gli", "Una",
    "El", "Los", "Las", "Der", "Die", "Das", "Ein", "Eine", "Det", "De", "En", "O", "Os",
];

/// Values that say nothing.
const EMPTY_PHRASES: [&str; 9] = [
    "unknown", "n/a", "na", "none", "null", "nan", "various", "other", "generic",
];

/// A cleaned title and the year that stood behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CleanTitle {
    /// May be empty when the source's title is.
    pub title: String,
    /// From a trailing `(1995)`, or the first of `(2006–2007)`.
    pub year: Option<String>,
}

/// Cleans a title of any source.
pub(crate) fn clean_title(raw: &str) -> CleanTitle {
    let text = plain_text(raw);
    let (rest, year) = split_year(&text);
    let title = shorten(&articles_in_front(rest), TITLE_LIMIT);
    CleanTitle {
        title,
        year: year.map(str::to_owned),
    }
}

/// Decodes HTML entities (twice: shops encode them twice), removes tags and control characters, and makes all white
/// space single spaces.
pub(crate) fn plain_text(raw: &str) -> String {
    let mut text = Cow::Borrowed(raw);
    for _ in 0..2 {
        if !text.contains('&') {
            break;
        }
        text = Cow::Owned(html_escape::decode_html_entities(&text).into_owned());
    }
    let without_tags = remove_tags(&text);
    let mut clean = String::with_capacity(without_tags.len());
    for word in without_tags.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(word);
        }
    }
    clean
}

/// Removes `<…>` where it looks like a tag (`<` followed by a letter, `/` or `!`): `I <3 you` stays.
fn remove_tags(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        clean.push_str(before);
        let is_tag =
            tag[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match tag.find('>') {
            Some(end) if is_tag => {
                clean.push(' ');
                rest = &tag[end + 1..];
            }
            _ => {
                clean.push('<');
                rest = &tag[1..];
            }
        }
    }
    clean.push_str(rest);
    clean
}

/// Splits a trailing `(1995)`, `(2006-2007)`, `(2006–2007)` or `(2006– )` off.
fn split_year(text: &str) -> (&str, Option<&str>) {
    let split = || {
        let inside = text.strip_suffix(')')?;
        let open = inside.rfind('(')?;
        let title = inside[..open].trim_end();
        let inside = inside[open + 1..].trim();
        let year = inside.get(..4)?;
        let behind = inside[4..].trim_start_matches(['-', '–', ' ']);
        let is_range = inside.len() == 4 || inside[4..].starts_with(['-', '–']);
        let valid = is_range
            && is_year(year)
            && (behind.is_empty() || is_year(behind))
            && !title.is_empty();
        valid.then_some((title, year))
    };
    match split() {
        Some((title, year)) => (title, Some(year)),
        None => (text, None),
    }
}

/// Four digits between 1870 and 2100.
pub(crate) fn is_year(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) && ("1870"..="2100").contains(&text)
}

/// `Matrix, The` → `The Matrix`, also inside brackets: `Cranes, The (Grues, Les)` → `The Cranes (Les Grues)`.
fn articles_in_front(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for piece in text.split_inclusive(['(', ')']) {
        let (body, bracket) = match piece.char_indices().next_back() {
            Some((at, '(' | ')')) => piece.split_at(at),
            _ => (piece, ""),
        };
        let trimmed = body.trim_end();
        match trimmed.rsplit_once(", ") {
            Some((head, article)) if !head.trim().is_empty() && ARTICLES.contains(&article) => {
                let lead = head.len() - head.trim_start().len();
                result.push_str(&head[..lead]);
                result.push_str(article);
                if !article.ends_with(['\'', '’']) {
                    result.push(' ');
                }
                result.push_str(&head[lead..]);
                result.push_str(&body[trimmed.len()..]);
            }
            _ => result.push_str(body),
        }
        result.push_str(bracket);
    }
    result
}

/// Cuts at a word where that does not cost more than a third, and marks the cut.
fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let end = text
        .char_indices()
        .nth(limit - 1)
        .map_or(text.len(), |(at, _)| at);
    let cut = &text[..end];
    let word = cut.rfind(' ').filter(|at| *at * 3 > cut.len() * 2);
    let cut = word.map_or(cut, |at| &cut[..at]);
    let cut = cut.trim_end_matches(|c: char| c.is_whitespace() || ",;:-–—(/&+".contains(c));
    format!("{cut}…")
}

/// A short sayable phrase, or nothing: no markup, no address, no sentence, no placeholder.
pub(crate) fn phrase(raw: &str) -> Option<String> {
    let text = plain_text(raw);
    let text = text.trim_matches(|c: char| ",;:|\"'".contains(c) || c.is_whitespace());
    let fits = text.chars().count() <= PHRASE_LIMIT
        && text.split(' ').count() <= PHRASE_WORDS
        && text.chars().any(char::is_alphanumeric)
        && !text.contains(['<', '>', '{', '}', '='])
        && !text.contains("://")
        && !EMPTY_PHRASES.contains(&text.to_lowercase().as_str());
    fits.then(|| text.to_owned())
}

/// Adds an attribute when its value is a phrase, new, and the item has room.
pub(crate) fn push_attribute(attributes: &mut Vec<Attribute>, kind: &str, raw: &str) {
    if attributes.len() >= ATTRIBUTE_LIMIT {
        return;
    }
    if let Some(value) = phrase(raw) {
        let attribute = Attribute {
            kind: kind.to_owned(),
            value,
        };
        if !attributes.contains(&attribute) {
            attributes.push(attribute);
        }
    }
}

/// Makes all titles of a catalogue different under Unicode normalisation (NFKC), case and white space: items that share
/// a title get their year behind it where they have one (`Hamlet (1990)`), and those still equal their key (` #key`).
/// An item without a title is called `Untitled #key`.
pub(crate) fn make_titles_unique(items: &mut [Item]) {
    for item in items.iter_mut().filter(|item| item.title.is_empty()) {
        item.title = format!("Untitled #{}", item.key);
    }
    for index in shared_titles(items) {
        let item = &mut items[index];
        let year = item.attributes.iter().find(|a| a.kind == "year");
        if let Some(year) = year {
            item.title = format!("{} ({})", item.title, year.value);
        }
    }
    for index in shared_titles(items) {
        let item = &mut items[index];
        item.title = format!("{} #{}", item.title, item.key);
    }
    let mut seen = HashSet::with_capacity(items.len());
    for item in items {
        while !seen.insert(folded(&item.title)) {
            item.title = format!("{} #{}", item.title, item.key);
        }
    }
}

/// Indices of the items whose title another item has too, in order.
fn shared_titles(items: &[Item]) -> Vec<usize> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        groups.entry(folded(&item.title)).or_default().push(index);
    }
    let mut shared: Vec<usize> = groups
        .into_values()
        .filter(|group| group.len() > 1)
        .flatten()
        .collect();
    shared.sort_unstable();
    shared
}

fn folded(title: &str) -> String {
    title.trim().nfkc().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(raw: &str) -> (String, Option<String>) {
        let clean = clean_title(raw);
        (clean.title, clean.year)
    }

    fn pair(title: &str, year: &str) -> (String, Option<String>) {
        (title.to_owned(), Some(year.to_owned()))
    }

    #[test]
    fn years_and_articles() {
        assert_eq!(cleaned("Toy Story (1995)"), pair("Toy Story", "1995"));
        assert_eq!(cleaned("Matrix, The (1999) "), pair("The Matrix", "1999"));
        assert_eq!(
            cleaned("City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
            pair(
                "The City of Lost Children (La Cité des enfants perdus)",
                "1995"
            )
        );
        assert_eq!(
            cleaned("Embalmer, The (Imbalsamatore, L') (2002)"),
            pair("The Embalmer (L'Imbalsamatore)", "2002")
        );
        assert_eq!(
            cleaned("Associate, The (L'Associe)(1982)"),
            pair("The Associate (L'Associe)", "1982")
        );
        assert_eq!(
            cleaned("Death Note: Desu nôto (2006–2007)"),
            pair("Death Note: Desu nôto", "2006")
        );
        assert_eq!(
            cleaned("Bye Bye, Love (1995)"),
            pair("Bye Bye, Love", "1995")
        );
        assert_eq!(
            cleaned("(500) Days of Summer (2009)"),
            pair("(500) Days of Summer", "2009")
        );
    }

    #[test]
    fn what_is_no_year_stays() {
        for title in [
            "Babylon 5",
            "(1995)",
            "Blade Runner 2049",
            "X (12345)",
            "X (1066)",
            "X (199)",
            "X (2001 a)",
            "X ()",
        ] {
            assert_eq!(cleaned(title), (title.to_owned(), None), "{title}");
        }
    }

    #[test]
    fn entities_tags_and_white_space() {
        assert_eq!(plain_text("Command &amp; Conquer"), "Command & Conquer");
        assert_eq!(plain_text("a &amp;quot;b&amp;quot;"), "a \"b\"");
        assert_eq!(
            plain_text("Game Boy&reg;\u{a0}&nbsp; Color\r\n"),
            "Game Boy® Color"
        );
        assert_eq!(plain_text("<span class='x'>Title</span> <3"), "Title <3");
        assert_eq!(plain_text("R&B & AT&T"), "R&B & AT&T");
    }

    #[test]
    fn long_titles_are_cut_at_a_word() {
        let long = "Insten Dual Charging Station with 2 Rechargeable Batteries & LED Light for Nintendo Wii / Wii U Remote";
        let title = clean_title(long).title;
        assert_eq!(
            title,
            "Insten Dual Charging Station with 2 Rechargeable Batteries & LED Light for…"
        );
        assert!(title.chars().count() <= TITLE_LIMIT);
        let unbroken = "ü".repeat(200);
        assert_eq!(clean_title(&unbroken).title.chars().count(), TITLE_LIMIT);
    }

    #[test]
    fn phrases_are_short_and_say_something() {
        assert_eq!(phrase(" Film-Noir "), Some("Film-Noir".to_owned()));
        assert_eq!(phrase("Movies &amp; TV"), Some("Movies & TV".to_owned()));
        for nothing in [
            "",
            "  ",
            "Unknown",
            "</span></span>",
            "http://a.b",
            "* * *",
            "one two three four five six seven",
        ] {
            assert_eq!(phrase(nothing), None, "{nothing}");
        }
        assert_eq!(phrase(&"x".repeat(41)), None);
    }

    #[test]
    fn shared_titles_get_year_then_key() {
        let item = |key: &str, title: &str, year: Option<&str>| Item {
            key: key.to_owned(),
            title: title.to_owned(),
            attributes: year
                .map(|value| Attribute {
                    kind: "year".to_owned(),
                    value: value.to_owned(),
                })
                .into_iter()
                .collect(),
        };
        let mut items = vec![
            item("1", "Hamlet", Some("1990")),
            item("2", "Hamlet", Some("1996")),
            item("3", "Heat", Some("1995")),
            item("4", "Frogger", None),
            item("5", "FROGGER", None),
            item("6", "", None),
            item("7", "Doom", Some("1993")),
            item("8", "Doom", None),
            item("9", "Frogger #4", None),
        ];
        make_titles_unique(&mut items);
        let titles: Vec<&str> = items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "Hamlet (1990)",
                "Hamlet (1996)",
                "Heat",
                "Frogger #4",
                "FROGGER #5",
                "Untitled #6",
                "Doom (1993)",
                "Doom",
                "Frogger #4 #9"
            ]
        );
    }
}
