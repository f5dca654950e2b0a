//! Weights by their Hugging Face names: from safetensors shards into a model, and back; LoRA in PEFT's format.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::block::{Block, RmsNorm};
use super::config::Qwen2Config;
use super::model::Qwen2;
use super::precision::Precision;
use super::projection::{Lora, Projection};

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// Not a safetensors file, or cut short.
    #[error("{file}: not a usable safetensors file ({problem})")]
    Format {
        /// Name of the shard.
        file: String,
        /// The parser's words.
        problem: String,
    },
    /// The model needs a tensor that no shard holds.
    #[error("tensor {0} is missing from the checkpoint")]
    Missing(String),
    /// A tensor has another shape than config.json promises.
    #[error("tensor {name} has shape {found:?}, config.json asks for {expected:?}")]
    Shape {
        /// Tensor name.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape by the configuration.
        expected: Vec<usize>,
    },
    /// A dtype other than f32, f16, bf16.
    #[error("tensor {name} is stored as {dtype}; supported are F32, F16 and BF16")]
    Dtype {
        /// Tensor name.
        name: String,
        /// Its dtype.
        dtype: String,
    },
    /// A value that is not a number.
    #[error("tensor {0} holds a value that is not finite")]
    NotFinite(String),
    /// The adapter does something this project does not.
    #[error("adapter_config.json: {0}")]
    Adapter(String),
    /// Tensors of an adapter that match nothing in the model.
    #[error(
        "the adapter holds {count} tensors that match nothing in the model, the first is {first}"
    )]
    Unmatched {
        /// How many.
        count: usize,
        /// Name of the first.
        first: String,
    },
}

/// Shards of one checkpoint, parsed but not copied.
pub struct Shards<'data> {
    shards: Vec<(String, SafeTensors<'data>)>,
}

impl<'data> Shards<'data> {
    /// Parses each `(file name, bytes)`.
    ///
    /// # Errors
    /// [`WeightError::Format`] names the shard.
    pub fn parse(
        files: impl IntoIterator<Item = (String, &'data [u8])>,
    ) -> Result<Self, WeightError> {
        let shards = files
            .into_iter()
            .map(|(file, bytes)| match SafeTensors::deserialize(bytes) {
                Ok(tensors) => Ok((file, tensors)),
                Err(problem) => Err(WeightError::Format {
                    file,
                    problem: problem.to_string(),
                }),
            });
        Ok(Self {
            shards: shards.collect::<Result<_, _>>()?,
        })
    }

    /// All tensor names.
    pub fn names(&self) -> Vec<String> {
        let names = |(_, shard): &(String, SafeTensors)| -> Vec<String> {
            shard.names().into_iter().map(str::to_owned).collect()
        };
        self.shards.iter().flat_map(names).collect()
    }

    /// The dtype of a tensor, for `llm info`.
    pub fn dtype(&self, name: &str) -> Option<String> {
        self.find(name).map(|view| format!("{:?}", view.dtype()))
    }

    fn find(&self, name: &str) -> Option<TensorView<'_>> {
        self.shards
            .iter()
            .find_map(|(_, shard)| shard.tensor(name).ok())
    }

