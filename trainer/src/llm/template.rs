//! A checkpoint's own chat template, rendered as transformers renders it: Jinja with `trim_blocks` and `lstrip_blocks`,
//! Python's string methods, `raise_exception`.

use std::path::{Path, PathBuf};

use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::{Value, json};

use crate::text::Turn;

/// ChatML without a default system turn: what a nano model has, and a checkpoint that brings no template.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Files of a model folder that may hold a template.
const TEMPLATE_FILE: &str = "chat_template.jinja";
const CONFIG_FILE: &str = "tokenizer_config.json";

const NAME: &str = "chat_template";

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The template is not valid Jinja.
    #[error("the chat template cannot be read: {0}")]
    Syntax(String),
    /// The template refuses these turns, or uses what this engine does not have.
    #[error("the chat template refuses this chat: {0}")]
    Render(String),
}

/// A parsed template with the special tokens that it may name.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    config: Value,
}

impl ChatTemplate {
    /// ChatML as a nano model speaks it.
    pub fn chatml() -> Self {
        let config = json!({
            "tokenizer_class": "Qwen2Tokenizer",
            "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "model_max_length": 32768,
            "chat_template": CHATML,
        });
        match Self::parse(CHATML, config) {
            Ok(template) => template,
            Err(_) => unreachable!("a constant that the tests render"),
        }
    }

    /// The template of a model folder: `chat_template.jinja`, else that of `tokenizer_config.json`, else ChatML.
    ///
    /// # Errors
    /// [`TemplateError`] names the file.
    pub fn of_folder(folder: &Path) -> Result<Self, TemplateError> {
        let Some(config) = read(&folder.join(CONFIG_FILE))? else {
            return Ok(Self::chatml());
        };
        let bad = |problem: String| TemplateError::Format {
            path: folder.join(CONFIG_FILE),
            problem,
        };
        let config: Value =
            serde_json::from_str(&config).map_err(|error| bad(error.to_string()))?;
        let (file, source) = match read(&folder.join(TEMPLATE_FILE))? {
            Some(source) => (TEMPLATE_FILE, source),
            None => (CONFIG_FILE, plain_template(&config).map_err(bad)?),
        };
        Self::parse(&source, config).map_err(|error| TemplateError::Format {
            path: folder.join(file),
            problem: error.to_string(),
        })
    }

    /// Parses a template; `config` is what stands in `tokenizer_config.json` beside it.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`].
    pub fn parse(source: &str, config: Value) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<(), Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        let added = environment.add_template_owned(NAME, source.to_owned());
        added.map_err(|error| TemplateError::Syntax(format!("{error:#}")))?;
        Ok(Self {
            environment,
            config,
        })
    }

    /// The text of a chat, with the header of the assistant's answer where it is to be `continued`.
    ///
    /// # Errors
    /// [`TemplateError::Render`].
    pub fn render(&self, turns: &[Turn], continued: bool) -> Result<String, TemplateError> {
        let refused = |error: Error| TemplateError::Render(format!("{error:#}"));
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let messages: Vec<Value> = turns
            .iter()
            .map(|turn| json!({"role": turn.role.name(), "content": turn.content}))
            .collect();
        let token = |name: &str| match &self.config[name] {
            Value::String(token) => token.clone(),
            // Written with its properties.
            added => added["content"].as_str().unwrap_or_default().to_owned(),
        };
        let rendered = template.render(context! {
            messages, add_generation_prompt => continued,
            bos_token => token("bos_token"), eos_token => token("eos_token"),
            pad_token => token("pad_token"), unk_token => token("unk_token"),
        });
        rendered.map_err(refused)
    }

    /// `tokenizer_config.json` with the template in it.
    pub fn config_json(&self) -> Value {
        let mut config = self.config.clone();
        if let Ok(template) = self.environment.get_template(NAME) {
            config["chat_template"] = json!(template.source());
        }
        config
    }
}

