//! The statistics as an aligned table for the terminal.

use std::fmt;

use super::{Side, Stats};

/// `1,000,030`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.name)?;
        writeln!(f, "{:<34}{:>18}{:>18}", "", "as read", "after filters")?;
        for (name, value) in rows() {
            let (read, kept) = (value(&self.read), value(&self.kept));
            writeln!(f, "{name:<34}{read:>18}{kept:>18}")?;
        }
        if let Some(share) = self.kept.ties_that_tell() {
            writeln!(
                f,
                "\nWhere times are equal, {:.0} % of the items stand after one with a smaller id: the file's order says something of the item that\n\
                 follows, which a model of sequences learns and a test rewards. With `order = \"drawn\"`, the default, a hash draws it.",
                share * 100.0
            )?;
        }
        writeln!(f, "\n{:<18}{}", "deciles", heading())?;
        for (name, distribution) in [
            ("history, read", &self.read.history),
            ("history, kept", &self.kept.history),
            ("item count, read", &self.read.item_counts),
            ("item count, kept", &self.kept.item_counts),
        ] {
            let cells = distribution
                .deciles
                .map(|value| format!("{:>7}", grouped(value)));
            writeln!(f, "{name:<18}{}", cells.concat())?;
        }
        writeln!(f, "\nattributes of the items that are kept")?;
        if self.kept.attributes.is_empty() {
            writeln!(f, "  none")?;
        }
        for (kind, counts) in &self.kept.attributes {
            let share = percent(counts.items as f64 / self.kept.items.max(1) as f64);
            let values = grouped(counts.values);
            writeln!(
                f,
                "  {kind:<20}{share:>10} of the items, {values} different values"
            )?;
        }
        let split = &self.split;
        writeln!(f, "\nsplit")?;
        for (name, count) in [
            ("training interactions", split.train),
            ("validation interactions", split.valid),
            ("test interactions", split.test),
            ("users with a validation event", split.users_with_valid),
            ("users with a test event", split.users_with_test),
        ] {
            writeln!(f, "  {name:<32}{:>12}", grouped(count))?;
        }
        writeln!(f, "\nskipped while reading")?;
        if self.skipped.is_empty() {
            writeln!(f, "  nothing")?;
        }
        for (why, count) in &self.skipped {
            writeln!(f, "  {why}: {}", grouped(*count))?;
        }
        writeln!(f, "\ndropped by the filters")?;
        if self.dropped.steps.is_empty() {
            writeln!(f, "  nothing")?;
        }
        for step in &self.dropped.steps {
            let (users, items) = (grouped(step.users), grouped(step.items));
            let interactions = grouped(step.interactions);
            writeln!(
                f,
                "  {}: {users} users, {items} items, {interactions} interactions",
                step.why
            )?;
        }
        writeln!(f, "\nsha256 {}", self.sha256)
    }
}

fn heading() -> String {
    (1..10)
        .map(|tenth| format!("{:>5} %", tenth * 10))
        .collect()
}

/// A row's name and how its cell is made.
type Row = (&'static str, fn(&Side) -> String);

fn rows() -> [Row; 20] {
    [
        ("users", |s| grouped(s.users)),
        ("items", |s| grouped(s.items)),
        ("  taken by somebody", |s| grouped(s.items_taken)),
        ("  without a title", |s| grouped(s.items_untitled)),
        ("interactions", |s| grouped(s.interactions)),
        ("  of an item taken before", |s| grouped(s.repeats)),
        ("  at the same time as the last", |s| grouped(s.equal_times)),
        ("    of these, in the file, a greater id", |s| {
            let share = s.equal_times_rising as f64 / s.equal_times as f64;
            match s.equal_times {
                0 => "–".to_owned(),
                _ => format!("{:.0} %", share * 100.0),
            }
        }),
        ("density", |s| format!("{:.3} %", s.density * 100.0)),
        ("history length, minimum", |s| grouped(s.history.min)),
        ("  median", |s| format!("{:.1}", s.history.median)),
        ("  mean", |s| format!("{:.1}", s.history.mean)),
        ("  maximum", |s| grouped(s.history.max)),
        ("item count, median", |s| {
            format!("{:.1}", s.item_counts.median)
        }),
        ("  maximum", |s| grouped(s.item_counts.max)),
        ("  Gini", |s| format!("{:.3}", s.gini)),
        ("  share of the top 1 %", |s| percent(s.top_1_percent)),
        ("  share of the top 10 %", |s| percent(s.top_10_percent)),
        ("first time", |s| match &s.dates {
            Some((first, _)) => first.clone(),
            None => s.first_time.to_string(),
        }),
        ("last time", |s| match &s.dates {
            Some((_, last)) => last.clone(),
            None => s.last_time.to_string(),
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_000_030), "1,000,030");
    }
}
