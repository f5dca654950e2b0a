//! Warm-up targets: what a good answer looks like, written from nothing but what the prompt shows.
//!
//! Every claim is true of the shown metadata: a pattern names features that the shown history repeats (or the one that
//! stands out most), and what is said of an item is in its line of the prompt. Which of several repeated features are
//! worth naming is weighed by how common they are in the catalogue; behaviour of other people plays no part.
//! An alignment rationale first names the pattern, then which candidates hold which of it, and only then decides: the
//! pattern and the comparison do not depend on the answer, so a model can write them before it knows it.

use rand_chacha::ChaCha8Rng;

use super::phrases::{below, brief, capital, labels, once_in, pick, words};
use super::render::{RenderOptions, shown_title};
use super::strands::{Frequencies, Strand, features, strands, telling_strands};
use super::{patterns, reasons};
use crate::data::{Attribute, Item};

/// Longest think part, in words.
pub const MAX_THINK_WORDS: usize = 40;
/// Longest pattern, in words.
pub const MAX_PATTERN_WORDS: usize = 25;
/// Longest reason, in words.
pub const MAX_REASON_WORDS: usize = 25;

/// A written rationale and the features it names as those of the person (not of single items).
#[derive(Debug, Clone, PartialEq)]
pub struct Rationale {
    /// The text as the assistant would say it.
    pub text: String,
    /// Features named as the person's pattern; give a pattern's to [`Known::Pattern`] for a reason.
    pub named: Vec<Attribute>,
}

/// What a reason may know of its reader.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// The features that the pattern in the prompt names.
    Pattern(&'a [Attribute]),
    /// The history shown (oldest first).
    History(&'a [&'a Item]),
    /// Nothing.
    Nothing,
}

/// Writes rationales for one catalogue.
#[derive(Debug, Clone, Default)]
pub struct RationaleWriter {
    pub(super) frequencies: Frequencies,
    pub(super) options: RenderOptions,
}

impl RationaleWriter {
    /// A writer that knows how common each attribute is among these items.
    pub fn new<'a>(catalogue: impl IntoIterator<Item = &'a Item>, options: RenderOptions) -> Self {
        Self {
            frequencies: Frequencies::of(catalogue, &options),
            options,
        }
    }

    /// The options under which prompts must show items.
    pub fn options(&self) -> &RenderOptions {
        &self.options
    }

    /// The whole completion of an alignment prompt (METHOD §1): `<think>…</think><answer>TITLE</answer>`.
    /// `history` is oldest first and `target` one of `candidates`.
    pub fn alignment(
        &self,
        history: &[&Item],
        candidates: &[&Item],
        target: &Item,
        rng: &mut ChaCha8Rng,
    ) -> Rationale {
        let title = shown_title(target, &self.options);
        let found = strands(history, &self.frequencies, &self.options);
        let most = 2 + usize::from(!once_in(rng, 3));
        let mut shown = 3;
        loop {
            let named = telling_strands(&found, most.min(shown.max(1) + 1));
            let holders = self.holders(named, candidates, shown);
            let mut parts = vec![opening(named, history, &self.options, rng)];
            parts.push(comparison(&holders, rng));
            parts.extend(decision(&holders, target, &title, rng));
            let think = parts.join(" ");
            if words(&think) <= MAX_THINK_WORDS || shown == 0 {
                let think = think
                    .split(' ')
                    .take(MAX_THINK_WORDS)
                    .collect::<Vec<_>>()
                    .join(" ");
                return Rationale {
                    text: format!("<think>{think}</think><answer>{title}</answer>"),
                    named: named.iter().map(|strand| strand.feature.clone()).collect(),
                };
            }
            shown -= 1;
        }
    }

    /// METHOD §2, `P_u`: one sentence on what the person with this history (oldest first) looks for.
    pub fn pattern(&self, history: &[&Item], rng: &mut ChaCha8Rng) -> Rationale {
        let found = strands(history, &self.frequencies, &self.options);
        let titles: Vec<String> = history
            .iter()
            .rev()
            .take(2)
            .map(|item| shown_title(item, &self.options))
            .collect();
        patterns::write(&found, &titles, rng)
    }

    /// METHOD §2, `r_{u,i}`: one sentence on who takes this item, and why, from the reader's side.
    pub fn reason(&self, known: Known<'_>, item: &Item, rng: &mut ChaCha8Rng) -> Rationale {
        let tastes: Vec<Attribute> = match known {
            Known::Pattern(attributes) => attributes.to_vec(),
            Known::History(history) => {
                let found = strands(history, &self.frequencies, &self.options);
                telling_strands(&found, 3)
                    .iter()
                    .map(|strand| strand.feature.clone())
                    .collect()
            }
            Known::Nothing => Vec::new(),
        };
        let features = features(item, &self.options);
        reasons::write(&tastes, &features, &shown_title(item, &self.options), rng)
    }

    /// Candidates that hold at least one of the named strands, in the prompt's order; of many, the `most` that hold most.
    fn holders<'a>(
        &self,
        named: &[Strand],
        candidates: &[&'a Item],
        most: usize,
    ) -> Vec<Holder<'a>> {
        let mut holders: Vec<Holder<'a>> = candidates
            .iter()
            .enumerate()
            .filter_map(|(place, &item)| {
                let own = features(item, &self.options);
                let held: Vec<Attribute> = named
                    .iter()
                    .map(|strand| strand.feature.clone())
                    .filter(|feature| own.contains(feature))
                    .collect();
                let title = brief(&shown_title(item, &self.options));
                (!held.is_empty()).then_some(Holder {
                    item,
                    title,
                    held,
                    place,
                })
            })
            .collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.held.len()));
        holders.truncate(most);
        holders.sort_by_key(|holder| holder.place);
        holders
    }
}

/// A candidate with the pattern features it holds.
struct Holder<'a> {
    item: &'a Item,
    title: String,
    held: Vec<Attribute>,
    place: usize,
}

/// The pattern: the named features, set apart by drift where the last three items show one.
fn opening(
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
        ([strand, ..], _) if strand.feature.kind != super::strands::TITLE => {
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

/// Which candidates hold which of it, in the prompt's order.
fn comparison(holders: &[Holder<'_>], rng: &mut ChaCha8Rng) -> String {
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
        [_] => {
            let frames = [
                "Only {T} {V} {L}",
                "Of these only {T} {V} {L}",
                "Just {T} {V} {L}",
                "Here {T} {V} {L}",
                "{T} {V} {L}",
                "{L}: only in {T}",
                "Among these, {T} {V} {L}",
                "{T} alone {V} {L}",
            ];
            capital(&clause(pick(rng, &frames)).concat())
        }
        _ => match below(rng, 5) {
            0 => clause("{T}: {L}").join(". "),
            1 => clause("{T} ({L})").join(", "),
            2 => capital(&clause("{L} in {T}").join("; ")),
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
fn decision(
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
    Some(pick(rng, frames).replace("{T}", &title)).filter(|_| below(rng, 8) != 0)
}
