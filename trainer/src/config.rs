//! Settings of a run: defaults < preset < `--config FILE` < `--set key=value` and flags.

mod check;
pub(crate) mod layers;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use curec_shared_model::qwen2::{PROJECTIONS, Precision};
use layers::merge;
use serde::{Deserialize, Serialize};

use crate::data::DataConfig;
use crate::data::world::WorldConfig;
use crate::evaluation::EvaluationConfig;
use crate::grpo::GrpoConfig;
use crate::llm::{SupervisedConfig, TextVector, TrainerSettings};
use crate::reward::RewardTrainingConfig;
use crate::tasks::PromptConfig;
use crate::text::{ItemText, RewardWeights};

/// Everything that decides a run's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seed of everything random.
    pub seed: u64,
    /// Where interactions come from; no source means the built-in world.
    pub data: DataConfig,
    /// The built-in world.
    pub world: WorldConfig,
    /// What prompts show.
    pub prompts: PromptConfig,
    /// The language model.
    pub llm: LlmConfig,
    /// Supervised warm-up of a nano model.
    pub warmup: WarmupConfig,
    /// GRPO alignment.
    pub pretrain: PretrainConfig,
    /// Patterns and reasons.
    pub generate: GenerateConfig,
    /// The reward model.
    pub reward: RewardTrainingConfig,
    /// Chronological correction.
    pub correct: CorrectConfig,
    /// Ranking.
    pub evaluate: EvaluationConfig,
    /// The web artefact.
    pub export: ExportConfig,
    /// How the run goes about it; no result depends on it.
    pub run: RunConfig,
}

impl Config {
    /// The settings with everything at its default that decides how the work is done and not, rounding aside, what comes of
    /// it: a run may go on with less memory than it began with.
    pub fn deciding(&self) -> Self {
        let mut config = self.clone();
        let (llm, trainer) = (LlmConfig::default(), TrainerSettings::default());
        config.llm.rows = llm.rows;
        for one in [
            &mut config.warmup.supervised.trainer,
            &mut config.pretrain.trainer,
            &mut config.correct.trainer,
        ] {
            one.cpu_kernels = trainer.cpu_kernels;
            one.recompute = trainer.recompute;
            one.max_skipped = trainer.max_skipped;
        }
        for grpo in [&mut config.pretrain.grpo, &mut config.correct.grpo] {
            grpo.tokens_at_once = GrpoConfig::default().tokens_at_once;
        }
        config
    }
}

/// How a run goes about its work; no result depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Seconds between checkpoints of a stage that trains the language model: what a kill costs at most. 0 = every step.
    pub checkpoint_seconds: f64,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            checkpoint_seconds: 60.0,
        }
    }
}

/// Which language model, and the shape of the nano one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmConfig {
    /// A Hugging Face folder; none trains a nano Qwen2 from scratch.
    pub model: Option<PathBuf>,
    /// Nano: tokens of the BPE at most.
    pub vocabulary: usize,
    /// Nano: width of the residual stream.
    pub hidden_size: usize,
    /// Nano: width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Nano: blocks.
    pub layers: usize,
    /// Nano: query heads.
    pub heads: usize,
    /// Nano: key/value heads.
    pub kv_heads: usize,
    /// In what the frozen matrices of a given checkpoint are kept on a GPU: float32, bfloat16 or float16 (adapters, and what
    /// log-probabilities are computed from, stay float32).
    pub dtype: Precision,
    /// Rank of the LoRA adapters that GRPO trains on a given checkpoint; 0 trains all weights.
    pub lora_rank: usize,
    /// LoRA's alpha.
    pub lora_alpha: f64,
    /// Divide alpha by the root of the rank instead of the rank (rsLoRA, arXiv 2312.03732).
    pub lora_rslora: bool,
    /// The linear layers that get adapters, by their Hugging Face names; all seven of a block by default.
    pub lora_targets: Vec<String>,
    /// Rows decoded together.
    pub rows: usize,
    /// Nano: supervised prompts after each GRPO step, patterns, reasons, look-ups and first sentences of thoughts, so that
    /// the model does not forget how to write and to copy; 0 = none.
    pub rehearsal: usize,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            model: None,
            vocabulary: 2048,
            hidden_size: 192,
            intermediate_size: 512,
            layers: 5,
            heads: 6,
            kv_heads: 2,
            dtype: Precision::Float32,
            lora_rank: 16,
            lora_alpha: 32.0,
            lora_rslora: false,
            lora_targets: PROJECTIONS.map(str::to_owned).to_vec(),
            rows: 64,
            rehearsal: 8,
        }
    }
}

