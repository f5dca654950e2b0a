//! `cargo xtask bench scale`: the data's way from files to a ranking, without a language model.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{build, machine, measure, record};
use crate::step;
use crate::workspace::{Workspace, command};

/// Sizes for real logs; the synthetic one takes the command's own.
const REAL: [&str; 6] = ["--width", "64", "--steps", "200", "--ranked", "500"];

/// Measures `curec bench scale` on each log and on the synthetic one, each in a process of its own.
pub fn scale(workspace: &Workspace, logs: &[PathBuf], keep: bool) -> Result<()> {
    build(workspace)?;
    let mut runs = Vec::new();
    for log in logs.iter().map(Some).chain([None]) {
        let mut run = command(workspace.curec());
        run.args(["bench", "scale", "--json"]);
        step::announce(&log.map_or("synthetic".to_owned(), |log| workspace.show(log)));
        if let Some(log) = log {
            run.arg("--data").arg(log).args(REAL);
        }
        let found = measure(&mut run)?;
        println!("{}", serde_json::to_string_pretty(&found)?);
        runs.push(found);
    }
    let result = json!({"machine": machine(), "runs": runs});
    if keep {
        record(workspace, "scale", &result)?;
    }
    Ok(())
}
