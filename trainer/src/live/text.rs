//! Texts made fit for a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Stands for what must not reach the terminal.
const REPLACED: char = '\u{fffd}';

/// The text without anything that steers a terminal: control characters, and those that are invisible or turn the
/// direction of writing. Line breaks stay, tabs become spaces.
pub(super) fn clean(text: &str) -> String {
    let fit = |letter: char| match letter {
        '\n' => '\n',
        '\t' => ' ',
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => REPLACED,
        letter if letter.is_control() => REPLACED,
        letter => letter,
    };
    text.replace("\r\n", "\n").chars().map(fit).collect()
}

/// The same on one line.
pub(super) fn clean_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// Rows of at most `width` columns, broken between words where that is possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    text.split('\n')
        .flat_map(|line| wrap_line(line, width.max(1)))
        .collect()
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut row, mut used) = (String::new(), 0);
    for (place, word) in line.split(' ').enumerate() {
        if used > 0 && used + 1 + word.width() > width {
            rows.push(std::mem::take(&mut row));
            used = 0;
        } else if place > 0 && used < width {
            row.push(' ');
            used += 1;
        }
        for letter in word.chars() {
            let wide = letter.width().unwrap_or(0);
            if used > 0 && used + wide > width {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push(letter);
            used += wide;
        }
    }
    rows.push(row);
    rows
}

/// The end of a name, which tells more than its beginning, in at most `width` columns.
pub(super) fn shorten(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let mut used = 1;
    let end = name.chars().rev().take_while(|letter| {
        used += letter.width().unwrap_or(0);
        used <= width
    });
    let mut end: Vec<char> = end.collect();
    end.push('…');
    end.iter().rev().collect()
}

/// A span of time as one says it.
pub(super) fn duration(seconds: f64) -> String {
    if !(0.0..1e9).contains(&seconds) {
        return "a long time".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        ..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let hostile = "a\u{1b}[2J\u{7}b\u{9b}31m\tc\r\nd\r\u{202e}e\u{200b}\0";
        let found = clean(hostile);
        assert_eq!(
            found,
            "a\u{fffd}[2J\u{fffd}b\u{fffd}31m c\nd\u{fffd}\u{fffd}e\u{fffd}\u{fffd}"
        );
        assert_eq!(clean_line("a\nb"), "a b");
        assert_eq!(clean("Amélie 東京 👩 – “ok”"), "Amélie 東京 👩 – “ok”");
    }

    #[test]
    fn rows_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a\n\nabcdefg", 3), ["a", "", "abc", "def", "g"]);
        assert_eq!(wrap("東京東京", 5), ["東京", "東京"]);
        assert_eq!(
            wrap("東京", 1),
            ["東", "京"],
            "what fits nowhere stands alone"
        );
        assert_eq!(wrap("", 0), [""]);
        let rows = wrap("  indented words   here", 6);
        assert!(rows.iter().all(|row| row.width() <= 6), "{rows:?}");
    }

    #[test]
    fn names_keep_their_ends() {
        assert_eq!(
            shorten("completions/mean_length", 23),
            "completions/mean_length"
        );
        assert_eq!(shorten("completions/mean_length", 12), "…mean_length");
        assert_eq!(shorten("kl", 1), "…");
    }

    #[test]
    fn times_read_well() {
        let said = [0.72, 45.4, 219.0, 4_000.0, f64::NAN].map(duration);
        assert_eq!(
            said,
            ["0.7 s", "45 s", "3 min 39 s", "1 h 06 min", "a long time"]
        );
        assert_eq!(duration(59.7), "1 min 00 s");
    }
}
