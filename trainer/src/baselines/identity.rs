//! What a model's name says of its settings. With another loss, another architecture or other texts it would be another model, and its
//! numbers would stand under a wrong name.

use toml::{Table, Value};

use super::error::BaselineError;
use super::registry::Model;

/// A setting, `a.b` for field `b` of table `a`, and its value.
type Bound = (&'static str, Value);

/// What the command line has a flag for, and what it puts in the place of such a setting.
const FLAGS: [(&str, &str); 2] = [
    ("seed", "--seed"),
    ("validation_users", "--validation-users"),
];

impl Model {
    /// Settings that make it what its name says; where its file leaves one out, this is what is meant.
    fn bound(self) -> Vec<Bound> {
        match self {
            Self::Sasrec => sequential("transformer", "cross_entropy"),
            Self::SasrecBce => {
                let mut bound = sequential("transformer", "binary_cross_entropy");
                bound.push(("loss.negatives", Value::Integer(1)));
                bound
            }
            Self::Gsasrec => sequential("transformer", "generalised"),
            Self::Gru4rec => sequential("gru", "cross_entropy"),
            Self::Din => din(false),
            Self::DinText => {
                let mut bound = din(true);
                bound.push(("model.reasons", Value::Integer(1)));
                bound
            }
            Self::Curec => vec![
                ("random_texts", Value::Boolean(false)),
                ("model.use_ids", Value::Boolean(true)),
                ("model.use_reasons", Value::Boolean(true)),
                ("model.use_patterns", Value::Boolean(true)),
                ("model.use_recency", Value::Boolean(true)),
                ("model.use_product", Value::Boolean(true)),
            ],
            // Their settings have no such switch, or none that another model here is made by; `layers` of the factor models are checked
            // with their values.
            Self::Pop | Self::ItemKnn | Self::BprMf | Self::LightGcn | Self::DinCtr => Vec::new(),
        }
    }

    /// Whether its settings are those of a reward model, which hold what is no setting of a baseline.
    fn is_reward_model(self) -> bool {
        matches!(self, Self::Din | Self::DinText | Self::Curec)
    }
}

fn sequential(architecture: &str, loss: &str) -> Vec<Bound> {
    vec![
        ("architecture", Value::String(architecture.to_owned())),
        ("loss.kind", Value::String(loss.to_owned())),
    ]
}

/// DIN, with texts or without: no encoder, none of this project's additions.
fn din(texts: bool) -> Vec<Bound> {
    vec![
        ("loss", Value::String("binary_cross_entropy".to_owned())),
        ("auxiliary_weight", Value::Float(0.0)),
        ("identity_epochs", Value::Integer(0)),
        ("random_texts", Value::Boolean(false)),
        ("model.layers", Value::Integer(0)),
        ("model.use_recency", Value::Boolean(false)),
        ("model.use_product", Value::Boolean(false)),
        ("model.use_ids", Value::Boolean(true)),
        ("model.use_reasons", Value::Boolean(texts)),
        ("model.use_patterns", Value::Boolean(texts)),
    ]
}

/// Refuses settings, laid over the model's own, that make another model of it.
///
/// # Errors
/// Names the setting, what it is and what it would have to be.
pub(super) fn check(model: Model, settings: &Table) -> Result<(), BaselineError> {
    for (field, expected) in model.bound() {
        let found = look_up(settings, field);
        if let Some(found) = found.filter(|found| !same(found, &expected)) {
            return Err(BaselineError::OtherModel {
                model: model.name(),
                field,
                found: found.to_string(),
                expected: expected.to_string(),
            });
        }
    }
    for (field, flag) in FLAGS {
        if model.is_reward_model() && settings.contains_key(field) {
            return Err(BaselineError::Settings {
                model: model.name(),
                problem: format!("`{field}` is no setting of a baseline; give {flag} instead"),
            });
        }
    }
    Ok(())
}

fn look_up<'t>(table: &'t Table, field: &str) -> Option<&'t Value> {
    let mut names = field.split('.');
    let first = table.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// A file may write 0 for 0.0.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Integer(found), Value::Float(expected)) => *found as f64 == *expected,
        _ => found == expected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::Setup;
    use super::*;

    /// `text` as a settings file laid over those of `model`, and `sets` over it.
    fn over(model: Model, text: &str, sets: &[&str]) -> Result<Setup, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        std::fs::write(&file, text).unwrap();
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Setup::layered(model, Some(&file), &sets).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_model_s_own_settings_are_what_its_name_says() {
        for model in Model::ALL {
            let own = Setup::layered(model, None, &[]).unwrap();
            let read = serde_json::to_value(&own.settings).unwrap();
            for (field, expected) in model.bound() {
                let found = read.pointer(&format!("/{}", field.replace('.', "/")));
                let expected = serde_json::to_value(&expected).unwrap();
                // Not spelled out where it is off.
                let off = field == "random_texts" && found.is_none();
                assert!(off || found == Some(&expected), "{model:?} {field}");
            }
        }
    }

    #[test]
    fn files_of_other_models_are_refused_by_the_setting_that_differs() {
        for (model, of, field) in [
            (Model::Sasrec, Model::Gsasrec, "loss.kind"),
            (Model::Sasrec, Model::SasrecBce, "loss.kind"),
            (Model::Sasrec, Model::Gru4rec, "architecture"),
            (Model::Gsasrec, Model::SasrecBce, "loss.kind"),
            (Model::SasrecBce, Model::Sasrec, "loss.kind"),
            (Model::Din, Model::DinText, "model.use_reasons"),
            (Model::DinText, Model::Din, "model.use_reasons"),
            (Model::Curec, Model::Din, "model.use_reasons"),
            (Model::Curec, Model::DinText, "model.use_recency"),
        ] {
            let message = over(model, of.file(), &[]).unwrap_err();
            for part in ["own.toml", model.name(), &format!("`{field}`")] {
                assert!(message.contains(part), "{model:?} {of:?}: {message}");
            }
        }
        let message = over(Model::Din, "", &["model.use_patterns=true"]).unwrap_err();
        assert!(message.contains("`model.use_patterns`"), "{message}");
        assert!(!message.contains("own.toml"), "{message}");
        let message = over(Model::SasrecBce, "", &["loss.negatives=256"]).unwrap_err();
        assert!(message.contains("`loss.negatives`"), "{message}");
    }

    #[test]
    fn what_makes_no_other_model_may_be_set() {
        for model in Model::ALL {
            over(model, model.file(), &[]).unwrap();
        }
        let whole = "[settings]\nauxiliary_weight = 0\nmodel.use_ids = true";
        over(Model::Din, whole, &["model.width=32"]).unwrap();
        over(Model::Gsasrec, "", &["loss.negatives=64"]).unwrap();
    }

    #[test]
    fn what_a_flag_says_is_no_setting() {
        for (field, flag) in FLAGS {
            let set = format!("{field}=3");
            let message = over(Model::Curec, "", &[set.as_str()]).unwrap_err();
            assert!(message.contains(flag), "{message}");
        }
    }

    /// As `--search` writes them.
    #[test]
    fn what_a_search_chose_is_for_the_model_that_it_searched() {
        let chosen = |model: &str| {
            format!(
                "[chosen]\n{model}trials = 3\ntrial = 2\nobjective = 'validation NDCG@10'\nscore = 0.1\nmeasured_on = 9\nseed = 1\n\
                 data_sha256 = 'x'\n\n[settings]\nwidth = 32\n"
            )
        };
        let own = over(Model::BprMf, &chosen("model = 'bpr-mf'\n"), &[]).unwrap();
        let found = own.chosen.clone().unwrap();
        assert_eq!((found.model, found.trials), (Some(Model::BprMf), 3));
        // Written and read again, it says the same.
        let again = over(Model::BprMf, &own.to_toml().unwrap(), &[]).unwrap();
        assert_eq!(again.chosen, own.chosen);
        // Without a name, as they were.
        let older = over(Model::BprMf, &chosen(""), &[]).unwrap();
        assert_eq!(older.chosen.unwrap().model, None);
        // The settings would do for the other model; they are not what a search chose for it, whatever is set over them.
        let nothing: [&str; 0] = [];
        for sets in [&nothing[..], &["width=64"][..]] {
            let message = over(Model::LightGcn, &chosen("model = 'bpr-mf'\n"), sets).unwrap_err();
            for part in ["own.toml", "bpr-mf", "light-gcn", "[chosen]"] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
