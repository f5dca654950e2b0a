//! What is looked at, and how keys change it.

use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::standing::Pace;
use super::text::clean_line;
use crate::logbook::{Logbook, StageLog, State};
use crate::run::Stage;

/// What the person at the keys has chosen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The stage that was chosen; without a choice the screen follows the run.
    chosen: Option<Stage>,
    /// Samples instead of curves.
    pub(super) samples: bool,
    /// The first metric that is shown.
    pub(super) metric: Window,
    /// The first line of the samples that is shown.
    pub(super) line: Window,
    /// Why the files could not be read just now.
    pub(super) error: Option<String>,
    pub(super) pace: Pace,
}

/// The part of a long list that is in sight.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The first entry in sight.
    pub(super) top: usize,
    row: usize,
    page: usize,
    total: usize,
}

/// Whether to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stay,
    Quit,
}

impl Window {
    /// Room for `page` entries of `total`, `row` side by side; returns those in sight.
    pub(super) fn fit(&mut self, total: usize, row: usize, page: usize) -> std::ops::Range<usize> {
        (self.total, self.row, self.page) = (total, row.max(1), page.max(1));
        self.move_to(self.top);
        self.top..total.min(self.top + self.page)
    }

    /// Whether all of it is in sight.
    pub(super) fn is_whole(&self) -> bool {
        self.total <= self.page
    }

    /// The entries in sight, in words.
    pub(super) fn place(&self) -> String {
        let end = self.total.min(self.top + self.page);
        format!("{}–{end} of {}", self.top + 1, self.total)
    }

    fn move_to(&mut self, top: usize) {
        let row = self.row.max(1);
        let last = self.total.saturating_sub(self.page).div_ceil(row) * row;
        self.top = (top / row * row).min(last);
    }

    fn key(&mut self, key: KeyCode) {
        let step = match key {
            KeyCode::Up | KeyCode::Down => self.row,
            _ => self.page,
        };
        match key {
            KeyCode::Up | KeyCode::PageUp => self.move_to(self.top.saturating_sub(step)),
            KeyCode::Home => self.move_to(0),
            KeyCode::End => self.move_to(self.total),
            _ => self.move_to(self.top + step),
        }
    }
}

impl Screen {
    /// Reads what is new; what cannot be read is said on the screen, and tried again the next time.
    pub(super) fn read(&mut self, book: &mut Logbook) {
        let read = book.read();
        self.error = read.err().map(|error| clean_line(&format!("{error:#}")));
        self.pace.see(book, Instant::now());
    }

    /// The stage that is looked at: the chosen one, else the one at work, else the last that trained.
    pub(super) fn stage<'a>(&self, book: &'a Logbook) -> Option<&'a StageLog> {
        let worth = worth_a_look(book);
        let chosen = worth.iter().find(|log| Some(log.stage) == self.chosen);
        let at_work = || worth.iter().rfind(|log| log.state == State::Working);
        chosen.or_else(at_work).or(worth.last()).copied()
    }

    /// What a key does.
    pub(super) fn key(&mut self, key: KeyEvent, book: &Logbook) -> Answer {
        if key.kind == KeyEventKind::Release {
            return Answer::Stay;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Answer::Quit,
            KeyCode::Char('q') | KeyCode::Esc => return Answer::Quit,
            KeyCode::Char('s') => self.samples = !self.samples,
            KeyCode::Tab | KeyCode::Right => self.turn(book, 1),
            KeyCode::BackTab | KeyCode::Left => self.turn(book, -1),
            KeyCode::Up
            | KeyCode::Down
            | KeyCode::PageUp
            | KeyCode::PageDown
            | KeyCode::Home
            | KeyCode::End => {
                let window = if self.samples {
                    &mut self.line
                } else {
                    &mut self.metric
                };
                window.key(key.code);
            }
            _ => {}
        }
        Answer::Stay
    }

    /// To the stage after or before this one, around the end.
    fn turn(&mut self, book: &Logbook, by: isize) {
        let worth = worth_a_look(book);
        let Some(now) = self.stage(book) else {
            return;
        };
        let place = worth.iter().position(|log| log.stage == now.stage);
        let next = place.map_or(0, |place| place as isize + by);
        let next = next.rem_euclid(worth.len() as isize) as usize;
        self.chosen = Some(worth[next].stage);
        (self.metric.top, self.line.top) = (0, 0);
    }
}

/// The stages that have something to show.
fn worth_a_look(book: &Logbook) -> Vec<&StageLog> {
    let stages = book.stages().iter();
    stages.filter(|log| log.training.steps() > 0).collect()
}
