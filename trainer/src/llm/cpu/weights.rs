//! The parameters of a Qwen2 model as plain float32 slices, and gradients of the same shape.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use curec_shared_model::qwen2::{Precision, Projection, Qwen2, Qwen2Config};

/// One block's parameters; matrices are `[in, out]`, row-major.
#[derive(Debug, Clone, Default)]
pub(super) struct LayerWeights {
    pub norm1: Vec<f32>,
    pub q: Vec<f32>,
    pub q_bias: Vec<f32>,
    pub k: Vec<f32>,
    pub k_bias: Vec<f32>,
    pub v: Vec<f32>,
    pub v_bias: Vec<f32>,
    pub o: Vec<f32>,
    pub norm2: Vec<f32>,
    pub gate: Vec<f32>,
    pub up: Vec<f32>,
    pub down: Vec<f32>,
}

/// Whether a device computes in ordinary memory (the flex backend).
pub fn is_cpu(device: &Device) -> bool {
    device.clone().inner() == Device::flex()
}

/// Whether these kernels serve this model: float32 weights in ordinary memory, no adapters, and of a size at which whole
/// sequences on single threads pay.
pub fn serves(model: &Qwen2) -> bool {
    is_cpu(&model.device())
        && !model.has_lora()
        && model.precision() == Precision::Float32
        && model.config().vocab_size <= 1 << 15
        && model.config().hidden_size <= 1024
}

/// All parameters of a model, or one gradient for each.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(super) config: Qwen2Config,
    pub(super) embed: Vec<f32>,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) norm: Vec<f32>,
    /// Empty when tied.
    pub(super) head: Vec<f32>,
}

impl Weights {
    /// Copies the parameters out of a model. Adapters are not looked at: see [`serves`].
    pub fn of(model: &Qwen2) -> Self {
        let model = model.valid();
        let layer = |block: &curec_shared_model::qwen2::Block| {
            let attention = &block.self_attn;
            LayerWeights {
                norm1: values(&block.input_layernorm.weight),
                q: values(&attention.q_proj.weight),
                q_bias: bias(&attention.q_proj),
                k: values(&attention.k_proj.weight),
                k_bias: bias(&attention.k_proj),
                v: values(&attention.v_proj.weight),
                v_bias: bias(&attention.v_proj),
                o: values(&attention.o_proj.weight),
                norm2: values(&block.post_attention_layernorm.weight),
                gate: values(&block.mlp.gate_proj.weight),
                up: values(&block.mlp.up_proj.weight),
                down: values(&block.mlp.down_proj.weight),
            }
        };
        Self {
            config: model.config().clone(),
            embed: values(&model.embed_tokens),
            layers: model.layers.iter().map(layer).collect(),
            norm: values(&model.norm.weight),
            head: model.lm_head.as_ref().map(values).unwrap_or_default(),
        }
    }

    /// Zeros of the same shapes.
    pub fn zeros_like(&self) -> Self {
        let mut zeros = self.clone();
        zeros
            .slices_mut()
            .into_iter()
            .for_each(|slice| slice.fill(0.0));
        zeros
    }

    /// Adds `other`, shape by shape.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.slices_mut().into_iter().zip(other.slices()) {
            crate::kernels::add(mine, theirs);
        }
    }

    fn slices(&self) -> Vec<&Vec<f32>> {
        let mut all = vec![&self.embed, &self.norm, &self.head];
        for layer in &self.layers {
            all.extend([
                &layer.norm1,
                &layer.q,
                &layer.q_bias,
                &layer.k,
                &layer.k_bias,
                &layer.v,
                &layer.v_bias,
                &layer.o,
                &layer.norm2,
                &layer.gate,
                &layer.up,
                &layer.down,
            ]);
        }
        all
    }

    fn slices_mut(&mut self) -> Vec<&mut Vec<f32>> {
        let mut all = vec![&mut self.embed, &mut self.norm, &mut self.head];
        for layer in &mut self.layers {
            all.extend([
                &mut layer.norm1,
                &mut layer.q,
                &mut layer.q_bias,
                &mut layer.k,
                &mut layer.k_bias,
                &mut layer.v,
                &mut layer.v_bias,
                &mut layer.o,
                &mut layer.norm2,
                &mut layer.gate,
                &mut layer.up,
                &mut layer.down,
            ]);
        }
        all
    }

    /// Hands gradients to burn's optimiser under the parameter ids of `model`.
    pub fn into_gradients(self, model: &Qwen2) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        register(&mut gradients, &model.embed_tokens, self.embed);
        register(&mut gradients, &model.norm.weight, self.norm);
        if let Some(head) = &model.lm_head {
            register(&mut gradients, head, self.head);
        }
        for (block, layer) in model.layers.iter().zip(self.layers) {
            let (attention, mlp) = (&block.self_attn, &block.mlp);
            register(&mut gradients, &block.input_layernorm.weight, layer.norm1);
            register(
                &mut gradients,
                &block.post_attention_layernorm.weight,
                layer.norm2,
            );
            let matrices = [
                (&attention.q_proj, layer.q, layer.q_bias),
                (&attention.k_proj, layer.k, layer.k_bias),
                (&attention.v_proj, layer.v, layer.v_bias),
                (&attention.o_proj, layer.o, Vec::new()),
                (&mlp.gate_proj, layer.gate, Vec::new()),
                (&mlp.up_proj, layer.up, Vec::new()),
                (&mlp.down_proj, layer.down, Vec::new()),
            ];
            for (projection, weight, bias) in matrices {
                register(&mut gradients, &projection.weight, weight);
                if let Some(param) = &projection.bias {
                    register(&mut gradients, param, bias);
                }
            }
        }
        gradients
    }
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    param.val().try_into_vec_as::<f32>().unwrap_or_default()
}

fn bias(projection: &Projection) -> Vec<f32> {
    projection.bias.as_ref().map(values).unwrap_or_default()
}

fn register<const D: usize>(
    gradients: &mut GradientsParams,
    param: &Param<Tensor<D>>,
    values: Vec<f32>,
) {
    let value = param.val();
    let device = value.device().inner();
    let gradient = Tensor::<D>::from_data(TensorData::new(values, value.dims()), &device);
    gradients.register(param.id, gradient);
}
