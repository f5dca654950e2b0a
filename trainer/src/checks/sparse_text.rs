//! `check sparse-text`: what is left when items have poor text? The run's aligned model writes all patterns and reasons
//! again from prompts without titles, and from prompts with neither titles nor attributes, and a reward model is trained on
//! each. Nothing is trained of the language model, and no correction follows.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;

use super::material::{Material, Texts, metric_of};
use super::statistics::{mean_of, paired};
use super::verdict::{Condition, Number, Outcome, Verdict};
use crate::data::Attribute;
use crate::evaluation::{Estimate, Metric, clustered};
use crate::explanations::{distinct, split, unique};
use crate::past::Timeline;
use crate::reward::{Features, Scorer};
use crate::run::{Progress, RunDirectory, Stage, write_atomic};
use crate::stages::{Context, ensure_inputs, execute};
use crate::text::{ItemText, Vocabulary, claims, holds, said};

/// Stages that variants share with the run.
const SHARED: [Stage; 3] = [Stage::Data, Stage::Warmup, Stage::Pretrain];
/// Share of the NDCG with full text that may be lost before a ranking no longer counts as holding.
const MARGIN: f64 = 0.05;
/// The poorer texts: setting, folder, and what they are called.
const VARIANTS: [(ItemText, &str, &str); 2] = [
    (ItemText::Masked, "masked", "titles masked"),
    (
        ItemText::Generic,
        "generic",
        "generic titles, no attributes",
    ),
];

/// What one way of showing items led to.
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// Rank of every user's held-out item.
    pub ranks: Vec<u32>,
    /// What its reasons claim, per reason.
    pub claims: Vec<Claims>,
    /// Its reasons.
    pub reasons: Vec<String>,
}

/// Attributes that a reason names, counted against the item's real metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Claims {
    /// The item it is about: one cluster of the interval.
    pub item: usize,
    /// The item holds them, or the pattern that the reason was written for names them.
    pub supported: usize,
    /// Of those, held by the item itself.
    pub of_item: usize,
    /// All that are named.
    pub named: usize,
}

/// Makes the variants, as far as they are not there yet, and compares them with the run.
///
/// `folder` gets one run directory per variant; an interrupted check goes on there.
///
/// # Errors
/// A stage of the run is missing or of other settings; a stage of a variant fails; Ctrl-C.
pub fn check(
    material: &Material,
    folder: &Path,
    device: &Device,
    progress: Progress,
) -> Result<Verdict> {
    ensure!(
        material.config.generate.item_text == ItemText::Full,
        "{} itself was made with generate.item_text = {:?}; give a run that shows prompts everything",
        material.run.root().display(),
        material.config.generate.item_text
    );
    let context = Context {
        run: &material.run,
        config: &material.config,
        device,
        progress,
    };
    ensure_inputs(Stage::Generate, &context)?;
    let mut variants = vec![measure(material, "full text", device, progress)?];
    for (text, short, name) in VARIANTS {
        let sibling = sibling(material, &folder.join(short), text)?;
        progress.say(&format!("{name}: in {}", sibling.run.root().display()));
        let context = Context {
            run: &sibling.run,
            config: &sibling.config,
            device,
            progress,
        };
        for stage in [Stage::Generate, Stage::Reward] {
            context.check()?;
            execute(stage, &context)?;
        }
        variants.push(measure(&sibling, name, device, progress)?);
    }
    let ids_only = material.ids_only_model(device)?;
    let texts = material.texts(Stage::Generate)?;
    let scorer = Scorer::new(ids_only, features(material, &texts), device)?;
    let target = material.config.evaluate.target;
    let ids_only = material.ranks("IDs only", target, &scorer, progress)?;
    Ok(judge(&variants, &ids_only, material.config.seed))
}

/// A run directory beside the run that shares its first stages and shows prompts less.
fn sibling(material: &Material, folder: &Path, text: ItemText) -> Result<Material> {
    let run = RunDirectory::create(folder)?;
    let mut config = material.config.clone();
    config.generate.item_text = text;
    let marker =
        std::fs::read(material.run.root().join("run.json")).context("cannot read run.json")?;
    write_atomic(&folder.join("run.json"), &marker)?;
    write_atomic(&folder.join("run.toml"), config.to_toml()?.as_bytes())?;
    for stage in SHARED {
        let shared = material.run.record(stage).map(|record| record.fingerprint);
        if run.record(stage).map(|record| record.fingerprint) != shared {
            copy_stage(&material.run.stage(stage), &run.stage(stage))?;
        }
    }
    let mut sibling = Material::open(folder, &SHARED)?;
    sibling.config = config;
    Ok(sibling)
}

