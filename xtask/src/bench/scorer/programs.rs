//! What takes turns: each prints one JSON object.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::{CALLS, COUNT, EMULATED_CALLS, Made, VIEWERS};
use crate::bench::Program;
use crate::setup::Browser;
use crate::workspace::{Workspace, command};

/// Ours, and the peers where there is a Python for them.
pub(super) fn all(
    workspace: &Workspace,
    browser: &Browser,
    made: &Made,
    python: Option<&Path>,
    webgpu: bool,
) -> Vec<Program> {
    let driver = workspace.root.join("benches/scorer/run.mjs");
    let in_chromium = |name, arguments: Vec<&OsStr>| {
        let (node, chromium) = (browser.node.clone(), browser.chromium.clone());
        let mut all: Vec<OsString> = vec![driver.clone().into()];
        all.extend(["--viewers", VIEWERS, "--count", COUNT].map(Into::into));
        all.extend(arguments.into_iter().map(ToOwned::to_owned));
        Program {
            name,
            command: Box::new(move || {
                let mut run = command(&node);
                run.args(&all).env("CHROMIUM", &chromium);
                run
            }),
            found: Vec::new(),
        }
    };
    let flags = |words: &[&'static str]| -> Vec<&OsStr> {
        words.iter().map(|word| (*word).as_ref()).collect()
    };
    let [artefact, page, native, onnx] =
        [&made.artefact, &made.page, &made.native, &made.onnx].map(|path| path.as_os_str());
    let own = |engine, calls| {
        let mut words = flags(&["--engine", engine, "--calls", calls]);
        words.extend(["--artefact".as_ref(), artefact, "--page".as_ref(), page]);
        words.extend(["--native".as_ref(), native]);
        words
    };
    let mut programs = vec![
        natively(workspace, made),
        in_chromium("wasm", own("curec", CALLS)),
        in_chromium("wasm_team", own("curec-team", CALLS)),
    ];
    if webgpu {
        let mut words = own("curec-gpu", EMULATED_CALLS);
        words.extend(flags(&["--warm-up", "1"]));
        programs.push(in_chromium("webgpu", words));
    }
    if let Some(python) = python {
        for (name, threads) in [
            ("onnxruntime_web", "1"),
            ("onnxruntime_web_two_threads", "2"),
        ] {
            let mut words = flags(&["--engine", "onnx", "--calls", CALLS, "--threads", threads]);
            words.extend(["--onnx".as_ref(), onnx, "--native".as_ref(), native]);
            programs.push(in_chromium(name, words));
        }
        if has_onnxruntime(python) {
            programs.push(onnxruntime(workspace, python, made));
        }
    }
    programs
}

fn natively(workspace: &Workspace, made: &Made) -> Program {
    let (curec, artefact) = (workspace.curec(), made.artefact.clone());
    Program {
        name: "native",
        command: Box::new(move || {
            let mut run = command(&curec);
            run.args([
                "bench", "scorer", "--json", "--calls", CALLS, "--count", COUNT,
            ]);
            run.arg("--artefact").arg(&artefact);
            run
        }),
        found: Vec::new(),
    }
}

fn onnxruntime(workspace: &Workspace, python: &Path, made: &Made) -> Program {
    let script = workspace.root.join("benches/peers/scorer/native.py");
    let (python, onnx, native) = (python.to_owned(), made.onnx.clone(), made.native.clone());
    Program {
        name: "onnxruntime_native",
        command: Box::new(move || {
            let mut run = command(&python);
            run.arg(&script).arg("--onnx").arg(&onnx);
            run.arg("--native").arg(&native).args(["--calls", CALLS]);
            run
        }),
        found: Vec::new(),
    }
}

/// The native runtime is no requirement.
fn has_onnxruntime(python: &Path) -> bool {
    let found = command(python).args(["-c", "import onnxruntime"]).output();
    found.is_ok_and(|output| output.status.success())
}
