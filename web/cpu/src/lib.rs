//! The in-browser scorer on the CPU (METHOD §4): a thin face over [`curec_shared_model::scorer`], made to run in a worker.
//!
//! It takes bytes that the page fetched, checks them, and answers with plain objects. It fetches nothing, draws nothing and
//! computes no score of its own. A taste, a probe and the rest are what `curec_shared_model::scorer` says they are.

use std::cell::RefCell;
use std::rc::Rc;

use curec_shared_model::artefact::Comparison;
use curec_shared_model::scorer::probe::Coalitions;
use curec_shared_model::scorer::{InParts, ScoreError, Scorer as Model, Taste};
use curec_web_bridge::{Answers, Failure, artefact, bytes_of, now, parsed, plain, promise};
use js_sys::{Float32Array, Map, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface Taste {
  viewer: number | null; history: { item: number; position: number | null }[];
  pattern: number | null; written?: number[]; muted: { item: number; reason: number }[];
}
/** What every promise rejects with. */
export interface Failure { kind: string; message: string; file?: string }
"#;

/// A loaded artefact, ready to score.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Scorer {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    answers: Answers,
    /// Of the last taste that was probed: its items are looked at one after another.
    coalitions: RefCell<Option<(Taste, Rc<Coalitions>)>>,
    /// The taste whose catalogue is being scored in parts.
    in_parts: RefCell<Option<Rc<InParts>>>,
}

impl Inner {
    /// `anew`: nothing that was prepared before is of use.
    fn in_parts(&self, taste: &Taste, anew: bool) -> Result<Rc<InParts>, ScoreError> {
        if let Some(known) = &*self.in_parts.borrow()
            && !anew
            && known.taste() == taste
        {
            return Ok(known.clone());
        }
        let begun = Rc::new(self.answers.model().in_parts(taste)?);
        *self.in_parts.borrow_mut() = Some(begun.clone());
        Ok(begun)
    }

    fn coalitions(&self, taste: &Taste) -> Result<Rc<Coalitions>, ScoreError> {
        if let Some((known, found)) = &*self.coalitions.borrow()
            && known == taste
        {
            return Ok(found.clone());
        }
        let found = Rc::new(self.answers.model().coalitions(taste)?);
        *self.coalitions.borrow_mut() = Some((taste.clone(), found.clone()));
        Ok(found)
    }
}

/// Runs once, when the module starts.
#[wasm_bindgen(start)]
pub fn start() {
    promise::install_panic_hook();
}

/// Checks and parses what other models of the run recommend; `files` holds `comparison.json` and what it is about: catalogue, users
/// and reasons.
#[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
pub fn comparison(
    #[wasm_bindgen(js_name = manifestJson)] manifest_json: String,
    #[wasm_bindgen(unchecked_param_type = "Map<string, Uint8Array>")] files: Map,
) -> Promise {
    promise::run(async move { plain(&Comparison::from_files(&manifest_json, &bytes_of(&files)?)?) })
}

#[wasm_bindgen]
impl Scorer {
    /// Checks the files of an artefact and loads it.
    #[wasm_bindgen(unchecked_return_type = "Promise<Scorer>")]
    pub fn load(
        #[wasm_bindgen(js_name = manifestJson)] manifest_json: String,
        #[wasm_bindgen(unchecked_param_type = "Map<string, Uint8Array>")] files: Map,
    ) -> Promise {
        promise::run(async move {
            let model = Model::on_cpu(&artefact(&manifest_json, &files)?)?;
            let inner = Rc::new(Inner {
                answers: Answers::new(model),
                coalitions: RefCell::new(None),
                in_parts: RefCell::new(None),
            });
            Ok(Self { inner }.into())
        })
    }

    /// A stored viewer's own taste.
    #[wasm_bindgen(unchecked_return_type = "Promise<Taste>")]
    pub fn taste(&self, viewer: u32) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { plain(&inner.answers.model().taste(viewer)?) })
    }

    /// The `count` best items that were not taken, explained; with `before`, each with its rank for that taste.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn recommend(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        count: u32,
        #[wasm_bindgen(unchecked_param_type = "Taste | null")] before: JsValue,
    ) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { inner.answers.recommend(taste, count, before).await })
    }

    /// The score of every item of the catalogue, taken ones included.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn scores(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
    ) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { inner.answers.scores(taste).await })
    }

    /// How many milliseconds scoring the whole catalogue takes now, whatever is kept.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn measure(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
    ) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { inner.answers.measure(taste).await })
    }

    /// Number of items of the catalogue.
    pub fn items(&self) -> u32 {
        self.inner.answers.model().items()
    }

    /// Whether the next list for this taste needs no scoring.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn knows(&self, #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue) -> Promise {
        self.answer(taste, |inner, taste| Ok(inner.answers.knows(&taste).into()))
    }

    /// Scores of some items, for `join`; `anew`: the first part of a scoring.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn part(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        first: u32,
        end: u32,
        anew: bool,
    ) -> Promise {
        self.answer(taste, move |inner, taste| {
            let begun = inner.in_parts(&taste, anew)?;
            let found = inner.answers.model().part(&begun, first..end)?;
            Ok(Float32Array::from(found.as_slice()).into())
        })
    }

    /// Joins all parts of a scoring that began at `since`, in the order of their items, and keeps the scores for the next list if that is
    /// wanted; how many milliseconds all of it took.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn join(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        parts: Vec<Float32Array>,
        since: f64,
        keep: bool,
    ) -> Promise {
        self.answer(taste, move |inner, taste| {
            let begun = inner.in_parts(&taste, false)?;
            let parts: Vec<Vec<f32>> = parts.iter().map(Float32Array::to_vec).collect();
            let scores = inner.answers.model().joined(&begun, &parts)?;
            let milliseconds = now() - since;
            if keep {
                inner.answers.keep(taste, scores, milliseconds);
            }
            Ok(milliseconds.into())
        })
    }

    /// One item's score taken apart.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn probe(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        item: u32,
    ) -> Promise {
        self.answer(taste, move |inner, taste| {
            let found = inner.coalitions(&taste)?;
            plain(&inner.answers.model().probe(&taste, &found, item)?)
        })
    }

    /// For each of some items the past events whose absence changes its score most.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn carriers(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        items: Vec<u32>,
    ) -> Promise {
        self.answer(taste, move |inner, taste| {
            plain(&inner.answers.model().carriers(&taste, &items)?)
        })
    }

    /// A few events, `limit` at most, each of them needed, without which another item would be first.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn counterfactual(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Taste")] taste: JsValue,
        limit: u32,
    ) -> Promise {
        self.answer(taste, move |inner, taste| {
            plain(
                &inner
                    .answers
                    .model()
                    .counterfactual(&taste, limit as usize)?,
            )
        })
    }

    /// The stored viewer who took most of these items.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn nearest(&self, items: Vec<u32>) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { plain(&inner.answers.model().nearest(&items)?) })
    }
}

impl Scorer {
    fn answer(
        &self,
        taste: JsValue,
        question: impl FnOnce(&Inner, Taste) -> Result<JsValue, Failure> + 'static,
    ) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move { question(&inner, parsed(taste, "taste")?) })
    }
}
