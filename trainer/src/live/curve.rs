//! One curve: its name and last value above, its smallest and largest value beside it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType};

use super::text::{clean_line, shorten};
use crate::logbook::{number, thinned};

/// Values further out are drawn at this one, so that no sum or difference is infinite.
const FAR: f64 = 1e300;

/// Smallest and largest value.
pub(super) fn limits(values: &[(f64, f64)]) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    values
        .iter()
        .fold(start, |(low, high), (_, y)| (low.min(*y), high.max(*y)))
}

/// Draws a curve; nothing where there is no value.
pub(super) fn draw(frame: &mut Frame, area: Rect, name: &str, values: &[(f64, f64)]) {
    let Some(last) = values.last() else {
        return;
    };
    let (low, high) = limits(values);
    let value = format!(" {} ", number(last.1));
    let room = usize::from(area.width).saturating_sub(value.len() + 4);
    let name = format!(" {} ", shorten(&clean_line(name), room));
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(Style::new().dark_gray())
        .title_top(Line::from(name).style(Style::reset()))
        .title_top(Line::from(value.reset().bold()).right_aligned());

    let near = values.iter().map(|(x, y)| (*x, y.clamp(-FAR, FAR)));
    let near: Vec<(f64, f64)> = near.collect();
    // A dot of braille is half a column.
    let shown = thinned(&near, 2 * usize::from(area.width));
    let set = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(Style::new().fg(Color::Cyan))
        .data(&shown);
    let (below, above) = frame_of(low.clamp(-FAR, FAR), high.clamp(-FAR, FAR));
    let sides = [shown[0].0, shown[shown.len() - 1].0];
    let chart = Chart::new(vec![set])
        .block(block)
        .x_axis(Axis::default().bounds(widened(sides)))
        .y_axis(
            Axis::default()
                .bounds([below, above])
                .labels(labels(low, high))
                .style(Style::new().dark_gray()),
        );
    frame.render_widget(chart, area);
}

/// Bounds of the vertical axis; a curve without a rise lies in the middle.
fn frame_of(low: f64, high: f64) -> (f64, f64) {
    if is_flat(low, high) {
        let around = 1.0 + low.abs() * 0.1;
        (low - around, high + around)
    } else {
        (low, high)
    }
}

fn is_flat(low: f64, high: f64) -> bool {
    high - low <= 1e-12 * high.abs().max(low.abs())
}

/// A single point has no width.
fn widened([left, right]: [f64; 2]) -> [f64; 2] {
    if right > left {
        [left, right]
    } else {
        [left - 1.0, right + 1.0]
    }
}

/// Beside the axis from below, all of one width so that axes stand under each other.
fn labels(low: f64, high: f64) -> Vec<String> {
    let padded = |value: f64| format!("{:>8}", number(value));
    if is_flat(low, high) {
        vec![String::new(), padded(low), String::new()]
    } else {
        vec![padded(low), padded(high)]
    }
}
