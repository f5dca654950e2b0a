//! Of whom a reason claims what: of the item, or of the person who takes it.
//!
//! "Someone used to Crime might try a Drama title" says Crime of the person and Drama of the item: the metadata can refute
//! the second only. A value is said of the person where it stands in a list of tastes: right behind words that name a liking
//! ([`CUES`]), or behind such a value with nothing between them but what joins a list. Tastes are labels ("noir", "a calm
//! mood", "the 1970s"); what has an article of its own ("a calm noir") describes a title, whoever likes it, and everything
//! else is said of the item too.

use super::Attribute;
use super::claims::{Mention, Vocabulary, mentions};

/// Words behind which a list of tastes begins. The last rows are of reasons that set the item off from the tastes.
const CUES: [&str; 58] = [
    "likes",
    "like",
    "loves",
    "love",
    "enjoys",
    "enjoy",
    "prefers",
    "prefer",
    "favours",
    "favour",
    "follows",
    "follow",
    "appreciates",
    "appreciate",
    "seeks",
    "seek",
    "seeks out",
    "seek out",
    "looks for",
    "look for",
    "looking for",
    "cares for",
    "care for",
    "goes for",
    "turns to",
    "drawn to",
    "returning to",
    "returns to",
    "coming back to",
    "comes back to",
    "come back to",
    "leans toward",
    "lean toward",
    "leaning toward",
    "interested in",
    "interest in",
    "taste for",
    "spot for",
    "passion for",
    "fond of",
    "fan of",
    "fans of",
    "lover of",
    "lovers of",
    "admirer of",
    "regular of",
    "into",
    "after",
    "keeps choosing",
    "cannot resist",
    "used to",
    "away from",
    "pace from",
    "step from",
    "break from",
    "usual mix of",
    "outside",
    "without",
];
/// Two more of them, which speak of both.
const MORE_CUES: [&str; 2] = ["nothing of", "much of"];

/// What joins the values of a list.
const JOINTS: [&str; 18] = [
    ",", "and", "or", "&", "-", "/", "mood", "title", "titles", "film", "films", "game", "games",
    "from", "by", "with", "in", "set",
];

/// What a reason claims, each value once a side, in order of appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Of the item.
    pub item: Vec<Attribute>,
    /// Of the person.
    pub taste: Vec<Attribute>,
    /// Tastes that are named once more.
    pub repeated: usize,
}

impl Said {
    /// The causes that a reason gives: what it says of the person *and* of the item.
    pub fn causes(&self) -> impl Iterator<Item = &Attribute> {
        self.taste.iter().filter(|taste| self.item.contains(taste))
    }
}

/// Sorts the claims of a reason; see this module's header. "Set there" says the last place named of the item.
pub fn said(text: &str, vocabulary: &Vocabulary) -> Said {
    let found = mentions(text, vocabulary);
    let mut said = Said::default();
    let (mut before, mut listing) = (0, false);
    for (index, mention) in found.iter().enumerate() {
        let gap = tokens(&text[before..mention.start]);
        let next = found.get(index + 1).map_or(text.len(), |next| next.start);
        let mood = tokens(&text[mention.end..next])
            .first()
            .is_some_and(|word| word == "mood");
        listing = bare(&gap, mood).is_some_and(|gap| begins(gap) || listing && goes_on(gap));
        let side = if listing {
            &mut said.taste
        } else {
            &mut said.item
        };
        if !side.contains(&mention.attribute) {
            side.push(mention.attribute.clone());
        } else if listing {
            said.repeated += 1;
        }
        before = mention.end;
        if tokens(&text[before..next])
            .windows(2)
            .any(|pair| pair[0] == "set" && pair[1] == "there")
        {
            there(&found[..=index], &mut said.item);
        }
    }
    said
}

/// The last place named becomes one of the item's.
fn there(found: &[Mention], item: &mut Vec<Attribute>) {
    let place = found
        .iter()
        .rev()
        .map(|mention| &mention.attribute)
        .find(|attribute| attribute.kind == "place");
    if let Some(place) = place.filter(|place| !item.contains(place)) {
        item.push(place.clone());
    }
}

/// Words in lower case, and marks one by one.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for letter in text.chars() {
        let word = letter.is_alphanumeric();
        match found.last_mut() {
            Some(last) if word && inside => last.extend(letter.to_lowercase()),
            _ if word => found.push(letter.to_lowercase().collect()),
            _ if !letter.is_whitespace() => found.push(letter.to_string()),
            _ => {}
        }
        inside = word;
    }
    found
}

