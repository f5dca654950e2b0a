//! Stage `pretrain`: GRPO alignment with rule rewards (METHOD §1), measured on users it never trained on.

mod exam;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use curec_shared_model::qwen2::Qwen2;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Context;
use super::data::load_dataset;
use super::exercises::Rehearsal;
use super::journal::{Entry, Journal, Pages};
use super::language::{attach_lora, ensure_finite, ensure_goes_on, save_policy};
use super::standing::{resume, save};
use super::watch::{Advice, Seen, Watch};
use crate::config::Config;
use crate::data::Dataset;
use crate::device::memory_mib;
use crate::grpo::{Group, grpo_step};
use crate::llm::{
    ChatTokenizer, Completion, LanguageModel, SamplingConfig, Trainer, learning_rate,
};
use crate::rollout::{LocalEngine, RolloutEngine, RolloutRequest, roll_out};
use crate::run::{Stage, interrupted, write_json};
use crate::tasks::{Question, divide_users, random_position};
use crate::text::{RationaleWriter, Rewards, Turn, rewards};

pub use exam::AlignmentReport;
use exam::{compare, examine, write_answers};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let config = context.config;
    let settings = &config.pretrain;
    let (language, pointer) = context.language_model(Stage::Warmup)?;
    if settings.steps == 0 {
        context
            .progress
            .say("        pretrain left out (pretrain.steps = 0)");
        return pointer.write(out);
    }
    let dataset = load_dataset(context.run)?;
    let (candidates, items) = (config.prompts.candidates, dataset.items.len());
    ensure!(
        candidates * 2 <= items,
        "`prompts.candidates` is {candidates}, too many to draw from {items} items; lower it to {} or less",
        items / 2
    );
    let (_, held_out) = divide_users(
        dataset.users.len(),
        config.prompts.held_out_users,
        config.seed,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed ^ 0x67_72_70_6f);
    let exam = questions(
        &dataset,
        &held_out,
        settings.evaluation_questions,
        config,
        &mut rng,
    );
    let before = examine(&language, &dataset, &exam, config)?;

    let language = attach_lora(language, config);
    let tokenizer = language.tokenizer.clone();
    let trainer = Trainer::new(language.model, &settings.trainer);
    let version = pointer.policy_version;
    let trainer = train(context, out, &dataset, &tokenizer, trainer, version, rng)?;
    let language = LanguageModel {
        model: trainer.policy(),
        tokenizer,
    };
    let after = examine(&language, &dataset, &exam, config)?;
    let users: Vec<usize> = exam.iter().map(|question| question.user).collect();
    let report = compare(&before, &after, &users, config);
    context.progress.say(&format!(
        "        held-out users: format {:.3}, legal {:.3}, correct {:.3} (before {:.3}, gain {:+.3} [{:+.3}, {:+.3}])",
        report.after.format, report.after.legal, report.after.correct, report.before.correct,
        report.gain.mean, report.gain.low, report.gain.high
    ));
    write_json(&out.join("evaluation.json"), &report)?;
    let answers = out.join("answers.jsonl");
    write_answers(&answers, &before, &after, &dataset, &exam, config)?;
    let version = version + settings.steps as u64;
    save_policy(&language, Stage::Pretrain, out, &pointer, version, config)
}

/// Where the alignment stands between two steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Standing {
    step: usize,
    /// Of the questions.
    rng: ChaCha8Rng,
    /// Of the rehearsal.
    rehearsal: Option<ChaCha8Rng>,
    seen: Seen,
    pages: Pages,
}

