//! How large the built page is, by group: as stored, and as a web server sends it by gzip and by brotli. The code's sizes are recorded in
//! `size.json` beside this crate; a group that has grown by more than two per cent fails, until somebody records that on purpose.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::build_list::{LANGUAGE_MODEL, WRITER, files_below, group};
use crate::compress::Encoding;
use crate::dist::BUDGET;
use crate::workspace::Workspace;

/// What a group of code may grow by, in per cent, before somebody has to say so.
const GROWTH_PER_CENT: u64 = 2;
/// Groups of the artefact: they differ from run to run and only have to keep to the limit.
const DATA: [&str; 4] = ["model", "texts", "comparison", LANGUAGE_MODEL];

/// Bytes of a file or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// As stored.
    pub raw: u64,
    /// After gzip, where that is worth it.
    pub gzip: u64,
    /// After brotli, where that is worth it.
    pub brotli: u64,
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        self.raw += other.raw;
        self.gzip += other.gzip;
        self.brotli += other.brotli;
    }
}

/// What the groups of a page take, by name.
pub type Groups = BTreeMap<String, Bytes>;

/// Measures a built page with its compressed files.
pub fn measure(page: &Path) -> Result<Groups> {
    let mut groups = Groups::new();
    for (name, path) in files_below(page)? {
        *groups.entry(group(&name)).or_default() +=
            measure_file(&path).with_context(|| format!("cannot measure {}", path.display()))?;
    }
    Ok(groups)
}

fn measure_file(path: &Path) -> std::io::Result<Bytes> {
    let length = |path: PathBuf| std::fs::metadata(path).map(|metadata| metadata.len());
    let raw = length(path.to_owned())?;
    let sent = |encoding: Encoding| length(encoding.twin(path)).unwrap_or(raw);
    Ok(Bytes {
        raw,
        gzip: sent(Encoding::Gzip),
        brotli: sent(Encoding::Brotli),
    })
}

/// All groups together.
pub fn total(groups: &Groups) -> Bytes {
    groups.values().fold(Bytes::default(), |mut sum, bytes| {
        sum += *bytes;
        sum
    })
}

/// What writes, code and language model: fetched when somebody asks for a text, and held to a limit of its own.
pub fn writer(groups: &Groups) -> Bytes {
    [WRITER, LANGUAGE_MODEL]
        .iter()
        .filter_map(|name| groups.get(*name))
        .fold(Bytes::default(), |mut sum, bytes| {
            sum += *bytes;
            sum
        })
}

/// A table of the groups, code first.
pub fn report(groups: &Groups) -> String {
    let mut text = format!("{:>10}  {:>10}  {:>10}  part\n", "raw", "gzip", "brotli");
    let mut row = |bytes: Bytes, what: &str| {
        let Bytes { raw, gzip, brotli } = bytes;
        text.push_str(&format!(
            "{:>10}  {:>10}  {:>10}  {what}\n",
            size(raw),
            size(gzip),
            size(brotli)
        ));
    };
    let (data, code): (Vec<_>, Vec<_>) = groups
        .iter()
        .partition(|(name, _)| DATA.contains(&name.as_str()));
    for (name, bytes) in code.into_iter().chain(data) {
        row(*bytes, &in_words(name));
    }
    row(total(groups), "total");
    text
}

/// What hosts send of a page without its writer, by the encoding they have, and which of them exceed the limit. `dist` holds what brotli
/// makes of it to that; for the others this is only said.
pub fn by_host(groups: &Groups, limit: u64) -> String {
    let (all, writer) = (total(groups), writer(groups));
    let hosts = [
        (
            "brotli",
            all.brotli - writer.brotli,
            "`cargo xtask serve`, GitLab Pages, most CDNs",
        ),
        (
            "gzip",
            all.gzip - writer.gzip,
            "GitHub Pages, nginx without its brotli module",
        ),
        (
            "nothing",
            all.raw - writer.raw,
            "`python3 -m http.server`, a bucket without a CDN",
        ),
    ];
    let mut text = format!(
        "without the writer, by what a host compresses with, where {} is the limit:\n",
        size(limit)
    );
    for (encoding, bytes, who) in hosts {
        let verdict = if bytes > limit { "EXCEEDS" } else { "within" };
        text.push_str(&format!(
            "{:>10}  {verdict:<7}  {encoding}: {who}\n",
            size(bytes)
        ));
    }
    text
}

fn in_words(group: &str) -> String {
    match group {
        "page" | WRITER => group.to_owned(),
        data if DATA.contains(&data) => format!("artefact: {group}"),
        module => format!("scorer: {module}"),
    }
}

/// Fails where a group of code has grown by more than it may since it was recorded.
pub fn check(workspace: &Workspace, page: &Path) -> Result<()> {
    let groups = measure(page)?;
    println!("{}\n{}", report(&groups), by_host(&groups, BUDGET));
    let file = recorded_in(workspace);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", workspace.show(&file)))?;
    let recorded: Groups = serde_json::from_str(&text)
        .with_context(|| format!("{} is no record of sizes", workspace.show(&file)))?;
    let grown = grown(&recorded, &groups);
    if !grown.is_empty() {
        bail!(
            "{}. If that is what you want, record it: `cargo xtask size --record` writes {}",
            grown.join("; "),
            workspace.show(&file)
        );
    }
    Ok(())
}

