//! Stage `warmup`: without a checkpoint, a nano Qwen2 with its own tokenizer learns language and output contract from
//! rationales that are derived from history and metadata (supervised). With a checkpoint there is nothing to do.

use std::path::Path;

use anyhow::Result;
use curec_shared_model::qwen2::{Qwen2, Qwen2Config};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::data::load_dataset;
use super::exercises::Exercises;
use super::language::{ensure_finite, ensure_goes_on};
use super::standing::{resume, save};
use super::{Context, LlmPointer};
use crate::config::Config;
use crate::data::Dataset;
use crate::llm::{
    ChatTokenizer, LanguageModel, Trainer, hub, learning_rate, nano, read_config, shard_names,
    supervised_step, train_tokenizer,
};
use crate::run::{JsonLines, interrupted, write_json};
use crate::text::{RationaleWriter, corpus};

pub(super) fn run(context: &Context, out: &Path) -> Result<()> {
    let config = context.config;
    if let Some(model) = &config.llm.model {
        let model = std::path::absolute(hub::resolve(model)?)?;
        // A folder that cannot be loaded is better refused here than after this stage.
        read_config(&model)?;
        shard_names(&model)?;
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
    let maker = Exercises::new(&dataset, &writer, &tokenizer, config);

    let settings = &config.warmup;
    let trainer = Trainer::new(model, &settings.supervised.trainer);
    let (trainer, smooth) = train(context, out, &maker, trainer)?;
    ensure_finite(&trainer, "warmup.supervised.learning_rate")?;
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

/// Where the warm-up stands between two steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Standing {
    step: usize,
    /// Of the exercises, before those of `step` are drawn.
    rng: ChaCha8Rng,
    smooth: Option<f64>,
    metrics: u64,
}

/// All steps; the next batches are made on a thread of their own meanwhile. Returns the trainer and the smoothed loss.
fn train(
    context: &Context,
    out: &Path,
    maker: &Exercises,
    trainer: Trainer,
) -> Result<(Trainer, f64)> {
    let settings = &context.config.warmup;
    let mut checkpoints = context.checkpoints(out)?;
    let (mut trainer, standing) = resume::<Standing>(&checkpoints, trainer)?;
    let log = standing.as_ref().map(|standing| standing.metrics);
    let mut metrics = JsonLines::at(&out.join("metrics.jsonl"), log)?;
    let Standing {
        step: first,
        mut rng,
        mut smooth,
        ..
    } = standing.unwrap_or_else(|| Standing {
        step: 0,
        rng: ChaCha8Rng::seed_from_u64(context.config.seed ^ 0x77_61_72_6d),
        smooth: None,
        metrics: 0,
    });
    let mut bar = context.progress.bar("warm-up", settings.steps as u64);
    let (sender, batches) = std::sync::mpsc::sync_channel(4);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for step in first..settings.steps {
                let (mix, size) = (settings.mix_at(step), settings.supervised.batch_size);
                let batch = maker.batch(&mix, size, &mut rng);
                // The receiver is gone once training has stopped.
                if sender.send((batch, rng.clone())).is_err() {
                    return;
                }
            }
        });
        for (step, (batch, rng)) in (first..).zip(batches) {
            context.check()?;
            let batch = batch?;
            let rate = learning_rate(
                settings.supervised.learning_rate,
                step,
                settings.steps,
                settings.rise,
            );
            let (loss, norm) = supervised_step(&mut trainer, &batch, rate);
            let settings_name = "warmup.supervised.learning_rate";
            ensure_goes_on(
                &trainer,
                settings.supervised.trainer.max_skipped,
                settings_name,
            )?;
            let shown = smooth.map_or(loss, |smooth| 0.9 * smooth + 0.1 * loss);
            smooth = Some(shown);
            metrics.push(
                &json!({"step": step, "loss": loss, "grad_norm": norm, "learning_rate": rate}),
            )?;
            bar.set(step as u64 + 1, format!("loss {shown:.3}"));
            if checkpoints.due() || interrupted() || step + 1 == settings.steps {
                let standing = Standing {
                    step: step + 1,
                    rng,
                    smooth,
                    metrics: metrics.length(),
                };
                save(&mut checkpoints, &trainer, &standing, |_| Ok(()))?;
            }
        }
        let smooth = smooth.unwrap_or(f64::NAN);
        bar.finish(format!("loss {smooth:.3}"));
        Ok((trainer, smooth))
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
