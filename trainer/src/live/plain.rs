//! How a run stands, as plain text: for scripts, logs, and screens without a terminal.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::curve::limits;
use super::standing::standing;
use super::text::clean_line;
use crate::grpo::LOSS_NEAR_ZERO;
use crate::logbook::{Logbook, StageLog, number};

/// All stages, and the last, smallest and largest value of every metric.
pub(super) fn snapshot(book: &Logbook) -> String {
    let mut text = format!("{}\n", clean_line(&book.name()));
    for log in book.stages() {
        let said = standing(log, None, SystemTime::now()).join(", ");
        let _ = writeln!(text, "  {:<9} {said}", log.stage.name());
    }
    for log in book.stages().iter().filter(|log| log.training.steps() > 0) {
        text += &metrics(log);
    }
    text
}

fn metrics(log: &StageLog) -> String {
    let names = log.training.names();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = format!(
        "\n{:<width$}  {:>10}  {:>10}  {:>10}\n",
        log.stage.name(),
        "last",
        "smallest",
        "largest",
        width = width + 2
    );
    for name in names {
        let values = log.training.values(name);
        let (low, high) = limits(values);
        let last = values.last().map_or(f64::NAN, |(_, value)| *value);
        let [last, low, high] = [last, low, high].map(number);
        let name = clean_line(name);
        let _ = writeln!(text, "  {name:<width$}  {last:>10}  {low:>10}  {high:>10}");
    }
    if log.training.by_rewards() {
        let _ = writeln!(text, "{LOSS_NEAR_ZERO}");
    }
    text
}
