//! `cargo xtask dist`: the page as a static folder for any host.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, PageTools, wasm};
use crate::stamp::{Stamp, fingerprint};
use crate::workspace::{Workspace, command};
use crate::{build_list, compress, headers, layout, size, step, strip};

/// What the page is built from; a change in any of them builds it again.
const SOURCES: [&str; 7] = [
    "web",
    "www",
    "shared-model",
    "Cargo.toml",
    "Cargo.lock",
    "Trunk.toml",
    ".cargo/config.toml",
];
/// What the whole page may take on the wire, in bytes after brotli: code, the scorer for GPUs included, and artefact.
pub const BUDGET: u64 = 8_000_000;
/// What may come on top when a visitor asks for a text: the language model and the code for it.
const WRITER_BUDGET: u64 = 6_000_000;
/// Cargo joins this variable's flags to those of `.cargo/config.toml`.
const FLAGS: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";

/// What to build and where to.
pub struct Options {
    /// The exported artefact that the page shows.
    pub artefact: PathBuf,
    /// The folder that becomes the page.
    pub out: PathBuf,
    /// Bytes after brotli above which the page counts as too large.
    pub budget: u64,
}

/// Sets up what is missing and builds the page, or what of it has changed.
pub fn build(workspace: &Workspace, options: &Options) -> Result<()> {
    let out = options.out.as_path();
    if !options.artefact.join("manifest.json").is_file() {
        bail!(
            "no artefact at {}: `cargo xtask demo --no-serve` makes one of the built-in world, and `curec export` one of your own run",
            options.artefact.display()
        );
    }
    refuse_foreign_folder(out)?;
    let tools = setup::page(workspace)?;
    let sources: Vec<PathBuf> = SOURCES
        .iter()
        .map(|name| workspace.root.join(name))
        .collect();
    let flags = flags_without_places(cargo_home().as_deref());
    let page = format!("{} {flags}", fingerprint(&sources)?);
    let artefact = fingerprint(std::slice::from_ref(&options.artefact))?;

    let mut stamp = Stamp::of(&workspace.target, out);
    let page_is_there = stamp.has("page", &page) && out.join("index.html").is_file();
    let artefact_is_there =
        stamp.has("artefact", &artefact) && out.join("artefact/manifest.json").is_file();
    if page_is_there && artefact_is_there {
        println!("   the page in {} is up to date", workspace.show(out));
        return Ok(());
    }
    stamp.forget("artefact")?;
    if !page_is_there {
        stamp.forget("page")?;
        build_page(workspace, &tools, &flags, out)?;
        stamp.note("page", &page)?;
    }
    copy_artefact(&options.artefact, &out.join(layout::ARTEFACT))?;
    build_list::write(out)?;
    step::announce("compress what is not compressed yet");
    compress::compress_all(out, &workspace.target.join("xtask/compressed"))?;
    headers::write(out)?;
    let groups = size::measure(out)?;
    let table = size::report(&groups);
    let hosts = size::by_host(&groups, options.budget);
    println!(
        "\n{} holds the page:\n{table}\n{hosts}",
        workspace.show(out)
    );
    within(&groups, options.budget)?;
    stamp.note("artefact", &artefact)
}

/// Refuses a page that takes more than `budget` without its writer, or a writer that takes more than [`WRITER_BUDGET`].
fn within(groups: &size::Groups, budget: u64) -> Result<()> {
    let writer = size::writer(groups).brotli;
    if writer > WRITER_BUDGET {
        bail!(
            "the language model and its code take {} compressed, and {} is the limit: train a smaller one (`--set llm.hidden_size=N`)",
            size::size(writer),
            size::size(WRITER_BUDGET)
        );
    }
    let total = size::total(groups).brotli - writer;
    if total > budget {
        bail!(
            "the page takes {} compressed, and {} is the limit: export fewer users (`--set export.max_users=N`) or raise `--max-mb`",
            size::size(total),
            size::size(budget)
        );
    }
    Ok(())
}

/// trunk empties its output folder: anything that does not look like an earlier page is left alone.
fn refuse_foreign_folder(out: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(out) else {
        return Ok(());
    };
    let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    let is_page = names.iter().any(|name| name == "index.html")
        && names.iter().any(|name| {
            name == build_list::NAME
                || Path::new(name)
                    .extension()
                    .is_some_and(|extension| extension == "wasm")
        });
    // What an interrupted build leaves.
    let is_begun = names.iter().all(|name| name == ".stage");
    if !is_page && !is_begun {
        bail!(
            "{} holds something that is no page of ours, and building would delete it: choose another folder with `--out`",
            out.display()
        );
    }
    Ok(())
}

/// The flag by which the compiler writes a name in place of cargo's folder on this machine: every message of a panic carries the path of
/// its source, and where that lies here is nobody's business. Sources of this workspace are named from its root in any case; with that
/// folder in the flag, clones that share a target folder would compile everything anew in turns.
fn flags_without_places(cargo_home: Option<&Path>) -> String {
    cargo_home
        .and_then(Path::to_str)
        // The variable parts its flags by spaces: such a path stays.
        .filter(|place| !place.contains(char::is_whitespace))
        .map(|place| format!("--remap-path-prefix={place}=/cargo"))
        .unwrap_or_default()
}

