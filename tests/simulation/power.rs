//! A clear difference, and it must be found, the right way round.

use stats::{Better, Decision, Design, Kind, Margin, Unit};

use crate::chance::Chance;
use crate::crowd::{Crowd, accuracy};
use crate::traffic::{LOG, Outcome, Ramp, design, judge, metric};

/// The experiments of `wald demo`: twenty seeds, of which nineteen must come out right.
#[track_caller]
fn check(expected: Decision, observations_max: u64, run: impl Fn(u64) -> (Decision, u64)) {
    let right = (0..20).filter(|&seed| {
        let (decision, observations) = run(seed);
        decision == expected && observations <= observations_max
    });
    let right = right.count();
    assert!(right >= 19, "{right} of 20 seeds");
}

/// Accuracy with a ceiling on failures and a guardrail of latency.
fn guarded() -> Design {
    let metrics = vec![
        metric("accuracy", Kind::Proportion, Better::Higher, None),
        metric(
            "failed",
            Kind::Proportion,
            Better::Lower,
            Some(Margin::AtMost(0.01)),
        ),
        metric("latency", LOG, Better::Lower, Some(Margin::Relative(0.5))),
    ];
    design(Unit::Request, metrics)
}

fn inference(accuracy: [f64; 2], failed: [f64; 2]) -> impl Fn(u64) -> (Decision, u64) {
    let ramp = Ramp {
        shares: &[0.2, 0.5],
        ticks_each: 25,
        requests: 200,
    };
    move |seed| {
        let outcome: &mut Outcome<'_> = &mut |chance, _, arm| {
            let latency = 3e-4 * [1.0, 1.1][arm] * (0.6 * chance.normal()).exp();
            vec![chance.one(accuracy[arm]), chance.one(failed[arm]), latency]
        };
        judge(&guarded(), &ramp, &mut Chance::seeded(seed), outcome)
    }
}

#[test]
fn a_model_that_is_right_more_often_is_promoted_within_a_few_thousand_requests() {
    check(
        Decision::Promote { arm: 1 },
        5000,
        inference([0.88, 0.97], [0.0, 0.0]),
    );
}

#[test]
fn a_model_that_is_wrong_more_often_is_rolled_back_within_a_few_thousand_requests() {
    check(
        Decision::RollBack,
        5000,
        inference([0.90, 0.80], [0.0, 0.0]),
    );
}

#[test]
fn a_better_model_that_fails_too_often_is_rolled_back() {
    check(
        Decision::RollBack,
        5000,
        inference([0.88, 0.97], [0.0, 0.05]),
    );
}

const VISITORS: Crowd = Crowd {
    users: 2000,
    ramp: &[0.2, 0.5],
    ticks_each: 20,
    requests: 200,
};

#[test]
fn a_worse_model_is_rolled_back_for_users_who_stay_on_their_arm() {
    let design = accuracy(Unit::Sticky);
    let habit = |_, _, arm: usize| [0.90, 0.80][arm];
    check(Decision::RollBack, 8000, |seed| {
        VISITORS.judge(&design, seed, &habit)
    });
}

#[test]
fn a_better_model_is_promoted_for_users_who_stay_on_their_arm() {
    let design = accuracy(Unit::Sticky);
    let habit = |_, _, arm: usize| [0.88, 0.97][arm];
    check(Decision::Promote { arm: 1 }, 8000, |seed| {
        VISITORS.judge(&design, seed, &habit)
    });
}

#[test]
fn a_model_that_often_fails_is_rolled_back_though_the_control_never_does() {
    let failed = metric(
        "failed",
        Kind::Proportion,
        Better::Lower,
        Some(Margin::Odds(1.5)),
    );
    let design = design(Unit::Sticky, vec![failed]);
    let habit = |_, _, arm: usize| [0.0, 0.3][arm];
    check(Decision::RollBack, 8000, |seed| {
        VISITORS.judge(&design, seed, &habit)
    });
}
