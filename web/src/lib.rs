//! The in-browser scorer (METHOD §4): a thin face over [`curec_shared_model::scorer`], made to run in a worker.
//!
//! It takes bytes that the page fetched, checks them, picks a backend ([`backend`]) and answers with plain objects. It
//! fetches nothing, draws nothing and computes no score of its own.
//!
//! ```text
//! class Scorer {
//!   static load(manifestJson: string, files: Map<string, Uint8Array>, prefer: 'auto'|'cpu'|'webgpu'): Promise<Scorer>
//!   backend(): {used: 'cpu'|'webgpu', adapter: string|null, reason: string}
//!   recommend(user: number, count: number): Promise<{user, milliseconds, scored, held_out: {item, rank, score}|null,
//!     recommendations: [{item, rank, score, reasons: [{index, weight}], history: [{position, item, weight}]}]}>
//!   scores(user: number): Promise<Float32Array>
//! }
//! ```
//! Every promise rejects with `{kind, message, file?}`. A panic, which a WebAssembly module does not survive, rejects all
//! promises that are under way, and every later call, with `kind: 'panic'` ([`promise`]).

mod backend;
mod failure;
mod promise;

use backend::{Backend, Prefer};
use curec_shared_model::artefact::Artefact;
use curec_shared_model::explain::Recommendations;
use curec_shared_model::scorer::Scorer as Model;
use failure::Failure;
use js_sys::{Float32Array, Map, Promise, Uint8Array};
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface Backend { used: 'cpu' | 'webgpu'; adapter: string | null; reason: string }
export interface ReasonWeight { index: number; weight: number }
export interface HistoryWeight { position: number; item: number; weight: number }
export interface Recommendation {
  item: number; rank: number; score: number; reasons: ReasonWeight[]; history: HistoryWeight[];
}
export interface Recommendations {
  user: number; milliseconds: number; scored: number;
  held_out: { item: number; rank: number; score: number } | null;
  recommendations: Recommendation[];
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
    model: Model,
    backend: Backend,
    /// Per user: items of the history, and the held-out item.
    users: Vec<(Vec<u32>, Option<u32>)>,
}

#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    shown: Recommendations,
    milliseconds: f64,
}

/// Runs once, when the module starts.
#[wasm_bindgen(start)]
pub fn start() {
    run_constructors();
    promise::install_panic_hook();
}

/// Runs the module's constructors (cubecl registers its operations in some thousands of them), and by being there keeps the
/// linker from doing so at every call.
///
/// A WebAssembly library has nobody to run its constructors. Where nothing refers to `__wasm_call_ctors`, wasm-ld takes the
/// module for a command and wraps *every* export in a call of all constructors, wasm-bindgen's memory and reference helpers
/// included: a reply of a few hundred objects then took seconds instead of milliseconds.
#[cfg(target_arch = "wasm32")]
fn run_constructors() {
    #[allow(unsafe_code)]
    // The only way to reach the linker's function. It takes nothing, returns nothing, and runs once.
    {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: this is the module's start function, which wasm-bindgen calls once before anything else; constructors
        // expect exactly that.
        unsafe { __wasm_call_ctors() }
    }
}

/// Elsewhere the loader runs constructors.
#[cfg(not(target_arch = "wasm32"))]
fn run_constructors() {}

#[wasm_bindgen]
impl Scorer {
    /// Checks the files of an artefact and loads it onto a backend.
    #[wasm_bindgen(unchecked_return_type = "Promise<Scorer>")]
    pub fn load(
        #[wasm_bindgen(js_name = manifestJson)] manifest_json: String,
        #[wasm_bindgen(unchecked_param_type = "Map<string, Uint8Array>")] files: Map,
        #[wasm_bindgen(unchecked_param_type = "'auto' | 'cpu' | 'webgpu'")] prefer: String,
    ) -> Promise {
        promise::run(async move {
            let prefer = Prefer::parse(&prefer)?;
            let artefact = Artefact::from_files(&manifest_json, &bytes_of(&files)?)?;
            let (model, backend) = backend::load(&artefact, prefer).await?;
            let users = artefact
                .users
                .iter()
                .map(|user| {
                    let seen = user.history.iter().map(|event| event.item).collect();
                    (seen, user.held_out)
                })
                .collect();
            let inner = Rc::new(Inner {
                model,
                backend,
                users,
            });
            Ok(Self { inner }.into())
        })
    }

    /// Which backend is in use, and why.
    #[wasm_bindgen(unchecked_return_type = "Backend")]
    pub fn backend(&self) -> Result<JsValue, JsValue> {
        plain(&self.inner.backend).map_err(JsValue::from)
    }

    /// The `count` best unseen items for `user`, explained.
    #[wasm_bindgen(unchecked_return_type = "Promise<Recommendations>")]
    pub fn recommend(&self, user: u32, count: u32) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move {
            let start = now();
            let scores = inner.model.score(user).await?;
            let (seen, held_out) = &inner.users[user as usize];
            let shown = scores.recommend(seen, *held_out, count as usize);
            plain(&Timed {
                shown,
                milliseconds: now() - start,
            })
        })
    }

    /// The score of every item of the catalogue, seen ones included.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn scores(&self, user: u32) -> Promise {
        let inner = self.inner.clone();
        promise::run(async move {
            let scores = inner.model.score(user).await?;
            Ok(Float32Array::from(scores.scores.as_slice()).into())
        })
    }
}

/// Copies the page's `Map` of bytes.
fn bytes_of(files: &Map) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut bytes = BTreeMap::new();
    let mut bad = false;
    files.for_each(
        &mut |content, name| match (name.as_string(), content.dyn_into::<Uint8Array>()) {
            (Some(name), Ok(content)) => {
                bytes.insert(name, content.to_vec());
            }
            _ => bad = true,
        },
    );
    if bad {
        return Err(Failure::usage(
            "`files` must map file names to Uint8Array contents",
        ));
    }
    Ok(bytes)
}

/// A plain JavaScript object: survives `postMessage`.
fn plain<T: Serialize>(value: &T) -> Result<JsValue, Failure> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| Failure::usage(&error.to_string()))
}

/// Milliseconds of the host's clock, for durations only; 0 where there is no clock.
pub(crate) fn now() -> f64 {
    js_sys::Reflect::get(&js_sys::global(), &"performance".into())
        .ok()
        .and_then(|value| value.dyn_into::<web_sys::Performance>().ok())
        .map_or(0.0, |clock| clock.now())
}