/// Supervised warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmupConfig {
    /// Optimiser steps; 0 leaves a fresh model untrained.
    pub steps: usize,
    /// Share of steps over which the learning rate rises.
    pub rise: f64,
    /// Relative frequency of alignment questions, patterns, reasons and look-up exercises among the prompts. A fresh model
    /// learns from the look-ups to copy from its context, which all else needs: they begin at twice their share and fade out.
    pub mix: [f64; 4],
    /// Look-up exercises over the same list (at least 1).
    pub questions: usize,
    /// Answers to the same prompt, worded differently (at least 1).
    pub answers: usize,
    /// Batch, learning rate, optimiser.
    pub supervised: SupervisedConfig,
}

impl Default for WarmupConfig {
    fn default() -> Self {
        Self {
            steps: 480,
            rise: 0.05,
            mix: [0.42, 0.16, 0.17, 0.25],
            questions: 6,
            answers: 3,
            supervised: SupervisedConfig::default(),
        }
    }
}

impl WarmupConfig {
    /// The mix at a step: the look-ups' part falls evenly from twice its mean to nothing.
    pub fn mix_at(&self, step: usize) -> [f64; 4] {
        let [alignment, pattern, reason, lookup] = self.mix;
        let left = 1.0 - step as f64 / self.steps.max(1) as f64;
        [alignment, pattern, reason, 2.0 * left * lookup]
    }
}

/// GRPO alignment (METHOD §1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainConfig {
    /// Optimiser steps; 0 leaves the stage out (ablation "no pretraining").
    pub steps: usize,
    /// Prompts per step.
    pub prompts_per_step: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Questions about held-out users on which warm-up and aligned model are compared.
    pub evaluation_questions: usize,
    /// Answers sampled to each of these questions.
    pub evaluation_samples: usize,
    /// Weights of the three rule rewards.
    pub rewards: RewardWeights,
    /// Group size, temperature, loss.
    pub grpo: GrpoConfig,
    /// The optimiser.
    pub trainer: TrainerSettings,
}

impl Default for PretrainConfig {
    fn default() -> Self {
        Self {
            steps: 70,
            prompts_per_step: 16,
            learning_rate: 1e-4,
            evaluation_questions: 500,
            evaluation_samples: 1,
            rewards: RewardWeights::default(),
            grpo: GrpoConfig::default(),
            trainer: TrainerSettings {
                weight_decay: 0.0,
                ..TrainerSettings::default()
            },
        }
    }
}

/// What the LLM writes for the reward model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// Patterns per user, written at evenly spaced points of the training history; the last at its end.
    pub patterns_per_user: usize,
    /// Reasons per item, written for interactions evenly spaced over the item's training interactions.
    pub reasons_per_item: usize,
    /// Longest text in tokens.
    pub max_new_tokens: usize,
    /// Sampling temperature.
    pub temperature: f64,
    /// Only the most probable tokens with this total probability (nothing is trained on these texts' probabilities).
    pub top_p: f64,
    /// Taken off the logit of every token that the text already holds, so that a small model does not name the strongest taste
    /// twice; 0 for none.
    pub presence_penalty: f64,
    /// Times that a text is sampled at most (1 = once, as in the paper): again while it claims what its prompt does not hold, says
    /// nothing of the item, repeats itself, repeats an earlier reason of the item, or is cut off.
    pub attempts: usize,
    /// What prompts for patterns and reasons show of an item, here and in the correction: `full`, `masked` (no titles) or
    /// `generic` (a number for a title and no attributes).
    pub item_text: ItemText,
    /// What a text becomes for the reward model: `first_last` or `last`.
    pub text_vector: TextVector,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            patterns_per_user: 3,
            reasons_per_item: 8,
            max_new_tokens: 48,
            temperature: 0.6,
            top_p: 0.9,
            presence_penalty: 0.0,
            attempts: 1,
            item_text: ItemText::Full,
            text_vector: TextVector::FirstLast,
        }
    }
}

