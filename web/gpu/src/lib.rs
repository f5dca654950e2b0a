//! The in-browser scorer on WebGPU (METHOD §4): whole catalogues, nothing else. What is asked about few candidates is the CPU
//! scorer's (`curec-web`), which a page always has; this module is only fetched where there is an adapter worth it.

use std::rc::Rc;

use burn::tensor::Device;
use curec_shared_model::scorer::Scorer as Model;
use curec_web_bridge::{Answers, Failure, artefact, promise};
use js_sys::{Map, Promise};
use wasm_bindgen::prelude::*;

/// A loaded artefact on the GPU.
#[wasm_bindgen]
#[derive(Debug)]
pub struct GpuScorer {
    answers: Rc<Answers>,
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
impl GpuScorer {
    /// Starts WebGPU, checks the files of an artefact and loads it.
    #[wasm_bindgen(unchecked_return_type = "Promise<GpuScorer>")]
    pub fn load(
        #[wasm_bindgen(js_name = manifestJson)] manifest_json: String,
        #[wasm_bindgen(unchecked_param_type = "Map<string, Uint8Array>")] files: Map,
    ) -> Promise {
        promise::run(async move {
            let artefact = artefact(&manifest_json, &files)?;
            let device = Device::wgpu_options()
                .init_async()
                .await
                .map_err(|error| Failure::device(&error.to_string()))?;
            let answers = Rc::new(Answers::new(Model::new(&artefact, &device)?));
            Ok(Self { answers }.into())
        })
    }

    /// The `count` best items that were not taken, explained; with `before`, each with its rank for that taste.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown>")]
    pub fn recommend(&self, taste: JsValue, count: u32, before: JsValue) -> Promise {
        let answers = self.answers.clone();
        promise::run(async move { answers.recommend(taste, count, before).await })
    }

    /// The score of every item of the catalogue, taken ones included.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn scores(&self, taste: JsValue) -> Promise {
        let answers = self.answers.clone();
        promise::run(async move { answers.scores(taste).await })
    }

    /// How many milliseconds scoring the whole catalogue takes now, whatever is kept.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn measure(&self, taste: JsValue) -> Promise {
        let answers = self.answers.clone();
        promise::run(async move { answers.measure(taste).await })
    }
}