/// What stands before a label and its article; `None` where the article says that no label follows.
fn bare(gap: &[String], mood: bool) -> Option<&[String]> {
    match gap.split_last() {
        Some((last, rest)) if last == "the" => Some(rest),
        Some((last, rest)) if last == "a" || last == "an" => mood.then_some(rest),
        _ => Some(gap),
    }
}

fn begins(gap: &[String]) -> bool {
    CUES.iter().chain(&MORE_CUES).any(|cue| {
        let words: Vec<&str> = cue.split(' ').collect();
        gap.len() >= words.len() && gap[gap.len() - words.len()..] == words[..]
    })
}

/// Behind a comma only another value goes on with the list: ", set in Lisbon" does not.
fn goes_on(gap: &[String]) -> bool {
    let joins = |word: &String| JOINTS.contains(&word.as_str());
    let comma = gap.iter().position(|word| word == ",");
    let behind = comma.map_or(&[][..], |comma| &gap[comma..]);
    let plain = |word: &String| [",", "and", "or", "&"].contains(&word.as_str());
    gap.iter().all(joins) && behind.iter().all(plain)
}

/// Whether a text says the same words twice in a row ("likes Comedy and Comedy", "the 1990s and the 1990s", "of the the 1990s"): up
/// to three words, with nothing between them but what joins a list.
pub fn stutters(text: &str) -> bool {
    let all = tokens(text);
    let article = |word: &str| ["the", "a", "an"].contains(&word);
    if all
        .windows(2)
        .any(|pair| pair.iter().all(|word| article(word)))
    {
        return true;
    }
    let words: Vec<String> = all
        .into_iter()
        .filter(|word| !["and", "or", "the", "a", "an", ","].contains(&word.as_str()))
        .collect();
    let spoken = |part: &[String]| {
        part.iter()
            .all(|word| word.starts_with(char::is_alphanumeric))
    };
    (1..=3).any(|length| {
        words.windows(2 * length).any(|window| {
            let (first, second) = window.split_at(length);
            first == second && spoken(first)
        })
    })
}

/// Whether a text is no whole sentence, or one that reads askew ([`askew`]), or has an article that does not go with its word ("a
/// adventure", "an tragedy"). Words whose sound their letters do not tell are let pass: those with `u`, `h` or a digit in front, and
/// single letters.
pub fn misspeaks(text: &str) -> bool {
    askew(text) || wrong_article(text)
}

/// Whether a text does not end as a sentence does, or has a mark straight behind a comma, colon or semicolon ("longer,."), or stops at a
/// word that something must follow ("likes the and."). Nothing is not askew: there is nothing to read.
fn askew(text: &str) -> bool {
    let closed = text.trim_end_matches(|last: char| {
        last.is_whitespace() || ['"', '\'', '”', '’', ')', ']', '»'].contains(&last)
    });
    let ends = closed.is_empty() || closed.ends_with(['.', '!', '?', '…', '。', '！', '？']);
    let mut before = None; // the last mark, if nothing but spaces came after it
    let doubled = closed.chars().any(|next| {
        let mark = matches!(next, ',' | ';' | ':' | '.' | '!' | '?');
        let doubled = mark && matches!(before, Some(',' | ';' | ':'));
        if !next.is_whitespace() {
            before = mark.then_some(next);
        }
        doubled
    });
    // In lower case only: "Vitamin A." is whole.
    let open = ["a", "an", "the", "and", "or", "of", "with"];
    let halted = closed.split_whitespace().any(|word| {
        let bare = word.trim_end_matches(['.', ':', ';', '!', '?']);
        bare.len() < word.len() && open.contains(&bare)
    });
    !ends || doubled || halted
}

