//! Layers of settings as TOML tables, later over earlier: of a run, and of a baseline.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// A TOML file.
pub(crate) fn read(file: &Path) -> Result<toml::Table> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text, &file.display().to_string())
}

/// TOML; `source` names it in errors.
pub(crate) fn parse(text: &str, source: &str) -> Result<toml::Table> {
    text.parse()
        .with_context(|| format!("{source} is not valid TOML"))
}

/// `a.b = value`; a value that is not TOML is taken as a string.
pub(crate) fn assignment(text: &str) -> Result<toml::Table> {
    let Some((key, value)) = text.split_once('=') else {
        bail!("--set takes KEY=VALUE, e.g. --set warmup.steps=200, not \"{text}\"");
    };
    let (key, value) = (key.trim(), value.trim());
    format!("{key} = {value}")
        .parse()
        .or_else(|_| format!("{key} = {value:?}").parse())
        .with_context(|| format!("--set {text}"))
}

/// Lays `over` over `base`, table by table.
pub(crate) fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
