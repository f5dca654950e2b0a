//! Progress bars on a terminal, a line now and then elsewhere; Ctrl-C asks the current stage to stop cleanly.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

static STOP: AtomicBool = AtomicBool::new(false);

/// Raised by Ctrl-C.
pub fn stop_flag() -> &'static AtomicBool {
    &STOP
}

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Installs the Ctrl-C handler once: the first press stops cleanly, the second at once.
pub fn on_interrupt() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let handler = || {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("\nstopping after the current step; press Ctrl-C again to stop at once");
        };
        // Without a handler Ctrl-C still ends the process; unfinished stages stay invisible either way.
        let _ = ctrlc::set_handler(handler);
    });
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// No bars and no lines about the work; results and warnings are still printed.
    pub quiet: bool,
}

/// One bar.
pub struct Bar {
    bar: ProgressBar,
    title: String,
    plain: bool,
    last: Instant,
}

impl Progress {
    /// A bar of `length` steps.
    pub fn bar(&self, title: &str, length: u64) -> Bar {
        let bar = ProgressBar::new(length);
        let hidden = bar.is_hidden();
        let style = ProgressStyle::with_template(
            "{prefix:>22} {bar:32} {pos}/{len}  {elapsed} + {eta}  {msg}",
        );
        if self.quiet || hidden {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_owned());
        Bar {
            bar,
            title: title.to_owned(),
            plain: hidden && !self.quiet,
            last: Instant::now(),
        }
    }

    /// A line about the work.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// A result or a warning: printed in any case.
    pub fn tell(&self, text: &str) {
        eprintln!("{text}");
    }
}

impl Bar {
    /// Moves to `position` and shows `message` behind the bar.
    pub fn set(&mut self, position: u64, message: impl Into<String>) {
        let message = message.into();
        self.bar.set_position(position);
        self.bar.set_message(message.clone());
        if self.plain && self.last.elapsed() > Duration::from_secs(15) {
            self.last = Instant::now();
            let length = self.bar.length().unwrap_or(0);
            eprintln!("{:>22} {position}/{length}  {message}", self.title);
        }
    }

    /// Leaves the bar as a line.
    pub fn finish(self, message: impl Into<String>) {
        let message = message.into();
        if self.plain {
            eprintln!(
                "{:>22} done in {:.1} s  {message}",
                self.title,
                self.bar.elapsed().as_secs_f64()
            );
        }
        self.bar.finish_with_message(message);
    }
}