fn wrong_article(text: &str) -> bool {
    tokens(text).windows(2).any(|pair| {
        let (article, word) = (pair[0].as_str(), pair[1].as_str());
        let silent = ["one", "once", "ouija", "eu", "ewe"];
        let vowel = word.starts_with(['a', 'e', 'i', 'o'])
            && !silent.iter().any(|start| word.starts_with(start));
        let consonant = word
            .starts_with(|letter: char| letter.is_ascii_lowercase() && !"aeiouh".contains(letter));
        word.chars().nth(1).is_some_and(char::is_alphabetic)
            && match article {
                "a" => vowel,
                "an" => consonant,
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Item;
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
                    ("year", "1970s"),
                    ("person", "Quill"),
                ],
            ),
            item("Heat", &[("genre", "Crime"), ("genre", "Drama")]),
        ]
    }

    fn sides(text: &str) -> (Vec<String>, Vec<String>) {
        let values = |side: Vec<Attribute>| side.into_iter().map(|one| one.value).collect();
        let said = said(text, &Vocabulary::of(&catalogue()));
        (values(said.item), values(said.taste))
    }

    #[test]
    fn articles_go_with_their_words() {
        for wrong in [
            "Takes a adventure.",
            "It is an tragedy.",
            "With A eerie mood.",
        ] {
            assert!(misspeaks(wrong), "{wrong}");
        }
        for right in [
            "An adventure, a tragedy and an eerie mood.",
            "A one-off, a European, a union, an hour, a 1980s farce, an 80s farce.",
            "Plan a, an x; a b-side.",
            "",
            "Looks for noir... (\"Heat: Part 2\", say!)",
        ] {
            assert!(!misspeaks(right), "{right}");
        }
    }

    #[test]
    fn sentences_are_whole() {
        for wrong in [
            "A regular who cares for a dreamy mood and, ideally often turning longer,.",
            "Picked by somebody who follows the 2000s and,: being adventure from the 2000s.",
            "Simply a tragedy by, , for the curious.",
            "Picked by the sort of person who seeks out Tokyo",
            "As a satire by Sato it fits someone who likes the and.",
            "A pick for a person with a taste for a: a 1997 Children title.",
            ",.",
        ] {
            assert!(misspeaks(wrong), "{wrong}");
        }
        for right in [
            "By all signs, this person keeps choosing a tender mood and, a little less, fantasy.",
            "Wallace & Gromit: The Curse, \"Who's That Girl?\", and Vitamin C.",
            "Takes what it wants (mostly noir.)",
            "喜欢黑色电影。",
        ] {
            assert!(!misspeaks(right), "{right}");
        }
    }

    #[test]
    fn tastes_are_the_persons_and_the_rest_is_the_items() {
        for (text, item, taste) in [
            (
                "Someone used to Crime might try a Drama title in between.",
                &["Drama"][..],
                &["Crime"][..],
            ),
            (
                "For someone fond of noir and a calm mood: a calm noir by Quill.",
                &["calm", "noir", "Quill"],
                &["noir", "calm"],
            ),
            (
                "After much of noir and the 1970s, a calm Drama title for a change.",
                &["calm", "Drama"],
                &["noir", "1970s"],
            ),
            (
                "With a calm mood, it speaks to anyone drawn to Lisbon, noir and Crime.",
                &["calm"],
                &["Lisbon", "noir", "Crime"],
            ),
            // An article of its own: a title is described, whoever is looking for it.
            (
                "Someone looking for a calm noir takes this.",
                &["calm", "noir"],
                &[],
            ),
            ("Likes noir, set in Lisbon.", &["Lisbon"], &["noir"]),
            (
                "Who likes noir in Lisbon takes a Drama title.",
                &["Drama"],
                &["noir", "Lisbon"],
            ),
            (
                "Picked by someone always after Lisbon, since it is a noir set there.",
                &["noir", "Lisbon"],
                &["Lisbon"],
            ),
        ] {
            let (found_item, found_taste) = sides(text);
            assert_eq!(found_item, item, "{text}");
            assert_eq!(found_taste, taste, "{text}");
        }
    }

    #[test]
    fn causes_are_said_of_both() {
        let said = said(
            "With noir, it speaks to someone fond of noir and Lisbon.",
            &Vocabulary::of(&catalogue()),
        );
        let causes: Vec<&str> = said.causes().map(|cause| cause.value.as_str()).collect();
        assert_eq!(causes, ["noir"]);
    }

    #[test]
    fn a_taste_named_twice_is_counted() {
        let of = |text: &str| said(text, &Vocabulary::of(&catalogue())).repeated;
        assert_eq!(of("Likes noir and Lisbon and noir: a noir."), 1);
        assert_eq!(
            of("With noir, it speaks to a regular of noir: a calm noir."),
            0
        );
    }

    #[test]
    fn saying_it_twice_is_noticed() {
        for text in [
            "Likes Comedy and Comedy.",
            "the 1990s and the 1990s",
            "By who who who leans",
            "a calm mood and a calm mood",
            "Noir, noir",
        ] {
            assert!(stutters(text), "{text}");
        }
        for text in [
            "For someone fond of noir: noir again.",
            "Likes noir, and a calm noir.",
            "",
            "... and ...",
        ] {
            assert!(!stutters(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_string_makes_it_panic(text in proptest::prelude::any::<String>()) {
            let _ = (said(&text, &Vocabulary::of(&catalogue())), stutters(&text));
        }
    }
}
