//! The event split: of all events, does B have more or less than its share of the traffic? For counts
//! of rare events, which are Poisson on both arms.
//!
//! Given how many events there were, B's part of them is binomial with its share of the traffic if the
//! rates are equal. A beta mixture around that share with weight k, one factor an epoch, because the
//! share changes between epochs only. Lindon and Malek, "Anytime-valid inference for multinomial count
//! data" (NeurIPS 2022), Theorem 1 with two outcomes and §4.2 for counts in continuous time.

use serde::{Deserialize, Serialize};

use crate::{agreement, design::Tail, interval::Interval, inversion};

/// How many events the prior is worth.
pub const PRIOR: f64 = 20.0;

/// The test that events happen at one rate on both arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventSplit {
    k: f64,
    tail: Tail,
    epochs: Vec<Split>,
}

/// The events of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The stretch of constant shares.
    pub epoch: u32,
    /// B's share of the traffic of both arms, between 0 and 1.
    pub share: f64,
    /// A's events.
    pub a: u64,
    /// B's events.
    pub b: u64,
}

impl EventSplit {
    /// A test with a prior worth `k` events; `tail` says whether B's rate is suspected to be greater,
    /// less, or either.
    #[must_use]
    pub fn new(k: f64, tail: impl Into<Tail>) -> Self {
        Self {
            k,
            tail: tail.into(),
            epochs: Vec::new(),
        }
    }

    /// Adds events of an epoch in which B had this share of the traffic. A share of nothing or all says
    /// nothing about rates.
    pub fn add(&mut self, epoch: u32, share: f64, events: [u64; 2]) {
        if share <= 0.0 || share >= 1.0 || share.is_nan() {
            return;
        }
        let [a, b] = events;
        match self.epochs.iter_mut().find(|known| known.epoch == epoch) {
            Some(known) => (known.a, known.b) = (known.a + a, known.b + b),
            None => self.epochs.push(Split { epoch, share, a, b }),
        }
    }

    /// What it gathers evidence for.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The events by epoch.
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        &self.epochs
    }

    /// ln E of everything so far.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.log_e_at(1.0, self.tail)
    }

    /// The ratios of B's rate to A's that the two-sided test does not reject; none before there are
    /// events enough for both ends.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let threshold = -alpha.ln();
        let held = |ln_ratio: f64| self.log_e_at(ln_ratio.exp(), Tail::TwoSided) < threshold;
        let best = self.best()?;
        let end = |edge: f64| inversion::end(held, best, edge).map(f64::exp);
        Some(Interval {
            low: end(best - inversion::REACH)?,
            high: end(best + inversion::REACH)?,
        })
    }

    /// ln E against the null that B's rate is `ratio` times A's.
    fn log_e_at(&self, ratio: f64, tail: Tail) -> f64 {
        let of = |split: &Split| {
            let odds = ratio * split.share / (1.0 - split.share);
            log_e(odds / (1.0 + odds), self.k, tail, [split.a, split.b])
        };
        self.epochs.iter().map(of).sum()
    }

    /// ln of an estimated ratio, as if both arms had half an event more; none without events.
    fn best(&self) -> Option<f64> {
        let sum = |of: fn(&Split) -> f64| self.epochs.iter().map(of).sum::<f64>();
        let (a, b) = (sum(|split| split.a as f64), sum(|split| split.b as f64));
        let expected: f64 = self
            .epochs
            .iter()
            .map(|split| split.share * (split.a + split.b) as f64)
            .sum();
        let share = expected / (a + b);
        (a + b > 0.0).then(|| ((b + 0.5) * (1.0 - share) / ((a + 0.5) * share)).ln())
    }
}

