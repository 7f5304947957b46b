//! Ratios, covariates, quantiles and whole distributions, as the judge takes them: single observations
//! with all that their metric keeps of them.

use stats::{Better, Delta, Kind, Scale, Unit};

use crate::{
    chance::Chance,
    setting::{Alarms, Claim, Group, Setting},
    traffic::{ERRORS, Flow, Tick, design, error_of, metric, run},
};

const SMALL: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 30,
    requests: 1000,
};

const RAMP: Flow = Flow {
    name: "5→25→50%",
    shares: &[0.05, 0.25, 0.5],
    ticks_each: 15,
    requests: 600,
};

/// The observation of a request and the number beside it.
type Pair = fn(&mut Chance, &Tick) -> [f64; 2];

const ADJUSTED: Kind = Kind::Adjusted {
    scale: Scale::Linear,
};

pub(crate) fn settings() -> Vec<Setting> {
    let kinds: [(Group, &str, &str, Kind, Pair); 4] = [
        (
            Group::Means,
            "Robbins–Siegmund, ratio",
            "tokens a second, both drift",
            Kind::Ratio,
            tokens,
        ),
        (
            Group::Means,
            "Robbins–Siegmund, covariate",
            "cost that follows size, both drift",
            ADJUSTED,
            cost,
        ),
        (
            Group::Quantiles,
            "verdict",
            "p95 without an SLO, latency doubles",
            Kind::Quantile { at: 0.95 },
            latency,
        ),
        (
            Group::Labels,
            "verdict",
            "distribution, latency doubles",
            Kind::Distribution,
            latency,
        ),
    ];
    let on = |flow: Flow| {
        kinds.map(|(group, method, what, kind, pair)| Setting {
            group,
            situation: format!("{what}, {}", flow.name),
            method,
            claim: Claim::Keeps {
                alpha: 0.05,
                alarms: Alarms {
                    names: ERRORS,
                    run: Box::new(move |chance| first_error(chance, flow, kind, pair)),
                },
            },
            stated: "",
        })
    };
    [SMALL, RAMP].into_iter().flat_map(on).collect()
}

fn tokens(chance: &mut Chance, tick: &Tick) -> [f64; 2] {
    let seconds = (0.5 * chance.normal() + tick.progress).exp();
    [
        seconds * (30.0 + 10.0 * chance.normal() - 10.0 * tick.progress),
        seconds,
    ]
}

fn cost(chance: &mut Chance, tick: &Tick) -> [f64; 2] {
    let size = 10.0 + 3.0 * chance.normal() + 5.0 * tick.progress;
    [2.0 * size + 3.0 * chance.normal(), size]
}

fn latency(chance: &mut Chance, tick: &Tick) -> [f64; 2] {
    [
        (0.5 * chance.normal() + 0.7 * tick.progress - 3.0).exp(),
        1.0,
    ]
}

fn first_error(chance: &mut Chance, flow: Flow, kind: Kind, pair: Pair) -> Option<usize> {
    let design = design(
        Unit::Request,
        vec![metric("goal", kind, Better::Higher, None)],
    );
    let decision = run(&design, flow, &mut |tick| {
        let mut delta = Delta::new(&design);
        for (arm, requests) in tick.split(chance).into_iter().enumerate() {
            delta.expose_many(tick.epoch, arm, requests);
            for _ in 0..requests {
                let values = pair(chance, tick).map(Some);
                delta.observe_pair(tick.epoch, tick.number, 0, arm, 0, values);
            }
        }
        delta
    });
    error_of(decision.0)
}
