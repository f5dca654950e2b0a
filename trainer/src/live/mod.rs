//! `curec watch`: a run in the terminal, with curves that grow while another process trains.
//!
//! It reads the run directory through [`crate::logbook`] twice a second and writes nothing. What it shows of files goes
//! through [`text::clean`] first: texts of a language model may hold anything.

mod curve;
mod draw;
mod grid;
mod plain;
mod samples;
mod screen;
mod standing;
mod text;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use crate::logbook::Logbook;
use crate::run::RunDirectory;
use screen::{Answer, Screen};

/// Time between two looks at the files.
const PERIOD: Duration = Duration::from_millis(500);

/// Follows a run until a key quits, or prints how it stands if `once` or without a terminal.
///
/// # Errors
/// The terminal cannot be used; a file cannot be read while a snapshot is made (on a terminal it says so and goes on).
pub fn watch(run: &RunDirectory, once: bool) -> Result<()> {
    let mut book = Logbook::new(run);
    if once || !std::io::stdout().is_terminal() {
        book.read()?;
        print!("{}", plain::snapshot(&book));
        return Ok(());
    }
    let ended = told_to_end()?;
    let cannot = "cannot use this terminal; `curec watch --once` prints a snapshot instead";
    // Dropped after `terminal`.
    let _restored = Restored;
    let mut terminal = ratatui::try_init().context(cannot)?;
    follow(&mut terminal, &mut book, &ended).context(cannot)
}

fn follow(
    terminal: &mut DefaultTerminal,
    book: &mut Logbook,
    ended: &AtomicBool,
) -> std::io::Result<()> {
    let mut screen = Screen::default();
    let mut next = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            screen.read(book);
            next = Instant::now() + PERIOD;
        }
        terminal.draw(|frame| draw::draw(frame, book, &mut screen))?;
        if event::poll(next.saturating_duration_since(Instant::now()))?
            && let Event::Key(key) = event::read()?
            && screen.key(key, book) == Answer::Quit
        {
            break;
        }
    }
    Ok(())
}

/// Puts the terminal back in order when it goes. After a panic that has been done: ratatui's hook does it before the
/// message is printed, and a second time would write the prompt over it.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            ratatui::restore();
        }
    }
}

/// A flag that is raised when the system asks the process to end.
#[cfg(unix)]
fn told_to_end() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, ended.clone())?;
    }
    Ok(ended)
}

#[cfg(not(unix))]
fn told_to_end() -> Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}

#[cfg(test)]
mod tests;
