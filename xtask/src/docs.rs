//! `cargo xtask docs`: the numbers of README.md come from result files, never from a keyboard (STYLE).
//!
//! `benches/results/NAME.json` holds one run each ([`record::RunResult`]), `ablation-NAME.json` the table of an ablation; `--collect`
//! makes such a file from a finished run directory or an ablation's folder. This command writes them into README.md and docs/results.md
//! between [`BEGIN`] and [`END`], and what `bench scale` measured into docs/scale.md; `--check` only looks whether it would.

mod ablation;
mod baselines;
mod collect;
mod judged;
mod record;
mod render;
#[cfg(test)]
mod sample;
mod scale;
mod scorer;
mod worth;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use record::RunResult;

/// Opens the generated block.
const BEGIN: &str = "<!-- results:begin -->";
/// Closes it.
const END: &str = "<!-- results:end -->";
/// The run that comes first: the one everybody can repeat.
const FIRST: &str = "world";

/// A finished run to be recorded.
pub struct Collect {
    /// The run directory, or the folder of an ablation.
    pub run: PathBuf,
    /// The name of its result file.
    pub name: String,
    /// The command that made it, as a reader would type it.
    pub command: String,
}

/// A document, its text, and the text it should have.
struct Document {
    path: PathBuf,
    old: String,
    new: String,
}

/// Records a run if there is one to record, then brings the documents up to date.
pub fn update(workspace: &Workspace, collect: Option<&Collect>) -> Result<()> {
    let folder = results_folder(&workspace.root);
    if let Some(collect) = collect {
        let file = collect::collect(collect, &folder)?;
        println!("   wrote {}", workspace.show(&file));
    }
    for Document { path, old, new } in documents(&workspace.root)? {
        if old == new {
            println!("   {} is up to date", workspace.show(&path));
            continue;
        }
        std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))?;
        println!("   wrote the results in {}", workspace.show(&path));
    }
    Ok(())
}

/// Fails if a document does not show what the result files say.
pub fn check(workspace: &Workspace) -> Result<()> {
    for Document { path, old, new } in documents(&workspace.root)? {
        if old != new {
            bail!(
                "the results in {} are not those of benches/results: run `cargo xtask docs` and commit",
                workspace.show(&path)
            );
        }
        println!("   {} is up to date", workspace.show(&path));
    }
    Ok(())
}

fn documents(root: &Path) -> Result<[Document; 3]> {
    Ok([readme(root)?, results_page(root)?, scale_page(root)?])
}

fn results_folder(root: &Path) -> PathBuf {
    root.join("benches").join("results")
}

/// Seeds of an ablation whose table README shows. What has fewer is in docs/results.md, and fewer than three say there that they are a
/// first look.
const IN_README: usize = 5;

fn ablations(folder: &Path) -> Result<Vec<ablation::AblationResult>> {
    let files = result_files(folder)?;
    let files = files.iter().filter(|file| is_ablation(file));
    files
        .map(|file| ablation::AblationResult::read(file))
        .collect()
}

fn readme(root: &Path) -> Result<Document> {
    let folder = results_folder(root);
    let runs = read_all(&folder)?;
    let mut block = render::NOTE.to_owned() + &render::overview(&runs);
    let ablations = ablations(&folder)?;
    block += &worth::paragraph(&runs, &ablations);
    for found in &ablations {
        if found.seeds() >= IN_README {
            block += &ablation::section(found);
        }
    }
    block += &judged::sections(&folder)?;
    document(&root.join("README.md"), &block)
}

/// What README only points at: each run, ablations of few seeds, the baselines, and what was measured of speed.
fn results_page(root: &Path) -> Result<Document> {
    let folder = results_folder(root);
    let mut block = render::NOTE.to_owned() + &render::runs(&read_all(&folder)?);
    for found in &ablations(&folder)? {
        if found.seeds() < IN_README {
            block += &ablation::section(found);
        }
    }
    block += &baselines::section(
        &folder.join("baselines"),
        &root.join("benches/published"),
        &root.join("configs/baselines"),
    )?;
    if let Some(bench) = read_bench(&folder, "grpo")? {
        block += &render::speed(&bench);
    }
    if let Some(bench) = read_bench(&folder, "sasrec")? {
        block += &render::sasrec_speed(&bench);
    }
    if let Some(bench) = read_bench(&folder, "scorer")? {
        block += &scorer::section(&bench);
    }
    document(&root.join("docs/results.md"), &block)
}

/// The document with this block between [`BEGIN`] and [`END`].
fn document(path: &Path, block: &str) -> Result<Document> {
    let old =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = replace_block(&old, [BEGIN, END], block)
        .with_context(|| format!("in {}", path.display()))?;
    let path = path.to_owned();
    Ok(Document { path, old, new })
}

fn scale_page(root: &Path) -> Result<Document> {
    let path = root.join("docs/scale.md");
    let old = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let found = scale::Scale::read(&results_folder(root).join("bench/scale.json"))?;
    let block = scale::block(found.as_ref());
    let new = replace_block(&old, [scale::BEGIN, scale::END], &block)
        .with_context(|| format!("in {}", path.display()))?;
    Ok(Document { path, old, new })
}

/// The JSON files of a folder, by name; none where there is no such folder.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot list {}", folder.display()));
        }
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    Ok(files)
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} is damaged"))
}

