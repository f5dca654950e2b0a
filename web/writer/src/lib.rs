//! The in-browser writer: a thin face over [`curec_shared_model::writer`], made to run in a worker.
//!
//! A draft is advanced a token at a time, so that the worker can tell the page how far it is, and take another request between two
//! tokens.

use std::cell::RefCell;
use std::rc::Rc;

use curec_shared_model::artefact::WriterPart;
use curec_shared_model::writer::{Draft as Text, Writer as Model, WriterError};
use curec_web_bridge::{Failure, bytes_of, plain, promise};
use js_sys::{Map, Promise};
// Named here so that cargo builds it with what it needs in a browser.
use tokenizers as _;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Where a text stands; `written` once it is finished. */
export interface Standing {
  text: string; attempt: number;
  written: { text: string; flaws: number; unheld: number; attempts: number; tokens: number; vector?: number[] } | null;
}
/** What every promise rejects with. */
export interface Failure { kind: string; message: string; file?: string }
"#;

/// The language model of an artefact, ready to write.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Writer {
    model: Model,
}

/// A text that is being written.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Draft {
    text: Rc<RefCell<Text>>,
}

/// Runs once, when the module starts.
#[wasm_bindgen(start)]
pub fn start() {
    promise::install_panic_hook();
}

fn failure(error: &WriterError) -> Failure {
    Failure::new(error.kind(), &error.to_string())
}

#[wasm_bindgen]
impl Writer {
    /// Checks the files of the writer, and the catalogue, against the artefact's manifest and loads them.
    #[wasm_bindgen(unchecked_return_type = "Promise<Writer>")]
    pub fn load(
        #[wasm_bindgen(js_name = manifestJson)] manifest_json: String,
        #[wasm_bindgen(unchecked_param_type = "Map<string, Uint8Array>")] files: Map,
    ) -> Promise {
        promise::run(async move {
            let (part, items) = WriterPart::from_files(&manifest_json, &bytes_of(&files)?)?;
            let model = Model::new(&part, &items).map_err(|error| failure(&error))?;
            Ok(Self { model }.into())
        })
    }

    /// Begins the pattern of someone with this history, oldest first.
    #[wasm_bindgen(unchecked_return_type = "Promise<Draft>")]
    pub fn pattern(&self, history: Vec<u32>, seed: u32) -> Promise {
        self.begin(move |model| model.pattern(&history, seed.into()))
    }

    /// Begins a reason for an item from the side of someone with this pattern, unlike the others that it has.
    #[wasm_bindgen(unchecked_return_type = "Promise<Draft>")]
    pub fn reason(
        &self,
        pattern: Option<String>,
        item: u32,
        others: Vec<String>,
        seed: u32,
    ) -> Promise {
        self.begin(move |model| model.reason(pattern.as_deref(), item, others, seed.into()))
    }
}

impl Writer {
    fn begin(
        &self,
        question: impl FnOnce(&Model) -> Result<Text, WriterError> + 'static,
    ) -> Promise {
        let model = self.model.clone();
        promise::run(async move {
            let text = question(&model).map_err(|error| failure(&error))?;
            let text = Rc::new(RefCell::new(text));
            Ok(Draft { text }.into())
        })
    }
}

#[wasm_bindgen]
impl Draft {
    /// One token more.
    #[wasm_bindgen(unchecked_return_type = "Promise<Standing>")]
    pub fn advance(&self) -> Promise {
        let text = self.text.clone();
        promise::run(async move {
            let standing = text.borrow_mut().advance();
            plain(&standing.map_err(|error| failure(&error))?)
        })
    }
}
