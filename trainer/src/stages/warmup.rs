//! Stage `warmup`: without a checkpoint, a nano Qwen2 with its own tokenizer learns language and output contract from
//! rationales that are derived from history and metadata (supervised). With a checkpoint there is nothing to do.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::module::Param;
use burn::tensor::Tensor;
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::data::load_dataset;
use super::{Context, LlmPointer};
use crate::config::Config;
use crate::data::{Dataset, Item};
use crate::llm::{
    ChatTokenizer, Example, LanguageModel, Trainer, learning_rate, supervised_step, train_tokenizer,
};
use crate::run::{JsonLines, write_json};
use crate::tasks::{Question, divide_users, random_position, recall};
use crate::text::{Known, RationaleWriter, corpus, pattern_prompt, reason_prompt};

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
    let model = nano(&tokenizer, config, context);
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
            for step in 0..settings.steps {
                let progress = step as f64 / (settings.recall_first * settings.steps as f64);
                // The receiver is gone once training has stopped.
                if sender.send(maker.batch(progress, &mut rng)).is_err() {
                    return;
                }
            }
        });
        let mut smooth = f64::NAN;
        for (step, batch) in batches.into_iter().enumerate() {
            context.check()?;
            let batch = batch?;
            let rows: Vec<&Example> = batch.iter().collect();
            let rate = learning_rate(
                settings.supervised.learning_rate,
                step,
                settings.steps,
                settings.rise,
            );
            let (loss, norm) = supervised_step(trainer, &rows, &settings.supervised, rate);
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
fn nano(tokenizer: &ChatTokenizer, config: &Config, context: &Context) -> Qwen2 {
    let shape = Qwen2Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: config.llm.hidden_size,
        intermediate_size: config.llm.intermediate_size,
        num_hidden_layers: config.llm.layers,
        num_attention_heads: config.llm.heads,
        num_key_value_heads: config.llm.kv_heads,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        max_position_embeddings: 2048,
    };
    let device = context.device.clone().autodiff();
    device.seed(config.seed);
    look_back(Qwen2::init(&shape, &device))
}

/// Gives the heads of the first key/value group of the first block a start in life: through Qwen2's query and key biases
/// and the rotary embedding, head `h` attends to the token `h + 1` places back. Copying from the context builds on such
/// heads, and a small model otherwise spends most of a short training on finding them. They are trained like all else.
fn look_back(mut model: Qwen2) -> Qwen2 {
    // Amplitude at which the place looked for is about e⁴ times as probable as its neighbours.
    const AMPLITUDE: f64 = 5.8;
    let config = model.config().clone();
    let (width, half) = (config.head_dim(), config.head_dim() / 2);
    let group = config.num_attention_heads / config.num_key_value_heads;
    let angle = |i: usize| config.rope_theta.powf(-2.0 * i as f64 / width as f64);
    let mut key = vec![0.0f32; config.num_key_value_heads * width];
    key[..half].fill(AMPLITUDE as f32);
    let mut query = vec![0.0f32; config.hidden_size];
    for head in 0..group {
        let back = -(head as f64 + 1.0);
        for i in 0..half {
            query[head * width + i] = (AMPLITUDE * (back * angle(i)).cos()) as f32;
            query[head * width + half + i] = (AMPLITUDE * (back * angle(i)).sin()) as f32;
        }
    }
    let attention = &mut model.layers[0].self_attn;
    for (projection, values) in [(&mut attention.q_proj, query), (&mut attention.k_proj, key)] {
        let device = projection.weight.val().device();
        let values = Tensor::<1>::from_floats(values.as_slice(), &device);
        projection.bias = Some(Param::from_tensor(values));
    }
    model
}

/// Draws supervised examples from the training events of the training users.
struct ExampleMaker<'a> {
    dataset: &'a Dataset,
    writer: &'a RationaleWriter,
    tokenizer: &'a ChatTokenizer,
    config: &'a Config,
    users: Vec<usize>,
}

impl ExampleMaker<'_> {
    /// A batch; `progress` below 1 is within the look-up exercises at the start, whose lists grow meanwhile.
    fn batch(&self, progress: f64, rng: &mut ChaCha8Rng) -> Result<Vec<Example>> {
        let settings = &self.config.warmup;
        if progress < 1.0 {
            let longest = 3 + (progress * 6.0) as usize;
            return (0..settings.recall_batch)
                .map(|_| self.recall(longest, rng))
                .collect();
        }
        let size = settings.supervised.batch_size;
        let mut batch = Vec::with_capacity(size);
        for _ in 0..size * 100 {
            if batch.len() == size {
                break;
            }
            if let Some(example) = self.example(rng)? {
                batch.push(example);
            }
        }
        ensure!(
            batch.len() == size,
            "no user has enough training history for a warm-up example"
        );
        Ok(batch)
    }

    fn recall(&self, longest: usize, rng: &mut ChaCha8Rng) -> Result<Example> {
        let lines = rng.random_range(2..=longest);
        let (turns, answer) = recall(&self.dataset.items, lines, &self.config.prompts.render, rng);
        Ok(Example {
            prompt: self.tokenizer.prompt(&turns)?,
            answer: self.tokenizer.answer(&answer)?,
        })
    }

    fn example(&self, rng: &mut ChaCha8Rng) -> Result<Option<Example>> {
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
        let [alignment, pattern, reason, lookup] = self.config.warmup.mix;
        let draw = rng.random::<f64>() * (alignment + pattern + reason + lookup);
        if draw > alignment + pattern + reason {
            return self.recall(8, rng).map(Some);
        }
        let (turns, answer) = if draw < alignment {
            let candidates = question.candidate_items(self.dataset);
            let rationale = self.writer.alignment(&history, &candidates, target, rng);
            (
                question.turns(self.dataset, &prompts.render),
                rationale.text,
            )
        } else if draw < alignment + pattern {
            let rationale = self.writer.pattern(&history, rng);
            (pattern_prompt(&history, &prompts.render), rationale.text)
        } else {
            self.reason(&history, target, rng)
        };
        Ok(Some(Example {
            prompt: self.tokenizer.prompt(&turns)?,
            answer: self.tokenizer.answer(&answer)?,
        }))
    }

    fn reason(
        &self,
        history: &[&Item],
        target: &Item,
        rng: &mut ChaCha8Rng,
    ) -> (Vec<crate::text::Turn>, String) {
        let render = &self.config.prompts.render;
        // Before a user has a first pattern, reasons are written without one: one example in ten.
        if rng.random::<f64>() < 0.1 {
            let rationale = self.writer.reason(Known::Nothing, target, rng);
            return (reason_prompt(None, target, render), rationale.text);
        }
        let pattern = self.writer.pattern(history, rng);
        let rationale = self
            .writer
            .reason(Known::Pattern(&pattern.named), target, rng);
        (
            reason_prompt(Some(&pattern.text), target, render),
            rationale.text,
        )
    }
}
