//! `cargo xtask screenshots`: pictures of a built page, README's among them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{setup, size, step, test};

/// Where the pictures go, those of the tests too.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("xtask/screenshots")
}

/// Takes the pictures of a page as the browser tests do, and replaces README's.
pub fn screenshots(workspace: &Workspace, page: &Path) -> Result<()> {
    let browser = setup::browser::ensure(workspace)?;
    let script = workspace.root.join("tests/browser/screenshots.test.mjs");
    let folder = folder(workspace);
    let picture = folder.join("page.png");
    if picture.exists() {
        // Only one of this page may be taken over.
        std::fs::remove_file(&picture)
            .with_context(|| format!("cannot replace {}", picture.display()))?;
    }
    let mut node = test::node_tests(&browser, &[script], page);
    node.current_dir(&workspace.root)
        .env("CUREC_SCREENSHOTS", &folder);
    step::run("take pictures", &mut node)?;
    let document = workspace.root.join("docs/page.png");
    let bytes = std::fs::copy(&picture, &document)
        .with_context(|| format!("cannot write {}", workspace.show(&document)))?;
    println!(
        "{} is of {} now ({}); all pictures are in {}",
        workspace.show(&document),
        workspace.show(page),
        size::size(bytes),
        folder.display()
    );
    Ok(())
}
