//! What returning users need beside buckets: first requests for ceilings, moving limits for quantiles.

use super::*;

#[test]
fn a_ceiling_holds_the_first_requests_of_returning_users() {
    let guard = |margin| {
        let mut guard = metric(Kind::Proportion, Role::Guardrail);
        guard.margin = Some(margin);
        design(Unit::Sticky, vec![guard])
    };
    let ceiling = guard(Margin::AtMost(0.005));
    // The control fails always, which a ceiling for the candidate does not mind.
    let flawless: Traffic = |_, _, arm| (f64::from(u8::from(arm == 0)), 0.0);
    let ledger = run(&ceiling, 60, flawless);
    let verdict = ledger.verdict();
    assert_eq!(verdict.decision, WINS, "{}", verdict.reason);
    let Reason::Better { proofs, .. } = &verdict.reason else {
        panic!("{}", verdict.reason);
    };
    let Numbers::Agreement { successes, n, .. } = proofs[0].numbers else {
        panic!("{:?}", proofs[0].numbers);
    };
    assert_eq!(successes, n);
    assert!((600..=800).contains(&n), "STATISTICS says 630: {n}");
    let failing: Traffic = |t, i, _| (f64::from(u8::from((i + t) % 50 == 0)), 0.0);
    let verdict = run(&ceiling, 60, failing).verdict();
    assert_eq!(verdict.decision, Decision::RollBack, "{}", verdict.reason);
}

#[test]
fn a_worse_tail_of_returning_users_is_found_by_a_limit_that_moves() {
    let heavy: Traffic = |t, i, arm| (seconds(t, i, 1.5 + 3.0 * arm as f64), 0.0);
    let even: Traffic = |t, i, _| (seconds(t, i, 1.5), 0.0);
    let light: Traffic = |t, i, arm| (seconds(t, i, 4.5 - 3.0 * arm as f64), 0.0);
    let p95 = Kind::Quantile { at: 0.95 };
    let sticky = Unit::Sticky;
    check(p95, sticky, Role::Guardrail, heavy, Decision::RollBack);
    check(p95, sticky, Role::Guardrail, even, WINS);
    check(p95, sticky, Role::Goal, light, WINS);
    check(p95, sticky, Role::Goal, even, Decision::Wait);
    let ledger = check(p95, sticky, Role::Goal, heavy, Decision::RollBack);
    let found = &ledger.report().metrics[0];
    assert_eq!(found.scale, Effect::ExceedanceDifference);
    let observed = ledger.observations();
    assert!(observed.is_multiple_of(400) && found.n[0] == observed / 2);
    let interval = found.interval.expect("the gate is open");
    assert!(0.0 < interval.low && interval.high < 0.2, "{interval:?}");
    let [p95, worse] = [
        found.estimate.control.unwrap(),
        found.estimate.candidate.unwrap(),
    ];
    assert!(0.2 < p95 && 2.0 * p95 < worse, "{p95} {worse}");
}

#[test]
fn an_exceeded_limit_is_found_for_requests_and_for_users() {
    let heavy: Traffic = |t, i, arm| {
        (
            if (i + t) % 50 < 2 + 6 * arm as u64 {
                0.4
            } else {
                0.1
            },
            0.0,
        )
    };
    let light: Traffic = |t, i, arm| {
        (
            if (i + t) % 50 < 9 - 7 * arm as u64 {
                0.4
            } else {
                0.1
            },
            0.0,
        )
    };
    for unit in [Unit::Request, Unit::Sticky] {
        check(SLO, unit, Role::Goal, heavy, Decision::RollBack);
        check(SLO, unit, Role::Goal, light, WINS);
    }
}
