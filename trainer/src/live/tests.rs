//! The screen at many sizes, with texts that would like to steer a terminal.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::draw;
use super::plain::snapshot;
use super::screen::{Answer, Screen};
use super::standing::{Pace, standing};
use crate::grpo::LOSS_NEAR_ZERO;
use crate::logbook::Logbook;
use crate::run::{RunDirectory, Stage, StageRecord, write_json};

/// What a hostile model might write: a clearing of the screen, a title, a bell, C1, a turn of direction.
const HOSTILE: &str = "evil \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r end";
const SIZES: [(u16, u16); 8] = [
    (1, 1),
    (3, 40),
    (200, 2),
    (12, 5),
    (40, 12),
    (80, 24),
    (160, 50),
    (200, 60),
];

/// A run whose warm-up has finished and whose alignment is under way.
fn run(folder: &Path) -> Logbook {
    let run = RunDirectory::create(folder).unwrap();
    std::fs::write(
        folder.join("run.toml"),
        "[warmup]\nsteps = 3\n[pretrain]\nsteps = 150\n[correct]\ninteractions = 8\n",
    )
    .unwrap();
    let warmup = run.stage(Stage::Warmup);
    std::fs::create_dir(&warmup).unwrap();
    let lines = "{\"step\":0,\"loss\":7.5}\n{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":2.25}\n";
    std::fs::write(warmup.join("metrics.jsonl"), lines).unwrap();
    let record = StageRecord {
        stage: Stage::Warmup,
        fingerprint: String::new(),
        seconds: 219.0,
        peak_memory_mib: None,
        version: String::new(),
        commit: None,
    };
    write_json(&warmup.join("stage.json"), &record).unwrap();
    let pretrain = run.working(Stage::Pretrain);
    std::fs::create_dir(&pretrain).unwrap();
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    let (mut metrics, mut timing, mut samples) = (String::new(), String::new(), String::new());
    for step in 0..50 {
        let reward = 0.125 + 0.01 * f64::from(step % 25);
        metrics += &format!(
            "{{\"step\":{step},\"reward\":{reward},\"loss\":0.0,\"rewards/legal/mean\":0.5,\"entropy\":1e308,\"kl\":{},\"low\":-1e308,{hostile}:1",
            if step == 20 { "1e308" } else { "-1e308" }
        );
        for more in 0..20 {
            metrics += &format!(",\"metric/{more:02}\":{more}");
        }
        metrics += "}\n";
        timing += &format!("{{\"step\":{step},\"step_time\":1.5}}\n");
        for place in 0..3 {
            samples += &format!(
                "{{\"step\":{step},\"prompt\":{hostile},\"completion\":{hostile},\"about\":{{\"truth\":{hostile}}},\"reward\":1.5,\"rewards\":{{\"legal\":1.0}},\"advantage\":{}}}\n",
                place - 1
            );
        }
    }
    for (name, text) in [
        ("metrics.jsonl", metrics),
        ("timing.jsonl", timing),
        ("samples.jsonl", samples),
    ] {
        std::fs::write(pretrain.join(name), text).unwrap();
    }
    let mut book = Logbook::new(&run);
    book.read().unwrap();
    book
}

/// The screen as text, one line a row.
fn shown(book: &Logbook, screen: &mut Screen, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, book, screen)).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().iter().map(|cell| cell.symbol());
    let cells: Vec<&str> = cells.collect();
    let rows = cells.chunks(usize::from(width)).map(<[&str]>::concat);
    let text = rows.collect::<Vec<_>>().join("\n");
    let steers = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
    text
}

fn press(screen: &mut Screen, book: &Logbook, key: KeyCode) -> Answer {
    screen.key(KeyEvent::new(key, KeyModifiers::NONE), book)
}

fn dots(text: &str) -> usize {
    let braille = |letter: &char| ('\u{2801}'..='\u{28ff}').contains(letter);
    text.chars().filter(braille).count()
}

#[test]
fn every_size_can_be_drawn_curves_and_samples() {
    let folder = tempfile::tempdir().unwrap();
    let book = run(folder.path());
    let mut screen = Screen::default();
    for size in SIZES {
        for _ in 0..2 {
            let text = shown(&book, &mut screen, size);
            if size.0 >= 40 && size.1 >= 12 {
                let curves = if screen.samples { 0 } else { 15 };
                assert!(dots(&text) >= curves, "{text}");
                assert!(text.contains("▶ pretrain"), "{text}");
            }
            // Pages far out, on the way from a large screen to a small one.
            press(&mut screen, &book, KeyCode::End);
            press(&mut screen, &book, KeyCode::Char('s'));
        }
    }
    for size in SIZES.into_iter().rev() {
        shown(&book, &mut screen, size);
    }
}

#[test]
fn the_screen_says_how_far_the_run_is_and_what_the_values_are() {
    let folder = tempfile::tempdir().unwrap();
    let book = run(folder.path());
    let text = shown(&book, &mut Screen::default(), (80, 24));
    for words in [
        "1 of 8 stages done · 3 min 39 s",
        "· data ✓ warmup ▶ pretrain",
        "▶ pretrain",
        "step 50 of 150",
        "1.5 s a step",
        // A hundred steps of a second and a half.
        "about 2 min 30 s left",
        " reward ─",
        // The last of 0.125 … 0.365, which is also the largest.
        " 0.365 ",
        "0.125│",
        "rewards/legal/mean",
        "↑↓ 1–6 of 28",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let words = LOSS_NEAR_ZERO.split(' ').collect::<Vec<_>>();
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(&words.join(" ")), "{text}");
    let large = shown(&book, &mut Screen::default(), (200, 60));
    assert!(
        !large.contains("↑↓")
            && large.contains("✓ warmup 3 min 39 s")
            && large.contains("metric/19"),
        "{large}"
    );
}

