//! Metrics that wait for different times.

use std::time::Duration;

use super::*;
use crate::Score;

/// Accuracy as feedback that takes a day, failures that show within a minute.
fn patient(waits: [u64; 2]) -> Ledger {
    let mut design = design(Unit::Request);
    design.metrics.truncate(2);
    let tick = Duration::from_secs(1);
    let waits = waits.map(|seconds| Wait::new(Duration::from_secs(seconds), tick));
    Ledger::new(design, &[0.5, 0.5]).waiting(&waits)
}

/// A tick in which B fails this often in a hundred, and is right a little less often too.
fn failing(design: &Design, tick: u64, percent: u64) -> Delta {
    let mut delta = Delta::new(design);
    for i in 0..100_u64 {
        for arm in 0..2 {
            let is_failed = arm == 1 && i < percent;
            let is_right = i * 61 % 100 < if arm == 1 { 70 } else { 80 };
            delta.expose(0, tick, arm, 2 * i + arm as u64);
            delta.observe(0, tick, 0, arm, 0, f64::from(u8::from(is_right)));
            delta.observe(0, tick, 1, arm, 0, f64::from(u8::from(is_failed)));
        }
    }
    delta
}

#[test]
fn failures_roll_back_while_feedback_is_still_waited_for() {
    let decision = |closed: fn(u64) -> [u64; 2]| {
        let mut ledger = patient([86_400, 60]);
        let design = ledger.design().clone();
        for t in 0..30 {
            ledger.absorb(failing(&design, t, 20));
            ledger.close_each_before(&closed(t + 1));
        }
        ledger.verdict().decision
    };
    assert_eq!(decision(|tick| [0, tick]), Decision::RollBack);
    assert_eq!(
        decision(|_| [0, 0]),
        Decision::Wait,
        "the control: one window for all"
    );
}

#[test]
fn an_observation_is_late_by_its_own_metric_only() {
    let mut ledger = patient([86_400, 60]);
    let design = ledger.design().clone();
    ledger.close_each_before(&[0, 5]);
    assert_eq!(ledger.absorb(failing(&design, 3, 0)), 200, "failures only");
    ledger.close_before(5000);
    let counted = |metric: usize| total(&ledger.measured()[metric].epochs, 0).n;
    assert_eq!([0, 1].map(counted), [100, 0]);
}

#[test]
fn a_cohort_closes_when_its_last_tick_does() {
    let mut ledger = patient([86_400, 60]);
    let design = ledger.design().clone();
    ledger.absorb(failing(&design, 3, 0));
    let counted = |ledger: &Ledger| total(&ledger.measured()[0].epochs, 0).n;
    ledger.close_each_before(&[1349, 0]);
    assert_eq!(counted(&ledger), 0);
    ledger.close_each_before(&[1350, 0]);
    assert_eq!(counted(&ledger), 100);
}

#[test]
fn a_day_of_ticks_that_wait_takes_few_cohorts() {
    let mut ledger = patient([86_400, 60]);
    let design = ledger.design().clone();
    for tick in 0..86_400 {
        let mut delta = Delta::new(&design);
        delta.observe(0, tick, 0, 1, 0, 1.0);
        ledger.absorb(delta);
    }
    assert_eq!(ledger.measured()[0].open.len(), 64);
}

#[test]
fn metrics_that_wait_differently_are_averaged_apart() {
    let harm = |waits| {
        let mut ledger = patient(waits);
        let design = ledger.design().clone();
        for t in 0..60 {
            ledger.absorb(failing(&design, t, 2));
            ledger.close_before(t + 1);
        }
        let crossing = ledger.harm()[0].clone().unwrap();
        let alone = crossing.scores.iter().flatten().filter_map(Score::log_e);
        (
            crossing.log_e.unwrap(),
            alone.fold(f64::MIN, f64::max) - 2.0_f64.ln(),
        )
    };
    let (alike, apart) = (harm([60, 60]), harm([59, 60]));
    assert!(alike.0 > alike.1, "{alike:?}");
    assert!((apart.0 - apart.1).abs() < 1e-9, "{apart:?}");
}
