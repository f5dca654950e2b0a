//! What was found of a run's explanations, before and after correction: one result type for the file and the terminal.
//!
//! Every number is a ratio of two sums (wrong claims / claims, values / cases). The bootstrap draws people anew (items where a
//! row is about lists) and divides the sums of those drawn, the same ones before and after, so differences are paired.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::diversity::Diversity;
use super::drift::Decile;
use crate::evaluation::{Estimate, estimate, resampled_means};

/// Two sums per unit: of what is counted, and of what it is divided by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratio {
    /// Per unit.
    pub sums: Vec<f64>,
    /// Per unit.
    pub cases: Vec<f64>,
}

/// Ratios by name; a unit is a person or an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    units: usize,
    ratios: BTreeMap<&'static str, Ratio>,
}

/// One number of the texts before and after correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is (docs/run-directory.md).
    pub name: String,
    /// What it was divided by, before and after.
    pub cases: [f64; 2],
    /// Texts of `generate`.
    pub before: Estimate,
    /// Texts of `correct`.
    pub after: Estimate,
    /// After − before, paired.
    pub difference: Estimate,
}

/// Numbers about the same texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// About what.
    pub name: String,
    /// With intervals.
    pub rows: Vec<Row>,
    /// Of the texts as a set, before and after; `None` where the scope is about no texts.
    pub diversity: Option<[Diversity; 2]>,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanations {
    /// Data set.
    pub data: String,
    /// Reasons in all.
    pub reasons: usize,
    /// Reasons that correction wrote anew.
    pub rewritten: usize,
    /// People behind the intervals.
    pub people: usize,
    /// Resamples behind each interval.
    pub bootstrap_samples: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// What must be read before the numbers.
    pub warnings: Vec<String>,
    /// All reasons; those written anew; the ranking model.
    pub scopes: Vec<Scope>,
    /// The correction pass in ten parts.
    pub drift: Vec<Decile>,
}

impl Tally {
    /// Nothing counted yet, of `units` people or items.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            ratios: BTreeMap::new(),
        }
    }

    /// Counts `sum` out of `cases` for a unit.
    pub fn add(&mut self, name: &'static str, unit: usize, sum: f64, cases: f64) {
        let ratio = self.ratios.entry(name).or_insert_with(|| Ratio {
            sums: vec![0.0; self.units],
            cases: vec![0.0; self.units],
        });
        ratio.sums[unit] += sum;
        ratio.cases[unit] += cases;
    }

    /// A ratio by name, if anything was counted.
    pub fn ratio(&self, name: &str) -> Option<&Ratio> {
        self.ratios.get(name)
    }
}

/// The ratios that both sides have, in the order of `names`.
pub fn rows(before: &Tally, after: &Tally, names: &[&str], samples: usize, seed: u64) -> Vec<Row> {
    let counted = |ratio: &&Ratio| ratio.cases.iter().sum::<f64>() > 0.0;
    let pairs: Vec<(&str, [&Ratio; 2])> = names
        .iter()
        .filter_map(|name| {
            let before = before.ratio(name).filter(counted)?;
            let after = after.ratio(name).filter(counted)?;
            Some((*name, [before, after]))
        })
        .collect();
    let values: Vec<Vec<f64>> = pairs
        .iter()
        .flat_map(|(_, sides)| sides)
        .flat_map(|ratio| [ratio.sums.clone(), ratio.cases.clone()])
        .collect();
    let drawn = resampled_means(&values, samples, seed);
    let row = |((name, sides), drawn): (&(&str, [&Ratio; 2]), &[Vec<f64>])| {
        let total = |values: &[f64]| values.iter().sum::<f64>();
        let means = sides.map(|ratio| total(&ratio.sums) / total(&ratio.cases));
        let of = |side: usize, sample: usize| {
            let (sum, cases) = (drawn[2 * side][sample], drawn[2 * side + 1][sample]);
            (cases > 0.0).then(|| sum / cases)
        };
        let ratios = |side: usize| -> Vec<f64> {
            (0..samples).filter_map(|sample| of(side, sample)).collect()
        };
        let differences: Vec<f64> = (0..samples)
            .filter_map(|sample| Some(of(1, sample)? - of(0, sample)?))
            .collect();
        Row {
            name: (*name).to_owned(),
            cases: sides.map(|ratio| total(&ratio.cases)),
            before: estimate(means[0], &ratios(0)),
            after: estimate(means[1], &ratios(1)),
            difference: estimate(means[1] - means[0], &differences),
        }
    };
    pairs.iter().zip(drawn.chunks(4)).map(row).collect()
}

impl Explanations {
    /// A row by scope and name.
    pub fn row(&self, scope: &str, name: &str) -> Option<&Row> {
        let scope = self.scopes.iter().find(|found| found.name == scope)?;
        scope.rows.iter().find(|row| row.name == name)
    }
}

