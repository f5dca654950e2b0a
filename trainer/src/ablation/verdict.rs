//! The table in words: what the texts are worth, said from its numbers alone.

use super::table::{RowResult, Test};
use crate::evaluation::Estimate;

/// Level of the corrected p-values.
const LEVEL: f64 = 0.05;
/// Seeds that a claim needs (EVALUATION.md).
const SEEDS: usize = 3;

/// What the full method gains over a row.
#[derive(Clone, Copy)]
struct Gain<'a> {
    label: &'a str,
    /// Its interval over users.
    users: Estimate,
    /// Over users and seeds.
    both: Estimate,
    test: Test,
}

/// How the full method stands to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Better,
    NotTold,
    Worse,
}

/// Plain sentences on what reasons and texts are worth in `metric`; rows that are not in the table are not spoken of.
pub(super) fn verdict(rows: &[RowResult], seeds: usize, metric: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if seeds < SEEDS {
        let plural = if seeds == 1 { "" } else { "s" };
        lines.push(format!(
            "{seeds} seed{plural}: too few for a claim, which needs at least {SEEDS}; read what follows as a first look."
        ));
    }
    let look = |name: &str| {
        let row = rows.iter().find(|row| row.name == name)?;
        let difference = row.differences.get(metric)?;
        Some(Gain {
            label: &row.label,
            users: difference.users,
            both: difference.users_and_seeds,
            test: row.test?,
        })
    };
    let worth = ["no-reasons", "ids-only", "random-texts-retrained"].map(look);
    let numbers: Vec<String> = worth.iter().flatten().map(number).collect();
    if !numbers.is_empty() {
        lines.push(format!(
            "What the texts are worth in {metric}: {}.",
            numbers.join("; ")
        ));
    }
    lines.extend(of_these_seeds(&worth));
    let [without, ids, random] = worth.map(|found| found.map(|found| standing(&found)));
    lines.extend(without.map(|without| reasons(without, random).to_owned()));
    lines.extend(ids.map(|ids| texts(ids).to_owned()));
    let swapped = look("swapped-reasons").or_else(|| look("random-reasons"));
    lines.extend(swapped.map(|found| reading(&found)));
    let patterns = ["no-patterns", "other-patterns"].map(look);
    let numbers: Vec<String> = patterns.iter().flatten().map(number).collect();
    if !numbers.is_empty() {
        let of = |wanted| {
            let found = patterns.iter().flatten();
            found.filter(move |found| standing(found) == wanted)
        };
        let worse: Vec<String> = of(Standing::Worse).map(|found| with(found.label)).collect();
        let said = if !worse.is_empty() {
            format!(" It ranks better {}.", worse.join(" and "))
        } else if of(Standing::Better).next().is_none() {
            " That they are worth anything to the ranking is not shown.".to_owned()
        } else {
            String::new()
        };
        lines.push(format!(
            "What the patterns are worth in {metric}: {}.{said}",
            numbers.join("; ")
        ));
    }
    lines
}

/// `w/o patterns` → `without patterns`, `another user's pattern` → `with another user's pattern`.
fn with(label: &str) -> String {
    match label.strip_prefix("w/o ") {
        Some(part) => format!("without {part}"),
        None => format!("with {label}"),
    }
}

fn number(gain: &Gain) -> String {
    let Estimate { mean, low, high } = gain.users;
    format!(
        "full − {} = {mean:+.4}, 95 % [{low:+.4}, {high:+.4}], p {} after Holm",
        gain.label,
        p(gain.test.p_holm)
    )
}

/// The gains that hold for these seeds, and not certainly for others.
fn of_these_seeds(worth: &[Option<Gain>]) -> Option<String> {
    let told: Vec<String> = (worth.iter().flatten())
        .filter(|gain| standing(gain) == Standing::Better && gain.both.low <= 0.0)
        .map(|Gain { label, both, .. }| {
            format!("full − {label} [{:+.4}, {:+.4}]", both.low, both.high)
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "That is so of these seeds: where seeds are drawn as well as users, the interval holds 0 ({}).",
            told.join("; ")
        )
    })
}

fn p(value: f64) -> String {
    if value < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("= {value:.3}")
    }
}

fn standing(gain: &Gain) -> Standing {
    match gain.users.mean {
        _ if gain.test.p_holm >= LEVEL => Standing::NotTold,
        mean if mean > 0.0 => Standing::Better,
        _ => Standing::Worse,
    }
}

fn reasons(without: Standing, random: Option<Standing>) -> &'static str {
    match (without, random) {
        (Standing::Better, Some(Standing::Better)) => {
            "The model ranks better with reasons than without, and better than one that was trained, and never corrected, on patterns \
             and reasons dealt at random: what the texts say counts. Which of the two kinds does, these rows do not tell."
        }
        (Standing::Better, Some(_)) => {
            "The model ranks better with reasons than without, but not better than one trained on texts dealt at random: that what they \
             say matters is not shown."
        }
        (Standing::Better, None) => {
            "The model ranks better with reasons than without; whether by what they say, only training on random texts could tell."
        }
        (Standing::NotTold, _) => "That the reasons improve the ranking is not shown.",
        (Standing::Worse, _) => "The reasons make the ranking worse.",
    }
}

fn texts(ids: Standing) -> &'static str {
    match ids {
        Standing::Better => "With patterns and reasons it ranks better than on IDs alone.",
        Standing::NotTold => {
            "That patterns and reasons together rank better than IDs alone is not shown."
        }
        Standing::Worse => "IDs alone rank better than the full model.",
    }
}

