//! Runs one command as a named step: says what it does, how long it took, and what failed.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Announces a step in a form that stands out between the output of the tools.
pub fn announce(name: &str) {
    println!("\n── {name}");
}

/// Runs a command with the terminal's own input and output; an exit code other than 0 is an error.
pub fn run(name: &str, command: &mut Command) -> Result<Duration> {
    announce(name);
    let start = Instant::now();
    let status = status(command)?;
    if !status.success() {
        bail!("{name} failed ({status}): {}", shown(command));
    }
    println!("   {name}: {}", seconds(start.elapsed()));
    Ok(start.elapsed())
}

/// Runs a command to its end with the terminal's own input and output.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))
}

/// Runs a command, copies its output to ours line by line, and hands it back as text (stdout and stderr together).
pub fn run_captured(command: &mut Command) -> Result<(ExitStatus, String)> {
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let text = thread::scope(|scope| {
        let out = scope.spawn(|| tee(out, std::io::stdout()));
        let err = scope.spawn(|| tee(err, std::io::stderr()));
        let mut text = out.join().unwrap_or_default();
        text.push('\n');
        text.push_str(&err.join().unwrap_or_default());
        text
    });
    let status = child.wait().context("cannot wait for the command")?;
    Ok((status, text))
}

fn tee(from: Option<impl Read>, mut to: impl Write) -> String {
    let mut text = String::new();
    let Some(from) = from else { return text };
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
        // A closed terminal must not end the tests: what cannot be shown is still counted.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        text.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    text
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 05 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(12)), "12 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn captured_output_has_both_streams_and_the_exit_code() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let (status, text) = run_captured(&mut command).expect("sh runs");
        assert_eq!(status.code(), Some(3));
        assert!(text.contains("one\n") && text.contains("two\n"), "{text}");
    }

    #[test]
    fn a_failing_step_names_the_command() {
        let error = run("try", Command::new("sh").args(["-c", "exit 4"])).expect_err("it fails");
        assert!(error.to_string().contains("sh -c exit 4"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run("try", &mut Command::new("no-such-program-here")).expect_err("it fails");
        assert!(error.to_string().contains("no-such-program-here"));
    }
}
