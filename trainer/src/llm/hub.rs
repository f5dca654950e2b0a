//! `hf:OWNER/NAME`: model folders of the Hugging Face hub, through the hub's own cache.
//!
//! Downloads show progress and resume; what is in the cache is not asked for again. `HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`
//! and `HF_HUB_OFFLINE` mean what they mean to Python's huggingface_hub.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::checkpoint::{HeaderError, read_header};

const PREFIX: &str = "hf:";
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
/// What stands beside configuration and weights: what curec needs, and what it can do without. (Never
/// `generation_config.json`: what it says about sampling is not for training.)
const NEEDED: &str = "tokenizer.json";
const WELCOME: [&str; 2] = ["tokenizer_config.json", "chat_template.jinja"];

/// Why a model of the hub is not there.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not a name of the hub.
    #[error(
        "`{0}` is no model of the hub; write hf:OWNER/NAME or hf:OWNER/NAME@REVISION, such as hf:Qwen/Qwen2.5-0.5B-Instruct"
    )]
    Name(String),
    /// The hub does not know it, or does not show it to everybody.
    #[error(
        "the hub has no {file} in {name}: check the name; a private or gated model needs a token in HF_TOKEN"
    )]
    NotThere {
        /// The model.
        name: String,
        /// The file.
        file: String,
    },
    /// Told to stay offline, and the cache does not have it.
    #[error("{name}: {file} is not in the cache ({cache}), and HF_HUB_OFFLINE forbids to fetch it")]
    Offline {
        /// The model.
        name: String,
        /// The file.
        file: String,
        /// Where the cache is.
        cache: PathBuf,
    },
    /// No connection, or one that broke.
    #[error(
        "{name}: cannot fetch {file} ({problem}). What has arrived is kept, and the same command goes on from there. Without internet, \
         fetch the model elsewhere and give its folder: --model DIR"
    )]
    Unreachable {
        /// The model.
        name: String,
        /// The file.
        file: String,
        /// The library's words.
        problem: String,
    },
    /// The index of sharded weights cannot be read.
    #[error("{path}: {problem}")]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Whether a `--model` names a model of the hub and not a folder.
pub fn is_remote(model: &Path) -> bool {
    model.to_str().is_some_and(|text| text.starts_with(PREFIX))
}

/// The folder of a `--model`: itself, or that of a model of the hub once it has been fetched.
///
/// # Errors
/// [`HubError`].
pub fn resolve(model: &Path) -> Result<PathBuf, HubError> {
    match model.to_str().and_then(|text| text.strip_prefix(PREFIX)) {
        Some(name) => Fetch::new(name)?.folder(),
        None => Ok(model.to_owned()),
    }
}

struct Fetch {
    name: String,
    cache: Cache,
    cached: CacheRepo,
    remote: Option<ApiRepo>,
}