/// Chronological correction (METHOD §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorrectConfig {
    /// Interactions corrected, evenly spaced in global time order over all that have a reason; 0 leaves the stage out.
    pub interactions: usize,
    /// Interactions per GRPO step at most, of different users and items; 1 is the paper.
    pub window: usize,
    /// Visit them in a random order (ablation).
    pub shuffled: bool,
    /// Train the LLM but write nothing back to the stores (ablation "no update").
    pub freeze_texts: bool,
    /// Reward = score − score without the new reason, instead of the score.
    pub baseline: bool,
    /// Weight, beside the score, of the share of a reason's claims that its prompt holds: metadata for what it says of the item, the
    /// pattern for what it says of the person; 0 = the paper.
    pub grounding_weight: f64,
    /// Weight of how little a reason repeats the item's earlier reasons and its fellows in the group; 0 = the paper.
    pub novelty_weight: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Group size, temperature, loss.
    pub grpo: GrpoConfig,
    /// The optimiser.
    pub trainer: TrainerSettings,
}

impl Default for CorrectConfig {
    fn default() -> Self {
        Self {
            interactions: 400,
            window: 4,
            shuffled: false,
            freeze_texts: false,
            baseline: true,
            grounding_weight: 0.1,
            novelty_weight: 0.05,
            learning_rate: 5e-5,
            grpo: GrpoConfig {
                max_new_tokens: 48,
                ..GrpoConfig::default()
            },
            trainer: TrainerSettings {
                weight_decay: 0.0,
                ..TrainerSettings::default()
            },
        }
    }
}

/// The web artefact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ExportConfig {
    /// Users in the artefact at most, evenly spaced; none exports all.
    pub max_users: Option<usize>,
}

/// Tables with a `seed` that decides nothing: every stage has the run's. Stored settings spell it out as 42, and fingerprints of
/// finished stages hold that, so it is read and written still; as a setting it is refused.
const SEEDLESS: [&str; 2] = ["reward", "evaluate"];

fn no_seed_of_its_own(stage: &str) -> String {
    format!(
        "`{stage}.seed` cannot be set: every stage has the run's seed. Leave it out, and give that one with --seed N (`seed = N` in a file)"
    )
}

/// Names of the presets.
pub const PRESETS: [&str; 4] = ["world", "small", "medium", "tiny"];

impl Config {
    /// Merges the layers.
    ///
    /// # Errors
    /// An unknown preset, field or value: the message names it.
    pub fn layered(
        preset: Option<&str>,
        file: Option<&std::path::Path>,
        sets: &[String],
    ) -> Result<Self> {
        let mut own = toml::Table::new();
        if let Some(file) = file {
            merge(&mut own, layers::read(file)?);
        }
        for set in sets {
            let set = layers::assignment(set)?;
            for stage in SEEDLESS {
                let seed = set.get(stage).and_then(|settings| settings.get("seed"));
                ensure!(seed.is_none(), no_seed_of_its_own(stage));
            }
            merge(&mut own, set);
        }
        let mut whole = toml::Table::new();
        if let Some(preset) = preset {
            whole = layers::parse(preset_text(preset)?, &format!("preset {preset}"))?;
            // What a preset says under `nano` is for runs without a checkpoint.
            let nano = whole.remove("nano");
            let checkpoint = own.get("llm").and_then(|llm| llm.get("model")).is_some();
            if let (Some(toml::Value::Table(nano)), false) = (nano, checkpoint) {
                merge(&mut whole, nano);
            }
        }
        merge(&mut whole, own);
        let config: Self = toml::Value::Table(whole)
            .try_into()
            .context("in the settings")?;
        Ok(config)
    }

    /// These settings with some of them, `a.b = value` each, set anew.
    ///
    /// # Errors
    /// An unknown field or value: the message names it.
    pub fn with(&self, sets: &[&str]) -> Result<Self> {
        let mut whole = toml::Table::try_from(self)?;
        for set in sets {
            merge(&mut whole, layers::assignment(set)?);
        }
        toml::Value::Table(whole)
            .try_into()
            .context("in the settings")
    }

    /// As TOML, every field spelled out.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }
}

