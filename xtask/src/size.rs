//! How large the built page is, as stored and as a web server sends it (gzip).

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

/// One file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the page's folder.
    pub name: String,
    /// Bytes as stored.
    pub raw: u64,
    /// Bytes after gzip at its usual level.
    pub gzip: u64,
}

/// Measures every file below a folder, largest first.
pub fn measure(folder: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    collect(folder, folder, &mut entries)
        .with_context(|| format!("cannot measure {}", folder.display()))?;
    entries.sort_by(|a, b| b.gzip.cmp(&a.gzip).then_with(|| a.name.cmp(&b.name)));
    Ok(entries)
}

fn collect(root: &Path, folder: &Path, entries: &mut Vec<Entry>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, entries)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let mut encoder = GzEncoder::new(Counter(0), Compression::default());
        encoder.write_all(&bytes)?;
        entries.push(Entry {
            name: path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string(),
            raw: bytes.len() as u64,
            gzip: encoder.finish()?.0,
        });
    }
    Ok(())
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the files of one folder of the page (`artefact/`) take after gzip, in bytes.
pub fn within(entries: &[Entry], folder: &str) -> u64 {
    let inside = |entry: &&Entry| entry.name.starts_with(folder);
    entries.iter().filter(inside).map(|entry| entry.gzip).sum()
}

/// A table of the `shown` largest files, what the others add, and the total.
pub fn report(entries: &[Entry], shown: usize) -> String {
    let mut text = format!("{:>10}  {:>10}  file\n", "raw", "gzip");
    let mut row = |raw: u64, gzip: u64, name: &str| {
        text.push_str(&format!("{:>10}  {:>10}  {name}\n", size(raw), size(gzip)));
    };
    let sum = |entries: &[Entry]| {
        entries.iter().fold((0, 0), |(raw, gzip), entry| {
            (raw + entry.raw, gzip + entry.gzip)
        })
    };
    let (first, others) = entries.split_at(shown.min(entries.len()));
    for entry in first {
        row(entry.raw, entry.gzip, &entry.name);
    }
    if !others.is_empty() {
        let (raw, gzip) = sum(others);
        row(raw, gzip, &format!("{} more files", others.len()));
    }
    let (raw, gzip) = sum(entries);
    row(raw, gzip, "total");
    text
}

/// Bytes for people, in decimal units as networks count: `812 B`, `3.6 kB`, `24.1 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(812), "812 B");
        assert_eq!(size(3_640), "3.6 kB");
        assert_eq!(size(24_100_000), "24.1 MB");
    }

    #[test]
    fn files_are_measured_raw_and_compressed() {
        let folder = std::env::temp_dir().join(format!("curec-size-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).expect("made");
        std::fs::write(folder.join("a.txt"), "x".repeat(100_000)).expect("written");
        std::fs::write(folder.join("sub/b.txt"), "short").expect("written");
        let entries = measure(&folder).expect("measured");
        assert_eq!(entries[0].name, "a.txt");
        assert_eq!(entries[0].raw, 100_000);
        // `head -c 100000 /dev/zero | tr '\0' x | gzip -6n | wc -c` gives 133.
        assert!((100..200).contains(&entries[0].gzip), "{}", entries[0].gzip);
        assert_eq!((entries[1].name.as_str(), entries[1].raw), ("sub/b.txt", 5));
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn the_report_names_the_largest_and_sums_the_rest() {
        let entry = |name: &str, raw, gzip| Entry {
            name: name.into(),
            raw,
            gzip,
        };
        let entries = [
            entry("a", 3_000, 2_000),
            entry("artefact/b", 500, 400),
            entry("artefact/c", 50, 40),
        ];
        assert_eq!(within(&entries, "artefact/"), 440);
        let text = report(&entries, 1);
        assert!(text.contains("550 B       440 B  2 more files"), "{text}");
        assert!(text.contains("3.5 kB      2.4 kB  total"), "{text}");
    }
}
