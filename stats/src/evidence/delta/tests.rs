//! Adding up in any order, and refusing what is no outcome.

use proptest::prelude::*;

use super::*;
use crate::{Better, Margin, Metric, Role};

fn design(unit: Unit) -> Design {
    let metric = |kind| Metric {
        name: "m".to_owned(),
        kind,
        better: Better::Higher,
        role: Role::Goal,
        margin: None,
        critical: false,
        worth: None,
    };
    let scale = Scale::Linear;
    let mut metrics = vec![
        metric(Kind::Proportion),
        metric(Kind::Mean { scale }),
        metric(Kind::Adjusted { scale }),
        metric(Kind::Ratio),
        metric(Kind::Quantile { at: 0.9 }),
        metric(Kind::Distribution),
        metric(Kind::Exceedance { limit: 1.0 }),
        metric(Kind::Proportion),
    ];
    if let Some(ceiling) = metrics.last_mut() {
        (ceiling.role, ceiling.margin) = (Role::Guardrail, Some(Margin::AtMost(0.1)));
    }
    Design {
        arms: 3,
        unit,
        metrics,
        alpha: 0.05,
        end: None,
        goals: crate::Goals::All,
    }
}

#[derive(Clone, Debug)]
struct Seen {
    epoch: u32,
    tick: u64,
    arm: usize,
    bucket: u16,
    unit: u64,
    one: bool,
    eighths: i32,
}

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (
        0..3_u32,
        0..4_u64,
        0..3_usize,
        0..BUCKETS,
        0..20_u64,
        any::<bool>(),
        -800..800,
    );
    let one = one.prop_map(|(epoch, tick, arm, bucket, unit, one, eighths)| Seen {
        epoch,
        tick,
        arm,
        bucket,
        unit,
        one,
        eighths,
    });
    prop::collection::vec(one, 0..40)
}

fn delta(unit: Unit, seen: &[Seen]) -> Delta {
    let mut delta = Delta::new(&design(unit));
    for s in seen {
        delta.expose(s.epoch, s.tick, s.arm, s.unit);
        let (one, number) = (f64::from(u8::from(s.one)), f64::from(s.eighths) / 8.0);
        for (metric, asked) in design(unit).metrics.iter().enumerate() {
            let y = if asked.kind == Kind::Proportion {
                one
            } else {
                number
            };
            let pair = [Some(y), Some(number / 2.0)];
            delta.observe_pair(s.epoch, s.tick, metric, s.arm, s.bucket, pair);
            let moment = s.eighths.unsigned_abs().into();
            delta.observe_unit(s.tick, moment, metric, s.arm, s.unit, y);
        }
        if s.one {
            delta.take_back(s.epoch, s.tick, 0, s.arm, s.bucket);
        }
    }
    delta
}

fn merged(mut a: Delta, b: Delta) -> Delta {
    a.merge(b);
    a
}

proptest! {
    // Eighths add without rounding, so that equality here is equality to the bit.
    #[test]
    fn merging_is_commutative_and_associative(a in seen(), b in seen(), c in seen(), sticky: bool) {
        let unit = if sticky { Unit::Sticky } else { Unit::Request };
        let [a, b, c] = [a, b, c].map(|seen| delta(unit, &seen));
        prop_assert_eq!(merged(a.clone(), b.clone()), merged(b.clone(), a.clone()));
        let left = merged(merged(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(left, merged(a, merged(b, c)));
    }

    #[test]
    fn merging_is_the_same_as_seeing_both(a in seen(), b in seen()) {
        let together: Vec<Seen> = a.iter().chain(&b).cloned().collect();
        let apart = merged(delta(Unit::Sticky, &a), delta(Unit::Sticky, &b));
        prop_assert_eq!(apart, delta(Unit::Sticky, &together));
    }

    /// A ledger, too, is the same whichever worker answered first, because what one beat brings is merged before.
    #[test]
    fn a_ledger_is_the_same_whichever_worker_of_one_beat_answered_first(a in seen(), b in seen(), sticky: bool) {
        let unit = if sticky { Unit::Sticky } else { Unit::Request };
        let heard = |seen: [&[Seen]; 2]| {
            let mut ledger = crate::Ledger::new(design(unit), &[0.4, 0.3, 0.3]);
            ledger.open_epoch(&[0.4, 0.3, 0.3]);
            ledger.open_epoch(&[0.4, 0.3, 0.3]);
            ledger.absorb(merged(delta(unit, seen[0]), delta(unit, seen[1])));
            ledger.close_before(u64::MAX);
            ledger
        };
        prop_assert_eq!(heard([&a, &b]), heard([&b, &a]));
    }
}

#[test]
fn what_cannot_be_an_outcome_is_only_counted() {
    let mut delta = Delta::new(&design(Unit::Request));
    delta.observe(0, 0, 0, 0, 0, 0.5);
    delta.observe(0, 0, 1, 0, 0, f64::NAN);
    delta.observe(0, 0, 1, 0, 0, f64::INFINITY);
    delta.observe(0, 0, 1, 3, 0, 1.0);
    delta.observe(0, 0, 99, 0, 0, 1.0);
    delta.observe(0, 0, 1, 0, BUCKETS, 1.0);
    assert_eq!(delta.unusable, 6);
    assert!(delta.ticks.is_empty());
}

#[test]
fn buckets_cost_nothing_where_units_do_not_return() {
    let mut delta = Delta::new(&design(Unit::Request));
    delta.observe(0, 0, 0, 0, 7, 1.0);
    assert!(
        delta.ticks[0]
            .cells
            .iter()
            .all(|cell| cell.buckets.is_none())
    );
}

#[test]
fn a_duration_of_nothing_is_clamped_before_its_logarithm() {
    let log = Kind::Mean { scale: Scale::Log };
    assert_eq!(
        usable(log, 0.0, None).map(|value| value.y),
        Some(LOG_FLOOR.ln())
    );
    assert_eq!(
        usable(log, -3.0, None).map(|value| value.y),
        Some(LOG_FLOOR.ln())
    );
    assert_eq!(usable(log, 1.0, None).map(|value| value.y), Some(0.0));
}

#[test]
fn sums_count_as_their_observations_do() {
    let design = design(Unit::Request);
    let (mut one_by_one, mut summed) = (Delta::new(&design), Delta::new(&design));
    let mut sums = Cell::default();
    for y in [1.0, 0.0, 1.0] {
        one_by_one.expose(1, 3, 2, 0);
        one_by_one.observe(1, 3, 0, 2, 0, y);
        sums.tally.add(y);
    }
    summed.expose_many(1, 2, 3);
    summed.observe_many(1, 3, 0, 2, &sums);
    assert_eq!(summed, one_by_one);

    summed.observe_many(1, 3, 0, 3, &sums);
    summed.observe_many(1, 3, 99, 0, &sums);
    assert_eq!((summed.unusable, &summed.ticks), (6, &one_by_one.ticks));
}