#[test]
fn keys_turn_stages_and_pages_and_quit() {
    let folder = tempfile::tempdir().unwrap();
    let book = run(folder.path());
    let mut screen = Screen::default();
    let look = |screen: &mut Screen| shown(&book, screen, (80, 24));
    look(&mut screen);
    press(&mut screen, &book, KeyCode::PageDown);
    assert!(look(&mut screen).contains("↑↓ 7–14 of 28"));
    press(&mut screen, &book, KeyCode::Up);
    assert!(look(&mut screen).contains("↑↓ 5–12 of 28"));
    press(&mut screen, &book, KeyCode::End);
    press(&mut screen, &book, KeyCode::PageDown);
    assert!(look(&mut screen).contains("↑↓ 21–28 of 28"));
    press(&mut screen, &book, KeyCode::Tab);
    let text = look(&mut screen);
    assert!(
        text.contains("warmup · done in 3 min 39 s · 3 steps"),
        "{text}"
    );
    assert!(text.contains("loss") && text.contains("2.250") && !text.contains("rewards/"));
    assert!(!text.contains("GRPO"), "the loss of a warm-up does fall");
    press(&mut screen, &book, KeyCode::Char('s'));
    assert!(look(&mut screen).contains("warmup writes no samples down"));
    press(&mut screen, &book, KeyCode::Left);
    let text = look(&mut screen);
    for words in [
        "Step 50",
        "1/3",
        "legal 1.000",
        "advantage -1.000",
        "evil",
        " end",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert_eq!(press(&mut screen, &book, KeyCode::Char('x')), Answer::Stay);
    for key in [KeyCode::Esc, KeyCode::Char('q')] {
        assert_eq!(press(&mut screen, &book, key), Answer::Quit);
    }
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.key(interrupt, &book), Answer::Quit);
    assert_eq!(press(&mut screen, &book, KeyCode::Char('c')), Answer::Stay);
}

#[test]
fn a_run_that_has_not_begun_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Logbook::new(&RunDirectory::create(folder.path()).unwrap());
    let mut screen = Screen::default();
    screen.read(&mut book);
    press(&mut screen, &book, KeyCode::Tab);
    press(&mut screen, &book, KeyCode::Down);
    let text = shown(&book, &mut screen, (80, 24));
    assert!(text.contains("No stage has trained yet") && text.contains("· data"));
    assert!(snapshot(&book).contains("  data      waiting\n"));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = run(folder.path());
    let damaged = folder.path().join("warmup/metrics.jsonl");
    std::fs::write(damaged, "{\"step\":0,\"loss\":7.5}\nnot JSON\n").unwrap();
    let mut screen = Screen::default();
    screen.read(&mut book);
    let text = shown(&book, &mut screen, (200, 60));
    assert!(
        text.contains("line 2") && text.contains("step 50 of 150"),
        "{text}"
    );
}

#[test]
fn a_snapshot_has_the_last_values_and_nothing_that_steers() {
    let folder = tempfile::tempdir().unwrap();
    let text = snapshot(&run(folder.path()));
    for words in [
        "  warmup    done in 3 min 39 s, 3 steps\n",
        "  pretrain  step 50 of 150, 1.5 s a step, about 2 min 30 s left\n",
        "  export    waiting\n",
        LOSS_NEAR_ZERO,
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let row = |name: &str| -> Vec<String> {
        let mut lines = text.lines().skip_while(|line| !line.starts_with(name));
        let loss = lines.find(|line| line.trim_start().starts_with("loss "));
        let words = loss.unwrap().split_whitespace().map(str::to_owned);
        words.collect()
    };
    assert_eq!(row("warmup "), ["loss", "2.250", "2.250", "7.500"]);
    assert_eq!(row("pretrain "), ["loss", "0", "0", "0"]);
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'));
}

#[test]
fn silence_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let book = run(folder.path());
    let log = book.stage(Stage::Pretrain).unwrap();
    let said = |seconds: u64| {
        let later = SystemTime::now() + Duration::from_secs(seconds);
        standing(log, None, later).join(", ")
    };
    assert!(!said(10).contains("nothing written"));
    assert!(
        said(300).contains("nothing written for 5 min"),
        "{}",
        said(300)
    );
}

#[test]
fn the_pace_is_that_which_was_seen_and_starts_anew_with_a_run_that_was_cut_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = run(folder.path());
    let metrics = folder.path().join(".work-pretrain/metrics.jsonl");
    let start = Instant::now();
    let mut pace = Pace::default();
    let mut see = |seconds: u64, steps: u64| {
        let lines: String = (0..steps)
            .map(|step| format!("{{\"step\":{step},\"reward\":0}}\n"))
            .collect();
        std::fs::write(&metrics, lines).unwrap();
        book.read().unwrap();
        pace.see(&book, start + Duration::from_secs(seconds));
        pace.seconds(Stage::Pretrain)
    };
    // When the steps before the first look were done nobody knows.
    let found = [(0, 50), (7, 51), (9, 51), (10, 52), (15, 55)].map(|(at, steps)| see(at, steps));
    // Eight seconds for the last four steps.
    assert_eq!(found, [None, None, None, None, Some(2.0)]);
    assert_eq!(see(20, 30), None);
    assert_eq!(pace.seconds(Stage::Warmup), None);
}
