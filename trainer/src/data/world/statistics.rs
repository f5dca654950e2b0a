//! Statistics of a log that show whether it looks like people chose it, as a table in Markdown.

use super::calibration::calibrate;
use super::simulate::World;
use crate::data::{Cause, Log};

/// What the table shows of one log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogStatistics {
    /// The log's name.
    pub name: String,
    /// Users, items with at least one interaction, interactions.
    pub counts: [usize; 3],
    /// Interactions / (users × items).
    pub density: f64,
    /// History lengths: shortest, lower quartile, median, upper quartile, longest.
    pub lengths: [usize; 5],
    /// Mean history length.
    pub mean_length: f64,
    /// Gini coefficient of the interactions per item.
    pub gini: f64,
    /// Share of the interactions that fall on the most popular tenth of the items.
    pub top_tenth: f64,
    /// Share of the interactions that fall on the less popular half of the items.
    pub bottom_half: f64,
    /// Share of the interactions whose item the same user had taken before.
    pub repeats: f64,
    /// Share of the steps between consecutive events of a user that are shorter than an hour.
    pub within_an_hour: f64,
    /// Median number of events in a session; a pause of more than a day ends a session.
    pub session: usize,
    /// Days between the first and the last interaction.
    pub days: f64,
    /// Shares of interactions with a taste, a community, a follow-up, popularity alone, nothing; needs true causes.
    pub causes: Option<[f64; 5]>,
}

/// Computes the statistics of a log; an empty log gives zeros.
pub fn statistics(log: &Log) -> LogStatistics {
    let mut per_item = vec![0usize; log.items.len()];
    let mut per_user: Vec<Vec<(i64, u32)>> = vec![Vec::new(); log.users.len()];
    for event in &log.interactions {
        per_item[event.item as usize] += 1;
        per_user[event.user as usize].push((event.time, event.item));
    }
    per_user.retain(|events| !events.is_empty());
    per_item.retain(|&count| count > 0);
    per_item.sort_unstable();
    let mut lengths: Vec<usize> = per_user.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let total = log.interactions.len();
    let share = |count: usize| ratio(count, total);
    let tenth = per_item.len().div_ceil(10);
    let (mut repeats, mut steps, mut short) = (0, 0, 0);
    let mut sessions = Vec::new();
    for events in &per_user {
        let mut seen = std::collections::HashSet::new();
        repeats += events
            .iter()
            .filter(|(_, item)| !seen.insert(*item))
            .count();
        let mut session = 1;
        for pair in events.windows(2) {
            let pause = pair[1].0 - pair[0].0;
            steps += 1;
            short += usize::from(pause < 3_600);
            if pause > 86_400 {
                sessions.push(session);
                session = 0;
            }
            session += 1;
        }
        sessions.push(session);
    }
    sessions.sort_unstable();
    let first = log
        .interactions
        .iter()
        .map(|event| event.time)
        .min()
        .unwrap_or(0);
    let last = log
        .interactions
        .iter()
        .map(|event| event.time)
        .max()
        .unwrap_or(0);
    LogStatistics {
        name: log.name.clone(),
        counts: [lengths.len(), per_item.len(), total],
        density: ratio(total, lengths.len() * per_item.len()),
        lengths: [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| quantile(&lengths, part)),
        mean_length: ratio(total, lengths.len()),
        gini: gini(&per_item),
        top_tenth: share(per_item.iter().rev().take(tenth).sum()),
        bottom_half: share(per_item.iter().take(per_item.len() / 2).sum()),
        repeats: share(repeats),
        within_an_hour: ratio(short, steps),
        session: quantile(&sessions, 0.5),
        days: (last - first) as f64 / 86_400.0,
        causes: log.causes.as_ref().map(|causes| cause_shares(causes)),
    }
}