fn reading(found: &Gain) -> String {
    let what = match standing(found) {
        Standing::Better => "it does read them",
        Standing::NotTold => "that it reads them is not shown",
        Standing::Worse => "it ranks better with the wrong ones",
    };
    format!(
        "The trained model with {} loses {:+.4} (p {} after Holm): {what}.",
        found.label,
        found.users.mean,
        p(found.test.p_holm)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ablation::{Difference, Kind, Spread};

    fn row(name: &str, label: &str, mean: f64, p_holm: f64) -> RowResult {
        let users = Estimate {
            mean,
            low: mean - 0.001,
            high: mean + 0.001,
        };
        let seeds = Spread {
            mean,
            deviation: None,
            seeds: vec![mean],
        };
        let difference = Difference {
            users,
            users_and_seeds: users,
            seeds,
        };
        RowResult {
            name: name.into(),
            label: label.into(),
            kind: Kind::Trained,
            settings: vec![],
            metrics: BTreeMap::new(),
            differences: BTreeMap::from([("ndcg@10".to_owned(), difference)]),
            test: Some(Test { p: 0.0, p_holm }),
        }
    }

    fn said(rows: &[RowResult], seeds: usize) -> String {
        verdict(rows, seeds, "ndcg@10").join("\n")
    }

    #[test]
    fn numbers_are_said_as_they_are() {
        let rows = [
            row("no-reasons", "w/o reasons", 0.01234, 0.0321),
            row("ids-only", "IDs only", -0.002, 0.9),
        ];
        assert_eq!(
            said(&rows, 3).lines().next().unwrap(),
            "What the texts are worth in ndcg@10: full − w/o reasons = +0.0123, 95 % [+0.0113, +0.0133], p = 0.032 after Holm; \
             full − IDs only = -0.0020, 95 % [-0.0030, -0.0010], p = 0.900 after Holm."
        );
    }

    #[test]
    fn a_gain_that_random_texts_give_too_is_not_put_down_to_what_they_say() {
        let without = row("no-reasons", "w/o reasons", 0.01, 0.001);
        let random = |mean, p| row("random-texts-retrained", "random texts, retrained", mean, p);
        let text = said(&[without.clone(), random(0.008, 0.002)], 3);
        assert!(text.contains("what the texts say counts"), "{text}");
        assert!(!text.contains("reasons improve"), "{text}");
        let text = said(&[without.clone(), random(0.001, 0.4)], 3);
        assert!(text.contains("is not shown"), "{text}");
        assert!(said(&[without], 3).contains("only training on random texts"));
    }

    #[test]
    fn what_is_not_shown_or_worse_is_said_so() {
        let of = |mean, p| said(&[row("no-reasons", "w/o reasons", mean, p)], 5);
        assert!(of(0.01, 0.051).contains("improve the ranking is not shown"));
        assert!(of(-0.01, 0.01).contains("make the ranking worse"));
        let ids = |mean, p| said(&[row("ids-only", "IDs only", mean, p)], 5);
        assert!(ids(0.01, 0.01).contains("better than on IDs alone"));
        assert!(ids(-0.01, 0.01).contains("IDs alone rank better"));
        let swapped = |mean, p| said(&[row("swapped-reasons", "reasons swapped", mean, p)], 5);
        assert!(swapped(0.01, 0.0001).contains("loses +0.0100 (p < 0.001 after Holm): it does"));
        assert!(swapped(0.01, 0.3).contains("that it reads them is not shown"));
    }

    #[test]
    fn a_gain_that_other_seeds_might_not_give_is_said_to_be_of_these() {
        let mut random = row(
            "random-texts-retrained",
            "random texts, retrained",
            0.0075,
            0.028,
        );
        assert!(!said(std::slice::from_ref(&random), 3).contains("these seeds"));
        let difference = random.differences.get_mut("ndcg@10").unwrap();
        (
            difference.users_and_seeds.low,
            difference.users_and_seeds.high,
        ) = (-0.0005, 0.0158);
        assert!(said(std::slice::from_ref(&random), 3).contains(
            "That is so of these seeds: where seeds are drawn as well as users, the interval holds 0 (full − random texts, retrained \
             [-0.0005, +0.0158])."
        ));
        random.test = Some(Test {
            p: 0.5,
            p_holm: 0.9,
        });
        assert!(!said(&[random], 3).contains("these seeds"));
    }

    #[test]
    fn patterns_are_spoken_of_by_themselves() {
        let without = row("no-patterns", "w/o patterns", 0.0029, 1.0);
        let text = said(std::slice::from_ref(&without), 3);
        assert_eq!(
            text,
            "What the patterns are worth in ndcg@10: full − w/o patterns = +0.0029, 95 % [+0.0019, +0.0039], p = 1.000 after Holm. That \
             they are worth anything to the ranking is not shown."
        );
        let other = row("other-patterns", "another user's pattern", 0.01, 0.001);
        let text = said(&[without, other], 3);
        assert!(
            text.contains("another user's pattern = +0.0100") && !text.contains("not shown"),
            "{text}"
        );
        let other = row("other-patterns", "another user's pattern", -0.0026, 0.036);
        let text = said(&[other], 3);
        assert!(
            text.ends_with("after Holm. It ranks better with another user's pattern."),
            "{text}"
        );
        let without = row("no-patterns", "w/o patterns", -0.01, 0.001);
        let other = row("other-patterns", "another user's pattern", -0.01, 0.001);
        let text = said(&[without, other], 3);
        let both = "It ranks better without patterns and with another user's pattern.";
        assert!(text.ends_with(both), "{text}");
    }

    #[test]
    fn few_seeds_come_first() {
        assert!(said(&[], 1).starts_with("1 seed: too few"));
        assert!(said(&[], 2).starts_with("2 seeds: too few"));
        assert!(said(&[], 3).is_empty());
    }
}
