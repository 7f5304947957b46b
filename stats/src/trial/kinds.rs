//! Kinds of numbers, each through a ledger: what is better is proven, what is worse is found, and equal
//! arms under a drift that hits both are left alone. A guardrail alone that is proven promotes here, which
//! shows that it was; `policy` refuses such a design.

use crate::{
    Better, Decision, Delta, Design, Effect, Goals, Kind, Ledger, Margin, Metric, Numbers, Reason,
    Role, Scale, Score, Unit,
};

fn metric(kind: Kind, role: Role) -> Metric {
    Metric {
        name: "m".to_owned(),
        kind,
        better: Better::Lower,
        role,
        margin: (role == Role::Guardrail).then_some(Margin::Relative(0.25)),
        critical: false,
        worth: None,
    }
}

fn design(unit: Unit, metrics: Vec<Metric>) -> Design {
    Design {
        arms: 2,
        unit,
        metrics,
        alpha: 0.05,
        end: None,
        goals: Goals::All,
    }
}

/// What request number `i` of a tick brings: observation and the number beside it.
type Traffic = fn(tick: u64, i: u64, arm: usize) -> (f64, f64);

/// Two hundred requests an arm and tick, without chance.
fn run(design: &Design, ticks: u64, traffic: Traffic) -> Ledger {
    assert_eq!(design.problems(), []);
    let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
    for tick in 0..ticks {
        let mut delta = Delta::new(design);
        if let Some(limits) = ledger.limits() {
            delta.follow(limits);
        }
        for i in 0..200 {
            for arm in 0..2 {
                let bucket = u16::try_from((i * 7 + tick * 13) % 512).unwrap();
                delta.expose(0, tick, arm, 2 * (200 * tick + i) + arm as u64);
                let (y, x) = traffic(tick, i, arm);
                for metric in 0..design.metrics.len() {
                    delta.observe_pair(0, tick, metric, arm, bucket, [Some(y), Some(x)]);
                    let unit = 2 * (200 * tick + i) + arm as u64;
                    delta.observe_unit(tick, i, metric, arm, unit, y);
                }
            }
        }
        ledger.absorb(delta);
        ledger.close_before(tick + 1);
        if ledger.verdict().decision != Decision::Wait {
            break;
        }
    }
    ledger
}

#[track_caller]
fn check(kind: Kind, unit: Unit, role: Role, traffic: Traffic, expected: Decision) -> Ledger {
    let ledger = run(&design(unit, vec![metric(kind, role)]), 60, traffic);
    let verdict = ledger.verdict();
    assert_eq!(
        verdict.decision, expected,
        "{kind:?} {unit:?}: {}",
        verdict.reason
    );
    ledger
}

const WINS: Decision = Decision::Promote { arm: 1 };
const P90: Kind = Kind::Quantile { at: 0.9 };
const SLO: Kind = Kind::Exceedance { limit: 0.25 };

/// Seconds from 0.1 to 0.2, one in ten from `tail`, all drifting with the hour of the day.
fn seconds(tick: u64, i: u64, tail: f64) -> f64 {
    let base = 0.1 + 0.001 * (i * 61 % 100) as f64;
    let slow = if (i + tick).is_multiple_of(10) {
        tail
    } else {
        1.0
    };
    base * slow * (1.0 + 0.01 * tick as f64)
}

#[test]
fn a_worse_tail_is_found_by_its_quantile() {
    let heavy: Traffic = |t, i, arm| (seconds(t, i, 1.5 + 3.0 * arm as f64), 0.0);
    let even: Traffic = |t, i, _| (seconds(t, i, 1.5), 0.0);
    let light: Traffic = |t, i, arm| (seconds(t, i, 4.5 - 3.0 * arm as f64), 0.0);
    let p95 = Kind::Quantile { at: 0.95 };
    check(
        p95,
        Unit::Request,
        Role::Guardrail,
        heavy,
        Decision::RollBack,
    );
    check(p95, Unit::Request, Role::Guardrail, even, WINS);
    check(p95, Unit::Request, Role::Goal, light, WINS);
    check(p95, Unit::Request, Role::Goal, even, Decision::Wait);
}

