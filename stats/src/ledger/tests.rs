//! Runs without chance: each decision, late evidence, checkpoints.

mod waiting;

use super::*;
use crate::{Better, Decision, Kind, Margin, Metric, Question, Reason, Role, Scale};

fn metric(name: &str, kind: Kind, better: Better, role: Role, margin: Option<Margin>) -> Metric {
    Metric {
        name: name.to_owned(),
        kind,
        better,
        role,
        margin,
        critical: false,
        worth: None,
    }
}

/// A goal, a ceiling on failures and a guardrail of latency.
fn design(unit: Unit) -> Design {
    let log = Kind::Mean { scale: Scale::Log };
    let ceiling = if unit == Unit::Request {
        Margin::AtMost(0.01)
    } else {
        Margin::Absolute(0.01)
    };
    let metrics = vec![
        metric(
            "accuracy",
            Kind::Proportion,
            Better::Higher,
            Role::Goal,
            None,
        ),
        metric(
            "failed",
            Kind::Proportion,
            Better::Lower,
            Role::Guardrail,
            Some(ceiling),
        ),
        metric(
            "latency",
            log,
            Better::Lower,
            Role::Guardrail,
            Some(Margin::Relative(0.5)),
        ),
    ];
    Design {
        arms: 2,
        unit,
        metrics,
        alpha: 0.05,
        end: Some(100_000),
        goals: crate::Goals::All,
    }
}

fn goal_only(end: Option<u64>) -> Design {
    let mut design = design(Unit::Request);
    design.metrics.truncate(1);
    Design { end, ..design }
}

/// Right answers of each arm, as whole percent.
#[derive(Clone, Copy)]
struct Right([u64; 2]);

/// A tick of 100 requests an arm; without chance, so that each test sees the same.
fn tick(design: &Design, epoch: u32, tick: u64, right: Right) -> Delta {
    let mut delta = Delta::new(design);
    for i in 0..100_u64 {
        for arm in 0..2 {
            let unit = 2 * (i + 100 * (tick % 7)) + arm as u64;
            let bucket = u16::try_from(unit % 512).unwrap();
            // 61 and 100 have no common divisor: the right answers are spread over the units.
            let correct = f64::from(u8::from(i * 61 % 100 < right.0[arm]));
            let outcomes = [correct, 0.0, 0.002 + 1e-5 * (i % 10) as f64];
            delta.expose(epoch, tick, arm, unit);
            for (metric, &y) in outcomes.iter().take(design.metrics.len()).enumerate() {
                delta.observe(epoch, tick, metric, arm, bucket, y);
            }
        }
    }
    delta
}

fn run(design: &Design, ticks: u64, right: Right) -> Ledger {
    let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
    for t in 0..ticks {
        ledger.absorb(tick(design, 0, t, right));
        ledger.close_before(t + 1);
        if ledger.verdict().decision != Decision::Wait {
            break;
        }
    }
    ledger
}

#[track_caller]
fn check(ledger: &Ledger, decision: Decision) -> Reason {
    let verdict = ledger.verdict();
    assert_eq!(verdict.decision, decision, "{}", verdict.reason);
    verdict.reason
}

#[test]
fn a_better_candidate_is_promoted_with_every_proof() {
    let ledger = run(&design(Unit::Request), 60, Right([88, 97]));
    let Reason::Better { arm: 1, proofs } = check(&ledger, Decision::Promote { arm: 1 }) else {
        panic!("another reason");
    };
    let asked: Vec<Question> = proofs.iter().map(|proof| proof.question).collect();
    assert_eq!(
        asked,
        [Question::Superior, Question::NotWorse, Question::NotWorse]
    );
    assert!(proofs.iter().all(|proof| proof.score.crosses()));
    assert!(ledger.observations() < 5000, "{}", ledger.observations());
}

#[test]
fn a_worse_candidate_is_rolled_back() {
    for unit in [Unit::Request, Unit::Sticky] {
        let ledger = run(&design(unit), 60, Right([90, 80]));
        let Reason::Worse { arm: 1, proofs, .. } = check(&ledger, Decision::RollBack) else {
            panic!("another reason");
        };
        assert!(
            proofs[0].score.crosses() && !proofs[1].score.crosses(),
            "{proofs:?}"
        );
    }
}

#[test]
fn equal_arms_wait_until_the_end_and_keep_the_control() {
    let design = goal_only(Some(4000));
    let mut ledger = run(&design, 19, Right([90, 90]));
    check(&ledger, Decision::Wait);
    ledger.absorb(tick(&design, 0, 19, Right([90, 90])));
    ledger.close_before(20);
    let reason = check(&ledger, Decision::Futile);
    let told = reason.to_string();
    let Reason::Ended {
        observations: 4000,
        end: 4000,
        open,
    } = reason
    else {
        panic!("another reason");
    };
    let interval = open[0].interval.unwrap();
    assert!(interval.low < 1.0 && 1.0 < interval.high, "{interval:?}");
    assert!(
        told.contains("; possible are accuracy: odds ratio 0."),
        "{told}"
    );
}

