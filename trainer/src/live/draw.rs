//! The screen: how the run stands, curves or samples, and the keys.

use std::time::SystemTime;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize as _;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::grid::Grid;
use super::screen::Screen;
use super::standing::standing;
use super::text::{clean_line, duration, wrap};
use super::{curve, samples};
use crate::grpo::LOSS_NEAR_ZERO;
use crate::logbook::{Logbook, StageLog, State};

/// Rows from which there is room for more than the least.
const TALL: u16 = 20;

pub(super) fn draw(frame: &mut Frame, book: &Logbook, screen: &mut Screen) {
    let area = frame.area();
    let log = screen.stage(book);
    let mut head = heading(book, screen, log, area);
    head.truncate(usize::from(area.height.div_ceil(2)));
    let [top, body, bottom] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Fill(1),
        Constraint::Length(u16::from(area.height > 3)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    match log {
        None => frame.render_widget("No stage has trained yet.", body),
        Some(log) if screen.samples => draw_samples(frame, body, log, screen),
        Some(log) => draw_curves(frame, body, log, screen),
    }
    frame.render_widget(footer(screen, log, area.width), bottom);
}

/// The run, its stages, and how far the stage that is looked at is.
fn heading(
    book: &Logbook,
    screen: &Screen,
    log: Option<&StageLog>,
    area: Rect,
) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let mut rows = Vec::new();
    let name = Span::from(clean_line(&book.name())).bold();
    let done = book.stages().iter().filter_map(seconds);
    let (count, sum) = done.fold((0, 0.0), |(count, sum), one| (count + 1, sum + one));
    let title = vec![
        name,
        format!("{count} of {} stages done", book.stages().len()).into(),
        duration(sum).into(),
    ];
    if area.height >= TALL {
        rows.extend(flow(title, " · ", width));
    }
    // With times if that fits in a row.
    let mut shown = flow(stages(book, log, true), "  ", width);
    if shown.len() > 1 {
        shown = flow(stages(book, log, false), " ", width);
    }
    rows.extend(shown);
    // A stage without curves may be at work while those of another are looked at.
    let at_work = book.stages().iter().filter(|other| {
        let is_other = log.is_none_or(|log| log.stage != other.stage);
        area.height >= TALL && is_other && other.state == State::Working
    });
    // What is wrong matters more than any curve; the newest has room for itself.
    if let Some((step, text)) = log.and_then(|log| log.warnings.all().last()) {
        let text = clean_line(&format!("from step {step}: {text}"));
        let warning = wrap(&text, width).into_iter();
        rows.extend(warning.map(|row| Line::from(row.red())));
    }
    for log in log.into_iter().chain(at_work) {
        let pace = screen.pace.seconds(log.stage);
        let mut pieces = vec![Span::from(log.stage.name()).bold()];
        let said = standing(log, pace, SystemTime::now());
        pieces.extend(said.into_iter().map(Span::from));
        rows.extend(flow(pieces, " · ", width));
    }
    rows
}

fn seconds(log: &StageLog) -> Option<f64> {
    match &log.state {
        State::Done(record) => Some(record.seconds),
        State::Waiting | State::Working => None,
    }
}

/// A mark and a name per stage, with the seconds of finished ones where there is room.
fn stages(book: &Logbook, looked_at: Option<&StageLog>, times: bool) -> Vec<Span<'static>> {
    let piece = |log: &StageLog| {
        let name = log.stage.name();
        let piece = match &log.state {
            State::Done(record) if times => {
                Span::from(format!("✓ {name} {}", duration(record.seconds))).green()
            }
            State::Done(_) => Span::from(format!("✓ {name}")).green(),
            State::Working => Span::from(format!("▶ {name}")).yellow().bold(),
            State::Waiting => Span::from(format!("· {name}")).dark_gray(),
        };
        if looked_at.is_some_and(|looked_at| looked_at.stage == log.stage) {
            piece.underlined()
        } else {
            piece
        }
    };
    book.stages().iter().map(piece).collect()
}

fn draw_curves(frame: &mut Frame, mut area: Rect, log: &StageLog, screen: &mut Screen) {
    let names = log.training.names();
    let mut in_sight = |area: Rect| {
        let grid = Grid::fitting(area, names.len());
        let columns = usize::from(grid.columns);
        (grid, screen.metric.fit(names.len(), columns, grid.len()))
    };
    let (mut grid, mut shown) = in_sight(area);
    if log.training.by_rewards() && names[shown.clone()].contains(&"loss") {
        let note = wrap(LOSS_NEAR_ZERO, usize::from(area.width));
        let height = note.len() as u16;
        // On the smallest screens the curve itself matters more.
        if area.height >= height + 3 {
            let rows = [Constraint::Length(height), Constraint::Fill(1)];
            let [above, rest] = Layout::vertical(rows).areas(area);
            let note: Vec<Line> = note
                .into_iter()
                .map(|row| Line::from(row.italic()))
                .collect();
            frame.render_widget(Paragraph::new(note), above);
            area = rest;
            (grid, shown) = in_sight(area);
        }
    }
    for (name, cell) in names[shown].iter().zip(grid.cells(area)) {
        curve::draw(frame, cell, name, log.training.values(name));
    }
}

fn draw_samples(frame: &mut Frame, area: Rect, log: &StageLog, screen: &mut Screen) {
    let rows = samples::rows(log, area.width);
    let height = usize::from(area.height);
    let shown = screen.line.fit(rows.len(), 1, height);
    frame.render_widget(Paragraph::new(rows[shown].to_vec()), area);
}

/// What the keys do, or what went wrong.
fn footer(screen: &Screen, log: Option<&StageLog>, width: u16) -> Line<'static> {
    if let Some(error) = &screen.error {
        return Line::from(error.clone().red());
    }
    let window = if screen.samples {
        &screen.line
    } else {
        &screen.metric
    };
    let gap = if width < 60 { " " } else { "  " };
    let mut keys = vec!["q".bold(), " quit".into()];
    let mut key = |name: &'static str, does: String| {
        keys.extend([gap.into(), name.bold(), Span::from(format!(" {does}"))]);
    };
    if log.is_some() {
        let other = if screen.samples { "curves" } else { "samples" };
        key("s", other.to_owned());
        key("Tab", "stage".to_owned());
        if !window.is_whole() {
            key("↑↓", window.place());
        }
    }
    Line::from(keys)
}

/// Pieces side by side, over as many rows as they need.
pub(super) fn flow(
    pieces: Vec<Span<'static>>,
    between: &'static str,
    width: usize,
) -> Vec<Line<'static>> {
    let gap = Span::from(between).width();
    let mut rows: Vec<Line> = Vec::new();
    let mut used = 0;
    for piece in pieces {
        let wide = piece.width();
        match rows.last_mut() {
            Some(row) if used + gap + wide <= width => {
                row.push_span(between);
                row.push_span(piece);
                used += gap + wide;
            }
            _ => {
                rows.push(Line::from(piece));
                used = wide;
            }
        }
    }
    rows
}
