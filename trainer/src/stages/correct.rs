//! Stage `correct`: chronological correction (METHOD §3), then the reward model refitted on the corrected texts.
//!
//! The encoder stays the aligned LLM of `pretrain`: text vectors of different moments stay comparable (DEVIATIONS.md).

mod event;
mod rewrite;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use curec_shared_model::reward::RewardModel;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::data::load_dataset;
use super::exercises::Rehearsal;
use super::generate::reason_turns;
use super::journal::{Entry, Journal, Pages};
use super::language::{attach_lora, ensure_finite, ensure_goes_on, save_policy};
use super::reward::{MODEL, fit, generated_texts, read_model};
use super::standing::{resume, save};
use super::watch::{Advice, Seen, Watch};
use super::{Context, LlmPointer};
use crate::data::{Dataset, Item};
use crate::device::memory_mib;
use crate::explanations::novelty;
use crate::grpo::{Group, grpo_step};
use crate::llm::{Completion, LanguageModel, SamplingConfig, Trainer, learning_rate};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, Scorer};
use crate::rollout::{LocalEngine, RolloutEngine, RolloutRequest, roll_out};
use crate::run::{JsonLines, Stage, interrupted, write_json};
use crate::text::{RationaleWriter, Rules, tidy};

pub use event::{Candidate, CorrectionEvent, Parts};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let (patterns, reasons) = generated_texts(context, &timeline)?;
    let settings = &context.config.correct;
    let (encoder, pointer) = context.language_model(Stage::Pretrain)?;
    if settings.interactions == 0 {
        context
            .progress
            .say("         correct left out (correct.interactions = 0)");
        patterns.save(out)?;
        reasons.save(out)?;
        std::fs::copy(
            context.run.stage(Stage::Reward).join(MODEL),
            out.join(MODEL),
        )?;
        return pointer.write(out);
    }
    let reward = read_model(&context.run.stage(Stage::Reward), MODEL, context.device)?;
    let corrector = Corrector {
        context,
        dataset: &dataset,
        timeline,
        rules: Rules::new(&dataset.items, &context.config.prompts.render),
        encoder,
        reward,
    };
    let (patterns, reasons) = corrector.pass(out, patterns, reasons, &pointer)?;
    patterns.save(out)?;
    reasons.save(out)?;
    let features = Features {
        timeline,
        patterns: &patterns,
        reasons: &reasons,
    };
    let mut config = context.config.reward.clone();
    config.seed = context.config.seed;
    let reward = context.run.stage(Stage::Reward);
    fit(context, (&reward, out), features, &config, "refit", MODEL)
}

/// Where the correction stands between two windows; the stores are saved beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Standing {
    /// Windows done.
    step: usize,
    /// Random stream of the rehearsal.
    rehearsal: Option<ChaCha8Rng>,
    seen: Seen,
    events: u64,
    pages: Pages,
}

struct Corrector<'a> {
    context: &'a Context<'a>,
    dataset: &'a Dataset,
    timeline: Timeline<'a>,
    rules: Rules,
    encoder: LanguageModel,
    reward: RewardModel,
}

/// Interactions whose reasons are sampled together.
struct Window<'a> {
    /// Of the policy that samples.
    version: u64,
    step: usize,
    interactions: &'a [(usize, usize)],
}

/// An interaction with its sampled group.
struct Sampled {
    user: usize,
    position: usize,
    item: u32,
    prompt: Vec<u32>,
    completions: Vec<Completion>,
    texts: Vec<String>,
    parts: Vec<Parts>,
    rewards: Vec<f64>,
    baseline: f32,
}

/// What may be known of an interaction when its reason is written, besides the history.
struct Situation<'a> {
    item: &'a Item,
    /// The pattern in the prompt.
    pattern: Option<&'a str>,
    /// The item's reasons.
    others: Vec<&'a str>,
}