/// The template for plain chats in `tokenizer_config.json`, or what is wrong with it.
fn plain_template(config: &Value) -> Result<String, String> {
    match &config["chat_template"] {
        Value::Null => Ok(CHATML.to_owned()),
        Value::String(source) => Ok(source.clone()),
        // Several by name.
        Value::Array(named) => named
            .iter()
            .find(|one| one["name"] == "default")
            .and_then(|one| one["template"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| "chat_template has none named \"default\"".to_owned()),
        _ => Err("chat_template is neither text nor a list".to_owned()),
    }
}

/// The text of a file; a file that is not there is no error.
fn read(path: &Path) -> Result<Option<String>, TemplateError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TemplateError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Role;

    fn turn(role: Role, content: &str) -> Turn {
        Turn {
            role,
            content: content.to_owned(),
        }
    }

    #[test]
    fn chatml_is_spelled_out() {
        let turns = [turn(Role::System, "Be brief."), turn(Role::User, "Hi")];
        let found = ChatTemplate::chatml().render(&turns, true).unwrap();
        let known = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(found, known);
        let closed = ChatTemplate::chatml().render(&turns, false).unwrap();
        assert_eq!(closed + "<|im_start|>assistant\n", known);
    }

    #[test]
    fn blocks_are_trimmed_and_python_s_methods_are_known() {
        let source = "{% for message in messages %}\n    {% if message.role == 'user' %}\n[{{ message.content.strip().upper() }}]\n    {% endif %}\n{% endfor %}\n{{ bos_token }}";
        let config = json!({"bos_token": {"content": "<s>", "lstrip": false}});
        let template = ChatTemplate::parse(source, config).unwrap();
        let found = template.render(&[turn(Role::User, " hi ")], true).unwrap();
        assert_eq!(found, "[HI]\n<s>");
    }

    #[test]
    fn a_folder_s_template_is_found_where_it_may_stand() {
        let folder = tempfile::tempdir().unwrap();
        let found = || {
            let template = ChatTemplate::of_folder(folder.path())?;
            template.render(&[turn(Role::User, "x")], false)
        };
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert!(found().unwrap().starts_with("<|im_start|>user"));
        write(CONFIG_FILE, r#"{"eos_token": "</s>"}"#);
        assert!(found().unwrap().starts_with("<|im_start|>user"));
        write(
            CONFIG_FILE,
            r#"{"eos_token": "</s>", "chat_template": "one{{ eos_token }}"}"#,
        );
        assert_eq!(found().unwrap(), "one</s>");
        write(
            CONFIG_FILE,
            r#"{"chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "two"}]}"#,
        );
        assert_eq!(found().unwrap(), "two");
        write(TEMPLATE_FILE, "three");
        assert_eq!(found().unwrap(), "three");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let found = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            let template = ChatTemplate::of_folder(folder.path());
            let rendered = template.and_then(|one| one.render(&[turn(Role::User, "x")], true));
            rendered.unwrap_err().to_string()
        };
        assert!(found(CONFIG_FILE, "{").contains(CONFIG_FILE));
        assert!(found(CONFIG_FILE, r#"{"chat_template": []}"#).contains("default"));
        assert!(found(CONFIG_FILE, r#"{"chat_template": 3}"#).contains("neither"));
        let broken = r#"{"chat_template": "{% if %}"}"#;
        assert!(found(CONFIG_FILE, broken).contains(CONFIG_FILE));
        std::fs::write(folder.path().join(CONFIG_FILE), "{}").unwrap();
        assert!(found(TEMPLATE_FILE, "{% if %}").contains(TEMPLATE_FILE));
    }

    #[test]
    fn a_template_s_own_refusal_and_broken_syntax_are_told_apart() {
        let broken = ChatTemplate::parse("{% if %}", json!({})).unwrap_err();
        assert!(matches!(broken, TemplateError::Syntax(_)), "{broken}");
        let source = "{{ raise_exception('roles must alternate') }}";
        let template = ChatTemplate::parse(source, json!({})).unwrap();
        let refused = template.render(&[], true).unwrap_err();
        assert!(
            refused.to_string().contains("roles must alternate"),
            "{refused}"
        );
        assert!(matches!(refused, TemplateError::Render(_)));
    }
}
