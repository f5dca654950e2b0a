//! METHOD §3, step 4: the updated LLM writes patterns and reasons of a window anew, and the stores move on.
//!
//! A window's texts are written together: one at a time a token costs as much as it does for all.

use anyhow::Result;

use super::{Candidate, CorrectionEvent, Corrector, Sampled};
use crate::grpo::group_advantages;
use crate::llm::LanguageModel;
use crate::reward::stores::{PatternEntry, PatternStore, ReasonEntry, ReasonStore};
use crate::stages::generate::{encode, pattern_turns, reason_turns, write_texts};

impl Corrector<'_> {
    /// The updated LLM writes the patterns and then the reasons of a window anew; both stores move on.
    pub(super) fn rewrite(
        &self,
        policy: &LanguageModel,
        window: Vec<Sampled>,
        sampled_by: u64,
        patterns: &mut PatternStore,
        reasons: &mut ReasonStore,
    ) -> Result<Vec<CorrectionEvent>> {
        let seed = self.context.config.seed ^ 0x72_65_77_72 ^ (sampled_by << 20);
        let rewritten = self.rewrite_patterns(policy, &window, sampled_by, seed, patterns)?;
        let texts =
            self.rewrite_reasons(policy, &window, sampled_by, seed ^ 1, patterns, reasons)?;
        let epsilon = self.context.config.correct.grpo.advantage_epsilon;
        let event = |((one, pattern), reason): ((Sampled, _), _)| {
            let advantages = group_advantages(&one.rewards, epsilon).values;
            let candidates = one.texts.into_iter().zip(one.rewards).zip(advantages);
            CorrectionEvent {
                time: self.dataset.histories[one.user][one.position].time,
                user: one.user as u32,
                position: one.position as u32,
                item: one.item,
                policy_version: sampled_by,
                baseline: one.baseline,
                candidates: candidates
                    .map(|((text, reward), advantage)| Candidate {
                        text,
                        reward,
                        advantage,
                    })
                    .collect(),
                reason,
                pattern,
            }
        };
        let events = window.into_iter().zip(rewritten).zip(texts);
        Ok(events.map(event).collect())
    }

    /// Each pattern that is known at an interaction of the window is written once from the events it was written from
    /// before. Returns, per interaction, the text before and after.
    fn rewrite_patterns(
        &self,
        policy: &LanguageModel,
        window: &[Sampled],
        sampled_by: u64,
        seed: u64,
        patterns: &mut PatternStore,
    ) -> Result<Vec<Option<[String; 2]>>> {
        let config = self.context.config;
        // The place of an interaction's pattern among those to be written.
        let mut places = Vec::with_capacity(window.len());
        let mut rows = Vec::new();
        let mut old: Vec<PatternEntry> = Vec::new();
        let mut prompts = Vec::new();
        for one in window {
            let past = self.timeline.past(one.user, one.position)?;
            let Some(row) = past.pattern(patterns) else {
                places.push(None);
                continue;
            };
            let known = rows.iter().position(|other| *other == row);
            places.push(Some(known.unwrap_or(rows.len())));
            if known.is_none() {
                let entry = patterns.entry(row).clone();
                let events = &past.history()[..entry.upto as usize];
                let turns = pattern_turns(self.dataset, events, config);
                prompts.push(policy.tokenizer.prompt(&turns)?);
                rows.push(row);
                old.push(entry);
            }
        }
        let texts = write_texts(policy, &prompts, config, seed, |_| true)?;
        if !config.correct.freeze_texts {
            let vectors = encode(&self.encoder, texts.iter().map(String::as_str))?;
            for ((entry, text), vector) in old.iter().zip(&texts).zip(&vectors) {
                let entry = PatternEntry {
                    text: text.clone(),
                    policy_version: sampled_by + 1,
                    ..entry.clone()
                };
                patterns.insert(&self.timeline, entry, vector)?;
            }
        }
        let pair = |place: Option<usize>| {
            place.map(|place| [old[place].text.clone(), texts[place].clone()])
        };
        Ok(places.into_iter().map(pair).collect())
    }

    /// The reason of each interaction of the window, given the patterns as they now are. Returns the texts before and after.
    fn rewrite_reasons(
        &self,
        policy: &LanguageModel,
        window: &[Sampled],
        sampled_by: u64,
        seed: u64,
        patterns: &PatternStore,
        reasons: &mut ReasonStore,
    ) -> Result<Vec<[String; 2]>> {
        let config = self.context.config;
        let mut prompts = Vec::with_capacity(window.len());
        for one in window {
            let past = self.timeline.past(one.user, one.position)?;
            let known = past.pattern(patterns).map(|row| &patterns.entry(row).text);
            let turns = reason_turns(self.dataset, known.map(String::as_str), one.item, config);
            prompts.push(policy.tokenizer.prompt(&turns)?);
        }
        let texts = write_texts(policy, &prompts, config, seed, |_| true)?;
        let vectors = encode(&self.encoder, texts.iter().map(String::as_str))?;
        let mut pairs = Vec::with_capacity(window.len());
        for ((one, text), vector) in window.iter().zip(texts).zip(&vectors) {
            let (user, position) = (one.user as u32, one.position as u32);
            let old = reasons.of_source(user, position);
            let old = old.map(|row| reasons.entry(row).text.clone());
            if !config.correct.freeze_texts {
                let entry = ReasonEntry {
                    item: one.item,
                    user,
                    position,
                    time: self.dataset.histories[one.user][one.position].time,
                    text: text.clone(),
                    policy_version: sampled_by + 1,
                };
                reasons.insert(&self.timeline, entry, vector)?;
            }
            pairs.push([old.unwrap_or_default(), text]);
        }
        Ok(pairs)
    }
}