/// Records the code's sizes.
pub fn record(workspace: &Workspace, page: &Path) -> Result<()> {
    let mut groups = measure(page)?;
    println!("{}", report(&groups));
    groups.retain(|name, _| !DATA.contains(&name.as_str()));
    let file = recorded_in(workspace);
    let text = serde_json::to_string_pretty(&groups).context("sizes cannot be written")?;
    std::fs::write(&file, text + "\n")
        .with_context(|| format!("cannot write {}", workspace.show(&file)))?;
    println!("recorded in {}", workspace.show(&file));
    Ok(())
}

fn recorded_in(workspace: &Workspace) -> PathBuf {
    workspace.root.join("xtask/size.json")
}

/// A sentence for each group of code that has grown by more than it may, or that nobody has recorded.
fn grown(recorded: &Groups, now: &Groups) -> Vec<String> {
    let code = now
        .iter()
        .filter(|(name, _)| !DATA.contains(&name.as_str()));
    code.filter_map(|(name, bytes)| {
        let (what, sent) = (in_words(name), bytes.brotli);
        let Some(before) = recorded.get(name).map(|bytes| bytes.brotli) else {
            return Some(format!("{what} ({}) has no recorded size", size(sent)));
        };
        let most = before * (100 + GROWTH_PER_CENT) / 100;
        (sent > most).then(|| {
            let growth = (sent as f64 / before as f64 - 1.0) * 100.0;
            format!("{what} has grown by {growth:.1} %, from {before} to {sent} bytes by brotli")
        })
    })
    .collect()
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

    fn groups(entries: &[(&str, u64)]) -> Groups {
        let bytes = |brotli| Bytes {
            raw: brotli * 3,
            gzip: brotli * 2,
            brotli,
        };
        entries
            .iter()
            .map(|(name, brotli)| ((*name).to_owned(), bytes(*brotli)))
            .collect()
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(812), "812 B");
        assert_eq!(size(3_640), "3.6 kB");
        assert_eq!(size(24_100_000), "24.1 MB");
    }

    #[test]
    fn groups_add_up_files_with_their_twins() {
        let page = tempfile::tempdir().expect("made");
        for (name, length) in [
            ("index.html", 100),
            ("index.html.br", 40),
            ("index.html.gz", 50),
            ("favicon.svg", 7),
            ("code/1/curec-web-gpu.js", 10),
            ("artefact/users.json", 1000),
            ("artefact/users.json.br", 10),
        ] {
            let path = page.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "x".repeat(length)).expect("written");
        }
        let groups = measure(page.path()).expect("measured");
        assert_eq!(
            groups["page"],
            Bytes {
                raw: 107,
                gzip: 57,
                brotli: 47
            }
        );
        assert_eq!(
            groups["gpu"],
            Bytes {
                raw: 10,
                gzip: 10,
                brotli: 10
            }
        );
        assert_eq!(
            groups["texts"],
            Bytes {
                raw: 1000,
                gzip: 1000,
                brotli: 10
            }
        );
        assert_eq!(
            total(&groups),
            Bytes {
                raw: 1117,
                gzip: 1067,
                brotli: 67
            }
        );
        let table = report(&groups);
        let rows: Vec<_> = table
            .lines()
            .map(|line| line.split("  ").last().unwrap_or_default())
            .collect();
        assert_eq!(
            rows,
            ["part", "scorer: gpu", "page", "artefact: texts", "total"]
        );
        assert!(
            table.contains("1.1 kB      1.1 kB        67 B  total"),
            "{table}"
        );
    }

    #[test]
    fn hosts_that_exceed_the_limit_are_named() {
        let page = groups(&[
            ("page", 100),
            ("model", 200),
            (LANGUAGE_MODEL, 5000),
            (WRITER, 3000),
        ]);
        let text = by_host(&page, 600);
        let verdicts: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| {
                line.split_whitespace()
                    .take(4)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(
            verdicts,
            [
                "300 B within brotli:",
                "600 B within gzip:",
                "900 B EXCEEDS nothing:"
            ],
            "{text}"
        );
    }

    #[test]
    fn two_per_cent_of_growth_are_enough() {
        let recorded = groups(&[("page", 1000), ("cpu", 1000)]);
        assert!(grown(&recorded, &groups(&[("page", 1020), ("cpu", 400)])).is_empty());
        let failures = grown(&recorded, &groups(&[("page", 1021), ("cpu", 1000)]));
        assert_eq!(
            failures,
            ["page has grown by 2.1 %, from 1000 to 1021 bytes by brotli"]
        );
    }

    #[test]
    fn a_new_module_has_to_be_recorded_and_data_may_differ() {
        let recorded = groups(&[("page", 1000)]);
        let now = groups(&[
            ("page", 1000),
            ("model", 9_000_000),
            ("texts", 1),
            ("llm", 5),
        ]);
        assert_eq!(
            grown(&recorded, &now),
            ["scorer: llm (5 B) has no recorded size"]
        );
    }
}
