//! One decoder block: RMSNorm → grouped-query attention → RMSNorm → SwiGLU (Qwen2 technical report, §2).

use burn::module::{Module, Param};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use super::branching::{Branches, rectangle};
use super::cache::KvCache;
use super::config::Qwen2Config;
use super::projection::Projection;
use super::rope::Rotation;

/// `x / sqrt(mean(x²) + ε) · w` over the last dimension.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    epsilon: f64,
}

impl RmsNorm {
    /// Unit weights.
    pub fn init(width: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([width], device)),
            epsilon,
        }
    }

    /// # Shapes
    /// - `x`: `[batch, time, width]` → the same
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let scale = x
            .clone()
            .square()
            .mean_dim(2)
            .add_scalar(self.epsilon)
            .sqrt();
        x / scale * self.weight.val().unsqueeze()
    }
}

/// What every block of one forward pass shares.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Rotations of the new tokens' positions.
    pub rotation: Rotation,
    /// Where a token may look.
    pub sight: Sight,
    /// Whether LoRA adapters take part (the reference policy of GRPO switches them off).
    pub adapters: bool,
}

/// Where a token may look.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one to a forward pass")]
pub enum Sight {
    /// Rows that do not see each other. Additive mask `[batch, 1, 1, new, all]`: 0 where a query may look, a large
    /// negative number elsewhere.
    Rows(Tensor<5>),
    /// One prompt and its branches; takes no cache.
    Branches(Branches),
}

/// Grouped-query self-attention with QKV biases.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[hidden, heads · head_dim]`.
    pub q_proj: Projection,
    /// `[hidden, kv_heads · head_dim]`.
    pub k_proj: Projection,
    /// `[hidden, kv_heads · head_dim]`.
    pub v_proj: Projection,
    /// `[heads · head_dim, hidden]`, no bias.
    pub o_proj: Projection,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Attention {
    fn init(config: &Qwen2Config, std: f64, out_std: f64, device: &Device) -> Self {
        let (d, head_dim) = (config.hidden_size, config.head_dim());
        let kv = config.num_key_value_heads * head_dim;
        Self {
            q_proj: Projection::init(d, d, true, std, device),
            k_proj: Projection::init(d, kv, true, std, device),
            v_proj: Projection::init(d, kv, true, std, device),
            o_proj: Projection::init(d, d, false, out_std, device),
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim,
        }
    }

    pub(super) fn set_heads(&mut self, config: &Qwen2Config) {
        self.heads = config.num_attention_heads;
        self.kv_heads = config.num_key_value_heads;
        self.head_dim = config.head_dim();
    }

    fn forward(
        &self,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let split = |projected: Tensor<3>, heads: usize| {
            projected
                .reshape([batch, time, heads, self.head_dim])
                .swap_dims(1, 2)
        };
        // The softmax scale is folded into the queries: fewer numbers than the scores.
        let scale = (self.head_dim as f64).sqrt().recip();
        let q = split(self.q_proj.forward(x.clone(), pass.adapters), self.heads);
        let k = split(self.k_proj.forward(x.clone(), pass.adapters), self.kv_heads);
        let v = split(self.v_proj.forward(x, pass.adapters), self.kv_heads);
        let q = pass.rotation.apply(q.mul_scalar(scale));
        let k = pass.rotation.apply(k);
        let (k, v) = match cache {
            Some((cache, layer)) => cache.append(layer, k, v),
            None => (k, v),
        };
        let mixed = match &pass.sight {
            Sight::Rows(mask) => rectangle(q, k, v, mask),
            Sight::Branches(branches) => branches.attend(q, k, v),
        };
        let mixed = mixed
            .swap_dims(1, 2)
            .reshape([batch, time, self.heads * self.head_dim]);
        self.o_proj.forward(mixed, pass.adapters)
    }
}

/// SwiGLU feed-forward layer.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[hidden, intermediate]`.
    pub gate_proj: Projection,
    /// `[hidden, intermediate]`.
    pub up_proj: Projection,
    /// `[intermediate, hidden]`.
    pub down_proj: Projection,
}

impl Mlp {
    fn forward(&self, x: Tensor<3>, adapters: bool) -> Tensor<3> {
        let gate = silu(self.gate_proj.forward(x.clone(), adapters));
        let up = self.up_proj.forward(x, adapters);
        self.down_proj.forward(gate * up, adapters)
    }
}

/// One decoder block.
#[derive(Module, Debug)]
pub struct Block {
    /// Norm before attention.
    pub input_layernorm: RmsNorm,
    /// Attention.
    pub self_attn: Attention,
    /// Norm before the feed-forward layer.
    pub post_attention_layernorm: RmsNorm,
    /// Feed-forward layer.
    pub mlp: Mlp,
}

impl Block {
    pub(super) fn init(config: &Qwen2Config, std: f64, device: &Device) -> Self {
        let (d, f) = (config.hidden_size, config.intermediate_size);
        // GPT-2's rule: what writes into the residual stream starts smaller, the deeper the stack.
        let out_std = std / (2.0 * config.num_hidden_layers as f64).sqrt();
        Self {
            input_layernorm: RmsNorm::init(d, config.rms_norm_eps, device),
            self_attn: Attention::init(config, std, out_std, device),
            post_attention_layernorm: RmsNorm::init(d, config.rms_norm_eps, device),
            mlp: Mlp {
                gate_proj: Projection::init(d, f, false, std, device),
                up_proj: Projection::init(d, f, false, std, device),
                down_proj: Projection::init(f, d, false, out_std, device),
            },
        }
    }

    /// Runs tokens through the block.
    ///
    /// # Shapes
    /// - `x`: `[batch, time, hidden]` → the same
    pub fn forward(
        &self,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Tensor<3> {
        let x = x.clone()
            + self
                .self_attn
                .forward(self.input_layernorm.forward(x), pass, cache);
        let normed = self.post_attention_layernorm.forward(x.clone());
        x + self.mlp.forward(normed, pass.adapters)
    }
}
