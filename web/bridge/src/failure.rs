//! What a promise rejects with: `{kind, message, file?}`.

use curec_shared_model::artefact::ArtefactError;
use curec_shared_model::scorer::ScoreError;
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// An error on its way to the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    kind: String,
    message: String,
    file: Option<String>,
}

impl Failure {
    /// Of a kind that the page knows by name.
    pub fn new(kind: &str, message: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.to_owned(),
            file: None,
        }
    }

    /// The caller asked for something that does not exist.
    pub fn usage(message: &str) -> Self {
        Self::new("bad-call", message)
    }

    /// WebGPU did not start.
    pub fn device(message: &str) -> Self {
        Self::new("device", &format!("WebGPU did not start: {message}"))
    }

    /// The program itself failed. The page takes it for the trap that follows, and needs a new instance.
    pub fn panic(message: &str) -> Self {
        Self::new("panic", &format!("the scorer crashed: {message}"))
    }
}

impl From<ArtefactError> for Failure {
    fn from(error: ArtefactError) -> Self {
        Self {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            file: error.file().map(str::to_owned),
        }
    }
}

impl From<ScoreError> for Failure {
    fn from(error: ScoreError) -> Self {
        Self {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            file: None,
        }
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let object = Object::new();
        let set = |name: &str, value: &str| {
            // Setting a property of a fresh object cannot fail.
            let _ = Reflect::set(&object, &name.into(), &value.into());
        };
        set("kind", &failure.kind);
        set("message", &failure.message);
        if let Some(file) = &failure.file {
            set("file", file);
        }
        object.into()
    }
}
