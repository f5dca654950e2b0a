//! `check pretrain`: do the aligned model's answers keep the format, name a candidate, and are most of them right
//! (METHOD §1)? On the exam's questions about users the model was never trained on.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::verdict::{Condition, Number, Verdict};
use crate::evaluation::{Estimate, clustered};
use crate::run::{RunDirectory, Stage, read_json, read_lines};
use crate::stages::AlignmentReport;
use crate::text::Rewards;

/// Share of answers in the format, and share that name a candidate, below which the contract counts as not learned.
pub const KEPT: f64 = 0.9;
/// Share of right answers that the paper asks for.
pub const RIGHT: f64 = 0.5;

/// A question of the exam with its answers, as `answers.jsonl` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Answered {
    user: String,
    candidates: Vec<String>,
    before: Answers,
    after: Answers,
}

#[derive(Debug, Clone, Deserialize)]
struct Answers {
    sampled: Vec<Rewards>,
    greedy: Rewards,
}

/// Reads the exam of a run and judges it.
///
/// # Errors
/// The stage has not run, or trained nothing; its files disagree.
pub fn check(run: &RunDirectory, seed: u64) -> Result<Verdict> {
    let folder = run.stage(Stage::Pretrain);
    ensure!(
        run.record(Stage::Pretrain).is_some(),
        "{} has no finished `pretrain` stage; `curec run --out {0}` goes on with the run",
        run.root().display()
    );
    let report = folder.join("evaluation.json");
    ensure!(
        report.exists(),
        "{} left the alignment out (pretrain.steps = 0): there is nothing to check",
        run.root().display()
    );
    let report: AlignmentReport = read_json(&report)?;
    let answered: Vec<Answered> = read_lines(&folder.join("answers.jsonl"))?;
    ensure!(
        answered.len() == report.questions,
        "{} holds {} questions and evaluation.json tells of {}; run the stage `pretrain` again",
        folder.join("answers.jsonl").display(),
        answered.len(),
        report.questions
    );
    judge(&answered, seed).context("the exam holds no question")
}

/// The answers before GRPO, or those after it.
type Of = fn(&Answered) -> &Answers;
/// One of the rule rewards.
type Rule = fn(&Rewards) -> f32;
/// A share of answers, its value per question as `(user, share)`.
type Shares = Vec<(usize, f64)>;

