//! Reads how many tests passed and failed from what the test runners print.

/// Tests that passed and failed (skipped ones are neither).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ended well.
    pub passed: u64,
    /// Failed, timed out, crashed, or were never finished.
    pub failed: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Which runner's output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`, one summary per test binary.
    CargoTest,
    /// `node --test` with the spec or the TAP reporter.
    Node,
}

impl Runner {
    /// The counts of a whole run, or `None` if the output has no summary (nothing compiled, say).
    pub fn counts(self, output: &str) -> Option<Counts> {
        let plain = without_colours(output);
        match self {
            Self::Nextest => nextest(&plain),
            Self::CargoTest => cargo_test(&plain),
            Self::Node => node(&plain),
        }
    }
}

/// `Summary [ 0.5s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`, or `3/5 tests run` after an abort.
fn nextest(text: &str) -> Option<Counts> {
    let line = text
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Summary ["))?;
    let (head, tail) = line
        .split_once(" tests run:")
        .or_else(|| line.split_once(" test run:"))?;
    let mut counts = Counts::default();
    for part in without_parentheses(tail).split(',') {
        let Some((number, what)) = part.trim().split_once(' ') else {
            continue;
        };
        let number: u64 = number.parse().ok()?;
        match what.trim() {
            "passed" => counts.passed += number,
            "skipped" => {}
            _ => counts.failed += number,
        }
    }
    if let Some((run, all)) = head.rsplit(' ').next()?.split_once('/') {
        counts.failed += all.parse::<u64>().ok()? - run.parse::<u64>().ok()?;
    }
    Some(counts)
}

/// `test result: ok. 3 passed; 1 failed; 0 ignored; …`, summed over the test binaries.
fn cargo_test(text: &str) -> Option<Counts> {
    let mut total = None;
    for line in text.lines() {
        let Some((_, rest)) = line.trim().split_once("test result: ") else {
            continue;
        };
        let numbers = rest.split_once(". ")?.1;
        let of = |what: &str| -> Option<u64> {
            let part = numbers
                .split(';')
                .find_map(|part| part.trim().strip_suffix(what))?;
            part.trim().parse().ok()
        };
        *total.get_or_insert_with(Counts::default) += Counts {
            passed: of("passed")?,
            failed: of("failed")?,
        };
    }
    total
}

/// `# pass 3` (TAP) or `ℹ pass 3` (spec); cancelled tests count as failed.
fn node(text: &str) -> Option<Counts> {
    let of = |what: &str| -> Option<u64> {
        text.lines().rev().find_map(|line| {
            let rest = line
                .trim()
                .strip_prefix('#')
                .or_else(|| line.trim().strip_prefix('ℹ'))?;
            rest.trim().strip_prefix(what)?.trim().parse().ok()
        })
    };
    Some(Counts {
        passed: of("pass ")?,
        failed: of("fail ")? + of("cancelled ").unwrap_or(0),
    })
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|&c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// Removes terminal colour sequences (`ESC [ … m`).
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &sequence[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::{Counts, Runner};

    fn counts(passed: u64, failed: u64) -> Option<Counts> {
        Some(Counts { passed, failed })
    }

    #[test]
    fn nextest_all_passed() {
        let text = "        PASS [   0.004s] xtask a::b\n------------\n     Summary [   0.005s] 3 tests run: 3 passed, 0 skipped\n";
        assert_eq!(Runner::Nextest.counts(text), counts(3, 0));
    }

    #[test]
    fn nextest_one_test() {
        let text = "     Summary [   0.005s] 1 test run: 1 passed, 12 skipped";
        assert_eq!(Runner::Nextest.counts(text), counts(1, 0));
    }

    #[test]
    fn nextest_failures_timeouts_and_notes_in_parentheses() {
        let text = "     Summary [  10.005s] 9 tests run: 5 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 1 exec failed, 4 skipped\n        FAIL x\nerror: test run failed";
        assert_eq!(Runner::Nextest.counts(text), counts(5, 4));
    }

    #[test]
    fn nextest_tests_that_never_ran_have_failed() {
        let text = "     Summary [   1.0s] 3/10 tests run: 2 passed, 1 failed, 0 skipped";
        assert_eq!(Runner::Nextest.counts(text), counts(2, 8));
    }

    #[test]
    fn nextest_in_colour() {
        let text = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.005s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m";
        assert_eq!(Runner::Nextest.counts(text), counts(2, 0));
    }

    #[test]
    fn cargo_test_sums_its_binaries() {
        let text = "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        assert_eq!(Runner::CargoTest.counts(text), counts(5, 4));
    }

    #[test]
    fn node_with_either_reporter() {
        let tap =
            "# tests 4\n# suites 0\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n# todo 0\n";
        assert_eq!(Runner::Node.counts(tap), counts(2, 2));
        let spec = "✔ loads (3ms)\nℹ tests 2\nℹ pass 2\nℹ fail 0\nℹ cancelled 0\n";
        assert_eq!(Runner::Node.counts(spec), counts(2, 0));
    }

    #[test]
    fn no_summary_is_no_count() {
        for runner in [Runner::Nextest, Runner::CargoTest, Runner::Node] {
            assert_eq!(runner.counts("error: could not compile `x`"), None);
        }
    }
}
