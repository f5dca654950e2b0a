//! Settings that cannot work are refused before any stage runs, by name and with what to do.

use anyhow::{Context as _, Result, bail, ensure};
use curec_shared_model::qwen2::{PROJECTIONS, Precision};

use super::{Config, SEEDLESS, no_seed_of_its_own};
use crate::evaluation::EvaluationConfig;
use crate::grpo::GrpoConfig;
use crate::reward::RewardTrainingConfig;

/// Tokens that a byte-level BPE cannot do without: 256 bytes and ChatML's marks.
const SMALLEST_VOCABULARY: usize = 300;

impl Config {
    /// Checks each setting by itself and those that contradict each other; what only the data can tell is checked by the
    /// stages.
    ///
    /// # Errors
    /// The first setting that cannot work: its name, its value, and the values that do.
    pub fn validate(&self) -> Result<()> {
        self.data.validate()?;
        self.validate_seeds()?;
        self.validate_sizes()?;
        self.validate_nano()?;
        self.validate_training()?;
        self.validate_grpo("pretrain.grpo", &self.pretrain.grpo)?;
        self.validate_grpo("correct.grpo", &self.correct.grpo)?;
        self.reward
            .validate()
            .context("in the settings under [reward]")?;
        ensure!(
            !self.reward.random_texts || self.correct.interactions == 0,
            "`reward.random_texts` is true and `correct.interactions` is {}: correction would write real texts among the random ones. \
             Set correct.interactions = 0 (--no-correction)",
            self.correct.interactions
        );
        let held_out = self.prompts.held_out_users;
        ensure!(
            (0.0..1.0).contains(&held_out),
            "`prompts.held_out_users` is {held_out}; it must lie in [0, 1)"
        );
        let (targets, known) = (&self.llm.lora_targets, PROJECTIONS);
        ensure!(
            self.llm.lora_rank == 0 || !targets.is_empty(),
            "`llm.lora_targets` is empty; name some of {}, or set llm.lora_rank = 0",
            known.join(", ")
        );
        let dtype = self.llm.dtype;
        ensure!(
            dtype == Precision::Float32 || (self.llm.model.is_some() && self.llm.lora_rank > 0),
            "`llm.dtype` is {dtype}, and all weights are to be trained: what trains must be float32. Give a checkpoint with --model \
             and an adapter with llm.lora_rank, or set llm.dtype = \"float32\""
        );
        if let Some(unknown) = targets.iter().find(|name| !known.contains(&name.as_str())) {
            bail!(
                "`llm.lora_targets` names {unknown}, which a Qwen2 block does not have; it has {}",
                known.join(", ")
            );
        }
        let seconds = self.run.checkpoint_seconds;
        ensure!(
            (0.0..1e9).contains(&seconds),
            "`run.checkpoint_seconds` is {seconds}; it must be 0 (after every step) or more"
        );
        for (name, weight) in [
            ("grounding_weight", self.correct.grounding_weight),
            ("novelty_weight", self.correct.novelty_weight),
        ] {
            ensure!(
                weight >= 0.0 && weight.is_finite(),
                "`correct.{name}` is {weight}; it must be 0 (no such reward) or more"
            );
        }
        let (temperature, top_p) = (self.generate.temperature, self.generate.top_p);
        ensure!(
            temperature >= 0.0,
            "`generate.temperature` is {temperature}; it must be 0 (the most probable tokens) or more"
        );
        ensure!(
            top_p > 0.0 && top_p <= 1.0,
            "`generate.top_p` is {top_p}; it must lie above 0 and at most at 1"
        );
        let penalty = self.generate.presence_penalty;
        ensure!(
            (0.0..=100.0).contains(&penalty),
            "`generate.presence_penalty` is {penalty}; it must lie between 0 (none) and 100"
        );
        Ok(())
    }

    /// Only the run has a seed; what every stored file says of the others is let pass.
    fn validate_seeds(&self) -> Result<()> {
        let given = [self.reward.seed, self.evaluate.seed];
        let stored = [
            RewardTrainingConfig::default().seed,
            EvaluationConfig::default().seed,
        ];
        for (at, stage) in SEEDLESS.into_iter().enumerate() {
            ensure!(given[at] == stored[at], no_seed_of_its_own(stage));
        }
        Ok(())
    }

