//! The paired test of a yes or no: a shadow answers the same request as the primary, and only the pairs
//! in which they differ say anything.
//!
//! Given how many pairs differ, each is as likely one way as the other if neither is better. A beta
//! mixture with the Jeffreys prior ½, ½ bets on either side: Robbins, "Statistical methods related to
//! the law of the iterated logarithm" (Annals of Mathematical Statistics 41, 1970), §3, for coin tosses.

use serde::{Deserialize, Serialize};

use crate::{
    interval::Interval,
    inversion,
    special::{ln_beta, softplus},
};

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
        self.log_e_at(0.0)
    }

    /// The odds of n₀₁ against n₁₀ that are not rejected; none before both ends are found.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let held = |log_odds: f64| self.log_e_at(log_odds) < -alpha.ln();
        let estimate = ((self.n01 as f64 + 0.5) / (self.n10 as f64 + 0.5)).ln();
        let end = |edge: f64| inversion::end(held, estimate, edge).map(f64::exp);
        Some(Interval {
            low: end(estimate - inversion::REACH)?,
            high: end(estimate + inversion::REACH)?,
        })
    }

    /// ln E against the null that these are the log odds: the mixture is the same, what it is compared
    /// with is not.
    fn log_e_at(&self, log_odds: f64) -> f64 {
        let (n01, n10) = (self.n01 as f64, self.n10 as f64);
        let surprise = n01 * softplus(-log_odds) + n10 * softplus(log_odds);
        ln_beta(0.5 + n01, 0.5 + n10) - ln_beta(0.5, 0.5) + surprise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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
    #[test]
    fn an_interval_holds_the_odds_and_closes_in() {
        let width = |pairs: u64| {
            let mut test = PairedBinary::default();
            test.add(2 * pairs, pairs);
            let interval = test.interval(0.05).unwrap();
            assert!(interval.low < 2.0 && 2.0 < interval.high, "{interval:?}");
            for end in [interval.low, interval.high] {
                assert!((test.log_e_at(end.ln()) - 20.0_f64.ln()).abs() < 1e-6);
            }
            interval.high / interval.low
        };
        assert!(width(1000) < width(30) && width(1_000_000) < 1.02);
        assert_eq!(PairedBinary::default().interval(0.05), None);
    }

    proptest! {
        /// The mixture pair by pair: each is predicted by those before it (Krichevsky and Trofimov,
        /// IEEE Transactions on Information Theory 27, 1981), and E is the product of the gains.
        #[test]
        fn evidence_is_that_of_betting_pair_by_pair(second in prop::collection::vec(any::<bool>(), 0..200)) {
            let (mut counts, mut slow) = ([0_u64, 0], 0.0);
            for way in second.into_iter().map(usize::from) {
                let all = counts[0] + counts[1];
                slow += (2.0 * (counts[way] as f64 + 0.5) / (all as f64 + 1.0)).ln();
                counts[way] += 1;
            }
            let fast = log_e(counts[0], counts[1]);
            prop_assert!((slow - fast).abs() < 1e-10, "{} is not {}", fast, slow);
        }
    }
}