impl Corrector<'_> {
    /// One pass in global time order: sample, reward, step, rewrite (METHOD §3, 1–4).
    fn pass(
        &self,
        out: &Path,
        mut patterns: PatternStore,
        mut reasons: ReasonStore,
        pointer: &LlmPointer,
    ) -> Result<(PatternStore, ReasonStore)> {
        let config = self.context.config;
        let settings = &config.correct;
        let order = self.order(&reasons);
        let model = attach_lora(self.encoder.clone(), config).model;
        let device = self.context.device.clone().autodiff();
        let trainer = Trainer::new(
            burn::module::Module::to_device(model, &device),
            &settings.trainer,
        );
        let writer = RationaleWriter::new(&self.dataset.items, config.prompts.render.clone());
        let mut rehearsal =
            Rehearsal::new(self.dataset, &writer, &self.encoder.tokenizer, config, 2);
        let windows = self.windows(&order);
        let mut watch = Watch::new(
            self.context.progress,
            Advice {
                stage: "correct",
                flat: "correct.grpo.group_size or correct.grpo.temperature",
                max_skipped: settings.trainer.max_skipped,
                precision: self.context.config.llm.dtype,
            },
        );
        let mut checkpoints = self.context.checkpoints(out)?;
        let (mut trainer, standing) = resume::<Standing>(&checkpoints, trainer)?;
        let length = standing.as_ref().map(|standing| standing.events);
        let mut events = JsonLines::at(&out.join("events.jsonl"), length)?;
        let pages = standing.as_ref().map(|standing| standing.pages);
        let mut first = 0;
        if let (Some(standing), Some(folder)) = (standing, checkpoints.latest()) {
            first = standing.step;
            if let (Some(rehearsal), Some(rng)) = (&mut rehearsal, standing.rehearsal) {
                rehearsal.set_rng(rng);
            }
            watch.resume(standing.seen);
            patterns = PatternStore::load(&folder, &self.timeline)?;
            reasons = ReasonStore::load(&folder, &self.timeline)?;
        }
        let mut journal = Journal::open(out, first, pages)?;
        let mut engine = LocalEngine::default();
        let mut bar = self.context.progress.bar("correct", order.len() as u64);
        let mut done: usize = windows[..first].iter().map(|window| window.len()).sum();
        for (step, window) in windows.iter().enumerate().skip(first) {
            self.context.check()?;
            let start = Instant::now();
            let policy = self.policy(&trainer);
            let sampled_by = pointer.policy_version + step as u64;
            let request = Window {
                version: sampled_by,
                step,
                interactions: window,
            };
            let sampled =
                self.sample_window(&mut engine, &policy, &request, &patterns, &reasons)?;
            let sampling = start.elapsed().as_secs_f64();
            let groups: Vec<Group> = sampled
                .iter()
                .map(|one| Group {
                    prompt: one.prompt.clone(),
                    completions: one.completions.clone(),
                    rewards: one.rewards.clone(),
                })
                .collect();
            let rate = learning_rate(settings.learning_rate, step, windows.len(), 0.05);
            let report = grpo_step(&mut trainer, &groups, &settings.grpo, rate);
            if let Some(rehearsal) = &mut rehearsal {
                rehearsal.step(&mut trainer, rate)?;
                ensure_goes_on(
                    &trainer,
                    settings.trainer.max_skipped,
                    "correct.learning_rate",
                )?;
            }
            let part = |part: fn(&Parts) -> f64| {
                let parts = sampled.iter().flat_map(|one| &one.parts);
                parts.map(part).collect::<Vec<f64>>()
            };
            let rewards = [
                ("score", part(|parts| parts.score)),
                ("grounding", part(|parts| parts.grounding)),
                ("novelty", part(|parts| parts.novelty)),
            ];
            let entry = Entry {
                step,
                learning_rate: rate,
                report: &report,
                groups: &groups,
                rewards: &rewards,
                seconds: [start.elapsed().as_secs_f64(), sampling],
                memory: memory_mib(self.context.device),
            };
            journal.step(&entry)?;
            let (user, position) = window[0];
            let item = self.dataset.histories[user][position].item as usize;
            let about = json!({
                "user": self.dataset.users[user].key, "item": self.dataset.items[item].title,
            });
            let text = |ids: &[u32]| self.encoder.tokenizer.raw_text(ids);
            journal.sample(&entry, 0, &settings.grpo, text, &about)?;
            journal.warn(step, &watch.see(&report, None)?)?;
            let policy = self.policy(&trainer);
            let rewritten =
                self.rewrite(&policy, sampled, sampled_by, &mut patterns, &mut reasons)?;
            for event in &rewritten {
                events.push(event)?;
            }
            done += window.len();
            bar.set(done as u64, format!("reward {:.4}", report.reward));
            // After the last window too: the refit that follows is long.
            if checkpoints.due() || interrupted() || step + 1 == windows.len() {
                let standing = Standing {
                    step: step + 1,
                    rehearsal: rehearsal.as_ref().map(|rehearsal| rehearsal.rng().clone()),
                    seen: watch.seen(),
                    events: events.length(),
                    pages: journal.pages(),
                };
                save(&mut checkpoints, &trainer, &standing, |folder| {
                    patterns.save(folder)?;
                    Ok(reasons.save(folder)?)
                })?;
            }
        }
        bar.finish("");
        journal.warn(windows.len().saturating_sub(1), &watch.finish())?;
        ensure_finite(&trainer, "correct.learning_rate")?;
        let version = pointer.policy_version + windows.len() as u64;
        write_json(
            &out.join("policy.json"),
            &json!({"policy_version": version}),
        )?;
        let policy = self.policy(&trainer);
        save_policy(&policy, Stage::Correct, out, pointer, version, config)?;
        Ok((patterns, reasons))
    }

    fn policy(&self, trainer: &Trainer) -> LanguageModel {
        LanguageModel {
            model: trainer.policy(),
            tokenizer: self.encoder.tokenizer.clone(),
        }
    }

    /// Interactions to correct: those whose reason is in use, thinned evenly, in global time order (or shuffled).
    fn order(&self, reasons: &ReasonStore) -> Vec<(usize, usize)> {
        let settings = &self.context.config.correct;
        let in_use: Vec<(usize, usize)> = self
            .timeline
            .training_order()
            .into_iter()
            .filter(|(user, position)| reasons.of_source(*user as u32, *position as u32).is_some())
            .collect();
        let wanted = settings.interactions.min(in_use.len());
        let mut order: Vec<_> = (0..wanted)
            .map(|part| in_use[part * in_use.len() / wanted])
            .collect();
        if settings.shuffled {
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(
                self.context.config.seed ^ 0x73_68_75_66,
            ));
        }
        order
    }

    fn windows<'o>(&self, order: &'o [(usize, usize)]) -> Vec<&'o [(usize, usize)]> {
        let item = |user: usize, position: usize| self.dataset.histories[user][position].item;
        windows(order, self.context.config.correct.window, item)
    }

    /// The prompt for the reason of an interaction, given the user's pattern as it is known then.
    fn reason_prompt(
        &self,
        policy: &LanguageModel,
        user: usize,
        position: usize,
        patterns: &PatternStore,
    ) -> Result<Vec<u32>> {
        let past = self.timeline.past(user, position)?;
        let known = past.pattern(patterns).map(|row| &patterns.entry(row).text);
        let item = self.dataset.histories[user][position].item;
        let known = known.map(String::as_str);
        let turns = reason_turns(self.dataset, known, item, self.context.config);
        Ok(policy.tokenizer.prompt(&turns)?)
    }

    /// What may be known of an interaction when its reason is written: everything through the past of that moment.
    fn situation<'s>(
        &'s self,
        user: usize,
        position: usize,
        patterns: &'s PatternStore,
        reasons: &'s ReasonStore,
    ) -> Result<Situation<'s>> {
        let past = self.timeline.past(user, position)?;
        let item = self.dataset.histories[user][position].item;
        let known = past.pattern(patterns).map(|row| &patterns.entry(row).text);
        let rows = past.reasons(reasons, item, self.reward.config().reasons);
        let text = |row: &u32| reasons.entry(*row).text.as_str();
        Ok(Situation {
            item: &self.dataset.items[item as usize],
            pattern: known.map(String::as_str),
            others: rows.iter().map(text).collect(),
        })
    }

    /// Samples G reasons for each interaction of a window and lets the reward model score them.
    fn sample_window(
        &self,
        engine: &mut dyn RolloutEngine,
        policy: &LanguageModel,
        window: &Window,
        patterns: &PatternStore,
        reasons: &ReasonStore,
    ) -> Result<Vec<Sampled>> {
        let config = self.context.config;
        let grpo = &config.correct.grpo;
        let sampling = SamplingConfig {
            max_new_tokens: grpo.max_new_tokens,
            temperature: grpo.temperature,
            stop: policy.tokenizer.stop_ids(),
            seed: config.seed ^ 0x63_6f_72_72 ^ ((window.step as u64 + 1) << 24),
            rows: config.llm.rows.max(grpo.group_size),
            ..SamplingConfig::default()
        };
        let prompts = window
            .interactions
            .iter()
            .map(|(user, position)| self.reason_prompt(policy, *user, *position, patterns))
            .collect::<Result<Vec<_>>>()?;
        let request = RolloutRequest {
            prompts: &prompts,
            copies: grpo.group_size,
            sampling: &sampling,
        };
        let completions = roll_out(engine, &policy.model, window.version, request)?;
        let features = Features {
            timeline: self.timeline,
            patterns,
            reasons,
        };
        let scorer = Scorer::new(self.reward.clone(), features, self.context.device)?;
        let mut sampled = Vec::with_capacity(prompts.len());
        let asked = window.interactions.iter().zip(prompts);
        for (((user, position), prompt), completions) in asked.zip(completions) {
            let texts: Vec<String> = completions
                .iter()
                .map(|one| tidy(&policy.tokenizer.decode(&one.ids)))
                .collect();
            let vectors = self.vectors(&texts)?;
            let item = self.dataset.histories[*user][*position].item;
            let found = scorer.reason_rewards(*user, *position, item, &vectors)?;
            let shift = if config.correct.baseline {
                f64::from(found.baseline)
            } else {
                0.0
            };
            let seen = self.situation(*user, *position, patterns, reasons)?;
            let new = novelty(&texts, seen.others.iter().copied());
            let parts: Vec<Parts> = texts
                .iter()
                .zip(&found.scores)
                .zip(new)
                .map(|((text, score), novelty)| Parts {
                    score: f64::from(*score) - shift,
                    grounding: self.rules.grounding(text, seen.item, seen.pattern),
                    novelty,
                })
                .collect();
            let reward = |parts| config.correct.reward(parts);
            sampled.push(Sampled {
                user: *user,
                position: *position,
                item,
                prompt,
                completions,
                texts,
                rewards: parts.iter().map(reward).collect(),
                parts,
                baseline: found.baseline,
            });
        }
        Ok(sampled)
    }
}

