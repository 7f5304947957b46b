//! No difference, and nobody may find one more often than α.

use stats::conditional::Conditional;
use stats::{Better, Decision, Kind, Margin, Side, Unit};

use crate::chance::Chance;
use crate::crowd::{Crowd, accuracy, inclined};
use crate::tolerance::{RUNS, check, count, keeps_alpha};
use crate::traffic::{LINEAR, LOG, Outcome, Ramp, design, judge, metric, tick_of_a_rate};

/// Looks a run: to some 50 000 requests at even shares.
const LOOKS: u64 = 250;

/// A rate at even shares and at 5/95, in ticks with about 100 requests on the smaller arm.
const SPLITS: [(u64, f64); 2] = [(200, 0.5), (2000, 0.05)];

fn conditional_alarm(seed: u64, (requests, share): (u64, f64), rate: impl Fn(u64) -> f64) -> bool {
    let mut chance = Chance::seeded(seed);
    let mut test = Conditional::new(0.0, Side::Greater);
    (0..LOOKS).any(|look| {
        test.add(&tick_of_a_rate(&mut chance, requests, share, rate(look)));
        test.log_e() >= 20.0_f64.ln()
    })
}

#[test]
fn peeking_at_a_rate_after_every_tick_keeps_false_alarms_below_alpha() {
    for split in SPLITS {
        for rate in [0.001, 0.01, 0.2] {
            check(&format!("{split:?} {rate}"), |seed| {
                conditional_alarm(seed, split, |_| rate)
            });
        }
    }
}

#[test]
fn a_rate_that_drifts_is_no_difference() {
    let drifting = |look: u64| 0.02 + 0.3 * look as f64 / LOOKS as f64;
    check("drift", |seed| {
        conditional_alarm(seed, (2000, 0.05), drifting)
    });
}

/// The negative control: the z-test of two rates, one-sided at 5%, looked at as often.
fn peeked_z_test_alarm(seed: u64) -> bool {
    let mut chance = Chance::seeded(seed);
    let (mut n_a, mut n_b, mut s_a, mut s_b) = (0, 0, 0, 0);
    (0..LOOKS).any(|_| {
        let tick = tick_of_a_rate(&mut chance, 200, 0.5, 0.2);
        (n_a, n_b, s_a, s_b) = (
            n_a + tick.n_a,
            n_b + tick.n_b,
            s_a + tick.s_a,
            s_b + tick.s_b,
        );
        let (n_a, n_b, s_a, s_b) = (n_a as f64, n_b as f64, s_a as f64, s_b as f64);
        let pooled = (s_a + s_b) / (n_a + n_b);
        let deviation = (pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b)).sqrt();
        (s_b / n_b - s_a / n_a) / deviation >= 1.645
    })
}

#[test]
fn a_peeked_z_test_fails_the_same_check() {
    let alarms = count(peeked_z_test_alarm);
    assert!(
        !keeps_alpha(alarms),
        "only {alarms} false alarms in {RUNS} runs"
    );
}

/// Users whose rate drifts from epoch to epoch, while more and more of them move to the candidate; an
/// intraclass correlation of 0.17; some 40 requests each.
const RETURNING: Crowd = Crowd {
    users: 1200,
    ramp: &[0.05, 0.25, 0.5],
    ticks_each: 20,
    requests: 800,
};

fn drifting_habit(inclination: f64, epoch: u32, _arm: usize) -> f64 {
    inclined(0.75 - 0.12 * f64::from(epoch), 0.2, inclination)
}

#[test]
fn returning_users_on_a_ramp_under_drift_are_no_difference() {
    let design = accuracy(Unit::Sticky);
    let decide = |seed| RETURNING.judge(&design, seed, &drifting_habit).0;
    check("promotion", |seed| {
        matches!(decide(seed), Decision::Promote { .. })
    });
    check("roll-back", |seed| decide(seed) == Decision::RollBack);
}