    fn validate_sizes(&self) -> Result<()> {
        let sizes = [
            ("prompts.history", self.prompts.history, 1),
            ("prompts.candidates", self.prompts.candidates, 2),
            ("llm.rows", self.llm.rows, 1),
            ("warmup.answers", self.warmup.answers, 1),
            ("warmup.questions", self.warmup.questions, 1),
            (
                "warmup.supervised.batch_size",
                self.warmup.supervised.batch_size,
                1,
            ),
            (
                "pretrain.prompts_per_step",
                self.pretrain.prompts_per_step,
                1,
            ),
            (
                "pretrain.evaluation_questions",
                self.pretrain.evaluation_questions,
                1,
            ),
            (
                "pretrain.evaluation_samples",
                self.pretrain.evaluation_samples,
                1,
            ),
            (
                "generate.patterns_per_user",
                self.generate.patterns_per_user,
                1,
            ),
            (
                "generate.reasons_per_item",
                self.generate.reasons_per_item,
                1,
            ),
            ("generate.max_new_tokens", self.generate.max_new_tokens, 1),
            ("generate.attempts", self.generate.attempts, 1),
            ("correct.window", self.correct.window, 1),
            ("evaluate.list_length", self.evaluate.list_length, 1),
            (
                "evaluate.max_users",
                self.evaluate.max_users.unwrap_or(1),
                1,
            ),
            (
                "evaluate.bootstrap_samples",
                self.evaluate.bootstrap_samples,
                1,
            ),
            ("export.max_users", self.export.max_users.unwrap_or(1), 1),
        ];
        for (name, value, least) in sizes {
            ensure!(
                value >= least,
                "`{name}` is {value}; it must be at least {least}"
            );
        }
        Ok(())
    }

    fn validate_nano(&self) -> Result<()> {
        let (llm, mix) = (&self.llm, self.warmup.mix);
        if llm.model.is_some() {
            return Ok(());
        }
        ensure!(
            llm.vocabulary >= SMALLEST_VOCABULARY,
            "`llm.vocabulary` is {}; it must be at least {SMALLEST_VOCABULARY}: 256 bytes, the marks of a chat, and some words",
            llm.vocabulary
        );
        for (name, value) in [
            ("hidden_size", llm.hidden_size),
            ("intermediate_size", llm.intermediate_size),
            ("layers", llm.layers),
            ("heads", llm.heads),
            ("kv_heads", llm.kv_heads),
        ] {
            ensure!(value > 0, "`llm.{name}` is 0; it must be at least 1");
        }
        ensure!(
            llm.hidden_size.is_multiple_of(2 * llm.heads),
            "`llm.hidden_size` ({}) must be a multiple of twice `llm.heads` ({}): rotary positions turn pairs within a head",
            llm.hidden_size,
            llm.heads
        );
        ensure!(
            llm.heads.is_multiple_of(llm.kv_heads),
            "`llm.heads` ({}) must be a multiple of `llm.kv_heads` ({})",
            llm.heads,
            llm.kv_heads
        );
        ensure!(
            mix.iter().all(|part| *part >= 0.0) && mix.iter().sum::<f64>() > 0.0,
            "`warmup.mix` is {mix:?}; no part may be negative and one must be above 0"
        );
        Ok(())
    }

    /// Numbers with which nothing, or the opposite, would be learnt.
    fn validate_training(&self) -> Result<()> {
        let supervised = &self.warmup.supervised;
        for (name, rate, trainer) in [
            (
                "warmup.supervised",
                supervised.learning_rate,
                &supervised.trainer,
            ),
            (
                "pretrain",
                self.pretrain.learning_rate,
                &self.pretrain.trainer,
            ),
            ("correct", self.correct.learning_rate, &self.correct.trainer),
        ] {
            ensure!(
                rate > 0.0 && rate.is_finite(),
                "`{name}.learning_rate` is {rate}; it must be above 0"
            );
            let (norm, decay) = (trainer.max_grad_norm, trainer.weight_decay);
            ensure!(
                norm >= 0.0 && norm.is_finite(),
                "`{name}.trainer.max_grad_norm` is {norm}; it must be above 0, or 0 for no clipping"
            );
            ensure!(
                decay >= 0.0 && decay.is_finite(),
                "`{name}.trainer.weight_decay` is {decay}; it must be 0 or more"
            );
            ensure!(
                trainer.max_skipped >= 1,
                "`{name}.trainer.max_skipped` is 0; it must be at least 1"
            );
        }
        Ok(())
    }

