//! The alignment exam: questions about people whom the language model was never trained on, answered before and after GRPO.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::compare::mean;
use super::files::{Answer, Answered, Answers, RunFiles};
use crate::evaluation::{Estimate, clustered};
use crate::run::Stage;
use crate::text::Rewards;

/// Name of the rate that counts.
const CORRECT: &str = "correct, sampled";
/// Questions shown with their answers.
const SHOWN: usize = 4;

/// The exam of one run.
#[derive(Debug, Serialize)]
pub(super) struct Exam {
    run: usize,
    questions: usize,
    samples: usize,
    candidates: usize,
    rates: Vec<Rate>,
    shown: Vec<Shown>,
    missing: Option<String>,
}

/// The share of answers that satisfy a rule.
#[derive(Debug, PartialEq, Serialize)]
struct Rate {
    name: String,
    before: Estimate,
    after: Estimate,
    /// after − before, paired over questions; those about one person are resampled together, as `pretrain` does.
    gain: Estimate,
}

/// A question with an answer before and one after.
#[derive(Debug, Serialize)]
struct Shown {
    user: String,
    question: String,
    truth: String,
    answers: Vec<Told>,
}

/// One answer.
#[derive(Debug, Serialize)]
struct Told {
    when: &'static str,
    text: String,
    rewards: [f32; 3],
}

pub(super) fn section(runs: &[RunFiles]) -> Vec<Exam> {
    let of = |(run, files): (usize, &RunFiles)| {
        let answers = &files.answers;
        let missing = answers.is_empty().then(|| {
            if files.has(Stage::Pretrain) {
                format!("{} was not aligned, by its settings", files.name)
            } else {
                files.lacks(Stage::Pretrain)
            }
        });
        Exam {
            run,
            questions: answers.len(),
            samples: answers.first().map_or(0, |one| one.after.sampled.len()),
            candidates: answers.first().map_or(0, |one| one.candidates.len()),
            rates: rates(answers, seed(files)),
            shown: shown(answers),
            missing,
        }
    };
    runs.iter().enumerate().map(of).collect()
}

/// Takes one part out of the rewards of an answer.
type Part = fn(&Rewards) -> f32;

/// The seed of a run's intervals.
fn seed(files: &RunFiles) -> u64 {
    let seed = files.about.get("seed").and_then(serde_json::Value::as_u64);
    seed.unwrap_or_default()
}

/// after − before of the share of right answers, sampled, if there was an exam.
pub(super) fn right_answers(files: &RunFiles) -> Option<Estimate> {
    let rates = rates(&files.answers, seed(files));
    let correct = rates.into_iter().find(|rate| rate.name == CORRECT)?;
    Some(correct.gain)
}

fn rates(answers: &[Answered], seed: u64) -> Vec<Rate> {
    if answers.is_empty() {
        return Vec::new();
    }
    let parts: [(&str, Part); 3] = [
        ("format", |found| found.format),
        ("legal", |found| found.legal),
        ("correct", |found| found.correct),
    ];
    let mut found = Vec::new();
    for (how, sampled) in [("sampled", true), ("most probable tokens", false)] {
        for (name, part) in parts {
            let share = |answers: &Answers| share(answers, sampled, part);
            let of = |value: &dyn Fn(&Answered) -> f64| {
                let values = answers.iter().map(|one| (one.user.as_str(), value(one)));
                clustered(&values.collect::<Vec<_>>(), seed)
            };
            let before = of(&|one| share(&one.before));
            let after = of(&|one| share(&one.after));
            let gain = of(&|one| share(&one.after) - share(&one.before));
            found.push(Rate {
                name: format!("{name}, {how}"),
                before,
                after,
                gain,
            });
        }
    }
    found
}

/// The share of a question's answers that satisfy a rule.
fn share(answers: &Answers, sampled: bool, part: Part) -> f64 {
    let of = |one: &Answer| f64::from(part(&one.rewards));
    if sampled {
        let parts: Vec<f64> = answers.sampled.iter().map(of).collect();
        mean(&parts)
    } else {
        of(&answers.greedy)
    }
}

/// Some questions: runs with the same questions show the same.
fn shown(answers: &[Answered]) -> Vec<Shown> {
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(super::SEED));
    order.truncate(SHOWN);
    order.sort_unstable();
    let told = |when, answer: &Answer| Told {
        when,
        text: answer.text.clone(),
        rewards: [
            answer.rewards.format,
            answer.rewards.legal,
            answer.rewards.correct,
        ],
    };
    let of = |index: usize| {
        let one = &answers[index];
        let sampled = [
            ("before, sampled", one.before.sampled.first()),
            ("after, sampled", one.after.sampled.first()),
            ("after, most probable tokens", Some(&one.after.greedy)),
        ];
        Shown {
            user: one.user.clone(),
            question: one.question.clone().unwrap_or_default(),
            truth: one.truth.clone(),
            answers: sampled
                .into_iter()
                .filter_map(|(when, answer)| Some(told(when, answer?)))
                .collect(),
        }
    };
    order.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_paired_over_questions() {
        let answer = |correct: f32| Answer {
            text: String::new(),
            rewards: Rewards {
                format: 1.0,
                legal: 1.0,
                correct,
            },
        };
        let answers = |correct: [f32; 2]| Answers {
            sampled: correct.map(answer).to_vec(),
            greedy: answer(correct[0]),
        };
        let question = |user: &str, before, after| Answered {
            user: user.into(),
            question: None,
            candidates: Vec::new(),
            truth: String::new(),
            before: answers(before),
            after: answers(after),
        };
        // Each question gains one half of its samples: no resampling of questions can move the mean.
        let asked = [
            question("a", [0.0, 0.0], [1.0, 0.0]),
            question("b", [0.0, 1.0], [1.0, 1.0]),
        ];
        let found = rates(&asked, 1);
        let names: Vec<&str> = found.iter().map(|rate| rate.name.as_str()).collect();
        assert_eq!(names[2], CORRECT);
        let sampled = &found[2];
        assert_eq!((sampled.before.mean, sampled.after.mean), (0.25, 0.75));
        let gain = sampled.gain;
        assert_eq!((gain.mean, gain.low, gain.high), (0.5, 0.5, 0.5));
        assert_eq!(found[5].gain.mean, 1.0, "of the most probable tokens");
        // Three questions about one person and one about another are two units: either may be drawn twice.
        let asked = [
            question("a", [0.0, 0.0], [1.0, 1.0]),
            question("a", [0.0, 0.0], [1.0, 1.0]),
            question("a", [0.0, 0.0], [1.0, 1.0]),
            question("b", [0.0, 0.0], [0.0, 0.0]),
        ];
        let gain = rates(&asked, 1)[2].gain;
        assert_eq!((gain.mean, gain.low, gain.high), (0.75, 0.0, 1.0));
        assert!(rates(&[], 1).is_empty());
    }
}
