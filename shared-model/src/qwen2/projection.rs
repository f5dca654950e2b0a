//! A linear map with an optional LoRA adapter: `x·W + b + s·(x·A)·B`, never a dense delta.

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Distribution, FloatDType, Tensor};

use super::precision::Precision;

/// Low-rank adapter of one projection (Hu et al. 2021; PEFT's `lora_A`, `lora_B`, transposed).
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, rank]`.
    pub a: Param<Tensor<2>>,
    /// `[rank, out]`, zero at the start.
    pub b: Param<Tensor<2>>,
    /// `alpha / rank`, or `alpha / sqrt(rank)` for rsLoRA.
    pub scale: f64,
}

impl Lora {
    /// A fresh adapter: `A` Kaiming-uniform as in PEFT, `B` zero, so that the map is unchanged.
    pub fn init(input: usize, output: usize, rank: usize, scale: f64, device: &Device) -> Self {
        let bound = 1.0 / (input as f64).sqrt();
        let a = Tensor::random([input, rank], Distribution::Uniform(-bound, bound), device);
        Self {
            a: Param::from_tensor(a),
            b: Param::from_tensor(Tensor::zeros([rank, output], device)),
            scale,
        }
    }
}

/// `y = x·W + b`, plus the adapter's share where one is attached and switched on.
#[derive(Module, Debug)]
pub struct Projection {
    /// `[in, out]` (Hugging Face stores the transpose); of a [`Precision`] of its own.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapter, if any.
    pub lora: Option<Lora>,
}

impl Projection {
    /// Normal weights of standard deviation `std`, zero bias.
    pub fn init(input: usize, output: usize, bias: bool, std: f64, device: &Device) -> Self {
        let weight = Tensor::random([input, output], Distribution::Normal(0.0, std), device);
        Self {
            weight: Param::from_tensor(weight),
            bias: bias.then(|| Param::from_tensor(Tensor::zeros([output], device))),
            lora: None,
        }
    }

    /// # Shapes
    /// - `x`: `[batch, time, in]` → `[batch, time, out]`
    pub fn forward(&self, x: Tensor<3>, adapters: bool) -> Tensor<3> {
        let Some(lora) = self.lora.as_ref().filter(|_| adapters) else {
            return self.base(x);
        };
        let low = linear(x.clone(), lora.a.val(), None);
        self.base(x) + linear(low, lora.b.val(), None).mul_scalar(lora.scale)
    }

    /// `x·W + b`, the product in the weight's precision, the result in that of `x`.
    fn base(&self, x: Tensor<3>) -> Tensor<3> {
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        let (outer, inner) = (x.dtype(), weight.dtype());
        if outer == inner {
            return linear(x, weight, bias);
        }
        let product = linear(x.cast(FloatDType::from(inner)), weight, None);
        let product = product.cast(FloatDType::from(outer));
        match bias {
            Some(bias) => product + bias.unsqueeze(),
            None => product,
        }
    }

    /// The same map with a frozen weight kept in `precision`.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.weight = self.weight.map(|weight| weight.cast(precision.dtype()));
        self
    }

    /// Attaches a fresh adapter; the base weight is frozen by [`super::Qwen2::with_lora`].
    pub fn with_lora(mut self, rank: usize, scale: f64) -> Self {
        let [input, output] = self.weight.val().dims();
        let device = self.weight.val().device();
        self.lora = Some(Lora::init(input, output, rank, scale, &device));
        self
    }

    /// `W + s·A·B` folded into one float32 matrix, adapter removed: the merged export.
    pub fn merged(mut self) -> Self {
        if let Some(lora) = self.lora.take() {
            let delta = lora.a.val().matmul(lora.b.val()).mul_scalar(lora.scale);
            self.weight = self.weight.map(|weight| weight.cast(delta.dtype()) + delta);
        }
        self
    }
}