    fn validate_grpo(&self, name: &str, grpo: &GrpoConfig) -> Result<()> {
        ensure!(
            grpo.group_size >= 2,
            "`{name}.group_size` is {}; it must be at least 2: advantages compare the completions of a group",
            grpo.group_size
        );
        ensure!(
            grpo.max_new_tokens >= 1,
            "`{name}.max_new_tokens` is 0; it must be at least 1"
        );
        ensure!(
            grpo.temperature > 0.0,
            "`{name}.temperature` is {}; it must be above 0: equal completions teach nothing",
            grpo.temperature
        );
        ensure!(
            grpo.iterations >= 1,
            "`{name}.iterations` is 0; it must be at least 1"
        );
        ensure!(
            grpo.tokens_at_once >= 1,
            "`{name}.tokens_at_once` is 0; it must be at least 1"
        );
        ensure!(
            grpo.advantage_epsilon >= 0.0 && grpo.advantage_epsilon.is_finite(),
            "`{name}.advantage_epsilon` is {}; it must be 0 or more",
            grpo.advantage_epsilon
        );
        let loss = &grpo.loss;
        for (field, value) in [
            ("cispo_max", loss.cispo_max),
            ("sapo_positive", loss.sapo_positive),
            ("sapo_negative", loss.sapo_negative),
        ] {
            ensure!(
                value > 0.0 && value.is_finite(),
                "`{name}.loss.{field}` is {value}; it must be above 0"
            );
        }
        ensure!(
            (0.0..=1.0).contains(&loss.epsilon_low) && loss.epsilon_high >= 0.0,
            "`{name}.loss.epsilon_low` and `epsilon_high` are {} and {}; the clip range 1 − ε_low … 1 + ε_high must hold 1 and \
             nothing below 0",
            loss.epsilon_low,
            loss.epsilon_high
        );
        if let Some(delta) = loss.delta {
            ensure!(
                delta > 1.0 + loss.epsilon_high,
                "`{name}.loss.delta` is {delta}; it must lie above 1 + epsilon_high ({}), or it would undo the upper clip",
                1.0 + loss.epsilon_high
            );
        }
        let beta = loss.beta;
        let adapters = self.llm.model.is_some() && self.llm.lora_rank > 0;
        ensure!(
            beta == 0.0 || beta > 0.0 && adapters,
            "`{name}.loss.beta` is {beta}; without LoRA it must be 0: the reference policy is the model with its adapters off \
             (`--model` with `llm.lora_rank` above 0), and a model without adapters would be its own reference"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::PRESETS;
    use super::*;

    fn refusal(set: &str) -> String {
        let config = Config::layered(Some("tiny"), None, &[set.to_owned()]).unwrap();
        let Err(error) = config.validate() else {
            panic!("{set} was accepted");
        };
        format!("{error:#}")
    }

    #[test]
    fn presets_and_ablations_are_accepted() {
        let with = |preset: &str, set: &[&str]| {
            let sets: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
            Config::layered(Some(preset), None, &sets)
                .unwrap()
                .validate()
        };
        for preset in PRESETS {
            with(preset, &[]).unwrap();
            with(preset, &["reward.model.use_ids=false"]).unwrap();
            with(preset, &["pretrain.trainer.max_grad_norm=0.0"]).unwrap();
            with(preset, &["pretrain.steps=0", "correct.interactions=0"]).unwrap();
            let checkpoint = ["llm.model=folder", "pretrain.grpo.loss.beta=0.04"];
            with(preset, &checkpoint).unwrap();
            with(preset, &["llm.model=folder", "llm.dtype=bfloat16"]).unwrap();
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for set in [
            "prompts.history=0",
            "prompts.candidates=1",
            "prompts.held_out_users=1.0",
            "llm.rows=0",
            "llm.vocabulary=10",
            "run.checkpoint_seconds=-1.0",
            "llm.lora_targets=[]",
            "llm.dtype=bfloat16",
            "llm.lora_targets=[\"c_attn\"]",
            "pretrain.grpo.iterations=0",
            "pretrain.learning_rate=0.0",
            "correct.learning_rate=-1e-4",
            "pretrain.trainer.max_grad_norm=-1.0",
            "correct.trainer.weight_decay=-0.1",
            "warmup.supervised.trainer.max_skipped=0",
            "pretrain.grpo.advantage_epsilon=-1.0",
            "correct.grpo.loss.cispo_max=0.0",
            "pretrain.grpo.loss.sapo_positive=0.0",
            "correct.grpo.tokens_at_once=0",
            "pretrain.grpo.loss.epsilon_low=1.5",
            "pretrain.grpo.loss.delta=1.1",
            "llm.heads=5",
            "llm.kv_heads=3",
            "llm.layers=0",
            "warmup.answers=0",
            "warmup.mix=[0.0, 0.0, 0.0, 0.0]",
            "pretrain.prompts_per_step=0",
            "pretrain.evaluation_questions=0",
            "pretrain.evaluation_samples=0",
            "pretrain.grpo.group_size=1",
            "pretrain.grpo.temperature=0.0",
            "pretrain.grpo.loss.beta=0.5",
            "correct.grpo.max_new_tokens=0",
            "correct.window=0",
            "correct.grounding_weight=-1.0",
            "correct.novelty_weight=nan",
            "generate.attempts=0",
            "generate.top_p=0.0",
            "generate.presence_penalty=-1.0",
            "generate.reasons_per_item=0",
            "export.max_users=0",
        ] {
            let key = set.split('=').next().unwrap();
            let message = refusal(set);
            assert!(message.contains(&format!("`{key}")), "{set}: {message}");
        }
        for (set, named) in [
            ("reward.epochs=0", "`epochs` is 0"),
            ("reward.negatives=0", "`negatives` is 0"),
            ("reward.dropout=1.0", "`dropout` is 1"),
            ("reward.model.heads=3", "`heads` (3)"),
        ] {
            let message = refusal(set);
            let whole = message.contains("[reward]") && message.contains(named);
            assert!(whole, "{set}: {message}");
        }
    }
}
