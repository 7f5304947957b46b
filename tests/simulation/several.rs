//! Several candidates at once, lists of them, and several goals of which any suffices.

use stats::{Better, Cell, Decision, Delta, Design, Goals, Kind, Ledger, Margin, Unit, e_bh};

use crate::{
    chance::Chance,
    controls::z_of_rates,
    setting::{Alarms, Claim, Group, Setting, breaks, keeps},
    traffic::{ERRORS, Flow, Tick, design, error_of, judge, metric, ones},
};

/// A look every 200 requests an arm, to 10 000.
const LOOKS: u64 = 50;
const REQUESTS_EACH: u64 = 200;

/// Six candidates for a list.
const LISTED: usize = 6;

/// Two goals that agree on four requests of five.
const AGREEING: f64 = 0.8;

const EVEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 50,
    requests: 400,
};

pub(crate) fn settings() -> Vec<Setting> {
    let even = || Setting {
        method: "verdict, three candidates at α/3",
        ..decides("20% of answers right on all", |chance| {
            error_of(verdict(chance, &[0.2; 4]))
        })
    };
    let one_better = Setting {
        method: "verdict, three candidates at α/3",
        ..decides("the first of three candidates is better", |chance| {
            let found = verdict(chance, &[0.2, 0.26, 0.2, 0.2]);
            // A worse decision than promoting the better one.
            match found {
                Decision::Promote { arm: 1 } => None,
                other => error_of(other),
            }
        })
    };
    let any = Setting {
        method: "verdict, any of two goals at α/2",
        ..decides("20%, goals that agree on four of five, 50/50", |chance| {
            error_of(any_goal(chance))
        })
    };
    let lists = [
        ("six equal candidates, at the first that is listed", 0),
        (
            "three better and three equal candidates, at the last look",
            3,
        ),
    ];
    let lists = lists.map(|(situation, better)| {
        let run = move |chance: &mut Chance| falsely_listed(chance, better);
        keeps(Group::Several, "e-BH on current e-values", situation, run)
    });
    [even(), one_better, any].into_iter().chain(lists).collect()
}

/// Lists by p-values that may be looked at only once.
pub(crate) fn control() -> Setting {
    breaks(
        "Benjamini–Hochberg on z-tests at every look",
        "six equal candidates, 50 looks",
        "",
        peeked_list,
    )
}

fn decides(
    situation: &str,
    run: impl Fn(&mut Chance) -> Option<usize> + Send + Sync + 'static,
) -> Setting {
    let run = Box::new(run);
    Setting {
        group: Group::Several,
        situation: situation.to_owned(),
        method: "verdict",
        claim: Claim::Keeps {
            alpha: 0.05,
            alarms: Alarms { names: ERRORS, run },
        },
        stated: "",
    }
}

fn right(arms: usize, guarded: bool) -> Design {
    let mut metrics = vec![metric("right", Kind::Proportion, Better::Higher, None)];
    if guarded {
        let odds = Some(Margin::Odds(1.5));
        metrics.push(metric("failed", Kind::Proportion, Better::Lower, odds));
    }
    Design {
        arms,
        ..design(Unit::Request, metrics)
    }
}

/// The ledger after each look, until `seen` has enough. All arms have equal shares, and these rates.
fn watch(
    design: &Design,
    chance: &mut Chance,
    rates: &[f64],
    mut seen: impl FnMut(&Ledger) -> bool,
) {
    let shares = vec![1.0 / rates.len() as f64; rates.len()];
    let mut ledger = Ledger::new(design.clone(), &shares);
    for tick in 0..LOOKS {
        let mut delta = Delta::new(design);
        for (arm, n) in split(chance, rates.len()).into_iter().enumerate() {
            delta.expose_many(0, arm, n);
            for (place, of) in [rates[arm], 0.02]
                .into_iter()
                .enumerate()
                .take(design.metrics.len())
            {
                delta.observe_many(0, tick, place, arm, &ones(chance, n, of));
            }
        }
        ledger.absorb(delta);
        ledger.close_before(tick + 1);
        if seen(&ledger) {
            return;
        }
    }
}

/// Requests of a look over so many arms, each assigned on its own.
fn split(chance: &mut Chance, arms: usize) -> Vec<u64> {
    let mut left = REQUESTS_EACH * arms as u64;
    let part = |place: usize| {
        let n = chance.binomial(left, 1.0 / (arms - place) as f64);
        left -= n;
        n
    };
    (0..arms).map(part).collect()
}

fn verdict(chance: &mut Chance, rates: &[f64]) -> Decision {
    let mut decision = Decision::Wait;
    watch(&right(rates.len(), true), chance, rates, |ledger| {
        decision = ledger.verdict().decision;
        !matches!(decision, Decision::Wait | Decision::Unsound)
    });
    decision
}

/// Whether a candidate that is drawn from the list is no better: how often that is so is the false
/// discovery rate. Equal candidates are listed at the first moment that lists any, the worst to choose.
fn falsely_listed(chance: &mut Chance, better: usize) -> bool {
    let rates: Vec<f64> = (0..=LISTED)
        .map(|arm| {
            if (1..=better).contains(&arm) {
                0.26
            } else {
                0.2
            }
        })
        .collect();
    let mut listed = Vec::new();
    watch(&right(rates.len(), false), chance, &rates, |ledger| {
        let metrics = ledger.report().metrics;
        let arms = metrics.iter().filter(|metric| metric.listed);
        listed = arms.map(|metric| metric.arm).collect();
        better == 0 && !listed.is_empty()
    });
    !listed.is_empty() && listed[chance.below(listed.len())] > better
}

/// The same with e = 1/p of a z-test that may be looked at once: e-BH at 1/p is Benjamini–Hochberg.
fn peeked_list(chance: &mut Chance) -> bool {
    let mut arms = vec![Cell::default(); LISTED + 1];
    (0..LOOKS).any(|_| {
        for (cell, n) in arms.iter_mut().zip(split(chance, LISTED + 1)) {
            cell.merge(&ones(chance, n, 0.2));
        }
        let z = |candidate: &Cell| z_of_rates(&arms[0].tally, &candidate.tally);
        let log_e: Vec<f64> = arms[1..]
            .iter()
            .map(|candidate| -one_sided(z(candidate)).ln())
            .collect();
        !e_bh::rejected(&log_e, 0.05).is_empty()
    })
}

/// 1 − Φ(z).
fn one_sided(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

fn any_goal(chance: &mut Chance) -> Decision {
    let goals = ["right", "liked"].map(|name| metric(name, Kind::Proportion, Better::Higher, None));
    let design = Design {
        goals: Goals::Any,
        ..design(Unit::Request, goals.to_vec())
    };
    let draw = |chance: &mut Chance, _: &Tick, _: usize, n: u64| {
        let agreeing = chance.binomial(n, AGREEING);
        let common = ones(chance, agreeing, 0.2);
        [(); 2]
            .map(|()| {
                let mut goal = ones(chance, n - agreeing, 0.2);
                goal.merge(&common);
                goal
            })
            .to_vec()
    };
    judge(&design, EVEN, chance, &draw).0
}