fn cause_shares(causes: &[Vec<Cause>]) -> [f64; 5] {
    let share = |holds: &dyn Fn(&Vec<Cause>) -> bool| {
        ratio(causes.iter().filter(|all| holds(all)).count(), causes.len())
    };
    [
        share(&|all| all.iter().any(|cause| matches!(cause, Cause::Taste { .. }))),
        share(&|all| {
            all.iter()
                .any(|cause| matches!(cause, Cause::Community { .. }))
        }),
        share(&|all| {
            all.iter()
                .any(|cause| matches!(cause, Cause::Sequel { .. }))
        }),
        share(&|all| all.contains(&Cause::Popularity)),
        share(&|all| all.is_empty()),
    ]
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Nearest-rank quantile of sorted values.
fn quantile(sorted: &[usize], part: f64) -> usize {
    let position = (part * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(position).copied().unwrap_or(0)
}

/// `Σ_k (2k − n − 1) x_k / (n Σ x)` over ascending counts: 0 when all are equal, near 1 when one item has everything.
fn gini(ascending: &[usize]) -> f64 {
    let count = ascending.len() as f64;
    let total: f64 = ascending.iter().map(|&value| value as f64).sum();
    if total == 0.0 {
        return 0.0;
    }
    let sum: f64 = ascending
        .iter()
        .enumerate()
        .map(|(at, &value)| (2.0 * (at as f64 + 1.0) - count - 1.0) * value as f64)
        .sum();
    sum / (count * total)
}

/// What `curec data world --stats` prints and `docs/world.md` quotes: the calibration of a world and its table, beside
/// those of other logs.
pub fn report(world: &World, others: &[&Log]) -> String {
    let logs: Vec<&Log> = std::iter::once(&world.log)
        .chain(others.iter().copied())
        .collect();
    format!(
        "```text\n{}\n```\n\n{}",
        calibrate(world, CANDIDATE_SEED),
        sanity_tables(&logs)
    )
}

/// Seed of the candidate sets in [`report`].
const CANDIDATE_SEED: u64 = 11;

/// The table of one log.
pub fn sanity_table(log: &Log) -> String {
    sanity_tables(&[log])
}

/// Several logs beside each other, one column each: the table of `docs/world.md`.
pub fn sanity_tables(logs: &[&Log]) -> String {
    let all: Vec<LogStatistics> = logs.iter().map(|log| statistics(log)).collect();
    let mut table = String::from("| |");
    for log in &all {
        table += &format!(" {} |", log.name);
    }
    table += "\n|---|";
    table += &"---:|".repeat(all.len());
    table.push('\n');
    let mut row = |name: &str, cell: &dyn Fn(&LogStatistics) -> String| {
        table += &format!("| {name} |");
        for log in &all {
            table += &format!(" {} |", cell(log));
        }
        table.push('\n');
    };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    row("users with events", &|log| log.counts[0].to_string());
    row("items with events", &|log| log.counts[1].to_string());
    row("interactions", &|log| log.counts[2].to_string());
    row("density", &|log| percent(log.density));
    row("history length: shortest", &|log| {
        log.lengths[0].to_string()
    });
    row("lower quartile", &|log| log.lengths[1].to_string());
    row("median", &|log| log.lengths[2].to_string());
    row("upper quartile", &|log| log.lengths[3].to_string());
    row("longest", &|log| log.lengths[4].to_string());
    row("mean", &|log| format!("{:.1}", log.mean_length));
    row("popularity: Gini", &|log| format!("{:.3}", log.gini));
    row("on the top tenth of the items", &|log| {
        percent(log.top_tenth)
    });
    row("on the bottom half of the items", &|log| {
        percent(log.bottom_half)
    });
    row("repeats", &|log| percent(log.repeats));
    row("steps shorter than an hour", &|log| {
        percent(log.within_an_hour)
    });
    row("median session (pauses up to a day)", &|log| {
        log.session.to_string()
    });
    row("days covered", &|log| format!("{:.0}", log.days));
    if all.iter().any(|log| log.causes.is_some()) {
        for (at, name) in [
            "cause: a taste",
            "cause: community",
            "cause: follow-up",
            "cause: popularity alone",
            "no cause (chance)",
        ]
        .into_iter()
        .enumerate()
        {
            row(name, &|log| {
                log.causes
                    .map_or("unknown".to_string(), |shares| percent(shares[at]))
            });
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::world::{WorldConfig, simulate};
    use crate::data::{Interaction, Item, User};

    fn log(events: &[(u32, u32, i64)], items: usize) -> Log {
        let item = |key: usize| Item {
            key: key.to_string(),
            title: String::new(),
            attributes: Vec::new(),
        };
        let users = events.iter().map(|event| event.0 + 1).max().unwrap_or(0);
        let interaction = |&(user, item, time): &(u32, u32, i64)| Interaction {
            user,
            item,
            time,
            rating: None,
        };
        Log {
            name: "hand".into(),
            items: (0..items).map(item).collect(),
            users: (0..users)
                .map(|key| User {
                    key: key.to_string(),
                })
                .collect(),
            interactions: events.iter().map(interaction).collect(),
            ..Log::default()
        }
    }

    #[test]
    fn a_small_log_gives_the_values_counted_by_hand() {
        let day = 86_400;
        let events = [
            (0, 0, 0),
            (0, 1, 60),
            (0, 0, 3 * day),
            (1, 0, 100),
            (1, 2, 200),
        ];
        let found = statistics(&log(&events, 5));
        assert_eq!(found.counts, [2, 3, 5]);
        assert_eq!(found.lengths, [2, 2, 3, 3, 3]);
        assert_eq!(found.repeats, 0.2);
        // Three steps, two of them short; sessions 2, 1, 2.
        assert!((found.within_an_hour - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.session, 2);
        assert_eq!(found.days, 3.0);
        // Counts 1, 1, 3: Gini = (−2·1 + 0·1 + 2·3) / (3·5) = 4/15.
        assert!((found.gini - 4.0 / 15.0).abs() < 1e-12);
        assert_eq!(found.top_tenth, 0.6);
    }

    /// The numbers in the documentation are those of the code as it is.
    #[test]
    fn the_documented_numbers_are_current() {
        let world = simulate(&WorldConfig::default()).unwrap();
        let document = include_str!("../../../../docs/world.md");
        for line in report(&world, &[])
            .lines()
            .filter(|line| !line.starts_with("|---"))
        {
            let found = document
                .lines()
                .any(|other| other.trim_end().starts_with(line));
            assert!(
                found,
                "docs/world.md lacks `{line}`: run `curec data world --stats` and paste"
            );
        }
    }

    #[test]
    fn an_empty_log_gives_zeros() {
        let found = statistics(&Log::default());
        assert_eq!(
            (found.counts, found.gini, found.repeats),
            ([0, 0, 0], 0.0, 0.0)
        );
        assert!(sanity_table(&Log::default()).contains("| interactions | 0 |"));
    }
}
