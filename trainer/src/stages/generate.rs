//! Stage `generate`: the aligned LLM writes user patterns and reasons (METHOD §2), and turns each text into a vector.
//!
//! What a prompt may show comes from [`Past`](crate::past::Past) alone. A text that breaks a rule ([`Rules`]) is written again.
//! Finished blocks survive an interruption.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use curec_shared_model::artefact::writer::HOTTER;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::load_dataset;
use super::{Context, Interrupted, LlmPointer};
use crate::config::Config;
use crate::data::{Dataset, Event, Item};
use crate::llm::{Completion, LanguageModel, SamplingConfig, TextVector, sample, text_vectors};
use crate::past::Timeline;
use crate::reward::stores::{PatternEntry, PatternStore, ReasonEntry, ReasonStore};
use crate::run::{Stage, interrupted, read_lines, write_atomic};
use crate::text::{Rules, Turn, pattern_prompt, reason_prompt, tidy};

/// Texts whose vectors are computed at once.
const VECTOR_BATCH: usize = 64;
/// Texts of one resumable block.
const BLOCK: usize = 2048;

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let (language, pointer) = context.language_model(Stage::Pretrain)?;
    let writer = Author {
        context,
        language: &language,
        pointer: &pointer,
        rules: Rules::new(&dataset.items, &context.config.prompts.render),
        out,
    };

    let moments = pattern_moments(&dataset, context.config.generate.patterns_per_user);
    let patterns = writer.patterns(&timeline, &moments)?;
    let sources = reason_sources(&dataset, context.config.generate.reasons_per_item);
    let reasons = writer.reasons(&timeline, &patterns, &sources)?;
    patterns.save(out)?;
    reasons.save(out)?;
    pointer.write(out)?;
    for name in ["patterns", "reasons"] {
        std::fs::remove_dir_all(blocks(out, name))?;
    }
    Ok(())
}

/// The items that the prompt for a pattern shows of the events before a moment.
pub(super) fn shown_history<'a>(
    dataset: &'a Dataset,
    events: &[Event],
    config: &Config,
) -> Vec<Cow<'a, Item>> {
    let shown = &events[events.len().saturating_sub(config.prompts.history)..];
    let item = |event: &Event| item_text(dataset, event.item, config);
    shown.iter().map(item).collect()
}

/// The prompt for the pattern of a user from the events before a moment.
pub(super) fn pattern_turns(dataset: &Dataset, events: &[Event], config: &Config) -> Vec<Turn> {
    let shown = shown_history(dataset, events, config);
    let history: Vec<&Item> = shown.iter().map(AsRef::as_ref).collect();
    pattern_prompt(&history, &config.prompts.render)
}

/// The prompt for the reason of an interaction, given the pattern known before it.
pub(super) fn reason_turns(
    dataset: &Dataset,
    pattern: Option<&str>,
    item: u32,
    config: &Config,
) -> Vec<Turn> {
    reason_prompt(
        pattern,
        &item_text(dataset, item, config),
        &config.prompts.render,
    )
}

/// An item as these prompts may know it.
fn item_text<'a>(dataset: &'a Dataset, item: u32, config: &Config) -> Cow<'a, Item> {
    let index = item as usize;
    config.generate.item_text.of(&dataset.items[index], index)
}

/// `(user, events used)`: evenly spaced over each training history, the last at its end.
fn pattern_moments(dataset: &Dataset, per_user: usize) -> Vec<(usize, usize)> {
    let of_user = |user: usize| {
        let train = dataset.split[user].train;
        let mut moments: Vec<usize> = (1..=per_user)
            .map(|part| (train * part).div_ceil(per_user))
            .collect();
        moments.retain(|moment| *moment > 0);
        moments.dedup();
        moments.into_iter().map(move |moment| (user, moment))
    };
    (0..dataset.users.len()).flat_map(of_user).collect()
}

/// `(user, position)` of the training interactions that get a reason: evenly spaced in time over each item's.
fn reason_sources(dataset: &Dataset, per_item: usize) -> Vec<(usize, usize)> {
    let mut by_item: BTreeMap<u32, Vec<(i64, usize, usize)>> = BTreeMap::new();
    for user in 0..dataset.users.len() {
        for (position, event) in dataset.train_events(user).iter().enumerate() {
            by_item
                .entry(event.item)
                .or_default()
                .push((event.time, user, position));
        }
    }
    let spread = |mut takers: Vec<(i64, usize, usize)>| {
        takers.sort_unstable();
        let (count, wanted) = (takers.len(), per_item.min(takers.len()));
        (0..wanted).map(move |part| {
            let (_, user, position) = takers[part * count / wanted];
            (user, position)
        })
    };
    by_item.into_values().flat_map(spread).collect()
}

fn blocks(out: &Path, name: &str) -> PathBuf {
    out.join(format!("blocks-{name}"))
}