/// Copies a finished stage; it appears by one rename.
fn copy_stage(from: &Path, to: &Path) -> Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let aside = to.with_file_name(format!(".copy-{name}"));
    let remove = |path: &PathBuf| -> Result<()> {
        if path.exists() {
            std::fs::remove_dir_all(path)?;
        }
        Ok(())
    };
    remove(&aside)?;
    copy_folder(from, &aside)?;
    remove(&to.to_owned())?;
    Ok(std::fs::rename(&aside, to)?)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let target = to.join(name);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn features<'a>(material: &'a Material, texts: &'a Texts) -> Features<'a> {
    Features {
        timeline: Timeline::new(&material.dataset),
        patterns: &texts.patterns,
        reasons: &texts.reasons,
    }
}

fn measure(
    material: &Material,
    name: &str,
    device: &Device,
    progress: Progress,
) -> Result<Variant> {
    let texts = material.texts(Stage::Generate)?;
    let model = material.ranking_model(Stage::Reward, device)?;
    let scorer = Scorer::new(model, features(material, &texts), device)?;
    let ranks = material.ranks(name, material.config.evaluate.target, &scorer, progress)?;
    let vocabulary = Vocabulary::of(&material.dataset.items);
    let timeline = Timeline::new(&material.dataset);
    let mut counted = Vec::with_capacity(texts.reasons.len());
    for reason in texts.reasons.entries() {
        let past = timeline.past(reason.user as usize, reason.position as usize)?;
        let pattern = past
            .pattern(&texts.patterns)
            .map(|row| texts.patterns.entry(row).text.as_str());
        let reader: Vec<Attribute> = pattern
            .map(|text| claims(text, &vocabulary))
            .unwrap_or_default();
        let said = said(&reason.text, &vocabulary);
        let item = &material.dataset.items[reason.item as usize];
        let of_item = said.item.iter().filter(|claim| holds(item, claim)).count();
        let of_reader = said.taste.iter().filter(|claim| reader.contains(claim));
        counted.push(Claims {
            item: reason.item as usize,
            supported: of_item + of_reader.count(),
            of_item,
            named: said.item.len() + said.taste.len(),
        });
    }
    Ok(Variant {
        name: name.to_owned(),
        ranks,
        claims: counted,
        reasons: texts
            .reasons
            .entries()
            .iter()
            .map(|one| one.text.clone())
            .collect(),
    })
}

/// The verdict; the first variant is the one with full text.
pub fn judge(variants: &[Variant], ids_only: &[u32], seed: u64) -> Verdict {
    let (mut conditions, mut numbers) = (Vec::new(), Vec::new());
    let full = variants.first().map_or(&[][..], |one| one.ranks.as_slice());
    let full = metric_of(Metric::Ndcg(10), full);
    let margin = -MARGIN * mean_of(&full, seed).mean;
    let without = metric_of(Metric::Ndcg(10), ids_only);
    for (index, variant) in variants.iter().enumerate() {
        let ndcg = metric_of(Metric::Ndcg(10), &variant.ranks);
        let users = ndcg.len();
        if index > 0 {
            let name = format!("{} − full text, NDCG@10", variant.name);
            conditions.push(Condition::above(
                &name,
                paired(&ndcg, &full, seed),
                users,
                margin,
            ));
        }
        let mut measured = |name: &str, value: Estimate, n: usize| {
            numbers.push(Number::measured(&variant.name, name, value, n))
        };
        measured("ndcg@10", mean_of(&ndcg, seed), users);
        measured(
            "hr@10",
            mean_of(&metric_of(Metric::Recall(10), &variant.ranks), seed),
            users,
        );
        measured(
            "ndcg@10: texts − ids only",
            paired(&ndcg, &without, seed),
            users,
        );
        text_numbers(&mut numbers, variant, seed);
    }
    numbers.push(Number::measured(
        "ids only",
        "ndcg@10",
        mean_of(&without, seed),
        without.len(),
    ));
    let outcome = Verdict::joint(&conditions);
    Verdict {
        check: "sparse-text".into(),
        outcome,
        sentence: sentence(outcome, &conditions, margin),
        compared: format!(
            "patterns and reasons written by the run's aligned model from prompts that show everything, no titles, and neither \
             titles nor attributes; a reward model trained on each with the same settings; ranks of the same {} users' held-out \
             items in the full catalogue, before any correction, paired over users",
            full.len()
        ),
        conditions,
        numbers,
        notes: vec![
            "The language model was aligned on prompts that show everything; one aligned on poor text from the start may do \
             better. One training of each reward model: another seed moves the numbers too."
                .into(),
            "What a reason claims is held against the item's real metadata, which the poorer prompts did not show. A claim \
             counts as supported if the item holds it or the pattern in the prompt names it."
                .into(),
        ],
    }
}

