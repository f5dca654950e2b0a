//! CPU or WebGPU, and why (STACK_FACTS: an emulated adapter is far slower than WebAssembly on the CPU).

use crate::failure::Failure;
use burn::tensor::Device;
use curec_shared_model::artefact::Artefact;
use curec_shared_model::scorer::Scorer as Model;
use js_sys::{Function, Object, Promise, Reflect};
use serde::Serialize;
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Largest difference between a GPU's score and the CPU's before the GPU is not trusted.
const TOLERANCE: f32 = 1e-3;

thread_local! {
    /// WebGPU can be set up once per worker.
    static DEVICE: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// What the page asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefer {
    Auto,
    Cpu,
    WebGpu,
}

impl Prefer {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "webgpu" => Ok(Self::WebGpu),
            other => Err(Failure::usage(&format!(
                "`prefer` is \"{other}\"; it must be auto, cpu or webgpu"
            ))),
        }
    }
}

/// The backend in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Backend {
    used: &'static str,
    adapter: Option<String>,
    reason: String,
}

impl Backend {
    fn cpu(adapter: Option<String>, reason: impl Into<String>) -> Self {
        Self {
            used: "cpu",
            adapter,
            reason: reason.into(),
        }
    }
}

/// What the browser says of its adapter.
struct Adapter {
    name: String,
    emulated: bool,
}

/// Loads the model onto the best backend that `prefer` allows; anything that goes wrong with WebGPU leads to the CPU. A
/// panic, which ends this whole instance, does so too: the page (`load` in www/js/main.js) then starts a new one on the CPU.
pub(crate) async fn load(artefact: &Artefact, prefer: Prefer) -> Result<(Model, Backend), Failure> {
    let on_cpu = |backend: Backend| -> Result<(Model, Backend), Failure> {
        Ok((Model::new(artefact, &Device::flex())?, backend))
    };
    if prefer == Prefer::Cpu {
        return on_cpu(Backend::cpu(
            None,
            "The CPU is used because it was asked for.",
        ));
    }
    let adapter = match adapter().await {
        Ok(adapter) => adapter,
        Err(reason) => {
            return on_cpu(Backend::cpu(
                None,
                format!("The CPU is used because {reason}."),
            ));
        }
    };
    let name = Some(adapter.name.clone());
    if adapter.emulated && prefer == Prefer::Auto {
        return on_cpu(Backend::cpu(
            name,
            "The CPU is used because this browser's WebGPU adapter is emulated in software, which is slower.",
        ));
    }
    let device = match device().await {
        Ok(device) => device,
        Err(message) => {
            return on_cpu(Backend::cpu(
                name,
                format!("The CPU is used because WebGPU did not start: {message}."),
            ));
        }
    };
    let model = Model::new(artefact, &device)?;
    if prefer == Prefer::Auto
        && let Err(problem) = agrees_with_cpu(artefact, &model).await?
    {
        return on_cpu(Backend::cpu(
            name,
            format!("The CPU is used because this GPU {problem}."),
        ));
    }
    let reason = match (prefer, adapter.emulated) {
        (Prefer::WebGpu, true) => {
            "WebGPU is used because it was asked for, although its adapter is emulated in software, which is slow."
        }
        (Prefer::WebGpu, false) => "WebGPU is used because it was asked for.",
        _ => {
            "WebGPU is used because this browser has a real adapter, and it scores the first user as the CPU does."
        }
    };
    Ok((
        model,
        Backend {
            used: "webgpu",
            adapter: name,
            reason: reason.to_owned(),
        },
    ))
}

/// Scores the first user on both sides; the inner error says what is wrong with the GPU.
async fn agrees_with_cpu(
    artefact: &Artefact,
    model: &Model,
) -> Result<Result<(), String>, Failure> {
    let expected = Model::new(artefact, &Device::flex())?.score(0).await?;
    let found = match model.score(0).await {
        Ok(found) => found,
        Err(error) => return Ok(Err(format!("cannot score ({error})"))),
    };
    let difference = expected
        .scores
        .iter()
        .zip(&found.scores)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    Ok(if difference <= TOLERANCE {
        Ok(())
    } else {
        Err(format!(
            "computes other scores than the CPU (by {difference})"
        ))
    })
}

/// Starts burn's WebGPU runtime, once.
async fn device() -> Result<Device, String> {
    if let Some(device) = DEVICE.with_borrow(Clone::clone) {
        return Ok(device);
    }
    let device = Device::wgpu_options()
        .init_async()
        .await
        .map_err(|error| error.to_string())?;
    DEVICE.with_borrow_mut(|known| *known = Some(device.clone()));
    Ok(device)
}

/// Asks the browser for an adapter, as burn will do again; the error ends the sentence "… because".
async fn adapter() -> Result<Adapter, String> {
    let property = |object: &JsValue, name: &str| {
        Reflect::get(object, &name.into())
            .ok()
            .filter(|value| !value.is_undefined() && !value.is_null())
    };
    let global: JsValue = js_sys::global().into();
    let Some(gpu) = property(&global, "navigator").and_then(|n| property(&n, "gpu")) else {
        let secure = property(&global, "isSecureContext").and_then(|value| value.as_bool());
        return Err(if secure == Some(false) {
            "browsers offer WebGPU only to pages served over https or from this computer".to_owned()
        } else {
            "this browser does not offer WebGPU".to_owned()
        });
    };
    let request = property(&gpu, "requestAdapter")
        .and_then(|function| function.dyn_into::<Function>().ok())
        .ok_or("this browser's WebGPU cannot be asked for an adapter")?;
    let options = Object::new();
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(
        &options,
        &"powerPreference".into(),
        &"high-performance".into(),
    );
    let failed = |error: JsValue| format!("asking for a WebGPU adapter failed ({error:?})");
    let promise = request
        .call1(&gpu, &options)
        .map_err(failed)?
        .dyn_into::<Promise>()
        .map_err(failed)?;
    let adapter = JsFuture::from(promise).await.map_err(failed)?;
    if adapter.is_null() || adapter.is_undefined() {
        return Err("this browser found no GPU it would use for WebGPU".to_owned());
    }
    let info = property(&adapter, "info").unwrap_or(JsValue::UNDEFINED);
    let text = |name: &str| {
        property(&info, name)
            .and_then(|value| value.as_string())
            .filter(|value| !value.is_empty())
    };
    let parts: Vec<String> = ["vendor", "architecture", "device", "description"]
        .into_iter()
        .filter_map(text)
        .collect();
    let name = if parts.is_empty() {
        "unnamed adapter".to_owned()
    } else {
        parts.join(" ")
    };
    let flag = |object: &JsValue| {
        property(object, "isFallbackAdapter").and_then(|value| value.as_bool()) == Some(true)
    };
    let known = ["swiftshader", "llvmpipe", "lavapipe"];
    let lower = name.to_lowercase();
    let emulated =
        flag(&adapter) || flag(&info) || known.iter().any(|driver| lower.contains(driver));
    Ok(Adapter { name, emulated })
}
