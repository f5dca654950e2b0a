//! Stage `warmup`: without a checkpoint, a nano Qwen2 with its own tokenizer learns language and output contract from
//! rationales that are derived from history and metadata (supervised). With a checkpoint there is nothing to do.

use std::path::Path;

use anyhow::{Result, ensure};
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::data::load_dataset;
use super::{Context, LlmPointer};
use crate::config::Config;
use crate::data::Dataset;
use crate::llm::{
    ChatTokenizer, Example, LanguageModel, Trainer, learning_rate, nano, supervised_step,
    train_tokenizer,
};
use crate::run::{JsonLines, write_json};
use crate::tasks::{Question, divide_users, random_position, recall};
use crate::text::{Known, RationaleWriter, Turn, corpus, pattern_prompt, reason_prompt};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let config = context.config;
    if let Some(model) = &config.llm.model {
        let model = std::path::absolute(model)?;
        return LlmPointer {
            model,
            adapter: None,
            policy_version: 0,
        }
        .write(out);
    }
    let dataset = load_dataset(context.run)?;
    let writer = RationaleWriter::new(&dataset.items, config.prompts.render.clone());
    let tokenizer = tokenizer(&dataset, &writer, config)?;
    let model = fresh_model(&tokenizer, config, context);
    let (users, _) = divide_users(
        dataset.users.len(),
        config.prompts.held_out_users,
        config.seed,
    );
    let maker = ExampleMaker {
        dataset: &dataset,
        writer: &writer,
        tokenizer: &tokenizer,
        config,
        users,
    };

    let settings = &config.warmup;
    let mut trainer = Trainer::new(model, &settings.supervised.trainer);
    let smooth = train(context, out, &maker, &mut trainer)?;
    ensure!(
        trainer.skipped() * 10 <= settings.steps,
        "{} of {} warm-up steps had a gradient that is not finite; lower warmup.supervised.learning_rate",
        trainer.skipped(),
        settings.steps
    );
    let language = LanguageModel {
        model: trainer.policy(),
        tokenizer,
    };
    language.save(&out.join("model"))?;
    let pointer = LlmPointer {
        model: "warmup/model".into(),
        adapter: None,
        policy_version: settings.steps as u64,
    };
    pointer.write(out)?;
    write_json(
        &out.join("report.json"),
        &json!({
            "parameters": language.model.config().parameters(), "vocabulary": language.model.config().vocab_size,
            "steps": settings.steps, "loss": smooth, "skipped": trainer.skipped(),
        }),
    )
}

/// All steps; the next batches are made on a thread of their own meanwhile. Returns the smoothed loss.
fn train(
    context: &Context,
    out: &Path,
    maker: &ExampleMaker,
    trainer: &mut Trainer,
) -> Result<f64> {
    let settings = &context.config.warmup;
    let mut metrics = JsonLines::create(&out.join("metrics.jsonl"))?;
    let mut bar = context.progress.bar("warm-up", settings.steps as u64);
    let (sender, batches) = std::sync::mpsc::sync_channel(4);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut rng = ChaCha8Rng::seed_from_u64(context.config.seed ^ 0x77_61_72_6d);
            for _ in 0..settings.steps {
                // The receiver is gone once training has stopped.
                if sender.send(maker.batch(&mut rng)).is_err() {
                    return;
                }
            }
        });
        let mut smooth = f64::NAN;
        for (step, batch) in batches.into_iter().enumerate() {
            context.check()?;
            let batch = batch?;
            let rate = learning_rate(
                settings.supervised.learning_rate,
                step,
                settings.steps,
                settings.rise,
            );
            let (loss, norm) = supervised_step(trainer, &batch, rate);
            smooth = if smooth.is_nan() {
                loss
            } else {
                0.9 * smooth + 0.1 * loss
            };
            metrics.push(
                &json!({"step": step, "loss": loss, "grad_norm": norm, "learning_rate": rate}),
            )?;
            bar.set(step as u64 + 1, format!("loss {smooth:.3}"));
        }
        bar.finish(format!("loss {smooth:.3}"));
        Ok(smooth)
    })
}

/// A byte-level BPE on the run's own training texts.
fn tokenizer(
    dataset: &Dataset,
    writer: &RationaleWriter,
    config: &Config,
) -> Result<ChatTokenizer> {
    // About 4,000 examples hold every word many times; more only cost time.
    let per_user = (4_000 / dataset.users.len().max(1)).clamp(1, 10);
    let texts: Vec<String> = corpus(dataset, writer, per_user, config.seed).collect();
    Ok(train_tokenizer(texts.into_iter(), config.llm.vocabulary)?)
}

