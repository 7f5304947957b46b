//! A watch keeps its promise about false alarms, and finds what has become worse.

use super::*;
use crate::{Better, Decision, Delta, Goals, Kind, Ledger, Margin, Role, Scale};

const HOUR: FalseAlarms = FalseAlarms {
    chance: 0.05,
    ticks: 3600,
};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.bits() % all.len() as u64;
        all[usize::try_from(place).unwrap()]
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn of(&mut self, n: u64, rate: f64) -> u64 {
        (0..n).filter(|_| self.next() < rate).count() as u64
    }
}

fn metric(kind: Kind, better: Better, margin: Option<Margin>) -> Metric {
    Metric {
        name: "m".to_owned(),
        kind,
        better,
        role: Role::Guardrail,
        margin,
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

fn failures(margin: Option<Margin>) -> Design {
    design(
        Unit::Request,
        vec![metric(Kind::Proportion, Better::Lower, margin)],
    )
}

/// A ledger whose candidate was promoted after outcomes like these, one a tick, and is watched since.
fn promoted(design: &Design, before: impl IntoIterator<Item = f64>) -> Ledger {
    let mut ledger = Ledger::new(design.clone(), &[0.5, 0.5]);
    let mut delta = Delta::new(design);
    for (bucket, y) in (0..512).cycle().zip(before) {
        delta.observe(0, 1, 0, 1, bucket, y);
    }
    ledger.absorb(delta);
    ledger.close_before(2);
    ledger.watch(1, 1, HOUR);
    ledger
}

/// The same, and then ticks of a hundred like these; whether something has risen.
fn has_risen(ledger: &mut Ledger, ticks: u64, mut after: impl FnMut() -> f64) -> bool {
    for tick in 10..10 + ticks {
        let mut delta = Delta::new(ledger.design());
        for bucket in 0..100 {
            delta.observe(1, tick, 0, 1, bucket, after());
        }
        ledger.absorb(delta);
        ledger.close_before(tick + 1);
        if ledger.risen().next().is_some() {
            return true;
        }
    }
    false
}

/// 10 000 outcomes of which one in so many is bad.
fn one_in(every: u32) -> impl Iterator<Item = f64> {
    (0..10_000).map(move |i| f64::from(u8::from(i % every == 0)))
}

#[test]
fn an_arm_that_fails_more_often_than_it_did_has_risen() {
    let mut chance = Chance(1);
    let mut ledger = promoted(&failures(None), one_in(100));
    assert!(has_risen(&mut ledger, 200, || chance.of(1, 0.03) as f64));
    let risen = ledger.risen().next().unwrap();
    assert_eq!((&*risen.metric, risen.frozen.bad), ("m", Bad::One));
    assert!(risen.log_e >= risen.threshold, "{risen:?}");
    let mut again = EDetector::resume(risen.frozen.allowed, &risen.from).unwrap();
    let looks = risen.looks.iter();
    looks.for_each(|look| again.add(Look::of(*look, risen.dependent)));
    assert!((again.log_e() - risen.log_e).abs() < 1e-12, "recomputed");
}

#[test]
fn an_arm_that_stays_as_it_was_has_not_risen() {
    let mut chance = Chance(2);
    let mut ledger = promoted(&failures(None), one_in(100));
    assert!(!has_risen(&mut ledger, 3600, || chance.of(1, 0.01) as f64));
}

#[test]
fn what_the_margin_allows_is_no_rise() {
    let mut chance = Chance(3);
    let design = failures(Some(Margin::Odds(3.0)));
    let mut ledger = promoted(&design, one_in(100));
    assert!(!has_risen(&mut ledger, 1000, || chance.of(1, 0.02) as f64));
}

#[test]
fn successes_that_become_rarer_are_a_rise_of_failures() {
    let mut chance = Chance(4);
    let design = design(
        Unit::Request,
        vec![metric(Kind::Proportion, Better::Higher, None)],
    );
    let mut ledger = promoted(&design, one_in(100).map(|y| 1.0 - y));
    assert!(has_risen(&mut ledger, 200, || chance.of(1, 0.95) as f64));
    assert_eq!(ledger.risen().next().unwrap().frozen.bad, Bad::Zero);
}

#[test]
fn durations_are_watched_beyond_a_quantile_of_what_they_were() {
    let kind = Kind::Mean { scale: Scale::Log };
    let design = design(
        Unit::Request,
        vec![metric(kind, Better::Lower, Some(Margin::Relative(0.1)))],
    );
    let mut chance = Chance(5);
    let mut seconds = move |factor: f64| factor * (0.5 * (chance.next() - 0.5)).exp();
    let before: Vec<f64> = (0..10_000).map(|_| seconds(1.0)).collect();
    let mut as_before = promoted(&design, before.iter().copied());
    assert!(!has_risen(&mut as_before, 1000, || seconds(1.05)));
    let mut slower = promoted(&design, before);
    assert!(has_risen(&mut slower, 100, || seconds(1.3)));
}

#[test]
fn what_cannot_be_watched_says_so() {
    let kind = Kind::Mean {
        scale: Scale::Linear,
    };
    let design = design(Unit::Sticky, vec![metric(kind, Better::Lower, None)]);
    let ledger = promoted(&design, one_in(2));
    let [report] = &ledger.watched().unwrap()[..] else {
        panic!("one metric");
    };
    assert_eq!((report.frozen, report.alarm), (None, false));
}

#[test]
fn what_was_seen_before_the_promotion_comes_too_late_and_the_verdict_stays() {
    let design = failures(None);
    let mut ledger = promoted(&design, one_in(100));
    let before = (ledger.observations(), ledger.verdict());
    let mut delta = Delta::new(&design);
    for tick in [3, 4] {
        for bucket in 0..500 {
            delta.observe(0, tick, 0, 1, bucket, 1.0);
            delta.observe(1, tick, 0, 1, bucket, 1.0);
        }
    }
    assert_eq!(ledger.absorb(delta), 1000);
    ledger.close_before(10);
    assert!(ledger.risen().next().is_some());
    assert_eq!((ledger.observations(), ledger.verdict()), before);
    assert_eq!(before.1.decision, Decision::Wait);
}

#[test]
fn rarer_alarms_may_be_asked_for_later() {
    let mut ledger = promoted(&failures(None), one_in(100));
    let threshold = |ledger: &Ledger| ledger.watched().unwrap()[0].threshold;
    let before = threshold(&ledger);
    ledger.watch(
        1,
        1,
        FalseAlarms {
            ticks: 7200,
            ..HOUR
        },
    );
    assert!((threshold(&ledger) - before - 2.0_f64.ln()).abs() < 1e-3);
}

#[test]
fn a_watch_continues_to_the_bit_after_a_restart() {
    let mut chance = Chance(6);
    let mut ledger = promoted(&failures(None), one_in(100));
    has_risen(&mut ledger, 70, || chance.of(1, 0.01) as f64);
    let kept = postcard::to_allocvec(&ledger).unwrap();
    let mut restored: Ledger = postcard::from_bytes(&kept).unwrap();
    for ledger in [&mut ledger, &mut restored] {
        let mut chance = Chance(7);
        has_risen(ledger, 20, || chance.of(1, 0.02) as f64);
    }
    assert!(ledger == restored);
}

/// How many of `runs` watches alarm within an hour of ticks, and how many z-tests that are looked at as often.
fn false_alarms(unit: Unit, runs: u64, mut tick: impl FnMut(&mut Chance) -> [u64; 2]) -> [u64; 2] {
    let (n, events) = (10_000, 500);
    let frozen = Frozen {
        bad: Bad::One,
        n,
        events,
        allowed: crate::agreement::interval(20.0, 0.025, events, n)
            .unwrap()
            .high,
    };
    let threshold = e_detector::threshold(HOUR.chance / 2.0, HOUR.ticks);
    let mut alarms = [0, 0];
    for run in 0..runs {
        let mut chance = Chance(run);
        let mut watched = Watched::new(frozen, unit);
        let mut alarmed = [false, false];
        for _ in 0..HOUR.ticks {
            let [n, events] = tick(&mut chance);
            let mut cell = Cell::default();
            (0..n).for_each(|i| cell.add(f64::from(u8::from(i < events))));
            watched.add(&cell);
            alarmed[0] |= watched.detector.log_e() >= threshold;
            let (n, mean) = (watched.n as f64, 0.05);
            let z = (watched.events as f64 - n * mean) / (n * mean * (1.0 - mean)).sqrt();
            alarmed[1] |= n > 500.0 && z > 1.645;
        }
        for (all, alarmed) in alarms.iter_mut().zip(alarmed) {
            *all += u64::from(alarmed);
        }
    }
    alarms
}

#[test]
fn false_alarms_are_as_rare_as_promised_and_those_of_a_peeked_test_are_not() {
    let runs = 200;
    // 5% and three standard errors.
    let most = 19;
    let [watch, peeked] = false_alarms(Unit::Request, runs, |chance| [20, chance.of(20, 0.05)]);
    assert!(watch <= most, "{watch}");
    assert!(peeked > 2 * most, "{peeked}");
}

/// A thousand users, of whom one in ten fails half of the time and the others never, who come in bursts.
#[test]
fn users_who_return_raise_no_more_false_alarms() {
    let mut people = Chance(11);
    let rates: Vec<f64> = (0..1000)
        .map(|_| if people.next() < 0.1 { 0.5 } else { 0.0 })
        .collect();
    let mean = rates.iter().sum::<f64>() / 1000.0;
    let burst = |chance: &mut Chance| {
        let rate = chance.one_of(&rates);
        [20, chance.of(20, rate * 0.05 / mean)]
    };
    let most = 19;
    let [watch, _] = false_alarms(Unit::Sticky, 200, burst);
    assert!(watch <= most, "{watch}");
    let [alone, _] = false_alarms(Unit::Request, 200, burst);
    assert!(alone > 100, "taken for independent: {alone}");
}
