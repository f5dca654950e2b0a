//! What a check says: pass, fail or not decidable, with the numbers that make it so.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evaluation::Estimate;

/// Fewest independent units (users, interactions, pairs of a study) from which an interval is taken seriously. Several values of one of
/// them are one.
///
/// The bootstrap of a handful of equal values has no width at all and would be sure of anything.
pub const ENOUGH: usize = 30;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every condition holds, and the intervals say so.
    Pass,
    /// At least one does not.
    Fail,
    /// None fails, but at least one cannot be told from these numbers.
    NotDecidable,
}

impl Outcome {
    /// As it is printed.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Pass => "PASS",
            Outcome::Fail => "FAIL",
            Outcome::NotDecidable => "NOT DECIDABLE",
        }
    }
}

/// A measured value with its place in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// Rows of one group stand together, e.g. a bin or a condition.
    pub group: String,
    /// What was measured.
    pub name: String,
    /// Its value; where `low` and `high` are equal to `mean` it is exact or has no interval.
    pub value: Estimate,
    /// Units it is a mean over; 0 where that says nothing.
    pub n: usize,
}

impl Number {
    /// With an interval.
    pub fn measured(group: &str, name: &str, value: Estimate, n: usize) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            value,
            n,
        }
    }

    /// Without one.
    pub fn exact(group: &str, name: &str, value: f64, n: usize) -> Self {
        let value = Estimate {
            mean: value,
            low: value,
            high: value,
        };
        Self::measured(group, name, value, n)
    }
}

/// A value that must lie above a threshold, judged by its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What was measured.
    pub name: String,
    /// Its value.
    pub value: Estimate,
    /// Units it is a mean over.
    pub n: usize,
    /// What it must be above.
    pub above: f64,
    /// Whether it is.
    pub outcome: Outcome,
}

impl Condition {
    /// Pass where the whole interval lies above the threshold, fail where none of it does; not decidable in between and
    /// below [`ENOUGH`] units.
    pub fn above(name: &str, value: Estimate, n: usize, threshold: f64) -> Self {
        let outcome = if n < ENOUGH || !value.mean.is_finite() {
            Outcome::NotDecidable
        } else if value.low > threshold {
            Outcome::Pass
        } else if value.high <= threshold {
            Outcome::Fail
        } else {
            Outcome::NotDecidable
        };
        Self {
            name: name.to_owned(),
            value,
            n,
            above: threshold,
            outcome,
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the check, as on the command line.
    pub check: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The verdict in one sentence.
    pub sentence: String,
    /// What was compared with what, and how.
    pub compared: String,
    /// What the outcome rests on.
    pub conditions: Vec<Condition>,
    /// Everything else that was measured.
    pub numbers: Vec<Number>,
    /// What must be known to read the numbers.
    pub notes: Vec<String>,
}

impl Verdict {
    /// The joint outcome: fail before not decidable before pass; without a condition nothing is decided.
    pub fn joint(conditions: &[Condition]) -> Outcome {
        let any = |outcome| conditions.iter().any(|one| one.outcome == outcome);
        if any(Outcome::Fail) {
            Outcome::Fail
        } else if conditions.is_empty() || any(Outcome::NotDecidable) {
            Outcome::NotDecidable
        } else {
            Outcome::Pass
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.check, self.outcome.words())?;
        writeln!(f, "{}", self.sentence)?;
        writeln!(f, "\nCompared: {}", self.compared)?;
        let conditions = self.conditions.iter().map(|one| one.name.as_str());
        let numbers = self.numbers.iter().map(|one| one.name.as_str());
        let names = conditions.chain(numbers).map(|name| name.chars().count());
        let width = names.max().unwrap_or(0);
        if !self.conditions.is_empty() {
            writeln!(f, "\nConditions (95 % intervals)")?;
        }
        for one in &self.conditions {
            let Condition {
                name,
                value,
                n,
                above,
                outcome,
            } = one;
            writeln!(
                f,
                "  {name:width$}  {}  n {n:<6} must be above {}: {}",
                Interval(value),
                (above * 1e4).round() / 1e4,
                outcome.words().to_lowercase()
            )?;
        }
        for block in blocks(&self.numbers) {
            match block.as_slice() {
                groups if groups.len() >= MATRIX => matrix(f, groups, width)?,
                groups => groups
                    .iter()
                    .try_for_each(|group| listed(f, group, width))?,
            }
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "· {note}")?;
        }
        Ok(())
    }
}

/// From so many groups with the same names on, a table of means says more than a list.
const MATRIX: usize = 5;

/// Numbers of one group.
type Group<'a> = &'a [Number];

/// Groups, joined into blocks where neighbours measure the same things.
fn blocks(numbers: &[Number]) -> Vec<Vec<Group<'_>>> {
    let names =
        |group: Group| -> Vec<String> { group.iter().map(|one| one.name.clone()).collect() };
    let mut blocks: Vec<Vec<Group>> = Vec::new();
    for group in numbers.chunk_by(|one, next| one.group == next.group) {
        match blocks.last_mut() {
            Some(block) if names(block[0]) == names(group) => block.push(group),
            _ => blocks.push(vec![group]),
        }
    }
    blocks
}

