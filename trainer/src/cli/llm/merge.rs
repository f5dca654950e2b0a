//! `curec llm merge`: an adapter folded into its base, as a folder that any program for Hugging Face models loads.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use curec_shared_model::qwen2::Precision;

use crate::device::{self, DeviceChoice};
use crate::llm::{hub, load_model};

/// Arguments of `curec llm merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Hugging Face folder of the base model, or hf:OWNER/NAME
    #[arg(long, value_name = "DIR|hf:NAME")]
    model: PathBuf,
    /// LoRA adapter in PEFT's format
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// The folder to write; must not hold anything
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &MergeArgs) -> anyhow::Result<()> {
    let MergeArgs { adapter, out, .. } = args;
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} is not empty; choose another --out, so that nothing of yours is touched",
            out.display()
        );
    }
    let folder = hub::resolve(&args.model)?;
    let model = load_model(
        &folder,
        Some(adapter),
        Precision::Float32,
        &device::open(DeviceChoice::Cpu)?,
    )?;
    let weights = model.merged().to_safetensors()?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    copy_companions(&folder, out)?;
    // The configuration comes last but one, the weights last: a folder without them is nobody's model.
    write("config.json", config(&folder)?.as_bytes())?;
    write("model.safetensors", &weights)?;
    eprintln!("wrote {}", out.display());
    Ok(())
}

/// The base's configuration, with the dtype that the merged weights have.
fn config(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut config: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    for name in ["torch_dtype", "dtype"] {
        if config.get(name).is_some() {
            config[name] = "float32".into();
        }
    }
    Ok(format!("{config:#}\n"))
}

/// What stands beside the weights: tokenizer, template, and what else the base brings in small files.
fn copy_companions(folder: &Path, out: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let weights = name.contains(".safetensors") || name.ends_with(".bin");
        if path.is_file() && !weights && name != "config.json" {
            std::fs::copy(&path, out.join(&name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
