//! Questions about users the LLM was never trained on, answered before and after GRPO.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::prompts;
use crate::config::Config;
use crate::data::Dataset;
use crate::evaluation::{Estimate, clustered};
use crate::llm::{Completion, LanguageModel, SamplingConfig, sample};
use crate::run::JsonLines;
use crate::tasks::Question;
use crate::text::{Rewards, rewards};

/// Alignment before and after GRPO, on the same questions about held-out users, sampled at temperature 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignmentReport {
    /// Questions asked.
    pub questions: usize,
    /// Answers sampled to each.
    pub samples: usize,
    /// Candidates per question.
    pub candidates: usize,
    /// The model before GRPO.
    pub before: AlignmentRates,
    /// The model after GRPO.
    pub after: AlignmentRates,
    /// Paired bootstrap of (correct after − correct before) over questions.
    pub gain: Estimate,
}

/// Shares of answers that satisfy each rule, over all samples of all questions where they are sampled.
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

/// What a model answers to each question: sampled at temperature 1 (one list per question), and by the most probable
/// tokens.
pub(super) struct Exam {
    sampled: Vec<Vec<Answer>>,
    greedy: Vec<Answer>,
}

pub(super) fn examine(
    language: &LanguageModel,
    dataset: &Dataset,
    asked: &[Question],
    config: &Config,
) -> Result<Exam> {
    let prompts = prompts(&language.tokenizer, dataset, asked, config)?;
    let rows: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let answers = |temperature: f64, samples: usize| -> Vec<Vec<Answer>> {
        let sampling = SamplingConfig {
            max_new_tokens: config.pretrain.grpo.max_new_tokens,
            temperature,
            stop: language.tokenizer.stop_ids(),
            seed: config.seed ^ 0x65_78_61_6d,
            rows: config.llm.rows.max(samples),
            ..SamplingConfig::default()
        };
        let sampled = sample(&language.model, &rows, samples, &sampling, |_| true);
        let judge = |(completions, question): (Option<Vec<Completion>>, &Question)| {
            let (candidates, truth) = question.titles(dataset, &config.prompts.render);
            let answer = |completion: Completion| {
                let text = language.tokenizer.answer_text(&completion.ids);
                let rewards = rewards(&text, &candidates, &truth);
                Answer { text, rewards }
            };
            completions
                .unwrap_or_default()
                .into_iter()
                .map(answer)
                .collect()
        };
        sampled.into_iter().zip(asked).map(judge).collect()
    };
    Ok(Exam {
        sampled: answers(1.0, config.pretrain.evaluation_samples),
        greedy: answers(0.0, 1).into_iter().flatten().collect(),
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

/// `users`: who each question is about; answers about one person say much the same, and are resampled together.
pub(super) fn compare(
    before: &Exam,
    after: &Exam,
    users: &[usize],
    config: &Config,
) -> AlignmentReport {
    let rates = |exam: &Exam| {
        let sampled = |part| mean(&shares(&exam.sampled, part));
        let greedy = |part| mean_of(&exam.greedy, part);
        AlignmentRates {
            format: sampled(|found| found.format),
            legal: sampled(|found| found.legal),
            correct: sampled(|found| found.correct),
            legal_greedy: greedy(|found| found.legal),
            correct_greedy: greedy(|found| found.correct),
        }
    };
    let correct = |exam: &Exam| shares(&exam.sampled, |found| found.correct);
    let pairs = correct(after).into_iter().zip(correct(before));
    let gains = pairs.map(|(after, before)| after - before);
    let gains: Vec<(usize, f64)> = users.iter().copied().zip(gains).collect();
    AlignmentReport {
        questions: after.sampled.len(),
        samples: config.pretrain.evaluation_samples,
        candidates: config.prompts.candidates,
        before: rates(before),
        after: rates(after),
        gain: clustered(&gains, config.seed),
    }
}

/// Per question: the share of its answers that satisfy a rule.
fn shares(sampled: &[Vec<Answer>], part: fn(&Rewards) -> f32) -> Vec<f64> {
    sampled.iter().map(|one| mean_of(one, part)).collect()
}

fn mean_of(answers: &[Answer], part: fn(&Rewards) -> f32) -> f64 {
    let parts: Vec<f64> = answers
        .iter()
        .map(|one| f64::from(part(&one.rewards)))
        .collect();
    mean(&parts)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(legal: f32, correct: f32) -> Answer {
        let rewards = Rewards {
            format: 1.0,
            legal,
            correct,
        };
        Answer {
            text: String::new(),
            rewards,
        }
    }

    #[test]
    fn rates_are_means_over_all_samples_and_the_gain_is_paired_by_question() {
        let before = Exam {
            sampled: vec![
                vec![answer(1.0, 0.0), answer(0.0, 0.0)],
                vec![answer(1.0, 1.0), answer(1.0, 0.0)],
            ],
            greedy: vec![answer(1.0, 0.0), answer(0.0, 0.0)],
        };
        let after = Exam {
            sampled: vec![
                vec![answer(1.0, 1.0), answer(1.0, 0.0)],
                vec![answer(1.0, 1.0), answer(1.0, 1.0)],
            ],
            greedy: vec![answer(1.0, 1.0), answer(1.0, 0.0)],
        };
        let mut config = Config::default();
        config.pretrain.evaluation_samples = 2;
        let report = compare(&before, &after, &[3, 5], &config);
        assert_eq!((report.questions, report.samples), (2, 2));
        assert_eq!((report.before.legal, report.before.correct), (0.75, 0.25));
        assert_eq!((report.after.legal, report.after.correct), (1.0, 0.75));
        assert_eq!(
            (report.before.legal_greedy, report.after.correct_greedy),
            (0.5, 0.5)
        );
        // Each question gains one half: no resampling of questions can move the mean.
        let gain = &report.gain;
        assert_eq!((gain.mean, gain.low, gain.high), (0.5, 0.5, 0.5));
    }

    /// One person is asked three times and gains each time, another once and does not: two people, not four questions.
    #[test]
    fn questions_about_one_person_are_one_unit() {
        let exam = |right: [f32; 4]| Exam {
            sampled: right.map(|right| vec![answer(1.0, right)]).into(),
            greedy: right.map(|right| answer(1.0, right)).into(),
        };
        let (before, after) = (exam([0.0; 4]), exam([1.0, 1.0, 1.0, 0.0]));
        let gain = compare(&before, &after, &[8, 8, 8, 2], &Config::default()).gain;
        // Both are drawn, the one twice or the other twice.
        assert_eq!((gain.mean, gain.low, gain.high), (0.75, 0.0, 1.0));
    }
}
