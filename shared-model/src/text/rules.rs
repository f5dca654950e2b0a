//! What the measurements are used for: rules that a reason can be held to while texts are written and corrected.
//!
//! [`Rules::grounding`] is a reward in [0, 1] beside the score of METHOD §3; [`Rules::reason_flaws`] and
//! [`Rules::pattern_flaws`] count what is wrong with a text, so that whoever has it written can have it written again. They know
//! what the prompt knew and what may be seen at the moment (the caller sees to that), never the interaction's true causes.

use std::borrow::Borrow;

use super::strands::{TITLE, telling_strands};
use super::{
    Frequencies, Item, RenderOptions, Vocabulary, claims, hallucination, holds, mentions,
    misspeaks, said, strands, stutters, words,
};

/// Features that a pattern may name: of what repeats in a short history the third is often an accident (benches/LOG.md).
const STRANDS: usize = 2;

/// The rules over one catalogue.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    vocabulary: Vocabulary,
    frequencies: Frequencies,
    options: RenderOptions,
}

/// A reason's claims, counted for the rules.
struct Held {
    /// Claims of the item that its metadata has, and of the person that the prompt's pattern names.
    held: usize,
    /// All others.
    unheld: usize,
    /// It says nothing of an item of which there is something to say.
    silent: bool,
    /// It says the same thing twice.
    stutters: bool,
    /// It gives no cause though pattern and item share something.
    evasive: bool,
}

impl Rules {
    /// Rules over the attribute values of these items, which prompts show by `options`.
    pub fn new(items: &[Item], options: &RenderOptions) -> Self {
        Self {
            vocabulary: Vocabulary::of(items),
            frequencies: Frequencies::of(items, options),
            options: options.clone(),
        }
    }

    /// Share of a reason's claims that the prompt holds: those of the item by its metadata (what metadata is silent about is not
    /// held either: nobody told the writer), those of the person by the pattern. 0 for a reason that says nothing of the item
    /// though there is metadata, or the same thing twice in a row: being silent must not pay.
    pub fn grounding(&self, reason: &str, item: &Item, pattern: Option<&str>) -> f64 {
        let found = self.held(reason, item, pattern);
        if found.silent || found.stutters {
            return 0.0;
        }
        match found.held + found.unheld {
            0 => 1.0,
            claims => found.held as f64 / claims as f64,
        }
    }