impl Fetch {
    fn new(name: &str) -> Result<Self, HubError> {
        let wrong = || HubError::Name(format!("{PREFIX}{name}"));
        let (model, revision) = name.split_once('@').unwrap_or((name, "main"));
        let part = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.chars().all(allowed) && !text.contains("..")
        };
        let (owner, short) = model.split_once('/').ok_or_else(wrong)?;
        if !part(owner) || !part(short) || revision.is_empty() {
            return Err(wrong());
        }
        let repo = Repo::with_revision(model.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::from_env();
        let offline =
            std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| !value.is_empty() && value != "0");
        let remote = if offline {
            None
        } else {
            let token = std::env::var("HF_TOKEN")
                .ok()
                .filter(|token| !token.is_empty());
            let mut builder = ApiBuilder::from_env().with_progress(true);
            if token.is_some() {
                builder = builder.with_token(token);
            }
            let api = builder.build();
            let api = api.map_err(|error| HubError::Unreachable {
                name: name.to_owned(),
                file: "anything".to_owned(),
                problem: error.to_string(),
            })?;
            Some(api.repo(repo.clone()))
        };
        Ok(Self {
            name: format!("{PREFIX}{name}"),
            cached: cache.repo(repo),
            cache,
            remote,
        })
    }

    fn folder(&self) -> Result<PathBuf, HubError> {
        let config = self.file("config.json")?;
        self.file(NEEDED)?;
        for file in WELCOME {
            self.optional(file)?;
        }
        for shard in self.shards()? {
            self.file(&shard)?;
        }
        Ok(config.parent().unwrap_or(Path::new("")).to_owned())
    }

    /// Names of the weight files: those of the index, or the single one.
    fn shards(&self) -> Result<Vec<String>, HubError> {
        let Some(path) = self.optional(INDEX)? else {
            return Ok(vec![SINGLE.to_owned()]);
        };
        let bad = |problem: String| HubError::Index {
            path: path.clone(),
            problem,
        };
        let text = std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
        let index: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let map = index["weight_map"].as_object();
        let map = map.ok_or_else(|| bad("no weight_map".to_owned()))?;
        let files = map
            .values()
            .filter_map(|file| file.as_str().map(str::to_owned));
        let mut files: Vec<String> = files.collect();
        files.sort();
        files.dedup();
        if files.iter().any(|file| file.contains(['/', '\\'])) {
            return Err(bad("it names a file outside the model's folder".to_owned()));
        }
        Ok(files)
    }

    /// A file that a model can do without. Weights are fetched last, so where they are in the cache everything else was
    /// asked for before: then a hub that cannot be reached is not needed.
    fn optional(&self, file: &str) -> Result<Option<PathBuf>, HubError> {
        let fetched = || {
            [SINGLE, INDEX]
                .into_iter()
                .any(|one| self.cached.get(one).is_some())
        };
        match self.file(file) {
            Ok(path) => Ok(Some(path)),
            Err(HubError::NotThere { .. } | HubError::Offline { .. }) => Ok(None),
            Err(HubError::Unreachable { .. }) if fetched() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn file(&self, file_name: &str) -> Result<PathBuf, HubError> {
        if let Some(path) = self.cached.get(file_name) {
            return Ok(path);
        }
        let (name, file) = (self.name.clone(), file_name.to_owned());
        let Some(remote) = &self.remote else {
            let cache = self.cache.path().to_owned();
            return Err(HubError::Offline { name, file, cache });
        };
        let found = remote.download(&file).map_err(|error| match error {
            ApiError::RequestError(error) => match *error {
                ureq2::Error::Status(401 | 403 | 404, _) => HubError::NotThere { name, file },
                error => HubError::Unreachable {
                    name,
                    file,
                    problem: error.to_string(),
                },
            },
            error => HubError::Unreachable {
                name,
                file,
                problem: error.to_string(),
            },
        })?;
        self.whole(found, file_name)
    }

    /// The library takes a connection that ended early for the end of the file. Weights know their length: what is cut goes
    /// back to where the library resumes from, and is never read as whole.
    fn whole(&self, path: PathBuf, file: &str) -> Result<PathBuf, HubError> {
        if path
            .extension()
            .is_none_or(|ending| ending != "safetensors")
        {
            return Ok(path);
        }
        let Err(HeaderError::Length { bytes, expected }) = read_header(&path) else {
            return Ok(path);
        };
        if let Ok(blob) = path.canonicalize() {
            // What cannot be put back is fetched again from the start.
            let _ = std::fs::rename(&blob, blob.with_extension("part"));
        }
        let _ = std::fs::remove_file(&path);
        Err(HubError::Unreachable {
            name: self.name.clone(),
            file: file.to_owned(),
            problem: format!("the connection ended after {bytes} of {expected} bytes"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stay_folders_and_names_are_looked_at() {
        assert!(!is_remote(Path::new("models/qwen")) && is_remote(Path::new("hf:a/b")));
        assert_eq!(
            resolve(Path::new("models/qwen")).unwrap(),
            Path::new("models/qwen")
        );
        for name in ["qwen", "a/b/c", "/b", "a/", "a/b@", "a/../b", "a b/c"] {
            let error = resolve(Path::new(&format!("hf:{name}"))).unwrap_err();
            assert!(matches!(error, HubError::Name(_)), "{name}: {error}");
            assert!(error.to_string().contains("hf:Qwen/"), "{error}");
        }
    }
}
