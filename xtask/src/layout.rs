//! Puts the built page's code into a folder that is named after its content, `code/ID/`, so that an address always means the
//! same bytes: whoever has read one `index.html` gets all of its scripts, styles and scorers from that build or not at all.
//!
//! What keeps its plain name is what has to be found without knowing a build: `index.html`, `favicon.svg`, the service worker's
//! one line `sw.js`, and the artefact.
//!
//! Every script and style is held to its hash: the page's own by `index.html`; a worker, a service worker, what they import, and
//! the scorers by a list that the page has (`js/hashes.js`), because no tag names them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::build_list::{Hash, files_below};

/// The folder of the code's folders.
pub const CODE: &str = "code";
/// Files of the page that keep their names and places.
pub const ROOT_FILES: [&str; 3] = ["index.html", "favicon.svg", "sw.js"];
/// The artefact's folder.
pub const ARTEFACT: &str = "artefact";
/// The page's first script, and the service worker's.
const MAIN: &str = "js/main.js";
const KEEPER: &str = "js/keeper.js";
/// The worker that scores, and how the names of the modules begin that it fetches.
const WORKER: &str = "worker.js";
/// What helps it.
const HELPER: &str = "helper.js";
const SCORERS: &str = "curec-web";
/// The page's module that lists what no tag holds to its hash.
const HASHES: &str = "js/hashes.js";
/// Digits of the code's hash that name its folder.
const ID_DIGITS: usize = 16;

/// Moves what trunk built into `code/ID/`, and rewrites `index.html` to it; returns the ID.
pub fn arrange(out: &Path) -> Result<String> {
    let mut files = code_files(out)?;
    let hashes = out.join(HASHES);
    std::fs::write(&hashes, hashes_module(out, &files)?)
        .with_context(|| format!("cannot write {}", hashes.display()))?;
    files.insert(HASHES.to_owned(), Hash::of_file(&hashes)?);
    let id = id_of(&files);
    let folder = out.join(CODE).join(&id);
    for name in files.keys() {
        let target = folder.join(name);
        let parent = target.parent().context("a file without a folder")?;
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::rename(out.join(name), &target))
            .with_context(|| format!("cannot move {name} to {}", target.display()))?;
    }
    remove_empty_folders(out)?;
    let page = out.join("index.html");
    let html = std::fs::read_to_string(&page)
        .with_context(|| format!("cannot read {}", page.display()))?;
    let preloads = modules_of(&folder, MAIN)?;
    std::fs::write(&page, with_code(&html, &id, &files, &preloads)?)
        .with_context(|| format!("cannot write {}", page.display()))?;
    std::fs::write(
        out.join("sw.js"),
        format!("import './{CODE}/{id}/{KEEPER}';\n"),
    )
    .context("cannot write sw.js")?;
    Ok(id)
}

/// The name of the one code folder of a built page.
pub fn code_id(out: &Path) -> Result<String> {
    let names: Vec<_> = std::fs::read_dir(out.join(CODE))
        .with_context(|| format!("{} holds no built page", out.display()))?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    match names.as_slice() {
        [id] => Ok(id.clone()),
        _ => bail!(
            "{} holds {} builds instead of one",
            out.join(CODE).display(),
            names.len()
        ),
    }
}

/// Everything that belongs into the code's folder, by its name there.
fn code_files(out: &Path) -> Result<BTreeMap<String, Hash>> {
    let mut files = BTreeMap::new();
    for (name, path) in files_below(out)? {
        let first = name.split('/').next().unwrap_or_default();
        if !ROOT_FILES.contains(&name.as_str()) && first != CODE && first != ARTEFACT {
            files.insert(name, Hash::of_file(&path)?);
        }
    }
    Ok(files)
}

/// A build's name: the hash over the names and hashes of its files.
fn id_of(files: &BTreeMap<String, Hash>) -> String {
    let lines: String = files
        .iter()
        .map(|(name, hash)| format!("{name} {}\n", hash.hex()))
        .collect();
    Hash::of(lines.as_bytes()).hex()[..ID_DIGITS].to_owned()
}