    /// What is wrong with a reason: claims that the prompt does not hold, silence, saying the same thing twice, giving no cause
    /// though the pattern names something of the item, being no whole sentence or having an article that does not go with its word, and
    /// being equal to one of `others`, the item's reasons that may be seen.
    pub fn reason_flaws<'t>(
        &self,
        reason: &str,
        item: &Item,
        pattern: Option<&str>,
        others: impl IntoIterator<Item = &'t str>,
    ) -> usize {
        let found = self.held(reason, item, pattern);
        let own = words(reason);
        let repeated = others.into_iter().any(|other| words(other) == own);
        let flaws = [
            found.silent,
            found.stutters,
            found.evasive,
            misspeaks(reason),
            repeated,
        ];
        found.unheld + flaws.into_iter().filter(|flaw| *flaw).count()
    }

    /// What is wrong with a pattern: values that are not of the two most telling strands of the shown history, none at all though
    /// there are such strands, saying the same thing twice, being no whole sentence or having an article that does not go with its word.
    pub fn pattern_flaws(&self, pattern: &str, history: &[impl Borrow<Item>]) -> usize {
        let history: Vec<&Item> = history.iter().map(Borrow::borrow).collect();
        let found = strands(&history, &self.frequencies, &self.options);
        let telling = telling_strands(&found, STRANDS);
        let claimed = claims(pattern, &self.vocabulary);
        let runs = |value: &str| telling.iter().any(|strand| strand.feature.value == value);
        let unheld = claimed.iter().filter(|claim| !runs(&claim.value)).count();
        let silent =
            claimed.is_empty() && telling.iter().any(|strand| strand.feature.kind != TITLE);
        let flaws = [silent, self.repeats(pattern), misspeaks(pattern)];
        unheld + flaws.into_iter().filter(|flaw| *flaw).count()
    }

    /// Values that a pattern names and none of the shown titles has.
    pub fn pattern_unheld(&self, pattern: &str, history: &[impl Borrow<Item>]) -> usize {
        let claimed = claims(pattern, &self.vocabulary);
        let held = |claim: &_| history.iter().any(|item| holds(item.borrow(), claim));
        claimed.iter().filter(|claim| !held(claim)).count()
    }

    /// Claims of a reason that neither the item's metadata nor the pattern holds.
    pub fn reason_unheld(&self, reason: &str, item: &Item, pattern: Option<&str>) -> usize {
        self.held(reason, item, pattern).unheld
    }

    /// Whether a pattern names a value twice, or says the same words twice in a row.
    pub fn repeats(&self, pattern: &str) -> bool {
        let named = mentions(pattern, &self.vocabulary).len();
        named > claims(pattern, &self.vocabulary).len() || stutters(pattern)
    }

    fn held(&self, reason: &str, item: &Item, pattern: Option<&str>) -> Held {
        let said = said(reason, &self.vocabulary);
        let of_item = hallucination(&said.item, item);
        let pattern = pattern.map_or_else(Vec::new, |text| claims(text, &self.vocabulary));
        let named = |value: &str| pattern.iter().any(|own| own.value == value);
        let tastes = said
            .taste
            .iter()
            .filter(|taste| named(&taste.value))
            .count();
        let shared = pattern.iter().any(|taste| holds(item, taste));
        Held {
            held: of_item.verified + tastes,
            unheld: of_item.wrong + of_item.unverifiable + said.taste.len() - tastes,
            silent: said.item.is_empty() && !item.attributes.is_empty(),
            stutters: said.repeated > 0 || stutters(reason),
            evasive: shared && said.causes().next().is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Attribute;
    use super::*;

    fn item(values: &[(&str, &str)]) -> Item {
        Item {
            key: String::new(),
            title: String::new(),
            attributes: values
                .iter()
                .map(|&(kind, value)| Attribute {
                    kind: kind.into(),
                    value: value.into(),
                })
                .collect(),
        }
    }

    fn rules(items: &[Item]) -> Rules {
        Rules::new(items, &RenderOptions::default())
    }

    fn catalogue() -> [Item; 3] {
        [
            item(&[("genre", "noir"), ("place", "Oslo")]),
            item(&[("genre", "comedy"), ("place", "Lima"), ("person", "Quill")]),
            item(&[]),
        ]
    }

    #[test]
    fn grounding_is_the_share_of_claims_that_the_prompt_holds() {
        let items = catalogue();
        let rules = rules(&items);
        let pattern = Some("Likes noir.");
        let of = |reason: &str| rules.grounding(reason, &items[0], pattern);
        assert_eq!(of("For someone fond of noir: a noir set in Oslo."), 1.0);
        // Lima is wrong of the item, Quill cannot be known, comedy is no taste of the pattern: two of five claims hold.
        let text = "For someone fond of noir and comedy: a noir set in Lima by Quill.";
        assert_eq!(of(text), 2.0 / 5.0);
        assert_eq!(rules.grounding(text, &items[0], None), 1.0 / 5.0);
        assert_eq!(of("For the curious."), 0.0);
        assert_eq!(of("A noir noir."), 0.0);
        // Nothing is known of it, nothing is to be said.
        assert_eq!(rules.grounding("For the curious.", &items[2], None), 1.0);
    }

    #[test]
    fn flaws_are_counted() {
        let items = catalogue();
        let rules = rules(&items);
        let seen = ["A noir, in Oslo!", "Noir."];
        let of = |reason: &str| rules.reason_flaws(reason, &items[0], None, seen);
        assert_eq!(of("A noir set in Oslo."), 0);
        assert_eq!(of("a noir in Oslo."), 1, "said before");
        assert_eq!(of("A noir set in Oslo, by,."), 1, "no sentence");
        assert_eq!(of("An noir set in Oslo."), 1, "no English");
        assert_eq!(of("A noir of the the Oslo kind."), 1, "twice the");
        assert_eq!(of("For the curious."), 1, "silent");
        assert_eq!(
            of("Someone fond of comedy takes a noir noir set in Lima."),
            3
        );
        let given = |reason: &str| rules.reason_flaws(reason, &items[0], Some("Likes noir."), []);
        assert_eq!(given("A noir."), 1, "no cause");
        assert_eq!(given("A noir for someone who likes noir."), 0);
        assert_eq!(
            given("A noir for someone who likes noir, noir and noir."),
            1
        );
        let unheld = |reason: &str| rules.reason_unheld(reason, &items[0], Some("Likes noir."));
        assert_eq!(unheld("A noir."), 0, "no cause is nothing untrue");
        assert_eq!(unheld("A noir set in Lima, for someone fond of comedy."), 2);
    }

    #[test]
    fn a_pattern_names_what_runs_through_the_history() {
        let items = catalogue();
        let rules = rules(&items);
        // Noir and Oslo twice in three: strands. Comedy once: none.
        let history = [&items[0], &items[1], &items[0]];
        let of = |pattern: &str| rules.pattern_flaws(pattern, &history);
        assert_eq!(of("Likes noir, often with Oslo."), 0);
        assert_eq!(of("Likes noir; lately comedy."), 1);
        assert_eq!(of("Likes noir, often with noir."), 1, "twice");
        assert_eq!(of("Likes an noir."), 1, "no English");
        assert_eq!(of("Likes this and that."), 1, "silent");
        assert_eq!(rules.pattern_flaws("Is new here.", &[] as &[Item]), 0);
        // Comedy is no strand and yet held by one of them; the third one has no attributes at all.
        let unheld = |pattern: &str, of: &[&Item]| rules.pattern_unheld(pattern, of);
        assert_eq!(unheld("Likes noir; lately comedy.", &history), 0);
        assert_eq!(unheld("Likes noir; lately comedy.", &history[..1]), 1);
        assert_eq!(unheld("Likes noir and Oslo.", &[&items[2]]), 2);
        assert_eq!(unheld("Likes this and that.", &[&items[2]]), 0);
    }

    proptest::proptest! {
        #[test]
        fn rewards_stay_between_0_and_1(reason in "[a-zA-Z ,.:]{0,60}", other in "[a-z ]{0,40}") {
            let items = catalogue();
            let grounding = rules(&items).grounding(&reason, &items[0], Some(&other));
            proptest::prop_assert!((0.0..=1.0).contains(&grounding));
        }
    }
}
