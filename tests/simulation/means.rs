//! Means of single requests, by the Robbins–Siegmund boundary behind its gate.

use stats::{Better, Cell, Kind, Unit};

use crate::{
    chance::Chance,
    setting::{Alarms, Claim, Group, Setting},
    traffic::{
        ERRORS, Flow, LINEAR, LOG, RAMP, SPLITS, Tick, capped_revenue, design, error_of, judge,
        metric, normals, revenue,
    },
};

/// Long enough for the gate of effective sizes to open, after some 30 000 visitors an arm.
pub(crate) const RARE: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 200,
    requests: 5000,
};

type Sums = fn(&mut Chance, &Tick, u64) -> Cell;

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |situation: String, flow: Flow, kind: Kind, sums: Sums| {
        settings.push(Setting {
            group: Group::Means,
            situation,
            method: "Robbins–Siegmund",
            claim: Claim::Keeps {
                alpha: 0.05,
                alarms: Alarms {
                    names: ERRORS,
                    run: Box::new(move |chance| first_error(chance, flow, kind, sums)),
                },
            },
            stated: "",
        });
    };
    for flow in SPLITS {
        add(
            format!("log latency, σ 0.5, {}", flow.name),
            flow,
            LOG,
            |chance, _, n| normals(chance, n, -3.0, 0.5),
        );
        add(
            format!("revenue, 20% buy, lognormal σ 1, {}", flow.name),
            flow,
            LINEAR,
            |chance, _, n| revenue(chance, n, 0.2, 1.0),
        );
    }
    add(
        "revenue, 3% buy, lognormal σ 1.5, 5/95".to_owned(),
        RARE,
        LINEAR,
        |chance, _, n| revenue(chance, n, 0.03, 1.5),
    );
    add(
        "revenue cut off at 10, 3% buy, lognormal σ 1.5, 5/95".to_owned(),
        Flow {
            ticks_each: 100,
            ..RARE
        },
        LINEAR,
        |chance, _, n| capped_revenue(chance, n, 0.03, 1.5, 10.0),
    );
    add(
        format!("log latency that triples on a ramp {}", RAMP.name),
        RAMP,
        LOG,
        |chance, tick, n| normals(chance, n, -3.0 + 1.1 * tick.progress, 0.5),
    );
    settings
}

fn first_error(chance: &mut Chance, flow: Flow, kind: Kind, sums: Sums) -> Option<usize> {
    let design = design(
        Unit::Request,
        vec![metric("goal", kind, Better::Higher, None)],
    );
    let draw = |chance: &mut Chance, tick: &Tick, _: usize, n: u64| vec![sums(chance, tick, n)];
    error_of(judge(&design, flow, chance, &draw).0)
}
