//! Draws a token: softmax at a temperature, cut to the most probable tokens that hold a share of it.

use super::network::softmax;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// One of the most probable tokens with a total probability of `top_p`, drawn by what they are worth.
pub(super) fn draw(
    mut logits: Vec<f32>,
    temperature: f64,
    top_p: f64,
    rng: &mut ChaCha8Rng,
) -> u32 {
    for logit in &mut logits {
        *logit /= temperature as f32;
    }
    softmax(&mut logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let mut mass = 0.0;
    let cut = order.iter().position(|id| {
        mass += f64::from(logits[*id]);
        mass >= top_p
    });
    order.truncate(cut.map_or(order.len(), |cut| cut + 1));
    let kept: f64 = order.iter().map(|id| f64::from(logits[*id])).sum();
    let mut rest = unit(rng) * kept;
    let drawn = order.iter().find(|id| {
        rest -= f64::from(logits[**id]);
        rest < 0.0
    });
    // Where rounding leaves a remainder, the least probable of them.
    drawn.or(order.last()).map_or(0, |id| *id as u32)
}

/// Takes the penalty off each token of `before`, once however often it occurs.
pub(super) fn penalise(logits: &mut [f32], before: &[u32], penalty: f64) {
    for (place, id) in before.iter().enumerate() {
        if !before[..place].contains(id) {
            logits[*id as usize] -= penalty as f32;
        }
    }
}

/// Uniform in [0, 1), in steps of 2⁻⁵³.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn a_penalty_is_taken_once() {
        let mut logits = [3.0, 2.0, 0.5];
        penalise(&mut logits, &[2, 0, 2], 1.5);
        assert_eq!(logits, [1.5, 2.0, -1.0]);
        penalise(&mut logits, &[], 1.5);
        assert_eq!(logits, [1.5, 2.0, -1.0]);
    }

    #[test]
    fn tokens_come_as_often_as_they_are_probable() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        // Probabilities 0.5, 0.3, 0.15, 0.05.
        let logits: Vec<f32> = [0.05f32, 0.5, 0.15, 0.3].map(f32::ln).to_vec();
        let mut counts = [0; 4];
        for _ in 0..20_000 {
            counts[draw(logits.clone(), 1.0, 1.0, &mut rng) as usize] += 1;
        }
        for (count, expected) in counts.iter().zip([1_000, 10_000, 3_000, 6_000]) {
            assert!((*count as i64 - expected).abs() < 350, "{counts:?}");
        }
        // The first two hold 0.8: of them 5 to 3.
        let mut counts = [0; 4];
        for _ in 0..8_000 {
            counts[draw(logits.clone(), 1.0, 0.8, &mut rng) as usize] += 1;
        }
        assert_eq!((counts[0], counts[2]), (0, 0));
        assert!((counts[1] - 5_000i64).abs() < 200, "{counts:?}");
        // Cold: the most probable alone.
        assert!((0..100).all(|_| draw(logits.clone(), 0.01, 1.0, &mut rng) == 1));
    }
}