/// The module that the page holds by its hashes what no tag can: the worker and the service worker, each with all that it imports,
/// and the scorers.
fn hashes_module(folder: &Path, files: &BTreeMap<String, Hash>) -> Result<String> {
    let with_imports = |all: &[&str]| -> Result<Vec<String>> {
        let mut names = Vec::new();
        for &first in all {
            names.extend(modules_of(folder, first)?);
            names.push(first.to_owned());
        }
        names.sort();
        names.dedup();
        Ok(names)
    };
    let scorers = files.keys().filter(|name| name.starts_with(SCORERS));
    let groups = [
        ("worker", with_imports(&[WORKER, HELPER])?),
        ("keeper", with_imports(&[KEEPER])?),
        ("scorers", scorers.cloned().collect()),
    ];
    let mut text = String::from("export const HASHES = {\n");
    for (group, names) in groups {
        text.push_str(&format!("  {group}: {{\n"));
        for name in names {
            if name == HASHES {
                bail!("{HASHES} cannot hold itself to its hash, and a worker imports it");
            }
            let hash = hash_of(files, &name)?;
            text.push_str(&format!("    '{name}': '{}',\n", integrity(hash)));
        }
        text.push_str("  },\n");
    }
    text.push_str("};\n");
    Ok(text)
}

fn hash_of<'a>(files: &'a BTreeMap<String, Hash>, name: &str) -> Result<&'a Hash> {
    files
        .get(name)
        .with_context(|| format!("a script imports {name}, which is not there"))
}

/// The page with its scripts and styles at their new places, each with the hash that the browser holds it to. The modules that the
/// first one needs are named beforehand: the browser fetches them at once instead of finding one after the other.
fn with_code(
    html: &str,
    id: &str,
    files: &BTreeMap<String, Hash>,
    preloads: &[String],
) -> Result<String> {
    let mut page = html.to_owned();
    let mut seen = Vec::new();
    for (name, hash) in files {
        for attribute in ["href", "src"] {
            let old = format!("{attribute}=\"{name}\"");
            if page.contains(&old) {
                page = page.replace(&old, &held(attribute, id, name, hash));
                seen.push(name.as_str());
            }
        }
    }
    if !seen.contains(&MAIN) {
        bail!("index.html does not start {MAIN}");
    }
    let script = page
        .find("<script type=\"module\"")
        .context("index.html has no module script")?;
    let mut links = String::new();
    for name in preloads {
        let link = held("href", id, name, hash_of(files, name)?);
        links.push_str(&format!("<link rel=\"modulepreload\" {link} />\n    "));
    }
    page.insert_str(script, &links);
    Ok(page)
}

/// An attribute with a file's address and its integrity.
fn held(attribute: &str, id: &str, name: &str, hash: &Hash) -> String {
    format!(
        "{attribute}=\"{CODE}/{id}/{name}\" integrity=\"{}\"",
        integrity(hash)
    )
}

/// A hash as browsers read it.
fn integrity(hash: &Hash) -> String {
    format!("sha256-{}", STANDARD.encode(hash.bytes()))
}

