//! The agreement test of one arm's success rate against a fixed p₀: for ceilings on failures, which a
//! flawless candidate must be able to prove whatever the control does.
//!
//! A beta mixture around p₀ with weight k, cut to one side. Lindon and Malek, "Anytime-valid inference
//! for multinomial count data" (NeurIPS 2022), with two outcomes.

use serde::{Deserialize, Serialize};

use crate::{
    design::Tail,
    interval::Interval,
    inversion,
    special::{ln_beta, ln_beta_above, ln_beta_below},
};

/// How many observations the prior is worth.
pub const PRIOR: f64 = 20.0;

/// The test of one arm's rate of success.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    null: f64,
    tail: Tail,
    log_e: f64,
}

impl Agreement {
    /// A test that the rate of success is not to this side of `null`, which lies between 0 and 1.
    #[must_use]
    pub fn new(null: f64, tail: impl Into<Tail>) -> Self {
        Self {
            null,
            tail: tail.into(),
            log_e: 0.0,
        }
    }

    /// Takes the totals as they stand after a tick.
    pub fn move_to(&mut self, successes: u64, n: u64) {
        self.log_e = log_e(self.null, self.tail, PRIOR, successes, n);
    }

    /// ln E of everything so far.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.log_e
    }
}

/// ln E of `successes` among `n` against a rate of `null`, with a prior worth `k` observations.
#[must_use]
pub fn log_e(null: f64, tail: Tail, k: f64, successes: u64, n: u64) -> f64 {
    let (s, f) = (successes as f64, n.saturating_sub(successes) as f64);
    let (a, b) = (k * null, k * (1.0 - null));
    let two_sided = ln_beta(a + s, b + f) - ln_beta(a, b) - s * null.ln() - f * (-null).ln_1p();
    two_sided + cut(tail, null, [a + s, b + f]) - cut(tail, null, [a, b])
}

/// The rates of success that the two-sided test does not reject; none of nothing.
#[must_use]
pub fn interval(k: f64, alpha: f64, successes: u64, n: u64) -> Option<Interval> {
    if successes > n / 2 {
        // Rates near 1 are told apart as rates near 0 of the opposite.
        let of_failures = interval(k, alpha, n.saturating_sub(successes), n)?;
        return Some(Interval {
            low: 1.0 - of_failures.high,
            high: 1.0 - of_failures.low,
        });
    }
    let rate = |log_odds: f64| (1.0 + (-log_odds).exp()).recip();
    let held = |log_odds: f64| log_e(rate(log_odds), Tail::TwoSided, k, successes, n) < -alpha.ln();
    let (s, f) = (successes as f64, n.saturating_sub(successes) as f64);
    let estimate = ((s + 0.5) / (f + 0.5)).ln();
    let end = |edge: f64| inversion::end(held, estimate, edge).map(rate);
    (n > 0).then(|| Interval {
        low: end(estimate - inversion::REACH).unwrap_or(0.0),
        high: end(estimate + inversion::REACH).unwrap_or(1.0),
    })
}

/// ln of what a beta distribution has on this side of the null: the mixture is cut to it before and
/// after what was seen.
fn cut(tail: Tail, null: f64, [a, b]: [f64; 2]) -> f64 {
    match tail {
        Tail::Greater => ln_beta_above(a, b, null),
        Tail::Less => ln_beta_below(a, b, null),
        Tail::TwoSided => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greater(null: f64, successes: u64, n: u64) -> f64 {
        log_e(null, Tail::Greater, PRIOR, successes, n)
    }

    #[test]
    fn six_hundred_and_thirty_clean_requests_prove_half_a_percent() {
        let threshold = 20.0_f64.ln();
        assert!(
            greater(0.995, 630, 630) >= threshold,
            "{}",
            greater(0.995, 630, 630)
        );
        assert!(greater(0.995, 600, 600) < threshold);
    }

    #[test]
    fn only_the_side_of_the_truth_gains() {
        assert!(greater(0.9, 9500, 10_000) > 20.0);
        assert!(log_e(0.9, Tail::Less, PRIOR, 9500, 10_000) < -3.0);
        assert!(log_e(0.9, Tail::Less, PRIOR, 8500, 10_000) > 20.0);
        assert!(greater(0.9, 8500, 10_000) < -3.0);
    }

    #[test]
    fn the_average_over_what_chance_may_do_is_at_most_one() {
        use statrs::function::factorial::ln_binomial;
        let (n, null) = (60, 0.9_f64);
        for side in [Tail::Greater, Tail::Less, Tail::TwoSided] {
            let mean: f64 = (0..=n)
                .map(|s| {
                    let chance = ln_binomial(n, s)
                        + s as f64 * null.ln()
                        + (n - s) as f64 * (1.0 - null).ln();
                    (chance + log_e(null, side, PRIOR, s, n)).exp()
                })
                .sum();
            assert!((mean - 1.0).abs() < 1e-9, "{side:?} {mean}");
        }
    }

    #[test]
    fn an_interval_ends_where_the_test_turns() {
        for (successes, n) in [(95, 100), (400, 1000), (999_000, 1_000_000)] {
            let interval = interval(PRIOR, 0.05, successes, n).unwrap();
            for end in [interval.low, interval.high] {
                let log_e = log_e(end, Tail::TwoSided, PRIOR, successes, n);
                assert!((log_e - 20.0_f64.ln()).abs() < 1e-6, "{end} {log_e}");
            }
            let rate = successes as f64 / n as f64;
            assert!(interval.low < rate && rate < interval.high, "{interval:?}");
        }
    }

    #[test]
    fn a_flawless_arm_may_have_a_rate_of_one() {
        let ends = |successes, n| <[f64; 2]>::from(interval(PRIOR, 0.05, successes, n).unwrap());
        let [low, high] = ends(1_000_000_000, 1_000_000_000);
        assert!(
            1.0 - 1e-7 < low && (high - 1.0).abs() < 1e-12,
            "{low} {high}"
        );
        let [low, high] = ends(0, 50);
        assert!(
            low.abs() < 1e-12 && 0.0 < high && high < 0.5,
            "{low} {high}"
        );
        assert_eq!(interval(PRIOR, 0.05, 0, 0), None);
    }

    #[test]
    fn evidence_stays_a_number_at_a_thousand_million() {
        for null in [0.5, 0.995, 0.999_999] {
            for successes in [0, 1, 500_000_000, 999_999_999, 1_000_000_000] {
                for side in [Tail::Greater, Tail::Less, Tail::TwoSided] {
                    let log_e = log_e(null, side, PRIOR, successes, 1_000_000_000);
                    assert!(log_e.is_finite(), "{null} {side:?} {successes}: {log_e}");
                }
            }
        }
    }
}
