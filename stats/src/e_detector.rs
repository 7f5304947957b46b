//! An e-detector: has a rate risen above what it may be, at some moment that nobody knows?
//!
//! The Shiryaev–Roberts e-detector of Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework
//! for sequential change detection" (arXiv 2203.03532): M_t = L_t (M_{t−1} + 1), where L_t has a mean of
//! at most 1 given the past for as long as nothing has changed. Here L_t bets that the rate has grown:
//! the product of 1 + λ(y − p₀) over the outcomes y of a look, of which the mean is at most 1 whatever
//! distribution between 0 and 1 has a mean of at most p₀ given the past. M is averaged over twelve bets.
//!
//! M_t − t is then a supermartingale. So the mean number of looks until M reaches c without a change is
//! at least c, and the chance that it does so within the first T looks is at most T/c: M_t + T − t is a
//! supermartingale that begins at T and is never negative (Ville).

use serde::{Deserialize, Serialize};

use crate::special::{ln_mean_exp, log_spaced, softplus};

/// The bets: the logarithms of the factors by which the odds may have grown.
const SMALLEST: f64 = 0.08;
const LARGEST: f64 = 2.4;
const BETS: usize = 12;

/// The state of the detector, which is that of its bets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EDetector {
    null: f64,
    /// ln(1 + M) of each bet: nought at the beginning, never less.
    bets: Vec<f64>,
}

/// What one look brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// So many outcomes, of which so many were bad, none depending on another.
    Outcomes(u64, u64),
    /// The same, depending on each other: their mean is one outcome.
    Mean(u64, u64),
}

impl EDetector {
    /// A detector that nothing has been shown, for rates above `null`, which lies between 0 and 1.
    #[must_use]
    pub fn new(null: f64) -> Self {
        Self {
            null,
            bets: vec![0.0; BETS],
        }
    }

    /// A detector that goes on from ln(1 + M) of each of its bets; none if there are too few or too many.
    #[must_use]
    pub fn resume(null: f64, bets: &[f64]) -> Option<Self> {
        (bets.len() == BETS).then(|| Self {
            null,
            bets: bets.to_vec(),
        })
    }

    /// Takes the next look. One without outcomes is none.
    pub fn add(&mut self, look: Look) {
        let (Look::Outcomes(n, _) | Look::Mean(n, _)) = look;
        if n == 0 {
            return;
        }
        let odds = self.null / (1.0 - self.null);
        let factors = log_spaced(SMALLEST, LARGEST, BETS);
        for (bet, factor) in self.bets.iter_mut().zip(factors) {
            let moved = odds * factor.exp();
            let rate = moved / (1.0 + moved);
            // 1 + λ(y − p₀) for y = 1 and y = 0, where λ = (p − p₀)/(p₀(1 − p₀)).
            let (bad, good) = (rate / self.null, (1.0 - rate) / (1.0 - self.null));
            *bet = softplus(look.log_factor(bad, good) + *bet);
        }
    }

    /// ln(1 + M), M averaged over the bets.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        ln_mean_exp(&self.bets)
    }

    /// The rate that is allowed.
    #[must_use]
    pub fn null(&self) -> f64 {
        self.null
    }

    /// ln(1 + M) of each bet, to go on from.
    #[must_use]
    pub fn bets(&self) -> &[f64] {
        &self.bets
    }
}

impl Look {
    /// So many outcomes and bad ones.
    #[must_use]
    pub fn of([n, events]: [u64; 2], dependent: bool) -> Self {
        if dependent {
            Self::Mean(n, events)
        } else {
            Self::Outcomes(n, events)
        }
    }

    /// ln L, where a bad outcome counts for `bad` and another for `good`.
    fn log_factor(self, bad: f64, good: f64) -> f64 {
        let split = |n: u64, events: u64| (events as f64, n.saturating_sub(events) as f64);
        match self {
            Self::Outcomes(n, events) => {
                let (events, others) = split(n, events);
                events * bad.ln() + others * good.ln()
            }
            Self::Mean(n, events) => {
                let (events, others) = split(n, events);
                ((events * bad + others * good) / (events + others)).ln()
            }
        }
    }
}

/// What ln(1 + M) has to reach for a false alarm within so many looks to have at most this chance.
#[must_use]
pub fn threshold(chance: f64, looks: u64) -> f64 {
    (looks as f64 / chance).ln_1p()
}

#[cfg(test)]
mod tests {
    use statrs::function::factorial::ln_binomial;

    use super::*;

    #[test]
    fn one_look_has_a_mean_of_at_most_one_where_nothing_changed() {
        let n = 12;
        for null in [0.01_f64, 0.2, 0.9] {
            let mean = |look: fn(u64, u64) -> Look| -> f64 {
                (0..=n)
                    .map(|events| {
                        let chance = ln_binomial(n, events)
                            + events as f64 * null.ln()
                            + (n - events) as f64 * (1.0 - null).ln();
                        let mut detector = EDetector::new(null);
                        detector.add(look(n, events));
                        chance.exp() * (detector.log_e().exp() - 1.0)
                    })
                    .sum()
            };
            assert!((mean(Look::Outcomes) - 1.0).abs() < 1e-9, "{null}");
            assert!((mean(Look::Mean) - 1.0).abs() < 1e-9, "{null}");
        }
    }

    #[test]
    fn outcomes_that_depend_on_each_other_count_as_one() {
        let (mut apart, mut together) = (EDetector::new(0.01), EDetector::new(0.01));
        apart.add(Look::Outcomes(100, 10));
        together.add(Look::Mean(100, 10));
        assert!(apart.log_e() > 10.0, "{}", apart.log_e());
        assert!(together.log_e() < 2.5, "{}", together.log_e());
    }

    #[test]
    fn a_change_is_found_however_long_nothing_changed_before() {
        let looks_until = |before: u32| {
            let mut detector = EDetector::new(0.01);
            (0..before).for_each(|_| detector.add(Look::Outcomes(100, 1)));
            let mut looks = 0;
            while detector.log_e() < threshold(0.05, 100_000) {
                detector.add(Look::Outcomes(100, 4));
                looks += 1;
            }
            looks
        };
        let (at_once, late) = (looks_until(0), looks_until(50_000));
        assert!(at_once < 12 && late <= at_once, "{at_once} {late}");
    }

    #[test]
    fn a_detector_goes_on_from_its_bets() {
        let mut whole = EDetector::new(0.1);
        let mut first = EDetector::new(0.1);
        for events in [3, 1, 0, 5] {
            whole.add(Look::Outcomes(20, events));
            first.add(Look::Outcomes(20, events));
        }
        let mut second = EDetector::resume(first.null(), first.bets()).unwrap();
        for detector in [&mut whole, &mut second] {
            detector.add(Look::Outcomes(20, 7));
        }
        assert_eq!(whole, second);
        assert_eq!(EDetector::resume(0.1, &[0.0]), None);
    }

    #[test]
    fn evidence_stays_a_number_after_a_thousand_million_outcomes() {
        for null in [1e-9, 0.5, 1.0 - 1e-9] {
            let mut detector = EDetector::new(null);
            for events in [0, 1_000_000_000] {
                detector.add(Look::Outcomes(1_000_000_000, events));
                assert!(detector.log_e().is_finite(), "{null} {events}");
            }
        }
    }
}
