//! Remembers what a result was made from, so that it is not made again from the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Folders that hold results, not sources.
const NOT_SOURCES: [&str; 3] = ["target", "node_modules", ".git"];

/// A fingerprint of files and folders: names, sizes and times of change, which is what cargo and make look at too.
pub fn fingerprint(paths: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        add(path, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn add(path: &Path, hasher: &mut DefaultHasher) -> std::io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    path.hash(hasher);
    if metadata.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        entries.retain(|entry| {
            !NOT_SOURCES
                .iter()
                .any(|name| entry.file_name().is_some_and(|file| file == *name))
        });
        entries.sort();
        entries.iter().try_for_each(|entry| add(entry, hasher))
    } else {
        let changed = metadata
            .modified()?
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        (metadata.len(), changed.as_nanos()).hash(hasher);
        Ok(())
    }
}

/// The note kept about one result.
pub struct Stamp {
    file: PathBuf,
    lines: Vec<String>,
}

impl Stamp {
    /// The note about `result`; empty if there is none yet.
    pub fn of(target: &Path, result: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        result.hash(&mut hasher);
        let file = target
            .join("xtask")
            .join(format!("{:016x}.stamp", hasher.finish()));
        let lines = std::fs::read_to_string(&file)
            .map(|text| text.lines().map(str::to_owned).collect())
            .unwrap_or_default();
        Self { file, lines }
    }

    /// Whether the result was made from this.
    pub fn has(&self, what: &str, fingerprint: &str) -> bool {
        self.lines
            .iter()
            .any(|line| *line == entry(what, fingerprint))
    }

    /// Forgets one entry: to be called before the result is touched.
    pub fn forget(&mut self, what: &str) -> Result<()> {
        self.lines
            .retain(|line| line.split(' ').next() != Some(what));
        self.write()
    }

    /// Notes what the result was made from: to be called once it is whole.
    pub fn note(&mut self, what: &str, fingerprint: &str) -> Result<()> {
        self.lines
            .retain(|line| line.split(' ').next() != Some(what));
        self.lines.push(entry(what, fingerprint));
        self.write()
    }

    fn write(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&self.file, self.lines.join("\n"))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

fn entry(what: &str, fingerprint: &str) -> String {
    format!("{what} {fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("curec-stamp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        folder
    }

    #[test]
    fn a_fingerprint_follows_the_sources_and_nothing_else() {
        let root = folder("print");
        std::fs::create_dir_all(root.join("src")).expect("made");
        std::fs::create_dir_all(root.join("node_modules")).expect("made");
        std::fs::write(root.join("src/a"), "one").expect("written");
        let paths = [root.clone()];
        let first = fingerprint(&paths).expect("read");
        std::fs::write(root.join("node_modules/b"), "result").expect("written");
        assert_eq!(fingerprint(&paths).expect("read"), first);
        std::fs::write(root.join("src/a"), "more").expect("written");
        assert_ne!(fingerprint(&paths).expect("read"), first);
        assert!(fingerprint(&[root.join("missing")]).is_err());
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn notes_are_kept_per_entry() {
        let root = folder("note");
        let result = Path::new("/some/dist");
        let mut stamp = Stamp::of(&root, result);
        assert!(!stamp.has("page", "1"));
        stamp.note("page", "1").expect("written");
        stamp.note("artefact", "2").expect("written");
        stamp.note("page", "3").expect("written");
        let again = Stamp::of(&root, result);
        assert!(again.has("page", "3") && again.has("artefact", "2") && !again.has("page", "1"));
        stamp.forget("page").expect("written");
        assert!(!Stamp::of(&root, result).has("page", "3"));
        assert!(!Stamp::of(&root, Path::new("/other")).has("artefact", "2"));
        std::fs::remove_dir_all(root).expect("removed");
    }
}
