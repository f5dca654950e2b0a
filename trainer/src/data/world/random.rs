//! Draws that give the same result on every machine: integers are drawn as `u32`, whatever the width of `usize`.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// An independent generator for one purpose: the same seed with another stream shares no numbers.
pub fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Uniform in `0..count`; 0 when `count` is 0.
pub fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    if count == 0 {
        return 0;
    }
    rng.random_range(0..count as u32) as usize
}

/// Uniform in `[low, high)`.
pub fn between(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// True with the given probability.
pub fn chance(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}

/// Standard normal (Box–Muller, one of the pair).
pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Index drawn in proportion to non-negative weights; `None` when they sum to nothing.
pub fn weighted(rng: &mut ChaCha8Rng, weights: &[f64]) -> Option<usize> {
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return None;
    }
    let mut rest = rng.random::<f64>() * total;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            rest -= weight;
            if rest < 0.0 {
                return Some(index);
            }
        }
    }
    weights.iter().rposition(|&weight| weight > 0.0)
}

/// Fisher–Yates.
pub fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}
