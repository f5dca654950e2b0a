//! The loss of a logit.

use burn::tensor::Tensor;

/// `log(1 + eˢ)` without overflow: `−log σ(−s)`.
pub(crate) fn softplus<const D: usize>(s: Tensor<D>) -> Tensor<D> {
    s.clone().clamp_min(0.0) + s.abs().neg().exp().log1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn it_survives_large_scores() {
        let s = Tensor::<1>::from_floats([200.0, -200.0, 0.0], &Device::flex());
        let out = softplus(s).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(out[..2], [200.0, 0.0]);
        assert!((out[2] - 2f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn its_slope_is_a_sigmoid() {
        let device = Device::flex().autodiff();
        let s = Tensor::<1>::from_floats([3f32.ln(), -(3f32.ln()), 50.0], &device).require_grad();
        let gradients = softplus(s.clone()).sum().backward();
        let slope = s.grad(&gradients).unwrap().into_data();
        for (found, expected) in slope
            .try_to_vec::<f32>()
            .unwrap()
            .iter()
            .zip([0.75, 0.25, 1.0])
        {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
    }
}
