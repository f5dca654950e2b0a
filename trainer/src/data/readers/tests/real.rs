//! The public data sets themselves, where a copy lies beside the project (`../shared/data`): counts that their publishers and
//! others' papers give.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use super::*;

/// The folder, or nothing, which the test says.
fn shared(name: &str) -> Option<PathBuf> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if !dir.is_dir() {
        eprintln!("skipped: no ../shared");
        return None;
    }
    Some(dir)
}

fn read_as(name: &str, format: Format, order: Order) -> Option<Log> {
    let dir = shared(name)?;
    assert_eq!(detect(&dir).unwrap(), format);
    let start = Instant::now();
    let options = ReadOptions {
        lenient: false,
        order,
    };
    let log = read(&dir, None, &options).unwrap();
    eprintln!("{name}: read in {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(log.name, name);
    Some(log)
}

fn item<'a>(log: &'a Log, key: &str) -> &'a crate::data::Item {
    log.items.iter().find(|item| item.key == key).unwrap()
}

#[test]
fn ml_1m() {
    let Some(log) = read_as("ml-1m", Format::Ml1m, Order::Source) else {
        return;
    };
    assert_eq!(log.interactions.len(), 1_000_030);
    assert_eq!(log.users.len(), 6_040);
    assert_eq!(log.items.len(), 3_883);
    assert!(log.skipped.is_empty(), "{:?}", log.skipped);
    assert_eq!(item(&log, "73").title, "Les Misérables (1995)"); // 1998 has one too
    assert_eq!(
        item(&log, "260").title,
        "Star Wars: Episode IV - A New Hope"
    );
}

#[test]
fn ml_1m_in_sasrec_order() {
    let Some(log) = read_as("ml-1m", Format::Ml1m, Order::Sasrec) else {
        return;
    };
    assert_eq!(log.interactions.len(), 999_611);
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for interaction in &log.interactions {
        *counts.entry(interaction.item).or_default() += 1;
    }
    assert_eq!(counts.len(), 3_416);
    assert_eq!(*counts.values().min().unwrap(), 5);
    let path = shared("ml-1m").unwrap().join("sasrec_sequences.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut log_events = events(&log).into_iter();
    let mut lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(' ').collect()).collect();
    // Users appear in the ratings in ascending order of their numbers.
    lines.sort_by_key(|line| line[0].parse::<u32>().unwrap());
    assert_eq!(lines.len(), 6_040);
    for line in lines {
        for key in &line[1..] {
            let (user, item, _) = log_events.next().unwrap();
            assert_eq!((user, item), (line[0], *key));
        }
    }
    assert_eq!(log.skipped.get("not in sasrec_sequences.txt"), Some(&419)); // 1,000,030 − 999,611
}

#[test]
fn ml_latest_small() {
    let Some(log) = read_as("ml-latest-small", Format::MlLatest, Order::Source) else {
        return;
    };
    assert_eq!(log.interactions.len(), 100_836);
    assert_eq!(log.users.len(), 610);
    assert_eq!(log.items.len(), 9_742);
    assert!(log.skipped.is_empty(), "{:?}", log.skipped);
    // War of the Worlds and Emma: the known pairs of films with the same title and year.
    assert!(item(&log, "34048").title.ends_with("(2005) #34048"));
}

#[test]
fn amazon_video_games() {
    let Some(log) = read_as("amazon-video-games-2018", Format::Csv, Order::Source) else {
        return;
    };
    assert_eq!(log.interactions.len(), 453_637);
    assert_eq!(log.users.len(), 50_597);
    assert_eq!(log.items.len(), 16_874);
    assert!(log.skipped.is_empty(), "{:?}", log.skipped);
    assert!(log.items.iter().all(|item| !item.title.contains("&amp;")));
    let hitman = item(&log, "100");
    assert_eq!(hitman.title, "HITMAN ABSOLUTION (PC)");
    assert_eq!(hitman.attributes[0].value, "PC");
    // A regular expression over the file finds a platform in 10,833 titles, in 10,527 of their first 79 characters.
    let with_platform = log.items.iter().filter(|item| !item.attributes.is_empty());
    assert!((10_500..10_840).contains(&with_platform.count()));
}