impl fmt::Display for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "! {warning}")?;
        }
        writeln!(
            f,
            "{}: {} reasons, {} of them written anew by correction; 95 % intervals over {} people",
            self.data, self.reasons, self.rewritten, self.people
        )?;
        let names = self.scopes.iter().flat_map(|scope| &scope.rows);
        let width = names.map(|row| row.name.chars().count()).max().unwrap_or(0);
        for scope in &self.scopes {
            let title = &scope.name;
            let column = width.max(title.chars().count());
            writeln!(
                f,
                "\n{title:column$}  {:>27}  {:>27}  {:>30}",
                "before", "after", "difference"
            )?;
            for row in &scope.rows {
                write!(f, "{:column$}  ", row.name)?;
                for value in [row.before, row.after] {
                    let Estimate { mean, low, high } = value;
                    write!(f, "{mean:>8.4} [{low:>7.4}, {high:>7.4}]  ")?;
                }
                let Estimate { mean, low, high } = row.difference;
                writeln!(f, "{mean:>+8.4} [{low:>+8.4}, {high:>+8.4}]")?;
            }
            if let Some(sides) = &scope.diversity {
                set_table(f, sides, column)?;
            }
        }
        drift_table(f, &self.drift)
    }
}

/// Numbers of a set of texts, which have no interval.
fn set_table(f: &mut fmt::Formatter<'_>, sides: &[Diversity; 2], column: usize) -> fmt::Result {
    type Part = fn(&Diversity) -> Option<f64>;
    let parts: [(&str, Part); 6] = [
        ("Distinct-1", |found| found.distinct_1),
        ("Distinct-2", |found| found.distinct_2),
        ("USR", |found| found.usr),
        ("self-BLEU", |found| found.self_bleu),
        ("FCR", |found| found.fcr),
        ("DIV", |found| found.div),
    ];
    for (name, part) in parts {
        if let [Some(before), Some(after)] = [part(&sides[0]), part(&sides[1])] {
            let difference = after - before;
            writeln!(
                f,
                "{name:column$}  {before:>8.4}{:21}{after:>8.4}{:21}{difference:>+8.4}",
                "", ""
            )?;
        }
    }
    Ok(())
}

fn drift_table(f: &mut fmt::Formatter<'_>, drift: &[Decile]) -> fmt::Result {
    if drift.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\nalong the correction pass\n{:>4}  {:>6}  {:>8}  {:>6}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
        "part",
        "events",
        "reward",
        "words",
        "halluc.",
        "stutters",
        "dist-1",
        "dist-2",
        "USR",
        "s-BLEU",
        "FCR",
        "DIV"
    )?;
    for (index, part) in drift.iter().enumerate() {
        write!(
            f,
            "{:>4}  {:>6}  {:>+8.4}  {:>6.2}",
            index + 1,
            part.events,
            part.reward,
            part.words
        )?;
        let Diversity {
            distinct_1,
            distinct_2,
            usr,
            self_bleu,
            fcr,
            div,
        } = part.diversity;
        let stutters = Some(part.stutters);
        for value in [
            part.hallucination,
            stutters,
            distinct_1,
            distinct_2,
            usr,
            self_bleu,
            fcr,
            div,
        ] {
            match value {
                Some(value) => write!(f, "  {value:>8.4}")?,
                None => write!(f, "  {:>8}", "–")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_sums_and_a_difference_is_paired() {
        let (mut before, mut after) = (Tally::new(3), Tally::new(3));
        for (unit, wrong, claims) in [(0, 1.0, 4.0), (1, 0.0, 1.0), (2, 2.0, 5.0), (0, 1.0, 0.0)] {
            before.add("hallucination", unit, wrong, claims);
            // Everybody makes twice the claims, as often wrong: half the rate, whoever is drawn.
            after.add("hallucination", unit, wrong, 2.0 * claims);
            after.add("only after", unit, 1.0, 1.0);
            before.add("no cases", unit, 0.0, 0.0);
            after.add("no cases", unit, 0.0, 0.0);
        }
        let names = ["no cases", "only after", "hallucination", "unheard of"];
        let found = rows(&before, &after, &names, 500, 1);
        assert_eq!(found.len(), 1);
        let row = &found[0];
        // (1 + 1 + 0 + 2) / (4 + 1 + 5)
        assert_eq!((row.before.mean, row.after.mean), (0.4, 0.2));
        assert_eq!(row.cases, [10.0, 20.0]);
        assert!((row.difference.mean + 0.2).abs() < 1e-12);
        // Drawn alone, person 0 gives 2/4 before and person 1 gives 0/1: all between, and after is half of it in each draw.
        assert!(row.before.low == 0.0 && row.before.high == 0.5, "{row:?}");
        assert!((row.difference.low + row.before.high / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_table_shows_every_row() {
        let estimate = Estimate {
            mean: 0.25,
            low: 0.125,
            high: 0.5,
        };
        let found = Explanations {
            data: "toy".into(),
            reasons: 9,
            rewritten: 2,
            people: 3,
            bootstrap_samples: 10,
            seed: 1,
            warnings: vec!["read this".into()],
            scopes: vec![Scope {
                name: "all reasons".into(),
                rows: vec![Row {
                    name: "hallucination".into(),
                    cases: [1.0, 1.0],
                    before: estimate,
                    after: estimate,
                    difference: estimate,
                }],
                diversity: Some([Diversity::default(), Diversity::default()]),
            }],
            drift: Vec::new(),
        };
        let text = found.to_string();
        assert!(text.starts_with("! read this\ntoy: 9 reasons"), "{text}");
        assert!(
            text.contains("hallucination    0.2500 [ 0.1250,  0.5000]"),
            "{text}"
        );
        assert!(text.contains("+0.2500 [ +0.1250,  +0.5000]"), "{text}");
        assert!(!text.contains("USR"), "nothing was measured of it: {text}");
        assert!(found.row("all reasons", "hallucination").is_some());
        assert!(found.row("all reasons", "USR").is_none());
    }
}