/// The modules that a module imports, and those that they import, without itself.
fn modules_of(folder: &Path, first: &str) -> Result<Vec<String>> {
    let mut found = vec![first.to_owned()];
    let mut next = 0;
    while let Some(name) = found.get(next).cloned() {
        next += 1;
        let path = folder.join(&name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let parent = Path::new(&name).parent().unwrap_or(Path::new(""));
        for import in static_imports(&text) {
            let import = parent.join(import).to_string_lossy().into_owned();
            if !found.contains(&import) {
                found.push(import);
            }
        }
    }
    found.remove(0);
    found.sort();
    Ok(found)
}

/// What a script of ours imports from beside itself: `import … from './NAME.js';` at the start of a line, braces over several lines too.
fn static_imports(text: &str) -> Vec<&str> {
    text.split('\n')
        .filter(|line| {
            line.starts_with("import ")
                || line.starts_with("} from ")
                || line.starts_with("export ")
        })
        .filter_map(|line| {
            line.split_once(" from '")
                .or_else(|| line.split_once("import '"))
        })
        .filter_map(|(_, rest)| rest.strip_prefix("./")?.split('\'').next())
        .collect()
}

fn remove_empty_folders(out: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(out).with_context(|| format!("cannot list {}", out.display()))?;
    let folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && !path.ends_with(CODE) && !path.ends_with(ARTEFACT))
        .collect();
    for folder in folders {
        // Whatever is left in it is empty folders: its files have moved.
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<link rel=\"icon\" href=\"favicon.svg\" />\n    <link rel=\"stylesheet\" href=\"css/a.css\" />\n    <script type=\"module\" src=\"js/main.js\"></script>\n";

    fn built() -> tempfile::TempDir {
        let out = tempfile::tempdir().expect("made");
        let files = [
            ("index.html", HTML),
            ("favicon.svg", "<svg/>"),
            ("css/a.css", "a{}"),
            (
                "js/main.js",
                "import { b } from './b.js';\nimport {\n  c,\n} from './sub/c.js';\nimport { HASHES } from './hashes.js';\n",
            ),
            ("js/hashes.js", "export const HASHES = {};\n"),
            ("js/b.js", "export const b = 1;"),
            (
                "js/sub/c.js",
                "import '../b.js';\nexport { d } from './d.js';\n",
            ),
            (
                "js/sub/d.js",
                "// import './no.js';\nconst x = await import('./later.js');",
            ),
            (
                "worker.js",
                "import './js/b.js';\nimport { e } from './js/e.js';\n",
            ),
            (
                "helper.js",
                "import { b } from './js/b.js';\nimport { f } from './js/f.js';\n",
            ),
            ("js/e.js", "import './b.js';\n"),
            ("js/f.js", "export const f = 1;\n"),
            ("js/keeper.js", "import './b.js';\n"),
            ("curec-web.js", "a{}"),
            ("curec-web_bg.wasm", "wasm"),
            ("artefact/manifest.json", "{}"),
        ];
        for (name, text) in files {
            let path = out.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        out
    }

    #[test]
    fn code_moves_and_the_page_names_it_with_hashes() {
        let out = built();
        let id = arrange(out.path()).expect("arranged");
        assert_eq!(code_id(out.path()).expect("one"), id);
        assert!(out.path().join("artefact/manifest.json").is_file());
        assert!(out.path().join(format!("code/{id}/worker.js")).is_file());
        assert!(!out.path().join("js").exists() && !out.path().join("worker.js").exists());
        let html = std::fs::read_to_string(out.path().join("index.html")).expect("read");
        // `printf 'a{}' | openssl dgst -sha256 -binary | base64`
        let integrity = "sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk=";
        assert!(
            html.contains(&format!(
                "href=\"code/{id}/css/a.css\" integrity=\"{integrity}\""
            )),
            "{html}"
        );
        assert!(html.contains("href=\"favicon.svg\""), "{html}");
        let preloads: Vec<_> = html
            .lines()
            .filter(|line| line.contains("modulepreload"))
            .collect();
        assert_eq!(preloads.len(), 4, "{html}");
        assert!(preloads[0].contains("js/b.js") && preloads[3].contains("js/sub/d.js"));
        assert!(html.find("modulepreload") < html.find("<script"));
        let keeper = std::fs::read_to_string(out.path().join("sw.js")).expect("read");
        assert_eq!(keeper, format!("import './code/{id}/js/keeper.js';\n"));
    }

    #[test]
    fn the_page_has_the_hashes_of_what_no_tag_names() {
        let out = built();
        let id = arrange(out.path()).expect("arranged");
        let folder = out.path().join(CODE).join(&id);
        let text = std::fs::read_to_string(folder.join(HASHES)).expect("written");
        let (worker, rest) = text.split_once("  keeper: {").expect("in order");
        let (keeper, scorers) = rest.split_once("  scorers: {").expect("in order");
        for (part, names) in [
            (
                worker,
                vec!["helper.js", "js/b.js", "js/e.js", "js/f.js", "worker.js"],
            ),
            (keeper, vec!["js/b.js", "js/keeper.js"]),
            (scorers, vec!["curec-web.js", "curec-web_bg.wasm"]),
        ] {
            let listed: Vec<_> = part
                .lines()
                .filter_map(|line| line.strip_prefix("    '")?.split('\'').next())
                .collect();
            assert_eq!(listed, names);
        }
        // `printf 'a{}' | openssl dgst -sha256 -binary | base64`
        let line = "    'curec-web.js': 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk=',";
        assert!(text.lines().any(|found| found == line), "{text}");
        let html = std::fs::read_to_string(out.path().join("index.html")).expect("read");
        let own = integrity(&Hash::of(text.as_bytes()));
        assert!(html.contains(&own), "the page holds the list itself");
    }

    #[test]
    fn any_change_of_the_code_is_another_build_and_one_of_the_artefact_is_not() {
        let first = arrange(built().path()).expect("arranged");
        let other_artefact = built();
        std::fs::write(other_artefact.path().join("artefact/manifest.json"), "[]")
            .expect("written");
        assert_eq!(arrange(other_artefact.path()).expect("arranged"), first);
        let other_code = built();
        std::fs::write(other_code.path().join("worker.js"), "\n").expect("written");
        assert_ne!(arrange(other_code.path()).expect("arranged"), first);
    }

    #[test]
    fn an_import_of_nothing_is_an_error() {
        let out = built();
        std::fs::remove_file(out.path().join("js/b.js")).expect("removed");
        assert!(arrange(out.path()).is_err());
    }
}