/// What `cargo xtask bench NAME --record` measured, if it was recorded.
fn read_bench(folder: &Path, name: &str) -> Result<Option<serde_json::Value>> {
    let file = folder.join(format!("bench/{name}.json"));
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let value = serde_json::from_str(&text);
    Ok(Some(value.with_context(|| {
        format!("{} is damaged", file.display())
    })?))
}

/// Every recorded run, [`FIRST`] first, the others by name.
fn read_all(folder: &Path) -> Result<Vec<RunResult>> {
    let files = result_files(folder)?;
    let runs = files.iter().filter(|file| !is_ablation(file));
    runs.map(|file| RunResult::read(file)).collect()
}

fn is_ablation(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(ablation::PREFIX)
}

/// Every result file in the order of the documentation. A folder that is not there holds none.
fn result_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot list {}", folder.display()));
        }
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    // By stem: what a name is the beginning of comes first.
    files.sort_by_key(|file| {
        let stem = file.file_stem().unwrap_or_default().to_owned();
        (stem != FIRST, stem)
    });
    Ok(files)
}

/// The text with the part between the markers replaced; everything else stays byte for byte.
fn replace_block(text: &str, [opens, closes]: [&str; 2], block: &str) -> Result<String> {
    let places = |marker: &str| {
        let found: Vec<usize> = text.match_indices(marker).map(|(place, _)| place).collect();
        found
    };
    let (begin, end) = match (places(opens).as_slice(), places(closes).as_slice()) {
        ([begin], [end]) if begin < end => (begin + opens.len(), *end),
        _ => bail!("{opens} and {closes} must be there once each, in this order"),
    };
    Ok(format!("{}\n{block}\n{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("curec-docs-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(results_folder(&root)).expect("a folder");
        root
    }

    #[test]
    fn only_the_block_changes() {
        let text = format!("# Title\n{BEGIN}\nold\nlines\n{END}\nthe end\n");
        let new = replace_block(&text, [BEGIN, END], "fresh").expect("both markers");
        assert_eq!(new, format!("# Title\n{BEGIN}\nfresh\n{END}\nthe end\n"));
        let again = replace_block(&new, [BEGIN, END], "fresh");
        assert_eq!(again.expect("again"), new);
    }

    #[test]
    fn missing_repeated_or_swapped_markers_are_refused() {
        for text in [
            "nothing".to_owned(),
            BEGIN.to_owned(),
            format!("{END} {BEGIN}"),
            format!("{BEGIN} {BEGIN} {END}"),
        ] {
            let error = replace_block(&text, [BEGIN, END], "").expect_err("no block");
            assert!(error.to_string().contains("once each"), "{error}");
        }
    }

    #[test]
    fn a_readme_is_out_of_date_once_a_result_arrives() {
        let root = root("readme");
        let text = format!("{BEGIN}\n{END}\n");
        std::fs::write(root.join("README.md"), text).expect("a file");
        let Document { path, old, new } = readme(&root).expect("no results are fine");
        assert_ne!(old, new);
        assert!(new.contains("No results have been recorded yet"), "{new}");
        std::fs::write(&path, &new).expect("a file");
        let Document { old, new, .. } = readme(&root).expect("read again");
        assert_eq!(old, new);
        let file = results_folder(&root).join("toy.json");
        std::fs::write(file, sample::FILE).expect("a file");
        let Document { old, new, .. } = readme(&root).expect("one result");
        assert_ne!(old, new);
        assert!(new.contains("| toy |"), "{new}");
        std::fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn an_ablation_of_few_seeds_is_no_part_of_the_readme() {
        let root = root("seeds");
        let folder = results_folder(&root);
        for (path, at) in [
            ("README.md", root.clone()),
            ("results.md", root.join("docs")),
        ] {
            std::fs::create_dir_all(&at).expect("a folder");
            std::fs::write(at.join(path), format!("{BEGIN}\n{END}\n")).expect("a file");
        }
        let shown = |seeds: &str| {
            let of_them =
                ablation::FILE.replace("\"seeds\": [1, 2]", &format!("\"seeds\": {seeds}"));
            std::fs::write(root.join(ablation::TABLE), of_them).expect("a file");
            ablation::collect(&root, "toy", "", "", &folder).expect("recorded");
            let documents = [readme(&root), results_page(&root)];
            documents.map(|found| found.expect("read").new.contains("no history"))
        };
        assert_eq!(shown("[1, 2, 3, 4]"), [false, true]);
        assert_eq!(shown("[1, 2, 3, 4, 5]"), [true, false]);
        std::fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn the_world_comes_first() {
        let root = root("order");
        for name in ["ml-1m", "world", "ml-1m-sparse", "amazon"] {
            let text = sample::FILE.replace("\"toy\"", &format!("\"{name}\""));
            std::fs::write(results_folder(&root).join(format!("{name}.json")), text)
                .expect("a file");
        }
        let runs = read_all(&results_folder(&root)).expect("four files");
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["world", "amazon", "ml-1m", "ml-1m-sparse"]);
        std::fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn a_damaged_result_is_named() {
        let root = root("damaged");
        std::fs::write(results_folder(&root).join("bad.json"), "{\"name\": 3}").expect("a file");
        let error = read_all(&results_folder(&root)).expect_err("damaged");
        assert!(format!("{error:#}").contains("bad.json"), "{error:#}");
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
