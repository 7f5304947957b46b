//! That an observation allocates nothing once its tick is open: in a binary of its own, whose allocator
//! counts.

use stats::{Better, Delta, Design, Goals, Kind, Metric, Role, Scale, Unit};

/// Allocations of so many observations on two arms, in a tick that has seen both ends of their range.
#[track_caller]
fn check(kind: Kind, unit: Unit, expected: u64) {
    let metric = Metric {
        name: "metric".to_owned(),
        kind,
        better: Better::Lower,
        role: Role::Goal,
        margin: None,
        critical: false,
        worth: None,
    };
    let design = Design {
        arms: 2,
        unit,
        metrics: vec![metric],
        alpha: 0.05,
        end: None,
        goals: Goals::All,
    };
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
