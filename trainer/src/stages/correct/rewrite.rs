//! METHOD §3, step 4: the updated LLM writes patterns and reasons of a window anew, and the stores move on.
//!
//! A window's texts are written together: one at a time a token costs as much as it does for all.

use anyhow::Result;

use super::{Candidate, CorrectionEvent, Corrector, Sampled, Situation};
use crate::grpo::Advantages;
use crate::llm::LanguageModel;
use crate::reward::stores::{PatternEntry, PatternStore, ReasonEntry, ReasonStore};
use crate::stages::generate::{encode, pattern_turns, shown_history, write_texts};

impl Corrector<'_> {
    /// Vectors of new texts, by the encoder of the old ones.
    pub(super) fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let kind = self.context.config.generate.text_vector;
        encode(&self.encoder, texts.iter().map(String::as_str), kind)
    }

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
        let rewards: Vec<&[f64]> = window.iter().map(|one| one.rewards.as_slice()).collect();
        let advantages = self.context.config.correct.grpo.advantages(&rewards);
        let event = |(((one, advantages), pattern), reason): (((Sampled, Advantages), _), _)| {
            let candidates = one
                .texts
                .into_iter()
                .zip(one.parts)
                .zip(one.rewards)
                .zip(advantages.values);
            CorrectionEvent {
                time: self.dataset.histories[one.user][one.position].time,
                user: one.user as u32,
                position: one.position as u32,
                item: one.item,
                policy_version: sampled_by,
                baseline: one.baseline,
                candidates: candidates
                    .map(|(((text, parts), reward), advantage)| Candidate {
                        text,
                        reward,
                        parts,
                        advantage,
                    })
                    .collect(),
                reason,
                pattern,
            }
        };
        let events = window.into_iter().zip(advantages).zip(rewritten).zip(texts);
        Ok(events.map(event).collect())
    }

    /// The pattern known at each interaction is written again from the events it was written from before. Returns, per
    /// interaction, the text before and after.
    fn rewrite_patterns(
        &self,
        policy: &LanguageModel,
        window: &[Sampled],
        sampled_by: u64,
        seed: u64,
        patterns: &mut PatternStore,
    ) -> Result<Vec<Option<[String; 2]>>> {
        let config = self.context.config;
        let mut old: Vec<Option<PatternEntry>> = Vec::with_capacity(window.len());
        let mut prompts = Vec::with_capacity(window.len());
        for one in window {
            let past = self.timeline.past(one.user, one.position)?;
            let known = past
                .pattern(patterns)
                .map(|row| patterns.entry(row).clone());
            if let Some(entry) = &known {
                let events = &past.history()[..entry.upto as usize];
                let turns = pattern_turns(self.dataset, events, config);
                prompts.push(policy.tokenizer.prompt(&turns)?);
            }
            old.push(known);
        }
        let snapshots: Vec<&PatternEntry> = old.iter().flatten().collect();
        let flaws = |place: usize, text: &str, _: &[String]| {
            let PatternEntry { user, upto, .. } = snapshots[place];
            let events = &self.dataset.histories[*user as usize][..*upto as usize];
            let history = shown_history(self.dataset, events, config);
            self.rules.pattern_flaws(text, &history)
        };
        let texts = write_texts(policy, &prompts, config, seed, flaws, |_| true)?.texts;
        if !config.correct.freeze_texts {
            let vectors = self.vectors(&texts)?;
            for ((entry, text), vector) in old.iter().flatten().zip(&texts).zip(&vectors) {
                let entry = PatternEntry {
                    text: text.clone(),
                    policy_version: sampled_by + 1,
                    ..entry.clone()
                };
                patterns.insert(&self.timeline, entry, vector)?;
            }
        }
        let mut texts = texts.into_iter();
        let pair =
            |entry: Option<PatternEntry>| entry.and_then(|entry| Some([entry.text, texts.next()?]));
        Ok(old.into_iter().map(pair).collect())
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
        let prompts = window
            .iter()
            .map(|one| self.reason_prompt(policy, one.user, one.position, patterns))
            .collect::<Result<Vec<_>>>()?;
        let seen = window
            .iter()
            .map(|one| self.situation(one.user, one.position, patterns, reasons))
            .collect::<Result<Vec<Situation>>>()?;
        let flaws = |place: usize, text: &str, _: &[String]| {
            let Situation {
                item,
                pattern,
                others,
            } = &seen[place];
            self.rules
                .reason_flaws(text, item, *pattern, others.iter().copied())
        };
        let texts = write_texts(policy, &prompts, config, seed, flaws, |_| true)?.texts;
        drop(seen);
        let vectors = self.vectors(&texts)?;
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
