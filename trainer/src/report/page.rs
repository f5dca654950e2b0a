//! The page: sections as values, put into the templates.

use anyhow::{Context as _, Result};
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::files::RunFiles;
use super::{attention, curves, drift, exam, identity, measures, ranking, samples, texts, verdict};
use crate::logbook::number;

/// A name that ends in `.html` has everything escaped that is put into it.
const TEMPLATES: [(&str, &str); 5] = [
    ("macros.html", include_str!("template/macros.html")),
    ("numbers.html", include_str!("template/numbers.html")),
    ("training.html", include_str!("template/training.html")),
    ("texts.html", include_str!("template/texts.html")),
    ("page.html", include_str!("template/page.html")),
];
const STYLE: &str = include_str!("template/style.css");

/// A run as the templates know it.
#[derive(Debug, Serialize)]
struct Named<'a> {
    name: &'a str,
    /// Of its colour.
    class: usize,
}

/// The whole page.
///
/// # Errors
/// Those of the sections.
pub(super) fn html(runs: &[RunFiles]) -> Result<String> {
    let environment = environment()?;
    let template = environment.get_template("page.html")?;
    let named = runs.iter().enumerate().map(|(place, run)| Named {
        name: &run.name,
        class: place % super::chart::COLOURS,
    });
    let page = template.render(context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        version => env!("CARGO_PKG_VERSION"),
        runs => named.collect::<Vec<_>>(),
        verdicts => verdict::section(runs),
        identity => identity::section(runs),
        ranking => ranking::section(runs)?,
        stages => curves::language(runs)?,
        fits => curves::fits(runs)?,
        drift => drift::section(runs)?,
        measures => measures::section(runs),
        exams => exam::section(runs),
        attention => attention::section(runs)?,
        texts => texts::section(runs)?,
        samples => samples::section(runs),
        cost => identity::cost(runs),
    });
    page.context("the report's template does not fit its values: a defect of curec")
}

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("number", number);
    environment.add_filter("fixed", |value: f64, digits: usize| {
        format!("{value:.digits$}")
    });
    environment.add_filter("signed", |value: f64| format!("{value:+.4}"));
    environment.add_filter("percent", |value: f64| format!("{:.0} %", value * 100.0));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}
