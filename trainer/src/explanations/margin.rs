//! Personalisation margin (EVALUATION): what a reason does for the one who gave it, beyond what it does for others.
//!
//! `s(u, r)` is the logit of `(u, i)` with the reason `r` as the newest on the item's list, less the logit without it: what the
//! reason adds, not how much the person likes the item anyway. The margin is `s(u, r) − mean over other people v of s(v, r)`,
//! each at the latest of their own events before the reason's interaction.

/// `own − mean(others)`; `None` without others.
pub fn margin(own: f64, others: &[f64]) -> Option<f64> {
    (!others.is_empty()).then(|| own - others.iter().sum::<f64>() / others.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_mean_is_taken_away() {
        // 1.5 − (1 + 0 − 0.25) / 3 = 1.25
        assert_eq!(margin(1.5, &[1.0, 0.0, -0.25]), Some(1.25));
        assert_eq!(margin(1.5, &[]), None);
    }
}