fn listed(f: &mut fmt::Formatter<'_>, group: Group, width: usize) -> fmt::Result {
    writeln!(f, "\n{}", group[0].group)?;
    for one in group {
        write!(f, "  {:width$}  {}", one.name, Interval(&one.value))?;
        match one.n {
            0 => writeln!(f)?,
            n => writeln!(f, "  n {n}")?,
        }
    }
    Ok(())
}

/// One line per name, one column per group; intervals are left to JSON.
fn matrix(f: &mut fmt::Formatter<'_>, groups: &[Group], width: usize) -> fmt::Result {
    let column = groups
        .iter()
        .map(|group| group[0].group.chars().count())
        .max()
        .unwrap_or(0)
        .max(8);
    write!(
        f,
        "\n{:width$}  ",
        "Means (intervals with --json)",
        width = width + 2
    )?;
    for group in groups {
        write!(f, " {:>column$}", group[0].group)?;
    }
    writeln!(f)?;
    for (row, one) in groups[0].iter().enumerate() {
        write!(f, "  {:width$}  ", one.name)?;
        for group in groups {
            write!(f, " {:>column$.4}", group[row].value.mean)?;
        }
        writeln!(f)?;
    }
    Ok(())
}

struct Interval<'a>(&'a Estimate);

impl fmt::Display for Interval<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { mean, low, high } = self.0;
        if low == mean && high == mean && *mean > 0.0 && *mean < 5e-5 {
            // A p-value is never 0.
            write!(f, "{:>9}{:21}", "< 0.0001", "")
        } else if low == mean && high == mean {
            write!(f, "{mean:>9.4}{:21}", "")
        } else {
            write!(f, "{mean:>9.4} [{low:>8.4}, {high:>8.4}]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(low: f64, mean: f64, high: f64) -> Estimate {
        Estimate { mean, low, high }
    }

    #[test]
    fn the_whole_interval_decides() {
        let outcome = |low, mean, high, n| Condition::above("x", value(low, mean, high), n, 0.5);
        assert_eq!(outcome(0.51, 0.6, 0.7, 100).outcome, Outcome::Pass);
        assert_eq!(outcome(0.5, 0.6, 0.7, 100).outcome, Outcome::NotDecidable);
        assert_eq!(outcome(0.4, 0.45, 0.5, 100).outcome, Outcome::Fail);
        assert_eq!(outcome(0.9, 0.9, 0.9, 29).outcome, Outcome::NotDecidable);
        assert_eq!(
            outcome(0.9, f64::NAN, 0.9, 99).outcome,
            Outcome::NotDecidable
        );
    }

    #[test]
    fn what_is_tiny_is_not_shown_as_nothing() {
        let shown = |of: f64| Interval(&value(of, of, of)).to_string().trim().to_owned();
        assert_eq!(shown(3e-7), "< 0.0001");
        assert_eq!(shown(0.0), "0.0000");
        assert_eq!(shown(0.0123), "0.0123");
    }

    #[test]
    fn one_failure_fails_and_nothing_measured_decides_nothing() {
        let good = Condition::above("a", value(0.6, 0.7, 0.8), 50, 0.5);
        let open = Condition::above("b", value(0.4, 0.5, 0.6), 50, 0.5);
        let bad = Condition::above("c", value(0.1, 0.2, 0.3), 50, 0.5);
        assert_eq!(Verdict::joint(&[]), Outcome::NotDecidable);
        assert_eq!(Verdict::joint(std::slice::from_ref(&good)), Outcome::Pass);
        let two = [good.clone(), open.clone()];
        assert_eq!(Verdict::joint(&two), Outcome::NotDecidable);
        assert_eq!(Verdict::joint(&[good, open, bad]), Outcome::Fail);
    }

    #[test]
    fn many_groups_of_the_same_names_become_a_table() {
        let groups = |count: u32| -> Vec<Number> {
            let group =
                |index: u32| Number::exact(&format!("part {index}"), "reward", f64::from(index), 3);
            (1..=count).map(group).collect()
        };
        let mut verdict = Verdict {
            check: "drift".into(),
            outcome: Outcome::Pass,
            sentence: String::new(),
            compared: String::new(),
            conditions: Vec::new(),
            numbers: groups(5),
            notes: Vec::new(),
        };
        let text = verdict.to_string();
        let row = text.lines().find(|line| line.contains("reward")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            ["reward", "1.0000", "2.0000", "3.0000", "4.0000", "5.0000"]
        );
        verdict.numbers = groups(4);
        assert_eq!(verdict.to_string().matches("reward").count(), 4);
    }

    #[test]
    fn a_printed_verdict_says_everything_and_survives_json() {
        let verdict = Verdict {
            check: "reward".into(),
            outcome: Outcome::Pass,
            sentence: "It works.".into(),
            compared: "one with another".into(),
            conditions: vec![Condition::above("gain", value(0.1, 0.2, 0.3), 40, 0.0)],
            numbers: vec![Number::exact("real", "NDCG@10", 0.25, 40)],
            notes: vec!["One seed.".into()],
        };
        let text = verdict.to_string();
        for words in [
            "reward: PASS",
            "It works.",
            "one with another",
            "0.2000 [  0.1000,   0.3000]  n 40",
            "must be above 0: pass",
            "NDCG@10",
            "· One seed.",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let json = serde_json::to_string(&verdict).unwrap();
        assert!(json.contains("\"outcome\":\"pass\""), "{json}");
        assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
    }
}
