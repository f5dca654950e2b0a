//! The think part of an alignment rationale (METHOD §1): the pattern, the comparison, the decision.

use rand_chacha::ChaCha8Rng;

use super::phrases::{below, brief, capital, labels, pick};
use super::render::{RenderOptions, shown_title};
use super::strands::{Strand, TITLE, features};
use crate::data::{Attribute, Item};

/// A candidate with the pattern features it holds.
pub struct Holder<'a> {
    item: &'a Item,
    title: String,
    held: Vec<Attribute>,
    place: usize,
    /// Its line from the first held feature on: `hopeful 2010s Dufour: Scarlet Frost`.
    quote: String,
}

/// Candidates that hold at least one of the named strands, in the prompt's order.
pub fn holders<'a>(
    named: &[Strand],
    candidates: &[&'a Item],
    options: &RenderOptions,
) -> Vec<Holder<'a>> {
    candidates
        .iter()
        .enumerate()
        .filter_map(|(place, &item)| {
            let own = features(item, options);
            let held: Vec<Attribute> = named
                .iter()
                .map(|strand| strand.feature.clone())
                .filter(|feature| own.contains(feature))
                .collect();
            let title = brief(&shown_title(item, options));
            let first = own.iter().position(|feature| held.contains(feature));
            let quoted: Vec<&str> = own[first.unwrap_or(0)..]
                .iter()
                .map(|feature| feature.value.as_str())
                .collect();
            let quote = format!("{}: {title}", quoted.join(&options.separator));
            (!held.is_empty()).then_some(Holder {
                item,
                title,
                held,
                place,
                quote,
            })
        })
        .collect()
}

/// Of many holders the `most` that hold most, in the prompt's order.
fn leading<'h, 'a>(holders: &'h [Holder<'a>], most: usize) -> Vec<&'h Holder<'a>> {
    let mut leading: Vec<&Holder> = holders.iter().collect();
    leading.sort_by_key(|holder| std::cmp::Reverse(holder.held.len()));
    leading.truncate(most);
    leading.sort_by_key(|holder| holder.place);
    leading
}

/// The pattern: the named features, set apart by drift where the last three items show one.
pub fn opening(
    named: &[Strand],
    history: &[&Item],
    options: &RenderOptions,
    rng: &mut ChaCha8Rng,
) -> String {
    if named.is_empty() || named[0].count < 2 {
        return opening_without_pattern(named, history, options, rng);
    }
    let (rising, steady): (Vec<&Strand>, Vec<&Strand>) =
        named.iter().partition(|strand| strand.rising);
    let tell = |strands: &[&Strand]| labels(strands.iter().map(|strand| &strand.feature));
    let frames = [
        "The history keeps returning to {L}",
        "The picks so far share {L}",
        "What repeats is {L}",
        "The thread here is {L}",
        "Mostly {L} so far",
        "This history leans on {L}",
        "Again and again, {L}",
        "There is a clear taste for {L}",
        "The pattern is {L}",
        "Most often it is {L}",
        "Past choices point to {L}",
        "This person comes back to {L}",
    ];
    let only = [
        "Lately it is {L}",
        "The latest picks turn to {L}",
        "Of late, {L}",
        "The newest interest is {L}",
    ];
    let added = [
        "{S}, lately also {R}",
        "{S}, and of late {R}",
        "{S}, more recently {R}",
        "{S}, with {R} newly added",
    ];
    if steady.is_empty() {
        return pick(rng, &only).replace("{L}", &tell(&rising)) + ".";
    }
    let whole = if rising.is_empty() {
        tell(&steady)
    } else {
        pick(rng, &added)
            .replace("{S}", &tell(&steady))
            .replace("{R}", &tell(&rising))
    };
    // "Mostly … so far" closes a clause; a drift inside it would read badly.
    let frames: &[&str] = if rising.is_empty() {
        &frames
    } else {
        &frames[5..]
    };
    pick(rng, frames).replace("{L}", &whole) + "."
}

/// Nothing repeats: the feature that stands out most, or the latest titles.
fn opening_without_pattern(
    named: &[Strand],
    history: &[&Item],
    options: &RenderOptions,
    rng: &mut ChaCha8Rng,
) -> String {
    let latest: Vec<String> = history
        .iter()
        .rev()
        .take(2)
        .map(|item| brief(&shown_title(item, options)))
        .collect();
    let frame = match (named, latest.as_slice()) {
        ([strand, ..], _) if strand.feature.kind != TITLE => {
            let frames = [
                "Nothing repeats; {L} stands out",
                "No clear thread, at most {L}",
                "A mixed history, with {L} in it",
                "Varied picks, {L} among them",
            ];
            pick(rng, &frames).replace("{L}", &labels([&strand.feature]))
        }
        (_, [last, before]) => {
            let frames = [
                "The latest picks are {B} and {A}",
                "After {B} came {A}",
                "Last taken: {B}, then {A}",
                "This person has just taken {B} and {A}",
            ];
            pick(rng, &frames)
                .replace("{A}", last)
                .replace("{B}", before)
        }
        (_, [last]) => pick(rng, &["Only {A} is known", "So far just {A}"]).replace("{A}", last),
        _ => pick(rng, &["Nothing is known yet", "No history to go by"]).to_string(),
    };
    frame + "."
}

