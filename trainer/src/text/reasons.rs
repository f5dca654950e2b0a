//! The sentence of a reason from the reader's side (METHOD §2): who takes this item, and why.

use rand_chacha::ChaCha8Rng;

use super::phrases::{below, brief, capital, describe, labels, once_in, pick, words};
use super::rationale::{MAX_REASON_WORDS, Rationale};
use super::strands::TITLE;
use crate::data::Attribute;

/// Who takes it; `{L}` are the tastes of the reader.
const WHO: [&str; 12] = [
    "someone who keeps coming back to {L}",
    "anyone drawn to {L}",
    "a person with a taste for {L}",
    "someone fond of {L}",
    "whoever looks for {L}",
    "a regular of {L}",
    "someone who likes {L}",
    "the sort of person who seeks out {L}",
    "somebody who follows {L}",
    "a steady admirer of {L}",
    "anyone who leans toward {L}",
    "someone always after {L}",
];
/// The item holds something of it; `{W}` is who, `{N}` the item described.
const SHARED: [&str; 14] = [
    "For {W}: {N}.",
    "A natural next step for {W}: {N}.",
    "Suits {W}, being {N}.",
    "Picked by {W}, since it is {N}.",
    "This is {N}, right for {W}.",
    "{W} will want {N}.",
    "Here is {N}, made for {W}.",
    "{W} finds {N} here.",
    "Because it is {N}, it appeals to {W}.",
    "{W} sees {N} and takes it.",
    "{W} chooses it for being {N}.",
    "As {N} it fits {W}.",
    "{N}, and so a match for {W}.",
    "{N} of the kind that suits {W}.",
];
/// The reader likes more than what the item shares, `{O}`, so that naming both says something.
const PARTLY: [&str; 8] = [
    "With {O}, it speaks to {W}.",
    "There is {O} to draw {W}.",
    "Once more {O}, so it fits {W}.",
    "{W} takes it for {O}.",
    "Because of {O} it appeals to {W}.",
    "{W} finds {O} here: {N}.",
    "It offers {O} to {W}.",
    "For {W}, at least {O}: {N}.",
];
/// It holds nothing of it.
const DIFFERENT: [&str; 14] = [
    "A change of pace from {L}: {N}.",
    "Away from {L} for once: {N}.",
    "For {W}, ready for something else: {N}.",
    "Not the usual mix of {L}, but {N}.",
    "Someone used to {L} might try {N} in between.",
    "Nothing of {L} here; {N} instead.",
    "A side step from {L}: {N}.",
    "For {W}, on a day off: {N}.",
    "{W} may still be curious about {N}.",
    "Outside {L}, yet worth a look: {N}.",
    "A break from {L}, being {N}.",
    "Without {L} this time, rather {N}.",
    "{W} tries something different, {N}.",
    "After much of {L}, {N} for a change.",
];
/// Nothing is known of the reader.
const UNKNOWN: [&str; 10] = [
    "For anyone in the mood for {N}.",
    "Taken by people who want {N}.",
    "For whoever feels like {N}.",
    "Simply {N}, for the curious.",
    "A pick for those after {N}.",
    "Someone looking for {N} takes this.",
    "Chosen for what it is: {N}.",
    "It attracts anyone hoping for {N}.",
    "Those who enjoy {N} take this.",
    "For a day that asks for {N}.",
];

/// One sentence from the reader's tastes (strongest first) and what the prompt shows of the item.
pub fn write(
    tastes: &[Attribute],
    features: &[Attribute],
    title: &str,
    rng: &mut ChaCha8Rng,
) -> Rationale {
    let mut most = 1 + below(rng, 2);
    loop {
        let (text, named) = sentence(tastes, features, title, most, rng);
        if words(&text) <= MAX_REASON_WORDS || most == 1 {
            let text = text
                .split(' ')
                .take(MAX_REASON_WORDS)
                .collect::<Vec<_>>()
                .join(" ");
            return Rationale { text, named };
        }
        most -= 1;
    }
}

fn sentence(
    tastes: &[Attribute],
    features: &[Attribute],
    title: &str,
    most: usize,
    rng: &mut ChaCha8Rng,
) -> (String, Vec<Attribute>) {
    let shared: Vec<&Attribute> = tastes
        .iter()
        .filter(|taste| features.contains(taste))
        .take(most)
        .collect();
    // The reader is described by what is shared first, then by their other tastes.
    let others = tastes.iter().filter(|taste| !features.contains(taste));
    let mut reader: Vec<&Attribute> = shared.iter().copied().chain(others).take(most).collect();
    if reader.len() > 1 && once_in(rng, 3) {
        reader.swap(0, 1);
    }
    let frames = match (tastes.is_empty(), shared.is_empty()) {
        (true, _) => &UNKNOWN[..],
        (false, true) => &DIFFERENT[..],
        (false, false) if reader.len() > shared.len() && once_in(rng, 2) => &PARTLY[..],
        (false, false) => &SHARED[..],
    };
    let frame = pick(rng, frames);
    // "a noir set there" needs the place to be named before.
    let there = reader
        .iter()
        .find(|taste| taste.kind == "place")
        .map(|taste| taste.value.as_str());
    let there = there.filter(|_| frame.find("{N}") > frame.find("{W}"));
    let text = frame
        .replace("{W}", pick(rng, &WHO))
        .replace("{L}", &labels(reader.iter().copied()))
        .replace(
            "{N}",
            &described(&shared, features, title, most, there, rng),
        )
        .replace("{O}", &labels(shared.iter().copied()));
    (capital(&text), reader.into_iter().cloned().collect())
}

/// The item by what it shares with the reader and something of its own: its first genre, and now and then one more.
fn described(
    shared: &[&Attribute],
    features: &[Attribute],
    title: &str,
    most: usize,
    there: Option<&str>,
    rng: &mut ChaCha8Rng,
) -> String {
    let mut item: Vec<&Attribute> = shared.to_vec();
    let own: Vec<&Attribute> = features
        .iter()
        .filter(|feature| !shared.contains(feature) && feature.kind != TITLE)
        .collect();
    if !item.iter().any(|attribute| attribute.kind == "genre") {
        item.extend(own.iter().find(|attribute| attribute.kind == "genre"));
    }
    let rest: Vec<&Attribute> = own
        .into_iter()
        .filter(|attribute| attribute.kind != "genre")
        .collect();
    let more = usize::from(item.len() < 2 || (most > 1 && !once_in(rng, 3)));
    if let Some(extra) = rest.get(below(rng, rest.len())).filter(|_| more > 0) {
        item.push(extra);
    }
    if item.iter().all(|attribute| attribute.kind == TITLE) {
        return titled(shared, title, rng);
    }
    describe(rng, &item, title, there)
}

/// An item known by its title only: named by what it shares, or by the title.
fn titled(shared: &[&Attribute], title: &str, rng: &mut ChaCha8Rng) -> String {
    match shared.first() {
        Some(word) if once_in(rng, 2) => format!("another {} title", word.value),
        _ => brief(title),
    }
}
