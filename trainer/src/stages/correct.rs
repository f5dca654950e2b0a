//! Stage `correct`: chronological correction (METHOD §3), then the reward model refitted on the corrected texts.
//!
//! The encoder stays the aligned LLM of `pretrain`: text vectors of different moments stay comparable (DEVIATIONS.md).

mod rewrite;

use std::path::{Path, PathBuf};

use anyhow::Result;
use curec_shared_model::qwen2::{PROJECTIONS, PeftConfig};
use curec_shared_model::reward::RewardModel;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::data::load_dataset;
use super::exercises::Rehearsal;
use super::generate::{encode, reason_turns, tidy};
use super::language::ensure_finite;
use super::reward::{MODEL, fit, read_model};
use super::{Context, LlmPointer, load_language_model};
use crate::data::Dataset;
use crate::grpo::{Completion, Group, grpo_step};
use crate::llm::{LanguageModel, SamplingConfig, Trainer, learning_rate, sample};
use crate::past::Timeline;
use crate::reward::stores::{PatternStore, ReasonStore};
use crate::reward::{Features, Scorer};
use crate::run::{JsonLines, Stage, write_json};
use crate::text::RationaleWriter;

/// One corrected interaction, as the append-only event log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectionEvent {
    /// When the interaction happened.
    pub time: i64,
    /// Who.
    pub user: u32,
    /// Event of the user.
    pub position: u32,
    /// What.
    pub item: u32,
    /// GRPO and warm-up steps behind the policy that sampled the candidates.
    pub policy_version: u64,
    /// Score of the interaction with the item's reasons as they were.
    pub baseline: f32,
    /// The G sampled reasons.
    pub candidates: Vec<Candidate>,
    /// The reason before and after.
    pub reason: [String; 2],
    /// The user's pattern before and after, where one is known at that moment.
    pub pattern: Option<[String; 2]>,
}

/// A sampled reason and what it earned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What the LLM wrote.
    pub text: String,
    /// Its reward.
    pub reward: f64,
    /// Its advantage in the group.
    pub advantage: f64,
}

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let dataset = load_dataset(context.run)?;
    let timeline = Timeline::new(&dataset);
    let generated = context.run.stage(Stage::Generate);
    let patterns = PatternStore::load(&generated, &timeline)?;
    let reasons = ReasonStore::load(&generated, &timeline)?;
    let settings = &context.config.correct;
    let (encoder, pointer) = load_language_model(context.run, Stage::Pretrain, context.device)?;
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
    fit(context, out, features, &config, "refit", MODEL)
}

struct Corrector<'a> {
    context: &'a Context<'a>,
    dataset: &'a Dataset,
    timeline: Timeline<'a>,
    encoder: LanguageModel,
    reward: RewardModel,
}

