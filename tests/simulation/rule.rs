//! The whole rule: goals and guardrails together, both errors at once.

use stats::{Better, Cell, Decision, Design, Kind, Margin, Unit};

use crate::{
    chance::Chance,
    crowd::Crowd,
    returning,
    setting::{Alarms, Claim, Group, Setting},
    traffic::{
        ERRORS, Flow, LINEAR, LOG, Tick, design, error_of, judge, metric, normals, ones, revenue,
    },
};

/// Twenty-five looks, to about 20 000 requests an arm at even shares, 10 000 of the smaller arm else.
const SPLITS: [Flow; 2] = [
    Flow {
        name: "50/50",
        shares: &[0.5],
        ticks_each: 25,
        requests: 1500,
    },
    Flow {
        name: "5/95",
        shares: &[0.05],
        ticks_each: 25,
        requests: 8000,
    },
];

const RAMP: Flow = Flow {
    name: "5→25→50%",
    shares: &[0.05, 0.25, 0.5],
    ticks_each: 12,
    requests: 1500,
};

/// Accuracy may not fall, failures not rise beyond odds of 1.5, latency not by a tenth.
const ODDS: f64 = 1.5;
const SLOWER: f64 = 0.1;

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for flow in SPLITS {
        for (name, failures) in [("0.1%", 0.001), ("1%", 0.01), ("20%", 0.2)] {
            let situation = format!("failures {name}, {}", flow.name);
            settings.push(setting(situation, ERRORS, move |chance| {
                of_requests(chance, flow, &|_, _| [0.9, failures, 1.0])
            }));
        }
    }
    let drifting = |tick: &Tick, _| {
        [
            0.9 - 0.2 * tick.progress,
            0.02 + 0.03 * tick.progress,
            1.0 + tick.progress,
        ]
    };
    settings.push(setting(
        format!("all drift on a ramp {}", RAMP.name),
        ERRORS,
        move |chance| of_requests(chance, RAMP, &drifting),
    ));
    settings.push(setting(
        "a better model as slow as its margin, 50/50".to_owned(),
        &["promotion"],
        |chance| {
            of_requests(chance, SPLITS[0], &|_, arm| {
                [[0.88, 0.95][arm], 0.01, [1.0, 1.0 + SLOWER][arm]]
            })
        },
    ));
    settings.push(setting(
        "revenue as goal with a heavy tail, failures 1%, 5/95".to_owned(),
        ERRORS,
        of_revenue,
    ));
    settings.push(setting(
        format!(
            "users who return, ICC 0.17, failures 2%, drift on a ramp {}",
            RAMP.name
        ),
        ERRORS,
        of_users,
    ));
    settings
}

fn setting(
    situation: String,
    names: &'static [&'static str],
    decide: impl Fn(&mut Chance) -> Decision + Send + Sync + 'static,
) -> Setting {
    let run = move |chance: &mut Chance| error_of(decide(chance));
    Setting {
        group: Group::Rule,
        situation,
        method: "verdict",
        claim: Claim::Keeps {
            alpha: 0.05,
            alarms: Alarms {
                names,
                run: Box::new(run),
            },
        },
        stated: "",
    }
}

pub(crate) fn guarded(unit: Unit) -> Design {
    let (odds, slower) = (Some(Margin::Odds(ODDS)), Some(Margin::Relative(SLOWER)));
    design(
        unit,
        vec![
            metric("accuracy", Kind::Proportion, Better::Higher, None),
            metric("failed", Kind::Proportion, Better::Lower, odds),
            metric("latency", LOG, Better::Lower, slower),
        ],
    )
}

/// Accuracy, rate of failures and factor on latency, by moment and arm.
type Truth<'a> = dyn Fn(&Tick, usize) -> [f64; 3] + 'a;

fn of_requests(chance: &mut Chance, flow: Flow, truth: &Truth<'_>) -> Decision {
    let draw = |chance: &mut Chance, tick: &Tick, arm: usize, n: u64| -> Vec<Cell> {
        let [accuracy, failures, factor] = truth(tick, arm);
        vec![
            ones(chance, n, accuracy),
            ones(chance, n, failures),
            normals(chance, n, factor.ln() - 3.0, 0.5),
        ]
    };
    judge(&guarded(Unit::Request), flow, chance, &draw).0
}

fn of_revenue(chance: &mut Chance) -> Decision {
    let metrics = vec![
        metric("revenue", LINEAR, Better::Higher, None),
        metric(
            "failed",
            Kind::Proportion,
            Better::Lower,
            Some(Margin::Odds(ODDS)),
        ),
    ];
    let draw = |chance: &mut Chance, _: &Tick, _: usize, n: u64| {
        vec![revenue(chance, n, 0.2, 1.0), ones(chance, n, 0.01)]
    };
    judge(&design(Unit::Request, metrics), SPLITS[1], chance, &draw).0
}

fn of_users(chance: &mut Chance) -> Decision {
    let crowd = Crowd {
        users: 4000,
        ..returning::ALIKE
    };
    let habit = |chance: &mut Chance, own: f64, tick: &Tick, _: usize| {
        vec![
            chance.one(returning::drifting(own, tick)),
            chance.one(0.04 * own),
            (0.5 * chance.normal() + own + tick.progress - 3.0).exp(),
        ]
    };
    crowd.judge(&guarded(Unit::Sticky), chance, &habit).0
}