#[test]
fn an_effect_too_small_to_matter_ends_the_run() {
    let mut design = goal_only(None);
    design.metrics[0].worth = Some(0.05);
    let ledger = run(&design, 200, Right([90, 90]));
    let Reason::NotWorth { findings } = check(&ledger, Decision::Futile) else {
        panic!("another reason");
    };
    assert!(findings[0].interval.high < findings[0].smallest);
}

#[test]
fn wrong_shares_freeze_a_promotion_but_no_roll_back() {
    let unbalanced = |right| {
        let design = goal_only(None);
        let mut ledger = Ledger::new(design.clone(), &[0.9, 0.1]);
        for t in 0..30 {
            ledger.absorb(tick(&design, 0, t, right));
            ledger.close_before(t + 1);
        }
        ledger
    };
    check(&unbalanced(Right([88, 97])), Decision::Unsound);
    check(&unbalanced(Right([90, 70])), Decision::RollBack);
}

#[test]
fn a_design_with_problems_never_promotes() {
    let mut design = design(Unit::Request);
    design.metrics[1].margin = None;
    let ledger = run(&design, 60, Right([80, 97]));
    check(&ledger, Decision::Wait);
}

#[test]
fn an_observation_of_a_closed_tick_is_late_and_changes_nothing() {
    let design = goal_only(None);
    let mut ledger = run(&design, 3, Right([90, 90]));
    let before = ledger.observations();
    let mut late = Delta::new(&design);
    late.observe(0, 2, 0, 1, 0, 1.0);
    late.observe(7, 9, 0, 1, 0, 1.0);
    assert_eq!(ledger.absorb(late), 2);
    ledger.close_before(100);
    assert_eq!((ledger.observations(), ledger.late()), (before, 2));
}

#[test]
fn a_tick_counts_only_once_it_is_closed() {
    let design = goal_only(None);
    let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
    ledger.absorb(tick(&design, 0, 5, Right([90, 90])));
    ledger.close_before(5);
    assert_eq!(ledger.observations(), 0);
    ledger.close_before(6);
    assert_eq!(ledger.observations(), 200);
}

#[test]
fn the_order_of_deltas_does_not_matter() {
    let design = design(Unit::Sticky);
    let ticks = |order: &[u64]| {
        let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
        for &t in order {
            ledger.absorb(tick(&design, 0, t, Right([90, 85])));
        }
        ledger.close_before(4);
        ledger
    };
    assert_eq!(ticks(&[0, 1, 2, 3]), ticks(&[3, 1, 0, 2]));
}

/// Half a run, and the same half written down and read back.
fn halves(unit: Unit) -> (Design, Ledger) {
    let design = design(unit);
    let mut ledger = run(&design, 6, Right([90, 91]));
    ledger.open_epoch(&[0.4, 0.6]);
    ledger.absorb(tick(&design, 1, 9, Right([90, 91])));
    (design, ledger)
}

fn finish(design: &Design, mut ledger: Ledger) -> Ledger {
    for t in 10..25 {
        ledger.absorb(tick(design, 1, t, Right([88, 96])));
        ledger.close_before(t);
    }
    ledger
}

#[test]
fn a_checkpoint_continues_to_the_bit() {
    for unit in [Unit::Request, Unit::Sticky] {
        let (design, ledger) = halves(unit);
        let bytes = postcard::to_allocvec(&ledger).unwrap();
        let restored: Ledger = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(restored, ledger);
        let (restored, ledger) = (finish(&design, restored), finish(&design, ledger));
        assert_eq!(
            postcard::to_allocvec(&restored).unwrap(),
            postcard::to_allocvec(&ledger).unwrap()
        );
        assert_eq!(restored.verdict(), ledger.verdict());
    }
}

#[test]
fn ledgers_reports_and_verdicts_are_json_without_loss_of_meaning() {
    let (design, ledger) = halves(Unit::Sticky);
    let ledger = finish(&design, ledger);
    let text = serde_json::to_string(&ledger).unwrap();
    let restored: Ledger = serde_json::from_str(&text).unwrap();
    assert_eq!(restored.verdict().decision, ledger.verdict().decision);
    let report = serde_json::to_value(ledger.report()).unwrap();
    assert!(report["metrics"][0]["interval"][0].is_f64(), "{report}");
    assert_eq!(report["metrics"][0]["scale"], "difference");
    let verdict = serde_json::to_string(&ledger.verdict()).unwrap();
    assert!(!verdict.contains("null,null"), "{verdict}");
}

