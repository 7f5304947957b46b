//! From when on a sum may be taken for normal.

use crate::{
    design::{Kind, Scale},
    evidence::Tally,
};

/// Units wanted on each arm.
const UNITS_MIN: u64 = 500;

/// Ones and zeros wanted on each arm, as many as it would have at the rate of both arms together.
///
/// What counts is whether the sum is normal if the arms are equal. Counting each arm's own events, as
/// STATISTICS has it, is the same there, but shuts the gate for ever on a candidate that fails often
/// while the control never does. `tests/simulation` checks the error of rare events behind this gate.
const EVENTS_MIN: f64 = 50.0;

/// Kish's effective size wanted on each arm, so that no few large numbers carry the mean. Not asked of
/// logarithms, whose zero is arbitrary and whose tails are tame.
const EFFECTIVE_MIN: f64 = 100.0;

/// Whether both arms, the control first, have been seen enough. `units` are those told apart, which are
/// fewer than the observations where units return and more where outcomes are missing.
pub(crate) fn holds(kind: Kind, arms: [&Tally; 2], units: [u64; 2]) -> bool {
    let seen = arms
        .iter()
        .zip(units)
        .all(|(tally, units)| units.min(tally.n) >= UNITS_MIN);
    seen && match kind {
        Kind::Proportion => arms
            .iter()
            .all(|tally| rarer_outcomes(arms, tally) >= EVENTS_MIN),
        Kind::Mean {
            scale: Scale::Linear,
        } => arms
            .iter()
            .all(|tally| tally.effective_size() >= EFFECTIVE_MIN),
        Kind::Mean { scale: Scale::Log } => true,
    }
}

/// How often an arm would have the rarer outcome if all arms had one rate.
fn rarer_outcomes(arms: [&Tally; 2], arm: &Tally) -> f64 {
    let all: f64 = arms.iter().map(|tally| tally.count()).sum();
    let rate = arms.iter().map(|tally| tally.sum).sum::<f64>() / all;
    rate.min(1.0 - rate) * arm.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(values: impl Iterator<Item = f64>) -> Tally {
        let mut tally = Tally::default();
        values.for_each(|y| tally.add(y));
        tally
    }

    fn rate(n: u32, ones: u32) -> Tally {
        tally((0..n).map(move |i| f64::from(u8::from(i < ones))))
    }

    #[track_caller]
    fn check(kind: Kind, arms: [&Tally; 2], units: [u64; 2], expected: bool) {
        assert_eq!(holds(kind, arms, units), expected, "{arms:?}");
    }

    #[test]
    fn a_rate_waits_for_fifty_of_both_outcomes() {
        let pair = |ones: [u32; 2]| ones.map(|ones| rate(1000, ones));
        for (ones, expected) in [([49, 50], false), ([50, 50], true), ([951, 950], false)] {
            let [a, b] = pair(ones);
            check(Kind::Proportion, [&a, &b], [1000; 2], expected);
        }
    }

    #[test]
    fn the_smaller_arm_of_a_rate_decides() {
        check(
            Kind::Proportion,
            [&rate(50_000, 2500), &rate(900, 45)],
            [900; 2],
            false,
        );
        check(
            Kind::Proportion,
            [&rate(50_000, 2500), &rate(1100, 55)],
            [1100; 2],
            true,
        );
    }

    #[test]
    fn a_control_that_never_fails_does_not_shut_the_gate() {
        check(
            Kind::Proportion,
            [&rate(1000, 0), &rate(1000, 300)],
            [1000; 2],
            true,
        );
    }

    #[test]
    fn a_mean_waits_for_five_hundred_units_not_requests() {
        let log = Kind::Mean { scale: Scale::Log };
        let ones = |n: u32| tally((0..n).map(|_| 1.0));
        check(log, [&ones(5000), &ones(5000)], [5000, 499], false);
        check(log, [&ones(5000), &ones(499)], [5000, 5000], false);
        check(log, [&ones(500), &ones(500)], [500, 500], true);
    }

    #[test]
    fn a_mean_carried_by_a_few_large_numbers_waits() {
        let linear = Kind::Mean {
            scale: Scale::Linear,
        };
        let even = tally((0..1000).map(|_| 1.0));
        let skewed = tally((0..1000).map(|i| if i < 10 { 1e6 } else { 1.0 }));
        check(linear, [&even, &skewed], [1000; 2], false);
        check(linear, [&even, &even], [1000; 2], true);
    }
}
