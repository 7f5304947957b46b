//! From when on a sum may be taken for normal.

use crate::{
    design::{Kind, Scale},
    evidence::Tally,
};

/// Units wanted on each arm.
const UNITS_MIN: u64 = 500;

/// Ones and zeros wanted on each arm: the rarer of the two decides how skewed a rate is.
const EVENTS_MIN: u64 = 50;

/// Kish's effective size wanted on each arm, so that no few large numbers carry the mean. Not asked of
/// logarithms, whose zero is arbitrary and whose tails are tame.
const EFFECTIVE_MIN: f64 = 100.0;

/// Whether an arm has been seen enough; `units` are those told apart, which are fewer than the
/// observations where units return and more where outcomes are missing.
pub(crate) fn holds(kind: Kind, tally: &Tally, units: u64) -> bool {
    if units.min(tally.n) < UNITS_MIN {
        return false;
    }
    match kind {
        Kind::Proportion => tally.ones().min(tally.n - tally.ones()) >= EVENTS_MIN,
        Kind::Mean {
            scale: Scale::Linear,
        } => tally.effective_size() >= EFFECTIVE_MIN,
        Kind::Mean { scale: Scale::Log } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(values: impl Iterator<Item = f64>) -> Tally {
        let mut tally = Tally::default();
        values.for_each(|y| tally.add(y));
        tally
    }

    #[test]
    fn a_rate_waits_for_fifty_of_both_outcomes() {
        let rate = |ones: u32| tally((0..1000).map(move |i| f64::from(u8::from(i < ones))));
        assert!(!holds(Kind::Proportion, &rate(49), 1000));
        assert!(holds(Kind::Proportion, &rate(50), 1000));
        assert!(!holds(Kind::Proportion, &rate(951), 1000));
    }

    #[test]
    fn a_mean_waits_for_five_hundred_units_not_requests() {
        let log = Kind::Mean { scale: Scale::Log };
        assert!(!holds(log, &tally((0..5000).map(|_| 1.0)), 499));
        assert!(!holds(log, &tally((0..499).map(|_| 1.0)), 5000));
        assert!(holds(log, &tally((0..500).map(|_| 1.0)), 500));
    }

    #[test]
    fn a_mean_carried_by_a_few_large_numbers_waits() {
        let linear = Kind::Mean {
            scale: Scale::Linear,
        };
        let skewed = (0..1000).map(|i| if i < 10 { 1e6 } else { 1.0 });
        assert!(!holds(linear, &tally(skewed), 1000));
        assert!(holds(linear, &tally((0..1000).map(|_| 1.0)), 1000));
    }
}