fn preset_text(name: &str) -> Result<&'static str> {
    Ok(match name {
        "world" => include_str!("../../configs/world.toml"),
        "small" => include_str!("../../configs/small.toml"),
        "medium" => include_str!("../../configs/medium.toml"),
        "tiny" => include_str!("../../configs/tiny.toml"),
        _ => bail!(
            "there is no preset \"{name}\"; the presets are {}",
            PRESETS.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_readable_and_survives_a_round_trip() {
        for preset in PRESETS {
            let config = Config::layered(Some(preset), None, &[]).unwrap();
            let again: Config = toml::from_str(&config.to_toml().unwrap()).unwrap();
            assert_eq!(config, again);
        }
    }

    #[test]
    fn a_checkpoint_gets_nothing_that_presets_keep_for_nano_models() {
        for preset in PRESETS {
            let nano = Config::layered(Some(preset), None, &[]).unwrap();
            assert!(nano.prompts.render.title_last && nano.prompts.render.indent);
            let sets = ["llm.model=folder".to_owned()];
            let checkpoint = Config::layered(Some(preset), None, &sets).unwrap();
            let render = &checkpoint.prompts.render;
            assert!(!render.title_last && !render.indent);
            let hotter = nano.pretrain.grpo.temperature > 1.0;
            assert_eq!(hotter, preset != "tiny");
            assert_eq!(checkpoint.pretrain.grpo.temperature, 1.0);
            let attempts = [&checkpoint, &nano].map(|config| config.generate.attempts);
            assert!(
                attempts[0] == 1 && attempts[1] > 1,
                "{preset}: {attempts:?}"
            );
            assert_eq!(checkpoint.pretrain.rewards, RewardWeights::default());
            assert_eq!(render.separator, nano.prompts.render.separator);
            let sets = [
                "llm.model=folder".to_owned(),
                "prompts.render.indent=true".to_owned(),
            ];
            let asked = Config::layered(Some(preset), None, &sets).unwrap();
            assert!(asked.prompts.render.indent);
        }
    }

    #[test]
    fn look_ups_fade_out_around_their_mean_share() {
        let warmup = WarmupConfig::default();
        let mixes: Vec<[f64; 4]> = (0..warmup.steps).map(|step| warmup.mix_at(step)).collect();
        let mean = mixes.iter().map(|mix| mix[3]).sum::<f64>() / mixes.len() as f64;
        assert!((mean - warmup.mix[3]).abs() < 1e-2, "{mean}");
        assert_eq!(mixes[0][3], 2.0 * warmup.mix[3]);
        assert!(mixes[warmup.steps - 1][3] < 0.01);
        assert!(mixes.iter().all(|mix| mix[..3] == warmup.mix[..3]));
    }

    #[test]
    fn flags_win_over_presets_and_unknown_keys_are_named() {
        let config = Config::layered(
            Some("tiny"),
            None,
            &["warmup.steps=3".into(), "llm.model=some/folder".into()],
        );
        let config = config.unwrap();
        assert_eq!(config.warmup.steps, 3);
        assert_eq!(config.llm.model, Some(PathBuf::from("some/folder")));
        let error = Config::layered(None, None, &["warmup.stepz=3".into()]).unwrap_err();
        assert!(format!("{error:#}").contains("stepz"), "{error:#}");
    }

    #[test]
    fn a_seed_that_would_decide_nothing_is_no_setting_but_stored_ones_are_read() {
        for stage in SEEDLESS {
            for set in [
                format!("{stage}.seed=5"),
                format!("{stage}.seed=42"),
                format!("{stage}={{ seed = 5 }}"),
            ] {
                let error = Config::layered(Some("tiny"), None, &[set]).unwrap_err();
                let message = error.to_string();
                assert!(message.contains(&format!("`{stage}.seed`")), "{message}");
                assert!(message.contains("--seed"), "{message}");
            }
        }
        // What runs and ablations store, and what was recorded.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.toml");
        let config = Config::layered(Some("tiny"), None, &[]).unwrap();
        let text = config.to_toml().unwrap();
        assert_eq!(text.matches("seed = 42").count(), 2, "{text}");
        std::fs::write(&file, text).unwrap();
        let stored = Config::layered(None, Some(&file), &["seed=3".into()]).unwrap();
        stored.validate().unwrap();
        assert_eq!((stored.seed, stored.reward), (3, config.reward));
        let recorded = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../benches/results/ablation-world/ablate.toml"
        );
        let recorded = Config::layered(None, Some(recorded.as_ref()), &[]).unwrap();
        recorded.validate().unwrap();
        // A file that gives one of its own.
        for stage in SEEDLESS {
            std::fs::write(&file, format!("[{stage}]\nseed = 5")).unwrap();
            let config = Config::layered(Some("tiny"), Some(&file), &[]).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("`{stage}.seed`")), "{message}");
        }
    }
}