/// Where cargo keeps the sources of crates.
fn cargo_home() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || Some(PathBuf::from(set("HOME")?).join(".cargo"));
    set("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// The variables of a build for wasm32: the toolchain's, and flags beside those of `.cargo/config.toml` and the user's own.
fn environment(tools: &PageTools, flags: &str) -> Vec<(&'static str, OsString)> {
    let mut all = std::env::var_os(FLAGS).unwrap_or_default();
    if !all.is_empty() {
        all.push(" ");
    }
    all.push(flags);
    let mut environment = tools.wasm.environment();
    environment.push((FLAGS, all));
    environment
}

fn build_page(workspace: &Workspace, tools: &PageTools, flags: &str, out: &Path) -> Result<()> {
    // Compiled here and not inside trunk: with the network (new crates may be missing) and with cargo's own progress bar. One
    // after the other, as trunk does it: together the CPU's would be compiled with what the GPU's needs.
    // The profiles are those that index.html names.
    for (package, profile, what) in [
        ("curec-web", "release", "compile the scorer for WebAssembly"),
        ("curec-web-gpu", "page", "compile the scorer for WebGPU"),
        ("curec-web-writer", "page", "compile the writer"),
    ] {
        let mut cargo = workspace.cargo();
        cargo
            .args(["build", "--profile", profile, "--package", package, "--lib"])
            .args(["--target", wasm::TARGET]);
        step::run(what, cargo.envs(environment(tools, flags)))?;
    }
    step::run("build the page", &mut trunk(workspace, tools, flags, out)?)?;
    for file in wasm_files(out)? {
        strip::strip_file(&file)?;
    }
    layout::arrange(out)?;
    Ok(())
}

fn trunk(workspace: &Workspace, tools: &PageTools, flags: &str, out: &Path) -> Result<Command> {
    let folder = tools
        .bin
        .wasm_bindgen
        .parent()
        .context("wasm-bindgen has no folder")?
        .to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)))
        .context("the folder of the tools cannot stand in PATH")?;
    let mut command = command(&tools.bin.trunk);
    command
        .args(["build", "--release", "--offline", "--dist"])
        .arg(out)
        .current_dir(&workspace.root)
        .env("PATH", path)
        .env("TRUNK_SKIP_VERSION_CHECK", "true")
        .envs(environment(tools, flags));
    if std::env::var_os("NO_COLOR").is_some() {
        // trunk 0.21 reads this variable as a boolean and refuses the usual `1`.
        command.env("NO_COLOR", "true");
    }
    Ok(command)
}

fn wasm_files(out: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(out).with_context(|| format!("cannot list {}", out.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect())
}

/// Replaces the artefact in the page.
fn copy_artefact(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("cannot replace {}", to.display()))?;
    }
    copy_folder(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("curec-dist-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        folder
    }

    #[test]
    fn a_page_and_its_writer_are_each_held_to_a_limit() {
        let groups = |page: u64, writer: u64| {
            let bytes = |brotli| size::Bytes {
                brotli,
                ..size::Bytes::default()
            };
            size::Groups::from([
                ("page".to_owned(), bytes(page)),
                (build_list::LANGUAGE_MODEL.to_owned(), bytes(writer)),
            ])
        };
        assert!(within(&groups(BUDGET, WRITER_BUDGET), BUDGET).is_ok());
        let error = within(&groups(BUDGET + 1, 0), BUDGET).expect_err("too large");
        assert!(error.to_string().contains("--max-mb"), "{error}");
        let error = within(&groups(0, WRITER_BUDGET + 1), BUDGET).expect_err("too large");
        assert!(error.to_string().contains("language model"), "{error}");
    }

    #[test]
    fn only_an_earlier_page_may_be_replaced() {
        let out = folder("foreign");
        assert!(refuse_foreign_folder(&out.join("missing")).is_ok());
        assert!(
            refuse_foreign_folder(&out).is_ok(),
            "an empty folder is free"
        );
        std::fs::write(out.join("index.html"), "mine").expect("written");
        let error = refuse_foreign_folder(&out).expect_err("not ours");
        assert!(error.to_string().contains("--out"), "{error}");
        // What trunk wrote and nobody arranged, and a page that is whole.
        for ours in ["scorer_bg.wasm", build_list::NAME] {
            std::fs::write(out.join(ours), "").expect("written");
            assert!(refuse_foreign_folder(&out).is_ok(), "{ours}");
            std::fs::remove_file(out.join(ours)).expect("removed");
        }
        std::fs::remove_dir_all(out).expect("removed");
    }

    #[test]
    fn where_cargo_keeps_its_sources_gets_a_name() {
        let flags = |place: &str| flags_without_places(Some(Path::new(place)));
        let of_home = "--remap-path-prefix=/home/me/.cargo=/cargo";
        assert_eq!(flags("/home/me/.cargo"), of_home);
        assert_eq!(flags("/home/my name/.cargo"), "");
    }

    #[test]
    fn an_artefact_is_replaced_whole() {
        let (from, to) = (folder("from"), folder("to"));
        std::fs::create_dir_all(from.join("sub")).expect("made");
        std::fs::write(from.join("sub/new"), "new").expect("written");
        std::fs::write(to.join("old"), "old").expect("written");
        copy_artefact(&from, &to).expect("copied");
        assert_eq!(
            std::fs::read_to_string(to.join("sub/new")).expect("read"),
            "new"
        );
        assert!(!to.join("old").exists());
        std::fs::remove_dir_all(from).expect("removed");
        std::fs::remove_dir_all(to).expect("removed");
    }
}
