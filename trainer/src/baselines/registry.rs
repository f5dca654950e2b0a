//! The models by name, where their settings come from, and [`fit`], through which every one is trained.
//!
//! A new ranking model is: a variant of [`Model`] and of [`RankingSettings`], a file `configs/baselines/NAME.toml`, and an arm
//! in [`RankingSettings::parse`], `validate`, [`identity`] and [`fit`]. The compiler asks for each.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::ctr::DinConfig;
use super::error::BaselineError;
use super::factors::{self, FactorConfig};
use super::identity;
use super::item_knn::{ItemKnn, ItemKnnConfig};
use super::reward_model::{self, Texts};
use super::search::Space;
use super::sequential::{self, SequentialConfig};
use crate::config::layers;
use crate::data::Dataset;
use crate::evaluation::{Popularity, Ranker};
use crate::fitting::{TrainingEvent, TrainingReport};
use crate::reward::RewardTrainingConfig;

/// The models by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Model {
    /// Items by how often they were taken
    Pop,
    /// Neighbours by cosine with shrinkage (Sarwar et al. 2001)
    ItemKnn,
    /// Matrix factorisation by pairs (Rendle et al. 2009)
    BprMf,
    /// The same, smoothed over the graph of who took what (He et al. 2020)
    LightGcn,
    /// SASRec with cross-entropy over the whole catalogue (Klenitskiy & Vasilev 2023)
    Sasrec,
    /// SASRec as published: binary cross-entropy, one sampled item (Kang & McAuley 2018)
    SasrecBce,
    /// gSASRec: many sampled items, calibrated (Petrov & Macdonald 2023)
    Gsasrec,
    /// GRU4Rec with cross-entropy over the whole catalogue (Hidasi et al. 2016)
    Gru4rec,
    /// DIN as a ranker (Zhou et al. 2018)
    Din,
    /// DIN with frozen text vectors, the shape of KAR (Xi et al. 2023); needs --run
    DinText,
    /// CURec's ranking model on the texts of a run; needs --run
    Curec,
    /// Click model: DIN, whether a rating will be 4 or more (Zhou et al. 2018; has a protocol of its own)
    DinCtr,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 12] = [
        Self::Pop,
        Self::ItemKnn,
        Self::BprMf,
        Self::LightGcn,
        Self::Sasrec,
        Self::SasrecBce,
        Self::Gsasrec,
        Self::Gru4rec,
        Self::Din,
        Self::DinText,
        Self::Curec,
        Self::DinCtr,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pop => "pop",
            Self::ItemKnn => "item-knn",
            Self::BprMf => "bpr-mf",
            Self::LightGcn => "light-gcn",
            Self::Sasrec => "sasrec",
            Self::SasrecBce => "sasrec-bce",
            Self::Gsasrec => "gsasrec",
            Self::Gru4rec => "gru4rec",
            Self::Din => "din",
            Self::DinText => "din-text",
            Self::Curec => "curec",
            Self::DinCtr => "din-ctr",
        }
    }

    /// Its settings file, `configs/baselines/NAME.toml`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Pop => include_str!("../../../configs/baselines/pop.toml"),
            Self::ItemKnn => include_str!("../../../configs/baselines/item-knn.toml"),
            Self::BprMf => include_str!("../../../configs/baselines/bpr-mf.toml"),
            Self::LightGcn => include_str!("../../../configs/baselines/light-gcn.toml"),
            Self::Sasrec => include_str!("../../../configs/baselines/sasrec.toml"),
            Self::SasrecBce => include_str!("../../../configs/baselines/sasrec-bce.toml"),
            Self::Gsasrec => include_str!("../../../configs/baselines/gsasrec.toml"),
            Self::Gru4rec => include_str!("../../../configs/baselines/gru4rec.toml"),
            Self::Din => include_str!("../../../configs/baselines/din.toml"),
            Self::DinText => include_str!("../../../configs/baselines/din-text.toml"),
            Self::Curec => include_str!("../../../configs/baselines/curec.toml"),
            Self::DinCtr => include_str!("../../../configs/baselines/din-ctr.toml"),
        }
    }
}

/// A settings file: what the model is given, what a search may try instead, and the search that it came from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<Chosen>,
    settings: Table,
    #[serde(skip_serializing_if = "Table::is_empty")]
    search: Table,
}

/// The search that chose some settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The model that was searched. None: a file from before this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Trials that were run.
    pub trials: u64,
    /// The best one, 1-based.
    pub trial: u64,
    /// What it is the best by.
    pub objective: String,
    /// Its value.
    pub score: f64,
    /// Users or examples that it is measured on.
    pub measured_on: usize,
    /// Seed of what was drawn, and of every training.
    pub seed: u64,
    /// Hash of the data and their division.
    pub data_sha256: String,
}

impl Chosen {
    /// Itself where it was searched on these data: on others its settings are as good as any file's.
    pub fn on(self, data_sha256: &str) -> Option<Self> {
        (self.data_sha256 == data_sha256).then_some(self)
    }
}