/// Cuts the order into windows of at most `size` interactions of different users and different items (METHOD §3): of two
/// of the same user or item, the later one is to see what became of the earlier.
fn windows(
    order: &[(usize, usize)],
    size: usize,
    item: impl Fn(usize, usize) -> u32,
) -> Vec<&[(usize, usize)]> {
    let (mut windows, mut start) = (Vec::new(), 0);
    for (end, (user, position)) in order.iter().enumerate() {
        let meets = |(other, place): &(usize, usize)| {
            other == user || item(*other, *place) == item(*user, *position)
        };
        if end - start >= size.max(1) || order[start..end].iter().any(meets) {
            windows.push(&order[start..end]);
            start = end;
        }
    }
    if start < order.len() {
        windows.push(&order[start..]);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_and_no_item_stands_twice_in_a_window_and_the_order_stays() {
        // Users 0 and 1 took item 7; user 2 took 8 and 9.
        let item = |user: usize, position: usize| if user < 2 { 7 } else { 8 + position as u32 };
        let order = [(0, 0), (2, 0), (1, 0), (2, 1), (2, 0)];
        let found = windows(&order, 4, item);
        assert_eq!(found, [&order[0..2], &order[2..4], &order[4..5]]);
        let found = windows(&order, 1, item);
        assert!(found.len() == 5 && found.concat() == order);
        assert!(windows(&[], 4, item).is_empty());
        let apart: Vec<(usize, usize)> = (0..10).map(|user| (user, 0)).collect();
        let lengths: Vec<usize> = windows(&apart, 4, |user, _| user as u32)
            .iter()
            .map(|window| window.len())
            .collect();
        assert_eq!(lengths, [4, 4, 2]);
    }
}