/// Which candidates hold which of it, in the prompt's order; of many, the `most` that hold most.
///
/// Where attributes stand before titles, candidates are quoted from the first feature that matters on: what is read off a
/// line is written in the line's order, which even a small model can do.
pub fn comparison(
    holders: &[Holder<'_>],
    most: usize,
    options: &RenderOptions,
    rng: &mut ChaCha8Rng,
) -> String {
    let alone = holders.len() == 1;
    let shown = leading(holders, most);
    let by_title = |holder: &&Holder| holder.held.iter().all(|own| own.kind == TITLE);
    if shown.is_empty() || !options.title_last || shown.iter().any(by_title) {
        return told(&shown, alone, rng);
    }
    let quotes: Vec<&str> = shown.iter().map(|holder| holder.quote.as_str()).collect();
    let frames: &[&str] = if alone {
        &[
            "Only {Q}",
            "Just {Q}",
            "Here {Q}",
            "Among these {Q}",
            "There is {Q}",
        ]
    } else {
        &[
            "Here {Q}",
            "Compare {Q}",
            "Among these {Q}",
            "There is {Q}",
            "See {Q}",
        ]
    };
    pick(rng, frames).replace("{Q}", &quotes.join("; ")) + "."
}

/// In words: titles and what they hold. `alone`: no other candidate holds anything.
fn told(holders: &[&Holder<'_>], alone: bool, rng: &mut ChaCha8Rng) -> String {
    let verb = pick(
        rng,
        &[
            "has", "offers", "brings", "shares", "holds", "gives", "carries",
        ],
    );
    let clause = |frame: &str| -> Vec<String> {
        let clauses = holders.iter().map(|holder| {
            frame
                .replace("{T}", &holder.title)
                .replace("{V}", verb)
                .replace("{L}", &labels(&holder.held))
        });
        clauses.collect()
    };
    let text = match holders {
        [] => pick(rng, &NO_HOLDER).to_string(),
        [_] if !alone => capital(&clause("{T} {V} {L}").concat()),
        [_] => {
            let frames = [
                "Only {T} {V} {L}",
                "Of these only {T} {V} {L}",
                "Just {T} {V} {L}",
                "Here {T} {V} {L}",
                "{T} {V} {L}",
                "There is {L} only in {T}",
                "Among these, {T} {V} {L}",
                "{T} alone {V} {L}",
            ];
            capital(&clause(pick(rng, &frames)).concat())
        }
        _ => match below(rng, 5) {
            0 => clause("{T}: {L}").join(". "),
            1 => clause("{T} ({L})").join(", "),
            2 => "There is ".to_owned() + &clause("{L} in {T}").join("; "),
            3 => clause("{T} {V} {L}").join("; "),
            _ => {
                let first = clause("{T} {V} {L}").into_iter().take(1);
                first
                    .chain(clause("{T} {L}").into_iter().skip(1))
                    .collect::<Vec<_>>()
                    .join("; ")
            }
        },
    };
    text + "."
}

const NO_HOLDER: [&str; 8] = [
    "None of the candidates repeats it",
    "No candidate holds that",
    "Nothing offered matches",
    "None of these fits it",
    "That is not on offer",
    "The candidates share none of it",
    "No candidate continues it",
    "None carries it on",
];

/// The choice, said honestly: best, one of several equals, or not what the pattern suggests.
pub fn decision(
    holders: &[Holder<'_>],
    target: &Item,
    title: &str,
    rng: &mut ChaCha8Rng,
) -> Option<String> {
    let title = brief(title);
    let best = holders
        .iter()
        .map(|holder| holder.held.len())
        .max()
        .unwrap_or(0);
    let own = holders
        .iter()
        .find(|holder| std::ptr::eq(holder.item, target))
        .map_or(0, |holder| holder.held.len());
    let equals = holders
        .iter()
        .filter(|holder| holder.held.len() == best)
        .count();
    let frames: &[&str] = if own == 0 {
        &[
            "Perhaps {T}, for a change.",
            "Still, {T} may be the turn.",
            "A change, then: {T}.",
            "{T} would be new.",
            "Rather something else: {T}.",
            "Even so, {T}.",
            "My guess is {T}.",
            "{T} would be a detour.",
        ]
    } else if own < best {
        &[
            "Still, {T}.",
            "Yet {T} may come first.",
            "Even so, {T}.",
            "I would try {T}.",
            "Perhaps {T} this time.",
            "{T} all the same.",
            "My guess is {T}.",
            "{T} could be next.",
        ]
    } else if equals > 1 {
        &[
            "Between them, {T}.",
            "A close call: {T}.",
            "Of these, {T}.",
            "{T} by a little.",
            "I pick {T}.",
            "{T} seems likelier.",
            "Then {T}.",
            "It could well be {T}.",
        ]
    } else {
        &[
            "So {T}.",
            "{T} fits best.",
            "That makes it {T}.",
            "Hence {T}.",
            "{T} is the match.",
            "{T} comes closest.",
            "That decides it.",
            "The closest is {T}.",
            "{T} it is.",
        ]
    };
    Some(pick(rng, frames).replace("{T}", &title))
}
