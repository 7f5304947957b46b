//! What an observation costs a worker: `cargo bench -p stats --bench observe`. An atomic addition, which
//! counters shared between workers would need at least, stands beside it in the same run.

use std::sync::atomic::{AtomicU64, Ordering};

use divan::{Bencher, black_box};
use stats::{Better, Delta, Design, Goals, Kind, Metric, Role, Scale, Unit};

fn main() {
    divan::main();
}

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
        arms: 3,
        unit,
        metrics: vec![metric],
        alpha: 0.05,
        end: None,
        goals: Goals::All,
    }
}

/// Observations into a tick that is open, over arms, buckets and a range of durations.
fn observe(bencher: Bencher<'_, '_>, kind: Kind, unit: Unit) {
    let mut delta = Delta::new(&design(kind, unit));
    let mut i = 0_u32;
    bencher.bench_local(|| {
        i = i.wrapping_add(1);
        let y = match kind {
            Kind::Proportion => f64::from(i & 1),
            _ => 0.001 + 1e-4 * f64::from(i % 977),
        };
        let bucket = u16::try_from(i % 512).unwrap_or_default();
        delta.observe(
            0,
            7,
            0,
            usize::from(i.is_multiple_of(3)),
            bucket,
            black_box(y),
        );
    });
}

#[divan::bench]
fn atomic_addition(bencher: Bencher<'_, '_>) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    bencher.bench_local(|| COUNT.fetch_add(black_box(1), Ordering::Relaxed));
}

#[divan::bench]
fn proportion(bencher: Bencher<'_, '_>) {
    observe(bencher, Kind::Proportion, Unit::Request);
}

#[divan::bench]
fn mean_of_logarithms(bencher: Bencher<'_, '_>) {
    let scale = Scale::Log;
    observe(bencher, Kind::Mean { scale }, Unit::Request);
}

#[divan::bench]
fn mean_of_returning_users(bencher: Bencher<'_, '_>) {
    let scale = Scale::Log;
    observe(bencher, Kind::Mean { scale }, Unit::Sticky);
}

#[divan::bench]
fn distribution(bencher: Bencher<'_, '_>) {
    observe(bencher, Kind::Distribution, Unit::Request);
}