#[test]
fn a_quantile_has_an_interval_of_its_own_ratio() {
    let slower: Traffic = |t, i, arm| (seconds(t, i, 1.0) * (1.0 + 0.1 * arm as f64), 0.0);
    check(P90, Unit::Request, Role::Guardrail, slower, WINS);
    let ledger = run(
        &design(Unit::Request, vec![metric(P90, Role::Goal)]),
        30,
        slower,
    );
    let report = ledger.report();
    let found = &report.metrics[0];
    let interval = found.interval.expect("six thousand are enough");
    assert_eq!(found.scale, Effect::QuantileRatio);
    assert!(interval.low <= 1.1 && 1.1 <= interval.high, "{interval:?}");
    assert!(interval.high / interval.low < 1.4, "{interval:?}");
    let estimate = found.estimate;
    let ratio = estimate.candidate.unwrap() / estimate.control.unwrap();
    assert!((ratio - 1.1).abs() < 0.03, "{estimate:?}");
}

#[test]
fn a_distribution_rolls_back_and_never_promotes() {
    let goal = || {
        let mut goal = metric(Kind::Proportion, Role::Goal);
        goal.better = Better::Higher;
        goal
    };
    let slow: Traffic = |t, i, arm| (seconds(t, i, 1.0) * (1.0 + 0.6 * arm as f64), 0.0);
    let alone = design(
        Unit::Request,
        vec![metric(Kind::Distribution, Role::Guardrail)],
    );
    assert_eq!(run(&alone, 60, slow).verdict().decision, Decision::RollBack);
    // A candidate that is much faster proves nothing by it.
    let fast: Traffic = |t, i, arm| (seconds(t, i, 1.0) * (1.0 - 0.6 * arm as f64), 0.0);
    assert_eq!(run(&alone, 60, fast).verdict().decision, Decision::Wait);
    let both = design(
        Unit::Request,
        vec![goal(), metric(Kind::Distribution, Role::Guardrail)],
    );
    let report = run(&both, 3, fast).report();
    assert_eq!(report.metrics[1].superior, None);
    assert_eq!(report.metrics[1].not_worse, None);
}

#[test]
fn rare_events_are_split_by_shares() {
    let more: Traffic = |t, i, arm| {
        (
            if (i + 3 * t) % 200 < 1 + 2 * arm as u64 {
                1.0
            } else {
                0.0
            },
            0.0,
        )
    };
    let even: Traffic = |t, i, _| (if (i + 3 * t) % 200 < 2 { 1.0 } else { 0.0 }, 0.0);
    let fewer: Traffic = |t, i, arm| {
        (
            if (i + 3 * t) % 200 < 4 - 3 * arm as u64 {
                1.0
            } else {
                0.0
            },
            0.0,
        )
    };
    check(
        Kind::Count,
        Unit::Request,
        Role::Goal,
        more,
        Decision::RollBack,
    );
    check(Kind::Count, Unit::Request, Role::Goal, even, Decision::Wait);
    let ledger = check(Kind::Count, Unit::Request, Role::Goal, fewer, WINS);
    let found = &ledger.report().metrics[0];
    assert_eq!(found.scale, Effect::RateRatio);
    let interval = found.interval.expect("events enough");
    assert!(
        interval.low < 0.25 && 0.25 < interval.high && interval.high < 1.1,
        "{interval:?}"
    );
}

/// Twice as many seconds for twice as many bytes is the same speed.
#[test]
fn a_ratio_judges_sums_by_sums() {
    let larger: Traffic = |t, i, arm| {
        let x = (100.0 + (i * 61 % 100) as f64) * (1.0 + arm as f64);
        (
            0.01 * x + 0.1 * ((i * 37 + t) % 11) as f64,
            x + 5.0 * ((i * 17 + t) % 7) as f64 * (1.0 + arm as f64),
        )
    };
    let slower: Traffic = |t, i, arm| {
        let x = 100.0 + (i * 61 % 100) as f64;
        (
            (0.01 + 0.01 * arm as f64) * x + 0.1 * ((i * 37 + t) % 11) as f64,
            x,
        )
    };
    for unit in [Unit::Request, Unit::Sticky] {
        check(Kind::Ratio, unit, Role::Goal, slower, Decision::RollBack);
        let ledger = check(
            Kind::Ratio,
            unit,
            Role::Guardrail,
            slower,
            Decision::RollBack,
        );
        let estimate = ledger.report().metrics[0].estimate;
        assert!(estimate.candidate > estimate.control, "{estimate:?}");
    }
    let plain = Kind::Mean {
        scale: Scale::Linear,
    };
    check(plain, Unit::Request, Role::Goal, larger, Decision::RollBack);
    check(Kind::Ratio, Unit::Request, Role::Guardrail, larger, WINS);
}

