//! Dropout whose masks do not depend on which thread is first.

use burn::tensor::{Tensor, TensorData};

/// A stream of dropout masks.
#[derive(Debug)]
pub(crate) struct Mask {
    rate: f32,
    seeds: Vec<u64>,
}

impl Mask {
    /// Masks that set a share `rate` (below 1) of all values to zero and scale the others up. A tensor's rows are divided evenly
    /// among `seeds`: with one seed per row, what a row gets depends on nothing but its seed.
    pub(crate) fn new(rate: f32, seeds: Vec<u64>) -> Self {
        Self { rate, seeds }
    }

    /// `inputs` under the next mask.
    pub(crate) fn apply(&mut self, inputs: Tensor<3>) -> Tensor<3> {
        if self.rate <= 0.0 {
            return inputs;
        }
        let shape = inputs.dims();
        let each = shape.iter().product::<usize>() / self.seeds.len().max(1);
        let mut values = Vec::with_capacity(each * self.seeds.len());
        for seed in &mut self.seeds {
            *seed = mixed(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
            values.extend(mask(*seed, each, self.rate));
        }
        inputs.clone() * Tensor::from_data(TensorData::new(values, shape), &inputs.device())
    }
}

/// SplitMix64's last step.
fn mixed(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// 0 with probability `rate`, else `1 / (1 − rate)`. Every value is a hash of its index (murmur3's last step), so that the compiler
/// makes many at once: a mask of a general random number generator costs more than the layer it is for.
fn mask(seed: u64, count: usize, rate: f32) -> impl Iterator<Item = f32> {
    let keep = 1.0 / (1.0 - rate);
    let limit = (f64::from(rate) * f64::from(u32::MAX)) as u32;
    let (low, high) = (seed as u32, (seed >> 32) as u32);
    let value = move |index: u32| {
        let mut bits = index.wrapping_mul(0x9e37_79b9) ^ low;
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
        bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35) ^ high;
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
        bits ^= bits >> 15;
        if bits < limit { 0.0 } else { keep }
    };
    (0..count as u32).map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_the_rate_keep_the_mean_and_differ() {
        let count = 200_000;
        for rate in [0.1f32, 0.5] {
            let one: Vec<f32> = mask(7, count, rate).collect();
            let zeros = one.iter().filter(|&&value| value == 0.0).count() as f32 / count as f32;
            // Four standard deviations of a share of 200,000.
            assert!((zeros - rate).abs() < 4.0 * (rate * (1.0 - rate) / count as f32).sqrt());
            let other: Vec<f32> = mask(8, count, rate).collect();
            let both = one
                .iter()
                .zip(&other)
                .filter(|(a, b)| **a == 0.0 && **b == 0.0);
            let both = both.count() as f32 / count as f32;
            assert!((both - rate * rate).abs() < 0.01, "{both}");
            // Neighbours are independent too.
            let pairs = one
                .windows(2)
                .filter(|pair| pair[0] == 0.0 && pair[1] == 0.0);
            let pairs = pairs.count() as f32 / count as f32;
            assert!((pairs - rate * rate).abs() < 0.01, "{pairs}");
        }
    }

    #[test]
    fn a_row_gets_what_its_seed_says() {
        let device = burn::tensor::Device::flex();
        let run = |seeds: &[u64], width: usize| {
            let mut mask = Mask::new(0.5, seeds.to_vec());
            let mut next = || {
                let ones = Tensor::<3>::ones([seeds.len(), width, 3], &device);
                mask.apply(ones).into_data().try_to_vec::<f32>().unwrap()
            };
            [next(), next()]
        };
        let (both, alone) = (run(&[4, 5], 20), run(&[5], 10));
        assert_ne!(both[0], both[1]);
        // Shorter rows get the beginning of the same mask.
        for (both, alone) in both.iter().zip(&alone) {
            assert_eq!(both[60..90], alone[..]);
        }
    }
}
