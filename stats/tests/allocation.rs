//! That an observation allocates nothing once its tick is open: in a binary of its own, whose allocator
//! counts.

use stats::{Better, Delta, Design, Goals, Kind, Metric, Role, Scale, Unit};

/// Allocations of so many observations on two arms, in a tick that has seen both ends of their range.
fn design(kind: Kind, unit: Unit) -> Design {
    let metric = Metric {
        name: "metric".to_owned(),
        kind,
        better: Better::Lower,
        role: Role::Goal,
        margin: None,
        critical: false,
        worth: None,
    };
    Design {
        arms: 2,
        unit,
        metrics: vec![metric],
        alpha: 0.05,
        end: None,
        goals: Goals::All,
    }
}

/// Bytes that a tick takes for each metric and arm after ten thousand observations over 21 decades.
#[track_caller]
fn weigh(kind: Kind, unit: Unit, bytes_max: u64) {
    let mut delta = Delta::new(&design(kind, unit));
    let held = allocation_counter::measure(|| {
        for i in 0..10_000_u32 {
            let wide = 10.0_f64.powf(f64::from(i % 2100) / 100.0 - 9.0);
            let y = if kind == Kind::Proportion { 1.0 } else { wide };
            let bucket = u16::try_from(i % 512).unwrap_or_default();
            let arm = usize::from(i.is_multiple_of(2));
            delta.observe_pair(0, 1, 0, arm, bucket, [Some(y), Some(wide)]);
        }
    });
    let each = u64::try_from(held.bytes_current).unwrap_or_default() / 2;
    assert!(each > 24 && each <= bytes_max, "{kind:?} {unit:?}: {each}");
    drop(delta);
}

/// The statement of `stats/src/evidence.rs`.
#[test]
fn a_metric_takes_so_many_bytes_for_an_arm_and_tick_and_no_more() {
    let linear = Scale::Linear;
    let (plain, buckets, histogram) = (256, 8192, 39 * 1024);
    let (request, sticky) = (Unit::Request, Unit::Sticky);
    weigh(Kind::Proportion, request, plain);
    weigh(Kind::Proportion, sticky, plain + buckets);
    weigh(Kind::Mean { scale: linear }, request, plain);
    weigh(Kind::Adjusted { scale: linear }, request, plain);
    weigh(
        Kind::Adjusted { scale: linear },
        sticky,
        plain + 2 * buckets,
    );
    weigh(Kind::Ratio, sticky, plain + 2 * buckets);
    weigh(Kind::Quantile { at: 0.99 }, request, plain + histogram);
    weigh(
        Kind::Quantile { at: 0.99 },
        sticky,
        plain + histogram + buckets,
    );
    weigh(Kind::Distribution, request, plain + histogram);
}

#[track_caller]
fn check(kind: Kind, unit: Unit, expected: u64) {
    let design = design(kind, unit);
    let mut delta = Delta::new(&design);
    let mut observe = |tick: u64| {
        for i in 0..10_000_u32 {
            let y = match kind {
                Kind::Proportion => f64::from(i % 2),
                _ => 0.001 + 1e-3 * f64::from(i % 5000),
            };
            let bucket = u16::try_from(i % 512).unwrap_or_default();
            delta.observe(0, tick, 0, usize::from(i.is_multiple_of(3)), bucket, y);
        }
    };
    observe(1);
    let open = allocation_counter::measure(|| observe(1));
    assert_eq!(open.count_total, expected, "{kind:?} {unit:?}");
    let opening = allocation_counter::measure(|| observe(2));
    assert!(
        opening.count_total > 0,
        "the control: opening a tick allocates"
    );
}

#[test]
fn an_observation_in_an_open_tick_allocates_nothing() {
    let mean = |scale| Kind::Mean { scale };
    let kinds = [
        Kind::Proportion,
        mean(Scale::Log),
        mean(Scale::Linear),
        Kind::Exceedance { limit: 1.0 },
        Kind::Quantile { at: 0.99 },
        Kind::Distribution,
    ];
    for kind in kinds {
        check(kind, Unit::Request, 0);
        check(kind, Unit::Sticky, 0);
    }
}
