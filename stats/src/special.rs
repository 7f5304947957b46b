//! Special functions in log space, so that evidence beyond e^±700 neither overflows nor vanishes.

use statrs::function::{beta, erf::erfc, gamma::ln_gamma};

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

/// ln(1 + eˣ), without overflow.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// So many numbers between two positive ones, both included, evenly spaced in the logarithm.
pub(crate) fn log_spaced(from: f64, to: f64, points: usize) -> impl Iterator<Item = f64> {
    let (from, to) = (from.ln(), to.ln());
    let step = (to - from) / crate::design::count(points - 1);
    (0_u32..)
        .take(points)
        .map(move |g| (from + f64::from(g) * step).exp())
}

/// φ(x), the standard normal density.
pub(crate) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// 1 − Φ(x), precise in the far tail.
pub(crate) fn normal_tail(x: f64) -> f64 {
    0.5 * erfc(x / std::f64::consts::SQRT_2)
}

/// ln B(a, b). The difference of three ln Γ would lose all digits but the first few behind the point
/// at 10⁹, so where ln Γ is large its leading terms are subtracted by hand and only Stirling's
/// corrections remain (DLMF 5.11.1; as Didonato and Morris do in Algorithm 708, ACM TOMS 18, 1992).
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    if large < STIRLING_FROM {
        return beta::ln_beta(a, b);
    }
    let part = small / (small + large);
    let corrections = stirling(large) - stirling(small + large);
    if small < STIRLING_FROM {
        let leading = small - small * (small + large).ln() + (large - 0.5) * (-part).ln_1p();
        ln_gamma(small) + leading + corrections
    } else {
        let leading = (small - 0.5) * part.ln() + large * (-part).ln_1p() - 0.5 * large.ln();
        0.5 * std::f64::consts::TAU.ln() + leading + corrections + stirling(small)
    }
}

/// ln B(x₁, …, xₙ) = Σ ln Γ(xᵢ) − ln Γ(Σ xᵢ), as a chain of betas, each of one and all that follow.
pub(crate) fn ln_beta_of_all(parameters: &[f64]) -> f64 {
    let (mut rest, mut total) = (0.0, 0.0);
    for (place, &parameter) in parameters.iter().rev().enumerate() {
        if place > 0 {
            total += ln_beta(parameter, rest);
        }
        rest += parameter;
    }
    total
}

/// From here on seven terms of Stirling's series are precise to the last digit.
const STIRLING_FROM: f64 = 10.0;

/// ln Γ(x) − ((x − ½) ln x − x + ½ ln 2π), DLMF 5.11.1.
fn stirling(x: f64) -> f64 {
    const TERMS: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    let square = (x * x).recip();
    TERMS
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum * square + term)
        / x
}

/// ln P(π < x) for π of a beta distribution with parameters `a` and `b`.
pub(crate) fn ln_beta_below(a: f64, b: f64, x: f64) -> f64 {
    Tail::below(a, b, x).ln()
}

/// ln P(π > x) for π of a beta distribution with parameters `a` and `b`.
pub(crate) fn ln_beta_above(a: f64, b: f64, x: f64) -> f64 {
    Tail::below(a, b, x).other().ln()
}

/// What a beta distribution has below x. The logarithms of x and of 1 − x come from x itself: 1 − x
/// has lost its last digits where x is small, and a power of 10⁹ would see that.
#[derive(Clone, Copy)]
struct Tail {
    a: f64,
    b: f64,
    x: f64,
    ln_x: f64,
    ln_rest: f64,
}

impl Tail {
    fn below(a: f64, b: f64, x: f64) -> Self {
        let (ln_x, ln_rest) = (x.ln(), (-x).ln_1p());
        Self {
            a,
            b,
            x,
            ln_x,
            ln_rest,
        }
    }

    /// What it has above, as what 1 − π has below 1 − x.
    fn other(self) -> Self {
        Self {
            a: self.b,
            b: self.a,
            x: 1.0 - self.x,
            ln_x: self.ln_rest,
            ln_rest: self.ln_x,
        }
    }

    fn ln(self) -> f64 {
        if self.x < (self.a + 1.0) / (self.a + self.b + 2.0) {
            self.ln_far()
        } else {
            // The other tail is at most about one half, so nothing cancels.
            (-self.other().ln_far().exp()).ln_1p()
        }
    }

    /// ln of the regularised incomplete beta function below its turning point, where its continued
    /// fraction converges in O(√max(a, b)) steps (DLMF 8.17.22, evaluated by Lentz's method as modified
    /// by Thompson and Barnett).
    fn ln_far(self) -> f64 {
        let Self {
            a,
            b,
            x,
            ln_x,
            ln_rest,
        } = self;
        let front = a * ln_x + b * ln_rest - ln_beta(a, b) - a.ln();
        front + continued_fraction(a, b, x).ln()
    }
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

    /// Far tails from mpmath with 60 digits: x^a (1 − x)^b / (a B(a, b)) · ₂F₁(a + b, 1; a + 1; x).
    #[test]
    fn far_beta_tails_agree_with_another_implementation() {
        for (a, b, x, expected) in [
            (20.0, 9980.0, 0.5, -1.092_403_926_058_308_4e-39),
            (15.5, 4.5, 0.01, -63.804_777_522_913_795),
            (10.0, 1e5, 1e-6, -38.220_687_161_088_69),
            (2000.0, 8000.0, 0.05, -1_402.330_200_916_135_5),
            (1e4, 1e4, 0.4, -412.482_398_401_871),
            (1e4, 300.0, 0.9, -392.634_535_360_079_67),
            (1e6, 1e6, 0.45, -10_056.206_585_429_736),
            (5e8, 5e8, 0.49, -200_047.379_220_813_54),
            (1e9, 20.0, 0.98, -20_202_427.243_788_734),
        ] {
            check(ln_beta_below(a, b, x), expected);
        }
    }

    /// Values from mpmath with 60 digits: ln Γ(a) + ln Γ(b) − ln Γ(a + b).
    #[test]
    fn ln_beta_keeps_its_digits_at_any_size() {
        for (a, b, expected) in [
            (0.5, 0.5, 1.144_729_885_849_400_2),
            (1e-3, 1e-3, 7.600_900_817_008_347),
            (3.0, 4.0, -4.094_344_562_222_1),
            (12.0, 8.5, -13.779_925_871_355_916),
            (15.0, 15.0, -20.874_596_601_690_644),
            (9.0, 1e4, -72.292_059_425_472_17),
            (100.5, 1e-3, 6.902_573_706_031_33),
            (0.1, 1e9, 0.180_386_068_084_564_67),
            (19.9, 1e9, -373.349_901_762_052_35),
            (1e9, 1.0, -20.723_265_836_946_41),
            (9.95e8, 5e6, -31_479_072.738_196_157),
            (5e8, 5e8, -693_147_189.309_492_5),
        ] {
            for value in [ln_beta(a, b), ln_beta(b, a)] {
                assert!(
                    (value - expected).abs() <= 2e-14 * expected.abs().max(1.0),
                    "ln B({a}, {b}) = {value} is not {expected}"
                );
            }
        }
        check(
            ln_beta_of_all(&[2.0, 3.0, 4.0]),
            ln_beta(2.0, 7.0) + ln_beta(3.0, 4.0),
        );
        check(ln_beta_of_all(&[7.0]), 0.0);
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
        assert!((half - 0.5_f64.ln()).abs() < 1e-6, "{half}");
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
