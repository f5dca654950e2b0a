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
/// The item holds something of it: `{W}` who, `{N}` the item described, `{O}` what they share.
const SHARED: [&str; 16] = [
    "For {W}: {N}.",
    "A natural next step for {W}: {N}.",
    "Suits {W}, being {N}.",
    "Picked by {W}, since it is {N}.",
    "This is {N}, right for {W}.",
    "With {O}, it speaks to {W}.",
    "It offers {O} to {W}.",
    "What draws {W} here is {O}.",
    "{O} again, so it fits {W}.",
    "{W} takes it for {O}.",
    "{W} finds {O} here: {N}.",
    "Here is {N}, made for {W}.",
    "Because of {O} it appeals to {W}.",
    "{W} will want {N}.",
    "More of {O}, for {W}.",
    "{W} gets {N}.",
];
/// It holds nothing of it.
const DIFFERENT: [&str; 12] = [
    "A change of pace from {L}: {N}.",
    "Away from {L} for once: {N}.",
    "For {W}, ready for something else: {N}.",
    "Not the usual {L}, but {N}.",
    "Someone used to {L} might try {N} in between.",
    "Nothing of {L} here; {N} instead.",
    "A side step from {L}: {N}.",
    "For {W}, on a day off: {N}.",
    "{W} may still be curious about {N}.",
    "Outside {L}, yet worth a look: {N}.",
    "A break from {L}, being {N}.",
    "No {L} this time, rather {N}.",
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
    let mut most = 2 + below(rng, 2);
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
    // The item is described by what is shared and something of its own.
    let own: Vec<&Attribute> = features
        .iter()
        .filter(|feature| !shared.contains(feature) && feature.kind != TITLE)
        .collect();
    let mut item: Vec<&Attribute> = shared.clone();
    let extra = if most > 1 {
        1 + below(rng, 2)
    } else {
        usize::from(shared.is_empty())
    };
    let start = below(rng, own.len());
    item.extend(own.iter().cycle().skip(start).take(extra.min(own.len())));
    let described = if item.iter().all(|attribute| attribute.kind == TITLE) {
        titled(&shared, title, rng)
    } else {
        describe(rng, &item, title)
    };
    let frames: &[&str] = match (tastes.is_empty(), shared.is_empty()) {
        (true, _) => &UNKNOWN,
        (false, true) => &DIFFERENT,
        (false, false) => &SHARED,
    };
    let reader_list = labels(reader.iter().copied());
    let text = pick(rng, frames)
        .replace("{W}", pick(rng, &WHO))
        .replace("{L}", &reader_list)
        .replace("{N}", &described)
        .replace("{O}", &labels(shared.iter().copied()));
    (capital(&text), reader.into_iter().cloned().collect())
}

/// An item known by its title only: named by what it shares, or by the title.
fn titled(shared: &[&Attribute], title: &str, rng: &mut ChaCha8Rng) -> String {
    match shared.first() {
        Some(word) if once_in(rng, 2) => format!("another {} title", word.value),
        _ => brief(title),
    }
}