#[test]
fn a_verdict_survives_the_store() {
    for right in [Right([88, 97]), Right([90, 80]), Right([90, 90])] {
        let verdict = run(&design(Unit::Request), 30, right).verdict();
        let bytes = postcard::to_allocvec(&verdict).unwrap();
        assert_eq!(postcard::from_bytes::<Verdict>(&bytes).unwrap(), verdict);
    }
}

#[test]
fn reasons_are_sentences() {
    let promoted = run(&design(Unit::Request), 60, Right([88, 97]))
        .verdict()
        .reason
        .to_string();
    assert!(
        promoted.starts_with(
            "arm 1 is better and stays within every margin: accuracy 0.8800 → 0.9700 (ln E "
        ),
        "{promoted}"
    );
    let back = run(&design(Unit::Sticky), 60, Right([90, 80]))
        .verdict()
        .reason
        .to_string();
    assert!(
        back.starts_with("arm 1 is worse: accuracy 0.9000 → 0.8000 (z "),
        "{back}"
    );
}

#[test]
fn several_candidates_share_the_error_rate() {
    let mut design = goal_only(None);
    design.arms = 3;
    let mut ledger = Ledger::new(design.clone(), &[0.4, 0.3, 0.3]);
    let mut delta = Delta::new(&design);
    for i in 0..3000_u64 {
        let arm = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2][usize::try_from(i % 10).unwrap()];
        let right = [880, 880, 990][arm];
        delta.expose(0, 0, arm, i);
        delta.observe(0, 0, 0, arm, 0, f64::from(u8::from(i * 617 % 1000 < right)));
    }
    ledger.absorb(delta);
    ledger.close_before(1);
    let Reason::Better { arm: 2, proofs } = check(&ledger, Decision::Promote { arm: 2 }) else {
        panic!("another reason");
    };
    let crate::Score::Evidence { threshold, .. } = proofs[0].score else {
        panic!("no e-value")
    };
    assert!((threshold - 40.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn a_ledger_does_not_grow_with_its_ticks() {
    let size = |ticks: u64| {
        let design = design(Unit::Sticky);
        let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
        for t in 0..ticks {
            ledger.absorb(tick(&design, 0, t, Right([90, 90])));
            ledger.close_before(t + 1);
        }
        assert!(
            ledger
                .measured()
                .iter()
                .all(|measured| measured.epochs.len() == 1)
        );
        postcard::to_allocvec(&ledger).unwrap().len()
    };
    let (few, many) = (size(100), size(1000));
    assert!(many < few + few / 10, "{few} bytes became {many}");
}

/// What a test may know of a tick is what belongs to it and to those before, however far ahead of the
/// closing evidence arrives: else a replay would judge otherwise than the live referee.
#[test]
fn a_verdict_does_not_depend_on_how_early_evidence_arrives() {
    let design = Design {
        metrics: vec![design(Unit::Sticky).metrics.swap_remove(0)],
        ..design(Unit::Sticky)
    };
    // Four requests of each of 25 new users an arm: the gate of 500 users opens long after 500 requests.
    let seen = |tick: u64| {
        let mut delta = Delta::new(&design);
        for (i, arm) in (0..100_u64).flat_map(|i| [(i, 0), (i, 1)]) {
            let unit = 2 * (i / 4 + 25 * tick) + arm as u64;
            let bucket = u16::try_from(unit % 512).unwrap();
            let correct = f64::from(u8::from(i * 61 % 100 < [95, 70][arm]));
            delta.expose(0, tick, arm, unit);
            delta.observe(0, tick, 0, arm, bucket, correct);
        }
        delta
    };
    let decided_at = |ahead: u64| {
        let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
        for tick in 0..ahead {
            ledger.absorb(seen(tick));
        }
        (0..60).find(|&tick| {
            ledger.absorb(seen(tick + ahead));
            ledger.close_before(tick + 1);
            ledger.verdict().decision == Decision::RollBack
        })
    };
    assert_eq!(
        decided_at(0),
        Some(19),
        "twenty ticks bring 500 users an arm"
    );
    assert_eq!(decided_at(40), decided_at(0));
}

#[test]
fn a_unit_that_changes_arms_within_one_delta_is_seen_on_both() {
    let mut ledger = Ledger::new(design(Unit::Sticky), &[0.9, 0.1]);
    ledger.open_epoch(&[0.5, 0.5]);
    let mut delta = Delta::new(ledger.design());
    delta.expose(1, 5, 0, 7);
    delta.expose(0, 4, 1, 7);
    ledger.absorb(delta);
    let ratio = ledger.sample_ratio();
    assert_eq!([ratio.units(0), ratio.units(1)], [1, 1]);
}