/// All GRPO steps, or those that an interrupted attempt left.
fn train(
    context: &Context,
    out: &Path,
    dataset: &Dataset,
    tokenizer: &ChatTokenizer,
    trainer: Trainer,
    version: u64,
    mut rng: ChaCha8Rng,
) -> Result<Trainer> {
    let config = context.config;
    let settings = &config.pretrain;
    let (users, _) = divide_users(
        dataset.users.len(),
        config.prompts.held_out_users,
        config.seed,
    );
    let writer = RationaleWriter::new(&dataset.items, config.prompts.render.clone());
    let mut rehearsal = Rehearsal::new(dataset, &writer, tokenizer, config, 1);
    let mut watch = Watch::new(
        context.progress,
        Advice {
            stage: "pretrain",
            flat: "warmup.steps, pretrain.grpo.group_size or pretrain.grpo.temperature",
            max_skipped: settings.trainer.max_skipped,
            precision: config.llm.dtype,
        },
    );
    let mut checkpoints = context.checkpoints(out)?;
    let (mut trainer, standing) = resume::<Standing>(&checkpoints, trainer)?;
    let mut first = 0;
    let pages = standing.as_ref().map(|standing| standing.pages);
    if let Some(standing) = standing {
        (first, rng) = (standing.step, standing.rng);
        if let (Some(rehearsal), Some(rng)) = (&mut rehearsal, standing.rehearsal) {
            rehearsal.set_rng(rng);
        }
        watch.resume(standing.seen);
    }
    let mut journal = Journal::open(out, first, pages)?;
    let mut examiner = Examiner {
        dataset,
        tokenizer,
        config,
        engine: Box::new(LocalEngine::default()),
    };
    let mut bar = context.progress.bar("GRPO", settings.steps as u64);
    for step in first..settings.steps {
        context.check()?;
        let asked = questions(dataset, &users, settings.prompts_per_step, config, &mut rng);
        ensure!(
            !asked.is_empty(),
            "no user has enough history for a question: three events before the one asked about; use a log with longer histories"
        );
        let start = Instant::now();
        let policy = trainer.policy();
        let (groups, judged) =
            examiner.sample(&policy, version + step as u64, &asked, step as u64)?;
        let sampling = start.elapsed().as_secs_f64();
        let rate = learning_rate(settings.learning_rate, step, settings.steps, 0.1);
        let report = grpo_step(&mut trainer, &groups, &settings.grpo, rate);
        if let Some(rehearsal) = &mut rehearsal {
            rehearsal.step(&mut trainer, rate)?;
            ensure_goes_on(
                &trainer,
                settings.trainer.max_skipped,
                "pretrain.learning_rate",
            )?;
        }
        let rewards = Rewards::PARTS.map(|(name, part)| {
            let values = judged.iter().map(|found| f64::from(part(found)));
            (name, values.collect())
        });
        let entry = Entry {
            step,
            learning_rate: rate,
            report: &report,
            groups: &groups,
            rewards: &rewards,
            seconds: [start.elapsed().as_secs_f64(), sampling],
            memory: memory_mib(context.device),
        };
        journal.step(&entry)?;
        let truth = json!({"truth": asked[0].titles(dataset, &config.prompts.render).1});
        let text = |ids: &[u32]| tokenizer.raw_text(ids);
        journal.sample(&entry, 0, &settings.grpo, text, &truth)?;
        let legal = judged
            .iter()
            .map(|found| f64::from(found.legal))
            .sum::<f64>();
        let warnings = watch.see(&report, Some(legal / judged.len().max(1) as f64))?;
        journal.warn(step, &warnings)?;
        bar.set(step as u64 + 1, format!("reward {:.3}", report.reward));
        // After the last step too: what follows is long.
        if checkpoints.due() || interrupted() || step + 1 == settings.steps {
            let standing = Standing {
                step: step + 1,
                rng: rng.clone(),
                rehearsal: rehearsal.as_ref().map(|rehearsal| rehearsal.rng().clone()),
                seen: watch.seen(),
                pages: journal.pages(),
            };
            save(&mut checkpoints, &trainer, &standing, |_| Ok(()))?;
        }
    }
    bar.finish("");
    journal.warn(settings.steps.saturating_sub(1), &watch.finish())?;
    ensure_finite(&trainer, "pretrain.learning_rate")?;
    Ok(trainer)
}

fn questions(
    dataset: &Dataset,
    users: &[usize],
    count: usize,
    config: &Config,
    rng: &mut ChaCha8Rng,
) -> Vec<Question> {
    let mut asked = Vec::with_capacity(count);
    for _ in 0..count * 20 {
        if asked.len() == count {
            break;
        }
        let position = users
            .choose(rng)
            .and_then(|user| Some((*user, random_position(dataset, *user, 3, rng)?)));
        if let Some((user, position)) = position {
            asked.push(Question::draw(
                dataset,
                user,
                position,
                &config.prompts,
                rng,
            ));
        }
    }
    asked
}

/// Some of the prompts that the alignment will train on, to know their lengths.
pub fn typical_prompts(dataset: &Dataset, config: &Config, count: usize) -> Vec<Vec<Turn>> {
    let (users, _) = divide_users(
        dataset.users.len(),
        config.prompts.held_out_users,
        config.seed,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let asked = questions(dataset, &users, count, config, &mut rng);
    let turns = |question: &Question| question.turns(dataset, &config.prompts.render);
    asked.iter().map(turns).collect()
}

/// Asks questions and rewards the answers.
struct Examiner<'a> {
    dataset: &'a Dataset,
    tokenizer: &'a ChatTokenizer,
    config: &'a Config,
    engine: Box<dyn RolloutEngine>,
}

impl Examiner<'_> {
    /// Samples a group for every question and rewards it.
    fn sample(
        &mut self,
        policy: &Qwen2,
        version: u64,
        asked: &[Question],
        step: u64,
    ) -> Result<(Vec<Group>, Vec<Rewards>)> {
        let (settings, render) = (&self.config.pretrain, &self.config.prompts.render);
        let sampling = SamplingConfig {
            max_new_tokens: settings.grpo.max_new_tokens,
            temperature: settings.grpo.temperature,
            stop: self.tokenizer.stop_ids(),
            seed: self.config.seed.wrapping_add(1 + step),
            rows: self.config.llm.rows.max(settings.grpo.group_size),
            ..SamplingConfig::default()
        };
        let prompts = prompts(self.tokenizer, self.dataset, asked, self.config)?;
        let request = RolloutRequest {
            prompts: &prompts,
            copies: settings.grpo.group_size,
            sampling: &sampling,
        };
        let sampled = roll_out(self.engine.as_mut(), policy, version, request)?;
        let mut judged = Vec::new();
        let mut groups = Vec::with_capacity(asked.len());
        for ((question, prompt), completions) in asked.iter().zip(prompts).zip(sampled) {
            let (candidates, truth) = question.titles(self.dataset, render);
            let judge = |completion: &Completion| {
                let text = self.tokenizer.answer_text(&completion.ids);
                rewards(&text, &candidates, &truth)
            };
            let found: Vec<Rewards> = completions.iter().map(judge).collect();
            let total = |found| f64::from(settings.rewards.total(found));
            groups.push(Group {
                prompt,
                completions,
                rewards: found.iter().map(total).collect(),
            });
            judged.extend(found);
        }
        Ok((groups, judged))
    }
}

fn prompts(
    tokenizer: &ChatTokenizer,
    dataset: &Dataset,
    asked: &[Question],
    config: &Config,
) -> Result<Vec<Vec<u32>>> {
    let prompt = |question: &Question| {
        let turns = question.turns(dataset, &config.prompts.render);
        Ok(tokenizer.prompt(&turns)?)
    };
    asked.iter().map(prompt).collect()
}
