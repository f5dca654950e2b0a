//! Warm-up targets: what a good answer looks like, written from nothing but what the prompt shows.
//!
//! Every claim is true of the shown metadata: a pattern names features that the shown history repeats (or the one that
//! stands out most), and what is said of an item is in its line of the prompt. Which of several repeated features are
//! worth naming is weighed by how common they are in the catalogue; behaviour of other people plays no part.
//! An alignment rationale first names the pattern, then which candidates hold which of it, and only then decides: the
//! pattern and the comparison do not depend on the answer, so a model can write them before it knows it.

use rand_chacha::ChaCha8Rng;

use super::phrases::words;
use super::render::{RenderOptions, shown_title};
use super::strands::{Frequencies, features, strands, telling_strands};
use super::thinking::{comparison, decision, holders, opening};
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
        let lead = self.options.lead();
        let found = strands(history, &self.frequencies, &self.options);
        let named = telling_strands(&found, 2);
        let held = holders(named, candidates, &self.options);
        let mut shown = 2;
        loop {
            let mut parts = vec![opening(named, history, &self.options, rng)];
            if shown > 0 {
                parts.push(comparison(&held, shown, &self.options, rng));
            }
            parts.extend(decision(&held, target, &title, rng));
            let think = parts.join(" ");
            if words(&think) <= MAX_THINK_WORDS || shown == 0 {
                let think = think
                    .split(' ')
                    .take(MAX_THINK_WORDS)
                    .collect::<Vec<_>>()
                    .join(" ");
                return Rationale {
                    text: format!("<think>{think}</think><answer>{lead}{title}</answer>"),
                    named: named.iter().map(|strand| strand.feature.clone()).collect(),
                };
            }
            shown -= 1;
        }
    }

    /// The beginning of such a completion, up to the end of its first sentence: what the history shows, whatever is taken
    /// next.
    pub fn opening(&self, history: &[&Item], rng: &mut ChaCha8Rng) -> String {
        let found = strands(history, &self.frequencies, &self.options);
        let sentence = opening(telling_strands(&found, 2), history, &self.options, rng);
        format!("<think>{sentence}")
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
}
