//! Supervised exercises for a nano model, made from history and metadata: what the warm-up trains on, and what is
//! rehearsed between GRPO steps so that the model does not forget how to write while it learns to choose.

use anyhow::{Result, ensure};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::Config;
use crate::data::Dataset;
use crate::llm::{ChatTokenizer, Example, Trainer, supervised_step};
use crate::tasks::{Question, divide_users, random_position, recall};
use crate::text::{Known, RationaleWriter, Turn, pattern_prompt, reason_prompt};

/// Lines of a look-up exercise at most.
const LOOK_UP_LINES: usize = 8;

/// Draws supervised examples from the training events of the training users.
pub(super) struct Exercises<'a> {
    dataset: &'a Dataset,
    writer: &'a RationaleWriter,
    tokenizer: &'a ChatTokenizer,
    config: &'a Config,
    users: Vec<usize>,
}

impl<'a> Exercises<'a> {
    /// Exercises of a run with its own tokenizer; the held-out users never appear.
    pub(super) fn new(
        dataset: &'a Dataset,
        writer: &'a RationaleWriter,
        tokenizer: &'a ChatTokenizer,
        config: &'a Config,
    ) -> Self {
        let share = config.prompts.held_out_users;
        let (users, _) = divide_users(dataset.users.len(), share, config.seed);
        Self {
            dataset,
            writer,
            tokenizer,
            config,
            users,
        }
    }

    /// `size` families; `mix` is the relative frequency of alignment questions, patterns, reasons and look-ups.
    pub(super) fn batch(
        &self,
        mix: &[f64; 4],
        size: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Vec<Example>>> {
        Self::filled(size, || self.family(mix, rng))
    }

    /// `size` alignment questions, answered up to the end of the thought's first sentence, which is about the history.
    fn openings(&self, size: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Vec<Example>>> {
        Self::filled(size, || {
            let Some(question) = self.question(rng) else {
                return Ok(None);
            };
            let history = question.history_items(self.dataset);
            let turns = question.turns(self.dataset, &self.config.prompts.render);
            let answers = 0..self.config.warmup.answers.max(1);
            let opened = answers.map(|_| {
                let mut example = self.tokens(&turns, &self.writer.opening(&history, rng))?;
                // The thought goes on.
                example.answer.pop();
                Ok(example)
            });
            opened.collect::<Result<Vec<_>>>().map(Some)
        })
    }

    fn filled(
        size: usize,
        mut family: impl FnMut() -> Result<Option<Vec<Example>>>,
    ) -> Result<Vec<Vec<Example>>> {
        let mut batch = Vec::with_capacity(size);
        for _ in 0..size * 100 {
            if batch.len() == size {
                break;
            }
            if let Some(family) = family()? {
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
        let questions = self.config.warmup.questions.max(1);
        let exercises = recall(items, lines, questions, render, rng);
        let tokens = |(turns, answer): &(Vec<Turn>, String)| self.tokens(turns, answer);
        exercises.iter().map(tokens).collect()
    }

    fn question(&self, rng: &mut ChaCha8Rng) -> Option<Question> {
        let user = *self.users.choose(rng)?;
        let position = random_position(self.dataset, user, 2, rng)?;
        let prompts = &self.config.prompts;
        Some(Question::draw(self.dataset, user, position, prompts, rng))
    }

    /// One prompt with several good answers to it, or several look-up exercises over the same lines.
    fn family(&self, mix: &[f64; 4], rng: &mut ChaCha8Rng) -> Result<Option<Vec<Example>>> {
        let Some(question) = self.question(rng) else {
            return Ok(None);
        };
        let prompts = &self.config.prompts;
        let history = question.history_items(self.dataset);
        let target = &self.dataset.items[question.truth];
        let answers = self.config.warmup.answers.max(1);
        let [alignment, pattern, reason, lookup] = *mix;
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

/// Shares of patterns, reasons and look-ups in a rehearsal.
const REHEARSED: [f64; 4] = [0.0, 0.3, 0.3, 0.4];

/// Patterns, reasons, look-ups and (one prompt in five) the first sentence of a thought, rehearsed after each GRPO step, as
/// InstructGPT mixes pretraining into its reinforcement learning (PPO-ptx; Ouyang et al. 2022, arXiv 2203.02155): rewards
/// say nothing of fluency, and a nano model has little to lose it from. Nothing rehearsed says which candidate to take; what
/// rehearsing alone does to the exam is in benches/LOG.md. Nothing to do with a given checkpoint, which has no exercises.
pub(super) struct Rehearsal<'a> {
    exercises: Exercises<'a>,
    rng: ChaCha8Rng,
}

impl<'a> Rehearsal<'a> {
    /// `None` where nothing is to be rehearsed.
    pub(super) fn new(
        dataset: &'a Dataset,
        writer: &'a RationaleWriter,
        tokenizer: &'a ChatTokenizer,
        config: &'a Config,
        stage: u64,
    ) -> Option<Self> {
        let wanted = config.llm.model.is_none() && config.llm.rehearsal > 0;
        wanted.then(|| Self {
            exercises: Exercises::new(dataset, writer, tokenizer, config),
            rng: ChaCha8Rng::seed_from_u64(config.seed ^ 0x72_65_68_65 ^ (stage << 32)),
        })
    }

    /// The random stream, to be saved.
    pub(super) fn rng(&self) -> &ChaCha8Rng {
        &self.rng
    }

    /// Goes on with a saved stream.
    pub(super) fn set_rng(&mut self, rng: ChaCha8Rng) {
        self.rng = rng;
    }

    /// One supervised step.
    pub(super) fn step(&mut self, trainer: &mut Trainer, rate: f64) -> Result<()> {
        let size = self.exercises.config.llm.rehearsal;
        let openings = size / 5;
        let rng = &mut self.rng;
        let mut batch = self.exercises.batch(&REHEARSED, size - openings, rng)?;
        batch.extend(self.exercises.openings(openings, rng)?);
        supervised_step(trainer, &batch, rate);
        Ok(())
    }
}
