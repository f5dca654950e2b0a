//! Questions about users the LLM was never trained on, answered before and after GRPO.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::prompts;
use crate::config::Config;
use crate::data::Dataset;
use crate::evaluation::{Estimate, estimate, resampled_means};
use crate::llm::{LanguageModel, SamplingConfig, sample};
use crate::run::JsonLines;
use crate::tasks::Question;
use crate::text::{Rewards, rewards};

/// Alignment before and after GRPO, on the same questions about held-out users, sampled at temperature 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignmentReport {
    /// Questions asked.
    pub questions: usize,
    /// Candidates per question.
    pub candidates: usize,
    /// The model before GRPO.
    pub before: AlignmentRates,
    /// The model after GRPO.
    pub after: AlignmentRates,
    /// Paired bootstrap of (correct after − correct before) over questions.
    pub gain: Estimate,
}

/// Shares of answers that satisfy each rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignmentRates {
    /// Both tags, in order, nothing else.
    pub format: f64,
    /// One of the candidates.
    pub legal: f64,
    /// The item really taken, sampled at temperature 1.
    pub correct: f64,
    /// One of the candidates, by the most probable tokens.
    pub legal_greedy: f64,
    /// The item really taken, by the most probable tokens.
    pub correct_greedy: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Answer {
    text: String,
    #[serde(flatten)]
    rewards: Rewards,
}

/// What a model answers to each question: sampled at temperature 1, and by the most probable tokens.
pub(super) struct Exam {
    sampled: Vec<Answer>,
    greedy: Vec<Answer>,
}

pub(super) fn examine(
    language: &LanguageModel,
    dataset: &Dataset,
    asked: &[Question],
    config: &Config,
) -> Result<Exam> {
    let prompts = prompts(language, dataset, asked, config)?;
    let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let answers = |temperature: f64| {
        let sampling = SamplingConfig {
            max_new_tokens: config.pretrain.grpo.max_new_tokens,
            temperature,
            stop: language.tokenizer.stop_ids(),
            seed: config.seed ^ 0x65_78_61_6d,
            rows: config.llm.rows,
            ..SamplingConfig::default()
        };
        let sampled = sample(&language.model, &rows, 1, &sampling, |_| true);
        let judge = |(completions, question): (Option<Vec<crate::grpo::Completion>>, &Question)| {
            let completion = completions.unwrap_or_default().into_iter().next();
            let ids = completion.map(|one| one.ids).unwrap_or_default();
            let (candidates, truth) = question.titles(dataset, &config.prompts.render);
            let text = language.tokenizer.decode(&ids);
            let rewards = rewards(&text, &candidates, &truth);
            Answer { text, rewards }
        };
        sampled.into_iter().zip(asked).map(judge).collect()
    };
    Ok(Exam {
        sampled: answers(1.0),
        greedy: answers(0.0),
    })
}

/// Every question with what was answered to it, for people to read.
pub(super) fn write_answers(
    path: &Path,
    before: &Exam,
    after: &Exam,
    dataset: &Dataset,
    asked: &[Question],
    config: &Config,
) -> Result<()> {
    let mut lines = JsonLines::create(path)?;
    let render = &config.prompts.render;
    for (index, question) in asked.iter().enumerate() {
        let turns = question.turns(dataset, render);
        let (candidates, truth) = question.titles(dataset, render);
        let of =
            |exam: &Exam| json!({ "sampled": exam.sampled[index], "greedy": exam.greedy[index] });
        lines.push(&json!({
            "user": dataset.users[question.user].key, "question": turns.last().map(|turn| &turn.content),
            "candidates": candidates, "truth": truth, "before": of(before), "after": of(after),
        }))?;
    }
    Ok(())
}

pub(super) fn compare(before: &Exam, after: &Exam, config: &Config) -> AlignmentReport {
    let mean = |answers: &[Answer], part: fn(&Rewards) -> f32| {
        let sum: f64 = answers
            .iter()
            .map(|one| f64::from(part(&one.rewards)))
            .sum();
        sum / answers.len().max(1) as f64
    };
    let rates = |exam: &Exam| AlignmentRates {
        format: mean(&exam.sampled, |found| found.format),
        legal: mean(&exam.sampled, |found| found.legal),
        correct: mean(&exam.sampled, |found| found.correct),
        legal_greedy: mean(&exam.greedy, |found| found.legal),
        correct_greedy: mean(&exam.greedy, |found| found.correct),
    };
    let correct = |answer: &Answer| f64::from(answer.rewards.correct);
    let pairs = after.sampled.iter().zip(&before.sampled);
    let gains: Vec<f64> = pairs
        .map(|(after, before)| correct(after) - correct(before))
        .collect();
    let average = gains.iter().sum::<f64>() / gains.len().max(1) as f64;
    let resampled = resampled_means(std::slice::from_ref(&gains), 2000, config.seed);
    AlignmentReport {
        questions: after.sampled.len(),
        candidates: config.prompts.candidates,
        before: rates(before),
        after: rates(after),
        gain: estimate(average, resampled.first().map_or(&[], Vec::as_slice)),
    }
}
