//! Special functions in log space, so that evidence beyond e^±700 neither overflows nor vanishes.

use statrs::function::{beta::ln_beta, erf::erfc};

/// ln Σ exp(xᵢ); −∞ of nothing.
pub(crate) fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

/// ln((1/n) Σ exp(xᵢ)).
pub(crate) fn ln_mean_exp(terms: &[f64]) -> f64 {
    ln_sum_exp(terms.iter().copied()) - crate::design::count(terms.len()).ln()
}

/// φ(x), the standard normal density.
pub(crate) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// 1 − Φ(x), precise in the far tail.
pub(crate) fn normal_tail(x: f64) -> f64 {
    0.5 * erfc(x / std::f64::consts::SQRT_2)
}

/// ln P(π < x) for π of a beta distribution with parameters `a` and `b`.
pub(crate) fn ln_beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_beta_tail(a, b, x)
    } else {
        // The other tail is at most about one half, so nothing cancels.
        (-ln_beta_tail(b, a, 1.0 - x).exp()).ln_1p()
    }
}

/// ln P(π > x) for π of a beta distribution with parameters `a` and `b`.
pub(crate) fn ln_beta_above(a: f64, b: f64, x: f64) -> f64 {
    ln_beta_below(b, a, 1.0 - x)
}

/// ln of the regularised incomplete beta function below its turning point, where its continued
/// fraction converges in O(√max(a, b)) steps (DLMF 8.17.22, evaluated by Lentz's method as modified
/// by Thompson and Barnett).
fn ln_beta_tail(a: f64, b: f64, x: f64) -> f64 {
    let front = a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b) - a.ln();
    front + continued_fraction(a, b, x).ln()
}

fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    /// Enough for a + b beyond 10⁹, which takes some 10⁵ steps.
    const STEPS_MAX: u32 = 2_000_000;
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };

    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for step in 1..STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            change = denominator * numerator;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{value} is not {expected}"
        );
    }

    #[test]
    fn beta_tails_agree_with_closed_forms() {
        // Of Beta(1, b): P(π < x) = 1 − (1 − x)^b; of Beta(a, 1): x^a.
        check(ln_beta_below(1.0, 7.0, 0.3), (1.0 - 0.7_f64.powi(7)).ln());
        check(ln_beta_above(1.0, 7.0, 0.3), 7.0 * 0.7_f64.ln());
        check(ln_beta_below(5.0, 1.0, 0.9), 5.0 * 0.9_f64.ln());
        check(ln_beta_below(20_000.0, 1.0, 0.5), 20_000.0 * 0.5_f64.ln());
        check(ln_beta_below(4.5, 4.5, 0.5), 0.5_f64.ln());
    }

    #[test]
    fn beta_tails_stay_numbers_at_a_thousand_million() {
        for (a, b) in [(5e8, 5e8), (1e9, 1.0), (1e9, 0.02), (9.95e8, 5e6)] {
            for x in [0.1, 0.5, 0.995] {
                let (below, above) = (ln_beta_below(a, b, x), ln_beta_above(a, b, x));
                assert!(
                    below <= 1e-9 && above <= 1e-9,
                    "{a} {b} {x}: {below} {above}"
                );
                assert!(!below.is_nan() && !above.is_nan());
            }
        }
        let half = ln_beta_below(5e8, 5e8, 0.5);
        assert!((half - 0.5_f64.ln()).abs() < 1e-4, "{half}");
    }

    #[test]
    fn a_sum_of_exponentials_neither_overflows_nor_vanishes() {
        check(
            ln_sum_exp([20_000.0, 20_000.0].into_iter()),
            20_000.0 + 2.0_f64.ln(),
        );
        check(ln_mean_exp(&[-20_000.0, -20_000.0]), -20_000.0);
        assert!(ln_sum_exp(std::iter::empty()).is_infinite());
    }
}
