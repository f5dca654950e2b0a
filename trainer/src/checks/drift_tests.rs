//! Known values of [`super`]: trends, verdicts, and what must not hide what.

use super::*;
use crate::stages::{Candidate, Parts};

/// With a part that is no score, which no number here may hold.
fn of_score(score: f64) -> Parts {
    Parts {
        score,
        grounding: 1.0,
        novelty: 1.0,
    }
}

fn event(reward: f64) -> CorrectionEvent {
    CorrectionEvent {
        time: 0,
        user: 0,
        position: 0,
        item: 0,
        policy_version: 1,
        baseline: 0.4,
        candidates: vec![
            Candidate {
                text: "a b".into(),
                reward: reward + 0.3,
                parts: of_score(reward + 0.1),
                advantage: 1.0,
            },
            Candidate {
                text: "a c".into(),
                reward: reward + 0.1,
                parts: of_score(reward - 0.1),
                advantage: -1.0,
            },
        ],
        reason: ["old".into(), "new".into()],
        pattern: None,
    }
}

fn verdict(slope: f64, end: f64) -> Verdict {
    let events: Vec<CorrectionEvent> = (0..60)
        .map(|index| event(f64::from(index) * slope / 59.0))
        .collect();
    let users = |value: f64| -> Vec<f64> {
        (0..50)
            .map(|user| value + f64::from(user % 4) * 0.05)
            .collect()
    };
    let parts: Vec<Part> = events
        .chunks(6)
        .map(|events| Part {
            events,
            known: vec![5; events.len()],
            ndcg: users(end),
        })
        .collect();
    judge(&users(0.3), &parts, true, 1)
}

#[test]
fn reward_up_and_ndcg_down_is_reward_hacking() {
    let found = verdict(0.2, 0.2);
    assert_eq!(found.outcome, Outcome::Fail);
    assert!(found.sentence.starts_with("Reward hacking"), "{found}");
    let found = verdict(0.0, 0.2);
    assert_eq!(found.outcome, Outcome::Fail);
    assert!(
        found.sentence.contains("without a reward that rose"),
        "{found}"
    );
    assert_eq!(verdict(0.2, 0.3).outcome, Outcome::Pass);
    assert_eq!(verdict(0.2, 0.35).outcome, Outcome::Pass);
}

/// `count` events of items that had reasons already, the reward rising by `slope`; the last NDCG is `end`, the first 0.3 and more.
fn pass(count: usize, slope: f64, end: f64) -> Verdict {
    let events: Vec<CorrectionEvent> = (0..count)
        .map(|index| event(index as f64 * slope))
        .collect();
    let users = |value: f64| -> Vec<f64> {
        (0..50)
            .map(|user| value + f64::from(user % 4) * 0.05)
            .collect()
    };
    let part = Part {
        events: &events,
        known: vec![5; count],
        ndcg: users(end),
    };
    judge(&users(0.3), &[part], true, 1)
}

#[test]
fn too_few_events_hide_no_ranking_that_fell() {
    // 0.1 of some 0.37 is more than 5 %, whatever the reward did.
    let fell = pass(6, 0.1, 0.2);
    assert_eq!(fell.outcome, Outcome::Fail, "{fell}");
    assert!(fell.sentence.contains("cannot be told"), "{fell}");
    // 0.01 is less, but certain: with a reward that rose it would be reward hacking, and six events do not tell.
    let open = pass(6, 0.1, 0.29);
    assert_eq!(open.outcome, Outcome::NotDecidable, "{open}");
    assert_eq!(pass(40, 0.1, 0.29).outcome, Outcome::Fail);
    assert_eq!(pass(40, 0.0, 0.29).outcome, Outcome::Pass);
    // Where nothing fell, no reward can have risen at its expense.
    assert_eq!(pass(6, 0.1, 0.3).outcome, Outcome::Pass);
}

/// 180 events, of which first reasons become rare; `gain` of an event's place and of how many reasons its item had.
fn with_first_reasons(gain: impl Fn(usize, usize) -> f64, end: f64) -> Verdict {
    let known: Vec<usize> = (0..180)
        .map(|index| usize::from(index % 6 < index / 30) * 3)
        .collect();
    let events: Vec<CorrectionEvent> = (known.iter().enumerate())
        .map(|(index, &known)| event(gain(index, known)))
        .collect();
    let users = |value: f64| -> Vec<f64> {
        (0..50)
            .map(|user| value + f64::from(user % 4) * 0.05)
            .collect()
    };
    let parts: Vec<Part> = (events.chunks(18).zip(known.chunks(18)))
        .map(|(events, known)| Part {
            events,
            known: known.to_vec(),
            ndcg: users(end),
        })
        .collect();
    judge(&users(0.3), &parts, true, 1)
}

fn number(found: &Verdict, group: &str, name: &str) -> Estimate {
    let of = |one: &&Number| one.group == group && one.name.starts_with(name);
    found.numbers.iter().find(of).unwrap().value
}

#[test]
fn ever_fewer_first_reasons_are_no_falling_reward() {
    let found = with_first_reasons(|_, known| if known == 0 { 0.2 } else { 0.01 }, 0.3);
    assert!(number(&found, "whole pass", "score − baseline").high < -0.05);
    assert!(number(&found, "whole pass", "the same").mean.abs() < 1e-9);
    assert!((number(&found, "item had none", "score").mean - 0.2).abs() < 1e-9);
    assert!((number(&found, "item had two or three", "score").mean - 0.01).abs() < 1e-9);
}

#[test]
fn what_first_reasons_gain_is_no_trend() {
    // Later first reasons gain more, whoever writes them; no other reason does.
    let later = |index: usize, known: usize| {
        if known == 0 {
            index as f64 / 179.0
        } else {
            0.01
        }
    };
    let found = with_first_reasons(later, 0.2);
    assert!(number(&found, "whole pass", "the same").mean.abs() < 1e-9);
    assert!(
        !found.sentence.starts_with("Reward hacking"),
        "{}",
        found.sentence
    );
    // The reward of reasons beside others does rise.
    let rising = |index: usize, known: usize| {
        if known == 0 {
            0.2
        } else {
            index as f64 / 179.0
        }
    };
    let found = with_first_reasons(rising, 0.2);
    assert!(
        found.sentence.starts_with("Reward hacking"),
        "{}",
        found.sentence
    );
    assert!(number(&found, "whole pass", "the same").low > 0.5);
}

#[test]
fn numbers_of_a_part_by_hand() {
    let found = verdict(0.0, 0.3);
    let number = |name: &str| {
        found
            .numbers
            .iter()
            .find(|one| one.group == "part 1" && one.name == name)
            .unwrap()
            .value
            .mean
    };
    assert!((number("score with the new reason") - 0.4).abs() < 1e-6);
    assert!(number("score − baseline").abs() < 1e-12);
    // 12 candidates "a b" and "a c": 24 words, 3 different; 12 pairs, 2 different.
    assert_eq!(number("Distinct-1 of candidates"), 3.0 / 24.0);
    assert_eq!(number("Distinct-2 of candidates"), 2.0 / 12.0);
    assert_eq!(number("unique candidates"), 2.0 / 12.0);
    assert_eq!(number("words of a candidate"), 2.0);
}

#[test]
fn a_reward_that_is_a_plain_score_loses_its_baseline_first() {
    assert!((gain(&event(0.5), false) - 0.1).abs() < 1e-6);
    assert!((gain(&event(0.5), true) - 0.5).abs() < 1e-12);
}