/// The verdict on an exam; `None` without questions.
pub fn judge(answered: &[Answered], seed: u64) -> Option<Verdict> {
    let first = answered.first()?;
    let mut users: Vec<&str> = answered.iter().map(|one| one.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    let user = |one: &Answered| users.binary_search(&one.user.as_str()).unwrap_or(0);
    let shares = |of: Of, part: Rule| -> Shares {
        let share = |one: &Answered| {
            let values = of(one).sampled.iter().map(|found| f64::from(part(found)));
            values.sum::<f64>() / of(one).sampled.len().max(1) as f64
        };
        answered.iter().map(|one| (user(one), share(one))).collect()
    };
    let greedy = |of: Of| -> Shares {
        let value = |one: &Answered| (user(one), f64::from(of(one).greedy.correct));
        answered.iter().map(value).collect()
    };
    let (before, after): (Of, Of) = (|one| &one.before, |one| &one.after);
    let count = answered.len();
    let rate = |values: &Shares| clustered(values, seed);
    let parts: [(&str, Rule, f64); 3] = [
        ("format", |found| found.format, KEPT),
        ("legal", |found| found.legal, KEPT),
        ("correct", |found| found.correct, RIGHT),
    ];
    let conditions: Vec<Condition> = parts
        .iter()
        .map(|(name, part, above)| {
            Condition::above(
                &format!("{name}, after"),
                rate(&shares(after, *part)),
                users.len(),
                *above,
            )
        })
        .collect();
    let mut numbers = Vec::new();
    for (name, part, _) in parts {
        let (old, new) = (shares(before, part), shares(after, part));
        let gain: Shares = new
            .iter()
            .zip(&old)
            .map(|(a, b)| (a.0, a.1 - b.1))
            .collect();
        numbers.push(Number::measured("before GRPO", name, rate(&old), count));
        numbers.push(Number::measured("gain (paired)", name, rate(&gain), count));
    }
    for (group, of) in [("before GRPO", before), ("after GRPO", after)] {
        let name = "correct, most probable answer";
        numbers.push(Number::measured(group, name, rate(&greedy(of)), count));
    }
    numbers.sort_by_key(|one| {
        ["before GRPO", "after GRPO"]
            .iter()
            .position(|group| *group == one.group)
            .unwrap_or(2)
    });
    let chance = answered
        .iter()
        .map(|one| 1.0 / one.candidates.len().max(1) as f64)
        .sum::<f64>()
        / count as f64;
    numbers.push(Number::exact(
        "chance",
        "correct by guessing a candidate",
        chance,
        count,
    ));
    let outcome = Verdict::joint(&conditions);
    Some(Verdict {
        check: "pretrain".into(),
        outcome,
        sentence: sentence(&conditions, chance),
        compared: format!(
            "{count} questions about {} users whose events the model was never trained on, {} candidates each; answers \
             sampled at temperature 1, {} to each question; the same questions before and after GRPO; intervals resample \
             whole users",
            users.len(),
            first.candidates.len(),
            first.after.sampled.len()
        ),
        notes: vec![format!(
            "The paper's own mark is more than {RIGHT} right; {KEPT} for format and legal is this project's."
        )],
        conditions,
        numbers,
    })
}

fn sentence(conditions: &[Condition], chance: f64) -> String {
    let told = |one: &Condition| {
        let Estimate { mean, low, high } = one.value;
        let name = one.name.trim_end_matches(", after");
        format!("{name} {mean:.3} [{low:.3}, {high:.3}]")
    };
    let all: Vec<String> = conditions.iter().map(told).collect();
    format!(
        "After alignment, as shares of all answers: {}; guessing among the candidates would be right in {chance:.3}.",
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;

    fn rewards(format: f32, legal: f32, correct: f32) -> Rewards {
        Rewards {
            format,
            legal,
            correct,
        }
    }

    /// One question per user; the first `right` of 40 are answered right after GRPO, none before.
    fn exam(right: usize) -> Vec<Answered> {
        let question = |index: usize| Answered {
            user: format!("u{index}"),
            candidates: vec!["a".into(), "b".into(), "c".into(), "d".into()],
            before: Answers {
                sampled: vec![rewards(1.0, 0.0, 0.0); 2],
                greedy: rewards(1.0, 0.0, 0.0),
            },
            after: Answers {
                sampled: vec![rewards(1.0, 1.0, f32::from(u8::from(index < right))); 2],
                greedy: rewards(1.0, 1.0, 1.0),
            },
        };
        (0..40).map(question).collect()
    }

    #[test]
    fn more_than_half_right_passes_and_a_quarter_fails() {
        let pass = judge(&exam(32), 1).unwrap();
        assert_eq!(pass.outcome, Outcome::Pass, "{pass}");
        let correct = &pass.conditions[2];
        // 32 of 40; standard error √(0.8 · 0.2 / 40) = 0.063
        assert!((correct.value.mean - 0.8).abs() < 1e-12);
        assert!((correct.value.low - 0.675).abs() < 0.03, "{pass}");
        assert_eq!(judge(&exam(10), 1).unwrap().outcome, Outcome::Fail);
        assert_eq!(judge(&exam(22), 1).unwrap().outcome, Outcome::NotDecidable);
        let gain = pass
            .numbers
            .iter()
            .find(|one| one.group == "gain (paired)" && one.name == "correct");
        assert!((gain.unwrap().value.mean - 0.8).abs() < 1e-12);
        let chance = pass.numbers.iter().find(|one| one.group == "chance");
        assert_eq!(chance.unwrap().value.mean, 0.25);
    }

    #[test]
    fn the_most_probable_answers_of_one_user_are_one_unit_too() {
        // Four questions to each of 40 users; the first 20 are answered right every time. The standard error is that of 40 coins,
        // √(0.25 / 40) = 0.079, not of 160.
        let mut answered: Vec<Answered> = (0..4).flat_map(|_| exam(40)).collect();
        for one in &mut answered {
            let number: usize = one.user[1..].parse().unwrap();
            one.after.greedy.correct = f32::from(u8::from(number < 20));
        }
        let verdict = judge(&answered, 1).unwrap();
        let found = verdict
            .numbers
            .iter()
            .find(|one| one.group == "after GRPO")
            .unwrap();
        assert!(found.name.contains("most probable"));
        let half = (found.value.high - found.value.low) / 2.0;
        assert_eq!(found.value.mean, 0.5);
        assert!((half - 0.155).abs() < 0.025, "{half}");
    }

    #[test]
    fn a_few_questions_decide_nothing() {
        let verdict = judge(&exam(40)[..8], 1).unwrap();
        assert_eq!(verdict.outcome, Outcome::NotDecidable);
        assert!(judge(&[], 1).is_none());
    }
}