/// An interaction with its sampled group.
struct Sampled {
    user: usize,
    position: usize,
    item: u32,
    prompt: Vec<u32>,
    completions: Vec<Completion>,
    texts: Vec<String>,
    rewards: Vec<f64>,
    baseline: f32,
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
        let lora = config.llm.model.is_some() && config.llm.lora_rank > 0;
        let mut model = self.encoder.model.clone();
        if lora && !model.has_lora() {
            let peft = self.peft();
            model = model.with_lora(
                peft.r,
                peft.lora_alpha,
                peft.use_rslora,
                &peft.target_modules,
            );
        }
        let device = self.context.device.clone().autodiff();
        let mut trainer = Trainer::new(
            burn::module::Module::to_device(model, &device),
            &settings.trainer,
        );
        let writer = RationaleWriter::new(&self.dataset.items, config.prompts.render.clone());
        let mut rehearsal =
            Rehearsal::new(self.dataset, &writer, &self.encoder.tokenizer, config, 2);
        let mut events = JsonLines::create(&out.join("events.jsonl"))?;
        let mut metrics = JsonLines::create(&out.join("metrics.jsonl"))?;
        let steps = order.len().div_ceil(settings.window.max(1));
        let mut bar = self.context.progress.bar("correct", order.len() as u64);
        let mut version = pointer.policy_version;
        for (step, window) in order.chunks(settings.window.max(1)).enumerate() {
            self.context.check()?;
            let policy = self.policy(&trainer);
            let sampled = self.sample_window(&policy, window, step, &patterns, &reasons)?;
            let groups: Vec<Group> = sampled
                .iter()
                .map(|one| Group {
                    prompt: one.prompt.clone(),
                    completions: one.completions.clone(),
                    rewards: one.rewards.clone(),
                })
                .collect();
            let rate = learning_rate(settings.learning_rate, step, steps, 0.05);
            let report = grpo_step(&mut trainer, &groups, &settings.grpo, rate);
            if let Some(rehearsal) = &mut rehearsal {
                rehearsal.step(&mut trainer, rate)?;
            }
            metrics.push(&json!({"step": step, "learning_rate": rate, "report": report}))?;
            let sampled_by = version;
            version += 1;
            let policy = self.policy(&trainer);
            let rewritten =
                self.rewrite(&policy, sampled, sampled_by, &mut patterns, &mut reasons)?;
            for event in &rewritten {
                events.push(event)?;
            }
            let done = (step * settings.window + window.len()) as u64;
            bar.set(done, format!("reward {:.4}", report.reward));
        }
        bar.finish("");
        ensure_finite(&trainer, "correct.learning_rate")?;
        self.save_policy(out, &self.policy(&trainer), pointer, version, lora)?;
        Ok((patterns, reasons))
    }

    fn policy(&self, trainer: &Trainer) -> LanguageModel {
        LanguageModel {
            model: trainer.policy(),
            tokenizer: self.encoder.tokenizer.clone(),
        }
    }

    fn peft(&self) -> PeftConfig {
        PeftConfig {
            r: self.context.config.llm.lora_rank,
            lora_alpha: self.context.config.llm.lora_alpha,
            use_rslora: false,
            target_modules: PROJECTIONS.map(str::to_owned).to_vec(),
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

    /// Samples G reasons for each interaction of a window and lets the reward model score them.
    fn sample_window(
        &self,
        policy: &LanguageModel,
        window: &[(usize, usize)],
        step: usize,
        patterns: &PatternStore,
        reasons: &ReasonStore,
    ) -> Result<Vec<Sampled>> {
        let config = self.context.config;
        let grpo = &config.correct.grpo;
        let sampling = SamplingConfig {
            max_new_tokens: grpo.max_new_tokens,
            temperature: grpo.temperature,
            stop: policy.tokenizer.stop_ids(),
            seed: config.seed ^ 0x63_6f_72_72 ^ ((step as u64 + 1) << 24),
            rows: config.llm.rows.max(grpo.group_size),
            ..SamplingConfig::default()
        };
        let mut prompts = Vec::with_capacity(window.len());
        for (user, position) in window {
            let past = self.timeline.past(*user, *position)?;
            let pattern = past
                .pattern(patterns)
                .map(|row| patterns.entry(row).text.as_str());
            let item = self.dataset.histories[*user][*position].item;
            prompts.push(policy.tokenizer.prompt(&reason_turns(
                self.dataset,
                pattern,
                item,
                config,
            ))?);
        }
        let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let completions = sample(&policy.model, &rows, grpo.group_size, &sampling, |_| true);
        let features = Features {
            timeline: self.timeline,
            patterns,
            reasons,
        };
        let scorer = Scorer::new(self.reward.clone(), features, self.context.device)?;
        let mut sampled = Vec::with_capacity(window.len());
        for (((user, position), prompt), completions) in window.iter().zip(prompts).zip(completions)
        {
            let completions = completions.unwrap_or_default();
            let texts: Vec<String> = completions
                .iter()
                .map(|one| tidy(&policy.tokenizer.decode(&one.ids)))
                .collect();
            let vectors = encode(&self.encoder, texts.iter().map(String::as_str))?;
            let item = self.dataset.histories[*user][*position].item;
            let found = scorer.reason_rewards(*user, *position, item, &vectors)?;
            let shift = if config.correct.baseline {
                f64::from(found.baseline)
            } else {
                0.0
            };
            sampled.push(Sampled {
                user: *user,
                position: *position,
                item,
                prompt,
                completions,
                texts,
                rewards: found
                    .scores
                    .iter()
                    .map(|score| f64::from(*score) - shift)
                    .collect(),
                baseline: found.baseline,
            });
        }
        Ok(sampled)
    }

    fn save_policy(
        &self,
        out: &Path,
        policy: &LanguageModel,
        pointer: &LlmPointer,
        version: u64,
        lora: bool,
    ) -> Result<()> {
        write_json(
            &out.join("policy.json"),
            &json!({"policy_version": version}),
        )?;
        if lora {
            policy.save_adapter(
                &out.join("adapter"),
                &self.peft(),
                &pointer.model.display().to_string(),
            )?;
            let adapter = Some(PathBuf::from("correct/adapter"));
            return LlmPointer {
                adapter,
                policy_version: version,
                ..pointer.clone()
            }
            .write(out);
        }
        policy.save(&out.join("model"))?;
        LlmPointer {
            model: "correct/model".into(),
            adapter: None,
            policy_version: version,
        }
        .write(out)
    }
}