/// The covariate explains nearly all of the scatter, and only then is the small effect found.
#[test]
fn a_covariate_finds_what_the_plain_mean_does_not() {
    let traffic: Traffic = |t, i, arm| {
        let x = ((i * 61 + 17 * t + 31 * arm as u64) % 97) as f64;
        (x - 0.5 * arm as f64 + 0.1 * ((i * 37 + t) % 11) as f64, x)
    };
    let scale = Scale::Linear;
    for unit in [Unit::Request, Unit::Sticky] {
        check(Kind::Adjusted { scale }, unit, Role::Goal, traffic, WINS);
    }
    check(
        Kind::Mean { scale },
        Unit::Request,
        Role::Goal,
        traffic,
        Decision::Wait,
    );
}

#[test]
fn a_heavier_tail_behind_a_mean_raises_an_alarm_and_decides_nothing() {
    let log = Kind::Mean { scale: Scale::Log };
    let guard = design(Unit::Request, vec![metric(log, Role::Guardrail)]);
    let slower: Traffic = |t, i, arm| (seconds(t, i, 1.0) * (1.0 + 0.8 * arm as f64), 0.0);
    assert!(
        !run(&guard, 1, slower).is_alarmed(),
        "the first tick only sets the scale"
    );
    assert!(run(&guard, 2, slower).is_alarmed());
    let even: Traffic = |t, i, _| (seconds(t, i, 1.0), 0.0);
    assert!(!run(&guard, 60, even).is_alarmed());
}

#[test]
fn numbers_that_cannot_be_are_not_counted() {
    let metrics = [Kind::Count, Kind::Ratio, P90, SLO].map(|kind| metric(kind, Role::Goal));
    let design = design(Unit::Request, metrics.to_vec());
    let mut delta = Delta::new(&design);
    delta.observe(0, 0, 0, 0, 0, 0.5);
    delta.observe(0, 0, 0, 0, 0, -1.0);
    delta.observe_pair(0, 0, 1, 0, 0, [Some(1.0), None]);
    delta.observe(0, 0, 2, 0, 0, f64::NAN);
    delta.observe(0, 0, 3, 0, 0, f64::INFINITY);
    let mut ledger = Ledger::new(design, &[0.5, 0.5]);
    ledger.absorb(delta);
    ledger.close_before(1);
    assert_eq!((ledger.unusable(), ledger.observations()), (5, 0));
}

/// Every reason can be made again from what it holds.
#[test]
fn an_auditor_recomputes_each_score_from_its_own_numbers() {
    let metrics = [
        metric(SLO, Role::Goal),
        metric(P90, Role::Goal),
        metric(Kind::Mean { scale: Scale::Log }, Role::Goal),
        metric(Kind::Ratio, Role::Guardrail),
    ];
    let faster: Traffic = |t, i, arm| {
        let slow = if (i + t) % 10 < 4 - 3 * arm as u64 {
            0.3
        } else {
            0.1
        };
        (slow + 0.001 * (i * 61 % 100) as f64, 1.0 + (i % 3) as f64)
    };
    for unit in [Unit::Request, Unit::Sticky] {
        let design = design(unit, metrics.to_vec());
        let verdict = run(&design, 60, faster).verdict();
        let Reason::Better { proofs, .. } = &verdict.reason else {
            panic!("{}", verdict.reason);
        };
        assert_eq!(proofs.len(), design.metrics.len());
        for proof in proofs {
            recompute(proof);
        }
        let json = serde_json::to_string(&verdict).unwrap();
        let read: crate::Verdict = serde_json::from_str(&json).unwrap();
        assert_eq!(read.decision, verdict.decision);
    }
}

#[track_caller]
fn recompute(proof: &crate::Proof) {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    match (proof.score, proof.numbers.score(-proof.alpha.ln())) {
        (
            Score::Evidence { log_e, threshold },
            Score::Evidence {
                log_e: again,
                threshold: wanted,
            },
        ) => {
            assert!(close(log_e, again) && close(threshold, wanted), "{proof:?}");
        }
        (
            Score::Boundary { z, bound },
            Score::Boundary {
                z: again,
                bound: wanted,
            },
        ) => {
            assert!(close(z, again) && close(bound, wanted), "{proof:?}");
        }
        _ => panic!("{proof:?}"),
    }
    if let Numbers::RobbinsSiegmund {
        sum,
        epochs,
        second,
        a,
        ..
    } = &proof.numbers
    {
        assert!(close(
            *a,
            crate::robbins_siegmund::boundary(2.0 * proof.alpha)
        ));
        if *second == crate::robbins_siegmund::Second::Nothing {
            // T = Σ h(ȳ_b − ȳ_a), by hand.
            let by_hand: f64 = epochs
                .iter()
                .map(|epoch| {
                    let [n_a, n_b] = [epoch.control, epoch.candidate].map(|arm| arm.n as f64);
                    let h = n_a * n_b / (n_a + n_b);
                    h * (epoch.candidate.sum / n_b - epoch.control.sum / n_a)
                })
                .sum();
            assert!(close(*sum, by_hand), "{proof:?}");
        }
    }
}