/// ln E of events [A's, B's] when B has `share` of the traffic, with a prior worth `k` events:
/// ln B(kp + s_b, k(1−p) + s_a) − ln B(kp, k(1−p)) − s_b ln p − s_a ln(1−p), cut to one side by
/// the tails of posterior and prior. Which is the agreement of B's part of the events with its share.
#[must_use]
pub fn log_e(share: f64, k: f64, tail: Tail, events: [u64; 2]) -> f64 {
    let [a, b] = events;
    agreement::log_e(share, tail, k, b, a + b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::function::factorial::ln_binomial;

    const TAILS: [Tail; 3] = [Tail::Greater, Tail::Less, Tail::TwoSided];

    #[test]
    fn the_average_over_what_chance_may_do_is_one() {
        let (events, share) = (60, 0.2_f64);
        for tail in TAILS {
            let mean: f64 = (0..=events)
                .map(|b| {
                    let chance = ln_binomial(events, b)
                        + b as f64 * share.ln()
                        + (events - b) as f64 * (1.0 - share).ln();
                    (chance + log_e(share, PRIOR, tail, [events - b, b])).exp()
                })
                .sum();
            assert!((mean - 1.0).abs() < 1e-9, "{tail:?} {mean}");
        }
    }

    #[test]
    fn only_a_split_that_departs_from_the_share_speaks() {
        let greater = |a, b| log_e(0.5, PRIOR, Tail::Greater, [a, b]);
        assert!(greater(30, 70) > 20.0_f64.ln());
        assert!(greater(50, 50) < 0.0);
        assert!(log_e(0.05, PRIOR, Tail::Greater, [950, 50]) < 0.0);
        assert!(log_e(0.5, PRIOR, Tail::Less, [70, 30]) > 20.0_f64.ln());
    }

    #[test]
    fn epochs_are_multiplied_not_pooled() {
        // Pooled, 100 of 200 events at shares 5% and 50% would look like a surplus of B.
        let mut test = EventSplit::new(PRIOR, Tail::TwoSided);
        test.add(0, 0.05, [95, 5]);
        test.add(1, 0.5, [50, 50]);
        let each = log_e(0.05, PRIOR, Tail::TwoSided, [95, 5])
            + log_e(0.5, PRIOR, Tail::TwoSided, [50, 50]);
        assert!((test.log_e() - each).abs() < 1e-12 && test.log_e() < 0.0);
    }

    #[test]
    fn an_interval_holds_the_estimate_and_closes_in() {
        let width = |events: u64| {
            let mut test = EventSplit::new(PRIOR, Tail::TwoSided);
            test.add(0, 0.2, [4 * events, 2 * events]);
            let interval = test.interval(0.05).unwrap();
            assert!(interval.low < 2.0 && 2.0 < interval.high, "{interval:?}");
            interval.high / interval.low
        };
        assert!(width(1000) < width(100) && width(10_000) < 1.2);
        assert_eq!(EventSplit::new(PRIOR, Tail::TwoSided).interval(0.05), None);
    }

    proptest! {
        #[test]
        fn evidence_stays_a_number_at_any_size(
            a in 0..=1_000_000_000_u64,
            b in 0..=1_000_000_000_u64,
            share in 0.001..0.999_f64,
        ) {
            for tail in TAILS {
                prop_assert!(log_e(share, PRIOR, tail, [a, b]).is_finite());
            }
        }

        /// The mixture by its definition, an integral over B's part of the events.
        #[test]
        fn evidence_is_that_of_the_definition(a in 0..80_u64, b in 0..80_u64, share in 0.05..0.95_f64) {
            let (steps, k) = (40_000, 40.0);
            let weigh = |low: f64, high: f64| {
                let width = (high - low) / f64::from(steps);
                let points = (0..steps).map(move |i| low + (f64::from(i) + 0.5) * width);
                points.fold((0.0, 0.0), |(bet, prior), pi| {
                    let density = (k * share - 1.0) * pi.ln() + (k * (1.0 - share) - 1.0) * (1.0 - pi).ln();
                    let odds = b as f64 * (pi / share).ln() + a as f64 * ((1.0 - pi) / (1.0 - share)).ln();
                    (bet + (density + odds).exp(), prior + density.exp())
                })
            };
            for (tail, (bet, prior)) in [
                (Tail::Greater, weigh(share, 1.0)),
                (Tail::Less, weigh(0.0, share)),
                (Tail::TwoSided, weigh(0.0, 1.0)),
            ] {
                let (slow, fast) = ((bet / prior).ln(), log_e(share, k, tail, [a, b]));
                prop_assert!((slow - fast).abs() < 1e-3 * slow.abs().max(1.0), "{:?} {} {}", tail, slow, fast);
            }
        }
    }
}
