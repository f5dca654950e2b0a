//! The newest completions with what they earned.

use ratatui::style::{Style, Stylize as _};
use ratatui::text::{Line, Span};

use super::text::{clean, clean_line, wrap};
use crate::logbook::{Sample, StageLog, number};

/// Rows of the prompt's end.
const PROMPT: usize = 8;

/// All rows of the newest samples of a stage.
pub(super) fn rows(log: &StageLog, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let samples = log.newest_samples();
    let Some(first) = samples.first() else {
        let said = format!("{} writes no samples down.", log.stage.name());
        return vec![Line::from(said)];
    };
    let mut rows = Vec::new();
    let about = clean_line(&first.about);
    let place = if first.prompt.is_empty() {
        format!("Interaction {}", first.step + 1)
    } else {
        format!("Step {}", first.step + 1)
    };
    for row in wrap(&format!("{place}: {about}"), width) {
        rows.push(Line::from(row.bold()));
    }
    rows.extend(prompt(&first.prompt, width));
    for (place, sample) in samples.iter().enumerate() {
        rows.push(Line::default());
        rows.extend(earned(place + 1, samples.len(), sample, width));
        let completion = clean(sample.completion.trim_end());
        rows.extend(wrap(&completion, width).into_iter().map(Line::from));
    }
    rows
}

fn prompt(text: &str, width: usize) -> Vec<Line<'static>> {
    if text.is_empty() {
        return Vec::new();
    }
    let all = wrap(&clean(text.trim_end()), width);
    let end = &all[all.len().saturating_sub(PROMPT)..];
    let cut = (end.len() < all.len()).then_some("…");
    let rows = cut.into_iter().chain(end.iter().map(String::as_str));
    rows.map(|row| Line::from(row.to_owned().dark_gray()))
        .collect()
}

/// Every reward and the advantage, over as many rows as they need.
fn earned(place: usize, of: usize, sample: &Sample, width: usize) -> Vec<Line<'static>> {
    let mut pieces = vec![Span::from(format!("{place}/{of}")).cyan().bold()];
    for (name, value) in &sample.numbers {
        let text = format!("{} {}", clean_line(name), number(*value));
        let style = match name.as_str() {
            "advantage" if *value > 0.0 => Style::new().green(),
            "advantage" if *value < 0.0 => Style::new().red(),
            _ => Style::new(),
        };
        pieces.push(Span::styled(text, style));
    }
    super::draw::flow(pieces, "  ", width)
}