/// A model with its settings and the space a search draws from.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Which model.
    pub model: Model,
    /// As written, merged.
    pub table: Table,
    /// As read.
    pub settings: Settings,
    /// What a search draws.
    pub space: Space,
    /// The same as declared.
    pub declared: Table,
    /// Where the settings were found, if a search found them and nothing was changed since.
    pub chosen: Option<Chosen>,
}

impl Setup {
    /// The model's own file, under `file`, under `sets` (`neighbours=50`).
    ///
    /// # Errors
    /// Names the file, the field or the value that does not work.
    pub fn layered(model: Model, file: Option<&Path>, sets: &[String]) -> anyhow::Result<Self> {
        let mut whole =
            layers::parse(model.file(), &format!("configs/baselines/{}", model.name()))?;
        if let Some(file) = file {
            let mut own = layers::read(file)?;
            // A file that declares a space means that one, not a mixture.
            if own.contains_key("search") {
                whole.remove("search");
            }
            let chosen_for = own.get("chosen").and_then(|chosen| chosen.get("model"));
            if let Some(other) = chosen_for.filter(|other| other.as_str() != Some(model.name())) {
                bail!(
                    "{}: its [chosen] says that a search chose these settings for {other}, not for {}: name that model, or leave \
                     [chosen] out",
                    file.display(),
                    model.name()
                );
            }
            layers::merge(&mut whole, std::mem::take(&mut own));
            if let Some(toml::Value::Table(settings)) = whole.get("settings") {
                let named = || file.display().to_string();
                identity::check(model, settings).with_context(named)?;
                Settings::parse(model, settings).with_context(named)?;
            }
        }
        if !sets.is_empty() {
            whole.remove("chosen");
        }
        for set in sets {
            let set = Table::from_iter([("settings".to_owned(), layers::assignment(set)?.into())]);
            layers::merge(&mut whole, set);
        }
        let problem = |error: toml::de::Error| BaselineError::Settings {
            model: model.name(),
            problem: error.message().to_owned(),
        };
        let File {
            chosen,
            settings,
            search,
        } = whole.try_into().map_err(problem)?;
        let setup = Self {
            model,
            settings: Settings::parse(model, &settings)?,
            table: settings,
            space: Space::parse(&search)?,
            declared: search,
            chosen,
        };
        Ok(setup)
    }

    /// A settings file that says the same, for `--config`.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        let whole = File {
            chosen: self.chosen.clone(),
            settings: self.table.clone(),
            search: Table::new(),
        };
        Ok(toml::to_string_pretty(&whole)?)
    }

    /// The same with `drawn` laid over the settings, which are no longer those of an earlier search.
    ///
    /// # Errors
    /// A drawn name or value that the model does not know.
    pub fn with(&self, drawn: &Table) -> Result<Self, BaselineError> {
        let mut table = self.table.clone();
        layers::merge(&mut table, drawn.clone());
        Ok(Self {
            settings: Settings::parse(self.model, &table)?,
            table,
            chosen: None,
            ..self.clone()
        })
    }
}

/// Settings of any model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Settings {
    /// Of a model that ranks items.
    Ranking(RankingSettings),
    /// Of a click model.
    ClickThrough(DinConfig),
}

/// Settings of a model that ranks items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RankingSettings {
    /// [`Model::ItemKnn`]
    ItemKnn(ItemKnnConfig),
    /// [`Model::BprMf`] and [`Model::LightGcn`]
    Factors(FactorConfig),
    /// [`Model::Sasrec`], [`Model::SasrecBce`], [`Model::Gsasrec`] and [`Model::Gru4rec`]
    Sequential(SequentialConfig),
    /// [`Model::Din`], [`Model::DinText`] and [`Model::Curec`]
    Reward(Box<RewardTrainingConfig>),
    /// [`Model::Pop`]
    Pop(PopConfig),
}

/// Counting has no settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopConfig {}

impl Settings {
    fn parse(model: Model, table: &Table) -> Result<Self, BaselineError> {
        identity::check(model, table)?;
        Ok(match model {
            Model::Pop => Self::Ranking(RankingSettings::Pop(read(model, table)?)),
            Model::ItemKnn => {
                let config: ItemKnnConfig = read(model, table)?;
                config.validate()?;
                Self::Ranking(RankingSettings::ItemKnn(config))
            }
            Model::BprMf | Model::LightGcn => {
                let config: FactorConfig = read(model, table)?;
                config.validate(model == Model::LightGcn)?;
                Self::Ranking(RankingSettings::Factors(config))
            }
            Model::Sasrec | Model::SasrecBce | Model::Gsasrec | Model::Gru4rec => {
                let config: SequentialConfig = read(model, table)?;
                let refuse = |problem| BaselineError::Settings {
                    model: model.name(),
                    problem,
                };
                config.validate().map_err(refuse)?;
                Self::Ranking(RankingSettings::Sequential(config))
            }
            Model::Din | Model::DinText | Model::Curec => {
                let config: RewardTrainingConfig = read(model, table)?;
                config.validate()?;
                Self::Ranking(RankingSettings::Reward(Box::new(config)))
            }
            Model::DinCtr => {
                let config: DinConfig = read(model, table)?;
                config.validate()?;
                Self::ClickThrough(config)
            }
        })
    }
}

