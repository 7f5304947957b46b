//! The paired test of a yes or no: a shadow answers the same request as the primary, and only the pairs
//! in which they differ say anything.
//!
//! Given how many pairs differ, each is as likely one way as the other if neither is better. A beta
//! mixture with the Jeffreys prior ½, ½ bets on either side: Robbins, "Statistical methods related to
//! the law of the iterated logarithm" (Annals of Mathematical Statistics 41, 1970), §3, for coin tosses.

use serde::{Deserialize, Serialize};

use crate::special::ln_beta;

/// The two-sided test that both kinds of difference are equally frequent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedBinary {
    n01: u64,
    n10: u64,
}

impl PairedBinary {
    /// Adds pairs: `n01` in which only the second said yes, `n10` in which only the first did.
    pub fn add(&mut self, n01: u64, n10: u64) {
        self.n01 += n01;
        self.n10 += n10;
    }

    /// ln E of all pairs so far: ln B(½ + n₀₁, ½ + n₁₀) − ln B(½, ½) + (n₀₁ + n₁₀) ln 2.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        let (n01, n10) = (self.n01 as f64, self.n10 as f64);
        ln_beta(0.5 + n01, 0.5 + n10) - ln_beta(0.5, 0.5) + (n01 + n10) * std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::function::factorial::ln_binomial;

    fn log_e(n01: u64, n10: u64) -> f64 {
        let mut test = PairedBinary::default();
        test.add(n01, n10);
        test.log_e()
    }

    #[test]
    fn pairs_that_agree_say_nothing() {
        assert!(log_e(0, 0).abs() < 1e-12);
    }

    #[test]
    fn one_way_differences_are_found_and_balanced_ones_are_not() {
        // B(½, ½ + 20)/π · 2²⁰ = Γ(20.5)/(√π 20!) · 2²⁰ = C(40, 20) / 2²⁰.
        let expected = ln_binomial(40, 20) - 20.0 * std::f64::consts::LN_2;
        assert!((log_e(0, 20) - expected).abs() < 1e-10);
        assert!(log_e(20, 0) > 3.0 && log_e(500, 500) < -2.0);
    }

    #[test]
    fn the_average_over_what_chance_may_do_is_one() {
        let n = 40;
        let chance = |n01| ln_binomial(n, n01) - n as f64 * std::f64::consts::LN_2;
        let mean: f64 = (0..=n)
            .map(|n01| (chance(n01) + log_e(n01, n - n01)).exp())
            .sum();
        assert!((mean - 1.0).abs() < 1e-10, "{mean}");
    }

    #[test]
    fn evidence_stays_a_number_at_a_thousand_million() {
        assert!(log_e(1_000_000_000, 0) > 6e8 && log_e(500_000_000, 500_000_000) < 0.0);
    }
}