    fn read(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightError> {
        let view = self
            .find(name)
            .ok_or_else(|| WeightError::Missing(name.to_owned()))?;
        if view.shape() != expected {
            return Err(WeightError::Shape {
                name: name.to_owned(),
                found: view.shape().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let bytes = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => quads(bytes).collect(),
            Dtype::F16 => pairs(bytes)
                .map(|b| f16::from_le_bytes(b).to_f32())
                .collect(),
            Dtype::BF16 => pairs(bytes)
                .map(|b| bf16::from_le_bytes(b).to_f32())
                .collect(),
            other => {
                return Err(WeightError::Dtype {
                    name: name.to_owned(),
                    dtype: format!("{other:?}"),
                });
            }
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightError::NotFinite(name.to_owned()));
        }
        Ok(values)
    }

    fn vector(
        &self,
        name: &str,
        len: usize,
        device: &Device,
    ) -> Result<Param<Tensor<1>>, WeightError> {
        let data = TensorData::new(self.read(name, &[len])?, [len]);
        Ok(Param::from_tensor(Tensor::from_data(data, device)))
    }

    fn table(
        &self,
        name: &str,
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Param<Tensor<2>>, WeightError> {
        let data = TensorData::new(self.read(name, &shape)?, shape);
        Ok(Param::from_tensor(Tensor::from_data(data, device)))
    }

    /// A matrix stored `[out, in]`, wanted `[in, out]`; no device holds it in float32 on the way to a smaller precision.
    fn matrix(
        &self,
        name: &str,
        shape: [usize; 2],
        precision: Precision,
        device: &Device,
    ) -> Result<Param<Tensor<2>>, WeightError> {
        let [input, output] = shape;
        let values = transposed(&self.read(name, &[output, input])?, output, input);
        let kind = DType::from(precision.dtype());
        let data = TensorData::new(values, [input, output]).convert_dtype(kind);
        Ok(Param::from_tensor(Tensor::from_data(data, (device, kind))))
    }
}

fn quads(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> + '_ {
    bytes.as_chunks::<2>().0.iter().copied()
}

/// `[rows, columns]` row-major → `[columns, rows]`, in blocks that fit the cache.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for row_start in (0..rows).step_by(BLOCK) {
        for column_start in (0..columns).step_by(BLOCK) {
            for row in row_start..(row_start + BLOCK).min(rows) {
                for column in column_start..(column_start + BLOCK).min(columns) {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}

impl Qwen2 {
    /// Builds the model from a checkpoint's tensors, converted to float32, and to `precision` where it says so.
    ///
    /// # Errors
    /// [`WeightError`] names the tensor.
    pub fn from_shards(
        config: &Qwen2Config,
        shards: &Shards,
        precision: Precision,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let kv = config.num_key_value_heads * config.head_dim();
        // A checkpoint may hold `lm_head.weight` although the head is tied: the table wins, as in transformers.
        let mut model = Self::init_empty(config, device);
        model.embed_tokens =
            shards.table("model.embed_tokens.weight", [config.vocab_size, d], device)?;
        model.norm.weight = shards.vector("model.norm.weight", d, device)?;
        if !config.tie_word_embeddings {
            model.lm_head = Some(shards.table("lm_head.weight", [config.vocab_size, d], device)?);
        }
        for (index, block) in model.layers.iter_mut().enumerate() {
            let prefix = format!("model.layers.{index}");
            for (norm, name) in block.norms_mut() {
                norm.weight = shards.vector(&format!("{prefix}.{name}.weight"), d, device)?;
            }
            for (name, projection) in block.projections_mut() {
                let (part, input, output, bias) = match name {
                    "q_proj" => ("self_attn", d, d, true),
                    "k_proj" | "v_proj" => ("self_attn", d, kv, true),
                    "o_proj" => ("self_attn", d, d, false),
                    "down_proj" => ("mlp", f, d, false),
                    _ => ("mlp", d, f, false),
                };
                let path = format!("{prefix}.{part}.{name}");
                let name = format!("{path}.weight");
                let weight = shards.matrix(&name, [input, output], precision, device)?;
                let bias = match bias {
                    true => Some(shards.vector(&format!("{path}.bias"), output, device)?),
                    false => None,
                };
                *projection = Projection {
                    weight,
                    bias,
                    lora: None,
                };
            }
        }
        Ok(model)
    }

    /// A model whose tables are placeholders of size 1, to be filled by [`Qwen2::from_shards`].
    fn init_empty(config: &Qwen2Config, device: &Device) -> Self {
        let tiny = Qwen2Config {
            vocab_size: 1,
            hidden_size: 2,
            intermediate_size: 1,
            num_attention_heads: 1,
            num_key_value_heads: 1,
            tie_word_embeddings: true,
            ..config.clone()
        };
        Self::init(&tiny, device).with_config(config)
    }

    /// All tensors under their Hugging Face names as a float32 safetensors file; adapters are not included.
    ///
    /// # Errors
    /// [`WeightError::Format`] if the file cannot be laid out.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightError> {
        let mut tensors = BTreeMap::new();
        put(
            &mut tensors,
            "model.embed_tokens.weight".into(),
            self.embed_tokens.val(),
        );
        put(
            &mut tensors,
            "model.norm.weight".into(),
            self.norm.weight.val(),
        );
        if let Some(head) = &self.lm_head {
            put(&mut tensors, "lm_head.weight".into(), head.val());
        }
        for (index, block) in self.layers.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            let norms = [
                ("input_layernorm", &block.input_layernorm),
                ("post_attention_layernorm", &block.post_attention_layernorm),
            ];
            for (name, norm) in norms {
                put(
                    &mut tensors,
                    format!("{prefix}.{name}.weight"),
                    norm.weight.val(),
                );
            }
            for (name, projection) in block.projections() {
                let path = format!("{prefix}.{}.{name}", part(name));
                put(
                    &mut tensors,
                    format!("{path}.weight"),
                    projection.weight.val().transpose(),
                );
                if let Some(bias) = &projection.bias {
                    put(&mut tensors, format!("{path}.bias"), bias.val());
                }
            }
        }
        serialise(tensors, "model.safetensors")
    }

    /// The attached adapters in PEFT's layout (`lora_A` `[r, in]`, `lora_B` `[out, r]`).
    ///
    /// # Errors
    /// [`WeightError::Format`] if the file cannot be laid out.
    pub fn lora_to_safetensors(&self) -> Result<Vec<u8>, WeightError> {
        let mut tensors = BTreeMap::new();
        for (index, block) in self.layers.iter().enumerate() {
            for (name, projection) in block.projections() {
                if let Some(lora) = &projection.lora {
                    let path = format!(
                        "base_model.model.model.layers.{index}.{}.{name}",
                        part(name)
                    );
                    put(
                        &mut tensors,
                        format!("{path}.lora_A.weight"),
                        lora.a.val().transpose(),
                    );
                    put(
                        &mut tensors,
                        format!("{path}.lora_B.weight"),
                        lora.b.val().transpose(),
                    );
                }
            }
        }
        serialise(tensors, "adapter_model.safetensors")
    }

    /// Attaches a PEFT adapter to a base model and freezes the base.
    ///
    /// # Errors
    /// [`WeightError`] if the adapter does not fit the model.
    pub fn with_peft_adapter(
        self,
        config: &PeftConfig,
        shards: &Shards,
    ) -> Result<Self, WeightError> {
        let device = self.device();
        let mut model = self.no_grad();
        let mut unmatched: Vec<String> = shards.names();
        for (index, block) in model.layers.iter_mut().enumerate() {
            for (name, projection) in block.projections_mut() {
                let path = format!(
                    "base_model.model.model.layers.{index}.{}.{name}",
                    part(name)
                );
                let (a_name, b_name) = (
                    format!("{path}.lora_A.weight"),
                    format!("{path}.lora_B.weight"),
                );
                if shards.find(&a_name).is_none() {
                    continue;
                }
                let [input, output] = projection.weight.val().dims();
                projection.lora = Some(Lora {
                    a: shards.matrix(&a_name, [input, config.r], Precision::Float32, &device)?,
                    b: shards.matrix(&b_name, [config.r, output], Precision::Float32, &device)?,
                    scale: config.scale(),
                });
                unmatched.retain(|known| *known != a_name && *known != b_name);
            }
        }
        match unmatched.first() {
            Some(first) => Err(WeightError::Unmatched {
                count: unmatched.len(),
                first: first.clone(),
            }),
            None => Ok(model),
        }
    }
}

/// `adapter_config.json` of a LoRA adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct PeftConfig {
    /// Rank.
    pub r: usize,
    /// Numerator of the scale.
    pub lora_alpha: f64,
    /// `alpha / sqrt(r)` instead of `alpha / r`.
    pub use_rslora: bool,
    /// Names of the adapted projections.
    pub target_modules: Vec<String>,
}

impl PeftConfig {
    /// Reads PEFT's file; what this project cannot honour is refused, never ignored.
    ///
    /// # Errors
    /// [`WeightError::Adapter`] says which field.
    pub fn from_json(json: &str) -> Result<Self, WeightError> {
        let fail = |text: &str| WeightError::Adapter(text.to_owned());
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|error| WeightError::Adapter(error.to_string()))?;
        if value["peft_type"]
            .as_str()
            .is_some_and(|kind| kind != "LORA")
        {
            return Err(fail("only peft_type LORA is supported"));
        }
        let filled = |field: &str| match &value[field] {
            serde_json::Value::Object(map) => !map.is_empty(),
            serde_json::Value::Bool(flag) => *flag,
            _ => false,
        };
        for field in [
            "use_dora",
            "rank_pattern",
            "alpha_pattern",
            "fan_in_fan_out",
            "lora_bias",
        ] {
            if filled(field) {
                return Err(WeightError::Adapter(format!("{field} is not supported")));
            }
        }
        if value["bias"].as_str().is_some_and(|bias| bias != "none") {
            return Err(fail("bias other than \"none\" is not supported"));
        }
        let r = value["r"]
            .as_u64()
            .filter(|r| *r > 0)
            .ok_or_else(|| fail("r is missing or 0"))?;
        let targets = value["target_modules"].as_array().map(|names| {
            let name = |name: &serde_json::Value| name.as_str().map(str::to_owned);
            names.iter().filter_map(name).collect()
        });
        Ok(Self {
            r: r as usize,
            lora_alpha: value["lora_alpha"]
                .as_f64()
                .ok_or_else(|| fail("lora_alpha is missing"))?,
            use_rslora: value["use_rslora"].as_bool().unwrap_or(false),
            target_modules: targets.unwrap_or_default(),
        })
    }

    /// The file as PEFT, vLLM and SGLang read it.
    pub fn to_json(&self, base_model: &str) -> serde_json::Value {
        serde_json::json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base_model,
            "r": self.r, "lora_alpha": self.lora_alpha, "use_rslora": self.use_rslora,
            "target_modules": self.target_modules, "lora_dropout": 0.0, "bias": "none",
            "inference_mode": true, "fan_in_fan_out": false, "use_dora": false,
            "rank_pattern": {}, "alpha_pattern": {}, "init_lora_weights": true,
        })
    }

    /// What the low-rank product is multiplied with.
    pub fn scale(&self) -> f64 {
        let r = self.r as f64;
        self.lora_alpha / if self.use_rslora { r.sqrt() } else { r }
    }
}

/// Where a projection lives inside its block.
fn part(name: &str) -> &'static str {
    if name.ends_with("gate_proj") || name.ends_with("up_proj") || name.ends_with("down_proj") {
        "mlp"
    } else {
        "self_attn"
    }
}

fn put<const D: usize>(
    tensors: &mut BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    name: String,
    tensor: Tensor<D>,
) {
    let shape = tensor.dims().to_vec();
    let data = tensor.into_data().convert::<f32>();
    let bytes = data.as_bytes().to_vec();
    tensors.insert(name, (shape, bytes));
}

fn serialise(
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    file: &str,
) -> Result<Vec<u8>, WeightError> {
    let format = |problem: safetensors::SafeTensorError| WeightError::Format {
        file: file.to_owned(),
        problem: problem.to_string(),
    };
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| {
            Ok((
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(format)?,
            ))
        })
        .collect::<Result<Vec<_>, WeightError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata)).map_err(format)
}

impl Block {
    fn norms_mut(&mut self) -> [(&mut RmsNorm, &'static str); 2] {
        [
            (&mut self.input_layernorm, "input_layernorm"),
            (
                &mut self.post_attention_layernorm,
                "post_attention_layernorm",
            ),
        ]
    }
}
