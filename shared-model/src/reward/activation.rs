//! PReLU and Dice, the activations of DIN (Zhou et al. 2018, §5.3).

use burn::module::{Initializer, Module, Param, RunningState};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use super::config::{ActivationKind, DICE_EPSILON};

const DICE_MOMENTUM: f64 = 0.01;

/// One learned negative slope `α` per unit and, for Dice, running statistics.
#[derive(Module, Debug)]
pub struct Activation {
    /// Slope for negative inputs, `[units]`.
    pub alpha: Param<Tensor<1>>,
    mean: Option<RunningState<Tensor<1>>>,
    variance: Option<RunningState<Tensor<1>>>,
}

impl Activation {
    /// A new activation over `units` channels (the last axis of its input).
    pub fn new(kind: ActivationKind, units: usize, device: &Device) -> Self {
        let dice = kind == ActivationKind::Dice;
        Self {
            alpha: Initializer::Constant { value: 0.25 }.init([units], device),
            mean: dice.then(|| RunningState::new(Tensor::zeros([units], device))),
            variance: dice.then(|| RunningState::new(Tensor::ones([units], device))),
        }
    }

    /// Whether this is a PReLU, which is `α s + (1 − α) max(s, 0)` and can be folded into the next linear map.
    pub fn is_prelu(&self) -> bool {
        self.mean.is_none()
    }

    /// Applies the activation.
    ///
    /// # Shapes
    /// `[rows, units]` → the same.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let alpha = self.alpha.val().unsqueeze::<2>();
        let (Some(mean), Some(variance)) = (&self.mean, &self.variance) else {
            let rest = alpha.clone().neg().add_scalar(1.0);
            return relu(input.clone()) * rest + input * alpha;
        };
        let (centre, spread) = if input.device().is_autodiff() {
            let (var, avg) = input.clone().var_mean_bias(0);
            update(mean, avg.clone());
            update(variance, var.clone());
            (avg, var)
        } else {
            let device = input.device();
            (
                mean.value().to_device(&device).unsqueeze::<2>(),
                variance.value().to_device(&device).unsqueeze::<2>(),
            )
        };
        let gate = sigmoid((input.clone() - centre) / spread.add_scalar(DICE_EPSILON).sqrt());
        let slope = alpha.clone() + gate * alpha.neg().add_scalar(1.0);
        input * slope
    }
}

fn update(running: &RunningState<Tensor<1>>, batch: Tensor<2>) {
    let batch = batch.detach().squeeze_dim::<1>(0);
    let old = running.value_sync().to_device(&batch.device());
    let new = old.mul_scalar(1.0 - DICE_MOMENTUM) + batch.mul_scalar(DICE_MOMENTUM);
    running.update(new.detach());
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn prelu_is_the_identity_above_zero_and_a_quarter_below() {
        let device = Device::flex();
        let prelu = Activation::new(ActivationKind::Prelu, 2, &device);
        let out = prelu.forward(Tensor::from_floats([[2.0, -2.0], [-4.0, 0.5]], &device));
        out.into_data().assert_approx_eq::<f32>(
            &[[2.0f32, -0.5], [-1.0, 0.5]].into(),
            Tolerance::absolute(1e-6),
        );
    }

    #[test]
    fn dice_with_fresh_statistics_uses_a_standard_sigmoid() {
        // E = 0, Var = 1, α = 1/4: σ(2) = 0.880797, 2 (0.25 + 0.75 · 0.880797) = 1.821196;
        // σ(−2) = 0.119203, −2 (0.25 + 0.75 · 0.119203) = −0.678804
        let device = Device::flex();
        let dice = Activation::new(ActivationKind::Dice, 1, &device);
        let out = dice.forward(Tensor::from_floats([[2.0], [-2.0], [0.0]], &device));
        out.into_data().assert_approx_eq::<f32>(
            &[[1.821196f32], [-0.678804], [0.0]].into(),
            Tolerance::absolute(1e-5),
        );
    }

    #[test]
    fn dice_learns_its_statistics_only_while_training() {
        let training = Device::flex().autodiff();
        let dice = Activation::new(ActivationKind::Dice, 1, &training);
        for _ in 0..600 {
            dice.forward(Tensor::from_floats([[4.0], [8.0]], &training));
        }
        let frozen = dice.valid();
        let input = Tensor::from_floats([[6.0]], &Device::flex());
        // E → 6: σ(0) = 1/2, 6 (0.25 + 0.75 / 2) = 3.75
        let first = frozen.forward(input.clone()).into_scalar::<f32>();
        assert!((first - 3.75).abs() < 0.02, "{first}");
        for _ in 0..50 {
            frozen.forward(Tensor::from_floats([[-90.0]], &Device::flex()));
        }
        assert_eq!(first, frozen.forward(input).into_scalar::<f32>());
    }
}