/// The aligned LLM at its desk.
struct Author<'a> {
    context: &'a Context<'a>,
    language: &'a LanguageModel,
    pointer: &'a LlmPointer,
    rules: Rules,
    out: &'a Path,
}

/// The text that stands for a key, by the key's place.
type Before<'t> = dyn Fn(usize) -> &'t str + 't;

impl Author<'_> {
    fn patterns(&self, timeline: &Timeline, moments: &[(usize, usize)]) -> Result<PatternStore> {
        let dataset = timeline.data();
        let entries: Vec<PatternEntry> = self.write(
            "patterns",
            moments,
            |(user, upto), text| {
                let events = &dataset.histories[user][..upto];
                PatternEntry {
                    user: user as u32,
                    upto: upto as u32,
                    time: events.last().map(|event| event.time),
                    text,
                    policy_version: self.pointer.policy_version,
                }
            },
            |(user, upto)| {
                let past = timeline.past(user, upto)?;
                Ok(pattern_turns(dataset, past.history(), self.context.config))
            },
            |place, text, _| {
                let (user, upto) = moments[place];
                let events = &dataset.histories[user][..upto];
                let history = shown_history(dataset, events, self.context.config);
                self.rules.pattern_flaws(text, &history)
            },
            |entry| &entry.text,
        )?;
        let kind = self.context.config.generate.text_vector;
        let vectors = encode(
            self.language,
            entries.iter().map(|entry| entry.text.as_str()),
            kind,
        )?;
        let mut store = PatternStore::new(kind.width(self.language.model.config().hidden_size));
        for (entry, vector) in entries.into_iter().zip(&vectors) {
            store.insert(timeline, entry, vector)?;
        }
        Ok(store)
    }

    fn reasons(
        &self,
        timeline: &Timeline,
        patterns: &PatternStore,
        sources: &[(usize, usize)],
    ) -> Result<ReasonStore> {
        let dataset = timeline.data();
        let item_of = |(user, position): (usize, usize)| dataset.histories[user][position].item;
        let entries: Vec<ReasonEntry> = self.write(
            "reasons",
            sources,
            |(user, position), text| {
                let event = dataset.histories[user][position];
                ReasonEntry {
                    item: event.item,
                    user: user as u32,
                    position: position as u32,
                    time: event.time,
                    text,
                    policy_version: self.pointer.policy_version,
                }
            },
            |(user, position)| {
                let past = timeline.past(user, position)?;
                let known = past
                    .pattern(patterns)
                    .map(|row| patterns.entry(row).text.as_str());
                let item = dataset.histories[user][position].item;
                Ok(reason_turns(dataset, known, item, self.context.config))
            },
            |place, text, before| {
                let (user, position) = sources[place];
                let item = item_of(sources[place]);
                let known = timeline
                    .past(user, position)
                    .ok()
                    .and_then(|past| past.pattern(patterns))
                    .map(|row| patterns.entry(row).text.as_str());
                // Sources are sorted by item, then time: its earlier reasons are those right before.
                let earlier = (0..place).rev();
                let others = earlier
                    .take_while(|&other| item_of(sources[other]) == item)
                    .map(before);
                let item = &dataset.items[item as usize];
                self.rules.reason_flaws(text, item, known, others)
            },
            |entry| &entry.text,
        )?;
        let kind = self.context.config.generate.text_vector;
        let vectors = encode(
            self.language,
            entries.iter().map(|entry| entry.text.as_str()),
            kind,
        )?;
        let mut store = ReasonStore::new(kind.width(self.language.model.config().hidden_size));
        for (entry, vector) in entries.into_iter().zip(&vectors) {
            store.insert(timeline, entry, vector)?;
        }
        Ok(store)
    }

    /// Writes one text per key, block by block; blocks already on disk are read back. `flaws` counts what is wrong with the text
    /// for the key at a place, given the texts for the keys before it.
    fn write<Entry: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        keys: &[(usize, usize)],
        entry: impl Fn((usize, usize), String) -> Entry,
        turns: impl Fn((usize, usize)) -> Result<Vec<Turn>>,
        flaws: impl Fn(usize, &str, &Before) -> usize,
        text_of: impl Fn(&Entry) -> &str,
    ) -> Result<Vec<Entry>> {
        let folder = blocks(self.out, name);
        std::fs::create_dir_all(&folder)?;
        let mut bar = self
            .context
            .progress
            .bar(&format!("write {name}"), keys.len() as u64);
        let mut entries = Vec::with_capacity(keys.len());
        let (mut cut, mut fresh_texts) = (0, 0);
        for (number, block) in keys.chunks(BLOCK).enumerate() {
            let path = folder.join(format!("{number:05}.jsonl"));
            if path.exists() {
                entries.extend(read_lines::<Entry>(&path)?);
                bar.set(entries.len() as u64, "");
                continue;
            }
            let prompts = block
                .iter()
                .map(|key| Ok(self.language.tokenizer.prompt(&turns(*key)?)?))
                .collect::<Result<Vec<_>>>()?;
            let done = entries.len();
            let seed = self.context.config.seed ^ ((number as u64 + 1) << 32) ^ name.len() as u64;
            let written = write_texts(
                self.language,
                &prompts,
                self.context.config,
                seed,
                |place, text, kept| {
                    let before = |other: usize| match other.checked_sub(done) {
                        Some(here) => kept[here].as_str(),
                        None => text_of(&entries[other]),
                    };
                    flaws(done + place, text, &before)
                },
                |count| {
                    bar.set((done + count) as u64, "");
                    !interrupted()
                },
            )?;
            cut += written.cut;
            fresh_texts += written.texts.len();
            let fresh: Vec<Entry> = block
                .iter()
                .zip(written.texts)
                .map(|(key, text)| entry(*key, text))
                .collect();
            let mut lines = Vec::new();
            for entry in &fresh {
                serde_json::to_writer(&mut lines, entry)?;
                lines.push(b'\n');
            }
            write_atomic(&path, &lines)?;
            entries.extend(fresh);
        }
        bar.finish("");
        if cut * 20 > fresh_texts {
            self.context.progress.tell(&format!(
                "warning: {cut} of {fresh_texts} {name} are cut off; raise generate.max_new_tokens"
            ));
        }
        Ok(entries)
    }
}

