//! What the two in-browser scorers have in common on their way to JavaScript.
//!
//! Every promise rejects with `{kind, message, file?}` ([`Failure`]). A panic, which a WebAssembly module does not survive,
//! rejects all promises of that module that are under way, and every later call, with `kind: 'panic'` ([`promise`]).

mod answers;
mod failure;
pub mod promise;

pub use answers::Answers;
pub use failure::Failure;

use std::collections::BTreeMap;

use curec_shared_model::artefact::Artefact;
use js_sys::{Map, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

/// Checks the files that lists need of an artefact: its manifest, and a `Map` from names to bytes.
///
/// # Errors
/// What is wrong with it.
pub fn artefact(manifest_json: &str, files: &Map) -> Result<Artefact, Failure> {
    Ok(Artefact::core_from_files(manifest_json, &bytes_of(files)?)?)
}

/// Copies the page's `Map` of bytes.
///
/// # Errors
/// Another shape.
pub fn bytes_of(files: &Map) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
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
///
/// # Errors
/// A value that JavaScript has no shape for.
pub fn plain<T: Serialize>(value: &T) -> Result<JsValue, Failure> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| Failure::usage(&error.to_string()))
}

/// What a plain JavaScript object says.
///
/// # Errors
/// An object of another shape, with the field that is wrong.
pub fn parsed<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T, Failure> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| Failure::usage(&format!("this is no {what}: {error}")))
}

/// Milliseconds of the host's clock, for durations only; 0 where there is no clock.
pub fn now() -> f64 {
    js_sys::Reflect::get(&js_sys::global(), &"performance".into())
        .ok()
        .and_then(|value| value.dyn_into::<web_sys::Performance>().ok())
        .map_or(0.0, |clock| clock.now())
}