/// The average of e-values, and what it is held against, from the reason of a roll-back.
#[test]
fn an_auditor_recomputes_a_roll_back_by_all_metrics_together() {
    let metrics = vec![metric(SLO, Role::Goal), metric(P90, Role::Goal)];
    let slower: Traffic = |t, i, arm| {
        (
            if (i + t) % 10 < 1 + 2 * arm as u64 {
                0.3
            } else {
                0.1
            } + 0.001 * (i % 9) as f64,
            0.0,
        )
    };
    let verdict = run(&design(Unit::Request, metrics), 60, slower).verdict();
    let Reason::Worse {
        log_e: Some(log_e),
        threshold,
        alpha,
        metrics,
        proofs,
        ..
    } = verdict.reason
    else {
        panic!("{}", verdict.reason);
    };
    let scores = proofs
        .iter()
        .map(|proof| proof.numbers.score(threshold).log_e().unwrap());
    let average = scores.map(f64::exp).sum::<f64>() / metrics as f64;
    assert!((average.ln() - log_e).abs() < 1e-9, "{average} {log_e}");
    assert!((threshold + alpha.ln()).abs() < 1e-12 && log_e >= threshold);
}

#[test]
fn any_goal_suffices_where_any_is_asked_for_at_its_part_of_alpha() {
    let metrics = || {
        vec![
            metric(SLO, Role::Goal),
            metric(Kind::Exceedance { limit: 5.0 }, Role::Goal),
        ]
    };
    // The SLO is exceeded less often; five seconds never are.
    let traffic: Traffic = |t, i, arm| {
        (
            if (i + t) % 50 < 4 - 3 * arm as u64 {
                0.4
            } else {
                0.1 + 0.0005 * (i * 61 % 100) as f64
            },
            0.0,
        )
    };
    let all = design(Unit::Request, metrics());
    let any = Design {
        goals: Goals::Any,
        ..all.clone()
    };
    assert_eq!(run(&all, 60, traffic).verdict().decision, Decision::Wait);
    let verdict = run(&any, 60, traffic).verdict();
    let Reason::Better { proofs, .. } = &verdict.reason else {
        panic!("{}", verdict.reason);
    };
    assert_eq!(verdict.decision, WINS);
    let Score::Evidence { threshold, .. } = proofs[0].score else {
        panic!("no e-value");
    };
    assert!(
        (threshold - 40.0_f64.ln()).abs() < 1e-12,
        "α/2: {threshold}"
    );
}

#[test]
fn of_several_proven_candidates_the_better_is_promoted() {
    let mut design = design(Unit::Request, vec![metric(SLO, Role::Goal)]);
    design.arms = 3;
    let promoted = |exceeding: [u64; 3]| -> (Decision, Vec<bool>) {
        let mut ledger = Ledger::new(design.clone(), &[0.4, 0.3, 0.3]);
        let mut delta = Delta::new(&design);
        for i in 0..9000_u64 {
            let arm = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2][usize::try_from(i % 10).unwrap()];
            let y = if i * 617 % 1000 < exceeding[arm] {
                0.4
            } else {
                0.1
            };
            delta.expose(0, 0, arm, i);
            delta.observe(0, 0, 0, arm, 0, y);
        }
        ledger.absorb(delta);
        ledger.close_before(1);
        let listed = ledger
            .report()
            .metrics
            .iter()
            .map(|metric| metric.listed)
            .collect();
        (ledger.verdict().decision, listed)
    };
    let (second, first) = (Decision::Promote { arm: 2 }, WINS);
    assert_eq!(promoted([300, 100, 50]), (second, vec![true, true]));
    assert_eq!(promoted([300, 50, 100]), (first, vec![true, true]));
    assert_eq!(promoted([300, 300, 50]), (second, vec![false, true]));
}

mod returning;
