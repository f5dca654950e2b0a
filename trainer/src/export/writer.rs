//! The part of the artefact that writes: a nano model, its tokenizer, and the reward model's reading of a pattern.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::Tensor;
use curec_shared_model::artefact::writer::fits;
use curec_shared_model::artefact::{ArtefactError, StoredTensor, WriterPart, WriterSettings};
use curec_shared_model::qwen2::{Block, Projection};
use curec_shared_model::reward::RewardModel;

use super::ExportError;
use crate::config::Config;
use crate::llm::LanguageModel;
use crate::text::ItemText;

/// Why a run's language model does not go with its artefact.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CannotWrite {
    /// Somebody else's model, with a size and a chat format of its own.
    #[error("only a model that the run has trained from nothing travels with an artefact")]
    Checkpoint,
    /// Too many weights for a page.
    #[error("the language model is too large to write in a browser")]
    Large,
    /// An experiment with hidden titles.
    #[error("prompts hid titles in this run (generate.item_text), a browser's writer shows them")]
    ItemText,
    /// A setting or a weight that the artefact's reader would refuse.
    #[error("it would be refused: {0}")]
    Unfit(#[from] ArtefactError),
}

/// Whether a run's language model can travel, as far as settings say; before it is loaded, because it may be large, or no longer where
/// it was.
///
/// # Errors
/// Why not.
pub fn may_travel(config: &Config) -> Result<(), CannotWrite> {
    if config.llm.model.is_some() {
        return Err(CannotWrite::Checkpoint);
    }
    if config.generate.item_text != ItemText::Full {
        return Err(CannotWrite::ItemText);
    }
    Ok(())
}

/// The writer of an artefact whose reward model is `reward`, from a run's own model ([`may_travel`]).
///
/// # Errors
/// The device, or a tokenizer that cannot be written; the inner result says why there is none.
pub fn writer_part(
    language: &LanguageModel,
    policy_version: u64,
    config: &Config,
    reward: &RewardModel,
) -> Result<Result<WriterPart, CannotWrite>, ExportError> {
    let model = &language.model;
    if !fits(model.config()) {
        return Ok(Err(CannotWrite::Large));
    }
    let mut tensors = BTreeMap::new();
    half(&mut tensors, "embed", &model.embed_tokens)?;
    if let Some(head) = &model.lm_head {
        half(&mut tensors, "head", head)?;
    }
    for (index, block) in model.layers.iter().enumerate() {
        layer(&mut tensors, index, block)?;
    }
    full(&mut tensors, "norm", &model.norm.weight)?;
    full(&mut tensors, "pattern.centre", &reward.text_centre)?;
    full(&mut tensors, "pattern.scale", &reward.text_scale)?;
    full(&mut tensors, "pattern.weight", &reward.text.weight)?;
    if let Some(bias) = &reward.text.bias {
        full(&mut tensors, "pattern.bias", bias)?;
    }
    let generate = &config.generate;
    let part = WriterPart {
        settings: WriterSettings {
            model: model.config().clone(),
            text_vector: generate.text_vector,
            history: config.prompts.history,
            render: config.prompts.render.clone(),
            max_new_tokens: generate.max_new_tokens,
            temperature: generate.temperature,
            top_p: generate.top_p,
            presence_penalty: generate.presence_penalty,
            attempts: generate.attempts,
            policy_version,
        },
        tokenizer: language.tokenizer.to_json()?,
        tensors,
    };
    Ok(match part.check(reward.config()) {
        Ok(()) => Ok(part),
        Err(problem) => Err(problem.into()),
    })
}

type Tensors = BTreeMap<String, StoredTensor>;

fn layer(tensors: &mut Tensors, index: usize, block: &Block) -> Result<(), ExportError> {
    let name = |part: &str| format!("layers.{index}.{part}");
    let attention = &block.self_attn;
    for (part, projection) in [
        ("q", &attention.q_proj),
        ("k", &attention.k_proj),
        ("v", &attention.v_proj),
        ("o", &attention.o_proj),
        ("gate", &block.mlp.gate_proj),
        ("up", &block.mlp.up_proj),
        ("down", &block.mlp.down_proj),
    ] {
        let Projection { weight, bias, .. } = projection;
        half(tensors, &name(part), weight)?;
        if let Some(bias) = bias {
            full(tensors, &name(&format!("{part}_bias")), bias)?;
        }
    }
    full(tensors, &name("norm1"), &block.input_layernorm.weight)?;
    full(
        tensors,
        &name("norm2"),
        &block.post_attention_layernorm.weight,
    )
}

fn half<const D: usize>(
    tensors: &mut Tensors,
    name: &str,
    parameter: &Param<Tensor<D>>,
) -> Result<(), ExportError> {
    let (shape, values) = values(parameter)?;
    tensors.insert(name.to_owned(), StoredTensor::f16(shape, values));
    Ok(())
}

fn full<const D: usize>(
    tensors: &mut Tensors,
    name: &str,
    parameter: &Param<Tensor<D>>,
) -> Result<(), ExportError> {
    let (shape, values) = values(parameter)?;
    tensors.insert(name.to_owned(), StoredTensor::f32(shape, values));
    Ok(())
}

fn values<const D: usize>(
    parameter: &Param<Tensor<D>>,
) -> Result<(Vec<usize>, Vec<f32>), ExportError> {
    let tensor = parameter.val();
    Ok((tensor.dims().to_vec(), super::read(tensor)?))
}