/// A fresh nano model for this vocabulary.
fn fresh_model(tokenizer: &ChatTokenizer, config: &Config, context: &Context) -> Qwen2 {
    let shape = Qwen2Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: config.llm.hidden_size,
        intermediate_size: config.llm.intermediate_size,
        num_hidden_layers: config.llm.layers,
        num_attention_heads: config.llm.heads,
        num_key_value_heads: config.llm.kv_heads,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        tie_word_embeddings: true,
        max_position_embeddings: 2048,
    };
    nano(&shape, config.seed, &context.device.clone().autodiff())
}

/// Lines of a look-up exercise at most.
const LOOK_UP_LINES: usize = 8;

/// Draws supervised examples from the training events of the training users.
struct ExampleMaker<'a> {
    dataset: &'a Dataset,
    writer: &'a RationaleWriter,
    tokenizer: &'a ChatTokenizer,
    config: &'a Config,
    users: Vec<usize>,
}

impl ExampleMaker<'_> {
    fn batch(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Vec<Example>>> {
        let size = self.config.warmup.supervised.batch_size;
        let mut batch = Vec::with_capacity(size);
        for _ in 0..size * 100 {
            if batch.len() == size {
                break;
            }
            if let Some(family) = self.family(rng)? {
                batch.push(family);
            }
        }
        ensure!(
            batch.len() == size,
            "no user has enough training history for a warm-up example"
        );
        Ok(batch)
    }

    fn tokens(&self, turns: &[Turn], answer: &str) -> Result<Example> {
        Ok(Example {
            prompt: self.tokenizer.prompt(turns)?,
            answer: self.tokenizer.answer(answer)?,
        })
    }

    fn recall(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Example>> {
        let lines = rng.random_range(2..=LOOK_UP_LINES);
        let (items, render) = (&self.dataset.items, &self.config.prompts.render);
        let exercises = recall(items, lines, self.config.warmup.questions, render, rng);
        let tokens = |(turns, answer): &(Vec<Turn>, String)| self.tokens(turns, answer);
        exercises.iter().map(tokens).collect()
    }

    /// One prompt with several good answers to it, or several look-up exercises over the same lines.
    fn family(&self, rng: &mut ChaCha8Rng) -> Result<Option<Vec<Example>>> {
        let Some(user) = self.users.choose(rng) else {
            return Ok(None);
        };
        let Some(position) = random_position(self.dataset, *user, 2, rng) else {
            return Ok(None);
        };
        let prompts = &self.config.prompts;
        let question = Question::draw(self.dataset, *user, position, prompts, rng);
        let history = question.history_items(self.dataset);
        let target = &self.dataset.items[question.truth];
        let answers = self.config.warmup.answers;
        let [alignment, pattern, reason, lookup] = self.config.warmup.mix;
        let draw = rng.random::<f64>() * (alignment + pattern + reason + lookup);
        if draw > alignment + pattern + reason {
            return self.recall(rng).map(Some);
        }
        let (turns, texts): (_, Vec<String>) = if draw < alignment {
            let candidates = question.candidate_items(self.dataset);
            let mut answer = |_| {
                self.writer
                    .alignment(&history, &candidates, target, rng)
                    .text
            };
            let texts = (0..answers).map(&mut answer).collect();
            (question.turns(self.dataset, &prompts.render), texts)
        } else if draw < alignment + pattern {
            let mut answer = |_| self.writer.pattern(&history, rng).text;
            let texts = (0..answers).map(&mut answer).collect();
            (pattern_prompt(&history, &prompts.render), texts)
        } else {
            // Before a user has a first pattern, reasons are written without one: one example in ten.
            let pattern = (rng.random::<f64>() >= 0.1).then(|| self.writer.pattern(&history, rng));
            let known = || match &pattern {
                Some(pattern) => Known::Pattern(&pattern.named),
                None => Known::Nothing,
            };
            let mut answer = |_| self.writer.reason(known(), target, rng).text;
            let texts = (0..answers).map(&mut answer).collect();
            let shown = pattern.as_ref().map(|pattern| pattern.text.as_str());
            (reason_prompt(shown, target, &prompts.render), texts)
        };
        let family = texts.iter().map(|text| self.tokens(&turns, text));
        family.collect::<Result<Vec<_>>>().map(Some)
    }
}