fn read<T: DeserializeOwned>(model: Model, table: &Table) -> Result<T, BaselineError> {
    table
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| BaselineError::Settings {
            model: model.name(),
            problem: error.message().to_owned(),
        })
}

/// What every model is trained with.
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    /// Filtered and split.
    pub data: &'a Dataset,
    /// The texts of a run over the same data, for models that read them.
    pub texts: Option<Texts<'a>>,
    /// Where tensors live, without gradients.
    pub device: &'a Device,
    /// Seed of everything random.
    pub seed: u64,
    /// Users whose validation event is ranked (seen items filtered) to choose an epoch: a seeded sample; 0 = all.
    pub validation_users: usize,
    /// Ends the training after the current step.
    pub stop: &'a AtomicBool,
}

/// A trained model.
pub struct Fitted<'a> {
    /// Ranks.
    pub ranker: Box<dyn Ranker + 'a>,
    /// Its epochs, if it has some.
    pub report: Option<TrainingReport>,
    /// Learned values.
    pub parameters: usize,
}

impl<'a> Fitted<'a> {
    /// A model without epochs.
    fn counted(ranker: impl Ranker + 'a, parameters: usize) -> Self {
        Self {
            ranker: Box::new(ranker),
            report: None,
            parameters,
        }
    }
}

/// Trains a model on the training events of `context.data`.
///
/// # Errors
/// Settings that cannot work, nothing to learn from, a loss that diverges, or the stop flag.
pub fn fit<'a>(
    settings: &RankingSettings,
    context: FitContext<'a>,
    observer: &mut dyn FnMut(&TrainingEvent),
) -> Result<Fitted<'a>, BaselineError> {
    let data = context.data;
    if data.train_count() == 0 {
        return Err(BaselineError::NoTraining);
    }
    Ok(match settings {
        RankingSettings::Pop(PopConfig {}) => {
            Fitted::counted(Popularity::new(data), data.items.len())
        }
        RankingSettings::ItemKnn(config) => {
            let model = ItemKnn::new(data, config);
            let parameters = model.similarities();
            Fitted::counted(model, parameters)
        }
        RankingSettings::Sequential(config) => {
            let (ranker, report, parameters) = sequential::ranker(config, context, observer)?;
            Fitted {
                ranker: Box::new(ranker),
                report: Some(report),
                parameters,
            }
        }
        RankingSettings::Reward(config) => {
            let (ranker, report, parameters) = reward_model::fit(config, context, observer)?;
            Fitted {
                ranker,
                report: Some(report),
                parameters,
            }
        }
        RankingSettings::Factors(config) => {
            let (ranker, report, parameters) = factors::fit(config, context, observer)?;
            Fitted {
                ranker: Box::new(ranker),
                report: Some(report),
                parameters,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_readable_and_everything_its_space_draws_is_a_setting() {
        for model in Model::ALL {
            let setup = Setup::layered(model, None, &[]).unwrap();
            for trial in 0..30 {
                setup.with(&setup.space.draw(1, trial)).unwrap();
            }
            let value = model.to_possible_value().unwrap();
            assert_eq!(value.get_name(), model.name());
            assert_eq!(serde_json::to_value(model).unwrap(), model.name());
        }
    }

    #[test]
    fn what_was_chosen_on_other_data_was_not_searched_here() {
        let chosen = Chosen {
            model: Some(Model::ItemKnn),
            trials: 6,
            trial: 3,
            objective: "validation NDCG@10".into(),
            score: 0.5,
            measured_on: 9,
            seed: 1,
            data_sha256: "abc".into(),
        };
        assert_eq!(chosen.clone().on("abc"), Some(chosen.clone()));
        assert_eq!(chosen.on("def"), None);
    }

    #[test]
    fn settings_are_layered_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        std::fs::write(&file, "[settings]\nneighbours = 7\nshrinkage = 3").unwrap();
        let sets = ["shrinkage=4.5".to_owned()];
        let setup = Setup::layered(Model::ItemKnn, Some(&file), &sets).unwrap();
        let expected = ItemKnnConfig {
            neighbours: 7,
            shrinkage: 4.5,
        };
        assert_eq!(
            setup.settings,
            Settings::Ranking(RankingSettings::ItemKnn(expected))
        );
        for (set, part) in [
            ("neigbours=3", "neigbours"),
            ("neighbours=0", "at least 1"),
            ("shrinkage=-1", "not be negative"),
            ("shrinkage=nan", "not be negative"),
        ] {
            let error = Setup::layered(Model::ItemKnn, None, &[set.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        std::fs::write(&file, "neighbours = 7").unwrap();
        let error = Setup::layered(Model::ItemKnn, Some(&file), &[]).unwrap_err();
        assert!(error.to_string().contains("neighbours"), "{error}");
    }
}