fn text_numbers(numbers: &mut Vec<Number>, variant: &Variant, seed: u64) {
    let rate = |part: fn(&Claims) -> usize| -> (Estimate, usize) {
        // One value per claim, clustered by item: a share of claims, not a mean of shares.
        let mut values = Vec::new();
        for one in &variant.claims {
            let held = part(one);
            values.extend((0..one.named).map(|at| (one.item, f64::from(u8::from(at < held)))));
        }
        (clustered(&values, seed), values.len())
    };
    for (name, part) in [
        (
            "claims that the item's metadata holds",
            (|one| one.of_item) as fn(&Claims) -> usize,
        ),
        ("claims held by item or pattern", |one| one.supported),
    ] {
        let (value, n) = rate(part);
        numbers.push(Number::measured(&variant.name, name, value, n));
    }
    let naming: Vec<(usize, f64)> = variant
        .claims
        .iter()
        .map(|one| (one.item, f64::from(u8::from(one.of_item > 0))))
        .collect();
    let name = "reasons that name something true of the item";
    numbers.push(Number::measured(
        &variant.name,
        name,
        clustered(&naming, seed),
        naming.len(),
    ));
    let words = split(variant.reasons.iter().map(String::as_str));
    let mut exact = |name: &str, value: f64| {
        numbers.push(Number::exact(&variant.name, name, value, words.len()))
    };
    for (name, value) in [
        ("unique reasons", unique(&words)),
        ("Distinct-1 of reasons", distinct(&words, 1)),
        ("Distinct-2 of reasons", distinct(&words, 2)),
    ] {
        exact(name, value.unwrap_or_default());
    }
}

fn sentence(outcome: Outcome, conditions: &[Condition], margin: f64) -> String {
    let told: Vec<String> = conditions
        .iter()
        .map(|one| {
            let Estimate { mean, low, high } = one.value;
            format!("{} {mean:+.4} [{low:+.4}, {high:+.4}]", one.name)
        })
        .collect();
    let told = told.join("; ");
    match outcome {
        Outcome::Pass => format!(
            "The ranking holds on poor text, within {:.4}: {told}.",
            -margin
        ),
        Outcome::Fail => format!("The ranking does not hold on poor text: {told}."),
        Outcome::NotDecidable => format!(
            "Whether the ranking holds on poor text, within {:.4}, cannot be told: {told}.",
            -margin
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(name: &str, rank: u32, of_item: usize) -> Variant {
        Variant {
            name: name.into(),
            ranks: vec![rank; 50],
            claims: vec![
                Claims {
                    item: 0,
                    supported: 2,
                    of_item,
                    named: 3,
                },
                Claims {
                    item: 1,
                    supported: 1,
                    of_item: 0,
                    named: 1,
                },
            ],
            reasons: vec!["calm noir".into(), "calm noir".into()],
        }
    }

    #[test]
    fn a_ranking_that_holds_passes_and_one_that_falls_fails() {
        let found = judge(
            &[
                variant("full text", 3, 2),
                variant("a", 3, 1),
                variant("b", 3, 0),
            ],
            &[9; 50],
            1,
        );
        assert_eq!(found.outcome, Outcome::Pass, "{found}");
        let found = judge(
            &[
                variant("full text", 3, 2),
                variant("a", 3, 1),
                variant("b", 4, 0),
            ],
            &[9; 50],
            1,
        );
        assert_eq!(found.outcome, Outcome::Fail, "{found}");
        // 1 / log₂ 5 − 1 / log₂ 4
        assert!((found.conditions[1].value.mean - (1.0 / 5f64.log2() - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn claims_are_shares_of_all_that_is_claimed() {
        let found = judge(&[variant("full text", 3, 2)], &[9; 50], 1);
        let number = |name: &str| {
            found
                .numbers
                .iter()
                .find(|one| one.name == name)
                .unwrap()
                .value
                .mean
        };
        assert_eq!(number("claims that the item's metadata holds"), 0.5);
        assert_eq!(number("claims held by item or pattern"), 0.75);
        assert_eq!(number("reasons that name something true of the item"), 0.5);
        assert_eq!(number("unique reasons"), 0.5);
        assert_eq!(found.outcome, Outcome::NotDecidable);
    }

    #[test]
    fn a_copied_stage_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::create_dir_all(from.join("model")).unwrap();
        std::fs::write(from.join("model/weights"), "w").unwrap();
        std::fs::write(from.join("stage.json"), "{}").unwrap();
        // What an earlier attempt left is replaced.
        std::fs::create_dir_all(to.join("old")).unwrap();
        copy_stage(&from, &to).unwrap();
        assert_eq!(
            std::fs::read_to_string(to.join("model/weights")).unwrap(),
            "w"
        );
        assert!(to.join("stage.json").exists() && !to.join("old").exists());
    }
}
