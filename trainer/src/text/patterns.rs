//! The sentence of a user pattern (METHOD §2).

use rand_chacha::ChaCha8Rng;

use super::phrases::{below, brief, capital, labels, pick, words};
use super::rationale::{MAX_PATTERN_WORDS, Rationale};
use super::strands::{Strand, TITLE, telling_strands};

const PREFIXES: [&str; 9] = [
    "",
    "",
    "Someone who ",
    "This person ",
    "A regular who ",
    "Over and over, this person ",
    "Here we have someone who ",
    "By all signs, this person ",
    "In short, someone who ",
];
const VERBS: [&str; 15] = [
    "keeps returning to",
    "is drawn to",
    "looks for",
    "comes back to",
    "favours",
    "has a soft spot for",
    "leans toward",
    "seeks out",
    "goes for",
    "likes",
    "cannot resist",
    "prefers",
    "keeps choosing",
    "turns to",
    "cares for",
];
const SECOND: [&str; 8] = [
    ", often with {S}",
    ", ideally with {S}",
    ", and also likes {S}",
    "; {S} too",
    ", with {S} close behind",
    ", then {S}",
    ", next to {S}",
    " and, a little less, {S}",
];
const RISING: [&str; 8] = [
    "; lately {R} too",
    ", and of late {R} as well",
    "; recently also {R}",
    ", with a new interest in {R}",
    "; newly {R}",
    ", now turning to {R}",
    "; the latest turn is {R}",
    ", lately adding {R}",
];
const FADING: [&str; 6] = [
    "; less so {F} now",
    "; {F} came earlier",
    "; {F} in the past",
    ", no longer so much {F}",
    ", having moved on from {F}",
    "; once also {F}",
];
const JUST_TAKEN: [&str; 8] = [
    "Has just taken {B} and {A}.",
    "Went from {B} to {A}.",
    "Took {B}, then {A}.",
    "Last picked {B} and {A}.",
    "Someone who chose {B} and then {A}.",
    "Comes from {B} and {A}.",
    "Recently took {B} and {A}.",
    "Moves between titles such as {B} and {A}.",
];

/// One sentence from the strands of a history; `latest` holds the latest titles, newest first, for histories in which
/// nothing repeats.
pub fn write(found: &[Strand], latest: &[String], rng: &mut ChaCha8Rng) -> Rationale {
    let nothing_repeats = found.first().is_none_or(|strand| strand.count < 2);
    if nothing_repeats
        && found
            .first()
            .is_none_or(|strand| strand.feature.kind == TITLE)
    {
        return Rationale {
            text: by_titles(latest, rng),
            named: Vec::new(),
        };
    }
    let mut most = 2 + below(rng, 2);
    loop {
        let named = telling_strands(found, most);
        let text = if nothing_repeats {
            mixed(named, rng)
        } else {
            sentence(named, rng)
        };
        if words(&text) <= MAX_PATTERN_WORDS || most == 1 {
            let text = text
                .split(' ')
                .take(MAX_PATTERN_WORDS)
                .collect::<Vec<_>>()
                .join(" ");
            return Rationale {
                text,
                named: named.iter().map(|strand| strand.feature.clone()).collect(),
            };
        }
        most -= 1;
    }
}

fn sentence(named: &[Strand], rng: &mut ChaCha8Rng) -> String {
    let tell = |strands: &[&Strand]| labels(strands.iter().map(|strand| &strand.feature));
    let all: Vec<&Strand> = named.iter().collect();
    let (rising, rest): (Vec<&Strand>, Vec<&Strand>) = all.iter().partition(|strand| strand.rising);
    let (fading, steady): (Vec<&Strand>, Vec<&Strand>) =
        rest.iter().partition(|strand| strand.fading);
    // What is left of the sentence's subject when everything is new or everything is old.
    let (steady, rising, fading) = match (steady.is_empty(), rising.is_empty()) {
        (false, _) => (steady, rising, fading),
        (true, false) => (rising, Vec::new(), fading),
        (true, true) => (fading, Vec::new(), Vec::new()),
    };
    let mut text = pick(rng, &PREFIXES).to_string() + pick(rng, &VERBS) + " ";
    let main = if steady.len() > 1 {
        1 + below(rng, steady.len())
    } else {
        steady.len()
    };
    text += &tell(&steady[..main]);
    if main < steady.len() {
        text += &pick(rng, &SECOND).replace("{S}", &tell(&steady[main..]));
    }
    if !rising.is_empty() {
        text += &pick(rng, &RISING).replace("{R}", &tell(&rising));
    }
    if !fading.is_empty() {
        text += &pick(rng, &FADING).replace("{F}", &tell(&fading));
    }
    capital(&text) + "."
}

/// Nothing repeats: the one feature that stands out.
fn mixed(named: &[Strand], rng: &mut ChaCha8Rng) -> String {
    let frames = [
        "Samples widely, {L} included.",
        "Has no fixed taste, though {L} stands out.",
        "Tries many things, {L} among them.",
        "Follows no single thread; {L} is part of it.",
        "Wanders, with {L} along the way.",
        "Takes a bit of everything, {L} too.",
        "Is still looking around, lately near {L}.",
        "Picks freely, with a nod to {L}.",
    ];
    pick(rng, &frames).replace("{L}", &labels(named.iter().map(|strand| &strand.feature)))
}

fn by_titles(latest: &[String], rng: &mut ChaCha8Rng) -> String {
    match latest {
        [last, before, ..] => pick(rng, &JUST_TAKEN)
            .replace("{A}", &brief(last))
            .replace("{B}", &brief(before)),
        [last] => pick(
            rng,
            &[
                "Has so far taken only {A}.",
                "Began with {A}.",
                "Took {A} and nothing else yet.",
            ],
        )
        .replace("{A}", &brief(last)),
        [] => pick(
            rng,
            &[
                "Has no history yet.",
                "Is new here.",
                "Nothing is known of this person yet.",
            ],
        )
        .to_string(),
    }
}
