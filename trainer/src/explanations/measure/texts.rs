//! What is measured of texts alone: what they claim, and how lists of them differ.

use super::super::causes::cause_counts;
use super::super::diversity::lists;
use super::super::grounding::ground;
use super::super::results::Tally;
use super::{LISTS, TASTE_RECALL};
use crate::data::Item;
use crate::past::{LeakError, Timeline};
use crate::reward::Features;
use crate::reward::stores::ReasonEntry;
use crate::text::{Frequencies, Vocabulary, claims, said, stutters};

/// The reasons that are wanted.
pub(super) fn wanted_texts<'a>(
    features: &Features<'a>,
    wanted: &dyn Fn(&ReasonEntry) -> bool,
) -> Vec<&'a str> {
    let entries = features.reasons.entries().iter();
    entries
        .filter(|entry| wanted(entry))
        .map(|entry| entry.text.as_str())
        .collect()
}

/// What texts are judged by.
pub(super) struct Judge {
    pub(super) vocabulary: Vocabulary,
    pub(super) shares: Frequencies,
}

impl Judge {
    /// Grounding and causes of the wanted reasons, per person.
    pub(super) fn texts(
        &self,
        features: &Features,
        wanted: &dyn Fn(&ReasonEntry) -> bool,
    ) -> Result<Tally, LeakError> {
        let timeline = features.timeline;
        let mut tally = Tally::new(timeline.data().users.len());
        for entry in features
            .reasons
            .entries()
            .iter()
            .filter(|entry| wanted(entry))
        {
            self.reason(features, &timeline, entry, &mut tally)?;
        }
        Ok(tally)
    }

    fn reason(
        &self,
        features: &Features,
        timeline: &Timeline,
        entry: &ReasonEntry,
        tally: &mut Tally,
    ) -> Result<(), LeakError> {
        let data = timeline.data();
        let (user, position) = (entry.user as usize, entry.position as usize);
        let past = timeline.past(user, position)?;
        let pattern = past
            .pattern(features.patterns)
            .map(|row| claims(&features.patterns.entry(row).text, &self.vocabulary));
        let history: Vec<&Item> = past
            .history()
            .iter()
            .map(|event| &data.items[event.item as usize])
            .collect();
        let item = &data.items[entry.item as usize];
        let said = said(&entry.text, &self.vocabulary);
        let found = ground(
            &said,
            item,
            &pattern.unwrap_or_default(),
            &history,
            &self.shares,
        );
        let (of, taste) = (found.item, found.taste);
        let told = (of.verified + of.wrong) as f64;
        let claimed = told + of.unverifiable as f64;
        let mut add = |name, sum: usize, cases: f64| tally.add(name, user, sum as f64, cases);
        add("hallucination rate", of.wrong, told);
        add("reasons that hallucinate", usize::from(of.wrong > 0), 1.0);
        add("unverifiable claims", of.unverifiable, claimed);
        add("claims a reason", said.item.len(), 1.0);
        add("tastes a reason", taste.claimed, 1.0);
        add(
            "tastes in the pattern",
            taste.in_pattern,
            taste.claimed as f64,
        );
        add(
            "tastes in the history",
            taste.in_history,
            taste.claimed as f64,
        );
        add("unfounded tastes", taste.unfounded, taste.claimed as f64);
        add(
            "reasons that stutter",
            usize::from(stutters(&entry.text)),
            1.0,
        );
        if let Some(causes) = &data.causes {
            let found = cause_counts(&said, &causes[user][position], item);
            add("cause precision", found.right, found.claimed as f64);
            add(
                "cause precision by chance",
                found.tastes,
                found.attributes as f64,
            );
            add("cause recall", found.right, found.causes as f64);
            add(TASTE_RECALL, found.right, found.tastes as f64);
        }
        Ok(())
    }
}

/// What is different within each item's list, per item.
pub(super) fn list_tally(features: &Features) -> Tally {
    let items = features.timeline.data().items.len();
    let mut texts: Vec<Vec<&str>> = vec![Vec::new(); items];
    for entry in features.reasons.entries() {
        texts[entry.item as usize].push(&entry.text);
    }
    let mut tally = Tally::new(items);
    for (item, list) in texts.into_iter().enumerate() {
        let found = lists([list]);
        let [all_different, counted] = [found.all_different, found.lists].map(|n| n as f64);
        let [different, reasons] = [found.different, found.reasons].map(|n| n as f64);
        tally.add(LISTS[0], item, all_different, counted);
        tally.add(LISTS[1], item, different, reasons);
    }
    tally
}