/// Rare failures of a few users, at the moment when the gate opens and after.
#[test]
fn rare_failures_of_returning_users_are_no_difference() {
    let crowd = Crowd {
        users: 20_000,
        ramp: &[0.05, 0.5],
        ticks_each: 30,
        requests: 1000,
    };
    let failed = metric("failed", Kind::Proportion, Better::Lower, None);
    let design = design(Unit::Sticky, vec![failed]);
    let habit = |inclination: f64, _, _| if inclination < 0.1 { 0.1 } else { 0.002 };
    let decide = |seed| crowd.judge(&design, seed, &habit).0;
    check("promotion", |seed| {
        matches!(decide(seed), Decision::Promote { .. })
    });
    check("roll-back", |seed| decide(seed) == Decision::RollBack);
}

/// The negative control: the same walk over the same users, without buckets.
#[test]
fn returning_users_taken_for_single_requests_fail_the_same_check() {
    let design = design(
        Unit::Request,
        vec![metric("accuracy", LINEAR, Better::Higher, None)],
    );
    let decide = |seed| RETURNING.judge(&design, seed, &drifting_habit).0;
    let alarms = count(|seed| matches!(decide(seed), Decision::Promote { .. }));
    assert!(
        !keeps_alpha(alarms),
        "only {alarms} false alarms in {RUNS} runs"
    );
}

#[test]
fn a_heavy_tail_on_a_small_arm_is_no_difference() {
    let design = design(
        Unit::Request,
        vec![metric("revenue", LINEAR, Better::Higher, None)],
    );
    let ramp = Ramp {
        shares: &[0.05],
        ticks_each: 60,
        requests: 800,
    };
    let decide = |seed| {
        let revenue: &mut Outcome<'_> = &mut |chance, _, _| vec![(1.5 * chance.normal()).exp()];
        judge(&design, &ramp, &mut Chance::seeded(seed), revenue).0
    };
    check("promotion", |seed| {
        matches!(decide(seed), Decision::Promote { .. })
    });
    check("roll-back", |seed| decide(seed) == Decision::RollBack);
}

#[test]
fn the_whole_rule_on_a_drifting_ramp_keeps_both_errors_below_alpha() {
    let metrics = vec![
        metric("accuracy", Kind::Proportion, Better::Higher, None),
        metric(
            "failed",
            Kind::Proportion,
            Better::Lower,
            Some(Margin::Odds(1.5)),
        ),
        metric("latency", LOG, Better::Lower, Some(Margin::Relative(0.1))),
    ];
    let design = design(Unit::Request, metrics);
    let ramp = Ramp {
        shares: &[0.05, 0.25, 0.5],
        ticks_each: 20,
        requests: 300,
    };
    let decide = |seed| {
        let outcome: &mut Outcome<'_> = &mut |chance, tick, _| {
            let drift = tick as f64 / 60.0;
            let accuracy = chance.one(0.9 - 0.2 * drift);
            vec![
                accuracy,
                chance.one(0.02 + 0.03 * drift),
                0.05 * (0.5 * chance.normal() + drift).exp(),
            ]
        };
        judge(&design, &ramp, &mut Chance::seeded(seed), outcome).0
    };
    check("promotion", |seed| {
        matches!(decide(seed), Decision::Promote { .. })
    });
    check("roll-back", |seed| decide(seed) == Decision::RollBack);
}

#[test]
fn a_candidate_at_its_margin_is_not_proven_to_stay_within_it() {
    let metrics = vec![metric(
        "latency",
        LOG,
        Better::Lower,
        Some(Margin::Relative(0.1)),
    )];
    let design = design(Unit::Request, metrics);
    let ramp = Ramp {
        shares: &[0.5],
        ticks_each: 60,
        requests: 200,
    };
    check("promotion", |seed| {
        let latency: &mut Outcome<'_> = &mut |chance, _, arm| {
            let factor = if arm == 1 { 1.1 } else { 1.0 };
            vec![0.05 * factor * (0.5 * chance.normal()).exp()]
        };
        let decision = judge(&design, &ramp, &mut Chance::seeded(seed), latency).0;
        matches!(decision, Decision::Promote { .. })
    });
}
