//! A clear difference, and it must be found, the right way round.

use stats::{Better, Cell, Decision, Design, Kind, Margin, Unit};

use crate::{
    chance::Chance,
    crowd::Crowd,
    traffic::{Flow, LOG, Tick, design, judge, metric, normals, ones},
};

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
    let flow = Flow {
        name: "20→50%",
        shares: &[0.2, 0.5],
        ticks_each: 25,
        requests: 200,
    };
    move |seed| {
        let draw = |chance: &mut Chance, _: &Tick, arm: usize, n: u64| -> Vec<Cell> {
            vec![
                ones(chance, n, accuracy[arm]),
                ones(chance, n, failed[arm]),
                normals(chance, n, [0.0, 0.1][arm] - 8.0, 0.6),
            ]
        };
        judge(&guarded(), flow, &mut Chance::seeded(seed), &draw)
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
    flow: Flow {
        name: "20→50%",
        shares: &[0.2, 0.5],
        ticks_each: 20,
        requests: 200,
    },
    inclination: Chance::uniform,
};

/// Visitors who are right, or fail, with these chances.
fn visitors(metric: stats::Metric, rates: [f64; 2]) -> impl Fn(u64) -> (Decision, u64) {
    let design = design(Unit::Sticky, vec![metric]);
    move |seed| {
        let habit =
            |chance: &mut Chance, _: f64, _: &Tick, arm: usize| vec![chance.one(rates[arm])];
        VISITORS.judge(&design, &mut Chance::seeded(seed), &habit)
    }
}

fn accuracy() -> stats::Metric {
    metric("accuracy", Kind::Proportion, Better::Higher, None)
}

#[test]
fn a_worse_model_is_rolled_back_for_users_who_stay_on_their_arm() {
    check(Decision::RollBack, 8000, visitors(accuracy(), [0.90, 0.80]));
}

#[test]
fn a_better_model_is_promoted_for_users_who_stay_on_their_arm() {
    check(
        Decision::Promote { arm: 1 },
        8000,
        visitors(accuracy(), [0.88, 0.97]),
    );
}

#[test]
fn a_model_that_often_fails_is_rolled_back_though_the_control_never_does() {
    let odds = Some(Margin::Odds(1.5));
    let failed = metric("failed", Kind::Proportion, Better::Lower, odds);
    check(Decision::RollBack, 8000, visitors(failed, [0.0, 0.3]));
}
