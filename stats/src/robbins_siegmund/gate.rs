//! From when on a sum may be taken for normal.

use crate::{
    design::{Kind, Scale},
    evidence::{BUCKETS, Buckets, Cell, Tally},
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
pub(crate) fn holds(kind: Kind, arms: [&Cell; 2], units: [u64; 2]) -> bool {
    singly(kind, arms.map(|arm| &arm.tally), units)
        && by_buckets(kind, arms)
        && denominators(kind, arms)
}

/// Events of a few units that return are few, however many they are: what must be enough is the number
/// of units that they seem to come from. Where no unit returns, each event comes from one of its own,
/// and this is the same gate as that on single observations.
fn by_buckets(kind: Kind, arms: [&Cell; 2]) -> bool {
    let [Some(control), Some(candidate)] = arms.map(|arm| arm.buckets.as_ref()) else {
        return true;
    };
    let of_both = |of_zeros| {
        let mut both = control.clone();
        both.merge(candidate);
        let all: f64 = arms.iter().map(|arm| arm.tally.count()).sum();
        let contributors = contributors(&both, of_zeros);
        arms.iter()
            .all(|arm| contributors * arm.tally.count() / all >= EVENTS_MIN)
    };
    match kind {
        Kind::Proportion | Kind::Exceedance { .. } | Kind::Quantile { .. } => {
            of_both(rate(arms.map(|arm| &arm.tally)) > 0.5)
        }
        Kind::Count => of_both(false),
        Kind::Mean {
            scale: Scale::Linear,
        }
        | Kind::Adjusted {
            scale: Scale::Linear,
        }
        | Kind::Ratio => [control, candidate]
            .iter()
            .all(|buckets| contributors(buckets, false) >= EFFECTIVE_MIN),
        Kind::Mean { scale: Scale::Log } | Kind::Adjusted { scale: Scale::Log } => true,
        // These never walk.
        Kind::Distribution => false,
    }
}

/// Whether what a ratio divides by is carried by enough requests too; true where there is nothing.
fn denominators(kind: Kind, arms: [&Cell; 2]) -> bool {
    let mut second = arms.iter().filter_map(|arm| arm.pair.as_ref());
    kind != Kind::Ratio
        || second.all(|pair| {
            let by_unit = pair
                .buckets
                .as_ref()
                .map(|buckets| contributors(buckets, false));
            pair.x
                .effective_size()
                .min(by_unit.unwrap_or(f64::INFINITY))
                >= EFFECTIVE_MIN
        })
}

/// How many equal units a sum seems to come from, by Kish's formula: (Σy)²/Σy² over units. The sum of
/// squares over units is estimated by how far the buckets' sums scatter, since the units of a bucket are
/// independent and their number is Poisson.
fn contributors(buckets: &Buckets, of_zeros: bool) -> f64 {
    let sums = buckets.iter().map(|bucket| {
        if of_zeros {
            bucket.n as f64 - bucket.sum
        } else {
            bucket.sum
        }
    });
    let (mut sum, mut square) = (0.0, 0.0);
    for y in sums {
        sum += y;
        square += y * y;
    }
    let scatter = square - sum * sum / f64::from(BUCKETS);
    if scatter > 0.0 {
        sum * sum / scatter
    } else {
        f64::INFINITY
    }
}

fn singly(kind: Kind, arms: [&Tally; 2], units: [u64; 2]) -> bool {
    let seen = arms
        .iter()
        .zip(units)
        .all(|(tally, units)| units.min(tally.n) >= UNITS_MIN);
    seen && match kind {
        Kind::Proportion | Kind::Exceedance { .. } | Kind::Quantile { .. } => arms
            .iter()
            .all(|tally| rarer_outcomes(arms, tally) >= EVENTS_MIN),
        Kind::Mean {
            scale: Scale::Linear,
        }
        | Kind::Adjusted {
            scale: Scale::Linear,
        }
        | Kind::Ratio => arms
            .iter()
            .all(|tally| tally.effective_size() >= EFFECTIVE_MIN),
        Kind::Count => arms.iter().all(|tally| events(arms, tally) >= EVENTS_MIN),
        Kind::Mean { scale: Scale::Log } | Kind::Adjusted { scale: Scale::Log } => true,
        // These never walk.
        Kind::Distribution => false,
    }
}

/// How often an arm would have the rarer outcome if all arms had one rate.
fn rarer_outcomes(arms: [&Tally; 2], arm: &Tally) -> f64 {
    let rate = rate(arms);
    rate.min(1.0 - rate) * arm.count()
}

/// The rate of ones on both arms together.
fn rate(arms: [&Tally; 2]) -> f64 {
    let all: f64 = arms.iter().map(|tally| tally.count()).sum();
    arms.iter().map(|tally| tally.sum).sum::<f64>() / all
}

/// How many events, counted by Kish's size so that a burst is one, an arm would have if all arms had one
/// rate.
fn events(arms: [&Tally; 2], arm: &Tally) -> f64 {
    let mut all = *arms[0];
    all.merge(arms[1]);
    all.effective_size() * arm.count() / all.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(values: impl Iterator<Item = f64>) -> Cell {
        let mut cell = Cell::default();
        values.for_each(|y| cell.add(y));
        cell
    }

    fn rate(n: u32, ones: u32) -> Cell {
        cell((0..n).map(move |i| f64::from(u8::from(i < ones))))
    }

    #[track_caller]
    fn check(kind: Kind, arms: [&Cell; 2], units: [u64; 2], expected: bool) {
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
        let ones = |n: u32| cell((0..n).map(|_| 1.0));
        check(log, [&ones(5000), &ones(5000)], [5000, 499], false);
        check(log, [&ones(5000), &ones(499)], [5000, 5000], false);
        check(log, [&ones(500), &ones(500)], [500, 500], true);
    }

    #[test]
    fn a_mean_carried_by_a_few_large_numbers_waits() {
        let linear = Kind::Mean {
            scale: Scale::Linear,
        };
        let even = cell((0..1000).map(|_| 1.0));
        let skewed = cell((0..1000).map(|i| if i < 10 { 1e6 } else { 1.0 }));
        check(linear, [&even, &skewed], [1000; 2], false);
        check(linear, [&even, &even], [1000; 2], true);
    }

    /// So many units on each arm, one in `every` of which brings `events` ones among its 10 requests.
    fn returning(units: u16, every: u16, events: u16) -> Cell {
        let mut cell = Cell::default();
        for unit in 0..units {
            let bucket = bucket_of(unit);
            for request in 0..10 {
                let one = unit % every == 0 && request < events;
                cell.add_in_bucket(bucket, f64::from(u8::from(one)));
            }
        }
        cell
    }

    /// Spread as a hash spreads (the last step of SplitMix64).
    fn bucket_of(unit: u16) -> u16 {
        let mixed = (u64::from(unit) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u16::try_from(mixed >> 55).unwrap()
    }

    #[test]
    fn events_of_a_few_units_that_return_are_few() {
        let arms = |every, events| {
            [
                returning(4000, every, events),
                returning(4000, every, events),
            ]
        };
        for (every, events, expected) in [
            (40, 1, true),
            (200, 1, false),
            (200, 10, false),
            (20, 10, true),
        ] {
            let [a, b] = arms(every, events);
            check(Kind::Proportion, [&a, &b], [4000; 2], expected);
        }
    }

    #[test]
    fn units_are_counted_from_the_scatter_of_their_buckets() {
        for (every, events) in [(40, 1), (40, 10), (8, 3)] {
            let cell = returning(16_000, every, events);
            let buckets = cell.buckets.unwrap();
            let (found, truth) = (contributors(&buckets, false), 16_000.0 / f64::from(every));
            assert!((found / truth - 1.0).abs() < 0.25, "{found} of {truth}");
        }
    }
}
