//! Rates of users who return: one goal, clusters by buckets.

use stats::{Better, Decision, Design, Kind, Margin, Unit};

use crate::{
    chance::Chance,
    clusters::Clusters,
    crowd::Crowd,
    setting::{Alarms, Claim, Group, Setting},
    traffic::{ERRORS, Flow, Tick, design, error_of, metric},
};

const EVEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 20,
    requests: 15_000,
};

const SMALL: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 20,
    requests: 90_000,
};

pub(crate) const RAMP: Flow = Flow {
    name: "5→25→50%",
    shares: &[0.05, 0.25, 0.5],
    ticks_each: 20,
    requests: 800,
};

/// A beta distribution with a + b = 9 has an intraclass correlation of 1/(a + b + 1) = 0.1.
const CORRELATED: f64 = 9.0;

/// How a user comes to be inclined.
type Inclination = fn(&mut Chance) -> f64;

pub(crate) fn settings() -> Vec<Setting> {
    let inclinations: [(&str, Inclination); 3] = [
        ("0.1%", |chance| {
            chance.beta(0.001 * CORRELATED, 0.999 * CORRELATED)
        }),
        ("1%", |chance| {
            chance.beta(0.01 * CORRELATED, 0.99 * CORRELATED)
        }),
        ("20%", |chance| {
            chance.beta(0.2 * CORRELATED, 0.8 * CORRELATED)
        }),
    ];
    let mut settings = Vec::new();
    for flow in [EVEN, SMALL] {
        for (name, inclination) in inclinations {
            // So many users that the gate opens: a thousandth comes from few of them.
            let rare = name == "0.1%" && flow.shares[0] < 0.5;
            let users = if rare { 120_000 } else { 24_000 };
            let clusters = Clusters {
                users,
                flow,
                inclination,
            };
            settings.push(setting(
                format!("{name}, ICC 0.1, {}", flow.name),
                move |chance| clusters.judge(&accuracy(Unit::Sticky), chance),
            ));
        }
    }
    settings.push(setting(
        format!("ICC 0.17, drift from 75% to 51% on a ramp {}", RAMP.name),
        |chance| decide(chance, Unit::Sticky),
    ));
    settings.push(Setting {
        method: "agreement on first requests",
        stated: "",
        ..setting(
            format!(
                "5% failures at a ceiling of 5%, ICC 0.5, {}",
                CEILING.flow.name
            ),
            |chance| decide_ceiling(chance, Unit::Sticky),
        )
    });
    settings.push(unstated(
        format!("p90, ICC 0.2, latency doubles on a ramp {}", RAMP.name),
        |chance| decide_latency(chance, Unit::Sticky, None),
    ));
    settings.push(unstated(
        format!(
            "p90 at its margin, ICC 0.2, latency doubles on a ramp {}",
            RAMP.name
        ),
        |chance| decide_latency(chance, Unit::Sticky, Some(0.25)),
    ));
    settings
}

/// One that the specification gives no figure for.
fn unstated(
    situation: String,
    decide: impl Fn(&mut Chance) -> Decision + Send + Sync + 'static,
) -> Setting {
    Setting {
        stated: "",
        ..setting(situation, decide)
    }
}

fn setting(
    situation: String,
    decide: impl Fn(&mut Chance) -> Decision + Send + Sync + 'static,
) -> Setting {
    Setting {
        group: Group::Returning,
        situation,
        method: "Robbins–Siegmund by buckets",
        claim: Claim::Keeps {
            alpha: 0.05,
            alarms: Alarms {
                names: ERRORS,
                run: Box::new(move |chance| error_of(decide(chance))),
            },
        },
        stated: "2–3%",
    }
}

/// Some 40 requests each, half of the users inclined towards a 1.
pub(crate) const ALIKE: Crowd = Crowd {
    users: 1200,
    flow: RAMP,
    inclination: Chance::uniform,
};

pub(crate) fn drifting(inclination: f64, tick: &Tick) -> f64 {
    let own = if inclination < 0.5 { -0.2 } else { 0.2 };
    0.75 - 0.12 * f64::from(tick.epoch) + own
}

/// The decision of a judge that takes the users for users, or for single requests.
pub(crate) fn decide(chance: &mut Chance, unit: Unit) -> Decision {
    let habit = |chance: &mut Chance, own: f64, tick: &Tick, _: usize| {
        vec![chance.one(drifting(own, tick))]
    };
    ALIKE.judge(&accuracy(unit), chance, &habit).0
}

/// The decision on a quantile of latency without an SLO, which a candidate raises by as much as the margin
/// allows: equal arms for a goal.
pub(crate) fn decide_latency(chance: &mut Chance, unit: Unit, margin: Option<f64>) -> Decision {
    let slower = 1.0 + margin.unwrap_or(0.0);
    let habit = |chance: &mut Chance, own: f64, tick: &Tick, arm: usize| {
        // The user's part of the scatter, of variance 1/12 · 0.75 = 0.0625, is a fifth of all of it.
        let log = 0.75_f64.sqrt() * (own - 0.5) + 0.5 * chance.normal() + 0.7 * tick.progress - 3.0;
        vec![log.exp() * if arm == 0 { 1.0 } else { slower }]
    };
    let kind = Kind::Quantile { at: 0.9 };
    let metric = metric("latency", kind, Better::Lower, margin.map(Margin::Relative));
    ALIKE.judge(&design(unit, vec![metric]), chance, &habit).0
}

/// Some forty requests of each user, who are new over the whole of the run.
const CEILING: Crowd = Crowd {
    users: 1200,
    flow: Flow {
        name: "50/50",
        shares: &[0.5],
        ticks_each: 60,
        requests: 800,
    },
    // Of variance ICC · p(1 − p) around p = 5%: a beta distribution with a + b = 1.
    inclination: |chance| chance.beta(0.05, 0.95),
};

/// The decision on a candidate that fails as often as its ceiling allows.
pub(crate) fn decide_ceiling(chance: &mut Chance, unit: Unit) -> Decision {
    let habit = |chance: &mut Chance, own: f64, _: &Tick, _: usize| vec![chance.one(own)];
    let ceiling = Some(Margin::AtMost(0.05));
    let failures = metric("failures", Kind::Proportion, Better::Lower, ceiling);
    CEILING
        .judge(&design(unit, vec![failures]), chance, &habit)
        .0
}

fn accuracy(unit: Unit) -> Design {
    design(
        unit,
        vec![metric("accuracy", Kind::Proportion, Better::Higher, None)],
    )
}
