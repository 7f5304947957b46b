//! What a tick costs the referee after a thousand earlier ones: `cargo bench -p stats --bench tick`. Five
//! metrics on three arms; after ten ticks beside it, since no tick walks earlier ones.

use divan::Bencher;
use stats::{Better, Delta, Design, Goals, Kind, Ledger, Margin, Metric, Role, Scale, Unit};

fn main() {
    divan::main();
}

fn design(unit: Unit) -> Design {
    let mean = |scale| Kind::Mean { scale };
    let kinds = [
        (Kind::Proportion, Some(Margin::Odds(1.5))),
        (mean(Scale::Log), Some(Margin::Relative(0.1))),
        (Kind::Exceedance { limit: 0.25 }, Some(Margin::Odds(1.5))),
        (mean(Scale::Linear), Some(Margin::Absolute(0.1))),
        (Kind::Proportion, None),
    ];
    let metric = |(kind, margin): (Kind, Option<Margin>)| Metric {
        name: "metric".to_owned(),
        kind,
        better: Better::Lower,
        role: if margin.is_some() {
            Role::Guardrail
        } else {
            Role::Goal
        },
        margin,
        critical: false,
        worth: None,
    };
    Design {
        arms: 3,
        unit,
        metrics: kinds.map(metric).into(),
        alpha: 0.05,
        end: None,
        goals: Goals::All,
    }
}

/// 600 requests, spread over arms and users without chance.
fn tick(design: &Design, tick: u64) -> Delta {
    let mut delta = Delta::new(design);
    for i in 0..600_u64 {
        let (arm, spread) = (
            usize::from(!i.is_multiple_of(3)) + usize::from(i % 3 == 2),
            (i * 61 + tick) % 100,
        );
        let (one, time) = (f64::from(u8::from(spread < 5)), 0.01 + 1e-3 * spread as f64);
        let bucket = u16::try_from((i * 7 + tick) % 512).unwrap_or_default();
        delta.expose(0, tick, arm, i * 7 + tick);
        for (metric, y) in [one, time, time, time, one].into_iter().enumerate() {
            delta.observe(0, tick, metric, arm, bucket, y);
        }
    }
    delta
}

fn after(bencher: Bencher<'_, '_>, unit: Unit, ticks: u64) {
    let design = design(unit);
    let mut ledger = Ledger::new(design.clone(), &[0.34, 0.33, 0.33]);
    for t in 0..ticks {
        ledger.absorb(tick(&design, t));
        ledger.close_before(t + 1);
    }
    let next = tick(&design, ticks);
    bencher
        .with_inputs(|| (ledger.clone(), next.clone()))
        .bench_local_values(|(mut ledger, next)| {
            ledger.absorb(next);
            ledger.close_before(ticks + 1);
            (ledger.verdict(), ledger)
        });
}

#[divan::bench(args = [10, 1000])]
fn requests(bencher: Bencher<'_, '_>, ticks: u64) {
    after(bencher, Unit::Request, ticks);
}

#[divan::bench(args = [10, 1000])]
fn returning_users(bencher: Bencher<'_, '_>, ticks: u64) {
    after(bencher, Unit::Sticky, ticks);
}
