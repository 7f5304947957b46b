//! The normal distribution, for what a simulated number is drawn by.

/// Φ(x), from the error function.
pub(super) fn below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// Φ⁻¹(p) between −40 and 40, by halving: it is asked a few times a plan.
pub(super) fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The number of events whose Poisson distribution function first reaches p, by adding up its chances; as
/// many as three times the mean and forty at most, beyond which no p that a double can hold lies.
pub(super) fn poisson_quantile(p: f64, mean: f64) -> f64 {
    let (mut events, mut chance) = (0.0, (-mean).exp());
    let (mut below, most) = (chance, 3.0 * mean + 40.0);
    while below < p && events < most {
        events += 1.0;
        chance *= mean / events;
        below += chance;
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_inverse() {
        for x in [-3.0, -0.5, 0.0, 2.326] {
            assert!((quantile(below(x)) - x).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn events_come_as_often_as_they_should() {
        // Of a mean of 2: none 13.5%, at most one 40.6%, at most two 67.7%.
        let found = [0.1, 0.2, 0.5, 0.7].map(|p| poisson_quantile(p, 2.0));
        assert_eq!(format!("{found:?}"), "[0.0, 1.0, 2.0, 3.0]");
    }
}