/// Texts as the LLM wrote them.
pub(super) struct Written {
    /// One per prompt.
    pub(super) texts: Vec<String>,
    /// How many of them the length limit cut off.
    pub(super) cut: usize,
}

/// One sampled text per prompt. A text with `flaws`, or one that the length limit cut off, is sampled again, `generate.attempts`
/// times in all; of the attempts the one with the fewest flaws stays, the first of equals. `flaws` is asked with the prompt's
/// place, a text for it, and the texts that stand for the prompts before.
pub(super) fn write_texts(
    language: &LanguageModel,
    prompts: &[Vec<u32>],
    config: &Config,
    seed: u64,
    flaws: impl Fn(usize, &str, &[String]) -> usize,
    mut done: impl FnMut(usize) -> bool,
) -> Result<Written> {
    let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let first = attempt(language, &rows, config, 0, seed, &mut done)?;
    let (mut texts, mut cut): (Vec<String>, Vec<bool>) = first.into_iter().unzip();
    let judge = |place: usize, text: &str, cut: bool, kept: &[String]| {
        flaws(place, text, kept) + usize::from(cut)
    };
    for number in 1..config.generate.attempts {
        let flawed: Vec<usize> = (0..texts.len())
            .filter(|&place| judge(place, &texts[place], cut[place], &texts[..place]) > 0)
            .collect();
        if flawed.is_empty() {
            break;
        }
        let again: Vec<&[u32]> = flawed.iter().map(|&place| rows[place]).collect();
        let seed = seed ^ ((number as u64) << 48);
        let fresh = attempt(language, &again, config, number, seed, &mut |_| {
            done(prompts.len())
        })?;
        for (&place, (text, is_cut)) in flawed.iter().zip(fresh) {
            let kept = &texts[..place];
            let old = judge(place, &texts[place], cut[place], kept);
            if judge(place, &text, is_cut, kept) < old {
                (texts[place], cut[place]) = (text, is_cut);
            }
        }
    }
    let cut = cut.into_iter().filter(|cut| *cut).count();
    Ok(Written { texts, cut })
}

/// One sampled text per prompt, and whether the length limit cut it off. Every attempt is a little hotter than the one before.
fn attempt(
    language: &LanguageModel,
    prompts: &[&[u32]],
    config: &Config,
    number: usize,
    seed: u64,
    done: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<(String, bool)>> {
    let sampling = SamplingConfig {
        max_new_tokens: config.generate.max_new_tokens,
        temperature: config.generate.temperature * HOTTER.powi(number as i32),
        top_p: config.generate.top_p,
        presence_penalty: config.generate.presence_penalty,
        top_k: 0,
        stop: language.tokenizer.stop_ids(),
        seed,
        rows: config.llm.rows,
    };
    let sampled = sample(&language.model, prompts, 1, &sampling, done);
    let text = |completions: Option<Vec<Completion>>| {
        let completion = completions
            .and_then(|all| all.into_iter().next())
            .ok_or(Interrupted)?;
        let text = language.tokenizer.decode(&completion.ids);
        Ok((tidy(&text), completion.truncated))
    };
    sampled.into_iter().map(text).collect()
}

/// Text vectors by the encoder.
///
/// # Errors
/// The tokenizer's.
pub fn encode<'t>(
    language: &LanguageModel,
    texts: impl Iterator<Item = &'t str>,
    kind: TextVector,
) -> Result<Vec<Vec<f32>>> {
    let ids = texts
        .map(|text| Ok(language.tokenizer.encode(text)?))
        .collect::<Result<Vec<_>>>()?;
    Ok(text_vectors(&language.model, &ids, VECTOR_BATCH, kind))
}
